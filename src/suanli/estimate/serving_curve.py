"""Fleets over hours of uneven traffic: replicas that each hour asks for, a base that stays and a top by the hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.equations import batching
from suanli.estimate.serving_columns import systems_needed, systems_of_both
from suanli.foundation.equation import FloatArray, Real


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of fleet: rate and accelerators of a replica (of prefill too, where apart), size of a system."""

    rate_per_s: float
    accelerators: float
    per_system: float
    prefill_rate_per_s: float | None = None
    prefill_accelerators: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hourly:
    """Columns over hours: replicas, and those that prefill, the systems that they occupy, their rate at most."""

    replicas: FloatArray
    prefills: FloatArray
    systems: FloatArray
    most_per_s: FloatArray


def hourly_fleet(kind: Kind, rates_per_s: FloatArray, headroom: float) -> Hourly:
    """Return the fewest replicas that hold each hour's rate with a share of capacity free; one stands at least."""
    replicas = np.maximum(batching.replicas_needed(rates_per_s, kind.rate_per_s, headroom), 1.0)
    prefills = np.zeros(len(rates_per_s))
    if kind.prefill_rate_per_s is not None:
        prefills = np.maximum(batching.replicas_needed(rates_per_s, kind.prefill_rate_per_s, headroom), 1.0)
    return fleet_of_counts(kind, np.asarray(prefills), np.asarray(replicas))


def fleet_of_counts(kind: Kind, prefills: FloatArray, replicas: FloatArray) -> Hourly:
    """Return what so many replicas in each hour occupy and do at most."""
    each, room = kind.accelerators, kind.per_system
    most: Real = replicas * kind.rate_per_s
    if kind.prefill_rate_per_s is None:
        systems = systems_needed(replicas, each, room)
    else:
        systems = systems_of_both(prefills, kind.prefill_accelerators, replicas, each, room)
        most = batching.paired_rate_per_s(most, prefills * kind.prefill_rate_per_s)
    return Hourly(replicas=replicas, prefills=prefills, systems=np.asarray(systems), most_per_s=np.asarray(most))


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseAndTop:
    """Systems that are held all the time, and what they and those by the hour above them cost in a month."""

    base: int
    base_amount: float
    top_amount: float
    top_system_hours: float

    @property
    def amount(self) -> float:
        """What both cost in a month."""
        return self.base_amount + self.top_amount


def with_next(systems: FloatArray) -> FloatArray:
    """Return the systems at the end of each hour, when those that the next adds start; the first follows the last."""
    return np.asarray(np.maximum(systems, np.roll(systems, -1)))


def cheapest_mix(
    systems: FloatArray,
    month_amount: float,
    hour_amount: float | None,
    hours_per_month: float,
    start_share: float = 0.0,
) -> BaseAndTop:
    """Choose how many systems to hold for the month and to rent the rest by the hour: every number is tried.

    Hours stand for a whole month in equal parts. `hour_amount` is what one system costs by the hour; None where it
    cannot be had, so that the peak is held. For the last `start_share` of each hour those that the next one adds are
    paid too, as they start.
    """
    peak = int(systems.max())
    if hour_amount is None:
        return BaseAndTop(base=peak, base_amount=peak * month_amount, top_amount=0.0, top_system_hours=0.0)
    bases = np.arange(peak + 1, dtype=float)
    over = (1 - start_share) * _mean_over(systems, bases) + start_share * _mean_over(with_next(systems), bases)
    top_hours = over * hours_per_month
    best = int(np.argmin(bases * month_amount + top_hours * hour_amount))
    return BaseAndTop(
        base=best,
        base_amount=best * month_amount,
        top_amount=float(top_hours[best] * hour_amount),
        top_system_hours=float(top_hours[best]),
    )


def _mean_over(systems: FloatArray, bases: FloatArray) -> FloatArray:
    """Return by how much systems stand above each base, in the mean over hours."""
    ordered = np.sort(systems)
    below = np.searchsorted(ordered, bases, side="right")
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    return np.asarray(((sums[-1] - sums[below]) - bases * (len(ordered) - below)) / len(ordered))
