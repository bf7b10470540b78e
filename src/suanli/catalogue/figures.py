"""Files to figures: numbers and units as printed become SI, with the range of their kind where none is given."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.catalogue.plain_yaml import read_plain
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr
from suanli.foundation.units import COMMON_UNITS, si_factor, to_si

DATA = Path(__file__).parent.parent / "data"
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultRanges:
    """How far a figure may be off by its kind (factors of the value), and by quantity where that is known better."""

    by_kind: Mapping[Kind, Range]
    by_quantity: Mapping[str, Mapping[Kind, Range]]

    def of(self, kind: Kind, quantity: str) -> Range:
        """Return the factors (low, high) of a kind, for one quantity."""
        return self.by_quantity.get(quantity, {}).get(kind, self.by_kind[kind])


@functools.cache
def default_ranges() -> DefaultRanges:
    """Read the default ranges from `data/kinds.yaml`."""
    said = read_plain(DATA / "kinds.yaml").data
    return DefaultRanges(
        by_kind=_ranges(said["kinds"]),
        by_quantity={name: _ranges(kinds) for name, kinds in said["quantities"].items()},
    )


def _ranges(said: Mapping[str, Any]) -> dict[Kind, Range]:
    return {Kind(kind): (float(factors["low"]), float(factors["high"])) for kind, factors in said.items()}


@functools.cache
def _known_factors() -> Mapping[str, Mapping[str, float]]:
    return {into: dict(units) for into, units in read_plain(DATA / "unit_factors.yaml").data.items()}


def listed_factor(unit: str, into: str) -> float | None:
    """Return what one of `unit` is in `into` where the list of common units has it, without asking pint."""
    return 1.0 if unit == into else _known_factors().get(into or "1", {}).get(unit)


def in_si(value: float, unit: str, into: str, place: str) -> float:
    """Convert a printed number to SI, by the list of common units where they stand in it.

    Raises InputError where the unit is unknown or of another dimension.
    """
    factor = listed_factor(unit, into)
    return to_si(value, unit, into, place) if factor is None else value * factor


def unit_factor(unit: str, into: str) -> float | None:
    """Return what one of `unit` is in the SI unit `into`, or None where it is unknown or of another dimension."""
    known = listed_factor(unit, into)
    return known if known is not None else si_factor(unit, "" if into == "1" else into)


def seconds_of(span: str) -> float:
    """Return the seconds of a span such as `h`, `month` or `year`. Raises KeyError on any other."""
    return _known_factors()["s"][span]


def units_like(into: str) -> list[str]:
    """List the common units of the same dimension as `into`, for a fault to suggest."""
    return [into, *(unit for unit in _known_factors().get(into, {}) if unit != into)] if into else list(COMMON_UNITS)


def with_range(
    value: float, low: float | None, high: float | None, kind: Kind, quantity: str = ""
) -> tuple[float, float, bool]:
    """Return low, high, and whether the source gave them; what it did not give comes from the kind."""
    factors = default_ranges().of(kind, quantity)
    spread = sorted((value * factors[0], value * factors[1]))
    return (
        spread[0] if low is None else low,
        spread[1] if high is None else high,
        low is not None or high is not None,
    )


def printed_figure(
    *, value: float, unit: str, into: str, kind: Kind, source: str, date: str, place: str,
    low: float | None = None, high: float | None = None, quantity: str = "", note: str = "",
) -> Figure:  # fmt: skip
    """Make a figure in SI of a number as its source prints it.

    Raises InputError where the unit is unknown or of another dimension, or the number is not finite.
    """
    factor = unit_factor(unit, into)
    if factor is None:
        known = units_like(into)
        raise InputError.single(
            place=place, found=tr("unit '{unit}'", unit=unit), allowed=", ".join(known), hint=did_you_mean(unit, known)
        )
    if not math.isfinite(value):
        raise InputError.single(place=place, found=str(value), allowed=tr("a finite number"))
    least, most, given = with_range(value, low, high, kind, quantity)
    return Figure(
        value=value * factor, unit=into, low=least * factor, high=most * factor, kind=kind, source=source, date=date,
        range_given=given, note=note,
    )  # fmt: skip
