"""Of which market prices are asked: its region, the date of what was known, the currency."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.language import tr


def today() -> str:
    """Return the date of today."""
    return datetime.date.today().isoformat()


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketQuestion:
    """Of which market rents are: its region, as known at a date (today unless said), in a currency."""

    as_of: str = field(default_factory=today)
    region: str = "world"
    currency: str = "USD"


def market_faults(market: MarketQuestion) -> list[Fault]:
    """Name everything wrong in what is said of a market."""
    from suanli.catalogue.dates import is_date
    from suanli.catalogue.offers import CURRENCIES

    faults = []
    if not is_date(market.as_of):
        dates = tr("a date such as 2023, 2023-05 or 2023-05-16")
        faults.append(Fault(place="--as-of", found=f"'{market.as_of}'", allowed=dates))
    if market.currency not in CURRENCIES:
        hint = did_you_mean(market.currency, CURRENCIES)
        known = ", ".join(CURRENCIES)
        faults.append(Fault(place="--currency", found=f"'{market.currency}'", allowed=known, hint=hint))
    return faults
