"""What the checks of a scenario read, and the small questions that they ask of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from suanli.catalogue.quantity import shown
from suanli.catalogue.scenario_fields import read_date
from suanli.catalogue.scenario_shape import Finding
from suanli.catalogue.yaml_reader import Trail
from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.language import tr

MOST_NAMES_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownNames:
    """The names that a scenario may use; an empty collection leaves its names unchecked.

    `systems` is asked with the paths of the user's own files, since those may bring systems of their own.
    """

    systems: Callable[[tuple[str, ...]], Collection[str]] | None = None
    models: Collection[str] = ()
    frameworks: Collection[str] = ()
    engines: Collection[str] = ()
    number_formats: Collection[str] = ()
    optimizers: Collection[str] = ()
    targets: Collection[str] = ()
    regions: frozenset[str] = frozenset()


@dataclass(kw_only=True, slots=True)
class Facts:
    """What the checks read: the raw data, where its files lie, the names known, the horizon where it can be told."""

    data: dict[str, Any]
    folder: Path
    known: KnownNames
    currencies: frozenset[str]
    systems: Collection[str] = ()
    start: str = ""
    last: str = ""
    findings: list[Finding] = field(default_factory=list)
    file_faults: list[Fault] = field(default_factory=list)

    def tell(self, trail: Trail, found: str, allowed: str, hint: str = "") -> None:
        """Note a fault."""
        self.findings.append(Finding(trail=trail, found=found, allowed=allowed, hint=hint))


def section(data: Any, name: str) -> dict[str, Any]:
    """Return a section of the raw data, empty where it is missing or no mapping."""
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def entries(data: Any, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Walk the mappings of a list of the raw data with their indices."""
    found = data.get(name) if isinstance(data, dict) else None
    for index, entry in enumerate(found if isinstance(found, list) else []):
        if isinstance(entry, dict):
            yield index, entry


def month_of(found: object, days: bool = False) -> str:
    """Return a month that can be read, '' otherwise: the schema tells what is wrong with it."""
    try:
        date = read_date(found, days=days)
    except PydanticCustomError:
        return ""
    year, month, *_ = date.split("-")
    return f"{year}-{month}"


def whole(found: object) -> int | None:
    """Return a whole number, None otherwise."""
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def check_inside(facts: Facts, trail: Trail, month: str) -> None:
    """Tell a month that lies outside the plan."""
    if month and facts.start and facts.last and not facts.start <= month <= facts.last:
        allowed = tr("a month of the plan: {first} to {last}", first=facts.start, last=facts.last)
        facts.tell(trail, f"'{month}'", allowed)


def is_file(path: Path) -> bool:
    """Say whether a path is a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def check_name(facts: Facts, trail: Trail, name: object, known: Collection[str], what: str) -> None:
    """Tell a name that is not known, with the nearest that is."""
    if not known or not isinstance(name, str) or not name or name in known:
        return
    names = sorted(known)
    allowed = ", ".join(names[:MOST_NAMES_SHOWN])
    if len(names) > MOST_NAMES_SHOWN:
        allowed = tr("one of {count}: {names}, ...", count=len(names), names=allowed)
    facts.tell(trail, tr("unknown {what} '{name}'", what=what, name=shown(name)), allowed, did_you_mean(name, names))


def check_systems(facts: Facts, trail: Trail, chosen: object) -> None:
    """Check that the systems of a list are known, and stand in it once."""
    if not isinstance(chosen, list):
        return
    for index, name in enumerate(chosen):
        check_name(facts, (*trail, index), name, facts.systems, tr("system"))
        if isinstance(name, str) and name in chosen[:index]:
            facts.tell((*trail, index), tr("'{name}' a second time", name=shown(name)), tr("each system once"))


def check_order(facts: Facts, trail: Trail, entry: dict[str, Any], first: str, last: str) -> None:
    """Check that of two months of an entry the second is not before the first."""
    start, end = month_of(entry.get(first)), month_of(entry.get(last))
    if start and end and end < start:
        facts.tell((*trail, last), f"'{end}'", tr("{first} ({start}) or a later month", first=first, start=start))
