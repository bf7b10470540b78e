"""A plan of a made-up company, built from the nouns alone, with every part filled: the reports are tried on it."""

from __future__ import annotations

import dataclasses

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.plan import (
    Alternative,
    Assignment,
    Assumed,
    CashLine,
    Flip,
    Option,
    Order,
    Plan,
    PowerUse,
    Rent,
    SolverReport,
    Source,
    WorkloadPlan,
)
from suanli.domain.result import Band, ServingEstimate, TrainingEstimate
from suanli.domain.workload import ServingLayout
from suanli.foundation.figure import Figure, Kind

MONTHS = tuple(f"{2023 + (4 + index) // 12}-{(4 + index) % 12 + 1:02d}" for index in range(24))
DISCOUNT_RATE = 0.08
A800 = ("a800-8", "NVIDIA A800 80GB SXM x8")
H800 = ("h800-8", "NVIDIA H800 80GB SXM x8")
GIB = 2.0**30

ORDERS = (
    Order(
        month="2023-05",
        delivery_month="2023-07",
        system_id=A800[0],
        system_name=A800[1],
        systems=6,
        unit_price=2.3e6,
        amount=13.8e6,
        source="article2023",
    ),
    Order(
        month="2023-09",
        delivery_month="2023-12",
        system_id=H800[0],
        system_name=H800[1],
        systems=4,
        unit_price=3.1e6,
        amount=12.4e6,
        source="epoch_prices",
    ),
)
RENTS = (
    Rent(
        first_month="2023-05",
        last_month="2023-08",
        system_id=A800[0],
        system_name=A800[1],
        tenure="rented_month",
        systems=8,
        price_per_system_month=92_000.0,
        amount=8 * 4 * 92_000.0,
        source="market2023",
    ),
    Rent(
        first_month="2024-03",
        last_month="2025-04",
        system_id=H800[0],
        system_name=H800[1],
        tenure="rented_reserved",
        systems=3,
        price_per_system_month=118_000.0,
        amount=3 * 14 * 118_000.0,
        source="market2023",
    ),
)


def figure(value: float, unit: str, kind: Kind, source: str, **more: object) -> Figure:
    low, high = float(more.pop("low", 0.9 * value)), float(more.pop("high", 1.1 * value))  # type: ignore[arg-type]
    return Figure(value=value, unit=unit, low=low, high=high, kind=kind, source=source, date="2023-05", **more)  # type: ignore[arg-type]


def training_estimate() -> TrainingEstimate:
    return TrainingEstimate(
        layout=Layout(
            data=12,
            tensor=8,
            pipeline=2,
            interleave=2,
            micro_batch=1,
            sharding=Sharding.OPTIMIZER,
            recompute=Recompute.SELECTIVE,
        ),
        step_seconds=38.4,
        tokens_per_s=109_000.0,
        mfu=0.463,
        seconds_by_cause={
            "matmul": 26.1,
            "memory_passes": 4.2,
            "tensor_exposed": 3.3,
            "pipeline_exposed": 0.6,
            "bubble": 2.6,
            "data_exposed": 0.9,
            "optimizer": 0.4,
            "launch": 0.3,
        },
        memory_bytes=61.3 * GIB,
        bytes_by_cause={
            "weights": 15.2 * GIB,
            "gradients": 15.2 * GIB,
            "optimizer": 7.6 * GIB,
            "activations": 18.1 * GIB,
            "logits": 1.4 * GIB,
            "runtime": 3.8 * GIB,
        },
        band=Band(low=33.5, high=44.9),
        memory_band=Band(low=56.0 * GIB, high=67.0 * GIB),
        assumed=("kernel efficiency of A800 taken from A100",),
    )


def tuning_estimate() -> TrainingEstimate:
    return TrainingEstimate(
        layout=Layout(data=4, tensor=2, recompute=Recompute.FULL),
        step_seconds=6.2,
        tokens_per_s=41_000.0,
        mfu=0.391,
        seconds_by_cause={
            "matmul": 4.1,
            "memory_passes": 0.9,
            "tensor_exposed": 0.7,
            "data_exposed": 0.3,
            "optimizer": 0.1,
            "launch": 0.1,
        },
        memory_bytes=44.0 * GIB,
        bytes_by_cause={
            "weights": 13.0 * GIB,
            "gradients": 0.2 * GIB,
            "optimizer": 0.6 * GIB,
            "activations": 24.0 * GIB,
            "logits": 2.4 * GIB,
            "runtime": 3.8 * GIB,
        },
        band=Band(low=5.2, high=7.4),
        memory_band=Band(low=39.0 * GIB, high=50.0 * GIB),
    )


def serving_estimate() -> ServingEstimate:
    return ServingEstimate(
        layout=ServingLayout(tensor=4),
        concurrency=48.0,
        ttft_seconds=0.62,
        tpot_seconds=0.036,
        output_tokens_per_s=1310.0,
        total_tokens_per_s=3900.0,
        seconds_by_cause={"matmul": 0.019, "attention": 0.009, "communication": 0.005, "engine": 0.003},
        memory_bytes=72.0 * GIB,
        bytes_by_cause={"weights": 30.4 * GIB, "cache": 36.0 * GIB, "runtime": 5.6 * GIB},
        kv_capacity_tokens=110_000.0,
        bands={"tpot_seconds": Band(low=0.028, high=0.047), "ttft_seconds": Band(low=0.44, high=0.9)},
    )


