"""One training job on several systems and sizes: time, rent and energy of each, and which of them are worth a look."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suanli.api.train import TrainingQuestion, train
from suanli.domain.comparison import TrainingComparison, TrainingOption
from suanli.foundation.errors import Fault, InfeasibleError, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.hardware import System

__all__ = ["ComparisonQuestion", "TrainingComparison", "TrainingOption", "compare"]

SECONDS_PER_HOUR = 3600
TENURES = ("on_demand", "month", "reserved")
"""Rents that are looked for, in this order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonQuestion:
    """A job, the systems and node counts to try it on, and how many tokens the whole run has (None: a step alone).

    Rents are those of `region` as known at `as_of` (today unless said) in `currency`. `traced` asks for a trace, which
    only a single system's step has.
    """

    job: TrainingQuestion
    systems: tuple[str, ...]
    nodes: tuple[int, ...]
    total_tokens: float | None = None
    as_of: str = ""
    region: str = "world"
    currency: str = "USD"
    traced: bool = False


def compare(question: ComparisonQuestion) -> TrainingComparison:
    """Search the best layout of every system at every size and put the options side by side.

    Raises InputError with every fault at once, InfeasibleError where no option holds the job.
    """
    _check(question)
    as_of = question.as_of or datetime.date.today().isoformat()
    options = [_option(question, name, nodes, as_of) for name in question.systems for nodes in question.nodes]
    feasible = [one for one in options if one.estimate is not None]
    if not feasible:
        raise InfeasibleError(
            limit=tr("No system at any size holds the job."),
            relief=" ".join(f"{one.system_id} x {one.nodes}: {one.reason}" for one in options),
        )
    assumed = feasible[0].estimate.assumed if feasible[0].estimate else ()
    if question.total_tokens is not None:
        options = _with_front(options)
        said = tr("rents of {region} as of {date}", region=question.region, date=as_of)
        assumed = (*assumed, said, tr("systems draw their full power throughout; cooling is left out"))
    return TrainingComparison(
        options=tuple(options), total_tokens=question.total_tokens, currency=question.currency, assumed=assumed
    )


def _check(question: ComparisonQuestion) -> None:
    faults = []
    if question.total_tokens is not None and not 0 < question.total_tokens < float("inf"):
        faults.append(Fault(place="--tokens", found=str(question.total_tokens), allowed=tr("a number above 0")))
    if question.traced:
        faults.append(Fault(place="--trace", found=tr("a comparison"), allowed=tr("one system at one size")))
    if faults:
        raise InputError(faults)


def _option(question: ComparisonQuestion, name: str, nodes: int, as_of: str) -> TrainingOption:
    """Search one system at one size, and price the run."""
    from suanli.catalogue.find import system
    from suanli.equations.energy import energy_joules

    box = system(name, place="--system")
    plain = TrainingOption(system_id=box.id, nodes=nodes, accelerators=nodes * box.accelerators)
    try:
        best = train(replace(question.job, system=name, nodes=nodes, search=True, keep=1))[0]
    except InfeasibleError as error:
        return replace(plain, reason=str(error))
    if question.total_tokens is None:
        return replace(plain, estimate=best)
    seconds = question.total_tokens / best.tokens_per_s
    rent, basis = _rent_per_hour(question, box, as_of)
    watts = None if box.power_watts is None else box.power_watts.value * nodes
    return replace(
        plain,
        estimate=best,
        run_seconds=seconds,
        rent=None if rent is None else rent * plain.accelerators * seconds / SECONDS_PER_HOUR,
        rent_basis=basis,
        energy_joules=None if watts is None else float(energy_joules(watts, seconds)),
    )


def _rent_per_hour(question: ComparisonQuestion, box: System, as_of: str) -> tuple[float | None, str]:
    """Return what an accelerator costs for an hour and on which evidence; None where no price is known."""
    from suanli.catalogue.market import rent_quote

    for tenure in TENURES:
        quote = rent_quote(box.id, tenure, as_of, question.region, question.currency)
        if quote is not None:
            said = {"tenure": tenure.replace("_", " "), "basis": quote.basis, "offers": len(quote.evidence)}
            return quote.price_per_accelerator_hour.value, tr("{tenure}: {basis}, {offers} offers", **said)
    return None, tr("no price known")


def _with_front(options: Sequence[TrainingOption]) -> list[TrainingOption]:
    from suanli.estimate.front import on_front

    priced = [(one.run_seconds, one.rent, one.energy_joules) for one in options]
    return [
        replace(one, on_front=front and one.estimate is not None)
        for one, front in zip(options, on_front(priced), strict=True)
    ]
