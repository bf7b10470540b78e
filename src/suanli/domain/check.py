"""What a check of a machine tells: each real step beside its prediction, and how the errors sum up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.domain.validation import Summary


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedCase:
    """One real case: median seconds of a step and live bytes at its peak, measured and predicted with 80 % bands.

    `spread` is half the distance between the quartiles of the steps as a share of their median; `held_out` says that no
    figure of the class of plain PyTorch was set on a case like it.
    """

    name: str
    kind: str
    held_out: bool
    steps: int
    spread: float
    measured_seconds: float
    predicted_seconds: float
    seconds_low: float
    seconds_high: float
    seconds_error: float
    seconds_by_cause: Mapping[str, float]
    measured_peak_bytes: float
    predicted_peak_bytes: float
    peak_low_bytes: float
    peak_high_bytes: float
    peak_error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """All cases of a machine, and the errors of steps and of peaks: over all cases, those held out, and by kind."""

    machine: str
    ranks: int
    torch: str
    profile: str
    cases: tuple[CheckedCase, ...]
    seconds: Mapping[str, Summary]
    peaks: Mapping[str, Summary]
    warnings: tuple[str, ...]
