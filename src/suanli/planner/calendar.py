"""Months as the planner counts them: text "YYYY-MM" outside, whole numbers inside."""

from __future__ import annotations

import math

MONTHS_PER_YEAR = 12
SECONDS_PER_MONTH = 31_556_952 / MONTHS_PER_YEAR
"""A twelfth of the mean Gregorian year of 365.2425 days of 86,400 s."""

MONTH_TEXT = len("YYYY-MM")


def month_number(month: str) -> int:
    """Count months since year 0; a longer date counts as its month."""
    return int(month[:4]) * MONTHS_PER_YEAR + int(month[5:MONTH_TEXT]) - 1


def month_text(number: int) -> str:
    """Write a counted month as "YYYY-MM"."""
    return f"{number // MONTHS_PER_YEAR:04d}-{number % MONTHS_PER_YEAR + 1:02d}"


def later(month: str, months: int) -> str:
    """Return the month so many months after (or, negative, before) a month."""
    return month_text(month_number(month) + months)


def months_between(first: str, last: str) -> int:
    """Count the months from one to another; negative where the second is earlier."""
    return month_number(last) - month_number(first)


def whole_months(seconds: float) -> int:
    """Round a wait up to whole months."""
    return max(0, math.ceil(seconds / SECONDS_PER_MONTH - 1e-9))
