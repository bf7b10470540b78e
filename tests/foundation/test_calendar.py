"""Months are counted as the calendar does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.foundation.calendar import (
    MONTHS_PER_YEAR,
    SECONDS_PER_MONTH,
    month_after,
    month_index,
    month_span,
    months_between,
    whole_months,
)

MONTHS = st.builds("{:04d}-{:02d}".format, st.integers(1900, 2200), st.integers(1, 12))


def test_a_year_turns_after_december():
    assert month_after("2023-12", 1) == "2024-01"
    assert month_after("2024-01", -1) == "2023-12"


@given(month=MONTHS, steps=st.integers(-500, 500))
def test_steps_forth_and_back_meet(month, steps):
    assert month_after(month_after(month, steps), -steps) == month
    assert months_between(month, month_after(month, steps)) == steps


@given(month=MONTHS)
def test_a_year_is_twelve_steps(month):
    year, number = month.split("-")
    assert month_after(month, MONTHS_PER_YEAR) == f"{int(year) + 1:04d}-{number}"


@given(month=MONTHS, count=st.integers(0, 60))
def test_a_span_is_ordered_and_whole(month, count):
    span = month_span(month, count)
    assert len(span) == count
    assert list(span) == sorted(set(span))
    assert span[:1] == ((month,) if count else ())


@pytest.mark.parametrize("text", ["2023-13", "2023-00", "2023", "x-01", "2023-05-16", ""])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        month_index(text)


@pytest.mark.parametrize(("seconds", "months"), [(0, 0), (1, 1), (SECONDS_PER_MONTH, 1), (2.5 * SECONDS_PER_MONTH, 3)])
def test_a_wait_is_rounded_up_to_whole_months(seconds, months):
    assert whole_months(seconds) == months
