"""A small scenario and its performances, made by hand, to try the planner's parts on."""

from suanli.domain.procurement import Choice, Tenure
from suanli.domain.scenario import (
    Budget,
    CashLimit,
    Costs,
    MarketRules,
    ModelReference,
    Reliability,
    Scenario,
    ServingJob,
    Site,
    Staff,
    TrainingJob,
    TuningJob,
)
from suanli.domain.tuning import LowRank
from suanli.domain.workload import TuningMethod
from suanli.planner.performance import Performance

MONTHS = tuple(f"2024-{month:02d}" for month in range(1, 13))


def scenario(**changes: object) -> Scenario:
    fields: dict[str, object] = {
        "path": "sample.yaml",
        "title": "Sample",
        "title_zh": "样例",
        "as_of": "2023-12",
        "months": MONTHS,
        "region": "China",
        "currency": "CNY",
        "discount_rate_per_year": 0.08,
        "budget": Budget(total=90e6, by=(CashLimit(month="2024-06", at_most=40e6),)),
        "site": Site(pue=1.4, power_watts=200e3, rack_units=84.0),
        "market": MarketRules(),
        "reliability": Reliability(),
        "costs": Costs(),
        "workloads": (training(), tuning(), serving()),
        "staff": Staff(people=2, cost_per_person_month=50e3),
    }
    return Scenario(**(fields | changes))  # type: ignore[arg-type]


def training(**changes: object) -> TrainingJob:
    fields: dict[str, object] = {
        "id": "train",
        "title": "",
        "layer": "continue",
        "model": ModelReference(name="m"),
        "tokens": 40e9,
        "sequence_tokens": 4096,
        "first_month": "2024-02",
        "deadline": "2024-08",
    }
    from suanli.domain.scenario import Layer

    fields["layer"] = Layer.CONTINUE
    return TrainingJob(**(fields | changes))  # type: ignore[arg-type]


def tuning() -> TuningJob:
    return TuningJob(
        id="tune",
        title="",
        model=ModelReference(name="m"),
        method=TuningMethod.LORA,
        tokens=50e6,
        runs_per_month=4,
        first_month="2024-03",
        last_month="2024-10",
        sequence_tokens=2048,
        adapters=LowRank(rank=16),
    )


def serving() -> ServingJob:
    return ServingJob(
        id="serve",
        title="",
        model=ModelReference(name="m"),
        requests_per_s=tuple(float(month) for month in range(12)),
        input_tokens=1000,
        output_tokens=300,
        peak_to_mean=2.0,
        percentile=0.9,
        first_month="2024-01",
        last_month="2024-12",
    )


def performance(workload_id: str, rate: float, spread: float = 0.1, **changes: object) -> Performance:
    fields: dict[str, object] = {
        "workload_id": workload_id,
        "system_id": "box",
        "systems": 4,
        "rate_per_system": rate,
        "spread_log": spread,
        "least_systems": 1,
        "most_systems": None,
        "goodput": 0.9,
        "parameters": 13e9,
    }
    return Performance(**(fields | changes))  # type: ignore[arg-type]


def choice(choice_id: str = "box:buy", tenure: Tenure = Tenure.BOUGHT, **changes: object) -> Choice:
    fields: dict[str, object] = {
        "id": choice_id,
        "system_id": "box",
        "system_name": "Box of 8",
        "tenure": tenure,
        "price": tuple(1e6 + 1e4 * month for month in range(12)),
        "lead_periods": (2,) * 12,
        "lot": 1,
        "supply": (None,) * 12,
        "held": 0,
        "resale": (3e5,) * 12,
        "watts": 6000.0,
        "rack_units": 6.0,
        "on_site": True,
        "running_cost": {"power": (4000.0,) * 12},
        "price_source": "test",
    }
    return Choice(**(fields | changes))  # type: ignore[arg-type]
