"""Growth compounds, and ends at its ceiling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations.demand import grown_requests_per_s

RATES = st.floats(min_value=0.0, max_value=1e4)
GROWTHS = st.floats(min_value=-0.5, max_value=0.5)


def test_nothing_has_grown_at_the_start():
    assert grown_requests_per_s(2.0, 0.1, 0.0, np.inf) == 2.0


def test_growth_compounds():
    assert grown_requests_per_s(2.0, 0.1, 2.0, np.inf) == pytest.approx(2.42)


@given(first=RATES, growth=GROWTHS, most=RATES)
def test_the_ceiling_holds(first, growth, most):
    assert grown_requests_per_s(first, growth, 12.0, most) <= most


@given(first=RATES, growth=st.floats(min_value=0.0, max_value=0.5), months=st.integers(min_value=0, max_value=60))
def test_positive_growth_never_shrinks(first, growth, months):
    now, later = (grown_requests_per_s(first, growth, float(month), np.inf) for month in (months, months + 1))
    assert later >= now


def test_a_column_is_read_like_its_numbers():
    periods = np.arange(5.0)
    column = grown_requests_per_s(1.0, 0.2, periods, 1.5)
    assert list(column) == [grown_requests_per_s(1.0, 0.2, period, 1.5) for period in periods]
