"""Why there is no answer: the limits in conflict, and the least relief of each, found with a program that can give."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from suanli.domain.procurement import Conflict, Problem
from suanli.foundation.equation import FloatArray
from suanli.foundation.language import tr
from suanli.procure import check
from suanli.procure.build import build, read
from suanli.procure.draft import Draft, Easing
from suanli.procure.program import ProgramArrays
from suanli.procure.worker import SHARED, Worker

RELIEF_GAP = 0.02
"""How near to the least relief the found one must be."""

LAST_RESORTS = ("amount", "rate")
"""Limits that are the very demand: eased only where nothing else helps."""

LAST_RESORT_WEIGHT = 100.0
"""How much rather any other limit gives way wholly than that a demand is not met."""

SMALLEST_EASING = 1e-6
"""An easing below this is the solver's dust."""

KILO = 1000.0
"""Watts in a kilowatt."""

WHOLE_UNITS = frozenset({"periods", "systems"})


def explain(problem: Problem, seconds: float, worker: Worker = SHARED) -> tuple[tuple[Conflict, ...], int]:
    """Find the limits in conflict within a time: those that give way together, then each that frees the plan alone.

    Returns the conflicts and how many of them are of the first sort.
    """
    unserved = tuple(
        Conflict(limit="choices", subject=demand.id, period=None, relief=None, unit="")
        for demand in problem.demands
        if not any(demand.work_per_system.get(choice.id, 0.0) > 0.0 for choice in problem.choices)
    )
    if unserved:
        return unserved, len(unserved)
    deadline = time.monotonic() + seconds
    made = build(problem, elastic=True)
    arrays = made.program.arrays()
    together = _eased_together(made, arrays, seconds, worker)
    alone: list[Conflict] = []
    for easing in sorted(made.easings.values(), key=lambda easing: _rank(easing, together)):
        left = deadline - time.monotonic()
        if left > 0.0:
            alone += _eased_alone(made, arrays, easing, left, worker)
    if len(together) == 1:
        first = (together[0].limit, together[0].subject)
        alone = [conflict for conflict in alone if (conflict.limit, conflict.subject) != first]
    return (*together, *alone), len(together)


def _rank(easing: Easing, together: Iterable[Conflict]) -> tuple[bool, bool]:
    named = any((conflict.limit, conflict.subject) == (easing.limit, easing.subject) for conflict in together)
    return easing.limit in LAST_RESORTS, not named


def _eased_together(made: Draft, arrays: ProgramArrays, seconds: float, worker: Worker) -> tuple[Conflict, ...]:
    cost = np.zeros_like(arrays.cost)
    periods = len(made.problem.periods)
    for easing in made.easings.values():
        weight = LAST_RESORT_WEIGHT if easing.limit in LAST_RESORTS else 1.0
        cost[easing.column] = weight / (periods if easing.unit == "periods" else 1.0)
    answer = worker.run(replace(arrays, cost=cost), gap=RELIEF_GAP, seconds=seconds / 2)
    return () if answer.values is None else tuple(_conflicts(made, answer.values))


def _eased_alone(made: Draft, arrays: ProgramArrays, easing: Easing, seconds: float, worker: Worker) -> list[Conflict]:
    cost, high = np.zeros_like(arrays.cost), arrays.high.copy()
    for other in made.easings.values():
        if other is not easing:
            high[other.column] = 0.0
    cost[easing.column] = 1.0
    answer = worker.run(replace(arrays, cost=cost, high=high), gap=RELIEF_GAP, seconds=seconds)
    return [] if answer.values is None else list(_conflicts(made, answer.values))


def _conflicts(made: Draft, values: FloatArray) -> Iterable[Conflict]:
    broken = check.breaches(made.problem, read(made, values))
    for easing in made.easings.values():
        eased = float(values[easing.column])
        if eased <= SMALLEST_EASING:
            continue
        relief = eased * easing.worth
        if easing.unit in WHOLE_UNITS:
            relief = float(math.ceil(relief - SMALLEST_EASING))
        periods = [b.period for b in broken if (b.limit, b.subject) == (easing.limit, easing.subject)]
        first = min(periods, default=None) if easing.limit != "amount" else None
        yield Conflict(limit=easing.limit, subject=easing.subject, period=first, relief=relief, unit=easing.unit)


def binding_text(problem: Problem, conflict: Conflict) -> str:
    """Say in words which limit stands in the way."""
    period = problem.periods[conflict.period] if conflict.period is not None else ""
    said = {
        "deadline": tr("the deadline of {subject}", subject=conflict.subject),
        "amount": tr("the amount of work of {subject}", subject=conflict.subject),
        "rate": tr("the rate that {subject} asks for", subject=conflict.subject),
        "cash": tr("the cash that may be spent"),
        "power": tr("the power of the site"),
        "racks": tr("the rack units of the site"),
        "supply": tr("the supply of {subject}", subject=conflict.subject),
        "choices": tr("no choice on offer can run {subject}", subject=conflict.subject),
    }[conflict.limit]
    return tr("{limit} (from {period})", limit=said, period=period) if period else said


def relief_text(conflict: Conflict) -> str:
    """Say in words what would free a limit."""
    amount, subject = conflict.relief, conflict.subject
    if amount is None:
        return tr("offer a system that can run {subject}", subject=subject)
    if conflict.limit == "deadline":
        return tr("{subject} needs {amount:.0f} more periods", subject=subject, amount=amount)
    if conflict.limit == "cash":
        return tr("needs {amount:,.0f} {unit} more cash", amount=amount, unit=conflict.unit)
    if conflict.limit == "power":
        return tr("needs {amount:,.1f} kW more power", amount=amount / KILO)
    if conflict.limit == "racks":
        return tr("needs {amount:,.0f} more rack units", amount=math.ceil(amount - SMALLEST_EASING))
    if conflict.limit == "supply":
        return tr("needs {amount:.0f} more systems of {subject} in a period", amount=amount, subject=subject)
    return tr("ask {amount:.1%} less of {subject}", amount=amount, subject=subject)
