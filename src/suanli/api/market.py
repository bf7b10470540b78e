"""The market as of a date: what was known and offered then, nothing later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.domain.market import Access, Availability, KnownOffer, LeadTime, PurchaseQuote, RentQuote

if TYPE_CHECKING:
    from suanli.catalogue.load import Catalogue


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketLine:
    """One system on the market of a date; None where nothing was known of its price or rent."""

    system_id: str
    system_name: str
    accelerators: int
    availability: Availability
    lead_time: LeadTime
    purchase: PurchaseQuote | None
    rent_month: RentQuote | None
    rent_reserved: RentQuote | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What was known at a date in a region: systems with their quotes, and the offers themselves, newest first.

    `part_of_world` is the market that the region was taken to lie in: `world` too where nobody knows the region.
    """

    as_of: str
    region: str
    part_of_world: str
    currency: str
    systems: tuple[MarketLine, ...]
    offers: tuple[KnownOffer, ...]


ONES_OWN = ("cluster",)
ABROAD = ("cluster", "cloud_instance", "pod")
"""Kinds of system that the whole market of a region leaves out."""


def market(as_of: str, region: str, item: str = "", currency: str = "", overlays: Sequence[Path] = ()) -> Market:
    """Look at the market of a date in a region: one item, or every system for sale or rent then.

    Foreign clouds' instances are left out of China's market.
    Money is in `currency`, by default the region's own. Raises InputError on an unknown item, date or currency.
    """
    from suanli.catalogue import find
    from suanli.catalogue.access import CHINA, part_of_world
    from suanli.catalogue.known_offers import known
    from suanli.catalogue.load import catalogue

    everything = catalogue(*overlays)
    money = currency or ("CNY" if part_of_world(region) == CHINA else "USD")
    told = known(as_of, region, among=everything)
    if item:
        chosen = find.system(item, everything, place="--item")
        lines = [_line(chosen.id, as_of, region, money, everything)]
        boxes = everything.systems.values()
        inside = {box.id for box in boxes if box.accelerator.id == chosen.accelerator.id}
        inside |= {chosen.id, chosen.accelerator.id}
        offers = tuple(line for line in told if line.offer.item_id in inside)
    else:
        hidden = ABROAD if part_of_world(region) == CHINA else ONES_OWN
        lines, offers = _open_lines(as_of, region, money, everything, hidden), told
    return Market(
        as_of=as_of,
        region=region,
        part_of_world=part_of_world(region),
        currency=money,
        systems=tuple(lines),
        offers=offers,
    )


def _line(system_id: str, as_of: str, region: str, currency: str, among: Catalogue) -> MarketLine:
    from suanli.catalogue import find
    from suanli.catalogue import market as quotes

    box = find.system(system_id, among)
    return MarketLine(
        system_id=box.id,
        system_name=box.name,
        accelerators=box.accelerators,
        availability=quotes.access(box.id, as_of, region, among),
        lead_time=quotes.lead_time(box.id, as_of, region, among),
        purchase=quotes.purchase_quote(box.id, as_of, region, currency, among),
        rent_month=quotes.rent_quote(box.id, "month", as_of, region, currency, among),
        rent_reserved=quotes.rent_quote(box.id, "reserved", as_of, region, currency, among),
    )


def _open_lines(as_of: str, region: str, money: str, everything: Catalogue, hidden: Sequence[str]) -> list[MarketLine]:
    """List every released system with a price to buy or to rent, but those of hidden kinds."""
    names = sorted(name for name, box in everything.systems.items() if box.system_kind not in hidden)
    found = [_line(name, as_of, region, money, everything) for name in names]
    out = [line for line in found if line.availability.access is not Access.UNRELEASED]
    return [line for line in out if line.purchase is not None or line.rent_month is not None]
