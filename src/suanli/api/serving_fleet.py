"""Search for fleets that serve a model under targets: chips, layouts, formats, together or apart, by objective."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suanli.api.serve import setup_of
from suanli.api.serving_question import FleetQuestion, fleet_faults
from suanli.domain.serving_plan import (
    ApiComparison,
    FrontPoint,
    PoolPlan,
    Searched,
    ServingCost,
    ServingPlan,
    ServingPlans,
)
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.api.serving_money import Held
    from suanli.domain.result import ServingEstimate
    from suanli.domain.workload import ServingSetup
    from suanli.estimate.serving_choice import Limits
    from suanli.estimate.serving_columns import IntColumn, Size
    from suanli.estimate.serving_judged import Judged
    from suanli.estimate.serving_units import Unit
    from suanli.foundation.equation import FloatArray

__all__ = [
    "Found", "ServingPlan", "ServingPlans", "beside_api", "kept_rows", "objective_of", "plan_fleet",
    "plans_assumed", "plays", "pools_of", "reordered", "search_fleets", "told_plan",
]  # fmt: skip
RESERVED = "reserved"
MOST_FRONT = 40
"""Points of the front that are told; more are thinned evenly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A search's judged settings with all that choosing among them needs; rows of `order` are the best first."""

    question: FleetQuestion
    setup: ServingSetup
    judged: Judged
    size: Size
    limits: Limits
    held: dict[str, Held]
    bad: FloatArray
    order: IntColumn
    seconds: float


def plan_fleet(question: FleetQuestion) -> ServingPlans:
    """Answer a question with the best fleets.

    Raises InputError with every fault at once, InfeasibleError where nothing fits or keeps the targets.
    """
    from suanli.api.serving_why import why_of

    if faults := fleet_faults(question):
        raise InputError(faults)
    found = search_fleets(question)
    rows = kept_rows(found, question.job.keep)
    told = [(row, _plan(found, row)) for row in rows]
    assumed = [*plans_assumed(found)]
    if question.percentile is not None:
        from suanli.api.serving_tails import with_tails

        told, said = with_tails(found, rows, [plan for _, plan in told])
        assumed += said
        found = as_told(found, told)
    first = objective_of(found, told[0][1])
    plans = [replace(plan, worse=objective_of(found, plan) / first - 1) for _, plan in told]
    figures = {one.name: one for held in found.held.values() for one in held.figures}
    return ServingPlans(
        model=found.setup.model.name,
        objective=question.objective,
        plans=tuple(plans),
        front=front_of(found),
        holdings={name: held.ways for name, held in found.held.items()},
        searched=_searched(found),
        replica=_replica(found, told[0][0]),
        why=why_of(found, told[0][0]),
        assumed=tuple(assumed),
        figures=tuple(figures.values()),
    )


def search_fleets(question: FleetQuestion) -> Found:
    """Judge everything that a question leaves open and order it. Raises InfeasibleError where nothing is left."""
    import numpy as np

    from suanli.api.serving_tails import with_lengths
    from suanli.api.serving_why import refused
    from suanli.catalogue.profile import resolve_all
    from suanli.estimate.serving_choice import Limits, Objective, badness, ranked, within
    from suanli.estimate.serving_columns import Size
    from suanli.estimate.serving_judged import judge

    question = with_lengths(question)
    setup = setup_of(question.job)
    named, kernels = resolve_all(question.systems)
    systems = list({one.id: one for one in named}.values())
    job = question.job
    size = Size(accelerators=question.accelerators, rate_per_s=job.rate_per_s, headroom=job.headroom)
    begun = time.perf_counter()
    judged = judge(_groups(question, setup), systems, kernels, size, question.arrangement)
    limits = Limits(
        ttft_seconds=_median_limit(question, job.ttft_limit_seconds, "ttft"),
        tpot_seconds=_median_limit(question, job.tpot_limit_seconds, "tpot"),
    )
    allowed = within(judged.columns, limits)
    held = _held(question, systems)
    months = np.array([_month_amount(held, unit.system.id) for unit in judged.units])
    amounts = months[judged.columns.unit] * judged.columns.systems if len(judged.units) else np.zeros(0)
    bad = badness(judged.columns, size, Objective(question.objective), amounts)
    order = ranked(judged.columns, bad, allowed)
    found = Found(
        question=question, setup=setup, judged=judged, size=size, limits=limits, held=held, bad=bad, order=order,
        seconds=time.perf_counter() - begun,
    )  # fmt: skip
    if not len(order):
        raise refused(found, allowed)
    return found


