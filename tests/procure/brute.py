"""The buying problem solved by trying everything: each combination of orders and rents, cheapest first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import highspy

from suanli.domain.procurement import Choice, Demand, DemandKind, Problem, Tenure

Line = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """One way to hold one choice: systems ready and money spent by period, and what it costs in present value."""

    pool: Line
    spent: tuple[float, ...]
    cost: float


def holdings(problem: Problem, choice: Choice, most: int) -> list[Holding]:
    """List every way to hold a choice that its own terms allow."""
    if choice.tenure is Tenure.OWNED:
        return [_owned(problem, choice, (0,) * len(problem.periods))]
    if choice.tenure is Tenure.BOUGHT:
        return list(_purchases(problem, choice, most))
    return list(_rents(problem, choice, most))


def _owned(problem: Problem, choice: Choice, orders: Line) -> Holding:
    periods = range(len(problem.periods))
    pool = tuple(choice.held + sum(orders[q] for q in periods if q + choice.lead_periods[q] <= p) for p in periods)
    spent = tuple(
        orders[p] * (choice.price[p] + sum(line[p] for line in choice.extra_cost.values()))
        + pool[p] * sum(line[p] for line in choice.running_cost.values())
        for p in periods
    )
    back = sum(orders[p] * choice.resale[p] for p in periods) if choice.tenure is Tenure.BOUGHT else 0.0
    cost = sum(spent[p] * problem.discount[p] for p in periods) - back * problem.discount[-1]
    return Holding(pool, spent, cost)


def _purchases(problem: Problem, choice: Choice, most: int) -> Iterator[Holding]:
    periods = range(len(problem.periods))
    allowed = []
    for p in periods:
        cap = most if choice.supply[p] is None else min(most, int(choice.supply[p] or 0))
        arrives = p + choice.lead_periods[p] < len(problem.periods)
        allowed.append([0, *range(choice.lot, cap + 1)] if arrives else [0])
    for orders in itertools.product(*allowed):
        if sum(orders) <= most:
            yield _owned(problem, choice, orders)


def _rents(problem: Problem, choice: Choice, most: int) -> Iterator[Holding]:
    periods = range(len(problem.periods))
    caps = [most if cap is None else min(most, int(cap)) for cap in choice.supply]
    for pool in itertools.product(*(range(cap + 1) for cap in caps)):
        starts = [s for s in itertools.product(*(range(n + 1) for n in pool)) if _legal(choice, pool, s)]
        if not starts:
            continue
        running = [sum(line[p] for line in choice.running_cost.values()) for p in periods]
        spent = [pool[p] * (choice.price[p] + running[p]) for p in periods]
        behind = [max(0, p + choice.commit_periods - len(problem.periods)) for p in periods]
        spent[-1] += choice.price[-1] * min(sum(s[p] * behind[p] for p in periods) for s in starts)
        yield Holding(pool, tuple(spent), sum(spent[p] * problem.discount[p] for p in periods))


def _legal(choice: Choice, pool: Line, starts: Line) -> bool:
    for p, begun in enumerate(starts):
        if pool[p] - (pool[p - 1] if p else 0) > begun or 0 < begun < choice.lot:
            return False
        if sum(starts[max(0, p - choice.commit_periods + 1) : p + 1]) > pool[p]:
            return False
    return True


def combinations(problem: Problem, most: dict[str, int]) -> int:
    """Count the combinations there are to try."""
    return math.prod(len(holdings(problem, choice, most[choice.id])) for choice in problem.choices)


def cheapest(problem: Problem, most: dict[str, int]) -> float:
    """Find the least cost of all combinations that keep every limit and meet every demand; infinite where none does."""
    ways = [holdings(problem, choice, most[choice.id]) for choice in problem.choices]
    fixed = [sum(line[p] for line in problem.fixed_cost.values()) for p in range(len(problem.periods))]
    base = sum(amount * problem.discount[p] for p, amount in enumerate(fixed))
    too_small: list[Line] = []
    for held in sorted(itertools.product(*ways), key=lambda held: sum(way.cost for way in held)):
        sizes = tuple(itertools.chain.from_iterable(way.pool for way in held))
        if not _within_limits(problem, held, fixed):
            continue
        if any(all(size <= least for size, least in zip(sizes, small, strict=True)) for small in too_small):
            continue
        if _meets_demands(problem, {c.id: way.pool for c, way in zip(problem.choices, held, strict=True)}):
            return base + sum(way.cost for way in held)
        too_small = [small for small in too_small if not all(a <= b for a, b in zip(small, sizes, strict=True))]
        too_small.append(sizes)
    return math.inf


def _within_limits(problem: Problem, held: tuple[Holding, ...], fixed: list[float]) -> bool:
    limits, total = problem.limits, 0.0
    for p in range(len(problem.periods)):
        on_site = [(c, way.pool[p]) for c, way in zip(problem.choices, held, strict=True) if c.on_site]
        total += fixed[p] + sum(way.spent[p] for way in held)
        watts = limits.pue * sum(c.watts * n for c, n in on_site)
        units = sum(c.rack_units * n for c, n in on_site)
        for value, limit in ((total, limits.cash[p]), (watts, limits.site_watts), (units, limits.rack_units)):
            if limit is not None and value > limit * (1 + 1e-9):
                return False
    return True


def _meets_demands(problem: Problem, pool: dict[str, Line]) -> bool:
    jobs = [d for d in problem.demands if d.kind is DemandKind.FINISH]
    runnable = [[c.id for c in problem.choices if job.work_per_system.get(c.id, 0.0) > 0.0] for job in jobs]
    return any(
        _feasible(problem, pool, dict(zip([job.id for job in jobs], where, strict=True)))
        for where in itertools.product(*runnable)
    )


Use = dict[tuple[str, str, int], Any]


def _feasible(problem: Problem, pool: dict[str, Line], where: dict[str, str]) -> bool:
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    use: Use = {}
    for demand, choice in itertools.product(problem.demands, problem.choices):
        if demand.work_per_system.get(choice.id, 0.0) > 0.0 and where.get(demand.id, choice.id) == choice.id:
            for p in _window(problem, demand):
                use[demand.id, choice.id, p] = solver.addVariable(ub=float(pool[choice.id][p]))
    _share_pools(solver, problem, pool, use)
    _work_together(solver, problem, pool, use)
    for demand in problem.demands:
        _do_work(solver, problem, demand, use)
    solver.run()
    return solver.getModelStatus() == highspy.HighsModelStatus.kOptimal


def _share_pools(solver: Any, problem: Problem, pool: dict[str, Line], use: Use) -> None:
    for choice, p in itertools.product(problem.choices, range(len(problem.periods))):
        inside = [v for (_, c, q), v in use.items() if c == choice.id and q == p]
        if inside:
            solver.addConstr(solver.qsum(inside) <= pool[choice.id][p])


def _work_together(solver: Any, problem: Problem, pool: dict[str, Line], use: Use) -> None:
    kinds = {d.id: d for d in problem.demands}
    for (d, c, p), variable in use.items():
        least = kinds[d].least_systems.get(c, 1)
        if least <= 1:
            continue
        works = solver.addBinary()
        solver.addConstr(variable - pool[c][p] * works <= 0)
        if kinds[d].kind is DemandKind.RATE:
            solver.addConstr(variable - least * works >= 0)
        else:
            beside = [v for (e, k, q), v in use.items() if (k, q) == (c, p) and kinds[e].kind is DemandKind.RATE]
            solver.addConstr(solver.qsum([*beside, least * works]) <= pool[c][p])


def _do_work(solver: Any, problem: Problem, demand: Demand, use: Use) -> None:
    done: dict[int, list[Any]] = {p: [] for p in range(len(problem.periods))}
    for (d, c, p), variable in use.items():
        if d == demand.id:
            done[p].append(demand.work_per_system[c] * variable)
    if demand.kind is DemandKind.FINISH:
        inside = [term for p in _window(problem, demand) for term in done[p]]
        solver.addConstr(solver.qsum(inside) >= demand.amount)
        return
    for p, rate in enumerate(demand.rate):
        if rate > 0.0:
            solver.addConstr(solver.qsum(done[p]) >= rate)


def _window(problem: Problem, demand: Demand) -> range:
    if demand.kind is DemandKind.RATE:
        return range(len(problem.periods))
    return range(demand.first, demand.last + 1)