def workloads() -> tuple[WorkloadPlan, ...]:
    common = {"system_id": A800[0], "system_name": A800[1]}
    return (
        WorkloadPlan(
            id="domain-65b",
            layer="continue",
            model_name="Domain 65B",
            parameters=65.2e9,
            accelerators=192,
            training=training_estimate(),
            serving=None,
            replicas=1,
            goodput=0.91,
            start_month="2023-07",
            finish_p50="2023-12",
            finish_p80="2024-01",
            finish_p95="2024-03",
            target_month="2024-02",
            demand_note="1.4e12 tokens",
            **common,
        ),
        WorkloadPlan(
            id="weekly-tune",
            layer="finetune",
            model_name="Domain 13B",
            parameters=13.0e9,
            accelerators=8,
            training=tuning_estimate(),
            serving=None,
            replicas=1,
            goodput=0.97,
            start_month="2023-08",
            finish_p50="",
            finish_p80="",
            finish_p95="",
            target_month="2025-04",
            demand_note="4 runs of 40e6 tokens a month",
            **common,
        ),
        WorkloadPlan(
            id="chat",
            layer="serve",
            model_name="Domain 65B",
            parameters=65.2e9,
            accelerators=32,
            training=None,
            serving=serving_estimate(),
            replicas=8,
            goodput=0.99,
            start_month="2024-02",
            finish_p50="",
            finish_p80="",
            finish_p95="",
            target_month="2025-04",
            demand_note="6 requests/s, growing to 21 requests/s",
            system_id=H800[0],
            system_name=H800[1],
        ),
    )


def assignments() -> tuple[Assignment, ...]:
    rows = []
    for index, month in enumerate(MONTHS):
        if 2 <= index <= 8:
            rows.append(
                Assignment(
                    month=month, workload="domain-65b", pool=f"{A800[1]} (owned)", system_id=A800[0], systems=6.0
                )
            )
        if index <= 3:
            rows.append(
                Assignment(
                    month=month,
                    workload="domain-65b",
                    pool=f"{A800[1]} (rented by the month)",
                    system_id=A800[0],
                    systems=8.0,
                )
            )
        if index >= 3:
            rows.append(
                Assignment(
                    month=month, workload="weekly-tune", pool=f"{A800[1]} (owned)", system_id=A800[0], systems=0.6
                )
            )
        if index >= 9:
            rows.append(
                Assignment(month=month, workload="chat", pool=f"{H800[1]} (owned)", system_id=H800[0], systems=4.0)
            )
        if index >= 10:
            rows.append(
                Assignment(
                    month=month,
                    workload="chat",
                    pool=f"{H800[1]} (reserved)",
                    system_id=H800[0],
                    systems=min(3.0, 0.25 * (index - 9)),
                )
            )
    return tuple(rows)


def cash() -> tuple[CashLine, ...]:
    lines = [CashLine(month=order.month, category="purchase", amount=order.amount) for order in ORDERS]
    for index, month in enumerate(MONTHS):
        for rent in RENTS:
            if rent.first_month <= month <= rent.last_month:
                amount = rent.systems * rent.price_per_system_month
                lines.append(CashLine(month=month, category="rent", amount=amount))
        lines.append(CashLine(month=month, category="power", amount=21_000.0 + 9_000.0 * min(index, 8)))
        lines.append(CashLine(month=month, category="staff", amount=160_000.0))
    lines.append(CashLine(month=MONTHS[-1], category="resale", amount=-9.1e6))
    return tuple(lines)


def present_value(lines: tuple[CashLine, ...]) -> float:
    discount = {month: (1 + DISCOUNT_RATE) ** (-index / 12) for index, month in enumerate(MONTHS)}
    return sum(line.amount * discount[line.month] for line in lines)


def power() -> tuple[PowerUse, ...]:
    return tuple(
        PowerUse(
            month=month,
            watts=16_000.0 + (48_000.0 if index >= 2 else 0.0) + (52_000.0 if index >= 7 else 0.0),
            limit_watts=150_000.0,
        )
        for index, month in enumerate(MONTHS)
    )


def option(name: str = "recommended", factor: float = 1.0) -> Option:
    lines = tuple(dataclasses.replace(line, amount=line.amount * factor) for line in cash())
    worth = present_value(lines)
    return Option(
        name=name,
        cost=worth,
        finish_month="2024-01",
        orders=ORDERS,
        rents=RENTS,
        assignments=assignments(),
        workloads=workloads(),
        cash=lines,
        power=power(),
        solver=SolverReport(
            status="optimal_within_gap", objective=worth, bound=worth * 0.9968, gap=0.0032, seconds=2.7
        ),
    )


