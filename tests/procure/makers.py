"""Small buying problems that the tests share."""

from __future__ import annotations

from typing import Any

import numpy as np

from suanli.domain.procurement import Choice, Demand, DemandKind, Limits, Problem, Tenure


def choice(
    name: str, periods: int, tenure: Tenure = Tenure.BOUGHT, price: float | tuple[float, ...] = 100.0, **terms: Any
) -> Choice:
    """Make a choice whose terms stay the same in every period."""
    given: dict[str, Any] = {
        "id": name,
        "system_id": name,
        "system_name": name.title(),
        "tenure": tenure,
        "price": price if isinstance(price, tuple) else (price,) * periods,
        "lead_periods": (0,) * periods,
        "lot": 1,
        "supply": (None,) * periods,
        "held": 0,
        "resale": (0.0,) * periods,
        "watts": 1000.0,
        "rack_units": 8.0,
        "on_site": tenure in (Tenure.BOUGHT, Tenure.OWNED),
        "running_cost": {},
        "price_source": "test",
    }
    return Choice(**given | terms)


def job(name: str, amount: float, last: int, work: dict[str, float], **terms: Any) -> Demand:
    """Make a job with an end."""
    return Demand(id=name, kind=DemandKind.FINISH, work_per_system=work, amount=amount, last=last, **terms)


def service(name: str, rate: tuple[float, ...], work: dict[str, float], **terms: Any) -> Demand:
    """Make a service that holds a rate."""
    return Demand(id=name, kind=DemandKind.RATE, work_per_system=work, rate=rate, **terms)


def problem(choices: list[Choice], demands: list[Demand], periods: int, **terms: Any) -> Problem:
    """Make a problem without limits, unless some are given."""
    limits = {"cash": (None,) * periods, "site_watts": None, "rack_units": None, "pue": 1.0}
    limits |= {name: terms.pop(name) for name in list(terms) if name in limits}
    given: dict[str, Any] = {
        "periods": tuple(f"2023-{p + 1:02d}" for p in range(periods)),
        "choices": tuple(choices),
        "demands": tuple(demands),
        "limits": Limits(**limits),
        "discount": (1.0,) * periods,
        "currency": "CNY",
    }
    return Problem(**given | terms)


def random_problem(seed: int) -> Problem:
    """Make a problem small enough to try every combination of orders and rents, of all sorts of terms."""
    random = np.random.default_rng(seed)
    periods = int(random.integers(2, 4))
    choices = [_random_choice(random, f"c{n}", periods) for n in range(int(random.integers(1, 4)))]
    demands = [_random_demand(random, f"d{n}", choices, periods) for n in range(int(random.integers(1, 3)))]
    limits: dict[str, Any] = {}
    if random.uniform() < 0.3:
        limits["site_watts"] = float(random.integers(1, 5) * 1100)
    if random.uniform() < 0.2:
        limits["rack_units"] = float(random.integers(1, 5) * 8)
    if random.uniform() < 0.3:
        limits["cash"] = tuple(np.cumsum(random.uniform(50.0, 300.0, periods)).tolist())
    return problem(
        choices,
        demands,
        periods,
        discount=tuple((1.05 ** -np.arange(periods)).tolist()),
        fixed_cost={"office": (3.0,) * periods} if random.uniform() < 0.3 else {},
        pue=1.1,
        **limits,
    )


def _random_choice(random: np.random.Generator, name: str, periods: int) -> Choice:
    tenure = [Tenure.BOUGHT, Tenure.RENTED_MONTH, Tenure.RENTED_RESERVED, Tenure.OWNED][int(random.integers(0, 4))]
    rented = tenure in (Tenure.RENTED_MONTH, Tenure.RENTED_RESERVED)
    bought = tenure is Tenure.BOUGHT
    base = float(random.uniform(20.0, 60.0) if rented else random.uniform(60.0, 150.0))
    return choice(
        name,
        periods,
        tenure,
        price=tuple((base * random.uniform(0.8, 1.2, periods)).tolist()),
        lead_periods=tuple(int(p) for p in random.integers(0, 2, periods)) if not rented else (0,) * periods,
        lot=int(random.integers(1, 3)),
        supply=tuple(None if random.uniform() < 0.5 else float(random.integers(0, 4)) for _ in range(periods)),
        held=int(random.integers(1, 3)) if tenure is Tenure.OWNED else int(bought and random.uniform() < 0.3),
        resale=tuple((base * random.uniform(0.0, 0.5, periods)).tolist()) if bought else (0.0,) * periods,
        running_cost={"power": (2.0,) * periods} if random.uniform() < 0.5 else {},
        extra_cost={"network": (5.0,) * periods} if bought and random.uniform() < 0.3 else {},
        commit_periods=int(random.integers(2, 4)) if tenure is Tenure.RENTED_RESERVED else 1,
    )


def _random_demand(random: np.random.Generator, name: str, choices: list[Choice], periods: int) -> Demand:
    work = {c.id: float(random.uniform(0.8, 2.0)) for c in choices if random.uniform() < 0.85}
    work = work or {choices[0].id: 1.0}
    least = {c: int(random.integers(1, 3)) for c in work}
    if random.uniform() < 0.5:
        return service(name, tuple(random.uniform(0.0, 1.6, periods).tolist()), work, least_systems=least)
    first = int(random.integers(0, periods - 1))
    last = int(random.integers(first, periods))
    return job(name, float(random.uniform(0.3, 2.4)), last, work, first=first, least_systems=least)
