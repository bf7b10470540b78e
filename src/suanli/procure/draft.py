"""The unknowns of a buying program: what is ordered, what stands ready, what runs where; rules are laid over them."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from suanli.domain.procurement import Choice, Demand, DemandKind, Problem, Tenure
from suanli.procure.program import Program

RENTS = frozenset({Tenure.RENTED_HOUR, Tenure.RENTED_MONTH, Tenure.RENTED_RESERVED})


@dataclass(slots=True)
class Easing:
    """A column that lets a limit give way, with what one unit of the column is worth in the limit's own unit."""

    column: int
    limit: str
    subject: str
    unit: str
    worth: float


@dataclass(slots=True)
class Draft:
    """A program in the making: column numbers by what they stand for.

    `order` and `ordering` run over (choice, period of order), `pool` and `start` over (choice, period of use), `use`
    and `together` over (demand, choice, period), `runs_on` over (demand, choice), `spent` over periods. `kept` is, by
    (choice by the hour, period), the whole systems that steady services keep of what the pool averages. `outlay[p]` is
    the money spent in period p by column, in `money_unit`. `easings` holds the columns that let limits give way, in an
    elastic program only.
    """

    problem: Problem
    money_unit: float
    elastic: bool
    program: Program = field(default_factory=Program)
    order: dict[tuple[str, int], int] = field(default_factory=dict)
    ordering: dict[tuple[str, int], int] = field(default_factory=dict)
    pool: dict[tuple[str, int], int] = field(default_factory=dict)
    start: dict[tuple[str, int], int] = field(default_factory=dict)
    kept: dict[tuple[str, int], int] = field(default_factory=dict)
    use: dict[tuple[str, str, int], int] = field(default_factory=dict)
    together: dict[tuple[str, str, int], int] = field(default_factory=dict)
    runs_on: dict[tuple[str, str], int] = field(default_factory=dict)
    spent: dict[int, int] = field(default_factory=dict)
    outlay: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    easings: dict[tuple[str, str], Easing] = field(default_factory=dict)
    choice_names: dict[str, str] = field(default_factory=dict)
    demand_names: dict[str, str] = field(default_factory=dict)

    def easing(self, limit: str, subject: str, unit: str, worth: float) -> int | None:
        """Return the column that eases a limit (one unit of it is `worth` of `unit`), or None in a hard program."""
        if not self.elastic:
            return None
        key = (limit, subject)
        if key not in self.easings:
            name = self.demand_names.get(subject) or self.choice_names.get(subject, "")
            column = self.program.column(f"ease_{limit}_{name}".rstrip("_"))
            self.easings[key] = Easing(column, limit, subject, unit, worth)
        return self.easings[key].column


def draft(problem: Problem, *, elastic: bool = False) -> Draft:
    """Make the unknowns of a problem, with bounds no tighter than what could ever be of use."""
    made = Draft(problem=problem, money_unit=money_unit(problem), elastic=elastic)
    made.choice_names = {choice.id: f"c{number}" for number, choice in enumerate(problem.choices)}
    made.demand_names = {demand.id: f"d{number}" for number, demand in enumerate(problem.demands)}
    for choice in problem.choices:
        most = most_systems(problem, choice)
        if is_hourly(choice):
            _hourly_columns(made, choice, made.choice_names[choice.id], most)
        elif choice.tenure in RENTS:
            _rent_columns(made, choice, made.choice_names[choice.id], most)
        else:
            _purchase_columns(made, choice, made.choice_names[choice.id], most)
    for demand in problem.demands:
        _demand_columns(made, demand, made.demand_names[demand.id])
    return made


def is_hourly(choice: Choice) -> bool:
    """Say whether a choice is rented by the hour: paid for the share of a period in use, its pool an average."""
    return choice.tenure is Tenure.RENTED_HOUR


def is_steady(demand: Demand) -> bool:
    """Say whether a demand is at work at every moment, so that it keeps its systems."""
    return demand.kind is DemandKind.RATE and demand.steady


def money_unit(problem: Problem) -> float:
    """Return the power of ten that money is counted in: the middle, by ratio, of the amounts that a system costs."""
    amounts = [
        abs(amount)
        for choice in problem.choices
        for line in (choice.price, choice.resale, *choice.extra_cost.values(), *choice.running_cost.values())
        for amount in line
        if amount
    ]
    if not amounts:
        return 1.0
    return float(10.0 ** round(math.log10(math.sqrt(min(amounts)) * math.sqrt(max(amounts)))))


def most_systems(problem: Problem, choice: Choice) -> int:
    """Return how many systems of a choice could ever be of use: every demand on it at once, done in one period."""
    needed = sum(math.ceil(systems_at_once(demand, choice.id)) for demand in problem.demands)
    return max(choice.held + choice.lot, needed)


