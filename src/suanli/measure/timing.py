"""Robust timing: warm until steady, readings long against the clock, the median, its spread, a budget shared out."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from suanli.measure.backends import Backend, Run
from suanli.measure.rules import ReadingRules

NORMAL_MAD = 1.4826
"""Standard deviation of a normal figure over its median absolute deviation."""
FEWEST = 2
"""Readings of a run so long that more of them would not fit its time."""
MEDIAN_ERROR = math.sqrt(math.pi / 2)
"""Standard error of the median of normal figures, over that of their mean."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Time of one run: median over readings, one robust sigma of them as a share of it, and how many were taken.

    `outliers` of the readings lay beyond the limit and are in none of the figures; `warm` says whether readings came to
    agree before they were counted.
    """

    seconds: float
    spread: float
    readings: int
    outliers: int
    warm: bool


@dataclass(kw_only=True, slots=True)
class Budget:
    """Seconds that are left, shared out evenly over the cases that are still to come."""

    seconds: float
    cases: int
    clock: Callable[[], float] = field(default=time.perf_counter)
    start: float = field(init=False)
    done: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.start = self.clock()

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(self.seconds - (self.clock() - self.start), 0.0)

    @property
    def share(self) -> float:
        """Seconds that the next case may take."""
        return self.left / max(self.cases - self.done, 1)

    @property
    def ahead_seconds(self) -> float:
        """Seconds until the end: what the remaining cases take at the pace of those done, and no more than is left."""
        spent = self.clock() - self.start
        if not self.done:
            return self.left
        return min(self.left, spent / self.done * max(self.cases - self.done, 0))

    def take(self) -> None:
        """Count one case as done."""
        self.done += 1


def read(backend: Backend, run: Run, rules: ReadingRules, limit_seconds: float) -> Reading:
    """Time a run: warm it, read until the median is steady, the time is up or there are enough readings."""
    start = time.perf_counter()
    single = backend.repeated(run, 1)
    single()
    once = max(single(), 1e-9)
    count = min(max(math.ceil(rules.least_seconds / once), 1), rules.most_repeats)
    many = backend.repeated(run, count) if count > 1 else single
    last, warm = many(), False
    for _ in range(rules.warm_count):
        now = many()
        warm = abs(now - last) <= rules.agree_share * max(now, last)
        last = now
        if warm or time.perf_counter() - start > limit_seconds / 2:
            break
    taken = [last / count]
    least = rules.least_count if rules.least_count * last <= limit_seconds else FEWEST
    while len(taken) < rules.most_count:
        if len(taken) >= least and (steady(taken) <= rules.steady_share or time.perf_counter() - start > limit_seconds):
            break
        taken.append(many() / count)
    return summed(taken, rules, warm)


def sigma(taken: list[float]) -> float:
    """Return one robust sigma of readings, from their median absolute deviation."""
    middle = statistics.median(taken)
    return NORMAL_MAD * statistics.median(abs(one - middle) for one in taken)


def steady(taken: list[float]) -> float:
    """Return the standard error of the median as a share of it."""
    return MEDIAN_ERROR * sigma(taken) / math.sqrt(len(taken)) / statistics.median(taken)


def summed(taken: list[float], rules: ReadingRules, warm: bool) -> Reading:
    """Sum readings up: those that lie far beyond the others are told and left out."""
    middle, width = statistics.median(taken), sigma(taken)
    kept = [one for one in taken if abs(one - middle) <= rules.outlier_sigmas * width] if width > 0 else taken
    median = statistics.median(kept)
    return Reading(
        seconds=median,
        spread=sigma(kept) / median,
        readings=len(kept),
        outliers=len(taken) - len(kept),
        warm=warm,
    )
