"""What would change the decision: prices, deadlines, budget and demand, moved until another plan is the better one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from queue import Queue
from typing import Any

from suanli.domain.plan import Flip
from suanli.domain.procurement import DemandKind, Problem, Solution
from suanli.foundation.calendar import month_after
from suanli.foundation.language import tr
from suanli.planner.terms import Ground
from suanli.procure import sensitivity
from suanli.procure.solve import INFEASIBLE, NO_INCUMBENT, solve
from suanli.procure.worker import Worker

DEADLINE_MONTHS = (-2, 3, 6)
"""How far all deadlines are moved for the curve of cost over finishing month."""

HALVINGS = 3
"""How often the range that holds a flip is halved: it is told within an eighth of the range."""

Tried = tuple[tuple[str, float, str], ...]
"""Points of cost over finishing month: month, cost, name."""


def find_flips(
    ground: Ground, problem: Problem, solution: Solution, gap: float, seconds: float
) -> tuple[tuple[Flip, ...], Tried]:
    """Move one thing at a time; return where the decision flips, and the points of cost over finishing month."""
    span = ground.value("planning.flip_price_span")
    look = partial(
        sensitivity.flip,
        problem,
        low=1 / span,
        high=span,
        now=1.0,
        unit="×",
        decision=sensitivity.main_decision(problem),
        base=solution,
        gap=gap,
        seconds=seconds,
        steps=HALVINGS,
    )
    asked = [partial(look, change=change, quantity=quantity) for quantity, change in _moves(problem, solution)]
    curve = partial(_pareto, problem, solution, gap, seconds)
    flips, points = solve_apart([*asked], curve)
    return tuple(replace(one, becomes=_in_words(one.becomes)) for one in flips), points


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


def solve_apart(
    asked: Sequence[Callable[..., Flip]], curve: Callable[..., Tried], crews: int = 2
) -> tuple[list[Flip], Tried]:
    """Run searches side by side, each crew with a solver of its own; answers come in the order of asking."""
    solvers: Queue[Worker] = Queue()
    workers = [Worker() for _ in range(crews)]
    for worker in workers:
        solvers.put(worker)

    def with_solver(search: Callable[..., Any]) -> Any:
        worker = solvers.get()
        try:
            return search(worker=worker)
        finally:
            solvers.put(worker)

    try:
        with ThreadPoolExecutor(max_workers=crews) as pool:
            told = [pool.submit(copy_context().run, with_solver, search) for search in (*asked, curve)]
            *flips, points = [one.result() for one in told]
    finally:
        for worker in workers:
            worker.close()
    return flips, points


def _moves(problem: Problem, solution: Solution) -> Iterator[tuple[str, sensitivity.Change]]:
    """List what is moved: the price of what most money goes to, the budget where there is one, all work together."""
    main = _main_choice(problem, solution)
    if main:
        name = next(choice.system_name for choice in problem.choices if choice.id == main)
        yield tr("price of {name}", name=name), partial(_price_of, choice_id=main)
    if any(limit is not None for limit in problem.limits.cash):
        yield tr("budget"), sensitivity.scale_budget
    yield tr("amount of all work"), partial(_work, demand_ids=tuple(demand.id for demand in problem.demands))


def _price_of(problem: Problem, factor: float, choice_id: str) -> Problem:
    return sensitivity.scale_prices(problem, factor, (choice_id,))


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


def _pareto(problem: Problem, base: Solution, gap: float, seconds: float, worker: Worker) -> Tried:
    """Move all deadlines together and tell what each finishing month costs.

    A later deadline can only save: where the short solve finds nothing better than the plan itself, the plan stands.
    """
    jobs = [demand.id for demand in problem.demands if demand.kind is DemandKind.FINISH]
    if not jobs:
        return ()
    tried = []
    for months in DEADLINE_MONTHS:
        moved = sensitivity.shift_deadline(problem, months, jobs)
        if moved == problem:
            continue
        solution = solve(moved, gap, seconds, reasons=False, known=base, worker=worker)
        if solution.status in (INFEASIBLE, NO_INCUMBENT):
            continue
        if months > 0 and solution.objective > base.objective:
            continue
        finish = month_after(problem.periods[0], max(solution.finish.values()))
        words = tr("deadlines {months:+d} months", months=months)
        tried.append((finish, solution.objective, words))
    return tuple(tried)
