"""The market as of a date, for those who plan: what was offered, what it cost, how long it took, who might have it."""

from __future__ import annotations

from suanli.catalogue.access import system_availability
from suanli.catalogue.dates import last_day
from suanli.catalogue.find import system as find_system
from suanli.catalogue.known_offers import known
from suanli.catalogue.lead_times import lead_time
from suanli.catalogue.load import Catalogue
from suanli.catalogue.purchases import purchase_quote
from suanli.catalogue.rents import rent_quote
from suanli.domain.market import Availability

__all__ = ["access", "known", "lead_time", "purchase_quote", "rent_quote"]


def access(system_id: str, as_of: str, region: str, among: Catalogue | None = None) -> Availability:
    """Say whether a system's accelerator could be had in a region at a date.

    Raises InputError on an unknown system or date.
    """
    return system_availability(find_system(system_id, among), last_day(as_of, "as_of"), region)
