"""What the market said at a date: offers known then, nothing later, split at the export border."""

from __future__ import annotations

from collections.abc import Sequence

from suanli.catalogue.access import CHINA, WORLD, part_of_offer, part_of_world
from suanli.catalogue.dates import last_day
from suanli.catalogue.load import Catalogue, catalogue
from suanli.domain.market import KnownOffer, Offer, OfferKind


def known(
    as_of: str, region: str = WORLD, item: str = "", kinds: Sequence[OfferKind] = (), among: Catalogue | None = None
) -> tuple[KnownOffer, ...]:
    """List what was offered and known at a date in a region or in the world, newest first.

    A date without a day means the end of its month or year, for the question as for the offers. Other regions' offers
    are left out; those of the world, or of no stated place, are marked as such. Raises InputError on a wrong date.
    """
    day, here = last_day(as_of, "as_of"), part_of_world(region)
    found = [
        KnownOffer(offer=offer, own_region=part_of_offer(offer.region) == here)
        for offer in (among or catalogue()).offers
        if last_day(offer.date) <= day
        and (not item or offer.item_id == item)
        and (not kinds or offer.kind in kinds)
        and _of_region(offer, here)
    ]
    return tuple(sorted(found, key=lambda line: (last_day(line.offer.date), line.offer.id), reverse=True))


def _of_region(offer: Offer, here: str) -> bool:
    return WORLD in (here, part_of_offer(offer.region)) or part_of_offer(offer.region) == here


def markets(as_of: str, region: str, kinds: Sequence[OfferKind], among: Catalogue) -> list[tuple[bool, list[Offer]]]:
    """Split what was known into the region's own market and what lies beyond the export border (China and the rest)."""
    inland = part_of_world(region) == CHINA
    lines = [line.offer for line in known(as_of, WORLD, kinds=kinds, among=among)]
    own = [offer for offer in lines if (part_of_offer(offer.region) == CHINA) is inland]
    return [(True, own), (False, [offer for offer in lines if offer not in own] if inland else [])]
