"""What the market lists: offers with number and date, and lead times."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from suanli.foundation.figure import Figure


class OfferKind(StrEnum):
    """What an offer sells, or what a row of market evidence tells."""

    PURCHASE = "purchase"
    RENT_HOUR = "rent_hour"
    RENT_MONTH = "rent_month"
    RESERVED = "reserved"
    SPOT = "spot"
    LEAD_TIME = "lead_time"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One dated line of the market.

    `amount` is in `currency` per `per` for prices (per: system, accelerator, accelerator_hour, system_hour,
    accelerator_month, system_month ...), in seconds for lead times. `item_id` joins to an accelerator or a system;
    empty where the line is of neither (power, staff, colocation). `raw_kind` is the source table's own word.
    """

    id: str
    item: str
    item_id: str
    kind: OfferKind
    raw_kind: str
    amount: Figure
    currency: str
    per: str
    region: str
    date: str
    quote: str
    source_url: str
