"""Scaling questions: with so much arithmetic, money, or so many chips until a deadline, what to train and on what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suanli.api.scaling_checks import ScalingQuestion, faults_of
from suanli.api.words import name_in_words
from suanli.domain.scaling import Batch, Rent, ScalingAnswer, Shape, Size, Split, StopsPaying
from suanli.domain.wall_clock import Upkeep
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.market import RentQuote
    from suanli.domain.plan import Assumed, Source
    from suanli.planner.run_budget import Advice, Wish

__all__ = ["Batch", "ScalingAnswer", "ScalingQuestion", "scaling"]

DAY_SECONDS = 86400.0
"""Twenty-four hours of sixty minutes."""

HOUR_SECONDS = 3600.0
"""Sixty minutes of sixty seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What the sizes of a run came to: all of them, where they stop paying, the advised one."""

    sizes: tuple[Size, ...] = ()
    stop: StopsPaying | None = None
    chosen: Size | None = None


def scaling(question: ScalingQuestion) -> ScalingAnswer:
    """Answer a scaling question. Raises InputError with every fault at once, InfeasibleError where a limit binds."""
    from suanli.estimate.scaling import all_splits, band_over
    from suanli.planner.run_budget import advise, refuse_trifles

    if faults := faults_of(question):
        raise InputError(faults)
    quote, currency = _rent(question)
    wish = _wish(question, quote, currency)
    flop, nodes = _budget(question, wish)
    advice = advise(wish, flop)
    refuse_trifles(wish, advice)
    found = _sizes(question, wish, advice, nodes) if wish.system is not None else _Found()
    laws = all_splits(advice.flop, wish.parameters, wish.tokens)
    assumed = _assumed(question, found.chosen, quote)
    return ScalingAnswer(
        law=wish.law.id,
        flop=advice.flop,
        parameters=advice.split.parameters,
        tokens=advice.split.tokens,
        tokens_per_parameter=advice.split.tokens / advice.split.parameters,
        loss_nats_per_token=advice.split.loss_nats_per_token,
        band=band_over(laws),
        laws=laws,
        batch=advice.batch,
        serving=advice.serving,
        shape=_shape(advice) if wish.system is not None else None,
        chosen=found.chosen,
        stops_paying=found.stop,
        sizes=found.sizes,
        rent=None if quote is None else _told_rent(quote),
        constants=_constants(),
        assumed=assumed,
        sources=_sources(question, laws, assumed, quote),
    )


def _wish(question: ScalingQuestion, quote: RentQuote | None, currency: str) -> Wish:
    from suanli.catalogue.profile import resolve
    from suanli.catalogue.scaling_laws import find_law
    from suanli.planner.run_budget import Wish

    system, kernels = resolve(question.system) if question.system else (None, None)
    fixed = question.parameters is not None and question.tokens is not None
    return Wish(
        law=find_law(question.law, "--law"),
        parameters=question.parameters,
        tokens=None if fixed else question.tokens,
        serve_tokens=question.serve_tokens,
        upkeep=Upkeep(failures=question.failures),
        system=system,
        kernels=kernels,
        price_per_s=None if quote is None else quote.price_per_accelerator_hour.value / HOUR_SECONDS,
        currency=currency,
    )


def _rent(question: ScalingQuestion) -> tuple[RentQuote | None, str]:
    """Return what an accelerator rents for at the date, where one is told, and in which currency.

    Raises InfeasibleError where money is to be spent and no rent was known.
    """
    from suanli.catalogue.access import CHINA, part_of_world
    from suanli.catalogue.market import rent_quote

    money = question.currency or ("CNY" if part_of_world(question.region) == CHINA else "USD")
    if not question.system or not question.as_of:
        return None, money
    quote = rent_quote(question.system, "month", question.as_of, question.region, money)
    if quote is not None or question.money is None:
        return quote, money
    told = {"system": question.system, "date": question.as_of,
            "region": name_in_words(question.region)}  # fmt: skip
    raise InfeasibleError(
        limit=tr("No rent of {system} was known in {region} at {date}.", **told),
        relief=tr("Choose another system, region or date; `suanli market` tells what was offered."),
    )


def _budget(question: ScalingQuestion, wish: Wish) -> tuple[float, int | None]:
    """Return the budget in arithmetic, and on how many nodes it is spent where that is settled with it."""
    from suanli.catalogue.assumptions import assumption
    from suanli.estimate.scaling import TRAIN_FLOP_PER_TOKEN
    from suanli.planner.run_budget import budget_of_chips, budget_of_money

    if question.flop is not None:
        return question.flop, question.nodes
    if question.parameters is not None and question.tokens is not None:
        return TRAIN_FLOP_PER_TOKEN * question.parameters * question.tokens, question.nodes
    days = question.days
    seconds = assumption("sizing.deadline").value if days is None else days * DAY_SECONDS
    if wish.system is None or wish.kernels is None:
        raise InputError.single(place="--system", found=tr("nothing"), allowed=tr("a system"))
    if question.money is not None:
        return budget_of_money(wish, wish.system, wish.kernels, question.money, seconds)
    nodes = question.nodes or 1
    return budget_of_chips(wish, wish.system, wish.kernels, nodes, seconds), nodes


def _sizes(question: ScalingQuestion, wish: Wish, advice: Advice, nodes: int | None) -> _Found:
    """Weigh a run on doublings of nodes; choose what the budget settled, the deadline needs, or pays best."""
    from suanli.planner.run_budget import proposal_of
    from suanli.planner.run_sizes import at_stop, doublings, meet, size_at, stops_paying

    if wish.system is None or wish.kernels is None:
        return _Found()
    run = proposal_of(wish, advice, wish.system, wish.kernels)
    sizes = doublings(run)
    stop = stops_paying(sizes)
    if nodes is not None:
        chosen = size_at(run, nodes)
        if chosen is None:
            told = {"nodes": nodes, "system": wish.system.name, "enough": sizes[0].nodes}
            raise InfeasibleError(
                limit=tr("No layout of this run fits {nodes} x {system}.", **told),
                relief=tr("{enough} nodes hold it; powers of two share a batch out best.", **told),
            )
        settled = question.flop is None and (question.parameters is None or question.tokens is None)
        if question.days is not None and not settled:
            meet(run, (chosen,), question.days * DAY_SECONDS)
    else:
        chosen = meet(run, sizes, question.days * DAY_SECONDS) if question.days is not None else at_stop(sizes, stop)
    return _Found(sizes=sizes, stop=stop, chosen=chosen)


def _told_rent(quote: RentQuote) -> Rent:
    offers = tuple(offer.id for offer in quote.evidence)
    return Rent(basis=quote.basis, estimated=quote.estimated, offers=offers)


def _shape(advice: Advice) -> Shape:
    from suanli.estimate.shape import model_of_size, shape_of

    return shape_of(model_of_size(advice.split.parameters))


def _assumed(question: ScalingQuestion, chosen: Size | None, quote: RentQuote | None) -> tuple[Assumed, ...]:
    from suanli.catalogue.assumptions import assumption
    from suanli.domain.plan import Assumed
    from suanli.estimate.shape import FIGURES

    names = ["shape.sequence"]
    if question.system:
        names += [*(f"shape.{name}" for name in FIGURES), "sizing.least_gain"]
    if question.money is not None and question.days is None:
        names.append("sizing.deadline")
    own = tuple(Assumed(name=name, figure=assumption(name)) for name in names)
    if quote is not None:
        own += (Assumed(name="rent.accelerator_hour", figure=quote.price_per_accelerator_hour),)
    return own + (chosen.wall_clock.assumed if chosen is not None else ())


def _constants() -> tuple[Assumed, ...]:
    """List the constants of all laws and of the batch, each with its range and source."""
    from suanli.catalogue.scaling_laws import scaling_laws
    from suanli.domain.plan import Assumed

    known = scaling_laws()
    groups = {**{law.id: law.figures for law in known.laws.values()}, "batch": known.batch}
    return tuple(
        Assumed(name=f"{group}.{name}", figure=figure)
        for group, figures in groups.items()
        for name, figure in figures.items()
    )


def _sources(
    question: ScalingQuestion, laws: tuple[Split, ...], assumed: tuple[Assumed, ...], quote: RentQuote | None
) -> tuple[Source, ...]:
    """List every source that the answer draws on, the system's and the offers' behind its rent too, in order of key."""
    from suanli.catalogue.profile import resolve
    from suanli.catalogue.scaling_laws import scaling_laws
    from suanli.catalogue.sources import source_of, sources

    def keys() -> Iterator[str]:
        yield from (law.source for law in laws)
        yield from (figure.source for figure in scaling_laws().batch.values())
        yield from (one.figure.source for one in assumed)
        if question.system:
            box, _ = resolve(question.system)
            yield from (*box.sources, *box.accelerator.sources)
        yield from (offer.amount.source for offer in (quote.evidence if quote is not None else ()))

    return tuple(source_of(key, sources(), question.as_of) for key in sorted(set(keys())))
