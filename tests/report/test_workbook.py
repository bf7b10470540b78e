"""The workbook's formulas are ours alone, live, and give the plan's own totals."""

import dataclasses
import io
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from suanli.domain.plan import CashLine, Plan
from suanli.foundation.language import set_language
from suanli.report import cash_sheet, sheets, workbook

SHEETS = ["Inputs", "Orders", "Rents", "Cash", "Power", "Workloads", "Alternatives", "Sources"]
OWN_FORMULA = re.compile(r"=[A-Z0-9$!'():+*/^.,=<>\-e]*", re.IGNORECASE)
OWN_FUNCTIONS = {"SUM", "SUMPRODUCT", "VALUE", "LEFT", "RIGHT"}


def opened(plan: Plan, values: bool = False) -> Any:
    return openpyxl.load_workbook(io.BytesIO(workbook.content(plan)), data_only=values)


def cells(book: Any) -> list[Any]:
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]


def found(sheet: Any, label: str) -> float:
    """Read the last number in the row that begins with a label."""
    for row in sheet.iter_rows(values_only=True):
        if row[0] == label:
            return float([value for value in row if isinstance(value, float | int)][-1])
    raise AssertionError(label)


def test_the_sheets_are_in_order(plan: Plan) -> None:
    assert opened(plan).sheetnames == SHEETS


def test_formulas_use_known_functions_alone(plan: Plan) -> None:
    formulas = [cell.value for cell in cells(opened(plan)) if cell.data_type == "f"]
    assert len(formulas) > 100
    for formula in formulas:
        assert OWN_FORMULA.fullmatch(re.sub(r"'[^']*'", "''", formula)), formula
        assert set(re.findall(r"([A-Z]+)\(", formula)) <= OWN_FUNCTIONS


def test_no_text_becomes_a_formula_or_a_link(hostile_name: str, hostile_plan: Callable[[str], Plan]) -> None:
    book = opened(hostile_plan(hostile_name))
    plain = opened(hostile_plan("harmless"))
    assert [cell.coordinate for cell in cells(book) if cell.data_type == "f"] == [
        cell.coordinate for cell in cells(plain) if cell.data_type == "f"
    ]
    assert not [cell for cell in cells(book) if cell.hyperlink]
    assert {cell.data_type for cell in cells(book) if cell.value == hostile_name} == {"s"}


def test_amounts_of_orders_and_rents_are_live(plan: Plan) -> None:
    book = opened(plan)
    assert [row[6].value for row in book["Orders"].iter_rows(min_row=2, max_row=3)] == ["=E2*F2", "=E3*F3"]
    assert [row[9].value for row in book["Rents"].iter_rows(min_row=2, max_row=3)] == ["=H2*I2", "=H3*I3"]


def test_cached_values_are_the_plan_s_totals(plan: Plan) -> None:
    book = opened(plan, values=True)
    best = plan.recommended
    assert found(book["Orders"], "Total") == math.fsum(order.amount for order in best.orders)
    assert found(book["Rents"], "Total") == math.fsum(rent.amount for rent in best.rents)
    assert found(book["Cash"], "Total") == pytest.approx(best.cost, rel=1e-12)
    assert found(book["Cash"], "Difference") == pytest.approx(0.0, abs=1e-6)


def test_the_cash_sheet_is_live_from_orders_and_rents(plan: Plan) -> None:
    rows = list(opened(plan)["Cash"].iter_rows(min_row=1, max_row=2, values_only=True))
    first = dict(zip(rows[0], rows[1], strict=True))
    assert "'Orders'" in first["purchase"]
    assert "'Rents'" in first["rent"]
    assert "'Inputs'" in first["Discount factor"]


def test_a_payment_that_no_order_shows_is_added_as_a_constant(plan: Plan) -> None:
    deposit = CashLine(month=plan.months[1], category="purchase", amount=250_000.0)
    best = plan.recommended
    more = dataclasses.replace(best, cash=(*best.cash, deposit), cost=best.cost + 250_000.0 * 1.08 ** (-1 / 12))
    changed = dataclasses.replace(plan, recommended=more)
    row = next(opened(changed)["Cash"].iter_rows(min_row=3, max_row=3, values_only=True))
    assert row[1].endswith("+(250000.0)")
    assert found(opened(changed, values=True)["Cash"], "Difference") == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, 0.5, 1.0])
def test_payments_at_start_middle_or_end_of_month_are_recognised(offset: float, plan: Plan) -> None:
    cost = cash_sheet.present_value(plan, plan.recommended, offset)
    best = dataclasses.replace(plan.recommended, cost=cost)
    assert cash_sheet.payment_offset(dataclasses.replace(plan, recommended=best)) == offset


