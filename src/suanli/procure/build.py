"""A problem's whole program, and the decisions in its values."""

from __future__ import annotations

import math

import numpy as np

from suanli.domain.procurement import Problem
from suanli.foundation.equation import FloatArray
from suanli.procure.check import Decisions, pool_sizes
from suanli.procure.costs import lay_costs
from suanli.procure.draft import RENTS, Draft, draft
from suanli.procure.rules import RULES

DUST_SYSTEMS = 1e-7
"""A share of a system smaller than this is the solver's dust."""


def build(problem: Problem, *, elastic: bool = False) -> Draft:
    """Make a problem's whole program: unknowns, costs, rules."""
    made = draft(problem, elastic=elastic)
    lay_costs(made)
    for rule in RULES.values():
        rule(made)
    return made


def read(made: Draft, values: FloatArray) -> Decisions:
    """Read decisions out of a program's values, in whole systems and without dust."""
    orders = {key: round(float(values[column])) for key, column in made.order.items()}
    rented = {choice.id for choice in made.problem.choices if choice.tenure in RENTS}
    rents = {key: round(float(values[column])) for key, column in made.pool.items() if key[0] in rented}
    starts: dict[tuple[str, int], int] = {}
    for (choice_id, period), rented_now in rents.items():
        if (choice_id, period) in made.start:
            starts[choice_id, period] = math.floor(float(values[made.start[choice_id, period]]) + DUST_SYSTEMS)
        else:
            starts[choice_id, period] = max(0, rented_now - rents.get((choice_id, period - 1), 0))
    use = {key: float(values[column]) for key, column in made.use.items()}
    return Decisions(
        orders={key: count for key, count in orders.items() if count},
        rents={key: count for key, count in rents.items() if count},
        rent_starts={key: count for key, count in starts.items() if count},
        use={key: share for key, share in use.items() if share > DUST_SYSTEMS},
    )


def values_of(made: Draft, decided: Decisions) -> FloatArray:
    """Write decisions as the values of a program's columns, the reverse of `read`."""
    values = np.zeros(len(made.program.columns))
    sizes = pool_sizes(made.problem, decided)
    for columns, counts in ((made.order, decided.orders), (made.pool, sizes), (made.start, decided.rent_starts)):
        for key, column in columns.items():
            values[column] = counts.get(key, 0)
    for key, column in made.ordering.items():
        ordered = made.order.get(key, made.start.get(key))
        values[column] = ordered is not None and values[ordered] > 0.0
    for use_key, column in made.use.items():
        values[column] = decided.use.get(use_key, 0.0)
    for use_key in decided.use:
        for marked in (made.together.get(use_key), made.runs_on.get(use_key[:2])):
            if marked is not None:
                values[marked] = 1.0
    total = 0.0
    for period, column in made.spent.items():
        total += sum(amount * values[paid] for paid, amount in made.outlay[period].items())
        values[column] = total
    return values
