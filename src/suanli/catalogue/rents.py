"""What a system costs to rent at a date: by the hour, by the month, reserved for a term, or on the spot."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterator, Mapping, Sequence

from suanli.catalogue.access import system_availability
from suanli.catalogue.assumptions import assumption, exchange_rate
from suanli.catalogue.bases import Basis, Trends, basis_of, log_error, log_range, refuse_unknown_currency, surest
from suanli.catalogue.dates import last_day
from suanli.catalogue.evidence import BAND_DEVIATIONS, Evidence, evidence_of, price_figure, trend_figure
from suanli.catalogue.figures import seconds_of
from suanli.catalogue.find import is_measured, siblings_of
from suanli.catalogue.find import system as find_system
from suanli.catalogue.known_offers import markets
from suanli.catalogue.load import Catalogue, catalogue
from suanli.catalogue.sources import USER
from suanli.domain.hardware import System
from suanli.domain.market import Offer, OfferKind, RentQuote
from suanli.equations.market import band_factor
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr

RENTED: Mapping[str, tuple[OfferKind, ...]] = {
    "on_demand": (OfferKind.RENT_HOUR, OfferKind.RENT_MONTH),
    "month": (OfferKind.RENT_HOUR, OfferKind.RENT_MONTH),
    "reserved": (OfferKind.RESERVED,),
    "spot": (OfferKind.SPOT,),
}
"""What each way to rent reads; rents by the hour and by the month are one market, told in two units."""


def rent_quote(
    system_id: str, tenure: str, as_of: str, region: str, currency: str, among: Catalogue | None = None
) -> RentQuote | None:
    """Return what one system cost to rent at a date (tenure: on_demand, month, reserved, spot); None where not known.

    Where no reserved rent was known in the region, or a dearer one from outside, it is the on-demand rent less the
    usual discount, and says so.
    Raises InputError on an unknown system, tenure, date or currency.
    """
    if tenure not in RENTED:
        raise InputError.single(place="tenure", found=f"'{tenure}'", allowed=", ".join(RENTED))
    everything = among or catalogue()
    refuse_unknown_currency(currency)
    if is_measured(system_id):
        return None
    wanted, day = find_system(system_id, everything), last_day(as_of, "as_of")
    way_of = Trends(wanted, everything, as_of, region)
    found = surest([
        (basis, way_of.of(basis))
        for own, offers in markets(as_of, region, RENTED[tenure], everything)
        for basis in _rent_bases(wanted, _short_terms(offers), everything, day, currency, own)
    ])  # fmt: skip
    if found is None:
        return _discounted(wanted, as_of, region, currency, everything) if tenure == "reserved" else None
    basis, way, price = found
    if tenure == "reserved" and basis.estimated:
        cheaper = _discounted(wanted, as_of, region, currency, everything)
        if cheaper is not None and cheaper.price_per_accelerator_hour.value < math.exp(price.value):
            return cheaper
    hour = price_figure(price, currency, as_of, estimated=basis.estimated, note=basis.name)
    return RentQuote(
        system_id=wanted.id, tenure=tenure, as_of=as_of, region=region, currency=currency,
        price_per_accelerator_hour=hour, price_per_system_month=_times(hour, wanted.accelerators * _month_hours()),
        trend_per_month=trend_figure(way, as_of, seen=way_of.seen(basis)),
        commitment_seconds=_longest([item.offer for item in price.used]) if tenure == "reserved" else 0.0,
        availability=system_availability(wanted, day, region), basis=basis.name, estimated=basis.estimated,
        evidence=tuple(item.offer for item in price.used),
    )  # fmt: skip


def _discounted(wanted: System, as_of: str, region: str, currency: str, among: Catalogue) -> RentQuote | None:
    """Guess a reserved rent from the on-demand rent, where no reserved one was told."""
    base = rent_quote(wanted.id, "on_demand", as_of, region, currency, among)
    if base is None:
        return None
    discount = assumption("market.reserved_discount")
    note = tr("{basis}, less the usual discount of a reserved rent", basis=base.basis)
    apart = math.hypot(log_range("market.reserved_discount"), log_error(base.price_per_accelerator_hour))
    middle = base.price_per_accelerator_hour.value * discount.value
    factor = float(band_factor(apart, BAND_DEVIATIONS))
    hour = dataclasses.replace(
        base.price_per_accelerator_hour, value=middle, low=middle / factor, high=middle * factor, kind=Kind.ESTIMATE,
        note=note,
    )  # fmt: skip
    return dataclasses.replace(
        base, tenure="reserved", price_per_accelerator_hour=hour, basis=note, estimated=True,
        price_per_system_month=_times(hour, wanted.accelerators * _month_hours()), commitment_seconds=_longest([]),
    )  # fmt: skip


def _month_hours() -> float:
    return seconds_of("month") / seconds_of("h")


def _short_terms(offers: Sequence[Offer]) -> list[Offer]:
    """Leave out terms of more than a year where shorter ones are told of the same item."""
    year = seconds_of("year")
    short = {offer.item_id for offer in offers if (offer.commitment_seconds or 0.0) <= year}
    return [offer for offer in offers if (offer.commitment_seconds or 0.0) <= year or offer.item_id not in short]


def _longest(offers: Sequence[Offer]) -> float:
    """Return the longest term that offers name; a year where none does, as is usual."""
    return max((offer.commitment_seconds or 0.0 for offer in offers), default=0.0) or seconds_of("year")


def _times(figure: Figure, factor: float) -> Figure:
    return dataclasses.replace(figure, value=figure.value * factor, low=figure.low * factor, high=figure.high * factor)


def _rent_bases(
    wanted: System, offers: Sequence[Offer], among: Catalogue, day: datetime.date, currency: str, own: bool
) -> Iterator[Basis]:
    """Read rents of the same accelerator, whoever's box it is in, and of its siblings, by accelerator and hour."""
    siblings = siblings_of(wanted.accelerator.id)
    for inside, name, error in (
        ({wanted.accelerator.id}, tr("rents of the same accelerator"), 0.0),
        (siblings, tr("rents of a sibling of the accelerator"), assumption("market.like_accelerator_error").value),
    ):
        evidence = _hours([offer for offer in offers if _accelerator_in(offer, among) in inside], among, day, currency)
        if evidence:
            yield basis_of(name, evidence, error, own=own, estimated=error > 0)


def _hours(offers: Sequence[Offer], among: Catalogue, day: datetime.date, currency: str) -> tuple[Evidence, ...]:
    users = [offer for offer in offers if offer.amount.source.startswith(USER)]
    found = []
    for offer in users or offers:
        factor = _accelerator_hours(offer, among)
        if factor is not None and offer.amount.value > 0:
            rate = exchange_rate(offer.currency, currency, day).value
            term = str(offer.commitment_seconds or "")
            series = (offer.item_id, offer.per, offer.currency, offer.region, term, offer.amount.source)
            found.append(evidence_of(offer, factor * rate, day, series))
    return tuple(found)


def _accelerator_in(offer: Offer, among: Catalogue) -> str:
    inside = among.systems.get(offer.item_id)
    return offer.item_id if inside is None else inside.accelerator.id


def _accelerator_hours(offer: Offer, among: Catalogue) -> float | None:
    """Say by what a rent is multiplied to be that of one accelerator for one hour; None where it tells no such rent."""
    inside = among.systems.get(offer.item_id)
    if offer.per == "accelerator_hour":
        return 1.0
    if inside is None:
        return None
    if offer.per == "system_hour":
        return 1 / inside.accelerators
    return 1 / (inside.accelerators * _month_hours()) if offer.per == "system_month" else None