def _groups(question: FleetQuestion, setup: ServingSetup) -> list[list[ServingSetup]]:
    """Spread the formats out, and within each the engine's limits."""
    limits = [
        replace(setup, token_budget=budget, sequence_limit=most)
        for budget in question.token_budgets or (None,)
        for most in question.sequence_limits or (None,)
    ]
    return [
        [replace(one, weight_format=weight, kv_format=cache) for one in limits]
        for weight in dict.fromkeys(question.weight_formats)
        for cache in dict.fromkeys(question.kv_formats)
    ]


def plays() -> bool:
    """Say whether the compiled engine is installed, which plays arrivals."""
    import importlib.util

    return importlib.util.find_spec("numba") is not None


def _median_limit(question: FleetQuestion, limit: float | None, name: str) -> float:
    """Return the limit on the median: the target, or what keeps the percentile within it by an assumed spread."""
    if limit is None or question.percentile is None or plays():
        return math.inf if limit is None else limit
    from suanli.planner.ground import planning_figures
    from suanli.planner.weigh_serving import median_limit

    return median_limit(limit, question.percentile / 100, planning_figures()[f"planning.{name}_deviation"].value)


def _held(question: FleetQuestion, systems: Sequence[object]) -> dict[str, Held]:
    if not question.priced:
        return {}
    from suanli.api.serving_money import Held, chosen_of
    from suanli.domain.hardware import System
    from suanli.planner.holding import holdings

    market, found = question.market, {}
    for system in systems:
        assert isinstance(system, System)
        ways, figures = holdings(system, market.as_of, market.region, market.currency)
        found[system.id] = Held(chosen=chosen_of(ways, question.hold or RESERVED), ways=ways, figures=figures)
    return found


def _month_amount(held: dict[str, Held], system: str) -> float:
    holding = held[system].chosen if system in held else None
    return math.inf if holding is None else holding.month_amount


def kept_rows(found: Found, most: int) -> list[int]:
    """Return the best row of each kind, and of each arrangement the best one, best first."""
    from suanli.estimate.serving_choice import best_of_mode, one_of_each

    columns, order = found.judged.columns, found.order
    rows = one_of_each(columns, order, most)
    for apart in (False, True):
        best = best_of_mode(columns, order, apart)
        if best is not None and best not in rows:
            rows.append(best)
    return rows


def _plan(found: Found, row: int) -> ServingPlan:
    columns = found.judged.columns
    return told_plan(
        found, row, int(columns.prefills[row]), int(columns.replicas[row]), float(columns.requests_per_s[row])
    )


