"""Money of a serving fleet: whole systems paid for by the month, prices of a token, an API beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suanli.domain.plan import Assumed
from suanli.domain.serving_plan import ApiComparison, Holding, ServingCost
from suanli.equations import finance
from suanli.estimate.serving_steady import steady_state
from suanli.estimate.serving_step import StepLoad, step_seconds
from suanli.estimate.serving_units import Unit
from suanli.foundation.calendar import SECONDS_PER_MONTH
from suanli.foundation.language import tr

CHEAPEST = "cheapest"
INSTEAD = ("reserved", "buy", "month")
"""Where no price is known for the way that was asked for: the next of these."""
DAY_SECONDS = 86400.0
MILLION = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """How the systems of one kind are held: the way chosen, every way known, what it rests on."""

    chosen: Holding | None
    ways: tuple[Holding, ...]
    figures: tuple[Assumed, ...]


def chosen_of(ways: Sequence[Holding], hold: str) -> Holding | None:
    """Choose a way to hold a system: the one asked for, else the next that has a price; None where none has."""
    if not ways:
        return None
    if hold == CHEAPEST:
        return min(ways, key=lambda way: way.month_amount)
    by_tenure = {way.tenure: way for way in ways}
    return next(by_tenure[tenure] for tenure in (hold, *INSTEAD) if tenure in by_tenure)


def input_share_of(prefill: Unit | None, prefills: int, unit: Unit, replicas: int, flight: float) -> float:
    """Share of a fleet's time that goes to prompts: by accelerators where they are apart, else by time of a step.

    Of a replica that does both, a step's time beyond that of its decodes alone is for prompts.
    """
    if prefill is not None:
        first, second = prefills * prefill.accelerators, replicas * unit.accelerators
        return first / (first + second)
    steady = steady_state(unit.replica, flight)
    mean = sum(float(spent[0]) for spent in steady.seconds_by_cause.values())
    load = StepLoad(
        decoding=float(steady.decoding[0]) / unit.replica.at_once, context=unit.demand.context,
        verified=unit.demand.verified,
    )  # fmt: skip
    return min(max(1 - float(step_seconds(unit.replica, load)) / mean, 0.0), 1.0)


def cost_of(
    holding: Holding, systems: float, currency: str, planned_per_s: float, unit: Unit, input_share: float
) -> ServingCost:
    """Price a fleet of whole systems for a month, and its tokens at the planned rate."""
    month = holding.month_amount * systems
    requests = planned_per_s * SECONDS_PER_MONTH
    inputs, outputs = requests * unit.demand.inputs, requests * unit.demand.outputs
    return ServingCost(
        currency=currency,
        tenure=holding.tenure,
        month_amount=month,
        planned_requests_per_s=planned_per_s,
        input_share=input_share,
        input_amount_per_token=float(finance.amount_per_token(month, input_share, inputs)),
        output_amount_per_token=float(finance.amount_per_token(month, 1 - input_share, outputs)),
        amount_per_token=float(finance.amount_per_token(month, 1.0, inputs + outputs)),
    )


def against_api(
    cost: ServingCost, most_per_s: float, unit: Unit, input_price: float, output_price: float
) -> ApiComparison:
    """Compare a fleet's month with an API's prices for a million tokens of prompts and of answers."""
    inputs, outputs = unit.demand.inputs, unit.demand.outputs
    paid = (inputs * input_price + outputs * output_price) / MILLION
    rate = float(finance.break_even_requests(cost.month_amount, paid)) / SECONDS_PER_MONTH
    return ApiComparison(
        input_amount_per_token=input_price / MILLION,
        output_amount_per_token=output_price / MILLION,
        month_amount=paid * cost.planned_requests_per_s * SECONDS_PER_MONTH,
        break_even_requests_per_s=rate,
        break_even_tokens_per_day=rate * (inputs + outputs) * DAY_SECONDS,
        break_even_load=rate / most_per_s,
    )


def split_rule() -> str:
    """Say by which rule a month is split between prompts and answers."""
    return tr(
        "The month is split between prompts and answers by the time they occupy the accelerators: pools apart each pay"
        " their own accelerators; of replicas that do both, a step's time beyond its decodes alone is for prompts."
    )
