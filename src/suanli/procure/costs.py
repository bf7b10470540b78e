"""What each unknown costs and when: fills the outlay of every period, and the objective as present value."""

from __future__ import annotations

from suanli.domain.procurement import Choice
from suanli.procure.draft import RENTS, Draft

RESALE = "resale"
PURCHASE = "purchase"
RENT = "rent"
COMMITMENT = "rent_commitment"
"""Categories of cost lines beside those that choices and the problem name."""


def lay_costs(draft: Draft) -> None:
    """Give every column its present value, and every period its outlay by column."""
    for choice in draft.problem.choices:
        if choice.tenure in RENTS:
            _rent_costs(draft, choice)
        else:
            _purchase_costs(draft, choice)
    for period, spent in draft.outlay.items():
        for column, amount in spent.items():
            draft.program.columns[column].cost += amount * draft.problem.discount[period]
    last = draft.problem.discount[-1]
    resale = {choice.id: choice.resale for choice in draft.problem.choices}
    for (choice_id, period), column in draft.order.items():
        draft.program.columns[column].cost -= resale[choice_id][period] * last / draft.money_unit


def _purchase_costs(draft: Draft, choice: Choice) -> None:
    for period in range(len(draft.problem.periods)):
        column = draft.order.get((choice.id, period))
        if column is not None:
            paid = choice.price[period] + sum(line[period] for line in choice.extra_cost.values())
            _spend(draft, period, column, paid)
        _spend(draft, period, draft.pool[choice.id, period], _running(choice, period))


def _rent_costs(draft: Draft, choice: Choice) -> None:
    periods = len(draft.problem.periods)
    for period in range(periods):
        _spend(draft, period, draft.pool[choice.id, period], choice.price[period] + _running(choice, period))
        behind = period + choice.commit_periods - periods
        start = draft.start.get((choice.id, period))
        if behind > 0 and start is not None:
            _spend(draft, periods - 1, start, behind * choice.price[periods - 1])


def _running(choice: Choice, period: int) -> float:
    return sum(line[period] for line in choice.running_cost.values())


def _spend(draft: Draft, period: int, column: int, amount: float) -> None:
    if amount != 0.0:
        spent = draft.outlay[period]
        spent[column] = spent.get(column, 0.0) + amount / draft.money_unit
