"""How long buying programs of several sizes take: rows of (periods, choices, demands), seconds, gap."""

from __future__ import annotations

import sys
import time

import numpy as np

from suanli.domain.procurement import Choice, Demand, DemandKind, Limits, Problem, Tenure
from suanli.procure.solve import build, solve

SIZES = ((12, 6, 4), (24, 8, 5), (36, 12, 8))
TENURES = (Tenure.BOUGHT, Tenure.RENTED_MONTH, Tenure.RENTED_RESERVED, Tenure.BOUGHT)


def market_choice(number: int, periods: int, random: np.random.Generator) -> Choice:
    """Make one choice with prices like those of eight-accelerator boxes, in CNY."""
    tenure = TENURES[number % len(TENURES)]
    bought = tenure is Tenure.BOUGHT
    base = random.uniform(1.2e6, 2.8e6)
    month = base * random.uniform(0.03, 0.06) * (0.7 if tenure is Tenure.RENTED_RESERVED else 1.0)
    trend = random.uniform(0.98, 1.02) ** np.arange(periods)
    return Choice(
        id=f"choice-{number}",
        system_id=f"system-{number // 2}",
        system_name=f"System {number // 2}",
        tenure=tenure,
        price=tuple((base if bought else month) * trend),
        lead_periods=(int(random.integers(1, 5)) if bought else 0,) * periods,
        lot=1,
        supply=(float(random.integers(4, 30)) if bought else None,) * periods,
        held=4 if number == 0 else 0,
        resale=tuple(base * 0.3 * 0.99 ** (periods - np.arange(periods))) if bought else (0.0,) * periods,
        watts=float(random.uniform(4e3, 10.2e3)),
        rack_units=8.0,
        on_site=bought,
        running_cost={"power": (4.0e3,) * periods, "staff": (2.5e3,) * periods} if bought else {},
        price_source="benchmark",
        commit_periods=12 if tenure is Tenure.RENTED_RESERVED else 1,
    )


def workload(number: int, choices: tuple[Choice, ...], periods: int, random: np.random.Generator) -> Demand:
    """Make one job with an end, or one growing service, that most choices can run."""
    capable = [choice.id for choice in choices if random.uniform() < 0.8] or [choices[0].id]
    speed = {choice_id: float(random.uniform(0.5, 2.0)) for choice_id in capable}
    if number % 2:
        growth = np.linspace(random.uniform(0.5, 2.0), random.uniform(3.0, 9.0), periods)
        rate = tuple(np.where(np.arange(periods) < periods // 4, 0.0, growth))
        return Demand(id=f"service-{number}", kind=DemandKind.RATE, work_per_system=speed, rate=rate)
    first = int(random.integers(0, periods // 4))
    return Demand(
        id=f"job-{number}",
        kind=DemandKind.FINISH,
        work_per_system=speed,
        amount=float(random.uniform(15.0, 60.0)),
        first=first,
        last=min(periods - 1, first + int(random.integers(periods // 3, periods // 2 + 2))),
        least_systems=dict.fromkeys(capable, int(random.integers(1, 9))),
    )


def problem_of(periods: int, choices: int, demands: int, seed: int) -> Problem:
    """Make a whole problem of a given size."""
    random = np.random.default_rng(seed)
    market = tuple(market_choice(number, periods, random) for number in range(choices))
    return Problem(
        periods=tuple(f"{2023 + p // 12}-{p % 12 + 1:02d}" for p in range(periods)),
        choices=market,
        demands=tuple(workload(number, market, periods, random) for number in range(demands)),
        limits=Limits(cash=(None,) * periods, site_watts=4.0e5, rack_units=400.0, pue=1.4),
        discount=tuple(1.08 ** (-p / 12) for p in range(periods)),
        currency="CNY",
    )


def main() -> None:
    """Print a line for each size and seed."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    for size in SIZES:
        for seed in range(4):
            problem = problem_of(*size, seed)
            begun = time.monotonic()
            columns = len(build(problem).program.columns)
            built = time.monotonic() - begun
            found = solve(problem, 0.005, seconds)
            print(
                f"{size} seed {seed}: {columns} columns, built in {built:.3f} s,"
                f" {found.status} in {found.seconds:.2f} s, gap {found.gap:.3%}, cost {found.objective:,.0f}"
            )


if __name__ == "__main__":
    main()
