"""Cells of published tables that do not say what ran, put right by what the page they were read from says."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from suanli.catalogue.yaml_reader import read_yaml

FILE = Path(__file__).parent.parent / "data" / "calibration" / "corrections.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """Which rows it is of (equal cells, a text in the notes), what their cells should say, and why."""

    where: Mapping[str, str]
    notes: str
    cells: Mapping[str, str]
    why: str
    source: str

    def applies(self, cells: Mapping[str, str]) -> bool:
        """Say whether a row is one of those that this is of."""
        same = all((cells.get(name) or "").strip() == value for name, value in self.where.items())
        return same and self.notes in (cells.get("notes") or "")


@functools.cache
def load_corrections(path: Path = FILE) -> tuple[Correction, ...]:
    """Read the corrections. Raises InputError where the file is no YAML."""
    return tuple(Correction(**one) for one in read_yaml(path).data["corrections"])


def corrected(cells: Mapping[str, str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Return a row's cells as they should say, and why each of them was put right."""
    told, why = dict(cells), list[str]()
    for one in load_corrections():
        if one.applies(cells):
            told.update(one.cells)
            why.append(one.why)
    return told, tuple(why)
