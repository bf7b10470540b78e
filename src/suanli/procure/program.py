"""A mixed-integer program under construction: named columns, named rows, its arrays, and its text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suanli.foundation.equation import FloatArray

SMALLEST_COEFFICIENT = 1e-4
LARGEST_COEFFICIENT = 1e6
"""Between these two a row's coefficients must stand for the solver's tolerances to mean something."""

Terms = Mapping[int, float]
"""A linear expression: coefficient by column."""


@dataclass(slots=True)
class Column:
    """One unknown: its bounds, what one unit of it costs, whether it counts whole things, whether it leads others."""

    name: str
    low: float
    high: float
    cost: float
    whole: bool
    leading: bool = False


@dataclass(slots=True)
class Row:
    """One limit: low <= terms <= high."""

    name: str
    terms: dict[int, float]
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramArrays:
    """A program as the solver reads it, the matrix by rows."""

    cost: FloatArray
    low: FloatArray
    high: FloatArray
    whole: NDArray[np.bool_]
    leading: NDArray[np.bool_]
    row_low: FloatArray
    row_high: FloatArray
    row_start: NDArray[np.int32]
    index: NDArray[np.int32]
    value: FloatArray


@dataclass(slots=True)
class Program:
    """Columns and rows in the order in which they were made; the objective is always a minimum."""

    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def column(
        self,
        name: str,
        *,
        low: float = 0.0,
        high: float = math.inf,
        cost: float = 0.0,
        whole: bool = False,
        leading: bool = False,
    ) -> int:
        """Add an unknown and return its number."""
        self.columns.append(Column(name, low, high, cost, whole, leading))
        return len(self.columns) - 1

    def row(self, name: str, terms: Terms, *, low: float = -math.inf, high: float = math.inf) -> None:
        """Add a limit, scaled so that its coefficients stand within the allowed range; an empty one is left out."""
        kept = {column: value for column, value in terms.items() if value != 0.0}
        if not kept:
            return
        scale = row_scale(kept.values())
        scaled = {column: value * scale for column, value in kept.items()}
        self.rows.append(Row(name, scaled, low * scale, high * scale))

    def arrays(self) -> ProgramArrays:
        """Lay the program out as arrays."""
        lengths = [len(row.terms) for row in self.rows]
        return ProgramArrays(
            cost=np.array([column.cost for column in self.columns], dtype=np.float64),
            low=np.array([column.low for column in self.columns], dtype=np.float64),
            high=np.array([column.high for column in self.columns], dtype=np.float64),
            whole=np.array([column.whole for column in self.columns], dtype=np.bool_),
            leading=np.array([column.leading for column in self.columns], dtype=np.bool_),
            row_low=np.array([row.low for row in self.rows], dtype=np.float64),
            row_high=np.array([row.high for row in self.rows], dtype=np.float64),
            row_start=np.concatenate(([0], np.cumsum(lengths))).astype(np.int32),
            index=np.array([column for row in self.rows for column in row.terms], dtype=np.int32),
            value=np.array([value for row in self.rows for value in row.terms.values()], dtype=np.float64),
        )


def row_scale(coefficients: Iterable[float]) -> float:
    """Return the power of ten that brings a row's coefficients into the allowed range, 1 where they stand in it."""
    sizes = [abs(value) for value in coefficients]
    least, most = min(sizes), max(sizes)
    if least >= SMALLEST_COEFFICIENT and most <= LARGEST_COEFFICIENT:
        return 1.0
    middle = math.sqrt(SMALLEST_COEFFICIENT * LARGEST_COEFFICIENT)
    return float(10.0 ** round(math.log10(middle / (math.sqrt(least) * math.sqrt(most)))))


def lp_text(program: Program) -> str:
    """Write a program in the LP format that every solver reads."""
    columns = program.columns
    objective = {number: column.cost for number, column in enumerate(columns) if column.cost != 0.0}
    lines = ["min", f" cost: {_expression(columns, objective) or '0'}", "st"]
    for row in program.rows:
        lines += _row_lines(columns, row)
    lines.append("bounds")
    lines += [f" {_bounds(column)}" for column in columns]
    whole = [column.name for column in columns if column.whole]
    if whole:
        lines += ["gen", *(f" {name}" for name in whole)]
    return "\n".join([*lines, "end", ""])


def _row_lines(columns: list[Column], row: Row) -> list[str]:
    told = _expression(columns, row.terms)
    if row.low == row.high:
        return [f" {row.name}: {told} = {row.low:.12g}"]
    lines = []
    if math.isfinite(row.low):
        lines.append(f" {row.name}: {told} >= {row.low:.12g}")
    if math.isfinite(row.high):
        lines.append(f" {row.name}: {told} <= {row.high:.12g}")
    return lines


def _expression(columns: list[Column], terms: Terms) -> str:
    return " ".join(f"{'-' if value < 0 else '+'} {abs(value):.12g} {columns[c].name}" for c, value in terms.items())


def _bounds(column: Column) -> str:
    if column.low == column.high:
        return f"{column.name} = {column.low:.12g}"
    high = f" <= {column.high:.12g}" if math.isfinite(column.high) else ""
    return f"{column.low:.12g} <= {column.name}{high}"
