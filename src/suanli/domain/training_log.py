"""A training run as its own logs tell it: step times, pauses, devices; and the prediction held against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from suanli.domain.layout import Layout
from suanli.domain.measured import ComparedValue

if TYPE_CHECKING:  # columns are made where a log is read; commands that only name a run load no numpy
    import numpy as np
    from numpy.typing import NDArray

Value = bool | int | float | str


class MemoryKind(StrEnum):
    """What a printed peak of memory counts."""

    ALLOCATED = "allocated"
    RESERVED = "reserved"
    DEVICE = "device"


class PauseKind(StrEnum):
    """What holds a run up between steps."""

    CHECKPOINT = "checkpoint"
    EVALUATION = "evaluation"
    COLLECTION = "garbage collection"


class CauseKind(StrEnum):
    """What a cause rests on: seen in the files, a setting that they tell, or the model's own sums."""

    SEEN = "seen"
    SETTING = "setting"
    POSSIBLE = "possible"


class CausePart(StrEnum):
    """What a cause is part of: the step itself, the time between steps, or the layout that was chosen."""

    STEP = "step"
    BETWEEN = "between steps"
    LAYOUT = "layout"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A setting that a file tells, and where."""

    value: Value
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """A pause after a step; `seconds` is 0 where only that it was is told.

    `told` is false where no line names it: the steps at a setting's own period stand out.
    """

    kind: PauseKind
    step: int
    seconds: float = 0.0
    told: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class StepTimes:
    """Reports of step times as columns: the last step of each, how many steps it covers, seconds of one of them.

    `wall_seconds` is the time on the wall that a report covers, pauses and all (NaN where nothing tells).
    `resolution_seconds` is how finely the log tells time over a report.
    """

    number: NDArray[np.int64]
    covers: NDArray[np.int64]
    seconds: NDArray[np.float64]
    wall_seconds: NDArray[np.float64]
    resolution_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceUse:
    """What one device did while the run was at work; what is idle before the first and after the last load is left out.

    Shares are of samples, from 0 to 1; NaN where the export tells none. `clock_hertz` is the median under load,
    `heat_slowed_share` of loaded samples those whose slowing was put down to heat or to the hardware's own brake.
    """

    name: str
    product: str
    samples: int
    busy_share: float
    power_watts: float
    power_limit_watts: float
    clock_hertz: float
    most_clock_hertz: float
    temperature_celsius: float
    memory_bytes: float
    tensor_share: float
    power_capped_share: float
    heat_slowed_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """The steady state of a run, in seconds of a step.

    `step_seconds` is the median of the steady reports, `wall_step_seconds` what a step takes on the wall with pauses.
    `spread` is one sigma of steady reports over their median, `drift` the change over the log in shares of it.
    `stalls` are reports far above the others that no pause explains, `stall_seconds` what they take a step on average,
    `stall_every` their period in steps (0: none). `slow_mode_seconds` is the upper of two modes (0: one mode alone),
    `slow_mode_share` how many steps are in it. `pause_seconds` is what pauses take a step by kind.
    """

    step_seconds: float
    low_seconds: float
    high_seconds: float
    wall_step_seconds: float
    reports: int
    steady_reports: int
    warm_up_steps: int
    spread: float
    drift: float
    stalls: int
    stall_seconds: float
    stall_every: int
    fast_mode_seconds: float
    slow_mode_seconds: float
    slow_mode_share: float
    pause_seconds: Mapping[PauseKind, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """A likely cause: seconds of a step that it takes (0: nobody can say), what shows it, how to check and mend it.

    Those of the step are why a run is slower than its layout should be; those of the layout what a better one gains.
    """

    name: str
    kind: CauseKind
    part: CausePart
    saved_seconds: float
    saved_share: float
    evidence: str
    check: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run in flight is; None where no file tells. `end_clock_seconds` counts from 1970, as clocks do."""

    last_step: int
    total_steps: int | None
    done_share: float | None
    left_seconds: float | None
    end_clock_seconds: float | None
    ended: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LogComparison:
    """A run beside its prediction: values, share of what the layout should reach, causes in order, and the rest.

    `reached_share` is the predicted step over the measured one; `best_layout` what a search found (None: none better).
    """

    run: str
    tools: tuple[str, ...]
    model: str
    system: str
    accelerators: int
    layout: Layout
    rows: tuple[ComparedValue, ...]
    reached_share: float | None
    inside_band: bool | None
    pace: Pace | None
    causes: tuple[Cause, ...]
    progress: Progress
    devices: tuple[DeviceUse, ...]
    best_layout: Layout | None
    best_step_seconds: float | None
    settings: Mapping[str, Setting]
    skipped_steps: int
    assumed: tuple[str, ...]
    notes: tuple[str, ...]
