"""Optimizers against AdamW, which classes of software are calibrated with: bytes kept, bytes moved, arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.domain.model import Matrix, Role
from suanli.domain.optimizer import Choices, Offloading, Optimizer
from suanli.domain.workload import TrainingSetup
from suanli.equations.optimizer import factored_moment_bytes, newton_schulz_flop
from suanli.equations.transformer import FLOP_PER_MULTIPLY_ADD, matrix_flop
from suanli.estimate.operators import EXPERT_ROLES, layer_count, runs_of
from suanli.estimate.precision import wide_format
from suanli.foundation.equation import Real
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr
from suanli.parts.axes.sharding import Parameters
from suanli.parts.devices.electronic import Device

CHOICES_FILE = DATA / "calibration" / "choices.yaml"
PLAIN = "adamw"
"""The optimizer that bytes of classes of software are of."""


def _needed(sheet: Sheet, *trail: str, into: str) -> Figure:
    figure = sheet.figure(*trail, into=into, needed=True)
    if figure is None:
        raise InputError(sheet.faults)
    return figure


def _optimizer(sheet: Sheet, name: str) -> Optimizer:
    """Read one optimizer; one that is like another has its figures."""
    said = sheet.document.data["optimizers"][name]
    base = said.get("like", name)
    return Optimizer(
        id=name,
        name=sheet.text("optimizers", name, "name", needed=True),
        matrix_moments=_needed(sheet, "optimizers", base, "matrix_moments", into="B"),
        table_moments=_needed(sheet, "optimizers", base, "table_moments", into="B"),
        more_moved=_needed(sheet, "optimizers", base, "more_moved", into="B"),
        factor=sheet.figure("optimizers", base, "factor", into="B"),
        iterations=sheet.figure("optimizers", base, "iterations", into="1"),
        paged=bool(said.get("paged", False)),
    )


@functools.cache
def load_choices(path: Path = CHOICES_FILE) -> Choices:
    """Read the file of optimizers, offloading and schedules. Raises InputError with the faults in it."""
    sheet = Sheet(document=read_plain(path), known_sources=sources())
    known = {name: _optimizer(sheet, name) for name in sheet.document.data["optimizers"]}
    offloading = Offloading(
        hidden_share=_needed(sheet, "offload", "hidden_share", into="1"),
        host_memory_rate=_needed(sheet, "offload", "host_memory_rate", into="B/s"),
        layers_on_device=_needed(sheet, "offload", "layers_on_device", into="1"),
    )
    units = _needed(sheet, "schedules", "traffic_units", into="1")
    if sheet.faults:
        raise InputError(sheet.faults)
    return Choices(optimizers=known, offloading=offloading, traffic_units=units)


def find_optimizer(name: str) -> Optimizer:
    """Return an optimizer by name. Raises InputError naming the nearest known."""
    known = load_choices().optimizers
    if name not in known:
        raise InputError.single(
            place=tr("optimizer"), found=f"'{name}'", allowed=", ".join(known), hint=did_you_mean(name, known)
        )
    return known[name]


def layers_on_device() -> float:
    """How many layers' activations stay on the device where activations live on the host."""
    return load_choices().offloading.layers_on_device.value


def _matrices(setup: TrainingSetup) -> Iterator[tuple[float, Matrix]]:
    """Yield the matrices of the mean layer, each with how many layers of those there are in it."""
    total = float(layer_count(setup.model))
    for run in runs_of(setup.model):
        for matrix in run.layer.matrices:
            if matrix.role not in (Role.CONVOLUTION, Role.EMBEDDING):
                yield run.count / total, matrix


def moment_bytes(setup: TrainingSetup) -> tuple[float, float]:
    """Bytes that the optimizer keeps of one parameter beside its master copy: of layers, and of tables."""
    one, model = find_optimizer(setup.optimizer), setup.model
    matrices, tables = one.matrix_moments.value, one.table_moments.value
    if one.factor is None:
        return matrices, tables
    factor = one.factor.value
    kept, size = 0.0, 0.0
    for count, matrix in _matrices(setup):
        many = count * matrix.copies
        kept += many * float(factored_moment_bytes(float(matrix.inputs), float(matrix.outputs), factor))
        size += many * matrix.inputs * matrix.outputs
    table = float(factored_moment_bytes(float(model.vocabulary), float(model.hidden), factor))
    return matrices + kept / size, tables + table / (model.vocabulary * model.hidden)


def beyond_adamw_bytes(setup: TrainingSetup, kept: Real, tables: Real) -> Real:
    """Bytes of state that a rank keeps more than AdamW would (less where negative).

    `kept` is how many parameters it keeps the state of, `tables` how many of them are of embedding and head.
    """
    if setup.optimizer == PLAIN:
        return 0.0 * kept
    plain, own = find_optimizer(PLAIN), moment_bytes(setup)
    of_layers, of_tables = own[0] - plain.matrix_moments.value, own[1] - plain.table_moments.value
    return (kept - tables) * of_layers + tables * of_tables


def beyond_adamw_moved(setup: TrainingSetup, kept: Real, tables: Real) -> Real:
    """Bytes that one update moves more than AdamW's would: each byte of state is read and written once."""
    return 2 * beyond_adamw_bytes(setup, kept, tables) + find_optimizer(setup.optimizer).more_moved.value * kept


def makes_orthogonal(setup: TrainingSetup) -> bool:
    """Say whether updates multiply matrices; those of adapters are thin enough to be left out."""
    return find_optimizer(setup.optimizer).iterations is not None and not setup.frozen


def orthogonal_seconds(setup: TrainingSetup, device: Device, held: Parameters, ranks: Parameters) -> Real:
    """Seconds that a rank takes to make its share of the mean layer's matrices orthogonal; nothing unless Muon does.

    Whole matrices are dealt out to the ranks that hold the same ones or parts of them: `ranks`, for dense matrices and
    for those of experts, of whose copies a rank holds one in `held.expert`. Each goes at the rate of its own product.
    """
    iterations = find_optimizer(setup.optimizer).iterations
    spent: Real = 0.0 * ranks.dense
    if iterations is None or not makes_orthogonal(setup):
        return spent
    for count, matrix in _matrices(setup):
        shorter, longer = float(min(matrix.inputs, matrix.outputs)), float(max(matrix.inputs, matrix.outputs))
        flop = newton_schulz_flop(iterations.value, shorter, longer, FLOP_PER_MULTIPLY_ADD)
        once = device.matmul_seconds(shorter, longer, shorter, wide_format(setup.number_format))
        seconds = flop / matrix_flop(FLOP_PER_MULTIPLY_ADD, shorter, longer, shorter, 1.0) * once
        experts = matrix.role in EXPERT_ROLES
        shared = ranks.expert * held.expert if experts else ranks.dense
        spent = spent + count * matrix.copies * seconds / np.maximum(shared, 1)
    return spent
