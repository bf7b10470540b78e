"""Reads the calibration of training: classes of software, terms of a whole cluster, bands."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from suanli.catalogue.figures import in_si
from suanli.catalogue.yaml_reader import read_yaml
from suanli.domain.model import Model, Role
from suanli.domain.software import Software, SoftwareEra, SoftwareReach, Spread, Sustained, TrainingCalibration
from suanli.domain.workload import TrainingSetup
from suanli.estimate.precision import BF16_BYTES, FP32_BYTES, element_bytes
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

FRAMEWORK_FILE = Path(__file__).parent.parent / "data" / "calibration" / "frameworks.yaml"
WITH_UNIT = {"seconds": "s", "bytes": "B"}


def read_number(said: Any, unit: str, place: str) -> float:
    """Read a number, with its unit behind it where it has one (`8 us`), in SI.

    Raises InputError where there is none, or its unit is of another dimension.
    """
    words = str(said).split(maxsplit=1)
    try:
        value = float(words[0])
    except (ValueError, IndexError):
        raise InputError.single(place=place, found=repr(said), allowed=tr("a number")) from None
    return in_si(value, words[1] if len(words) > 1 else "", unit, place) if unit else value


def unit_of(name: str) -> str:
    """Return the SI unit that the end of a figure's name says; empty for a pure number."""
    return WITH_UNIT.get(name.rsplit("_", 1)[-1], "")


def _software(name: str, said: Mapping[str, Any], place: str) -> Software:
    read: dict[str, Any] = {"id": name, "name": said.get("name", name)}
    for field in fields(Software):
        if field.name in read:
            continue
        if field.name not in said:
            raise InputError.single(place=place, found=tr("no '{name}'", name=field.name), allowed=field.name)
        unit = unit_of(field.name)
        read[field.name] = read_number(said[field.name], unit, f"{place}.{field.name}")
    return Software(**read)


def _reach(said: Mapping[str, Any]) -> SoftwareReach:
    return SoftwareReach(**{**said, "formats": tuple(said["formats"])})


def _spread(said: Mapping[str, Any]) -> Spread:
    return Spread(**{**said, "generations": tuple(said["generations"])})


@functools.cache
def load_training_calibration(path: Path = FRAMEWORK_FILE) -> TrainingCalibration:
    """Read the file of training software; a class that is like another says only what it has of its own.

    Raises InputError naming the entry at fault.
    """
    said = read_yaml(path).data
    classes = {name: {**said["software"].get(one.get("like"), {}), **one} for name, one in said["software"].items()}
    return TrainingCalibration(
        software={name: _software(name, one, f"{path.name}: {name}") for name, one in classes.items()},
        aliases=dict(said["aliases"]),
        eras=tuple(SoftwareEra(**one) for one in said["eras"]),
        reach={name: _reach(one) for name, one in said["reach"].items()},
        misaligned_slowdown=float(said["cluster"]["misaligned_slowdown"]),
        odd_head_slowdown=float(said["cluster"]["odd_head_slowdown"]),
        straggler_per_doubling=float(said["cluster"]["straggler_per_doubling"]),
        hbm_share=float(said["cluster"]["hbm_share"]),
        unknown_layout_slowdown=float(said["cluster"]["unknown_layout_slowdown"]),
        layout_spread=float(said["search"]["layout_spread"]),
        tie_spread=float(said["search"]["tie_spread"]),
        tie_sigmas=float(said["search"]["tie_sigmas"]),
        sustained={pattern: Sustained(**shares) for pattern, shares in said["sustained"].items()},
        adapter_rank=int(said["cluster"]["adapter_rank"]),
        recipes={name: tuple(words) for name, words in said["recipes"].items()},
        frozen_bytes={
            name: read_number(one, "B", f"{path.name}: frozen.{name}") for name, one in said["frozen"].items()
        },
        spread=_spread(said["spread"]),
        bands={name: (float(low), float(high)) for name, (low, high) in said["bands"].items()},
    )


