"""One training job on several systems and sizes: time, rent and energy of each, and which of them are worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from suanli.api.run_cost import MarketQuestion, RunCost, market_faults, run_cost
from suanli.api.train import TrainingQuestion, train
from suanli.api.training_question import faults_of
from suanli.api.wall_clock import RunQuestion, job_of, run_faults
from suanli.domain.comparison import TrainingComparison, TrainingOption
from suanli.foundation.errors import Fault, InfeasibleError, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.plan import Assumed
    from suanli.domain.result import TrainingEstimate
    from suanli.domain.wall_clock import WallClock

__all__ = ["ComparisonQuestion", "TrainingComparison", "TrainingOption", "compare"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonQuestion:
    """A job, the systems and node counts to try it on, how long the run is (not asked: a step alone), and the market.

    `traced` asks for a trace, which only a single system's step has.
    """

    job: TrainingQuestion
    systems: tuple[str, ...]
    nodes: tuple[int, ...]
    run: RunQuestion = field(default_factory=RunQuestion)
    market: MarketQuestion = field(default_factory=MarketQuestion)
    traced: bool = False


def compare(question: ComparisonQuestion) -> TrainingComparison:
    """Search the best layout of every system at every size and put the options side by side.

    Raises InputError with every fault at once, InfeasibleError where no option holds the job.
    """
    _check(question)
    told = [_option(question, name, nodes) for name in question.systems for nodes in question.nodes]
    options = [option for option, _ in told]
    feasible = [one.estimate for one in options if one.estimate is not None]
    if not feasible:
        raise InfeasibleError(
            limit=tr("No system at any size holds the job."),
            relief=" ".join(f"{one.system_id} x {one.nodes}: {one.reason}" for one in options),
        )
    assumed = feasible[0].assumed
    if question.run.asked:
        options = _with_front(options)
        market = question.market
        assumed = (*assumed, tr("rents of {region} as of {date}", region=market.region, date=market.as_of))
    figures = {one.name: one for _, used in told for one in used}
    return TrainingComparison(
        options=tuple(options),
        total_tokens=next((one.total_tokens for one in options if one.total_tokens is not None), None),
        currency=question.market.currency,
        assumed=assumed,
        figures=tuple(figures.values()),
    )


def _check(question: ComparisonQuestion) -> None:
    """Raise InputError with what is wrong in any part of the question."""
    jobs = [replace(question.job, nodes=nodes) for nodes in question.nodes]
    faults = list(dict.fromkeys(fault for job in jobs for fault in faults_of(job)))
    faults += [*run_faults(question.run), *market_faults(question.market)]
    if question.traced:
        faults.append(Fault(place="--trace", found=tr("a comparison"), allowed=tr("one system at one size")))
    if faults:
        raise InputError(faults)


def _option(question: ComparisonQuestion, name: str, nodes: int) -> tuple[TrainingOption, tuple[Assumed, ...]]:
    """Search one system at one size, put the run on the wall's clock and price it; say which figures that rests on."""
    from suanli.catalogue.profile import resolve
    from suanli.estimate.wall_clock import wall_clock

    box, _ = resolve(name)
    job = replace(question.job, system=name, nodes=nodes, search=True, keep=1)
    plain = TrainingOption(system_id=box.id, nodes=nodes, accelerators=nodes * box.accelerators)
    try:
        best = train(job)[0]
        if not question.run.asked:
            return replace(plain, estimate=best), ()
        clock = wall_clock(job_of(job, question.run, best))
    except InfeasibleError as error:
        return replace(plain, reason=str(error)), ()
    cost = run_cost(box, nodes, best, clock, question.market)
    return _priced(plain, best, clock, cost), (*clock.assumed, *cost.assumed)


def _priced(plain: TrainingOption, best: TrainingEstimate, clock: WallClock, cost: RunCost) -> TrainingOption:
    return replace(
        plain,
        estimate=best,
        total_tokens=clock.tokens,
        run_seconds=clock.wall_seconds,
        goodput=clock.goodput,
        rent=cost.rent,
        rent_basis=cost.rent_basis,
        energy_joules=cost.energy_joules,
        system_watts=cost.system_watts,
    )


def _with_front(options: Sequence[TrainingOption]) -> list[TrainingOption]:
    from suanli.estimate.front import on_front

    priced = [(one.run_seconds, one.rent, one.energy_joules) for one in options]
    return [
        replace(one, on_front=front and one.estimate is not None)
        for one, front in zip(options, on_front(priced), strict=True)
    ]
