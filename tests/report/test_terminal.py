"""A terminal of any width shows the whole plan, the decision first."""

import dataclasses
import io
import re
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from suanli.domain.plan import Plan
from suanli.foundation.language import set_language
from suanli.report import story, terminal

WIDTHS = (32, 60, 79, 80, 100, 160)


def told(plan: Plan, width: int = 120) -> str:
    stream = io.StringIO()
    terminal.print_plan(plan, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def squeezed(text: str) -> str:
    """Take out all space, so that where a line was broken no longer matters."""
    return re.sub(r"\s", "", text)


def test_the_decision_comes_first(plan: Plan) -> None:
    lines = told(plan, 300).splitlines()
    assert lines[1] == story.decision(plan)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_line_is_wider_than_the_terminal(language: str, width: int, plan: Plan) -> None:
    set_language(language)
    assert max(cell_len(line) for line in told(plan, width).splitlines()) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_shows_every_order_rent_workload_and_reason(width: int, plan: Plan) -> None:
    shown = squeezed(told(plan, width))
    wanted = [order.month for order in plan.recommended.orders] + [rent.last_month for rent in plan.recommended.rents]
    wanted += [work.id for work in plan.recommended.workloads] + list(plan.unknown)
    assert [text for text in wanted if squeezed(text) not in shown] == []


def test_a_narrow_terminal_shows_rows_as_blocks(plan: Plan) -> None:
    assert "- Order in: 2023-05" in told(plan, 60)
    assert "- Order in: 2023-05" not in told(plan, 120)


def test_months_of_equal_cash_are_one_line(plan: Plan) -> None:
    assert re.search(r"2024-03–2025-03 +CNY 607,000 ", told(plan))


def test_power_is_held_against_the_site_s_limit(plan: Plan) -> None:
    shown = told(plan)
    assert "The site allows 150 kW." in shown
    free = tuple(dataclasses.replace(use, limit_watts=None) for use in plan.recommended.power)
    unlimited = dataclasses.replace(plan, recommended=dataclasses.replace(plan.recommended, power=free))
    assert "The site allows" not in told(unlimited)


def test_what_is_not_there_is_said_and_not_drawn(plan: Plan) -> None:
    bare = dataclasses.replace(plan.recommended, orders=(), rents=(), cash=(), power=())
    shown = told(dataclasses.replace(plan, recommended=bare, unknown=()))
    assert "Nothing is bought." in shown
    assert "Nothing is rented." in shown
    assert "Nothing that the plan asked for was missing." in shown
    assert "Cash each month" not in shown
    assert "Power at the meter" not in shown


def test_hostile_names_neither_style_nor_steer_the_terminal(
    hostile_name: str, hostile_plan: Callable[[str], Plan]
) -> None:
    stream = io.StringIO()
    terminal.print_plan(hostile_plan(hostile_name), Console(file=stream, width=200, force_terminal=True))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert squeezed(terminal.clean(hostile_name)) in squeezed(shown)
    assert not [letter for letter in shown if not letter.isprintable() and letter != "\n"]


def test_an_escape_sequence_in_a_name_is_left_out(hostile_plan: Callable[[str], Plan]) -> None:
    assert "\x1b" not in told(hostile_plan("\x1b[2Jgone"))


def test_the_pseudo_language_leaves_no_raw_heading(plan: Plan, pseudo_language: None, pages: ModuleType) -> None:
    for heading in ("Orders", "Rents", "Assumed", "Not known", "Sources", "Cash each month", "Power at the meter"):
        assert f"\n{heading}\n" not in told(plan, 200)


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=1, max_value=200))
def test_a_bar_is_as_long_as_its_share(share: float, columns: int) -> None:
    drawn = terminal.bar(share, columns)
    assert len(drawn) <= columns + 1
    assert abs(len(drawn) - share * columns) <= 1


@given(st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1))
def test_a_greater_share_is_never_a_shorter_bar(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert len(terminal.bar(low, 50)) <= len(terminal.bar(high, 50))


def test_spans_join_equal_neighbours_and_lose_no_month() -> None:
    amounts = {"2023-01": 1.0, "2023-02": 1.0, "2023-03": 2.0, "2023-04": 1.0}
    assert terminal.spans(amounts) == [
        ("2023-01", "2023-02", 1.0), ("2023-03", "2023-03", 2.0), ("2023-04", "2023-04", 1.0),
    ]  # fmt: skip
