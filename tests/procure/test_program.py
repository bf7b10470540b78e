"""A program's rows stay within the coefficients that a solver keeps its word on, and its text says what it is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.procure.makers import choice, job, problem, random_problem, service

from suanli.procure import sensitivity
from suanli.procure.build import build
from suanli.procure.draft import draft, money_unit
from suanli.procure.program import LARGEST_COEFFICIENT, SMALLEST_COEFFICIENT, Program, lp_text, row_scale


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=6))
def test_a_scaled_row_stands_in_the_range_where_it_can(sizes):
    scale = row_scale(sizes)
    assert math.log10(scale) == pytest.approx(round(math.log10(scale)))
    if max(sizes) / min(sizes) < 1e9:
        assert min(sizes) * scale >= SMALLEST_COEFFICIENT
        assert max(sizes) * scale <= LARGEST_COEFFICIENT


def test_an_empty_row_is_left_out():
    made = Program()
    made.column("x")
    made.row("nothing", {0: 0.0}, high=1.0)
    assert not made.rows


def test_arrays_lie_by_rows():
    made = Program()
    x, y = made.column("x", high=4.0, cost=1.0), made.column("y", whole=True)
    made.row("a", {x: 1.0, y: 2.0}, high=3.0)
    made.row("b", {y: 5.0}, low=1.0)
    arrays = made.arrays()
    assert arrays.row_start.tolist() == [0, 2, 3]
    assert arrays.index.tolist() == [0, 1, 1]
    assert arrays.value.tolist() == [1.0, 2.0, 5.0]
    assert arrays.whole.tolist() == [False, True]
    assert arrays.row_high.tolist() == [3.0, math.inf]


def test_the_text_says_bounds_rows_and_whole_columns():
    made = Program()
    x, y = made.column("x", high=4.0, cost=1.5), made.column("y", low=2.0, high=2.0, whole=True)
    made.row("even", {x: 1.0, y: -1.0}, low=0.0, high=0.0)
    made.row("between", {x: 1.0}, low=1.0, high=3.0)
    assert lp_text(made).splitlines() == [
        "min",
        " cost: + 1.5 x",
        "st",
        " even: + 1 x - 1 y = 0",
        " between: + 1 x >= 1",
        " between: + 1 x <= 3",
        "bounds",
        " 0 <= x <= 4",
        " y = 2",
        "gen",
        " y",
        "end",
    ]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e7])
@pytest.mark.parametrize("seed", range(10))
def test_every_row_of_a_buying_program_stands_in_the_range(seed, scale):
    asked = random_problem(seed)
    asked = sensitivity.scale_prices(asked, scale, [c.id for c in asked.choices])
    asked = sensitivity.scale_budget(asked, scale)
    for elastic in (False, True):
        for row in build(asked, elastic=elastic).program.rows:
            for value in row.terms.values():
                assert SMALLEST_COEFFICIENT <= abs(value) <= LARGEST_COEFFICIENT, row.name


@given(st.floats(1e-3, 1e12))
def test_money_is_counted_in_what_makes_prices_handy(price):
    asked = problem([choice("box", 1, price=price, running_cost={"power": (price / 100,)})], [], 1)
    unit = money_unit(asked)
    assert 0.01 <= price / unit <= 1000.0


def test_money_without_prices_is_counted_in_ones():
    assert money_unit(problem([choice("box", 1, price=0.0)], [], 1)) == 1.0


def test_what_no_choice_can_do_has_no_columns():
    demands = [job("train", 1.0, 0, {"box": 0.0}), service("serve", (0.0,), {"box": 1.0})]
    made = draft(problem([choice("box", 1)], demands, 1))
    assert not made.use
    assert not made.runs_on


def test_an_order_that_comes_too_late_has_no_column():
    made = draft(problem([choice("box", 3, lead_periods=(2, 2, 2))], [job("train", 1.0, 2, {"box": 1.0})], 3))
    assert set(made.order) == {("box", 0)}
