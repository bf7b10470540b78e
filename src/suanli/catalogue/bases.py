"""Ways to a price, from the nearest to the farthest, and how several are weighed into one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from suanli.catalogue.assumptions import CURRENCIES, assumption
from suanli.catalogue.dates import last_day, middle_day, months_between
from suanli.catalogue.evidence import BAND_DEVIATIONS, Evidence, LogQuote, LogTrend, months_of, quote, trend
from suanli.catalogue.known_offers import known
from suanli.catalogue.load import Catalogue
from suanli.catalogue.sources import USER
from suanli.domain.hardware import System
from suanli.domain.market import Offer, OfferKind
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """One way to a price: evidence of one nature, what it is called, how sure it is; lower `rank` is nearer."""

    name: str
    evidence: tuple[Evidence, ...]
    error: float
    estimated: bool


def basis_of(name: str, evidence: tuple[Evidence, ...], error: float, *, own: bool, estimated: bool) -> Basis:
    """Make a way to a price; one from outside the region is less sure, and an estimate."""
    if own:
        return Basis(name=name, evidence=evidence, error=error, estimated=estimated)
    abroad = assumption("market.other_region_error").value
    said = tr("{basis}, from outside the region", basis=name)
    return Basis(name=said, evidence=evidence, error=math.hypot(error, abroad), estimated=True)


def log_range(name: str) -> float:
    """Return the standard error of the logarithm of an assumed figure."""
    return log_error(assumption(name))


def log_error(figure: Figure) -> float:
    """Return the standard error of the logarithm of a figure, from its range."""
    return math.log(figure.high / figure.low) / (2 * BAND_DEVIATIONS)


@dataclass(frozen=True, slots=True)
class Trends:
    """The trend of a basis: its own evidence, and the printed changes of price of the same accelerator."""

    wanted: System
    among: Catalogue
    as_of: str
    region: str

    def indices(self) -> list[Offer]:
        """List the printed changes of price of the accelerator that are fresh enough."""
        lines = known(self.as_of, self.region, self.wanted.accelerator.id, (OfferKind.OTHER,), self.among)
        day = last_day(self.as_of)
        return [
            line.offer
            for line in lines
            if line.offer.raw_kind == "price_index"
            and line.offer.held_from
            and months_between(middle_day(line.offer.held or line.offer.date), day) <= months_of("trend_window")
        ]

    def of(self, basis: Basis) -> LogTrend:
        """Read the trend of a basis."""
        return trend(basis.evidence, self.indices())

    def seen(self, basis: Basis) -> bool:
        """Say whether any evidence tells of a trend at all."""
        return len({item.age_months for item in basis.evidence}) > 1 or bool(self.indices())


def surest(bases: Sequence[tuple[Basis, LogTrend]]) -> tuple[Basis, LogTrend, LogQuote] | None:
    """Weigh the ways to a price by their errors; those much less sure than the surest are left out.

    A user's own offers are taken alone. The error stays that of the surest, since the ways share much of theirs.
    """
    found = [(quote(basis.evidence, way, basis.error), basis, way) for basis, way in bases]
    found = [tried for tried in found if _users(tried[1])] or found
    if not found:
        return None
    first, basis, way = min(found, key=lambda tried: tried[0].error)
    near = [tried for tried in found if tried[0].error <= 2 * first.error]
    weights = [1 / tried[0].error ** 2 for tried in near]
    value = sum(weight * tried[0].value for weight, tried in zip(weights, near, strict=True)) / sum(weights)
    used = {item.offer.id: item for tried in near for item in tried[0].used}
    name = "; ".join(tried[1].name for tried in sorted(near, key=lambda tried: tried[0].error))
    return (
        dataclasses.replace(basis, name=name),
        way,
        dataclasses.replace(first, value=value, used=tuple(used.values())),
    )


def _users(basis: Basis) -> bool:
    return any(item.offer.amount.source.startswith(USER) for item in basis.evidence)


def refuse_unknown_currency(currency: str) -> None:
    """Raise InputError on a currency that no exchange rate is known of."""
    if currency not in CURRENCIES:
        raise InputError.single(place="currency", found=f"'{currency}'", allowed=", ".join(CURRENCIES))
