"""Months as text, "YYYY-MM": the periods of a plan."""

from __future__ import annotations

import datetime
import math

MONTHS_PER_YEAR = 12
"""By the Gregorian calendar."""

SECONDS_PER_MONTH = 31_557_600 / MONTHS_PER_YEAR
"""A twelfth of the Julian year of 365.25 days of 86,400 s, as units of time count it."""

ROUNDING = 1e-9
"""What a wait may exceed a whole month by and still count as that month: the dust of conversions."""


def month_index(month: str) -> int:
    """Count the months from the year 0 to a month. Raises ValueError where the text is no month.

    >>> month_index("0001-01")
    12
    """
    year, _, number = month.partition("-")
    return datetime.date(int(year), int(number), 1).year * MONTHS_PER_YEAR + int(number) - 1


def month_after(month: str, steps: int) -> str:
    """Return the month so many steps later (earlier where negative).

    >>> month_after("2023-11", 2)
    '2024-01'
    """
    year, number = divmod(month_index(month) + steps, MONTHS_PER_YEAR)
    return f"{year:04d}-{number + 1:02d}"


def month_span(first: str, count: int) -> tuple[str, ...]:
    """List so many months from the first on.

    >>> month_span("2023-12", 2)
    ('2023-12', '2024-01')
    """
    return tuple(month_after(first, step) for step in range(count))


def months_between(first: str, last: str) -> int:
    """Count the steps from one month to another.

    >>> months_between("2023-11", "2024-02")
    3
    """
    return month_index(last) - month_index(first)


def whole_months(seconds: float) -> int:
    """Round a wait up to whole months.

    >>> whole_months(2.5 * SECONDS_PER_MONTH)
    3
    """
    return max(0, math.ceil(seconds / SECONDS_PER_MONTH - ROUNDING))
