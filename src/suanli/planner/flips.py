"""What would change the decision: prices, deadlines, budget and demand, moved until another plan is the better one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import partial

from suanli.domain.plan import Flip
from suanli.domain.procurement import DemandKind, Problem, Solution, Tenure
from suanli.foundation.calendar import month_after
from suanli.foundation.language import tr
from suanli.planner.terms import Ground
from suanli.procure import sensitivity
from suanli.procure.solve import INFEASIBLE, NO_INCUMBENT, solve
from suanli.procure.worker import Worker

DEADLINE_MONTHS = (-2, 3, 6)
"""How far all deadlines are moved for the curve of cost over finishing month."""

ONE_MARKET = (Tenure.RENTED_HOUR, Tenure.RENTED_MONTH)
"""Ways to rent whose prices are one, told in two units."""

HALVINGS = 2
"""How often the range that holds a flip is halved: it is told within a quarter of the range."""

Moved = list[tuple[int, Solution | None]]
"""Plans by how many months all deadlines were moved."""

Tried = tuple[tuple[str, float, str], ...]
"""Points of cost over finishing month: month, cost, name."""


def find_flips(
    ground: Ground, problem: Problem, solution: Solution, rivals: Sequence[Solution], gap: float, seconds: float
) -> tuple[tuple[Flip, ...], Tried]:
    """Move one thing at a time; return where the decision flips, and the points of cost over finishing month.

    The price is moved until one of the `rivals` (the alternatives' plans) costs as much, the budget until the plan no
    longer fits it: neither needs a search. Deadlines are moved by some months, the amount of work is searched for.
    """
    span = ground.value("planning.flip_price_span")
    decision = sensitivity.main_decision(problem)
    work = partial(
        sensitivity.flip,
        problem,
        change=partial(_work, demand_ids=tuple(demand.id for demand in problem.demands)),
        low=1 / span,
        high=span,
        now=1.0,
        quantity=tr("amount of all work"),
        unit="×",
        decision=decision,
        base=solution,
        gap=gap,
        seconds=seconds,
        steps=HALVINGS,
    )
    found, moved = solve_apart(work, partial(_move_deadlines, problem, solution, gap, seconds))
    flips = [
        *_price_flip(problem, solution, rivals, span),
        *_deadline_flip(problem, solution, moved),
        *_budget_flip(problem, solution, span),
        found,
    ]
    told = tuple(replace(one, becomes=_in_words(one.becomes)) for one in flips)
    return told, _curve(problem, solution, moved)


def _price_flip(problem: Problem, solution: Solution, rivals: Sequence[Solution], span: float) -> Iterator[Flip]:
    """Find the factor on the price of what most money goes to at which a rival plan costs as much."""
    main = _main_choice(problem, solution)
    if not main:
        return
    moved = _priced_alike(problem, main)
    crossings = [(sensitivity.price_crossing(problem, solution, rival, moved), rival) for rival in rivals]
    near = [(factor, rival) for factor, rival in crossings if factor is not None and 1 / span <= factor <= span]
    factor, rival = min(near, key=lambda pair: abs(math.log(pair[0])), default=(None, None))
    name = next(choice.system_name for choice in problem.choices if choice.id == main)
    yield Flip(
        quantity=tr("price of {name}", name=name),
        unit="×",
        now=1.0,
        flips_at=factor,
        becomes="" if rival is None else sensitivity.main_decision(problem)(rival),
        tried_low=1 / span,
        tried_high=span,
    )


def _budget_flip(problem: Problem, solution: Solution, span: float) -> Iterator[Flip]:
    """Find the share of the budget that the plan takes: with less it must change."""
    spent = 0.0
    shares = []
    for period, limit in enumerate(problem.limits.cash):
        spent += sum(amount for (_, paid), amount in solution.cost_lines.items() if paid == period and amount > 0)
        if limit is not None:
            shares.append(spent / limit)
    if not shares:
        return
    taken = max(shares)
    yield Flip(
        quantity=tr("budget"),
        unit="×",
        now=1.0,
        flips_at=taken if taken >= 1 / span else None,
        becomes=tr("a plan that spends less or later") if taken >= 1 / span else "",
        tried_low=1 / span,
        tried_high=1.0,
    )


def solve_apart(search: Callable[..., Flip], moves: Callable[..., Moved]) -> tuple[Flip, Moved]:
    """Run two searches side by side, each with a solver of its own."""
    workers = (Worker(), Worker())
    try:
        with ThreadPoolExecutor(max_workers=len(workers)) as pool:
            flip = pool.submit(copy_context().run, partial(search, worker=workers[0]))
            moved = pool.submit(copy_context().run, partial(moves, worker=workers[1]))
            return flip.result(), moved.result()
    finally:
        for worker in workers:
            worker.close()


def _in_words(decision: str) -> str:
    """Say a decision of the search in the reader's language."""
    verb, _, what = decision.partition(" ")
    words = {
        "buy": tr("mostly buy {what}", what=what),
        "rent": tr("mostly rent {what}", what=what),
        "keep": tr("use what one has"),
        INFEASIBLE: tr("no feasible plan"),
    }
    return words.get(verb, decision)


def _work(problem: Problem, factor: float, demand_ids: tuple[str, ...]) -> Problem:
    return sensitivity.scale_work(problem, factor, demand_ids)


def _main_choice(problem: Problem, solution: Solution) -> str:
    """Return the choice that most money is spent on, or "" where nothing is bought or rented."""
    spent: dict[str, float] = {}
    prices = {choice.id: choice.price for choice in problem.choices}
    for decided in (solution.orders, solution.rents):
        for (choice_id, period), systems in decided.items():
            spent[choice_id] = spent.get(choice_id, 0.0) + systems * prices[choice_id][period]
    return max(spent, key=spent.__getitem__, default="")


def _priced_alike(problem: Problem, choice_id: str) -> tuple[str, ...]:
    """Return the choices whose price moves with one's own: a system by the hour and by the month is one market."""
    choices = {choice.id: choice for choice in problem.choices}
    own = choices[choice_id]
    if own.tenure not in ONE_MARKET:
        return (choice_id,)
    return tuple(
        choice.id for choice in choices.values() if choice.system_id == own.system_id and choice.tenure in ONE_MARKET
    )


def _move_deadlines(problem: Problem, base: Solution, gap: float, seconds: float, worker: Worker) -> Moved:
    """Move all deadlines together and plan anew; None where a move leaves nothing feasible.

    A later deadline can only save: where the short solve finds nothing better than the plan itself, the plan stands.
    """
    jobs = [demand.id for demand in problem.demands if demand.kind is DemandKind.FINISH]
    moved: list[tuple[int, Solution | None]] = []
    for months in DEADLINE_MONTHS if jobs else ():
        changed = sensitivity.shift_deadline(problem, months, jobs)
        if changed == problem:
            continue
        solution = solve(changed, gap, seconds, reasons=False, known=base, worker=worker)
        if solution.status == INFEASIBLE:
            moved.append((months, None))
        elif solution.status != NO_INCUMBENT:
            moved.append((months, base if months > 0 and solution.objective > base.objective else solution))
    return moved


def _deadline_flip(problem: Problem, base: Solution, moved: Moved) -> Iterator[Flip]:
    """Find the nearest move of all deadlines at which the decision is another one."""
    if not moved:
        return
    decision = sensitivity.main_decision(problem)
    told = [(months, INFEASIBLE if solution is None else decision(solution)) for months, solution in moved]
    other = [(months, said) for months, said in told if said != decision(base)]
    months, said = min(other, key=lambda pair: abs(pair[0]), default=(None, ""))
    yield Flip(
        quantity=tr("all deadlines, moved by"),
        unit="months",
        now=0.0,
        flips_at=None if months is None else float(months),
        becomes=said,
        tried_low=float(min(tried for tried, _ in moved)),
        tried_high=float(max(tried for tried, _ in moved)),
    )


def _curve(problem: Problem, base: Solution, moved: Moved) -> Tried:
    """Tell what each finishing month costs."""
    return tuple(
        (
            month_after(problem.periods[0], max(solution.finish.values())),
            solution.objective,
            tr("deadlines {months:+d} months", months=months),
        )
        for months, solution in moved
        if solution is not None and solution is not base
    )
