"""A sheet writes text as text, numbers as numbers, and formulas with the value that they give."""

import io
import math
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from suanli.report import sheets


class Desk:
    """A workbook in memory, and reading it back."""

    def __init__(self) -> None:
        self.memory = io.BytesIO()
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self.file = xlsxwriter.Workbook(self.memory, options)
        self.book = sheets.Book(self.file)

    def read(self, values: bool = False) -> Any:
        self.file.close()
        return openpyxl.load_workbook(io.BytesIO(self.memory.getvalue()), data_only=values)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_rows_follow_each_other(desk: Desk) -> None:
    sheet = desk.book.sheet("S", (10, 10))
    sheet.heading(["a", "b"])
    sheet.row(["x", 1])
    sheet.skip()
    sheet.row([None, 2.5])
    assert list(desk.read()["S"].iter_rows(values_only=True)) == [("a", "b"), ("x", 1), (None, None), (None, 2.5)]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "＝1", "http://x.example", "mailto:a@b", "'"]
)
def test_texts_that_look_like_formulas_or_links_stay_texts(text: str, desk: Desk) -> None:
    desk.book.sheet("S", (10,)).row([text])
    cell = desk.read()["S"]["A1"]
    assert cell.data_type == "s"
    assert cell.hyperlink is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_leaves_its_cell_empty(value: float | None, desk: Desk) -> None:
    desk.book.sheet("S", (10,)).row([value, "after"])
    sheet = desk.read()["S"]
    assert (sheet["A1"].value, sheet["B1"].value) == (None, "after")


def test_an_amount_names_cells_of_its_own_row(desk: Desk) -> None:
    sheet = desk.book.sheet("S", (10,))
    sheet.row(["head"])
    sheet.row([2, 3.0])
    sheet.amount(2, "{A}*{B}", 6.0, 6.0)
    assert desk.read()["S"]["C2"].value == "=A2*B2"


def test_an_amount_that_the_formula_does_not_give_gets_the_rest_as_a_constant(desk: Desk) -> None:
    sheet = desk.book.sheet("S", (10,))
    sheet.row([2, 3.0])
    sheet.amount(2, "{A}*{B}", 6.0, 6.5)
    assert desk.read()["S"]["C1"].value == "=A1*B1+(0.5)"


def test_rounding_is_no_rest() -> None:
    assert sheets.constant(1e-7, 1e6) == ""
    assert sheets.constant(-2.0, 1e6) == "+(-2.0)"


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_formula_and_constant_give_the_value(computed: float, value: float) -> None:
    told = sheets.constant(value - computed, value)
    rest = float(told[2:-1]) if told else 0.0
    assert computed + rest == pytest.approx(value, abs=1e-8 * max(1.0, abs(computed), abs(value)))


def test_a_total_sums_its_rows_alone(desk: Desk) -> None:
    sheet = desk.book.sheet("S", (10, 10))
    sheet.heading(["what", "how much"])
    sheet.mark_first()
    sheet.row(["a", 1.5])
    sheet.row(["b", 2.5])
    sheet.total("Total", (1,), [4.0])
    sheet.row(["after", 100.0])
    assert sheet.span(1) == "'S'!$B$2:$B$3"
    assert desk.read()["S"]["B4"].value == "=SUM($B$2:$B$3)"


def test_a_total_of_nothing_sums_an_empty_row_and_not_itself(desk: Desk) -> None:
    sheet = desk.book.sheet("S", (10, 10))
    sheet.heading(["what", "how much"])
    sheet.mark_first()
    sheet.total("Total", (1,), [0.0])
    assert desk.read()["S"]["B3"].value == "=SUM($B$2:$B$2)"


def test_a_remembered_cell_is_named_with_its_sheet(desk: Desk) -> None:
    sheet = desk.book.sheet("It's", (10,))
    sheet.row(["rate", 0.08])
    sheet.remember("rate", 1)
    assert sheet.places["rate"] == "'It''s'!$B$1"


def test_values_are_cached_for_readers_that_do_not_compute(desk: Desk) -> None:
    sheet = desk.book.sheet("S", (10,))
    sheet.row([2, 3.0])
    sheet.amount(2, "{A}*{B}", 6.0, 6.0)
    assert desk.read(values=True)["S"]["C1"].value == 6


@pytest.mark.parametrize(
    ("one", "other", "same"), [(1.0, 1.0 + 1e-12, True), (1.0, 1.001, False), (0.0, 0.0, True), (0.0, 1e-3, False)]
)
def test_amounts_are_equal_but_for_rounding(one: float, other: float, same: bool) -> None:
    assert sheets.equal(one, other) is same


@given(st.integers(0, 16_383))
def test_column_names_count_up_and_read_back(index: int) -> None:
    letters = sheets.column_letters(index)
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    assert number - 1 == index


def test_the_head_of_a_sheet_stays_in_sight(desk: Desk) -> None:
    desk.book.sheet("S", (10,)).heading(["a"])
    assert desk.read()["S"].freeze_panes == "A2"


@pytest.mark.parametrize("make", [lambda sheet: sheet.row([1, 2]), lambda sheet: sheet.heading(["a", "b"])])
def test_every_row_moves_on_by_one(make: Callable[[sheets.Sheet], None], desk: Desk) -> None:
    sheet = desk.book.sheet("S", (10,))
    make(sheet)
    assert sheet.next == 1
    desk.file.close()
