"""A plan as one JSON document whose keys stay: SI, each key's last word its unit, money with its currency."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from suanli.domain.plan import (
    Alternative,
    Assignment,
    CashLine,
    Flip,
    Option,
    Order,
    Plan,
    PowerUse,
    Rent,
    WorkloadPlan,
)
from suanli.domain.result import Band, ServingEstimate, TrainingEstimate
from suanli.foundation.figure import Figure

Document = dict[str, Any]
"""What becomes one JSON object."""


def of_plan(plan: Plan) -> Document:
    """Return the document of a plan."""
    best = plan.recommended
    return {
        "scenario": plan.scenario,
        "title": plan.title,
        "as_of": plan.as_of,
        "region": plan.region,
        "currency": plan.currency,
        "months": list(plan.months),
        "discount_rate_per_year": number(plan.discount_rate_per_year),
        "holdings": [dataclasses.asdict(one) for one in plan.holdings],
        "recommended": _summary(best, plan.currency),
        "orders": [_order(order, plan.currency) for order in best.orders],
        "rents": [_rent(rent, plan.currency) for rent in best.rents],
        "assignments": [_assignment(row) for row in best.assignments],
        "cash": [_cash(line, plan.currency) for line in best.cash],
        "power": [_power(use) for use in best.power],
        "workloads": [_workload(work) for work in best.workloads],
        "alternatives": [_alternative(other, plan.currency) for other in plan.alternatives],
        "flips": [_flip(flip) for flip in plan.flips],
        "pareto": [
            {"finish_month": month, "cost": money(cost, plan.currency), "name": name}
            for month, cost, name in plan.pareto
        ],
        "assumed": [{"name": item.name, **_figure(item.figure)} for item in plan.assumed],
        "unknown": list(plan.unknown),
        "sources": [dataclasses.asdict(source) for source in plan.sources],
        "suanli_version": plan.suanli_version,
    }


def number(value: float | None) -> float | None:
    """Pass on a number that JSON knows; one that is not finite becomes null."""
    return value if value is not None and math.isfinite(value) else None


def money(amount: float | None, currency: str) -> Document | None:
    """Say money with its currency; null where there is none."""
    return None if amount is None else {"amount": number(amount), "currency": currency}


def _summary(option: Option, currency: str) -> Document:
    solver = option.solver
    return {
        "name": option.name,
        "cost": money(option.cost, currency),
        "finish_month": option.finish_month,
        "cash_total": money(math.fsum(line.amount for line in option.cash), currency),
        "systems_bought": sum(order.systems for order in option.orders),
        "solver": {
            "status": solver.status,
            "objective": money(solver.objective, currency),
            "bound": money(solver.bound, currency),
            "gap": number(solver.gap),
            "solve_seconds": number(solver.seconds),
        },
    }


def _order(order: Order, currency: str) -> Document:
    return {
        "month": order.month,
        "delivery_month": order.delivery_month,
        "system_id": order.system_id,
        "system_name": order.system_name,
        "systems": order.systems,
        "unit_price": money(order.unit_price, currency),
        "amount": money(order.amount, currency),
        "source": order.source,
    }


def _rent(rent: Rent, currency: str) -> Document:
    return {
        "first_month": rent.first_month,
        "last_month": rent.last_month,
        "system_id": rent.system_id,
        "system_name": rent.system_name,
        "tenure": rent.tenure,
        "systems": rent.systems,
        "price_per_system_month": money(rent.price_per_system_month, currency),
        "amount": money(rent.amount, currency),
        "source": rent.source,
    }


def _assignment(row: Assignment) -> Document:
    return {
        "month": row.month,
        "workload": row.workload,
        "pool": row.pool,
        "system_id": row.system_id,
        "systems": number(row.systems),
    }


def _cash(line: CashLine, currency: str) -> Document:
    return {"month": line.month, "category": line.category, "amount": money(line.amount, currency)}


def _power(use: PowerUse) -> Document:
    return {"month": use.month, "power_watts": number(use.watts), "limit_watts": number(use.limit_watts)}


def _workload(work: WorkloadPlan) -> Document:
    return {
        "id": work.id,
        "layer": work.layer,
        "model_name": work.model_name,
        "parameters": number(work.parameters),
        "system_id": work.system_id,
        "system_name": work.system_name,
        "accelerators": work.accelerators,
        "replicas": work.replicas,
        "goodput": number(work.goodput),
        "start_month": work.start_month,
        "finish_p50_month": work.finish_p50,
        "finish_p80_month": work.finish_p80,
        "finish_p95_month": work.finish_p95,
        "target_month": work.target_month,
        "demand_note": work.demand_note,
        "training": None if work.training is None else training(work.training),
        "serving": None if work.serving is None else serving(work.serving),
    }


def training(estimate: TrainingEstimate) -> Document:
    """Return the document of a training estimate; also what `suanli train --json` prints."""
    return {
        "step_seconds": number(estimate.step_seconds),
        "tokens_per_s": number(estimate.tokens_per_s),
        "mfu": number(estimate.mfu),
        "memory_bytes": number(estimate.memory_bytes),
        "capacity_bytes": number(estimate.capacity_bytes),
        "host_memory_bytes": number(estimate.host_memory_bytes),
        "breakdown": _breakdown(estimate.seconds_by_cause, estimate.bytes_by_cause),
        "layout": _plain(estimate.layout),
        "band": {"step_seconds": _band(estimate.band), "memory_bytes": _band(estimate.memory_band)},
        "limit": estimate.limit,
        "assumed": list(estimate.assumed),
    }


def serving(estimate: ServingEstimate) -> Document:
    """Return the document of a serving estimate; also what `suanli serve --json` builds on."""
    return {
        "ttft_seconds": number(estimate.ttft_seconds),
        "tpot_seconds": number(estimate.tpot_seconds),
        "output_tokens_per_s": number(estimate.output_tokens_per_s),
        "total_tokens_per_s": number(estimate.total_tokens_per_s),
        "requests_per_s": number(estimate.requests_per_s),
        "concurrency": number(estimate.concurrency),
        "memory_bytes": number(estimate.memory_bytes),
        "kv_capacity_tokens": number(estimate.kv_capacity_tokens),
        "breakdown": _breakdown(estimate.seconds_by_cause, estimate.bytes_by_cause),
        "layout": _plain(estimate.layout),
        "band": {name: _band(band) for name, band in estimate.bands.items()},
        "limit": estimate.limit,
        "assumed": list(estimate.assumed),
    }


def _breakdown(seconds: Mapping[str, float], memory: Mapping[str, float]) -> Document:
    return {
        "seconds": {cause: number(value) for cause, value in seconds.items()},
        "bytes": {cause: number(value) for cause, value in memory.items()},
    }


def _band(band: Band) -> Document:
    return {"low": number(band.low), "high": number(band.high)}


def _plain(noun: Any) -> Document:
    return {
        field.name: value.value if isinstance(value := getattr(noun, field.name), Enum) else value
        for field in dataclasses.fields(noun)
    }


def _alternative(other: Alternative, currency: str) -> Document:
    made: Document = {"name": other.name, "reason": other.reason, "extra_cost": money(other.extra_cost, currency)}
    if other.option is None:
        return {**made, "option": None}
    option = other.option
    return {
        **made,
        "option": {
            **_summary(option, currency),
            "orders": [_order(order, currency) for order in option.orders],
            "rents": [_rent(rent, currency) for rent in option.rents],
        },
    }


def _flip(flip: Flip) -> Document:
    return {
        "quantity": flip.quantity,
        "unit": flip.unit,
        "now": number(flip.now),
        "flips_at": number(flip.flips_at),
        "becomes": flip.becomes,
        "tried_low": number(flip.tried_low),
        "tried_high": number(flip.tried_high),
    }


def _figure(figure: Figure) -> Document:
    return {
        "value": number(figure.value),
        "unit": figure.unit,
        "low": number(figure.low),
        "high": number(figure.high),
        "range_given": figure.range_given,
        "kind": str(figure.kind),
        "source": figure.source,
        "date": figure.date,
        "note": figure.note,
    }