def told_plan(found: Found, row: int, prefills: int, replicas: int, requests_per_s: float) -> ServingPlan:
    """Tell a judged row as a fleet of so many replicas."""
    from suanli.estimate.serving_bands import serving_band
    from suanli.estimate.serving_columns import NONE, systems_needed, systems_of_both

    columns, units, job = found.judged.columns, found.judged.units, found.question.job
    unit = units[columns.unit[row]]
    prefill = None if columns.prefill[row] == NONE else units[columns.prefill[row]]
    per_system, pools = float(unit.system.accelerators), pools_with(found, row, prefills, replicas)
    accelerators = replicas * unit.accelerators + (prefills * prefill.accelerators if prefill else 0)
    systems = (
        systems_of_both(prefills, float(prefill.accelerators), replicas, float(unit.accelerators), per_system)
        if prefill
        else systems_needed(replicas, float(unit.accelerators), per_system)
    )
    outputs = requests_per_s * unit.demand.outputs
    ttft, tpot = float(columns.ttft_seconds[row]), float(columns.tpot_seconds[row])
    values = {"ttft_seconds": ttft, "tpot_seconds": tpot, "output_tokens_per_s": outputs}
    engine = unit.replica.engine
    planned = requests_per_s * (1 - job.headroom) if job.rate_per_s is None else job.rate_per_s
    cost = _cost(found, row, prefills, replicas, float(systems), planned)
    return ServingPlan(
        system=unit.system.id,
        weight_format=unit.replica.scheme.name,
        kv_format=unit.replica.kv_format,
        token_budget=engine.token_budget,
        sequence_limit=engine.sequence_limit,
        prefill=pools[0],
        decode=pools[1],
        ttft_seconds=ttft,
        tpot_seconds=tpot,
        requests_per_s=requests_per_s,
        output_tokens_per_s=outputs,
        output_tokens_per_s_per_accelerator=outputs / accelerators,
        tokens_per_s_per_user=1 / tpot,
        accelerators=accelerators,
        systems=int(systems),
        load=None if job.rate_per_s is None else job.rate_per_s / requests_per_s,
        cost=cost,
        api=beside_api(found.question, cost, requests_per_s, unit),
        band={name: serving_band(unit.replica, name, value) for name, value in values.items()},
    )


def _cost(
    found: Found, row: int, prefills: int, replicas: int, systems: float, planned_per_s: float
) -> ServingCost | None:
    from suanli.api.serving_money import cost_of, input_share_of
    from suanli.estimate.serving_columns import NONE

    columns, units = found.judged.columns, found.judged.units
    unit = units[columns.unit[row]]
    holding = found.held[unit.system.id].chosen if unit.system.id in found.held else None
    if holding is None:
        return None
    prefill = None if columns.prefill[row] == NONE else units[columns.prefill[row]]
    share = input_share_of(prefill, prefills, unit, replicas, float(columns.flight[row]))
    return cost_of(holding, systems, found.question.market.currency, planned_per_s, unit, share)


def beside_api(
    question: FleetQuestion, cost: ServingCost | None, requests_per_s: float, unit: Unit
) -> ApiComparison | None:
    """Compare a fleet's month with the API's prices; None where there are none."""
    from suanli.api.serving_money import against_api

    if cost is None or question.api_input_price is None or question.api_output_price is None:
        return None
    return against_api(cost, requests_per_s, unit, question.api_input_price, question.api_output_price)


def objective_of(found: Found, plan: ServingPlan) -> float:
    """Return what the objective counts of a fleet: less is better."""
    question = found.question
    if question.objective != "throughput" and plan.cost is not None:
        return plan.cost.month_amount if question.objective == "month" else plan.cost.amount_per_token
    rate = question.job.rate_per_s
    filled = rate is None and question.accelerators is not None
    counted = question.accelerators if filled and question.accelerators else plan.accelerators
    return counted / (plan.requests_per_s if rate is None else rate)


def reordered(found: Found, told: Sequence[tuple[int, ServingPlan]]) -> list[tuple[int, ServingPlan]]:
    """Order fleets with their rows by the objective, the best first."""
    return sorted(told, key=lambda one: (objective_of(found, one[1]), one[1].accelerators))


def as_told(found: Found, told: Sequence[tuple[int, ServingPlan]]) -> Found:
    """Return what was found with the told fleets ahead, each as good as it turned out to be once it was played."""
    import numpy as np

    rows = np.array([row for row, _ in told], dtype=np.int64)
    bad = found.bad.copy()
    bad[rows] = [objective_of(found, plan) for _, plan in told]
    return replace(found, bad=bad, order=np.concatenate([rows, found.order[~np.isin(found.order, rows)]]))


