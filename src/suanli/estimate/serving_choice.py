"""Chooses among judged settings: within the targets, by objective, one of each kind; what binds; the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from suanli.estimate.front import front_of_two
from suanli.estimate.serving_columns import NONE, Columns, IntColumn, Size
from suanli.estimate.serving_units import Unit
from suanli.foundation.equation import FloatArray

EQUAL = 1e-9
"""Settings closer than this are equally good."""


class Objective(StrEnum):
    """What is asked of a fleet: most tokens of an accelerator, the cheapest token, or the cheapest month."""

    THROUGHPUT = "throughput"
    TOKEN = "token"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The longest median latencies that a setting may have; infinite where nobody asks."""

    ttft_seconds: float = math.inf
    tpot_seconds: float = math.inf


def within(columns: Columns, limits: Limits) -> NDArray[np.bool_]:
    """Say which settings keep both limits."""
    return np.asarray(
        (columns.ttft_seconds <= limits.ttft_seconds) & (columns.tpot_seconds <= limits.tpot_seconds), dtype=bool
    )


def planned_per_s(columns: Columns, size: Size) -> FloatArray:
    """Return the rate that settings are planned to serve: the rate asked for, else all but the headroom."""
    if size.rate_per_s is not None:
        return np.full(len(columns), size.rate_per_s)
    return columns.requests_per_s * (1 - size.headroom)


def counted_accelerators(columns: Columns, size: Size) -> FloatArray:
    """Accelerators that throughput is shared out over: all there are where they were named to be filled."""
    if size.rate_per_s is None and size.accelerators is not None:
        return np.full(len(columns), float(size.accelerators))
    return columns.accelerators


def badness(columns: Columns, size: Size, objective: Objective, month_amounts: FloatArray) -> FloatArray:
    """Return by how much settings are bad: less is better. `month_amounts` is what each one's fleet costs a month."""
    if objective is Objective.MONTH:
        return month_amounts
    if objective is Objective.TOKEN:
        return month_amounts / planned_per_s(columns, size)
    served = columns.requests_per_s if size.rate_per_s is None else planned_per_s(columns, size)
    return counted_accelerators(columns, size) / served


def ranked(columns: Columns, bad: FloatArray, allowed: NDArray[np.bool_]) -> IntColumn:
    """Order the allowed rows, best first; of equals the one of fewer accelerators, of more reserve, the sooner."""
    rows = np.flatnonzero(allowed & np.isfinite(bad))
    order = np.lexsort(
        (columns.ttft_seconds[rows], -columns.requests_per_s[rows], columns.accelerators[rows], bad[rows])
    )
    return np.asarray(rows[order], dtype=np.int64)


def one_of_each(columns: Columns, order: IntColumn, most: int) -> list[int]:
    """Keep the best row of each kind (units of prefill and decode), in order, at most so many."""
    kinds = columns.prefill[order] * np.int64(2**31) + columns.unit[order]
    _, first = np.unique(kinds, return_index=True)
    return [int(row) for row in order[np.sort(first)[:most]]]


def best_of_mode(columns: Columns, order: IntColumn, apart: bool) -> int | None:
    """Return the best row of fleets apart, or of replicas that do both; None where there is none."""
    rows = order[(columns.prefill[order] != NONE) == apart]
    return int(rows[0]) if len(rows) else None


class Bound(StrEnum):
    """What keeps a setting from more requests in flight: a latency limit, places in a replica, whole replicas."""

    TTFT = "ttft"
    TPOT = "tpot"
    PLACES = "places"
    WHOLE = "whole"


def bound_of(columns: Columns, row: int, limits: Limits) -> Bound:
    """Say what binds a setting: which limit the same replicas break at the next higher number in flight.

    Where they break none, more in flight would only ask for other numbers of whole replicas.
    """
    same = (columns.prefill == columns.prefill[row]) & (columns.unit == columns.unit[row])
    higher = np.flatnonzero(same & (columns.flight > columns.flight[row]))
    if not len(higher):
        return Bound.PLACES
    following = int(higher[np.argmin(columns.flight[higher])])
    over = (
        columns.ttft_seconds[following] / limits.ttft_seconds,
        columns.tpot_seconds[following] / limits.tpot_seconds,
    )
    if max(over) <= 1:
        return Bound.WHOLE
    return Bound.TTFT if over[0] > over[1] else Bound.TPOT


def next_kind(columns: Columns, order: IntColumn, bad: FloatArray, row: int) -> int | None:
    """Return the best row of other kinds of replica that is worse than a row; None where there is none."""
    other = (columns.prefill[order] != columns.prefill[row]) | (columns.unit[order] != columns.unit[row])
    rows = order[other & (bad[order] > bad[row] * (1 + EQUAL))]
    return int(rows[0]) if len(rows) else None


def best_of_systems(columns: Columns, order: IntColumn, units: Sequence[Unit]) -> dict[str, int]:
    """Return the best row of every system, best first."""
    found: dict[str, int] = {}
    systems = np.array([unit.system.id for unit in units])[columns.unit[order]]
    _, first = np.unique(systems, return_index=True)
    for place in np.sort(first).tolist():
        found[str(systems[place])] = int(order[place])
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearest:
    """Which limits could be kept: the least of each latency alone, beside the other's limit, and the nearest pair."""

    least_ttft_seconds: float
    least_tpot_seconds: float
    ttft_beside_seconds: float
    tpot_beside_seconds: float
    row: int


def nearest(columns: Columns, limits: Limits) -> Nearest:
    """Say how near settings come to limits that none keeps; infinite where the other limit alone is out of reach."""
    over = np.maximum(columns.ttft_seconds / limits.ttft_seconds, columns.tpot_seconds / limits.tpot_seconds)
    soon, fast = columns.ttft_seconds <= limits.ttft_seconds, columns.tpot_seconds <= limits.tpot_seconds
    return Nearest(
        least_ttft_seconds=float(columns.ttft_seconds.min()),
        least_tpot_seconds=float(columns.tpot_seconds.min()),
        ttft_beside_seconds=float(np.min(columns.ttft_seconds[fast], initial=np.inf)),
        tpot_beside_seconds=float(np.min(columns.tpot_seconds[soon], initial=np.inf)),
        row=int(np.argmin(over)),
    )


def front_rows(columns: Columns, units: Sequence[Unit]) -> IntColumn:
    """Return the settings that none beats in speed for a user and throughput of an accelerator, fastest first."""
    outputs = units[0].demand.outputs if units else 0.0
    return front_of_two(1 / columns.tpot_seconds, columns.requests_per_s * outputs / columns.accelerators)