def systems_at_once(demand: Demand, choice_id: str) -> float:
    """Return the most systems of a choice that a demand could ever put to use in one period."""
    work = demand.work_per_system.get(choice_id, 0.0)
    if work <= 0.0:
        return 0.0
    asked = demand.amount if demand.kind is DemandKind.FINISH else max(demand.rate, default=0.0)
    useful = min(asked / work, demand.most_systems.get(choice_id, math.inf))
    return max(useful, float(demand.least_systems.get(choice_id, 1)))


def arrivals(choice: Choice, periods: int) -> dict[int, list[int]]:
    """Return the periods of order by the period in which what was ordered can first be used."""
    found: dict[int, list[int]] = defaultdict(list)
    for period in range(periods):
        arrival = period + choice.lead_periods[period]
        if arrival < periods:
            found[arrival].append(period)
    return found


def _purchase_columns(made: Draft, choice: Choice, name: str, most: int) -> None:
    periods = len(made.problem.periods)
    fixed = choice.tenure is Tenure.OWNED
    orders = [] if fixed else sorted(period for group in arrivals(choice, periods).values() for period in group)
    for period in orders:
        if choice.supply[period] == 0 and not made.elastic:
            continue
        made.order[choice.id, period] = made.program.column(f"order_{name}_{period}", high=most, whole=True)
        if choice.lot > 1:
            made.ordering[choice.id, period] = made.program.column(f"ordering_{name}_{period}", high=1, whole=True)
    high = choice.held if fixed else most * max(1, len(orders))
    for period in range(periods):
        made.pool[choice.id, period] = made.program.column(
            f"pool_{name}_{period}", low=choice.held, high=high, whole=True
        )


def _rent_columns(made: Draft, choice: Choice, name: str, most: int) -> None:
    periods = len(made.problem.periods)
    arriving = arrivals(choice, periods)
    first = min(arriving, default=periods)
    for period in range(periods):
        high = most if period >= first else 0
        pool = made.program.column(f"pool_{name}_{period}", high=high, whole=True)
        made.pool[choice.id, period] = pool
        if period < first or (choice.commit_periods <= 1 and choice.lot <= 1):
            continue
        made.start[choice.id, period] = made.program.column(f"start_{name}_{period}", high=most, whole=True)
        if choice.lot > 1:
            made.ordering[choice.id, period] = made.program.column(f"ordering_{name}_{period}", high=1, whole=True)


def _hourly_columns(made: Draft, choice: Choice, name: str, most: int) -> None:
    periods = len(made.problem.periods)
    first = min(arrivals(choice, periods), default=periods)
    keepers = [
        demand
        for demand in made.problem.demands
        if is_steady(demand) and demand.work_per_system.get(choice.id, 0.0) > 0.0
    ]
    for period in range(periods):
        high = most if period >= first else 0
        made.pool[choice.id, period] = made.program.column(f"pool_{name}_{period}", high=high)
        if high and any(demand.rate[period] > 0.0 for demand in keepers):
            made.kept[choice.id, period] = made.program.column(f"kept_{name}_{period}", high=high, whole=True)


def _demand_columns(made: Draft, demand: Demand, name: str) -> None:
    finish = demand.kind is DemandKind.FINISH
    choices = {choice.id: choice for choice in made.problem.choices}
    for choice_id, choice_name in made.choice_names.items():
        if demand.work_per_system.get(choice_id, 0.0) <= 0.0:
            continue
        tail = f"{name}_{choice_name}"
        if finish:
            made.runs_on[demand.id, choice_id] = made.program.column(
                f"runs_on_{tail}", high=1, whole=True, leading=True
            )
        most = systems_at_once(demand, choice_id)
        for period in working_periods(demand, len(made.problem.periods), made.elastic):
            key = (demand.id, choice_id, period)
            made.use[key] = made.program.column(f"use_{tail}_{period}", high=most)
            if _must_work_together(made, demand, choices[choice_id], period):
                made.together[key] = made.program.column(f"together_{tail}_{period}", high=1, whole=True)


def _must_work_together(made: Draft, demand: Demand, choice: Choice, period: int) -> bool:
    """Say whether a demand's least number of systems is in question; by the hour only where supply may fall short."""
    least = demand.least_systems.get(choice.id, 1)
    if least <= 1 or not is_hourly(choice) or is_steady(demand):
        return least > 1
    supply = choice.supply[period]
    return supply is not None and (supply < least or (choice.id, period) in made.kept)


def working_periods(demand: Demand, periods: int, elastic: bool) -> list[int]:
    """Return the periods in which a demand may work; an elastic program lets a job run past its deadline."""
    if demand.kind is DemandKind.RATE:
        return [period for period, rate in enumerate(demand.rate) if rate > 0.0]
    return list(range(demand.first, periods if elastic else min(demand.last + 1, periods)))
