"""Lays a user's own calibration over the shipped one: only the figures that it names, each checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from suanli.catalogue.dates import is_date
from suanli.catalogue.yaml_reader import Trail, YamlDocument, survey_yaml
from suanli.domain.software import Software, Spread, Sustained, TrainingCalibration
from suanli.estimate.software import read_number, unit_of
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.figure import Kind
from suanli.foundation.language import tr

CLUSTER = ("misaligned_slowdown", "odd_head_slowdown", "straggler_per_doubling", "unknown_layout_slowdown")
"""Figures of a calibration that belong to the whole cluster."""
WORDS = ("source", "date", "kind")
"""What every calibration file must say of itself."""
SECTIONS = ("software", "cluster", "sustained", "spread")
SPREAD_MAPS = ("software", "chip")
SPREAD_NUMBERS = ("experts", "attention", "unknown_layout", "sigmas_below", "sigmas_above")
SHARES = ("_hidden", "fragmentation", "selective_kept", "sharded_master", "whole_recompute", "pairs_chunks")
"""How the names of figures end that run from 0 to 1."""
ABOVE_ZERO = ("_share", "_factor", "_slowdown", "matmul", "narrow", "attention", "power")
"""How the names of figures end that something is divided by, or multiplied with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """A calibration with a user's figures laid over it, and what the file says of itself."""

    calibration: TrainingCalibration
    source: str
    date: str
    kind: str
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """Reads the parts of one file and collects what is wrong with them."""

    document: YamlDocument
    faults: list[Fault] = field(default_factory=list)

    def fault(self, trail: Trail, found: str, allowed: str, hint: str = "") -> None:
        self.faults.append(Fault(place=self.document.place(trail), found=found, allowed=allowed, hint=hint))

    def part(self, trail: Trail) -> Mapping[str, Any]:
        """Return a mapping; empty where it is absent or none (which is a fault)."""
        inside: Any = self.document.data
        for step in trail:
            inside = inside.get(step) if isinstance(inside, Mapping) else None
        if inside is None:
            return {}
        if isinstance(inside, Mapping):
            return inside
        self.fault(trail, repr(inside), tr("a mapping"))
        return {}

    def known(self, trail: Trail, allowed: Iterable[str]) -> list[str]:
        """Return the keys of a mapping that may stand there; each other key is a fault."""
        names = list(allowed)
        for key in self.part(trail):
            if key not in names:
                self.fault((*trail, key), f"'{key}'", ", ".join(names), did_you_mean(key, names))
        return [key for key in self.part(trail) if key in names]

    def numbers(self, trail: Trail, allowed: Iterable[str]) -> dict[str, Any]:
        """Read the figures of a mapping, in SI."""
        read = {key: self.number((*trail, key)) for key in self.known(trail, allowed)}
        return {key: value for key, value in read.items() if value is not None}

    def number(self, trail: Trail) -> float | None:
        """Read one figure; None where it is wrong (which is a fault)."""
        name, said = str(trail[-1]), self.part(trail[:-1])[str(trail[-1])]
        try:
            value = read_number(said, unit_of(name), self.document.place(trail))
        except InputError as error:
            self.faults.extend(error.faults)
            return None
        least = value > 0 if name.endswith(ABOVE_ZERO) else value >= 0
        most = 1.0 if name.endswith(SHARES) else math.inf
        if math.isfinite(value) and least and value <= most:
            return value
        self.fault(trail, str(said), _range_in_words(name))
        return None


def _range_in_words(name: str) -> str:
    if name.endswith(SHARES):
        return tr("a number from 0 to 1")
    return tr("a number above 0") if name.endswith(ABOVE_ZERO) else tr("a finite number of at least 0")


def _figures_of(noun: type) -> list[str]:
    return [one.name for one in fields(noun) if one.name not in ("id", "name")]


def _header(reader: _Reader) -> tuple[str, str, str, int]:
    said = reader.part(())
    for word in WORDS:
        if not isinstance(said.get(word), str):
            found = tr("no '{name}'", name=word) if word not in said else repr(said[word])
            reader.fault((word,), found, tr("a text in quotes: where the figures come from, of when, and their kind"))
    source, date, kind = (str(said.get(word, "")) for word in WORDS)
    if date and not is_date(date):
        reader.fault(("date",), f"'{date}'", tr("a date such as 2023, 2023-05 or 2023-05-16"))
    if kind and kind not in tuple(Kind):
        reader.fault(("kind",), f"'{kind}'", ", ".join(Kind), did_you_mean(kind, Kind))
    rows = said.get("rows", 0)
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
        reader.fault(("rows",), repr(rows), tr("a whole number of at least 0"))
        rows = 0
    return source, date, kind, rows


def _software(reader: _Reader, known: TrainingCalibration) -> dict[str, Software]:
    names = _figures_of(Software)
    told = {one: reader.numbers(("software", one), names) for one in reader.known(("software",), known.software)}
    return {**known.software, **{name: replace(known.software[name], **figures) for name, figures in told.items()}}


def _sustained(reader: _Reader, known: TrainingCalibration) -> dict[str, Sustained]:
    names = _figures_of(Sustained)
    told = {one: reader.numbers(("sustained", one), names) for one in reader.known(("sustained",), known.sustained)}
    return {**known.sustained, **{name: replace(known.sustained[name], **shares) for name, shares in told.items()}}


def _spread(reader: _Reader, known: Spread) -> Spread:
    names = reader.known(("spread",), (*SPREAD_MAPS, *SPREAD_NUMBERS))
    maps = {
        name: {**getattr(known, name), **reader.numbers(("spread", name), getattr(known, name))}
        for name in SPREAD_MAPS
        if name in names
    }
    numbers = {name: reader.number(("spread", name)) for name in SPREAD_NUMBERS if name in names}
    told: dict[str, Any] = {**maps, **{name: value for name, value in numbers.items() if value is not None}}
    return replace(known, **told)


def read_overlay(path: Path, known: TrainingCalibration) -> Overlay:
    """Lay a calibration file over a calibration.

    Raises InputError with every unknown key and wrong figure at once.
    """
    document = survey_yaml(path)
    reader = _Reader(document=document, faults=list(document.faults))
    reader.known((), (*WORDS, "rows", *SECTIONS))
    source, date, kind, rows = _header(reader)
    moved = replace(
        known,
        software=_software(reader, known),
        sustained=_sustained(reader, known),
        spread=_spread(reader, known.spread),
        **reader.numbers(("cluster",), CLUSTER),
    )
    if reader.faults:
        raise InputError(dict.fromkeys(reader.faults))
    return Overlay(calibration=moved, source=source, date=date, kind=kind, rows=rows)
