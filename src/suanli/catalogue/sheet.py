"""One file being read into a noun: each part asked for by name, each fault written down with its line."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from suanli.catalogue.dates import is_date
from suanli.catalogue.figures import printed_figure, unit_factor, units_like
from suanli.catalogue.sources import USER
from suanli.catalogue.yaml_reader import Trail, YamlDocument
from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr

FIGURE_KEYS = ("value", "unit", "source", "date", "kind", "low", "high", "note")
FIGURE_NEEDED = ("value", "unit", "date", "kind")
Word = TypeVar("Word", bound=StrEnum)


@dataclass(kw_only=True, slots=True)
class Sheet:
    """A document with what is known of sources; `owner` is `user:FILE` where a user wrote it, else empty."""

    document: YamlDocument
    known_sources: Collection[str]
    owner: str = ""
    faults: list[Fault] = field(default_factory=list)

    def fault(self, trail: Trail, found: str, allowed: str, hint: str = "") -> None:
        """Write down a fault at a part of the document."""
        self.faults.append(Fault(place=self.document.place(trail), found=found, allowed=allowed, hint=hint))

    def get(self, trail: Trail) -> Any:
        """Return what stands at a trail, or None."""
        here: Any = self.document.data
        for step in trail:
            if not isinstance(here, Mapping) or step not in here:
                return None
            here = here[step]
        return here

    def only(self, trail: Trail, allowed: Collection[str]) -> None:
        """Fault every key of a mapping that is not allowed there."""
        here = self.get(trail)
        if here is None:
            return
        if not isinstance(here, Mapping):
            self.fault(trail, str(here), tr("a mapping with {keys}", keys=", ".join(allowed)))
            return
        for key in here:
            if key not in allowed:
                hint = did_you_mean(key, allowed)
                self.fault((*trail, key), tr("unknown key '{key}'", key=key), ", ".join(allowed), hint)

    def missing(self, trail: Trail, what: str) -> None:
        """Fault a part that is needed and not there."""
        self.fault(trail[:-1], tr("no '{key}'", key=trail[-1]), what)

    def text(self, *trail: str | int, needed: bool = False) -> str:
        """Return a text; a date or number that YAML reads as such stays as it is printed."""
        said = self.get(trail)
        if said is None or said == "":
            if needed:
                self.missing(trail, tr("a text"))
            return ""
        if isinstance(said, bool):
            return "yes" if said else "no"
        if isinstance(said, (dict, list)):
            self.fault(trail, str(said), tr("a text"))
            return ""
        return str(said)

    def date(self, *trail: str | int) -> str:
        """Return a date as printed; empty where none is known."""
        said = self.text(*trail)
        if said and not is_date(said):
            self.fault(trail, f"'{said}'", tr("a date such as 2023, 2023-05 or 2023-05-16"))
            return ""
        return said

    def word(self, kind: type[Word], fallback: Word, *trail: str) -> Word:
        """Return a word of a closed list."""
        said = self.text(*trail, needed=True)
        known = [member.value for member in kind]
        if said and said not in known:
            self.fault(trail, f"'{said}'", ", ".join(known), did_you_mean(said, known))
        return kind(said) if said in known else fallback

    def whole(self, *trail: str, needed: bool = False) -> int | None:
        """Return a whole number of at least one."""
        said = self.get(trail)
        if said is None:
            if needed:
                self.missing(trail, tr("a whole number of at least 1"))
            return None
        if not isinstance(said, int) or isinstance(said, bool) or said < 1:
            self.fault(trail, str(said), tr("a whole number of at least 1"))
            return None
        return said

    def sources(self, *trail: str) -> tuple[str, ...]:
        """Return the list of source keys; a user's own file is its own source."""
        if self.owner:
            return (self.owner,)
        said = self.get(trail)
        if not isinstance(said, list) or not said:
            self.missing(trail, tr("a list of source keys"))
            return ()
        for index, key in enumerate(said):
            self._known_source((*trail, index), str(key))
        return tuple(str(key) for key in said)

    def _known_source(self, trail: Trail, key: str) -> None:
        if key not in self.known_sources:
            allowed = tr("a key of data/sources/")
            self.fault(trail, tr("unknown source '{key}'", key=key), allowed, did_you_mean(key, self.known_sources))

    def figure(self, *trail: str, into: str, quantity: str = "", needed: bool = False) -> Figure | None:
        """Return a figure in SI, or None where it is absent or at fault."""
        said = self.get(trail)
        if said is None:
            if needed:
                self.missing(trail, tr("a figure: {keys}", keys=", ".join(FIGURE_KEYS)))
            return None
        before = len(self.faults)
        self.only(trail, FIGURE_KEYS)
        if not isinstance(said, Mapping):
            return None
        for key in FIGURE_NEEDED if self.owner else (*FIGURE_NEEDED, "source"):
            if said.get(key) is None:
                self.missing((*trail, key), tr("a figure: {keys}", keys=", ".join(FIGURE_KEYS)))
        value, low, high = (self._number((*trail, key), said.get(key)) for key in ("value", "low", "high"))
        self._order(trail, low, value, high)
        unit, date = self.text(*trail, "unit"), self.date(*trail, "date")
        if unit and unit_factor(unit, into) is None:
            known = units_like(into)
            self.fault((*trail, "unit"), tr("unit '{unit}'", unit=unit), ", ".join(known), did_you_mean(unit, known))
        kind = self.word(Kind, Kind.ASSUMPTION, *trail, "kind") if said.get("kind") is not None else Kind.ASSUMPTION
        source = self._source_of(trail, said)
        if len(self.faults) > before or value is None:
            return None
        return printed_figure(
            value=value, unit=unit, into=into, kind=kind, source=source, date=date, low=low, high=high,
            quantity=quantity, note=self._note(trail, said), place=self.document.place(trail),
        )  # fmt: skip

    def _number(self, trail: Trail, said: Any) -> float | None:
        if said is None:
            return None
        if isinstance(said, bool) or not isinstance(said, (int, float)) or not math.isfinite(said):
            self.fault(trail, str(said), tr("a finite number"))
            return None
        if said < 0:
            self.fault(trail, str(said), tr("a number that is not negative"))
            return None
        return float(said)

    def _order(self, trail: Trail, low: float | None, value: float | None, high: float | None) -> None:
        if value is not None and ((low is not None and low > value) or (high is not None and high < value)):
            self.fault(trail, tr("low {low}, value {value}, high {high}", low=low, value=value, high=high),
                       tr("low <= value <= high"))  # fmt: skip

    def _source_of(self, trail: Trail, said: Mapping[str, Any]) -> str:
        key = str(said.get("source") or "")
        if self.owner:
            return self.owner
        if key:
            self._known_source((*trail, "source"), key)
        return key

    def _note(self, trail: Trail, said: Mapping[str, Any]) -> str:
        note = self.text(*trail, "note")
        given = str(said.get("source") or "")
        return f"{note} ({given})".strip() if self.owner and given and not given.startswith(USER) else note


def owner_of(path: Path) -> str:
    """Return how a user's own file is named as a source."""
    return f"{USER}{path.name}"
