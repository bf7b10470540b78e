"""A whole training run on the clock on the wall: how a fleet is kept, how a job is saved, and where the time goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.plan import Assumed


class Recovery(StrEnum):
    """Who finds a stopped job and starts it again."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class Saving(StrEnum):
    """Whether a job stands still until its state is stored, or only until it is copied to the hosts."""

    ASYNCHRONOUS = "asynchronous"
    BLOCKING = "blocking"


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """How the fleet of a run is kept: a preset of failure rates, recovery, saving, spare nodes (None: the usual)."""

    failures: str = "middle"
    recovery: Recovery = Recovery.AUTOMATIC
    saving: Saving = Saving.ASYNCHRONOUS
    spares: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTerms:
    """What a run is played by and added up from.

    `paced_seconds` is all work at the pace of a long run, without checkpoints and stops. After `interval_seconds` of
    it the job stands still for `stall_seconds` and is safe `background_seconds` later. A failure comes every
    `mtbf_seconds` on average and costs `restart_seconds`; `hardware_share` of them take a node away for
    `repair_seconds`, which one of `spares` stands in for.
    """

    paced_seconds: float
    mtbf_seconds: float
    interval_seconds: float
    stall_seconds: float
    background_seconds: float
    restart_seconds: float
    hardware_share: float
    repair_seconds: float
    spares: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WallClock:
    """A whole run: seconds by cause (they sum to `wall_seconds`), the share that is work, and how sure it is.

    `steady_seconds` is what all steps take without anything going wrong; `goodput` is its share of the whole. The
    quantiles hold chance, the width of the step's band and the ranges of the fleet's figures.
    """

    tokens: float
    steps: float
    steady_seconds: float
    wall_seconds: float
    seconds_by_cause: Mapping[str, float]
    goodput: float
    p50_seconds: float
    p80_seconds: float
    p95_seconds: float
    failures: float
    mtbf_seconds: float
    checkpoint_bytes: float
    checkpoint_interval_seconds: float
    spares: int
    assumed: tuple[Assumed, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunQuantile:
    """What so large a share of played runs stays within: time on the wall, stops."""

    wall_seconds: float
    failures: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayedRun:
    """Many plays of one run: quantiles over them, means by cause, and the closed form beside them.

    `chance` plays the figures as they are kept: only failures differ. `with_errors` also draws the step's time from its
    band and the fleet's figures from their ranges, as the closed form's quantiles do; None where some draw never ends.
    Both by name, `p50` to `p99`; means and goodput are of chance alone.
    """

    runs: int
    chance: Mapping[str, RunQuantile]
    with_errors: Mapping[str, RunQuantile] | None
    goodput: float
    mean_wall_seconds: float
    seconds_by_cause: Mapping[str, float]
    predicted: WallClock