def test_a_cost_that_cash_does_not_explain_is_shown_as_a_difference(plan: Plan) -> None:
    best = dataclasses.replace(plan.recommended, cost=plan.recommended.cost + 1000.0)
    book = opened(dataclasses.replace(plan, recommended=best), values=True)
    assert found(book["Cash"], "Difference") == pytest.approx(-1000.0, abs=1e-6)


def test_at_no_discount_the_value_today_is_the_sum_of_cash(plan: Plan) -> None:
    free = dataclasses.replace(plan, discount_rate_per_year=0)
    assert cash_sheet.present_value(free, free.recommended, 0.0) == pytest.approx(
        math.fsum(line.amount for line in free.recommended.cash), rel=1e-12
    )
    assert opened(free)["Inputs"]["B7"].value == 0


def test_inputs_list_every_assumption_with_its_source(plan: Plan) -> None:
    told = {str(cell.value) for cell in cells(opened(plan)) if cell.parent.title == "Inputs"}
    for item in plan.assumed:
        assert item.name in told
    assert "Epoch AI, Machine learning hardware prices" in told
    assert set(plan.unknown) <= told


def test_every_workload_alternative_and_source_has_its_row(plan: Plan) -> None:
    book = opened(plan)
    assert {row[0].value for row in book["Workloads"].iter_rows(min_row=2)} == {
        work.id for work in plan.recommended.workloads
    }
    reasons = {row[4].value for row in book["Alternatives"].iter_rows()}
    assert {other.reason for other in plan.alternatives} <= reasons
    assert {row[0].value for row in book["Sources"].iter_rows(min_row=2)} == {source.key for source in plan.sources}


def test_power_is_held_against_its_limit(plan: Plan) -> None:
    sheet = opened(plan)["Power"]
    assert sheet.max_row == len(plan.months) + 1
    assert sheet["D2"].value == "=B2/C2"


def test_a_plan_that_buys_and_rents_nothing_has_no_circular_sum(plan: Plan) -> None:
    best = dataclasses.replace(plan.recommended, orders=(), rents=())
    book = opened(dataclasses.replace(plan, recommended=best))
    assert book["Orders"]["G3"].value == "=SUM($G$2:$G$2)"
    assert book["Rents"]["J3"].value == "=SUM($J$2:$J$2)"


def test_the_chinese_workbook_has_chinese_sheets_and_the_same_numbers(plan: Plan) -> None:
    english = [cell.value for cell in cells(opened(plan, values=True)) if isinstance(cell.value, float)]
    set_language("zh")
    book = opened(plan, values=True)
    assert not set(book.sheetnames) & set(SHEETS)
    assert [cell.value for cell in cells(book) if isinstance(cell.value, float)] == english


def test_the_workbook_is_written_where_asked(plan: Plan, tmp_path: Path) -> None:
    assert workbook.write(plan, tmp_path / "plan.xlsx").read_bytes().startswith(b"PK")


@pytest.mark.parametrize(("index", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_are_named_as_spreadsheets_do(index: int, letters: str) -> None:
    assert sheets.column_letters(index) == letters


def test_months_are_counted_with_both_ends() -> None:
    assert workbook.months_between("2023-11", "2024-02") == 4
    assert workbook.months_between("2023-11", "2023-11") == 1


def office() -> str:
    return shutil.which("soffice") or shutil.which("libreoffice") or ""


@pytest.mark.slow
@pytest.mark.skipif(not office(), reason="no LibreOffice on this machine")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_spreadsheet_program_recomputes_the_plan_s_totals(language: str, plan: Plan, tmp_path: Path) -> None:
    labels = {"en": ("Total", "Cash", "Orders"), "zh": ("合计", "现金", "订单")}[language]
    set_language(language)
    bare = opened(plan)
    bare.save(tmp_path / "bare.xlsx")  # without cached values
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    kind = "xlsx:Calc MS Excel 2007 XML"
    command = [office(), "--headless", "--norestore", profile, "--convert-to", kind, "--outdir"]
    subprocess.run(
        [*command, str(tmp_path / "out"), str(tmp_path / "bare.xlsx")], capture_output=True, timeout=120, check=True
    )
    book = openpyxl.load_workbook(tmp_path / "out" / "bare.xlsx", data_only=True)
    assert not [cell.value for cell in cells(book) if str(cell.value).startswith("#")]
    assert found(book[labels[1]], labels[0]) == pytest.approx(plan.recommended.cost, rel=1e-9)
    bought = math.fsum(order.amount for order in plan.recommended.orders)
    assert found(book[labels[2]], labels[0]) == pytest.approx(bought, rel=1e-12)
