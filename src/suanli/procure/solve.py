"""From a buying problem to its solution: build the program, run the solver apart, read, finish early, check, price."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from suanli.domain.procurement import Conflict, DemandKind, Problem, Solution
from suanli.foundation.equation import FloatArray
from suanli.procure import check
from suanli.procure.build import build, read, values_of
from suanli.procure.draft import Draft
from suanli.procure.explain import binding_text, explain, relief_text
from suanli.procure.terms import can_run, check_problem
from suanli.procure.worker import SHARED, Answer, Outcome, Worker

OPTIMAL = "optimal_within_gap"
TIME_LIMIT = "time_limit"
NO_INCUMBENT = "no_incumbent"
INFEASIBLE = "infeasible"

IDLE_WEIGHT = 1e-3
"""Weight of a system that a service takes against a job's whole delay by a period: enough to take none in vain."""

EARLY_SHARE = 0.2
"""Share of the time that finishing early may take on top."""


def solve(
    problem: Problem,
    gap: float = 0.005,
    seconds: float = 10.0,
    *,
    threads: int = 1,
    early: bool = True,
    reasons: bool = True,
    known: Solution | None = None,
    worker: Worker = SHARED,
) -> Solution:
    """Find what to buy and rent, when, and what runs where, at least present cost within the gap.

    `early` runs a second, small program over the same holdings that finishes jobs as early as they allow; `reasons`
    looks for the limits in conflict where there is no answer. Every answer has passed the feasibility checker.

    `known` is a plan to start from, of this problem or one near to it; it is left aside where it breaks a limit.

    Raises InputError where the problem itself is at fault.
    """
    begun = time.monotonic()
    check_problem(problem)
    if any(not can_run(problem, demand) for demand in problem.demands):
        return _infeasible(problem, begun, seconds, reasons, worker)
    made = build(problem)
    start = None if known is None else _start(made, known)
    answer = worker.run(made.program.arrays(), gap=gap, seconds=seconds, threads=threads, start=start)
    if answer.outcome is Outcome.INFEASIBLE:
        return _infeasible(problem, begun, seconds, reasons, worker)
    if answer.values is None:
        return _without(NO_INCUMBENT, time.monotonic() - begun)
    values = answer.values
    if early:
        values = _finished_early(made, values, EARLY_SHARE * seconds, worker)
    return _solution(made, answer, values, gap, time.monotonic() - begun)


def _start(made: Draft, known: Solution) -> FloatArray | None:
    decided = check.decisions_of(known)
    if known.status not in (OPTIMAL, TIME_LIMIT) or not check.is_of(made.problem, decided):
        return None
    if check.breaches(made.problem, decided):
        return None
    return values_of(made, decided)


def _finished_early(made: Draft, values: FloatArray, seconds: float, worker: Worker) -> FloatArray:
    """Keep all that costs money, work as early as that allows, and let services take no more than they need."""
    arrays = made.program.arrays()
    fixed = [
        column
        for columns in (made.order, made.pool, made.start, made.ordering, made.kept)
        for column in columns.values()
    ]
    kept = np.where(arrays.whole[fixed], np.round(values[fixed]), values[fixed])
    low, high = arrays.low.copy(), arrays.high.copy()
    low[fixed] = high[fixed] = kept
    cost = np.zeros_like(arrays.cost)
    demands = {demand.id: demand for demand in made.problem.demands}
    for (demand_id, choice_id, period), column in made.use.items():
        demand = demands[demand_id]
        if demand.kind is DemandKind.RATE:
            cost[column] = IDLE_WEIGHT
        elif demand.amount > 0.0:
            cost[column] = (period + 1) * demand.work_per_system[choice_id] / demand.amount
    if not cost.any():
        return values
    start = values.copy()
    start[fixed] = kept
    earlier = worker.run(replace(arrays, low=low, high=high, cost=cost), gap=0.0, seconds=seconds, start=start)
    return values if earlier.values is None else earlier.values


def _solution(made: Draft, answer: Answer, values: FloatArray, gap: float, seconds: float) -> Solution:
    problem = made.problem
    decided = read(made, values)
    broken = check.breaches(problem, decided)
    if broken:
        raise ArithmeticError(f"the solver's answer breaks its own limits: {broken[0]}")
    lines = check.cost_lines(problem, decided)
    objective = check.present_cost(problem, lines)
    fixed = math.fsum(
        amount * problem.discount[period] for line in problem.fixed_cost.values() for period, amount in enumerate(line)
    )
    bound = min(objective, answer.bound * made.money_unit + fixed)
    reached = (objective - bound) / abs(objective) if objective else 0.0
    return Solution(
        status=OPTIMAL if answer.outcome is Outcome.OPTIMAL or reached <= gap else TIME_LIMIT,
        objective=objective,
        bound=bound,
        gap=reached,
        seconds=seconds,
        orders=decided.orders,
        rents=decided.rents,
        rent_starts=decided.rent_starts,
        use=decided.use,
        cost_lines=lines,
        power_watts=check.power_watts(problem, decided),
        finish=check.finish_periods(problem, decided),
        violation=check.worst_violation(problem, decided),
    )


def _infeasible(problem: Problem, begun: float, seconds: float, reasons: bool, worker: Worker) -> Solution:
    found, together = explain(problem, seconds, worker) if reasons else ((), 0)
    return replace(
        _without(INFEASIBLE, time.monotonic() - begun),
        conflicts=found,
        binding=tuple(dict.fromkeys(binding_text(problem, conflict) for conflict in found)),
        relief=_relief_lines(found, together),
    )


def _relief_lines(found: tuple[Conflict, ...], together: int) -> tuple[str, ...]:
    """Say what frees the plan: one line for what must give way together, then one for each way alone."""
    said = [relief_text(conflict) for conflict in found]
    jointly = " + ".join(said[:together])
    return tuple(dict.fromkeys(([jointly] if jointly else []) + said[together:]))


def _without(status: str, seconds: float) -> Solution:
    return Solution(
        status=status,
        objective=math.inf,
        bound=-math.inf if status == NO_INCUMBENT else math.inf,
        gap=math.inf,
        seconds=seconds,
        orders={},
        rents={},
        use={},
        cost_lines={},
        power_watts=(),
    )
