"""A problem's whole program, and the decisions in its values."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from suanli.domain.procurement import Problem
from suanli.foundation.equation import FloatArray
from suanli.procure.check import Decisions, kept_systems, pool_sizes
from suanli.procure.costs import lay_costs
from suanli.procure.draft import RENTS, Draft, draft, is_hourly
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
    """Read decisions out of a program's values, whole systems without dust; what is used by the hour is rented."""
    use = {key: float(values[column]) for key, column in made.use.items()}
    use = {key: share for key, share in use.items() if share > DUST_SYSTEMS}
    orders = {key: round(float(values[column])) for key, column in made.order.items()}
    rented = {choice.id for choice in made.problem.choices if choice.tenure in RENTS and not is_hourly(choice)}
    rents: dict[tuple[str, int], int | float] = {
        key: round(float(values[column])) for key, column in made.pool.items() if key[0] in rented
    }
    starts: dict[tuple[str, int], int] = {}
    for (choice_id, period), rented_now in rents.items():
        if (choice_id, period) in made.start:
            starts[choice_id, period] = math.floor(float(values[made.start[choice_id, period]]) + DUST_SYSTEMS)
        else:
            starts[choice_id, period] = max(0, round(rented_now - rents.get((choice_id, period - 1), 0)))
    rents |= _hours(made.problem, use)
    return Decisions(
        orders={key: count for key, count in orders.items() if count},
        rents={key: count for key, count in rents.items() if count},
        rent_starts={key: count for key, count in starts.items() if count},
        use=use,
    )


def _hours(problem: Problem, use: Mapping[tuple[str, str, int], float]) -> dict[tuple[str, int], float]:
    """Return the average systems on rent by the hour: what is at work, or what steady services keep if it is more."""
    hourly = {choice.id for choice in problem.choices if is_hourly(choice)}
    working: dict[tuple[str, int], float] = defaultdict(float)
    for (_, choice_id, period), share in use.items():
        if choice_id in hourly:
            working[choice_id, period] += share
    kept = kept_systems(problem, use)
    return {key: max(share, float(kept.get(key, 0))) for key, share in working.items()}


def values_of(made: Draft, decided: Decisions) -> FloatArray:
    """Write decisions as the values of a program's columns, the reverse of `read`."""
    values = np.zeros(len(made.program.columns))
    sizes = pool_sizes(made.problem, decided)
    kept = kept_systems(made.problem, decided.use)
    held = ((made.order, decided.orders), (made.pool, sizes), (made.start, decided.rent_starts), (made.kept, kept))
    for columns, counts in held:
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
