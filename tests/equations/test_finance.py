"""Money over time keeps its rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import finance

MONEY = st.floats(1.0, 1e9)
RATE = st.floats(0.0, 0.5)
PERIODS = st.floats(0.0, 60.0)
SHARE = st.floats(0.0, 0.95)


@given(MONEY, PERIODS)
def test_nothing_is_lost_at_rate_zero(amount, periods):
    assert finance.present_value(amount, 0.0, periods) == amount


@given(MONEY, RATE, PERIODS)
def test_later_money_is_worth_no_more(amount, rate, periods):
    assert finance.present_value(amount, rate, periods + 1) <= finance.present_value(amount, rate, periods)


@given(st.floats(0.001, 1.0), st.sampled_from([2.0, 4.0, 12.0]))
def test_the_rate_of_a_period_compounds_to_the_year(yearly, periods):
    assert (1 + finance.rate_of_period(yearly, periods)) ** periods == pytest.approx(1 + yearly)


@given(MONEY, st.floats(0.001, 0.3), st.integers(1, 60))
def test_an_annuity_is_worth_the_sum(present, rate, periods):
    payment = finance.annuity(present, rate, float(periods))
    worth = sum(finance.present_value(payment, rate, float(p)) for p in range(1, periods + 1))
    assert worth == pytest.approx(present, rel=1e-9)


@given(MONEY, st.integers(1, 60))
def test_an_annuity_without_interest_splits_evenly(present, periods):
    assert finance.annuity(present, 0.0, float(periods)) == pytest.approx(present / periods)


def test_an_annuity_reads_a_column_with_and_without_interest():
    paid = finance.annuity(100.0, np.array([0.0, 0.1]), 2.0)
    assert paid == pytest.approx([50.0, 57.6190476])


@given(MONEY, SHARE, st.floats(0.5, 10.0))
def test_a_straight_line_ends_at_the_residual_and_stays(price, residual, life):
    left = price * residual
    assert finance.straight_line_value(price, left, 0.0, life) == price
    assert finance.straight_line_value(price, left, life, life) == pytest.approx(left, abs=1e-6 * price)
    assert finance.straight_line_value(price, left, 2 * life, life) == pytest.approx(left, abs=1e-6 * price)


@given(MONEY, SHARE, st.floats(0.0, 10.0))
def test_book_value_never_rises_with_age(price, loss, age):
    assert finance.declining_value(price, loss, age + 1) <= finance.declining_value(price, loss, age)


@given(MONEY, SHARE, SHARE, st.floats(0.0, 10.0))
def test_resale_never_rises_with_age_nor_passes_the_new_price(price, first, later, age):
    value = finance.resale_value(price, first, later, age)
    assert finance.resale_value(price, first, later, age + 0.5) <= value * (1 + 1e-12)
    assert 0.0 <= value <= price


def test_resale_loses_the_first_share_in_the_first_year():
    assert finance.resale_value(100.0, 0.3, 0.1, 1.0) == pytest.approx(70.0)
    assert finance.resale_value(100.0, 0.3, 0.1, 3.0) == pytest.approx(70.0 * 0.81)


@given(MONEY, st.floats(-0.2, 0.2), PERIODS)
def test_a_trend_undoes_itself(price, change, periods):
    there = finance.trended_price(price, change, periods)
    assert finance.present_value(there, change, periods) == pytest.approx(price)
