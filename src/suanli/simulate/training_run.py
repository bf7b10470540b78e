"""Plays a training run with failures, checkpoints, restarts, repairs and spare nodes, many times at once."""

from __future__ import annotations

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
    """All plays side by side: what is still to do, what was spent, when each repair place is free again."""

    def __init__(self, terms: RunTerms, runs: int, random: np.random.Generator) -> None:
        self.terms, self.random = terms, random
        self.left: FloatArray = np.full(runs, terms.paced_seconds)
        self.now, self.saving, self.lost, self.restarting, self.standing, self.stops = np.zeros((6, runs))
        self.owed = np.zeros(runs)
        self.repaired_at = np.zeros((runs, terms.spares + 1))

    def seconds_to_end(self, here: Rows) -> FloatArray:
        """Return the time from a fresh start to the end of a run; no checkpoint is written at the end itself."""
        left, terms = self.left[here], self.terms
        saves = np.maximum(np.ceil(left / terms.interval_seconds) - 1, 0)
        needed: FloatArray = left + saves * terms.stall_seconds
        return needed

    def finish(self, here: Rows, needed: FloatArray) -> None:
        """Let runs reach their end before the next failure strikes."""
        self.saving[here] += needed - self.left[here]
        self.restarting[here] += self.owed[here]
        self.now[here] += self.owed[here] + needed
        self.left[here] = 0.0

    def fail(self, here: Rows, gap: FloatArray) -> None:
        """Let a failure strike: work since the last checkpoint that was safe is lost."""
        terms = self.terms
        worked = np.maximum(gap - self.owed[here], 0.0)
        cycle = terms.interval_seconds + terms.stall_seconds
        safe = np.maximum(np.floor((worked - terms.background_seconds) / cycle), 0.0)
        self.left[here] -= safe * terms.interval_seconds
        self.saving[here] += safe * terms.stall_seconds
        self.lost[here] += worked - safe * cycle
        self.restarting[here] += gap - worked
        self.now[here] += gap
        self.stops[here] += 1
        self.owed[here] = terms.restart_seconds
        self.replace(here[self.random.random(len(here)) < terms.hardware_share])

    def replace(self, here: Rows) -> None:
        """Send broken nodes to repair; a run without a spare left stands still until the first comes back."""
        places = self.repaired_at[here]
        free = np.argmin(places, axis=1)
        back = self.now[here] + self.random.exponential(self.terms.repair_seconds, len(here))
        places[np.arange(len(here)), free] = back
        wait = np.maximum(places.min(axis=1) - self.now[here], 0.0)
        self.repaired_at[here] = places
        self.standing[here] += wait
        self.now[here] += wait


def play_run(terms: RunTerms, runs: int, seed: int) -> PlayedRuns:
    """Play a run many times. A run ends when all its work is done and kept; the same seed plays the same runs."""
    random = np.random.default_rng(seed)
    played = _Runs(terms, runs, random)
    while len(here := np.flatnonzero(played.left > 0)):
        gap = random.exponential(terms.mtbf_seconds, len(here))
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
