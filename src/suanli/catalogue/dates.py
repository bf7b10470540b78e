"""Dates as sources print them: a day, a month or a year; what is only dated to a month is known at that month's end."""

from __future__ import annotations

import calendar
import datetime
import functools
import re

from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

PRINTED = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
MONTHS_A_YEAR = 12


def is_date(text: str) -> bool:
    """Say whether a text is a real day (2023-05-16), month (2023-05) or year (2023)."""
    return _parts(text) is not None


def _parts(text: str) -> tuple[int, int | None, int | None] | None:
    found = PRINTED.fullmatch(text)
    if not found:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        datetime.date(year or 0, 1 if month is None else month, 1 if day is None else day)
    except ValueError:
        return None
    return (year or 0, month, day)


def _known_parts(text: str, place: str) -> tuple[int, int | None, int | None]:
    parts = _parts(text)
    if parts is None:
        allowed = tr("a date such as 2023, 2023-05 or 2023-05-16")
        raise InputError.single(place=place, found=f"'{text}'", allowed=allowed)
    return parts


@functools.cache
def first_day(text: str, place: str = "date") -> datetime.date:
    """Return the first day of the printed period. Raises InputError where it is no date."""
    year, month, day = _known_parts(text, place)
    return datetime.date(year, month or 1, day or 1)


@functools.cache
def last_day(text: str, place: str = "date") -> datetime.date:
    """Return the last day of the printed period: when a fact so dated is surely known.

    Raises InputError where it is no date.
    """
    year, month, day = _known_parts(text, place)
    month = month or MONTHS_A_YEAR
    return datetime.date(year, month, day or calendar.monthrange(year, month)[1])


def months_between(earlier: datetime.date, later: datetime.date) -> float:
    """Return how many months lie between two days (a month is a twelfth of a mean year)."""
    return (later - earlier) / datetime.timedelta(days=365.25) * MONTHS_A_YEAR


@functools.cache
def middle_day(text: str, place: str = "date") -> datetime.date:
    """Return the middle of the printed period: when a price so dated is taken to have held.

    Raises InputError where it is no date.
    """
    first, last = first_day(text, place), last_day(text, place)
    return first + (last - first) / 2
