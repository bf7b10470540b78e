"""Rents by the hour in the report: parts of systems to the hundredth, formulas that give the plan's numbers."""

import dataclasses
import io
from typing import Any

import openpyxl
import pytest

from suanli.domain.plan import CashLine, Plan, Rent
from suanli.foundation.language import set_language
from suanli.report import cash_sheet, gantt, numbers, story, tables, workbook
from suanli.report.json_document import of_plan
from suanli.report.words import word


def by_hour(plan: Plan, systems: float = 0.1349) -> Plan:
    """Rent a part of a system over three months by the hour, beside all that the plan has."""
    first = plan.recommended.rents[0]
    rent = dataclasses.replace(
        first, tenure="rented_hour", systems=systems, amount=systems * 3 * first.price_per_system_month,
        first_month=plan.months[2], last_month=plan.months[4],
    )  # fmt: skip
    paid = [
        CashLine(month=month, category="rent", amount=systems * rent.price_per_system_month)
        for month in plan.months[2:5]
    ]
    best = dataclasses.replace(
        plan.recommended, rents=(*plan.recommended.rents, rent), cash=(*plan.recommended.cash, *paid)
    )
    best = dataclasses.replace(best, cost=cash_sheet.present_value(plan, best, cash_sheet.payment_offset(plan)))
    return dataclasses.replace(plan, recommended=best)


def hours(plan: Plan) -> Rent:
    return plan.recommended.rents[-1]


@pytest.mark.parametrize(
    ("systems", "told"),
    [(3, "3"), (1200, "1,200"), (12.345, "12.35"), (0.1349, "0.13"), (2.0000001, "2"), (0.004, "0.004"), (0, "0")],
)
def test_systems_are_told_to_the_hundredth(systems: float, told: str) -> None:
    assert numbers.systems(systems) == told


@pytest.mark.parametrize(("language", "said"), [("en", "rented by the hour"), ("zh", "按小时租用")])
def test_the_tenure_is_said_in_both_languages(language: str, said: str) -> None:
    set_language(language)
    assert word("rented_hour") == said


def test_the_table_shows_a_part_of_a_system(plan: Plan) -> None:
    row = [cell.text for cell in tables.rents(by_hour(plan)).rows[-1]]
    assert row[3:5] == ["rented by the hour", "0.13"]


def test_the_chart_shows_a_part_of_a_system(plan: Plan) -> None:
    made = by_hour(plan)
    rows = [row for row in gantt.holdings(made).rows if row[1] == "rented by the hour"]
    assert [(row[0], row[2]) for row in rows] == [(f"0.13 × {hours(made).system_name}", "0.13")]


def test_the_steps_tell_hours_as_an_average(plan: Plan) -> None:
    made = by_hour(plan)
    (step,) = [step for step in story.steps(made) if "by the hour" in step.text]
    assert step.month == hours(made).first_month
    assert "0.13 at work on average" in step.text


def test_the_decision_adds_parts_to_whole_systems(plan: Plan) -> None:
    assert "8.13 × " in story.decision(by_hour(plan))


def test_the_document_keeps_the_part_exactly(plan: Plan) -> None:
    assert of_plan(by_hour(plan))["rents"][-1]["systems"] == 0.1349


def values(plan: Plan, sheet: str) -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(workbook.content(plan)), data_only=True)
    return list(book[sheet].iter_rows(values_only=True))


def test_the_workbook_s_rent_is_systems_times_price_times_months(plan: Plan) -> None:
    made = by_hour(plan)
    row = next(row for row in values(made, "Rents") if row[4] == "rented by the hour")
    assert row[5] == 0.1349
    assert row[9] == pytest.approx(row[5] * row[6] * row[7], abs=0.005) == pytest.approx(hours(made).amount, abs=0.005)


def test_the_cash_sheet_needs_no_constant_for_hours(plan: Plan) -> None:
    made = by_hour(plan)
    book = openpyxl.load_workbook(io.BytesIO(workbook.content(made)))
    titles = [cell.value for cell in book["Cash"][1]]
    formulas = [book["Cash"].cell(row=row, column=titles.index("rent") + 1).value for row in (4, 5, 6)]
    assert all(formula.endswith(")") for formula in formulas)
    difference = next(row for row in values(made, "Cash") if row[0] == "Difference")
    assert [value for value in difference if isinstance(value, float | int)] == [pytest.approx(0.0, abs=0.01)]
