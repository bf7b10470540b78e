"""What a system costs to buy at a date, and whither its price goes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Sequence

from suanli.catalogue.access import system_availability
from suanli.catalogue.assumptions import assumption, exchange_rate
from suanli.catalogue.bases import Basis, Trends, basis_of, log_range, refuse_unknown_currency, surest
from suanli.catalogue.dates import last_day
from suanli.catalogue.evidence import Evidence, evidence_of, price_figure, trend_figure
from suanli.catalogue.find import is_measured, siblings_of
from suanli.catalogue.find import system as find_system
from suanli.catalogue.known_offers import markets
from suanli.catalogue.lead_times import lead_time
from suanli.catalogue.load import Catalogue, catalogue
from suanli.catalogue.sources import USER
from suanli.domain.hardware import System
from suanli.domain.market import Offer, OfferKind, PurchaseQuote
from suanli.foundation.language import tr

NOT_SOLD = ("cloud_instance", "pod", "cluster")


def purchase_quote(
    system_id: str, as_of: str, region: str, currency: str, among: Catalogue | None = None
) -> PurchaseQuote | None:
    """Return what one system cost at a date, with trend, lead time and evidence; None where nothing was known.

    Clouds' instances, pods and clusters are not for sale. Raises InputError on an unknown system, date or currency.
    """
    everything = among or catalogue()
    if is_measured(system_id):
        refuse_unknown_currency(currency)
        return None
    wanted, day = find_system(system_id, everything), last_day(as_of, "as_of")
    if wanted.system_kind in NOT_SOLD:
        return None
    refuse_unknown_currency(currency)
    way_of = Trends(wanted, everything, as_of, region)
    found = surest([
        (basis, way_of.of(basis))
        for own, offers in markets(as_of, region, (OfferKind.PURCHASE,), everything)
        for basis in _purchase_bases(wanted, offers, everything, day, currency, own)
    ])  # fmt: skip
    if found is None:
        return None
    basis, way, price = found
    return PurchaseQuote(
        system_id=wanted.id, as_of=as_of, region=region, currency=currency,
        price=price_figure(price, currency, as_of, estimated=basis.estimated, note=basis.name),
        trend_per_month=trend_figure(way, as_of, seen=way_of.seen(basis)),
        lead_time=lead_time(wanted.id, as_of, region, everything),
        availability=system_availability(wanted, day, region), basis=basis.name, estimated=basis.estimated,
        evidence=tuple(item.offer for item in price.used),
    )  # fmt: skip


def _purchase_bases(
    wanted: System, offers: Sequence[Offer], among: Catalogue, day: datetime.date, currency: str, own: bool
) -> Iterator[Basis]:
    """Go from the nearest way to a price to the farthest: the system's own offers, like systems, its accelerators."""
    inside, siblings = wanted.accelerator.id, siblings_of(wanted.accelerator.id)
    box = log_range("server_factor.over_cards")
    like, sibling = (assumption(f"market.{name}").value for name in ("like_system_error", "like_accelerator_error"))
    ways: list[tuple[str, Callable[[Offer], bool], float]] = [
        (tr("offers of this system"), lambda offer: offer.item_id == wanted.id, 0.0),
        (tr("offers of like systems with the same accelerators"), lambda offer: _alike(offer, wanted, among), like),
        (tr("price of the accelerator and the rest of the box"), lambda offer: offer.item_id == inside, box),
        (tr("price of a sibling of the accelerator and the rest of the box"),
         lambda offer: offer.item_id in siblings, math.hypot(box, sibling)),
    ]  # fmt: skip
    for rank, (name, fits, error) in enumerate(ways):
        evidence = _evidence(wanted, [offer for offer in offers if fits(offer)], day, currency)
        if evidence:
            yield basis_of(name, evidence, error, own=own, estimated=rank > 0)


def _alike(offer: Offer, wanted: System, among: Catalogue) -> bool:
    other = among.systems.get(offer.item_id)
    return (
        other is not None
        and other.id != wanted.id
        and other.system_kind == wanted.system_kind
        and other.accelerator.id == wanted.accelerator.id
        and other.accelerators == wanted.accelerators
    )


def _evidence(wanted: System, offers: Sequence[Offer], day: datetime.date, currency: str) -> tuple[Evidence, ...]:
    """Make offers comparable: money for one of the wanted system. A user's own offers stand alone."""
    users = [offer for offer in offers if offer.amount.source.startswith(USER)]
    found = []
    for offer in users or offers:
        factor = _systems_in(offer, wanted)
        if factor is not None and offer.amount.value > 0:
            rate = exchange_rate(offer.currency, currency, day).value
            found.append(
                evidence_of(offer, factor * rate, day, (offer.item_id, offer.per, offer.currency, offer.region))
            )
    return tuple(found)


def _systems_in(offer: Offer, wanted: System) -> float | None:
    """Say by what an offer's price is multiplied to be that of one whole system; None where it tells no such price."""
    if offer.per == "system":
        return 1.0
    if offer.per == "accelerator_in_system":
        return float(wanted.accelerators)
    if offer.per == "accelerator":
        return wanted.accelerators * assumption("server_factor.over_cards").value
    return None
