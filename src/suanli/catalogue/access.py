"""Who may have what, where and when: release dates and export rules, as they stood at a date and no later."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Mapping

from suanli.catalogue.dates import first_day
from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.domain.hardware import Accelerator, System
from suanli.domain.market import Access, Availability
from suanli.foundation.language import tr

CLAUSE = re.compile(r"(until|no-before|licence-from)-(\d{4}-\d{2}-\d{2})")
CHINA = "china"
WORLD = "world"


@functools.cache
def _region_words() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Read what offers print and what users say into parts of the world."""
    said = dict(read_plain(DATA / "regions.yaml").data)
    names = said.pop("names")
    printed = {text: part for part, texts in said.items() for text in texts}
    return printed, {str(text): part for part, texts in names.items() for text in texts}


def region_names() -> frozenset[str]:
    """Return the regions that the market knows by name, in lower case."""
    return frozenset(_region_words()[1])


def part_of_offer(region: str) -> str:
    """Return the part of the world that an offer's region lies in; `world` where it is of none."""
    return _region_words()[0].get(region, part_of_world(region))


def part_of_world(region: str) -> str:
    """Return the part of the world that a user's region names, by its words; `world` where none is known.

    >>> part_of_world("Shanghai, China")
    'china'
    """
    words = _region_words()[1]
    plain = region.strip().lower()
    for text in (plain, *re.split(r"[,/;()]+\s*|\s{2,}", plain)):
        if text.strip() in words:
            return words[text.strip()]
    return WORLD


def availability(accelerator: Accelerator, as_of: datetime.date, region: str) -> Availability:
    """Say whether an accelerator could be had in a region at a date, by its release and the export rules of then."""
    if not accelerator.released:
        return Availability(access=Access.UNRELEASED, since="", reason=tr("no release date is known"))
    if first_day(accelerator.released) > as_of:
        return Availability(access=Access.UNRELEASED, since="", reason=tr("not released at that date"))
    if part_of_world(region) != CHINA:
        reason = tr("export rules hold for China alone")
        return Availability(access=Access.FREE, since=accelerator.released, reason=reason)
    return _in_china(accelerator, as_of)


def system_availability(system: System, as_of: datetime.date, region: str) -> Availability:
    """Say whether a system could be had: both it and its accelerators must be."""
    if system.released and first_day(system.released) > as_of:
        return Availability(access=Access.UNRELEASED, since="", reason=tr("not released at that date"))
    return availability(system.accelerator, as_of, region)


def _in_china(accelerator: Accelerator, as_of: datetime.date) -> Availability:
    said, released = accelerator.china_export, accelerator.released
    if said in ("yes", ""):
        access = Access.FREE if said else Access.UNKNOWN
        reason = tr("no export rule is in its way") if said else tr("its export status is not known")
        return Availability(access=access, since=released, reason=reason)
    if said == "no":
        return Availability(access=Access.FORBIDDEN, since=released, reason=tr("US export rules"))
    state = Availability(access=Access.FREE, since=released, reason=tr("no export rule was in its way yet"))
    for word, day in CLAUSE.findall(said):
        if word == "no-before" and as_of < datetime.date.fromisoformat(day):
            state = Availability(access=Access.FORBIDDEN, since=released, reason=tr("US export rules"))
        elif word == "until" and as_of >= datetime.date.fromisoformat(day):
            state = Availability(access=Access.FORBIDDEN, since=day, reason=tr("US export rules since {day}", day=day))
        elif word == "licence-from" and as_of >= datetime.date.fromisoformat(day):
            reason = tr("by US licence, case by case, since {day}", day=day)
            state = Availability(access=Access.LICENCE, since=day, reason=reason)
    return state
