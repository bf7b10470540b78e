"""Plays a training run with failures, checkpoints, restarts, repairs and spare nodes, many times at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suanli.domain.wall_clock import RunTerms
from suanli.foundation.equation import FloatArray

Rows = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayedRuns:
    """What happened in every play of a run: one entry a play. The seconds by cause sum to `wall_seconds`."""

    wall_seconds: FloatArray
    checkpoint_seconds: FloatArray
    lost_seconds: FloatArray
    restart_seconds: FloatArray
    repair_seconds: FloatArray
    failures: FloatArray


class _Runs:
    """All plays side by side: their terms, what is still to do, what was spent, when repair places are free again."""

    def __init__(self, terms: Sequence[RunTerms], random: np.random.Generator) -> None:
        self.random, runs = random, len(terms)
        self.left = _column(terms, "paced_seconds")
        self.mtbf = _column(terms, "mtbf_seconds")
        self.interval, self.stall = _column(terms, "interval_seconds"), _column(terms, "stall_seconds")
        self.background, self.restart = _column(terms, "background_seconds"), _column(terms, "restart_seconds")
        self.hardware, self.repair = _column(terms, "hardware_share"), _column(terms, "repair_seconds")
        self.now, self.saving, self.lost, self.restarting, self.standing, self.stops = np.zeros((6, runs))
        self.owed = np.zeros(runs)
        places = _column(terms, "spares") + 1
        self.repaired_at = np.where(np.arange(places.max()) < places[:, np.newaxis], 0.0, np.inf)

    def seconds_to_end(self, here: Rows) -> FloatArray:
        """Return the time from a fresh start to the end of a run; no checkpoint is written at the end itself."""
        left = self.left[here]
        saves = np.maximum(np.ceil(left / self.interval[here]) - 1, 0)
        needed: FloatArray = left + saves * self.stall[here]
        return needed

    def finish(self, here: Rows, needed: FloatArray) -> None:
        """Let runs reach their end before the next failure strikes."""
        self.saving[here] += needed - self.left[here]
        self.restarting[here] += self.owed[here]
        self.now[here] += self.owed[here] + needed
        self.left[here] = 0.0

    def fail(self, here: Rows, gap: FloatArray) -> None:
        """Let a failure strike: work since the last checkpoint that was safe is lost."""
        interval, stall = self.interval[here], self.stall[here]
        worked = np.maximum(gap - self.owed[here], 0.0)
        cycle = interval + stall
        safe = np.maximum(np.floor((worked - self.background[here]) / cycle), 0.0)
        self.left[here] -= safe * interval
        self.saving[here] += safe * stall
        self.lost[here] += worked - safe * cycle
        self.restarting[here] += gap - worked
        self.now[here] += gap
        self.stops[here] += 1
        self.owed[here] = self.restart[here]
        self.replace(here[self.random.random(len(here)) < self.hardware[here]])

    def replace(self, here: Rows) -> None:
        """Send broken nodes to repair; a run without a spare left stands still until the first comes back."""
        places = self.repaired_at[here]
        free = np.argmin(places, axis=1)
        back = self.now[here] + self.random.exponential(self.repair[here])
        places[np.arange(len(here)), free] = back
        wait = np.maximum(places.min(axis=1) - self.now[here], 0.0)
        self.repaired_at[here] = places
        self.standing[here] += wait
        self.now[here] += wait


def _column(terms: Sequence[RunTerms], name: str) -> FloatArray:
    return np.array([getattr(one, name) for one in terms], dtype=float)


def play_run(terms: Sequence[RunTerms], seed: int) -> PlayedRuns:
    """Play a run once by each of the terms. A run ends when all its work is done and kept.

    The same terms and seed play the same runs.
    """
    random = np.random.default_rng(seed)
    played = _Runs(terms, random)
    while len(here := np.flatnonzero(played.left > 0)):
        gap = random.exponential(played.mtbf[here])
        needed = played.seconds_to_end(here)
        ends = played.owed[here] + needed <= gap
        played.finish(here[ends], needed[ends])
        played.fail(here[~ends], gap[~ends])
    return PlayedRuns(
        wall_seconds=played.now,
        checkpoint_seconds=played.saving,
        lost_seconds=played.lost,
        restart_seconds=played.restarting,
        repair_seconds=played.standing,
        failures=played.stops,
    )
