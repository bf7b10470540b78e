"""What may be had: the systems that the scenario and the market allow, each with the terms of every way to hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from suanli.catalogue.load import Catalogue
from suanli.catalogue.market import lead_time
from suanli.catalogue.purchases import purchase_quote
from suanli.catalogue.rents import rent_quote
from suanli.domain.hardware import System
from suanli.domain.market import Access, Availability, Offer, PurchaseQuote, RentQuote
from suanli.domain.procurement import Choice, Tenure
from suanli.domain.scenario import FleetItem, Quote, QuoteTerms
from suanli.foundation.calendar import SECONDS_PER_MONTH, months_between, whole_months
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr
from suanli.planner import terms
from suanli.planner.terms import Ground

CHINA = "CN"
OPEN = (Access.FREE,)
ASKED_FOR = (Access.FREE, Access.LICENCE, Access.UNKNOWN)
"""A system that the scenario names may also need a licence, or be one of which nothing is known."""

TERMS = {
    Tenure.BOUGHT: QuoteTerms.BUY,
    Tenure.RENTED_HOUR: QuoteTerms.HOUR,
    Tenure.RENTED_MONTH: QuoteTerms.RENT,
    Tenure.RENTED_RESERVED: QuoteTerms.RESERVED,
}
BUILT_ONCE = ("cluster", "pod")
"""Kinds of system that somebody built for a run of his own: had only where the scenario names them."""

RENT_WORDS = {Tenure.RENTED_HOUR: "on_demand", Tenure.RENTED_MONTH: "month", Tenure.RENTED_RESERVED: "reserved"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One choice with its system, and the market evidence behind its price."""

    choice: Choice
    system: System
    estimated: bool
    evidence: tuple[Offer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What may be had, and what was passed over with the reason in words."""

    candidates: tuple[Candidate, ...]
    passed_over: tuple[str, ...]


def find_candidates(ground: Ground, catalogue: Catalogue) -> Market:
    """List every choice that the scenario and the market of its date allow; what one has comes first."""
    passed_over: list[str] = []
    found: list[Candidate] = []
    for tenure in TERMS:
        for system_id in _asked(ground, tenure, catalogue):
            made = _candidate(ground, catalogue.systems[system_id], tenure, catalogue, passed_over)
            if made is not None:
                found.append(made)
    found = _distinct(found)
    fleet = [candidate for item in ground.scenario.fleet for candidate in _held(ground, item, found, catalogue)]
    grown = {candidate.choice.id for candidate in fleet}
    rest = [candidate for candidate in found if candidate.choice.id not in grown]
    return Market(candidates=(*fleet, *rest), passed_over=tuple(dict.fromkeys(passed_over)))


def _named(ground: Ground, tenure: Tenure) -> tuple[str, ...] | None:
    """Return the systems named for one way to hold them (None: any); rents by hour and month are named as one."""
    rules = ground.scenario.market
    if tenure is Tenure.BOUGHT:
        return rules.buy
    return rules.reserved if tenure is Tenure.RENTED_RESERVED else rules.rent


def _asked(ground: Ground, tenure: Tenure, catalogue: Catalogue) -> list[str]:
    """Return the systems to look at for one way to hold them: those named, or all; those of one's own quotes always."""
    rules = ground.scenario.market
    named = _named(ground, tenure)
    quoted = [quote.system_id for quote in rules.quotes if quote.terms is TERMS[tenure]]
    on_the_market = [system.id for system in catalogue.systems.values() if system.system_kind not in BUILT_ONCE]
    wanted = on_the_market if named is None else list(named)
    if rules.domestic_only:
        wanted = [system_id for system_id in wanted if catalogue.systems[system_id].accelerator.origin == CHINA]
    return list(dict.fromkeys([*quoted, *wanted] if named != () else quoted))


def _is_named(ground: Ground, tenure: Tenure, system_id: str) -> bool:
    named = _named(ground, tenure)
    return named is not None and system_id in named


def _candidate(
    ground: Ground, system: System, tenure: Tenure, catalogue: Catalogue, passed_over: list[str]
) -> Candidate | None:
    own = _own_quote(ground, system.id, tenure)
    if own is not None:
        return _of_own_quote(ground, system, tenure, own, catalogue)
    scenario = ground.scenario
    if tenure is Tenure.BOUGHT:
        quote: PurchaseQuote | RentQuote | None = purchase_quote(
            system.id, scenario.as_of, scenario.region, scenario.currency, catalogue
        )
    else:
        quote = rent_quote(system.id, RENT_WORDS[tenure], scenario.as_of, scenario.region, scenario.currency, catalogue)
    named = _is_named(ground, tenure, system.id)
    if quote is None:
        if named:
            passed_over.append(tr("No price of {system} was known by {date}", system=system.name, date=scenario.as_of))
        return None
    if quote.availability.access not in (ASKED_FOR if named else OPEN):
        if named:
            passed_over.append(_closed(system, quote.availability))
        return None
    if isinstance(quote, PurchaseQuote):
        return _bought(ground, system, quote)
    return _rented(ground, system, tenure, quote)


def _closed(system: System, availability: Availability) -> str:
    return tr("{system} could not be had: {reason}", system=system.name, reason=availability.reason)


def _own_quote(ground: Ground, system_id: str, tenure: Tenure) -> Quote | None:
    quotes = [
        quote
        for quote in ground.scenario.market.quotes
        if quote.system_id == system_id and quote.terms is TERMS[tenure]
    ]
    return quotes[-1] if quotes else None


def _of_own_quote(ground: Ground, system: System, tenure: Tenure, own: Quote, catalogue: Catalogue) -> Candidate:
    """Make a candidate of a quote that stands in the scenario."""
    factor = system.accelerators if own.per_accelerator else 1
    figure = Figure(
        value=own.price * factor,
        unit=ground.scenario.currency,
        low=(own.price_low or own.price) * factor,
        high=(own.price_high or own.price) * factor,
        kind=Kind.VENDOR,
        source=f"user:{ground.scenario.path}",
        date=ground.scenario.as_of,
        range_given=own.price_low is not None,
        note=own.source,
    )
    prices = terms.price_path(ground, figure.value, own.trend_per_month or 0.0)
    supply = _supply(ground, own, tenure)
    if tenure is not Tenure.BOUGHT:
        choice = _rent_choice(ground, system, tenure, prices, figure, own.commit_months, supply)
        return Candidate(choice=choice, system=system, estimated=False, evidence=())
    lead_seconds = own.lead_seconds
    if lead_seconds is None:
        scenario = ground.scenario
        lead_seconds = lead_time(system.id, scenario.as_of, scenario.region, catalogue).seconds.value
    choice = _bought_choice(ground, system, prices, figure, lead_seconds, own.lot, supply)
    return Candidate(choice=choice, system=system, estimated=False, evidence=())


def _supply(ground: Ground, own: Quote, tenure: Tenure) -> tuple[float | None, ...]:
    """Return how many systems can be had in each month: none outside the quote's own months."""
    most = _at_once(ground, tenure) if own.supply_per_month is None else own.supply_per_month
    first, last = own.from_month or ground.scenario.months[0], own.until_month or ground.scenario.months[-1]
    return tuple(most if first <= month <= last else 0.0 for month in ground.scenario.months)


def _at_once(ground: Ground, tenure: Tenure) -> float | None:
    """Return how many systems of a kind the market hands out at once; None where nothing is known to cap it."""
    return ground.value("planning.hourly_systems") if tenure is Tenure.RENTED_HOUR else None


def _bought(ground: Ground, system: System, quote: PurchaseQuote) -> Candidate:
    prices = terms.price_path(ground, quote.price.value, quote.trend_per_month.value)
    free: tuple[float | None, ...] = (None,) * ground.months
    choice = _bought_choice(ground, system, prices, quote.price, quote.lead_time.seconds.value, 1, free)
    return Candidate(choice=choice, system=system, estimated=quote.estimated, evidence=quote.evidence)


def _rented(ground: Ground, system: System, tenure: Tenure, quote: RentQuote) -> Candidate:
    prices = terms.price_path(ground, quote.price_per_system_month.value, quote.trend_per_month.value)
    commit = max(1, whole_months(quote.commitment_seconds))
    supply = (_at_once(ground, tenure),) * ground.months
    choice = _rent_choice(ground, system, tenure, prices, quote.price_per_system_month, commit, supply)
    return Candidate(choice=choice, system=system, estimated=quote.estimated, evidence=quote.evidence)


def _bought_choice(
    ground: Ground,
    system: System,
    prices: terms.Money,
    price: Figure,
    lead_seconds: float,
    lot: int,
    supply: tuple[float | None, ...],
) -> Choice:
    leads = (whole_months(lead_seconds),) * ground.months
    return Choice(
        id=f"{system.id}:buy",
        system_id=system.id,
        system_name=system.name,
        tenure=Tenure.BOUGHT,
        price=prices,
        lead_periods=leads,
        lot=lot,
        supply=supply,
        held=0,
        resale=terms.resale(ground, prices, leads),
        watts=terms.watts_of(ground, system),
        rack_units=terms.rack_units_of(ground, system),
        on_site=True,
        running_cost=terms.running_cost(ground, system, prices),
        price_source=price.source,
        price_figure=price,
        domestic=system.accelerator.origin == CHINA,
        extra_cost=terms.beside(ground, prices),
    )


def _rent_choice(
    ground: Ground,
    system: System,
    tenure: Tenure,
    prices: terms.Money,
    price: Figure,
    commit_months: int,
    supply: tuple[float | None, ...],
) -> Choice:
    lead = round(ground.value("lead_time.rent") / SECONDS_PER_MONTH)
    return Choice(
        id=f"{system.id}:{TERMS[tenure].value}",
        system_id=system.id,
        system_name=system.name,
        tenure=tenure,
        price=prices,
        lead_periods=(lead,) * ground.months,
        lot=1,
        supply=supply,
        held=0,
        resale=(0.0,) * ground.months,
        watts=terms.watts_of(ground, system),
        rack_units=terms.rack_units_of(ground, system),
        on_site=False,
        running_cost={},
        price_source=price.source,
        price_figure=price,
        commit_periods=commit_months,
        domestic=system.accelerator.origin == CHINA,
    )


def _distinct(found: Sequence[Candidate]) -> list[Candidate]:
    """Of candidates with equal accelerators held in the same way, keep the one whose price is best known."""
    best: dict[tuple[str, int, Tenure], Candidate] = {}
    for candidate in found:
        key = (candidate.system.accelerator.id, candidate.system.accelerators, candidate.choice.tenure)
        if key not in best or (best[key].estimated and not candidate.estimated):
            best[key] = candidate
    return list(best.values())


def _held(ground: Ground, item: FleetItem, found: Sequence[Candidate], catalogue: Catalogue) -> Iterator[Candidate]:
    """Add what one has: to the pool of the same system where more can be bought, else as a pool of its own."""
    first = max(0, months_between(ground.scenario.months[0], item.available_month))
    if first >= ground.months:
        return
    bought = [candidate for candidate in found if candidate.choice.id == f"{item.system_id}:buy"]
    if bought and first == 0:
        yield replace(bought[0], choice=replace(bought[0].choice, held=item.systems, on_site=item.on_site))
        return
    yield _owned(ground, catalogue.systems[item.system_id], item, first)


def _owned(ground: Ground, system: System, item: FleetItem, first: int) -> Candidate:
    """Make a pool of what one has; what arrives later is a delivery that costs nothing more."""
    nothing = (0.0,) * ground.months
    paid = Figure(
        value=item.paid or 0.0,
        unit=ground.scenario.currency,
        low=item.paid or 0.0,
        high=item.paid or 0.0,
        kind=Kind.VENDOR,
        source=f"user:{ground.scenario.path}",
        date=ground.scenario.as_of,
    )
    choice = _bought_choice(ground, system, nothing, paid, 0.0, 1, nothing)
    arriving = tuple(float(item.systems) if month == first else 0.0 for month in range(ground.months))
    choice = replace(
        choice,
        id=f"{system.id}:{'held' if first == 0 else 'arriving'}",
        tenure=Tenure.OWNED if first == 0 else Tenure.BOUGHT,
        supply=nothing if first == 0 else arriving,
        held=item.systems if first == 0 else 0,
        on_site=item.on_site,
    )
    return Candidate(choice=choice, system=system, estimated=False, evidence=())
