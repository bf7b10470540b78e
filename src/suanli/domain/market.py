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
    empty where the line is of neither (power, staff, colocation). `raw_kind` and `raw_unit` are the source table's own
    words. `date` is when the line was told, so when it became known; `held` is when the price held where that was
    earlier, `held_from` where a change over a period is told. `commitment_seconds` is the term of a reserved rent.
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
    held: str = ""
    held_from: str = ""
    commitment_seconds: float | None = None
    raw_unit: str = ""


class Access(StrEnum):
    """Whether a product can be had in a region at a date."""

    FREE = "free"
    LICENCE = "licence"
    FORBIDDEN = "forbidden"
    UNRELEASED = "unreleased"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Availability:
    """Access to a product in a region, as known at a date, and why."""

    access: Access
    since: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownOffer:
    """An offer that was known at a date; `own_region` is False where it is of the world or of another region."""

    offer: Offer
    own_region: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadTime:
    """How long from order to arrival, by what was known at a date; `basis` says in words what it rests on."""

    seconds: Figure
    basis: str
    evidence: tuple[Offer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PurchaseQuote:
    """What one system costs at a date, and whither the price goes.

    `price` is in `currency` for one system; `trend_per_month` is the relative change in a month (0.03: up 3 %).
    `basis` says in words what the price rests on; `estimated` is True where no offer of the system itself was found.
    """

    system_id: str
    as_of: str
    region: str
    currency: str
    price: Figure
    trend_per_month: Figure
    lead_time: LeadTime
    availability: Availability
    basis: str
    estimated: bool
    evidence: tuple[Offer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RentQuote:
    """What one system costs to rent at a date: by accelerator and hour, and by system and month."""

    system_id: str
    tenure: str
    as_of: str
    region: str
    currency: str
    price_per_accelerator_hour: Figure
    price_per_system_month: Figure
    trend_per_month: Figure
    commitment_seconds: float
    availability: Availability
    basis: str
    estimated: bool
    evidence: tuple[Offer, ...]
