"""A mapping of a data file with its place: numbers with units, texts, and mappings inside, each asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.catalogue.figures import in_si
from suanli.catalogue.plain_yaml import read_plain
from suanli.foundation.errors import InputError, did_you_mean

FIGURE_UNITS = {"seconds": "s", "bytes": "B", "hz": "Hz"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A mapping of a file, and where it stands."""

    said: Mapping[str, Any]
    place: str

    def get(self, key: str) -> Any:
        """Return an entry. Raises InputError where it is missing."""
        if key not in self.said:
            raise InputError.single(place=self.place, found=f"no '{key}'", allowed=f"an entry '{key}'")
        return self.said[key]

    def at(self, key: str) -> Section:
        """Return a mapping inside. Raises InputError where there is none."""
        inside = self.get(key)
        if not isinstance(inside, Mapping):
            raise InputError.single(place=f"{self.place}: {key}", found=repr(inside), allowed="a mapping")
        return Section(said=inside, place=f"{self.place}: {key}")

    def within(self, key: str) -> dict[str, Section]:
        """Return the mappings inside a mapping, by name; none where the key is absent."""
        if key not in self.said:
            return {}
        inside = self.at(key)
        return {name: inside.at(name) for name in inside.said}

    def number(self, key: str, unit: str = "") -> float:
        """Read a number in SI; one with a unit is written as text, `2.5 us`."""
        said = self.get(key)
        words = str(said).split(maxsplit=1)
        try:
            value = float(words[0])
        except (ValueError, IndexError):
            raise InputError.single(place=f"{self.place}: {key}", found=repr(said), allowed="a number") from None
        return in_si(value, words[1] if len(words) > 1 else "1", unit, f"{self.place}: {key}")

    def figures(self, allowed: tuple[str, ...]) -> dict[str, float]:
        """Read the named figures, each with the unit that the end of its name says; no others may stand here."""
        for name in self.said:
            if name not in allowed:
                raise InputError.single(
                    place=self.place, found=f"'{name}'", allowed=", ".join(allowed), hint=did_you_mean(name, allowed)
                )
        return {name: self.number(name, FIGURE_UNITS.get(name.rsplit("_", 1)[-1], "")) for name in allowed}

    def text(self, key: str, absent: str = "") -> str:
        """Read a text; `absent` where it is not there."""
        return str(self.said.get(key, absent))

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; empty where it is not there."""
        return tuple(str(one) for one in self.said.get(key, ()))


def open_section(path: Path) -> Section:
    """Read a file as a section. Raises InputError with every fault of its YAML."""
    document = read_plain(path)
    if document.faults:
        raise InputError(document.faults)
    if not isinstance(document.data, Mapping):
        raise InputError.single(place=path.name, found=type(document.data).__name__, allowed="a mapping")
    return Section(said=document.data, place=path.name)
