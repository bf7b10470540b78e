"""Tables of measured runs as text cells with their line, and the faults of cells that cannot be read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

MOST_BYTES = 32 * 2**20
"""Larger tables are refused rather than read into memory."""
MOST_COUNT = 2**31 - 1
"""No run counts more of anything (layers, heads, accelerators, samples)."""


def plain_number(said: str) -> float:
    """Read a cell as a number, NaN where it is none: plain digits only, no other alphabet's, none joined by "_"."""
    try:
        return float(said) if said.isascii() and "_" not in said else math.nan
    except ValueError:
        return math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One row of a table: its cells by column, its line; reading a wrong cell adds a fault to the table's list."""

    file: str
    line: int
    cells: Mapping[str, str]
    faults: list[Fault] = field(default_factory=list)

    def text(self, column: str) -> str:
        """Return a cell's text, empty where the table has none."""
        return (self.cells.get(column) or "").strip()

    def number(self, column: str) -> float | None:
        """Return a cell as a positive finite number, None where it is empty or wrong (which is noted as a fault)."""
        said = self.text(column)
        if not said:
            return None
        value = plain_number(said)
        if not math.isfinite(value) or value < 0:
            self.fault(column, said, tr("a finite number of at least 0, or nothing"))
            return None
        return value

    def count(self, column: str) -> int | None:
        """Return a cell as a whole number above 0, None where it is empty or wrong (which is noted as a fault)."""
        value = self.number(column)
        if value is None:
            return None
        if value != round(value) or not 1 <= value <= MOST_COUNT:
            self.fault(column, self.text(column), tr("a whole number above 0, or nothing"))
            return None
        return round(value)

    def fault(self, column: str, found: str, allowed: str) -> None:
        """Note that a cell is wrong, once however often it is read."""
        noted = Fault(place=f"{self.file}:{self.line}: {column}", found=f"'{found}'", allowed=allowed)
        if noted not in self.faults:
            self.faults.append(noted)


def read_records(path: Path, needed: Iterable[str] = ()) -> tuple[Record, ...]:
    """Read a table of runs. Raises InputError where there is no table, or a needed column is missing."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            most = tr("at most {most} bytes", most=MOST_BYTES)
            raise InputError.single(place=str(path), found=tr("{size} bytes", size=size), allowed=most)
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.single(place=str(path), found=str(error), allowed=tr("a CSV table in UTF-8")) from error
    faults: list[Fault] = []
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="", strict=True)
    columns = _columns(reader, path)
    missing = [name for name in needed if name not in columns]
    if missing or not columns:
        raise InputError.single(
            place=f"{path.name}:1",
            found=", ".join(columns) or tr("no columns"),
            allowed=tr("a table with the columns {names}", names=", ".join(missing) or tr("of the published tables")),
        )
    try:
        return tuple(Record(file=path.name, line=reader.line_num, cells=_cells(row), faults=faults) for row in reader)
    except csv.Error as error:
        raise InputError.single(
            place=f"{path.name}:{reader.line_num}", found=str(error), allowed=tr("a CSV table")
        ) from error


def _columns(reader: csv.DictReader[str], path: Path) -> list[str]:
    try:
        return [name for name in (reader.fieldnames or []) if name]
    except csv.Error as error:
        raise InputError.single(place=f"{path.name}:1", found=str(error), allowed=tr("a CSV table")) from error


def _cells(row: Mapping[str, object]) -> dict[str, str]:
    return {column: cell for column, cell in row.items() if column and isinstance(cell, str)}


def raise_faults(records: Iterable[Record]) -> None:
    """Raise InputError with every wrong cell that was met."""
    for record in records:
        if record.faults:
            raise InputError(record.faults)
