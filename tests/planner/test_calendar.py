"""Months are counted, not guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.planner.calendar import SECONDS_PER_MONTH, later, month_number, month_text, months_between, whole_months


@given(st.integers(min_value=1900 * 12, max_value=2200 * 12))
def test_a_month_survives_being_counted(number):
    assert month_number(month_text(number)) == number


@given(st.integers(1950 * 12, 2150 * 12), st.integers(-500, 500))
def test_later_and_between_are_inverse(number, months):
    first = month_text(number)
    assert months_between(first, later(first, months)) == months


def test_a_day_counts_as_its_month():
    assert months_between("2023-05-31", "2023-06") == 1


@pytest.mark.parametrize(("seconds", "months"), [(0, 0), (1, 1), (SECONDS_PER_MONTH, 1), (2.5 * SECONDS_PER_MONTH, 3)])
def test_a_wait_is_rounded_up_to_whole_months(seconds, months):
    assert whole_months(seconds) == months
