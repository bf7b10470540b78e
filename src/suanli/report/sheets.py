"""Sheets of a workbook written row by row: text always as text, numbers as numbers, formulas with their value."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

SAME = 1e-9
"""Two amounts are the same where they differ by less than this share of the greater."""

Value = str | float | int | None
"""What a cell may hold."""


def equal(one: float, other: float) -> bool:
    """Tell whether two amounts are the same but for rounding."""
    return math.isclose(one, other, rel_tol=SAME, abs_tol=SAME)


def column_letters(index: int) -> str:
    """Name a column: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, len(string.ascii_uppercase))
        letters = string.ascii_uppercase[rest] + letters
    return letters


class Book:
    """A workbook in the making, with the formats that its sheets share."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.bold = file.add_format({"bold": True})
        self.head = file.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"})
        self.money = file.add_format({"num_format": "#,##0.00"})
        self.total = file.add_format({"num_format": "#,##0.00", "bold": True, "top": 1})
        self.wrap = file.add_format({"text_wrap": True, "valign": "top"})

    def sheet(self, name: str, widths: Sequence[float]) -> Sheet:
        """Add a sheet with columns of these widths."""
        raw = self.file.add_worksheet(name)
        for index, width in enumerate(widths):
            raw.set_column(index, index, width)
        return Sheet(self, raw, name)


class Sheet:
    """A sheet written from the top; it knows the row it stands on and the cells it was told to remember."""

    def __init__(self, book: Book, raw: Any, name: str) -> None:
        self.book = book
        self.raw = raw
        self.name = name
        self.next = 0
        self.first = 0
        self.end = 0
        self.places: dict[str, str] = {}

    @property
    def quoted(self) -> str:
        """The sheet's name as formulas write it."""
        return "'" + self.name.replace("'", "''") + "'"

    def skip(self) -> None:
        """Leave a row empty."""
        self.next += 1

    def heading(self, titles: Sequence[str]) -> None:
        """Write a row of column titles; the first of a sheet stays in sight."""
        for index, title in enumerate(titles):
            self.raw.write_string(self.next, index, title, self.book.head)
        if self.next == 0:
            self.raw.freeze_panes(1, 0)
        self.next += 1

    def mark_first(self) -> None:
        """Remember that the data begin here."""
        self.first = self.end = self.next

    def row(self, values: Sequence[Value], bold_first: bool = False) -> None:
        """Write one row of values."""
        for index, value in enumerate(values):
            self.put(index, value, self.book.bold if bold_first and index == 0 else None)
        self.next += 1

    def put(self, column: int, value: Value, style: Any = None) -> None:
        """Write one cell of the next row: a text as text, a number as a number, nothing where there is none."""
        if isinstance(value, str):
            self.raw.write_string(self.next, column, value, style or None)
        elif value is not None and math.isfinite(value):
            plain = isinstance(value, int) or abs(value) < 1
            self.raw.write_number(self.next, column, value, style or (None if plain else self.book.money))

    def remember(self, label: str, column: int) -> None:
        """Remember where a cell of the row just written stands, for formulas of other sheets."""
        self.places[label] = f"{self.quoted}!${column_letters(column)}${self.next}"

    def amount(self, column: int, formula: str, computed: float, value: float, money: bool = True) -> None:
        """Write a formula into the row just written; {A} names this row's cell of column A.

        `computed` is what the formula gives and `value` what the plan says; a difference is added as a constant, so
        that the cell stays live and right.
        """
        row = self.next - 1
        cells = {letter: f"{letter}{row + 1}" for letter in string.ascii_uppercase}
        told = "=" + formula.format(**cells) + constant(value - computed, value)
        self.raw.write_formula(row, column, told, self.book.money if money else None, value)

    def total(self, label: str, columns: Sequence[int], values: Sequence[float]) -> None:
        """Write a row of sums over the rows since the data began; one empty row stands for none."""
        if self.next == self.first:
            self.skip()
        self.end = self.next
        self.raw.write_string(self.next, 0, label, self.book.total)
        for column, value in zip(columns, values, strict=True):
            self.raw.write_formula(self.next, column, f"=SUM({self.span(column, local=True)})", self.book.total, value)
        self.next += 1

    def span(self, column: int, local: bool = False) -> str:
        """Name the cells of a column from where the data began to where they ended, at the row of sums."""
        letters = column_letters(column)
        cells = f"${letters}${self.first + 1}:${letters}${self.end}"
        return cells if local else f"{self.quoted}!{cells}"


def constant(difference: float, value: float) -> str:
    """Say a difference as the end of a formula, or nothing where it is rounding alone."""
    return "" if abs(difference) <= SAME * max(1.0, abs(value)) else f"+({difference!r})"
