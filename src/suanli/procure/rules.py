"""The buying rules: each one a function that lays its limits over the unknowns of a draft.

A rule has a golden program of a few lines in `tests/golden/rules`, and a test fails where one has none.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

from suanli.domain.procurement import Demand, DemandKind
from suanli.foundation.registry import Registry
from suanli.procure.draft import RENTS, Draft, arrivals, is_hourly, is_steady
from suanli.procure.program import SMALLEST_COEFFICIENT

Rule = Callable[[Draft], None]

ROUNDING = 1e-9
"""Less than this above a whole number is the dust of arithmetic."""

RULES: Registry[Rule] = Registry("buying rule")


def rule(body: Rule) -> Rule:
    """Register a buying rule under its own name; rules are laid in the order in which they stand here."""
    return RULES.add(body.__name__, body)


@rule
def pool_grows_by_arrivals(draft: Draft) -> None:
    """Make what stands ready of what stood ready before and what was ordered a lead time ago."""
    for choice in draft.problem.choices:
        if choice.tenure in RENTS:
            continue
        arriving = arrivals(choice, len(draft.problem.periods))
        for period in range(len(draft.problem.periods)):
            terms = {draft.pool[choice.id, period]: 1.0}
            if period > 0:
                terms[draft.pool[choice.id, period - 1]] = -1.0
            for ordered in arriving.get(period, []):
                if (choice.id, ordered) in draft.order:
                    terms[draft.order[choice.id, ordered]] = -1.0
            before = choice.held if period == 0 else 0.0
            draft.program.row(f"pool_grows_{draft.choice_names[choice.id]}_{period}", terms, low=before, high=before)


@rule
def rents_begin(draft: Draft) -> None:
    """Let a pool on rent grow by the rents that begin, no more."""
    for (choice_id, period), start in draft.start.items():
        terms = {draft.pool[choice_id, period]: 1.0, start: -1.0}
        if period > 0:
            terms[draft.pool[choice_id, period - 1]] = -1.0
        draft.program.row(f"rents_begin_{draft.choice_names[choice_id]}_{period}", terms, high=0.0)


@rule
def rents_last_their_term(draft: Draft) -> None:
    """Keep a rent that began less than its term ago in the pool, where it is paid for."""
    commit = {choice.id: choice.commit_periods for choice in draft.problem.choices}
    for choice_id, period in draft.start:
        term = range(period - commit[choice_id] + 1, period + 1)
        begun = [draft.start[choice_id, at] for at in term if (choice_id, at) in draft.start]
        terms = {draft.pool[choice_id, period]: 1.0} | dict.fromkeys(begun, -1.0)
        draft.program.row(f"rents_last_{draft.choice_names[choice_id]}_{period}", terms, low=0.0)


@rule
def orders_come_in_lots(draft: Draft) -> None:
    """Let an order be nothing, or at least a lot."""
    lots = {choice.id: choice.lot for choice in draft.problem.choices}
    for (choice_id, period), ordering in draft.ordering.items():
        ordered = draft.order.get((choice_id, period), draft.start.get((choice_id, period)))
        if ordered is None:
            continue
        name = f"{draft.choice_names[choice_id]}_{period}"
        most = draft.program.columns[ordered].high
        draft.program.row(f"lot_least_{name}", {ordered: 1.0, ordering: -float(lots[choice_id])}, low=0.0)
        draft.program.row(f"lot_most_{name}", {ordered: 1.0, ordering: -most}, high=0.0)


@rule
def supply_is_limited(draft: Draft) -> None:
    """Let no more be ordered in a period, or be on rent in it, than can be had."""
    for choice in draft.problem.choices:
        rented = choice.tenure in RENTS
        for period, supply in enumerate(choice.supply):
            column = (draft.pool if rented else draft.order).get((choice.id, period))
            if supply is None or column is None:
                continue
            terms = {column: 1.0} | _eased(draft.easing("supply", choice.id, "systems", 1.0), 1.0)
            draft.program.row(f"supply_{draft.choice_names[choice.id]}_{period}", terms, high=supply)


@rule
def pools_are_shared(draft: Draft) -> None:
    """Let all demands together use no more systems of a pool than stand ready."""
    users: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for (_, choice_id, period), column in draft.use.items():
        users[choice_id, period][column] = 1.0
    for (choice_id, period), working in users.items():
        terms = working | {draft.pool[choice_id, period]: -1.0}
        draft.program.row(f"shared_{draft.choice_names[choice_id]}_{period}", terms, high=0.0)


@rule
def services_keep_whole_systems(draft: Draft) -> None:
    """Let steady services keep whole systems of a pool by the hour all the time, however small their share of one."""
    steady = {demand.id for demand in draft.problem.demands if is_steady(demand)}
    users: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for (demand_id, choice_id, period), column in draft.use.items():
        if demand_id in steady and (choice_id, period) in draft.kept:
            users[choice_id, period][column] = -1.0
    for (choice_id, period), working in users.items():
        kept, name = draft.kept[choice_id, period], f"{draft.choice_names[choice_id]}_{period}"
        draft.program.row(f"kept_{name}", {kept: 1.0} | working, low=0.0)
        draft.program.row(f"kept_in_pool_{name}", {draft.pool[choice_id, period]: 1.0, kept: -1.0}, low=0.0)


@rule
def jobs_run_on_one_pool(draft: Draft) -> None:
    """Run a job with an end on one choice from its first step to its last."""
    for demand in draft.problem.demands:
        if demand.kind is DemandKind.FINISH:
            columns = [column for (demand_id, _), column in draft.runs_on.items() if demand_id == demand.id]
            draft.program.row(
                f"one_pool_{draft.demand_names[demand.id]}", dict.fromkeys(columns, 1.0), low=1.0, high=1.0
            )


@rule
def jobs_are_finished(draft: Draft) -> None:
    """Make the system-periods given to a job, where it runs, add up to its whole amount."""
    demands = {demand.id: demand for demand in draft.problem.demands}
    working: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (demand_id, choice_id, _), column in draft.use.items():
        working[demand_id, choice_id].append(column)
    for (demand_id, choice_id), runs_on in draft.runs_on.items():
        demand = demands[demand_id]
        needed = demand.amount / demand.work_per_system[choice_id]
        name = f"{draft.demand_names[demand_id]}_{draft.choice_names[choice_id]}"
        terms = dict.fromkeys(working[demand_id, choice_id], 1.0) | {runs_on: -needed}
        ease = draft.easing("amount", demand_id, "share", 1.0)
        if ease is not None:
            missing = draft.program.column(f"missing_{name}", high=1.0)
            draft.program.row(f"missing_{name}", {missing: 1.0, ease: -1.0}, high=0.0)
            terms[missing] = needed
        draft.program.row(f"finished_{name}", terms, low=0.0, high=0.0)


@rule
def late_periods_are_counted(draft: Draft) -> None:
    """Let a job of an elastic program work past its deadline only in periods called late, without a gap."""
    for demand in draft.problem.demands:
        ease = draft.easing("deadline", demand.id, "periods", 1.0) if demand.kind is DemandKind.FINISH else None
        if ease is None:
            continue
        counted: dict[int, float] = {ease: -1.0}
        before: int | None = None
        for period in range(max(demand.first, demand.last + 1), len(draft.problem.periods)):
            name = f"{draft.demand_names[demand.id]}_{period}"
            late = draft.program.column(f"late_{name}", high=1.0, whole=True)
            if before is not None:
                draft.program.row(f"late_order_{name}", {late: 1.0, before: -1.0}, high=0.0)
            for (demand_id, choice_id, at), use in draft.use.items():
                if demand_id == demand.id and at == period:
                    terms = {use: 1.0, late: -draft.program.columns[use].high}
                    draft.program.row(f"late_{name}_{draft.choice_names[choice_id]}", terms, high=0.0)
            counted[late] = 1.0
            before = late
        draft.program.row(f"late_sum_{draft.demand_names[demand.id]}", counted, high=0.0)


@rule
def systems_work_together(draft: Draft) -> None:
    """Let a job that needs several systems at once find them in its pool beside the services that hold theirs.

    Jobs with an end take turns within a period, so each needs its least number free of services, not of other jobs; a
    service holds its systems all the time, so what it uses is nothing or at least its least number. By the hour the
    least number need not stand ready for a whole period; it must be had at once beside what steady services keep.
    """
    demands = {demand.id: demand for demand in draft.problem.demands}
    hourly = {choice.id: choice for choice in draft.problem.choices if is_hourly(choice)}
    services: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for (demand_id, choice_id, period), column in draft.use.items():
        if demands[demand_id].kind is DemandKind.RATE:
            services[choice_id, period][column] = -1.0
    for (demand_id, choice_id, period), together in draft.together.items():
        demand = demands[demand_id]
        least = float(demand.least_systems[choice_id])
        use = draft.use[demand_id, choice_id, period]
        name = f"{draft.demand_names[demand_id]}_{draft.choice_names[choice_id]}_{period}"
        most = draft.program.columns[use].high
        draft.program.row(f"together_{name}", {use: 1.0, together: -most}, high=0.0)
        if is_steady(demand) or (demand.kind is DemandKind.RATE and choice_id not in hourly):
            draft.program.row(f"least_{name}", {use: 1.0, together: -least}, low=0.0)
            continue
        if choice_id in hourly:
            terms = {together: least} | ({kept: 1.0} if (kept := draft.kept.get((choice_id, period))) else {})
            terms |= _eased(draft.easing("supply", choice_id, "systems", 1.0), 1.0)
            draft.program.row(f"at_once_{name}", terms, high=float(hourly[choice_id].supply[period] or 0.0))
            continue
        terms = {draft.pool[choice_id, period]: 1.0, together: -least} | services[choice_id, period]
        draft.program.row(f"least_{name}", terms, low=0.0)


@rule
def rates_are_held(draft: Draft) -> None:
    """Give a service its rate in every period, from any mix of pools."""
    for demand in draft.problem.demands:
        if demand.kind is not DemandKind.RATE:
            continue
        best = max(demand.work_per_system.values(), default=0.0)
        for period, rate in enumerate(demand.rate):
            if rate <= 0.0 or best <= 0.0:
                continue
            terms = {
                column: demand.work_per_system[choice_id] / best
                for (demand_id, choice_id, at), column in draft.use.items()
                if demand_id == demand.id and at == period
            }
            terms |= _eased(draft.easing("rate", demand.id, "share", 1.0), -rate / best)
            draft.program.row(f"rate_{draft.demand_names[demand.id]}_{period}", terms, low=rate / best)


@rule
def cash_is_limited(draft: Draft) -> None:
    """Keep all money spent up to a period, whatever for, within what may be spent by then."""
    cash = draft.problem.limits.cash
    if all(limit is None for limit in cash):
        return
    scale = max([limit for limit in cash if limit] or [draft.money_unit])
    before: int | None = None
    fixed = 0.0
    for period in range(len(draft.problem.periods)):
        spent = draft.spent[period] = draft.program.column(f"spent_{period}", low=-math.inf)
        terms = {spent: 1.0} | {column: -amount for column, amount in draft.outlay[period].items()}
        if before is not None:
            terms[before] = -1.0
        draft.program.row(f"spent_{period}", terms, low=0.0, high=0.0)
        before = spent
        fixed += sum(line[period] for line in draft.problem.fixed_cost.values())
        limit = cash[period]
        if limit is not None:
            ease = draft.easing("cash", "", draft.problem.currency, scale)
            terms = {spent: 1.0} | _eased(ease, scale / draft.money_unit)
            draft.program.row(f"cash_{period}", terms, high=(limit - fixed) / draft.money_unit)


@rule
def power_is_limited(draft: Draft) -> None:
    """Let systems on site draw no more at the meter, PUE included, than the site has."""
    watts = draft.problem.limits.site_watts
    if watts is not None:
        drawn = {choice.id: choice.watts * draft.problem.limits.pue for choice in draft.problem.choices}
        _site_limit(draft, "power", "W", drawn, watts)


@rule
def racks_are_limited(draft: Draft) -> None:
    """Let systems on site take no more rack units than the site has."""
    units = draft.problem.limits.rack_units
    if units is not None:
        _site_limit(draft, "racks", "U", {choice.id: choice.rack_units for choice in draft.problem.choices}, units)


def _site_limit(draft: Draft, limit: str, unit: str, of_one: dict[str, float], allowed: float) -> None:
    on_site = [choice.id for choice in draft.problem.choices if choice.on_site and of_one[choice.id] > 0.0]
    if not on_site:
        return
    largest = max(of_one[choice_id] for choice_id in on_site)
    worth = max(largest, allowed)
    for period in range(len(draft.problem.periods)):
        terms = {draft.pool[choice_id, period]: of_one[choice_id] / largest for choice_id in on_site}
        terms |= _eased(draft.easing(limit, "", unit, worth), worth / largest)
        draft.program.row(f"{limit}_{period}", terms, high=allowed / largest)


def _eased(easing: int | None, worth: float) -> dict[int, float]:
    """Return the term by which an upper limit (negative worth: a lower one) gives way, none in a hard program."""
    return {} if easing is None else {easing: -worth}


@rule
def whole_systems_carry_jobs(draft: Draft) -> None:
    """Say what follows for whole systems where a job runs; takes no answer away, and brings the bound near.

    A job of A system-periods in a window of W periods has at some time ceil(A / W) systems, and its least number, in
    the pool; over the window the pool has ceil(A) system-periods. By the hour a pool is not whole, so nothing follows.
    """
    demands = {demand.id: demand for demand in draft.problem.demands}
    choices = {choice.id: choice for choice in draft.problem.choices}
    for (demand_id, choice_id), runs_on in draft.runs_on.items():
        demand, choice = demands[demand_id], choices[choice_id]
        window = [p for p in range(demand.first, demand.last + 1) if (demand_id, choice_id, p) in draft.use]
        if draft.elastic or not window or is_hourly(choice):
            continue
        needed = demand.amount / demand.work_per_system[choice_id]
        ready = [p for p in window if draft.program.columns[draft.pool[choice_id, p]].high > 0.0]
        at_once = max(demand.least_systems.get(choice_id, 1), _whole(needed / max(1, len(ready))))
        name = f"{draft.demand_names[demand_id]}_{draft.choice_names[choice_id]}"
        if choice.tenure in RENTS:
            terms = {draft.pool[choice_id, p]: 1.0 for p in window} | {runs_on: -float(_whole(needed))}
            draft.program.row(f"carried_{name}", terms, low=0.0)
            peak = {column: 1.0 for (c, p), column in draft.start.items() if c == choice_id and p <= window[-1]}
        else:
            peak = {draft.pool[choice_id, window[-1]]: 1.0}
        if peak and demand.amount > 0.0:
            draft.program.row(f"peak_{name}", peak | {runs_on: -float(at_once)}, low=0.0)


@rule
def whole_systems_carry_services(draft: Draft) -> None:
    """Say how many whole systems the services of a period need; takes no answer away, and brings the bound near.

    Counted in systems of one choice r: the services need L = sum of rate / work on r, and a system of choice c carries
    at most s_c = max of work on c / work on r of it, so sum of s_c pool_c >= L; for whole pools this is rounded to sum
    of (floor(s_c) + min(1, part(s_c) / part(L))) pool_c >= ceil(L) (mixed-integer rounding). A pool by the hour counts
    by its whole systems kept, and what it averages beside them by s_c / part(L), where there is work done by turns;
    steady services are then counted by themselves too.
    """
    services = [demand for demand in draft.problem.demands if demand.kind is DemandKind.RATE]
    if draft.elastic or not services:
        return
    for period in range(len(draft.problem.periods)):
        asked = [demand for demand in services if demand.rate[period] > 0.0]
        steady = [demand for demand in asked if is_steady(demand)]
        _carry_together(draft, period, asked, "carried_services")
        if draft.kept and len(steady) < len(asked):
            _carry_together(draft, period, steady, "carried_steady")


def _carry_together(draft: Draft, period: int, asked: Sequence[Demand], name: str) -> None:
    """Count the services of a period in systems of each choice that runs them all, once for choices that work alike."""
    seen: set[tuple[float, ...]] = set()
    for number, counted in enumerate(draft.problem.choices):
        works = tuple(demand.work_per_system.get(counted.id, 0.0) for demand in asked)
        if works and works not in seen and min(works) > 0.0:
            seen.add(works)
            _carry_services(draft, f"{name}_c{number}_{period}", period, counted.id, asked)


def _carry_services(draft: Draft, name: str, period: int, counted: str, asked: Sequence[Demand]) -> None:
    needed = sum(demand.rate[period] / demand.work_per_system[counted] for demand in asked)
    part = needed - (_whole(needed) - 1)
    by_turns = not all(is_steady(demand) for demand in asked)
    if part < SMALLEST_COEFFICIENT and by_turns:
        return
    terms: dict[int, float] = {}
    for choice in draft.problem.choices:
        share = max(demand.work_per_system.get(choice.id, 0.0) / demand.work_per_system[counted] for demand in asked)
        if share <= 0.0:
            continue
        over = share - math.floor(share)
        rounded = max(SMALLEST_COEFFICIENT, math.floor(share) + min(1.0, over / part))
        beside_kept = share / part if by_turns and is_hourly(choice) else 0.0
        whole = (draft.kept if is_hourly(choice) else draft.pool).get((choice.id, period))
        terms[draft.pool[choice.id, period]] = beside_kept
        if whole is not None:
            terms[whole] = rounded - beside_kept
    draft.program.row(name, terms, low=float(_whole(needed)))


def _whole(number: float) -> int:
    """Round up, but for the dust of arithmetic."""
    return math.ceil(number - ROUNDING)
