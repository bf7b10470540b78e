"""Whatever the plan, every form tells it whole: no crash, no NaN, no lost row, no broken sum."""

import io
import json
import math
from types import ModuleType
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from suanli.domain.plan import Plan
from suanli.foundation.language import LANGUAGES, set_language
from suanli.report import charts, html, json_document, story, tables, terminal, workbook

FEW = settings(derandomize=True, database=None, max_examples=8, deadline=None, suppress_health_check=[*HealthCheck])
SOME = settings(max_examples=30, deadline=None, suppress_health_check=[*HealthCheck])


@given(data=st.data(), language=st.sampled_from(LANGUAGES))
@FEW
def test_the_page_of_any_plan_has_our_tags_alone(
    data: st.DataObject, language: str, plan: Plan, any_plan: ModuleType, pages: ModuleType
) -> None:
    set_language(language)
    drawn = data.draw(any_plan.plans(plan))
    page = pages.read(html.page(drawn))
    kinds = {tag for tag, _ in page.tags}
    assert kinds <= {
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "p", "h1", "h2", "h3",
        "dl", "dt", "dd", "div", "span", "small", "ol", "ul", "li", "time", "bdi", "table", "caption", "thead", "tbody",
        "tr", "th", "td", "a", "figure", "figcaption", "strong", "details", "summary", "script", "i",
    }  # fmt: skip
    assert not [name for _, held in page.tags for name in held if name.startswith("on")]
    assert len(page.scripts) == len(html.SCRIPTS) + 1
    specs = next(text for held, text in page.scripts if held.get("type") == "application/json")
    json.loads(specs, parse_constant=pytest.fail)


@given(data=st.data())
@SOME
def test_the_document_of_any_plan_is_json_and_adds_up(data: st.DataObject, plan: Plan, any_plan: ModuleType) -> None:
    drawn = data.draw(any_plan.plans(plan))
    told = json.loads(json.dumps(json_document.of_plan(drawn), allow_nan=False))
    assert len(told["orders"]) == len(drawn.recommended.orders)
    assert len(told["rents"]) == len(drawn.recommended.rents)
    total = math.fsum(line["amount"]["amount"] for line in told["cash"])
    assert told["recommended"]["cash_total"]["amount"] == pytest.approx(total, rel=1e-12, abs=1e-6)


@given(data=st.data(), width=st.integers(30, 200), language=st.sampled_from(LANGUAGES))
@FEW
def test_any_plan_fits_any_terminal(
    data: st.DataObject, width: int, language: str, plan: Plan, any_plan: ModuleType
) -> None:
    set_language(language)
    drawn = data.draw(any_plan.plans(plan))
    stream = io.StringIO()
    terminal.print_plan(drawn, Console(file=stream, width=width, color_system=None))
    shown = stream.getvalue()
    assert "nan" not in shown.lower().split()
    assert not [letter for letter in shown if not letter.isprintable() and letter != "\n"]
    assert max(cell_len(line) for line in shown.splitlines()) <= width


@given(data=st.data())
@FEW
def test_the_workbook_of_any_plan_adds_up_and_runs_nobody_s_words(
    data: st.DataObject, plan: Plan, any_plan: ModuleType
) -> None:
    set_language("en")
    drawn = data.draw(any_plan.plans(plan))
    content = workbook.content(drawn)
    cash = openpyxl.load_workbook(io.BytesIO(content), data_only=True)["Cash"]
    rows = {row[0]: row for row in cash.iter_rows(values_only=True)}
    best = drawn.recommended
    scale = max(1.0, math.fsum(abs(line.amount) for line in best.cash))
    assert rows["Difference"][-1] == pytest.approx(0.0, abs=1e-9 * scale)
    live = openpyxl.load_workbook(io.BytesIO(content))
    given_texts = {item.name for item in drawn.assumed} | {order.system_name for order in best.orders}
    for sheet in live:
        for row in sheet.iter_rows():
            for cell in row:
                assert not (cell.data_type == "f" and cell.value in given_texts)


@given(data=st.data(), language=st.sampled_from(LANGUAGES))
@SOME
def test_charts_of_any_plan_lose_no_money_and_hold_no_nan(
    data: st.DataObject, language: str, plan: Plan, any_plan: ModuleType
) -> None:
    set_language(language)
    drawn = data.draw(any_plan.plans(plan))
    made = {chart.key: chart for chart in charts.of_plan(drawn)}
    for chart in made.values():
        json.dumps(chart.spec, allow_nan=False)
        assert {len(row) for row in chart.rows} == {len(chart.columns)}
    if "cash" in made:
        assert _sum(made["cash"].spec, "amount") == pytest.approx(_spent(drawn, made["spent"].spec), rel=1e-9, abs=1e-6)


def _sum(spec: dict[str, Any], field: str) -> float:
    return math.fsum(row[field] for row in spec["data"]["values"])


def _spent(plan: Plan, spec: dict[str, Any]) -> float:
    assert len(spec["data"]["values"]) == len(plan.months)
    return float(spec["data"]["values"][-1]["amount"])


@given(data=st.data(), language=st.sampled_from(LANGUAGES))
@SOME
def test_any_plan_s_story_is_in_order_and_whole(
    data: st.DataObject, language: str, plan: Plan, any_plan: ModuleType
) -> None:
    set_language(language)
    drawn = data.draw(any_plan.plans(plan))
    months = [step.month for step in story.steps(drawn)]
    assert months == sorted(months)
    best = drawn.recommended
    starts = sum(1 for work in best.workloads if work.start_month)
    ends = sum(1 for work in best.workloads if work.start_month and work.finish_p80)
    assert len(months) == 2 * len(best.orders) + len(best.rents) + starts + ends
    assert story.decision(drawn)
    assert all(fact.value and fact.tip for fact in story.facts(drawn))


@given(data=st.data())
@SOME
def test_tables_of_any_plan_lose_no_row(data: st.DataObject, plan: Plan, any_plan: ModuleType) -> None:
    drawn = data.draw(any_plan.plans(plan))
    best = drawn.recommended
    counts = {
        "orders": best.orders, "rents": best.rents, "workloads": best.workloads, "alternatives": drawn.alternatives,
        "flips": drawn.flips, "assumed": drawn.assumed, "sources": drawn.sources,
    }  # fmt: skip
    for name, rows in counts.items():
        table = getattr(tables, name)(drawn)
        assert len(table.rows) == len(rows)
        assert {len(row) for row in table.rows} <= {len(table.columns)}
    for row in tables.sources(drawn).rows:
        assert row[1].link == "" or row[1].link.startswith(("https://", "http://"))
