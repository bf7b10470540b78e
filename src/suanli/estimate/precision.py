"""Which number format each matrix of a training step runs in: what a recipe of narrow training keeps wider."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.domain.model import CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure

PRECISION_FILE = DATA / "calibration" / "precision.yaml"
WIDE = "bf16"
"""The format of what narrow training never narrows."""
FULL_WIDTH = ("fp32", "tf32")
"""Formats under which everything else is kept in 32 bits too: weights are their own master copy."""
BF16_BYTES = 2.0
FP32_BYTES = 2 * BF16_BYTES
NARROW_ROLES = (Role.ROUTER,)
"""Matrices that stay wide whatever the format is."""
ATTENTION = (Role.ATTENTION_IN, Role.ATTENTION_OUT)
LATENT = "latent_"
"""How the names of matrices begin that lead into and out of the space that experts work in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What one recipe keeps wider: the format of parts of layers, and the share of last layers that stay wide."""

    parts: Mapping[str, str]
    last_layers: Figure


@functools.cache
def load_kept(path: Path = PRECISION_FILE) -> Mapping[str, Kept]:
    """Read what recipes for models with state-space layers keep, by number format.

    Raises InputError with the faults in the file.
    """
    sheet = Sheet(document=read_plain(path), known_sources=sources())
    known: dict[str, Kept] = {}
    for name, one in sheet.document.data["state_space"].items():
        share = sheet.figure("state_space", name, "last_layers", into="1", needed=True)
        if share is None:
            raise InputError(sheet.faults)
        known[name] = Kept(parts=dict(one["parts"]), last_layers=share)
    if sheet.faults:
        raise InputError(sheet.faults)
    return known


def wide_format(number_format: str) -> str:
    """Return the format of what a recipe never narrows: 16 bits, unless all is in 32.

    >>> wide_format("fp8"), wide_format("fp32")
    ('bf16', 'fp32')
    """
    return number_format if number_format in FULL_WIDTH else WIDE


def element_bytes(number_format: str) -> float:
    """Bytes of an element of weights, activations and logits that nothing narrows.

    >>> element_bytes("nvfp4"), element_bytes("tf32")
    (2.0, 4.0)
    """
    return FP32_BYTES if number_format in FULL_WIDTH else BF16_BYTES


def kept_by(model: Model, number_format: str) -> Kept | None:
    """Return what training a model in a format keeps wider; None where nothing beside what always stays."""
    mixed = any(run.layer.core.kind is CoreKind.STATE_SPACE for run in model.runs)
    return load_kept().get(number_format) if mixed else None


def layer_formats(model: Model, number_format: str) -> Iterator[tuple[LayerRun, float, str]]:
    """Yield the runs of layers of a training step: how many layers of each stand in which format.

    The last layers of a stack are spread evenly over its kinds of layers.
    """
    kept = kept_by(model, number_format)
    wide = kept.last_layers.value if kept else 0.0
    for run in model.runs:
        yield run, run.count * (1 - wide), number_format
        if wide > 0:
            yield run, run.count * wide, WIDE
    for run in model.draft_runs:
        yield run, float(run.count), kept.parts.get("drafts", number_format) if kept else number_format


def matrix_format(kept: Kept | None, layer: Layer, matrix: Matrix, number_format: str) -> str:
    """Return the format that a matrix of a layer in this format runs in."""
    if matrix.role in NARROW_ROLES:
        return wide_format(number_format)
    if kept is None or number_format == WIDE:
        return number_format
    if matrix.name.startswith(LATENT):
        return kept.parts["latent"]
    if layer.core.kind is CoreKind.STATE_SPACE and matrix.role is Role.ATTENTION_OUT:
        return kept.parts["state_space_out"]
    softmax = layer.core.attends
    return kept.parts["attention"] if softmax and matrix.role in ATTENTION else number_format
