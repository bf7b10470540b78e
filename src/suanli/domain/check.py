"""What is really run on a machine, each step beside its prediction, and how the errors sum up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.model import Model
from suanli.domain.validation import Summary


class Kind(StrEnum):
    """What one case does."""

    TRAIN = "train"
    LORA = "lora"
    PREFILL = "prefill"
    DECODE = "decode"

    @property
    def tunes(self) -> bool:
        """Whether it ends in an update of weights."""
        return self in (Kind.TRAIN, Kind.LORA)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One case: a small model and a shape of work.

    `tokens` are those of a sequence in training, of a prompt in prefill, in the cache before a decode step.
    `rank` is that of the adapters, 0 without.
    """

    kind: Kind
    model: Model
    batch: int
    tokens: int
    number_format: str
    rank: int = 0

    @property
    def name(self) -> str:
        """What the case is, in a line."""
        layers = sum(run.count for run in self.model.runs)
        rank = f" r{self.rank}" if self.rank else ""
        shape = f"{self.model.name} h{self.model.hidden} l{layers}"
        return f"{self.kind.value}{rank} {shape} {self.batch}x{self.tokens} {self.number_format}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedCase:
    """One real case: median seconds of a step and live bytes at its peak, measured and predicted with 80 % bands.

    `spread` is half the distance between the quartiles of the steps as a share of their median; `shape_of` is the model
    that was made small; `held_out` says that no figure of the class of plain PyTorch was set on a case like it.
    """

    name: str
    kind: str
    shape_of: str
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
