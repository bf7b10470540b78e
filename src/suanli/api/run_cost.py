"""What a whole training run costs: rent as a market of a date knows it, and energy at the meter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from suanli.api.market_question import MarketQuestion, market_faults, today
from suanli.api.train import TrainingQuestion, TrainingSearch, box_of
from suanli.api.training_question import faults_of
from suanli.api.wall_clock import RunQuestion, run_faults, train_run
from suanli.domain.plan import Assumed
from suanli.domain.result import TrainingEstimate
from suanli.domain.wall_clock import WallClock
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.hardware import System

__all__ = ["MarketQuestion", "RunCost", "market_faults", "run_cost", "today", "train_priced"]

SECONDS_PER_HOUR = 3600
TENURES = ("on_demand", "month", "reserved")
"""Rents that are looked for, in this order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCost:
    """Rent of a run's nodes and on which evidence, energy at the meter; None where no price or power is known.

    `system_watts` is the mean power of the systems, without what the site adds. Spare nodes are not counted.
    """

    rent: float | None
    rent_basis: str
    currency: str
    energy_joules: float | None
    system_watts: float | None
    assumed: tuple[Assumed, ...]


def train_priced(
    question: TrainingQuestion, run: RunQuestion, market: MarketQuestion
) -> tuple[TrainingSearch, WallClock | None, RunCost | None]:
    """Answer a training question, and where the length of the run is told put it on the wall's clock and price it.

    Raises InputError with every fault at once, InfeasibleError where nothing fits or the run never ends.
    """
    if faults := [*faults_of(question), *run_faults(run), *market_faults(market)]:
        raise InputError(faults)
    found, whole = train_run(question, run)
    if whole is None:
        return found, None, None
    box = box_of(question)
    return found, whole, run_cost(box, question.nodes, found.estimates[0], whole, market)


def run_cost(
    system: System, nodes: int, estimate: TrainingEstimate, clock: WallClock, market: MarketQuestion
) -> RunCost:
    """Price a run whose step and whose time on the wall are known."""
    from suanli.estimate.energy import drawn_by

    hourly, basis = rent_per_hour(system, market)
    drawn = drawn_by(system, nodes, estimate.seconds_by_cause, clock, market.region)
    hours = nodes * system.accelerators * clock.wall_seconds / SECONDS_PER_HOUR
    return RunCost(
        rent=None if hourly is None else hourly * hours,
        rent_basis=basis,
        currency=market.currency,
        energy_joules=None if drawn is None else drawn.energy_joules,
        system_watts=None if drawn is None else drawn.system_watts,
        assumed=() if drawn is None else drawn.assumed,
    )


def rent_per_hour(system: System, market: MarketQuestion) -> tuple[float | None, str]:
    """Return what an accelerator costs for an hour and on which evidence; None where no price is known."""
    from suanli.catalogue.market import rent_quote

    for tenure in TENURES:
        quote = rent_quote(system.id, tenure, market.as_of, market.region, market.currency)
        if quote is not None:
            said = {"tenure": tenure.replace("_", " "), "basis": quote.basis, "offers": len(quote.evidence)}
            return quote.price_per_accelerator_hour.value, tr("{tenure}: {basis}, {offers} offers", **said)
    return None, tr("no price known")
