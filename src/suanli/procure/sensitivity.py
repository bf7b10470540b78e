"""What would change the decision: at which price, deadline or budget it flips."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace

from suanli.domain.plan import Flip
from suanli.domain.procurement import Choice, Demand, DemandKind, Limits, Problem, Solution
from suanli.procure.check import cost_lines, decisions_of, present_cost
from suanli.procure.solve import INFEASIBLE, NO_INCUMBENT, solve
from suanli.procure.worker import SHARED, Worker

Change = Callable[[Problem, float], Problem]
Decision = Callable[[Solution], str]

FLIP_GAP = 0.02
"""Gap of the solves that look for a flip: loose, since only the decision is read."""

FLIP_SECONDS = 0.5
"""Time of each solve that looks for a flip."""

STEPS = 4
"""How often the interval that holds a flip is halved: it ends within a sixteenth of the range."""


def flip(
    problem: Problem,
    change: Change,
    low: float,
    high: float,
    decision: Decision,
    *,
    now: float,
    quantity: str = "",
    unit: str = "",
    base: Solution | None = None,
    gap: float = FLIP_GAP,
    seconds: float = FLIP_SECONDS,
    steps: int = STEPS,
    whole: bool = False,
    worker: Worker = SHARED,
) -> Flip:
    """Find by bisection the value between `low` and `high`, nearest to `now`, at which the decision flips.

    `change(problem, value)` makes the problem at a value, `decision` puts a solution's decision into a word, and `now`
    is the value at which the problem stands; `base` spares the solve there, and every other
    solve starts from it. Both sides of `now` are tried, the nearer
    flip is told. No flip is looked for between two ends that decide alike. `whole` keeps to whole values.
    """

    def decided(value: float) -> str:
        return decision(solve(change(problem, value), gap, seconds, early=False, reasons=False, known=base))

    held = decision(base) if base is not None else decided(now)
    found: list[tuple[float, str]] = []
    for end in (low, high):
        if end == now:
            continue
        becomes = decided(end)
        if becomes != held and becomes:
            found.append(_bisected(decided, held, becomes, now, end, steps, whole))
    nearest = min(found, key=lambda pair: abs(pair[0] - now), default=None)
    return Flip(
        quantity=quantity,
        unit=unit,
        now=now,
        flips_at=None if nearest is None else nearest[0],
        becomes="" if nearest is None else nearest[1],
        tried_low=low,
        tried_high=high,
    )


def _bisected(
    decided: Callable[[float], str], held: str, becomes: str, near: float, far: float, steps: int, whole: bool
) -> tuple[float, str]:
    for _ in range(steps):
        middle = (near + far) / 2
        if whole:
            middle = math.floor(middle) if near < far else math.ceil(middle)
            if middle in (near, far):
                break
        said = decided(middle)
        if said == held or not said:
            near = middle
        else:
            far, becomes = middle, said
    return far, becomes


def price_crossing(problem: Problem, chosen: Solution, other: Solution, choice_ids: Collection[str]) -> float | None:
    """Return the factor on the prices of some choices at which another plan costs as much as the chosen one.

    Both plans are kept as they are and priced anew, so the cost of each is a straight line over the factor, and the
    crossing needs no solve. It bounds the flip: a plan made for the new price can only flip sooner. None where the
    lines do not cross at a positive factor.
    """
    chosen_slope, other_slope = (
        _priced(problem, plan, choice_ids, 1.0) - _priced(problem, plan, choice_ids, 0.0) for plan in (chosen, other)
    )
    slope = chosen_slope - other_slope
    if slope == 0.0:
        return None
    ahead = _priced(problem, other, choice_ids, 0.0) - _priced(problem, chosen, choice_ids, 0.0)
    factor = ahead / slope
    return factor if factor > 0.0 and math.isfinite(factor) else None


def _priced(problem: Problem, plan: Solution, choice_ids: Collection[str], factor: float) -> float:
    changed = scale_prices(problem, factor, choice_ids)
    return present_cost(changed, cost_lines(changed, decisions_of(plan)))


def scale_prices(problem: Problem, factor: float, choice_ids: Collection[str]) -> Problem:
    """Return the problem with the prices, and resale values, of some choices times a factor."""

    def scaled(choice: Choice) -> Choice:
        price = tuple(amount * factor for amount in choice.price)
        return replace(choice, price=price, resale=tuple(amount * factor for amount in choice.resale))

    choices = tuple(scaled(choice) if choice.id in choice_ids else choice for choice in problem.choices)
    return replace(problem, choices=choices)


def shift_deadline(problem: Problem, periods: int, demand_ids: Collection[str]) -> Problem:
    """Return the problem with the deadlines of some jobs later by a number of periods (earlier where negative).

    A deadline stays between the job's first period and the horizon's last.
    """
    last = len(problem.periods) - 1

    def shifted(demand: Demand) -> Demand:
        if demand.id not in demand_ids or demand.kind is not DemandKind.FINISH:
            return demand
        return replace(demand, last=min(last, max(demand.first, demand.last + periods)))

    return replace(problem, demands=tuple(shifted(demand) for demand in problem.demands))


def scale_budget(problem: Problem, factor: float) -> Problem:
    """Return the problem with every cash limit times a factor."""
    cash = tuple(None if limit is None else limit * factor for limit in problem.limits.cash)
    limits: Limits = replace(problem.limits, cash=cash)
    return replace(problem, limits=limits)


def scale_work(problem: Problem, factor: float, demand_ids: Collection[str]) -> Problem:
    """Return the problem with the amount, or rate, of some demands times a factor."""

    def scaled(demand: Demand) -> Demand:
        if demand.id not in demand_ids:
            return demand
        return replace(demand, amount=demand.amount * factor, rate=tuple(rate * factor for rate in demand.rate))

    return replace(problem, demands=tuple(scaled(demand) for demand in problem.demands))


def main_decision(problem: Problem) -> Decision:
    """Return a decision that says of a solution what most of its money goes to: bought or rented, and which system.

    The word is `buy SYSTEM`, `rent SYSTEM`, `keep` where nothing is bought or rented, `infeasible` where there is no
    answer, and empty where the time ran out with nothing in hand.
    """
    choices = {choice.id: choice for choice in problem.choices}

    def said(solution: Solution) -> str:
        if solution.status == INFEASIBLE:
            return INFEASIBLE
        if solution.status == NO_INCUMBENT:
            return ""
        spent: dict[str, float] = {}
        for verb, counted in (("buy", solution.orders), ("rent", solution.rents)):
            for (choice_id, period), count in counted.items():
                choice = choices[choice_id]
                word = f"{verb} {choice.system_name}"
                spent[word] = spent.get(word, 0.0) + choice.price[period] * count
        return max(sorted(spent), key=lambda word: spent[word], default="keep")

    return said