def _at(calibration: TrainingCalibration, word: str, software: str, date: str) -> str:
    """Walk through the eras: the class that a framework's word stands for at a date."""
    for era in calibration.eras:
        if era.software == software and era.word in ("", word) and (not date or date >= era.since):
            software = era.becomes
    return software


def sustained_pattern(calibration: TrainingCalibration, accelerator_id: str) -> str:
    """Return the first pattern of lasting shares that an accelerator fits; empty where none does."""
    return next((pattern for pattern in calibration.sustained if fnmatch(accelerator_id, pattern)), "")


def sustained_shares(calibration: TrainingCalibration, accelerator_id: str) -> Sustained:
    """Return what long training keeps of an accelerator's short-kernel rates: the first pattern that fits, else all."""
    return calibration.sustained.get(sustained_pattern(calibration, accelerator_id), Sustained())


def gates_experts(model: Model) -> bool:
    """Say whether every layer of experts has a gate: two matrices of one shape that read the same tokens."""
    layers = [run.layer for run in model.runs if run.layer.experts > 1]
    entering = [[one for one in layer.matrices if one.role is Role.EXPERT_IN] for layer in layers]
    wide = [sum(one.outputs for one in matrices) for matrices in entering]
    inner = [sum(one.inputs for one in layer.matrices if one.role is Role.EXPERT_OUT) for layer in layers]
    return bool(layers) and all(2 * back == ahead for ahead, back in zip(wide, inner, strict=True))


def software_for(
    calibration: TrainingCalibration, software: Software, model: Model, number_format: str, accelerator_id: str
) -> Software:
    """Return the class whose kernels a run uses: its own where they exist, else the one that it grew from."""
    reach = calibration.reach.get(software.id)
    if reach is None:
        return software
    there = number_format in reach.formats and fnmatch(accelerator_id, reach.accelerators)
    if there and (gates_experts(model) or not reach.gated_experts):
        return software
    return calibration.software[reach.elsewhere]


def in_width(software: Software, setup: TrainingSetup) -> Software:
    """Return a class with its bytes of a parameter and of a logit as the setup's number format makes them.

    Figures of classes are for 16-bit weights. Weights in 32 bits are their own master copy: gradients are as wide, and
    two moments are left of the optimizer's state. Software with `pure_states` keeps all in the type of the weights,
    adapters and their states too.
    """
    width = element_bytes(setup.number_format)
    logits = min(software.logit_bytes * width / BF16_BYTES, max(MOST_LOGITS * FP32_BYTES, software.logit_bytes))
    if software.pure_states:
        scaled = {name: getattr(software, name) * width / BF16_BYTES for name in STATES}
        return replace(software, logit_bytes=logits, **scaled)
    if width == BF16_BYTES:
        return software
    return replace(
        software,
        gradient_bytes=max(software.gradient_bytes, width),
        reduce_bytes=max(software.reduce_bytes, width),
        optimizer_bytes=min(software.optimizer_bytes, 2 * width),
        logit_bytes=logits,
    )


STATES = (
    "gradient_bytes", "reduce_bytes", "optimizer_bytes", "optimizer_moved_bytes", "accumulate_moved_bytes",
    "adapter_input_bytes",
)  # fmt: skip
"""Figures of a class that are bytes of one parameter's states."""
MOST_LOGITS = 3
"""Copies of the logits that live at once: their softmax and both gradients."""


def find_software(calibration: TrainingCalibration, framework: str, date: str = "") -> Software:
    """Return the class of a framework at a date (its latest without one), by id or by a word of its name.

    Raises InputError naming the nearest known.
    """
    name = framework.strip().lower()
    if name in calibration.software:
        return calibration.software[name]
    for word, known in calibration.aliases.items():
        if word in name:
            return calibration.software[_at(calibration, word, known, date)]
    allowed = [*calibration.software, *calibration.aliases]
    raise InputError.single(
        place=tr("framework"), found=f"'{framework}'", allowed=", ".join(allowed), hint=did_you_mean(name, allowed)
    )
