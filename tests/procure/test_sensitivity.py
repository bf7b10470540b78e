"""Flips are where the decision changes, found by bisection or by crossing."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.procure.makers import choice, job, problem, service

from suanli.domain.procurement import Tenure
from suanli.procure import sensitivity
from suanli.procure.solve import INFEASIBLE, solve


def buy_or_rent(months=4, rent=30.0):
    """Make a problem where a box of 100 stands against a rent; they cost the same at 100 / months a month."""
    choices = [choice("box", months), choice("cloud", months, Tenure.RENTED_MONTH, price=rent)]
    return problem(choices, [service("serve", (1.0,) * months, {"box": 1.0, "cloud": 1.0})], months)


def prices_of(name):
    return functools.partial(lambda asked, factor, ids: sensitivity.scale_prices(asked, factor, ids), ids=[name])


def decision_of(asked):
    return sensitivity.main_decision(asked)


def test_the_main_decision_is_said_in_a_word():
    asked = buy_or_rent()
    assert decision_of(asked)(solve(asked)) == "buy Box"
    assert decision_of(asked)(solve(buy_or_rent(rent=10.0))) == "rent Cloud"


def test_nothing_bought_or_rented_is_to_keep():
    asked = problem([choice("box", 1, held=1)], [job("train", 1.0, 0, {"box": 1.0})], 1)
    assert decision_of(asked)(solve(asked)) == "keep"


def test_no_answer_is_a_decision_of_its_own():
    asked = problem([choice("box", 1, supply=(0.0,))], [job("train", 1.0, 0, {"box": 1.0})], 1)
    assert decision_of(asked)(solve(asked, reasons=False)) == INFEASIBLE


def test_a_price_flips_where_both_cost_the_same():
    asked = buy_or_rent()
    found = sensitivity.flip(asked, prices_of("cloud"), 0.5, 2.0, decision_of(asked), now=1.0, steps=8)
    assert found.flips_at == pytest.approx(100.0 / 120.0, abs=0.01)
    assert found.becomes == "rent Cloud"
    assert (found.tried_low, found.tried_high, found.now) == (0.5, 2.0, 1.0)


def test_a_decision_that_holds_everywhere_never_flips():
    asked = buy_or_rent(rent=90.0)
    found = sensitivity.flip(asked, prices_of("cloud"), 0.8, 2.0, decision_of(asked), now=1.0)
    assert found.flips_at is None
    assert found.becomes == ""


def test_the_nearer_of_two_flips_is_told():
    asked = buy_or_rent(rent=25.5)

    def change(at, value):
        return sensitivity.scale_prices(at, value, ["cloud"])

    def decision(solution):
        bought = bool(solution.orders)
        return "dear" if solution.objective > 300.0 else ("buy" if bought else "rent")

    found = sensitivity.flip(asked, change, 0.1, 1.5, decision, now=1.0, steps=10)
    assert found.becomes == "rent"
    assert found.flips_at == pytest.approx(100.0 / 102.0, abs=0.01)


def test_a_deadline_flips_on_whole_periods():
    """Renting 6 system-months costs 6 x 30; two boxes over three months cost 200, one over six costs 100."""
    choices = [choice("box", 8), choice("cloud", 8, Tenure.RENTED_MONTH, price=30.0)]
    asked = problem(choices, [job("train", 6.0, 2, {"box": 1.0, "cloud": 1.0})], 8)

    def change(at, months):
        return sensitivity.shift_deadline(at, int(months), ["train"])

    found = sensitivity.flip(asked, change, 0.0, 5.0, decision_of(asked), now=0.0, whole=True)
    assert found.flips_at == 3.0
    assert found.becomes == "buy Box"


def test_a_base_spares_the_first_solve():
    asked = buy_or_rent()
    solved = []

    def decision(solution):
        solved.append(solution)
        return decision_of(asked)(solution)

    sensitivity.flip(asked, prices_of("cloud"), 1.0, 1.5, decision, now=1.0, base=solve(asked))
    assert len(solved) == 2


def test_plans_cross_where_their_costs_meet():
    asked = buy_or_rent()
    bought = solve(asked)
    rented = solve(sensitivity.scale_prices(asked, 0.1, ["cloud"]))
    assert sensitivity.price_crossing(asked, bought, rented, ["cloud"]) == pytest.approx(100.0 / 120.0)
    assert sensitivity.price_crossing(asked, bought, rented, ["box"]) == pytest.approx(1.2)
    assert sensitivity.price_crossing(asked, bought, bought, ["box"]) is None


@settings(deadline=None, max_examples=50)
@given(st.floats(0.1, 10.0))
def test_scaled_prices_scale_the_price_and_the_resale(factor):
    asked = problem([choice("box", 2, resale=(10.0, 20.0)), choice("other", 2)], [], 2)
    scaled = sensitivity.scale_prices(asked, factor, ["box"])
    assert scaled.choices[0].price == (100.0 * factor,) * 2
    assert scaled.choices[0].resale == (10.0 * factor, 20.0 * factor)
    assert scaled.choices[1] == asked.choices[1]


@given(st.integers(-20, 20))
def test_a_shifted_deadline_stays_in_the_horizon(months):
    asked = problem([choice("box", 6)], [job("train", 1.0, 3, {"box": 1.0}, first=1)], 6)
    last = sensitivity.shift_deadline(asked, months, ["train"]).demands[0].last
    assert last == min(5, max(1, 3 + months))


def test_shifting_leaves_other_demands_alone():
    asked = problem([choice("box", 6)], [job("train", 1.0, 3, {"box": 1.0}), service("serve", (1.0,) * 6, {})], 6)
    assert sensitivity.shift_deadline(asked, 2, ["serve"]) == asked
    assert sensitivity.shift_deadline(asked, 2, []) == asked


@given(st.floats(0.1, 10.0))
def test_a_scaled_budget_keeps_what_has_no_limit(factor):
    asked = problem([choice("box", 2)], [], 2, cash=(None, 50.0))
    assert sensitivity.scale_budget(asked, factor).limits.cash == (None, 50.0 * factor)


def test_scaled_work_scales_jobs_and_services():
    asked = problem([choice("box", 2)], [job("a", 2.0, 1, {}), service("b", (1.0, 2.0), {}), job("c", 1.0, 1, {})], 2)
    first, second, third = sensitivity.scale_work(asked, 3.0, ["a", "b"]).demands
    assert (first.amount, second.rate, third.amount) == (6.0, (3.0, 6.0), 1.0)
