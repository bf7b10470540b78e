"""What a search for serving fleets is asked, and everything wrong in it at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from suanli.api.market_question import MarketQuestion, market_faults
from suanli.api.serve import MOST, ServingQuestion, faults_of
from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.language import tr

ARRANGEMENTS = ("both", "together", "apart")
"""Whether replicas that prefill and decode are judged, pools apart, or both."""
OBJECTIVES = ("throughput", "token", "month")
HOLDS = ("reserved", "month", "buy", "cheapest")
"""Ways to hold systems: reserved for a term, rented by the month, bought, or whichever is cheapest."""
LEAST_PERCENTILE, MOST_PERCENTILE = 50.0, 99.9


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetQuestion:
    """A service, and what a search may choose for it.

    `job` tells model, lengths, targets, rate and engine; its system, formats and degrees are not read. Targets are of
    medians, or of `percentile` (in percent) under arrivals, which are played. `accelerators` is how many there are.
    `hold` is how systems are paid (empty: reserved, where money is asked for at all). Prices of an API are money for a
    million tokens of prompts and of answers.
    """

    job: ServingQuestion
    systems: tuple[str, ...]
    weight_formats: tuple[str, ...] = ("bf16",)
    kv_formats: tuple[str, ...] = ("auto",)
    token_budgets: tuple[float, ...] = ()
    sequence_limits: tuple[float, ...] = ()
    arrangement: str = "both"
    accelerators: int | None = None
    objective: str = "throughput"
    percentile: float | None = None
    traffic: str = ""
    requests: int | None = None
    seed: int = 0
    hold: str = ""
    market: MarketQuestion = field(default_factory=MarketQuestion)
    api_input_price: float | None = None
    api_output_price: float | None = None

    @property
    def priced(self) -> bool:
        """Whether money is asked for."""
        return bool(self.hold) or self.objective != "throughput" or self.compared

    @property
    def compared(self) -> bool:
        """Whether an API's price is compared with."""
        return self.api_input_price is not None or self.api_output_price is not None


def fleet_faults(question: FleetQuestion, rated: bool = False) -> list[Fault]:
    """Name everything wrong in a question; `rated` says that rates come from elsewhere (a curve)."""
    faults = [*faults_of(question.job), *market_faults(question.market)]
    for place, said, known in (
        ("--arrangement", question.arrangement, ARRANGEMENTS),
        ("--objective", question.objective, OBJECTIVES),
        ("--hold", question.hold or HOLDS[0], HOLDS),
    ):
        if said not in known:
            faults.append(
                Fault(place=place, found=f"'{said}'", allowed=", ".join(known), hint=did_you_mean(said, known))
            )
    numbers = {
        "--accelerators": (question.accelerators,), "--token-budget": question.token_budgets,
        "--max-sequences": question.sequence_limits, "--requests": (question.requests,),
    }  # fmt: skip
    for place, values in numbers.items():
        allowed = tr("a number from 1 to {most}", most=MOST)
        wrong = [value for value in values if value is not None and not 1 <= value <= MOST]
        faults += [Fault(place=place, found=f"{value:g}", allowed=allowed) for value in wrong]
    return [*faults, *_price_faults(question), *_rate_faults(question, rated)]


def _price_faults(question: FleetQuestion) -> list[Fault]:
    faults = []
    prices = {"--api-price-in": question.api_input_price, "--api-price-out": question.api_output_price}
    for place, price in prices.items():
        if question.compared and price is None:
            faults.append(Fault(place=place, found=tr("nothing"), allowed=tr("both prices of the API, for a million")))
        elif price is not None and not 0 <= price <= MOST:
            faults.append(Fault(place=place, found=f"{price:g}", allowed=tr("a number from 0 to {most}", most=MOST)))
    if question.compared and not any(prices.values()):
        faults.append(Fault(place="--api-price-out", found="0", allowed=tr("above 0, at most {most}", most=MOST)))
    return faults


def _rate_faults(question: FleetQuestion, rated: bool) -> list[Fault]:
    faults, rated = [], rated or question.job.rate_per_s is not None
    targets = (question.job.ttft_limit_seconds, question.job.tpot_limit_seconds)
    if question.objective == "month" and not rated:
        faults.append(
            Fault(place="--rate", found=tr("nothing"), allowed=tr("requests per second, for the cheapest month"))
        )
    if question.percentile is None:
        return faults
    if not LEAST_PERCENTILE <= question.percentile <= MOST_PERCENTILE:
        allowed = tr("from {least} to {most}", least=LEAST_PERCENTILE, most=MOST_PERCENTILE)
        faults.append(Fault(place="--percentile", found=f"{question.percentile:g}", allowed=allowed))
    if not rated:
        faults.append(Fault(place="--rate", found=tr("nothing"), allowed=tr("requests per second that arrive")))
    if targets == (None, None):
        faults.append(Fault(place="--percentile", found=tr("no target"), allowed=tr("--ttft or --tpot beside it")))
    return faults
