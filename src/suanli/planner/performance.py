"""What a system does for a workload: the one number a buyer needs, with the estimate behind it and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from suanli.domain.result import ServingEstimate, TrainingEstimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """One workload on one kind of system, estimated with `systems` of them at work together.

    `rate_per_system` is what one system does in a second, at the median: trained tokens (goodput included) or requests.
    `spread_log` is the standard deviation of its logarithm. At least `least_systems` and at most `most_systems` (None:
    no bound) can be put to work at once. `replicas_per_system` is how many replicas of a service one system holds.
    """

    workload_id: str
    system_id: str
    systems: int
    rate_per_system: float
    spread_log: float
    least_systems: int
    most_systems: int | None
    goodput: float
    parameters: float
    replicas_per_system: float = 1.0
    training: TrainingEstimate | None = None
    serving: ServingEstimate | None = None

    def rate_at(self, shift_log: float) -> float:
        """Return the rate of one system so far (in logarithms) from the median."""
        return self.rate_per_system * math.exp(shift_log)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a workload does not run on a kind of system."""

    workload_id: str
    system_id: str
    reason: str