def assumed() -> tuple[Assumed, ...]:
    return (
        Assumed(
            name="power price",
            figure=figure(0.68 / 3.6e6, "CNY/J", Kind.ASSUMPTION, "own_assumption", note="industrial tariff, Shanghai"),
        ),
        Assumed(name="PUE", figure=figure(1.35, "", Kind.ASSUMPTION, "own_assumption")),
        Assumed(
            name="lead time A800", figure=figure(60 * 86400.0, "s", Kind.ESTIMATE, "article2023", range_given=True)
        ),
        Assumed(name="resale after 24 months", figure=figure(0.35, "", Kind.ESTIMATE, "epoch_prices")),
    )


def sources() -> tuple[Source, ...]:
    return (
        Source(
            key="article2023",
            title="A company's own account of buying A800 boxes",
            url="https://example.org/article",
            date="2023-05",
        ),
        Source(
            key="epoch_prices",
            title="Epoch AI, Machine learning hardware prices",
            url="https://epoch.ai/data/x",
            date="2024-06",
            licence="CC-BY 4.0",
        ),
        Source(
            key="market2023", title="Rental offers, May 2023", url="https://example.org/rent?a=1&b=2", date="2023-05"
        ),
        Source(key="own_assumption", title="An assumption of this plan", url="", date="2023-05"),
    )


def sample_plan() -> Plan:
    best = option()
    buy_only = option("all_buy", 1.18)
    return Plan(
        scenario="examples/sample.yaml",
        title="A domain model company in Shanghai",
        as_of="2023-05",
        region="China",
        currency="CNY",
        months=MONTHS,
        recommended=best,
        alternatives=(
            Alternative(
                name="all_buy",
                reason="Buying everything idles 5 boxes after 2024-01.",
                extra_cost=buy_only.cost - best.cost,
                option=buy_only,
            ),
            Alternative(
                name="all_rent",
                reason="Rent for 24 months passes the price of a box in month 19.",
                extra_cost=6.4e6,
                option=option("all_rent", 1.22),
            ),
            Alternative(
                name="domestic_only",
                reason="No domestic box can be delivered before 2023-11.",
                extra_cost=None,
                option=None,
            ),
            Alternative(
                name="wait",
                reason="The deadline 2024-02 is missed by 2 months.",
                extra_cost=1.9e6,
                option=option("wait", 1.07),
            ),
        ),
        flips=(
            Flip(
                quantity="price of A800-8",
                unit="CNY",
                now=2.3e6,
                flips_at=2.71e6,
                becomes="all_rent",
                tried_low=1.5e6,
                tried_high=3.5e6,
            ),
            Flip(
                quantity="deadline of domain-65b",
                unit="month",
                now=9.0,
                flips_at=6.0,
                becomes="rent 6 more boxes",
                tried_low=3.0,
                tried_high=15.0,
            ),
            Flip(
                quantity="budget of the plan",
                unit="CNY",
                now=45e6,
                flips_at=None,
                becomes="",
                tried_low=36e6,
                tried_high=60e6,
            ),
        ),
        pareto=(
            ("2023-11", 41.0e6, "rent_more"),
            ("2024-01", best.cost, "recommended"),
            ("2024-04", 27.0e6, "wait"),
            ("2024-01", 38e6, "all_buy"),
        ),
        assumed=assumed(),
        unknown=(
            "Network price between sites is not known.",
            "No measured run of an A800 cluster above 128 cards was found.",
        ),
        sources=sources(),
        suanli_version="0.1.0",
        discount_rate_per_year=DISCOUNT_RATE,
    )


HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "\tTAB",
    "\u202egnp.exe",
    "</script><img src=x onerror=alert(1)>",
    "[red]markup[/red][/]",
    "＝1+1",
    "'quote\"double",
    "line\nbreak",
    "<!--<script>",
)


def hostile_plan(name: str) -> Plan:
    """Put a hostile text into every place of the sample plan where others' words may stand."""
    plan = sample_plan()
    best = plan.recommended
    changed = dataclasses.replace(
        best,
        orders=tuple(dataclasses.replace(order, system_name=name, source=name) for order in best.orders),
        rents=tuple(dataclasses.replace(rent, system_name=name, tenure=name) for rent in best.rents),
        workloads=tuple(
            dataclasses.replace(work, id=name, model_name=name, demand_note=name, system_name=name)
            for work in best.workloads
        ),
        assignments=tuple(dataclasses.replace(row, workload=name, pool=name) for row in best.assignments),
        cash=tuple(dataclasses.replace(line, category=name) for line in best.cash),
    )
    return dataclasses.replace(
        plan,
        title=name,
        scenario=name,
        region=name,
        recommended=changed,
        alternatives=tuple(dataclasses.replace(other, name=name, reason=name) for other in plan.alternatives),
        flips=tuple(dataclasses.replace(flip, quantity=name, becomes=name) for flip in plan.flips),
        pareto=tuple((month, cost, name) for month, cost, _ in plan.pareto),
        assumed=tuple(
            dataclasses.replace(item, name=name, figure=dataclasses.replace(item.figure, note=name))
            for item in plan.assumed
        ),
        unknown=(name,),
        sources=tuple(
            dataclasses.replace(source, key=name, title=name, url=f"javascript:alert('{name}')")
            for source in plan.sources
        ),
    )
