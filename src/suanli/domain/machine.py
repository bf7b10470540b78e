"""A machine that was measured: its accelerator, system and kernels, and how they were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suanli.domain.hardware import Accelerator, System
from suanli.domain.kernel import KernelCalibration


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyErrors:
    """How a family's fit does: shapes timed, those of them held out, errors on these, spread of repeats."""

    rows: int
    held_out: int
    median_error: float
    p90_error: float
    spread: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """How a machine was measured: when, by which command and versions, for how long, how quietly, how well fitted."""

    suanli: str
    date: str
    command: str
    device: str
    seconds: float
    load_average: float
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    families: Mapping[str, FamilyErrors] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredMachine:
    """A profile of a machine: what a catalogue says of a product, its kernels, and how all of it was measured."""

    accelerator: Accelerator
    system: System
    kernels: KernelCalibration
    measurement: Measurement
