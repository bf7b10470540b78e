"""Numbers as people read them: money, dates, seconds, bytes, watts, in the language in force."""

from __future__ import annotations

import math

from suanli.foundation.calendar import SECONDS_PER_MONTH
from suanli.foundation.language import language, tr

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60.0, 3600.0, 86400.0
"""Definitions of the calendar's units in seconds."""
TEN_MINUTES_SECONDS = 600.0
"""Up to here a duration is told in seconds, as steps are."""
KWH_JOULES = 3.6e6
"""A kilowatt-hour: 1000 W for 3600 s."""
GIB_BYTES = 2.0**30
"""A gibibyte."""
PREFIXES = (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))
"""SI prefixes with their factors, greatest first."""
SHORT_SCALE = (("T", 1e12), ("B", 1e9), ("M", 1e6))
"""English short names of great counts."""
MYRIAD_SCALE = (("亿", 1e8), ("万", 1e4))
"""Chinese names of great counts, in steps of ten thousand."""
CURRENCY_WORDS = {"CNY": "元", "USD": "美元", "EUR": "欧元", "JPY": "日元"}
DIGITS, ESTIMATE_DIGITS = 4, 3
"""Significant digits of shown money and of shown estimates; whole numbers stand in the JSON and in the workbook."""
FINE_DIGITS = 15
"""As many as a number of the machine holds: rounding is done before."""
LEAST_PART = 0.01
"""The least part of a system that is told to the hundredth."""
ABSENT = "–"
LEAST_SHARE = 1e-6
"""Any smaller share is told as nothing."""
THOUSAND_DAYS_SECONDS = 1000 * DAY_SECONDS
"""Failures are counted over so long, as the field does."""


def digits(value: float, places: int = DIGITS) -> str:
    """Write a number with so many significant digits, thousands grouped and no exponent."""
    if not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    decimals = max(0, places - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scaled(value: float, scale: tuple[tuple[str, float], ...]) -> tuple[str, str]:
    """Divide by the greatest factor that leaves 1 or more; return the number and the factor's name."""
    for name, factor in scale:
        if abs(value) >= factor:
            return digits(value / factor), name
    return digits(value), ""


def count(value: float) -> str:
    """Write a pure count: 65.2 B, or 652 亿 in Chinese."""
    number, name = scaled(value, MYRIAD_SCALE if language() == "zh" else SHORT_SCALE)
    return f"{number} {name}".strip()


def money(amount: float, currency: str) -> str:
    """Write money briefly: CNY 30.74 M, or 3,074 万元 in Chinese."""
    if language() == "zh":
        number, name = scaled(amount, MYRIAD_SCALE)
        return f"{number} {name}{CURRENCY_WORDS.get(currency, currency)}"
    number, name = scaled(amount, SHORT_SCALE)
    return f"{currency} {number} {name}".strip()


def exact_money(amount: float, currency: str) -> str:
    """Write money to the cent."""
    return f"{currency} {amount:,.2f}" if math.isfinite(amount) else ABSENT


def seconds(value: float) -> str:
    """Write a duration in the unit that fits it."""
    size = abs(value)
    if size >= 2 * DAY_SECONDS:
        return tr("{number} days", number=digits(value / DAY_SECONDS, ESTIMATE_DIGITS))
    if size >= 2 * HOUR_SECONDS:
        return tr("{number} h", number=digits(value / HOUR_SECONDS, ESTIMATE_DIGITS))
    if size >= TEN_MINUTES_SECONDS:
        return tr("{number} min", number=digits(value / MINUTE_SECONDS, ESTIMATE_DIGITS))
    if size >= 1 or size == 0:
        return f"{digits(value, ESTIMATE_DIGITS)} s"
    thousandths = size >= 1e-3
    return f"{digits(value * (1e3 if thousandths else 1e6), ESTIMATE_DIGITS)} {'ms' if thousandths else 'µs'}"


def gibibytes(value: float) -> str:
    """Write memory in GiB."""
    return f"{digits(value / GIB_BYTES, ESTIMATE_DIGITS)} GiB"


def watts(value: float) -> str:
    """Write power in the unit that fits it."""
    return quantity(value, "W")


def percent(value: float) -> str:
    """Write a share as a percentage; less than a millionth is nothing."""
    if not math.isfinite(value):
        return ABSENT
    return f"{digits(100 * value, 3) if abs(value) >= LEAST_SHARE else 0} %"


def systems(value: float) -> str:
    """Write how many systems, whole or in part: to the hundredth, and what is less to its first digit."""
    if not math.isfinite(value):
        return ABSENT
    return digits(value, 1) if abs(value) < LEAST_PART else digits(round(value, 2), FINE_DIGITS)


def quantity(value: float, unit: str) -> str:
    """Write an SI quantity in the unit that people of the field use for it."""
    if unit in ("s", "second"):
        return seconds(value)
    if unit.endswith("/J"):
        return f"{digits(value * KWH_JOULES)} {unit.removesuffix('/J')}/kWh"
    if unit in CURRENCY_WORDS:
        return money(value, unit)
    if unit.removesuffix("/s") in CURRENCY_WORDS:
        return tr("{money} a month", money=money(value * SECONDS_PER_MONTH, unit.removesuffix("/s")))
    if unit == "1/s":
        return tr("{number} in 1,000 days", number=digits(value * THOUSAND_DAYS_SECONDS))
    if unit in ("B", "B/s", "FLOP", "FLOP/s", "W", "J"):
        number, prefix = scaled(value, PREFIXES)
        return f"{number} {prefix}{unit}"
    if unit in ("month", "months"):
        return tr("{number} months", number=digits(value))
    return f"{digits(value)} {unit.removeprefix('1')}".strip()


def band(low: str, high: str) -> str:
    """Write an 80 % band."""
    return tr("{low} to {high}", low=low, high=high)
