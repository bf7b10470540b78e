"""The feasibility checker: recomputes every limit and every cost line from the decisions alone, without the solver."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from suanli.domain.procurement import Choice, Demand, DemandKind, Problem, Solution
from suanli.procure.costs import COMMITMENT, PURCHASE, RENT, RESALE
from suanli.procure.draft import RENTS, is_hourly, is_steady

ALLOWED_VIOLATION = 1e-6
"""The worst relative breach of a limit that still counts as kept."""

DUST_SYSTEMS = 1e-5
"""Less than this above whole systems is the solver's dust."""

Sizes = Mapping[tuple[str, int], int | float]
"""Systems by choice and period."""

FINISHED_SHARE = 1e-6
"""Work smaller than this share of a job's amount is no work: the solver's dust."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """A limit that decisions break: which, of what, in which period, and by how much relative to the limit."""

    limit: str
    subject: str
    period: int
    excess: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisions:
    """What was decided, in whole systems but by the hour; the same mappings as of a solution."""

    orders: Mapping[tuple[str, int], int]
    rents: Sizes
    rent_starts: Mapping[tuple[str, int], int]
    use: Mapping[tuple[str, str, int], float]


def decisions_of(solution: Solution) -> Decisions:
    """Take the decisions out of a solution."""
    return Decisions(orders=solution.orders, rents=solution.rents, rent_starts=solution.rent_starts, use=solution.use)


def is_of(problem: Problem, decided: Decisions) -> bool:
    """Say whether decisions speak only of choices and demands that a problem has."""
    choices = {choice.id for choice in problem.choices}
    demands = {demand.id for demand in problem.demands}
    held = {choice_id for choice_id, _ in (*decided.orders, *decided.rents, *decided.rent_starts)}
    used = {choice_id for _, choice_id, _ in decided.use}
    return held | used <= choices and {demand_id for demand_id, _, _ in decided.use} <= demands


def pool_sizes(problem: Problem, decided: Decisions) -> Sizes:
    """Count the systems of each choice that stand ready in each period, on average where rented by the hour."""
    sizes: dict[tuple[str, int], int | float] = {}
    for choice in problem.choices:
        for period in range(len(problem.periods)):
            if choice.tenure in RENTS:
                sizes[choice.id, period] = decided.rents.get((choice.id, period), 0)
                continue
            arrived = sum(
                decided.orders.get((choice.id, ordered), 0)
                for ordered in range(period + 1)
                if ordered + choice.lead_periods[ordered] <= period
            )
            sizes[choice.id, period] = choice.held + arrived
    return sizes


def kept_systems(problem: Problem, use: Mapping[tuple[str, str, int], float]) -> dict[tuple[str, int], int]:
    """Count the whole systems by the hour that steady services keep all the time, by choice and period."""
    hourly = {choice.id for choice in problem.choices if is_hourly(choice)}
    steady = {demand.id for demand in problem.demands if is_steady(demand)}
    kept: dict[tuple[str, int], float] = defaultdict(float)
    for (demand_id, choice_id, period), used in use.items():
        if demand_id in steady and choice_id in hourly:
            kept[choice_id, period] += used
    return {key: math.ceil(used - DUST_SYSTEMS) for key, used in kept.items()}


def cost_lines(problem: Problem, decided: Decisions) -> dict[tuple[str, int], float]:
    """Add up undiscounted money by category and period; resale is negative and falls in the last period."""
    lines: dict[tuple[str, int], float] = defaultdict(float)
    sizes = pool_sizes(problem, decided)
    last = len(problem.periods) - 1
    for choice in problem.choices:
        for period in range(len(problem.periods)):
            for category, line in choice.running_cost.items():
                lines[category, period] += line[period] * sizes[choice.id, period]
            if choice.tenure in RENTS:
                lines[RENT, period] += choice.price[period] * sizes[choice.id, period]
                behind = max(0, period + choice.commit_periods - last - 1)
                begun = decided.rent_starts.get((choice.id, period), 0)
                lines[COMMITMENT, last] += choice.price[last] * behind * begun
                continue
            ordered = decided.orders.get((choice.id, period), 0)
            if not ordered:
                continue
            lines[PURCHASE, period] += choice.price[period] * ordered
            lines[RESALE, last] -= choice.resale[period] * ordered
            for category, line in choice.extra_cost.items():
                lines[category, period] += line[period] * ordered
    for category, line in problem.fixed_cost.items():
        for period, amount in enumerate(line):
            lines[category, period] += amount
    return {key: amount for key, amount in lines.items() if amount != 0.0}


def present_cost(problem: Problem, lines: Mapping[tuple[str, int], float]) -> float:
    """Discount cost lines and add them up."""
    return math.fsum(amount * problem.discount[period] for (_, period), amount in lines.items())


def power_watts(problem: Problem, decided: Decisions) -> tuple[float, ...]:
    """Return the watts at the meter in each period: all systems on site, PUE included."""
    sizes = pool_sizes(problem, decided)
    on_site = [choice for choice in problem.choices if choice.on_site]
    return tuple(
        problem.limits.pue * sum(choice.watts * sizes[choice.id, period] for choice in on_site)
        for period in range(len(problem.periods))
    )


def finish_periods(problem: Problem, decided: Decisions) -> dict[str, int]:
    """Return the period in which the last work of each job with an end is done."""
    finish: dict[str, int] = {}
    for demand in problem.demands:
        if demand.kind is DemandKind.FINISH:
            dust = FINISHED_SHARE * demand.amount
            done = [p for (d, c, p), used in decided.use.items() if d == demand.id and used * _work(demand, c) > dust]
            finish[demand.id] = max(done, default=demand.first)
    return finish


def breaches(problem: Problem, decided: Decisions) -> list[Breach]:
    """List every limit that decisions break by more than what is allowed, worst first."""
    found = [breach for breach in _margins(problem, decided) if breach.excess > ALLOWED_VIOLATION]
    return sorted(found, key=lambda breach: -breach.excess)


def worst_violation(problem: Problem, decided: Decisions) -> float:
    """Return the worst breach of any limit relative to it, 0 where every limit is kept exactly."""
    return max([0.0, *(breach.excess for breach in _margins(problem, decided))])


def _margins(problem: Problem, decided: Decisions) -> Iterator[Breach]:
    sizes = pool_sizes(problem, decided)
    yield from _order_breaches(problem, decided)
    yield from _rent_breaches(problem, decided)
    yield from _use_breaches(problem, decided, sizes)
    yield from _gang_breaches(problem, decided, sizes)
    yield from _work_breaches(problem, decided)
    yield from _site_breaches(problem, decided, sizes)
    yield from _cash_breaches(problem, decided)


def _over(limit: str, subject: str, period: int, value: float, allowed: float) -> Breach:
    return Breach(limit=limit, subject=subject, period=period, excess=(value - allowed) / max(1.0, abs(allowed)))


def _work(demand: Demand, choice_id: str) -> float:
    return demand.work_per_system.get(choice_id, 0.0)


def _order_breaches(problem: Problem, decided: Decisions) -> Iterator[Breach]:
    choices = {choice.id: choice for choice in problem.choices}
    for (choice_id, period), ordered in decided.orders.items():
        choice = choices[choice_id]
        if choice.tenure in RENTS or not _buyable(choice):
            yield _over("tenure", choice_id, period, ordered, 0.0)
        if ordered:
            yield _over("lot", choice_id, period, choice.lot, ordered)
        supply = choice.supply[period]
        if supply is not None:
            yield _over("supply", choice_id, period, ordered, supply)


def _buyable(choice: Choice) -> bool:
    return choice.tenure.value == "bought"


def _rent_breaches(problem: Problem, decided: Decisions) -> Iterator[Breach]:
    for choice in problem.choices:
        if choice.tenure not in RENTS:
            continue
        earliest = min((p + lead for p, lead in enumerate(choice.lead_periods)), default=0)
        for period in range(len(problem.periods)):
            held = decided.rents.get((choice.id, period), 0)
            before = decided.rents.get((choice.id, period - 1), 0)
            begun = decided.rent_starts.get((choice.id, period), 0)
            supply = choice.supply[period]
            if supply is not None:
                yield _over("supply", choice.id, period, held, supply)
            if period < earliest:
                yield _over("lead time", choice.id, period, held, 0.0)
            if is_hourly(choice):
                yield _over("tenure", choice.id, period, begun, 0.0)
                continue
            term = range(period - choice.commit_periods + 1, period + 1)
            committed = sum(decided.rent_starts.get((choice.id, at), 0) for at in term)
            yield _over("rent start", choice.id, period, held - before, begun)
            yield _over("commitment", choice.id, period, committed, held)
            if begun:
                yield _over("lot", choice.id, period, choice.lot, begun)


def _use_breaches(problem: Problem, decided: Decisions, sizes: Sizes) -> Iterator[Breach]:
    demands = {demand.id: demand for demand in problem.demands}
    users: dict[tuple[str, int], float] = defaultdict(float)
    for (demand_id, choice_id, period), used in decided.use.items():
        yield _over("use", demand_id, period, -used, 0.0)
        users[choice_id, period] += used
        most = demands[demand_id].most_systems.get(choice_id)
        if most is not None and used > ALLOWED_VIOLATION:
            yield _over("most systems", demand_id, period, used, most)
    for (choice_id, period), used in users.items():
        yield _over("pool", choice_id, period, used, sizes[choice_id, period])
    for (choice_id, period), kept in kept_systems(problem, decided.use).items():
        yield _over("pool", choice_id, period, kept, sizes[choice_id, period])


def _gang_breaches(problem: Problem, decided: Decisions, sizes: Sizes) -> Iterator[Breach]:
    demands = {demand.id: demand for demand in problem.demands}
    hourly = {choice.id: choice for choice in problem.choices if is_hourly(choice)}
    kept = kept_systems(problem, decided.use)
    services: dict[tuple[str, int], float] = defaultdict(float)
    for (demand_id, choice_id, period), used in decided.use.items():
        if demands[demand_id].kind is DemandKind.RATE:
            services[choice_id, period] += used
    for (demand_id, choice_id, period), used in decided.use.items():
        demand = demands[demand_id]
        least = demand.least_systems.get(choice_id, 1)
        if least <= 1 or used <= ALLOWED_VIOLATION:
            continue
        if is_steady(demand) or (demand.kind is DemandKind.RATE and choice_id not in hourly):
            yield _over("together", demand_id, period, least, used)
        elif choice_id not in hourly:
            yield _over("together", demand_id, period, least + services[choice_id, period], sizes[choice_id, period])
        elif (supply := hourly[choice_id].supply[period]) is not None:
            yield _over("together", demand_id, period, least + kept.get((choice_id, period), 0), supply)


def _work_breaches(problem: Problem, decided: Decisions) -> Iterator[Breach]:
    for demand in problem.demands:
        done: dict[int, float] = defaultdict(float)
        pools: set[str] = set()
        for (demand_id, choice_id, period), used in decided.use.items():
            if demand_id == demand.id:
                done[period] += used * _work(demand, choice_id)
                pools |= {choice_id} if used > ALLOWED_VIOLATION else set()
        if demand.kind is DemandKind.RATE:
            for period, rate in enumerate(demand.rate):
                yield Breach(
                    limit="rate", subject=demand.id, period=period, excess=1 - done[period] / rate if rate else 0
                )
            continue
        inside = sum(work for period, work in done.items() if demand.first <= period <= demand.last)
        missing = 1 - inside / demand.amount if demand.amount else 0.0
        yield Breach(limit="deadline", subject=demand.id, period=demand.last, excess=missing)
        yield _over("one pool", demand.id, demand.first, len(pools), 1.0)


def _site_breaches(problem: Problem, decided: Decisions, sizes: Sizes) -> Iterator[Breach]:
    limits = problem.limits
    on_site = [choice for choice in problem.choices if choice.on_site]
    for period, watts in enumerate(power_watts(problem, decided)):
        if limits.site_watts is not None:
            yield _over("power", "", period, watts, limits.site_watts)
        if limits.rack_units is not None:
            units = sum(choice.rack_units * sizes[choice.id, period] for choice in on_site)
            yield _over("racks", "", period, units, limits.rack_units)


def _cash_breaches(problem: Problem, decided: Decisions) -> Iterator[Breach]:
    spent = [0.0] * len(problem.periods)
    for (category, period), amount in cost_lines(problem, decided).items():
        if category != RESALE:
            spent[period] += amount
    total = 0.0
    for period, limit in enumerate(problem.limits.cash):
        total += spent[period]
        if limit is not None:
            yield _over("cash", "", period, total, limit)