def front_of(found: Found) -> tuple[FrontPoint, ...]:
    """Tell the front of speed for a user and throughput of an accelerator, over all settings judged."""
    import numpy as np

    from suanli.estimate.serving_choice import front_rows, within

    columns, units = found.judged.columns, found.judged.units
    allowed, rows = within(columns, found.limits), front_rows(columns, units)
    if len(rows) > MOST_FRONT:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, MOST_FRONT).round().astype(np.int64))]
    return tuple(_front_point(found, int(row), bool(allowed[row])) for row in rows)


def _front_point(found: Found, row: int, within_targets: bool) -> FrontPoint:
    columns = found.judged.columns
    unit = found.judged.units[columns.unit[row]]
    prefill, decode = pools_of(found, row)
    outputs = columns.requests_per_s[row] * unit.demand.outputs
    return FrontPoint(
        tokens_per_s_per_user=float(1 / columns.tpot_seconds[row]),
        output_tokens_per_s_per_accelerator=float(outputs / columns.accelerators[row]),
        ttft_seconds=float(columns.ttft_seconds[row]),
        system=unit.system.id,
        weight_format=unit.replica.scheme.name,
        prefill=prefill,
        decode=decode,
        within_targets=within_targets,
    )


def pools_of(found: Found, row: int) -> tuple[PoolPlan | None, PoolPlan]:
    """Return the pools of a judged row: the one that prefills (None where the same replicas do both), and the other."""
    columns = found.judged.columns
    return pools_with(found, row, int(columns.prefills[row]), int(columns.replicas[row]))


def pools_with(found: Found, row: int, prefills: int, replicas: int) -> tuple[PoolPlan | None, PoolPlan]:
    """Return the pools of a judged row with other numbers of replicas."""
    from suanli.estimate.serving_columns import NONE

    columns, units = found.judged.columns, found.judged.units
    first, flight = columns.prefill[row], float(columns.flight[row])
    decode = PoolPlan(layout=units[columns.unit[row]].replica.layout, replicas=replicas, concurrency=flight)
    if first == NONE:
        return None, decode
    return PoolPlan(layout=units[first].replica.layout, replicas=prefills, concurrency=1.0), decode


def _replica(found: Found, row: int) -> ServingEstimate | None:
    """Tell one replica in full, by cause of time and memory; None where pools are apart."""
    from suanli.estimate.serving import estimate_at
    from suanli.estimate.serving_columns import NONE
    from suanli.estimate.serving_steady import steady_state

    columns = found.judged.columns
    if columns.prefill[row] != NONE:
        return None
    unit = found.judged.units[columns.unit[row]]
    return estimate_at(unit.replica, unit.demand, steady_state(unit.replica, float(columns.flight[row])), 0)


def _searched(found: Found) -> Searched:
    from suanli.estimate.serving_choice import within

    columns = found.judged.columns
    return Searched(
        settings=len(columns),
        layouts=len(found.judged.units),
        within_targets=int(within(columns, found.limits).sum()),
        search_seconds=found.seconds,
    )


def plans_assumed(found: Found) -> list[str]:
    """Say what a search rests on that nobody told it."""
    from suanli.api.serving_money import CHEAPEST, split_rule
    from suanli.api.words import tenure_in_words

    hold = found.question.hold or RESERVED
    question, said = (
        found.question,
        list(dict.fromkeys(one for unit in found.judged.units for one in unit.replica.assumed)),
    )
    if question.percentile is None and (question.job.ttft_limit_seconds or question.job.tpot_limit_seconds):
        said.append(tr("targets are of medians (--percentile asks for a percentile)"))
    if question.percentile is not None and not plays():
        said.append(
            tr("percentiles by an assumed spread around the median, since the extra 'compiled' is not installed")
        )
    if found.held:
        market = question.market
        said.append(tr("prices of {region} as of {date}", region=market.region, date=market.as_of))
        said += [
            tr(
                "no {asked} price is known of {system}: {taken} instead",
                asked=tenure_in_words(hold),
                system=system,
                taken=tenure_in_words(held.chosen.tenure),
            )
            for system, held in found.held.items()
            if held.chosen is not None and held.chosen.tenure != hold != CHEAPEST
        ]
        said.append(split_rule())
    return said
