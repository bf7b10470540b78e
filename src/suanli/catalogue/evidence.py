"""Offers as evidence of one quantity: made comparable, weighed by age, with the trend that they show."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass

from suanli.catalogue.assumptions import assumption
from suanli.catalogue.dates import first_day, middle_day, months_between
from suanli.catalogue.figures import seconds_of
from suanli.domain.market import Offer
from suanli.equations.market import (
    band_factor,
    carried_log_price,
    evidence_weight,
    quote_error,
    shrunk,
    shrunk_error,
    slope_error,
)
from suanli.foundation.figure import Figure, Kind

BAND_DEVIATIONS = 1.2816
"""Standard deviations from the middle to the end of an 80 % band of a normal figure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One offer made comparable: the logarithm of its price, the spread that it prints, its age, and its series.

    Offers of one series differ by time alone: same item, same basis, same seller's region.
    """

    offer: Offer
    log_price: float
    log_spread: float
    age_months: float
    series: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LogTrend:
    """Change of the logarithm of a price in a month, with its standard error."""

    value: float
    error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LogQuote:
    """A price in logarithms: the middle, its standard error, the age of the evidence, and what was used."""

    value: float
    error: float
    age_months: float
    used: tuple[Evidence, ...]


def months_of(name: str) -> float:
    """Return an assumed span of the market in months."""
    return assumption(f"market.{name}").value / seconds_of("month")


def evidence_of(offer: Offer, factor: float, as_of: datetime.date, series: tuple[str, ...]) -> Evidence:
    """Make an offer comparable by a factor; what is told of an earlier day is as old as that day."""
    amount = offer.amount
    held = middle_day(offer.held or offer.date)
    return Evidence(
        offer=offer,
        log_price=math.log(amount.value * factor),
        log_spread=math.log(amount.high / amount.low) / (2 * BAND_DEVIATIONS),
        age_months=max(months_between(held, as_of), 0.0),
        series=series,
    )


def trend(evidence: Sequence[Evidence], indices: Sequence[Offer]) -> LogTrend:
    """Read the trend off dated evidence: one slope through all series, printed changes, and a cautious prior."""
    prior = assumption("market.trend_prior").value
    found = LogTrend(value=prior, error=assumption("market.trend_prior_error").value)
    slope = _slope([item for item in evidence if item.age_months <= months_of("trend_window")])
    for seen in ([slope] if slope else []) + [_printed_change(offer) for offer in indices]:
        found = LogTrend(
            value=float(shrunk(seen.value, seen.error, found.value, found.error)),
            error=float(shrunk_error(seen.error, found.error)),
        )
    return found


def _slope(evidence: Sequence[Evidence]) -> LogTrend | None:
    """Fit one slope through several series, each with a level of its own."""
    by_series: dict[tuple[str, ...], list[Evidence]] = {}
    for item in evidence:
        by_series.setdefault(item.series, []).append(item)
    square_sum = cross_sum = 0.0
    centred: list[tuple[float, float]] = []
    for items in by_series.values():
        middle_time = sum(-item.age_months for item in items) / len(items)
        middle_price = sum(item.log_price for item in items) / len(items)
        centred += [(-item.age_months - middle_time, item.log_price - middle_price) for item in items]
    square_sum = sum(time**2 for time, _ in centred)
    cross_sum = sum(time * price for time, price in centred)
    if square_sum <= 1.0:
        return None
    slope = cross_sum / square_sum
    freedom = len(centred) - len(by_series) - 1
    residual = math.sqrt(sum((price - slope * time) ** 2 for time, price in centred) / freedom) if freedom > 0 else 0.0
    noise = max(residual, assumption("market.price_noise").value)
    return LogTrend(value=slope, error=float(slope_error(noise, square_sum)))


def _printed_change(offer: Offer) -> LogTrend:
    """Turn a printed change over a period (A800 up 20 % from December to April) into a change in a month."""
    months = months_between(first_day(offer.held_from), middle_day(offer.held or offer.date))
    noise = assumption("market.index_noise").value
    return LogTrend(value=math.log1p(offer.amount.value) / months, error=noise / months)


def quote(evidence: Sequence[Evidence], way: LogTrend, basis_error: float) -> LogQuote:
    """Weigh evidence by age into one price: newest first, the rest carried along the trend; wider with age."""
    newest = min(item.age_months for item in evidence)
    used = [item for item in evidence if item.age_months <= max(newest + months_of("half_life"), months_of("window"))]
    most = months_of("carry")
    weights = [float(evidence_weight(item.age_months - newest, months_of("half_life"))) for item in used]
    prices = [float(carried_log_price(item.log_price, way.value, item.age_months, most)) for item in used]
    whole = sum(weights)
    middle = sum(weight * price for weight, price in zip(weights, prices, strict=True)) / whole
    variance = sum(
        weight * ((price - middle) ** 2 + item.log_spread**2)
        for weight, price, item in zip(weights, prices, used, strict=True)
    )
    error = quote_error(math.sqrt(variance / whole), assumption("market.drift").value, newest, basis_error)
    return LogQuote(value=middle, error=float(error), age_months=newest, used=tuple(used))


def price_figure(found: LogQuote, unit: str, as_of: str, *, estimated: bool, note: str) -> Figure:
    """Make a figure of a quote; its source and kind are those of the best of its newest evidence."""
    newest = sorted(found.used, key=lambda item: (item.age_months, list(Kind).index(item.offer.amount.kind)))[0]
    factor = float(band_factor(found.error, BAND_DEVIATIONS))
    value = math.exp(found.value)
    return Figure(
        value=value, unit=unit, low=value / factor, high=value * factor, range_given=True, date=as_of, note=note,
        kind=Kind.ESTIMATE if estimated else newest.offer.amount.kind, source=newest.offer.amount.source,
    )  # fmt: skip


def trend_figure(way: LogTrend, as_of: str, *, seen: bool) -> Figure:
    """Make a figure of a trend: the relative change in a month."""
    ends = [math.expm1(way.value + side * BAND_DEVIATIONS * way.error) for side in (-1, 0, 1)]
    return Figure(
        value=ends[1], unit="1", low=ends[0], high=ends[2], kind=Kind.DERIVED if seen else Kind.ASSUMPTION,
        source="suanli_assumption" if not seen else "precision_weighting", date=as_of, range_given=True,
    )  # fmt: skip
