"""Units: files say a number as its source prints it, code is SI only, and a name's last word is its unit."""

from __future__ import annotations

import functools
import re
from typing import Any

from suanli.foundation.errors import InputError, did_you_mean

OWN_UNITS = (
    "FLOP = [arithmetic]",
    "OP = FLOP",
    "token = [text]",
    "request = [request]",
    "accelerator = []",
    "system = []",
    "wafer = []",
    "die = []",
    "CNY = [money_cny]",
    "USD = [money_usd]",
    "EUR = [money_eur]",
    "JPY = [money_jpy]",
)
"""Definitions added to pint's own: field units, and one dimension a currency, since a rate is no unit."""

NAME_UNITS = {
    "flop": "FLOP",
    "bytes": "B",
    "s": "s",
    "seconds": "s",
    "watts": "W",
    "joules": "J",
    "tokens": "token",
    "token": "token",
    "metres": "m",
    "hertz": "1/s",
    "m2": "m**2",
}
"""What the last word of a name says of its unit; any other last word says a pure number."""


COMMON_UNITS = (
    "FLOP", "TFLOP", "FLOP/s", "TFLOP/s", "PFLOP/s", "TOP/s", "B", "kB", "MB", "GB", "TB", "GiB", "TiB", "GB/s", "TB/s",
    "Gbit/s", "W", "kW", "MW", "J", "pJ", "kWh", "s", "ms", "us", "h", "day", "week", "month", "year", "token",
    "token/s", "%", "1", "CNY", "USD", "EUR", "CNY/h", "USD/h", "CNY/month", "USD/month", "CNY/kWh", "USD/kWh",
)  # fmt: skip
"""What a fault suggests from; any unit that pint can read is allowed."""


UNIT_TEXT = re.compile(r"[A-Za-z0-9%()*/ ^-]{1,40}")
"""What a unit may be written with; anything else is refused before a parser sees it."""
POWER = re.compile(r"(?<=[A-Za-z]) ?(?:\*\*|\^) ?-?\d(?!\d)")
"""A unit's power of one digit, the only one there is: a tower of powers would keep a parser at work for ever."""


@functools.cache
def registry() -> Any:
    """Return pint's register of units with the field's own added."""
    import pint

    units: Any = pint.UnitRegistry()
    for definition in OWN_UNITS:
        units.define(definition)
    return units


@functools.cache
def si_factor(unit: str, into: str) -> float | None:
    """Return what one of `unit` is in `into`, or None where the unit is unknown or of another dimension."""
    if not UNIT_TEXT.fullmatch(unit) or "**" in (plain := POWER.sub("", unit)) or "^" in plain:
        return None
    try:
        said, wanted = (registry().Quantity(1.0, text) for text in (unit, into or "dimensionless"))
        if _information(said) != _information(wanted):
            return None
        return float(said.to(wanted.units).magnitude)
    except Exception:  # whatever the parser of another project raises on a text it cannot read: the unit is not known
        return None


def _information(quantity: Any) -> float:
    """Return the power of bits or bytes in a quantity, which pint takes for pure numbers."""
    return float(sum(power for name, power in quantity.unit_items() if name.endswith(("bit", "byte"))))


def to_si(value: float, unit: str, into: str, place: str) -> float:
    """Convert a printed number to the SI unit `into` that code expects.

    Raises InputError where the unit is unknown or of another dimension.
    """
    factor = si_factor(unit, into)
    if factor is None:
        fitting = [known for known in COMMON_UNITS if si_factor(known, into) is not None]
        raise InputError.single(
            place=place,
            found=f"unit '{unit}'",
            allowed=f"a unit of {into or 'a pure number'}" + (f": {', '.join(fitting)}" if fitting else ""),
            hint=did_you_mean(unit, fitting),
        )
    return value * factor


def unit_of_name(name: str) -> str:
    """Read the unit that a name says: `link_bytes_per_s` is B/s, `hop_seconds` is s, `ranks` is a pure number."""
    words = name.split("_per_")
    numerator = NAME_UNITS.get(words[0].rsplit("_", 1)[-1], "")
    denominators = [NAME_UNITS.get(word, "") for word in words[1:]]
    below = "".join(f"/{unit}" for unit in denominators if unit)
    return f"{numerator or '1'}{below}" if below else numerator
