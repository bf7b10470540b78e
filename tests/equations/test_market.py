"""Evidence weighs less with age; two readings are surer than one; a price is never surer for being older."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import market

positive = st.floats(0.01, 100.0)
number = st.floats(-10.0, 10.0)


@given(positive, positive, positive)
def test_older_evidence_weighs_less(age, more, half_life):
    assert market.evidence_weight(age + more, half_life) <= market.evidence_weight(age, half_life)
    assert market.evidence_weight(0.0, half_life) == 1.0


@given(positive)
def test_evidence_of_one_half_life_weighs_half(half_life):
    assert market.evidence_weight(half_life, half_life) == pytest.approx(0.5)


@given(number, positive, number, positive)
def test_a_shrunk_reading_lies_between_what_was_seen_and_the_prior(seen, seen_error, prior, prior_error):
    told = market.shrunk(seen, seen_error, prior, prior_error)
    assert min(seen, prior) - 1e-9 <= told <= max(seen, prior) + 1e-9


@given(positive, positive)
def test_two_readings_are_surer_than_one(first, second):
    assert market.shrunk_error(first, second) <= min(first, second)
    assert market.shrunk_error(first, second) == pytest.approx(market.shrunk_error(second, first))


def test_a_sure_reading_is_hardly_shrunk():
    assert market.shrunk(1.0, 1e-6, 0.0, 1.0) == pytest.approx(1.0)


@given(positive, positive, positive)
def test_a_longer_span_makes_a_surer_slope(noise, square_sum, more):
    assert market.slope_error(noise, square_sum + more) <= market.slope_error(noise, square_sum)


def test_a_trend_is_believed_for_so_long_and_no_longer():
    near, far = (market.carried_log_price(0.0, 0.05, age, 6.0) for age in (6.0, 60.0))
    assert near == far == pytest.approx(0.3)


@given(positive, positive, positive, positive, positive)
def test_an_older_quote_is_never_surer(spread, drift, age, more, basis):
    assert market.quote_error(spread, drift, age + more, basis) >= market.quote_error(spread, drift, age, basis)


def test_errors_add_as_squares():
    assert market.quote_error(0.3, 0.0, 1.0, 0.4) == pytest.approx(0.5)


def test_the_band_of_a_sure_figure_is_the_figure():
    assert market.band_factor(0.0, 1.2816) == 1.0
    assert np.all(np.diff(market.band_factor(np.linspace(0, 1, 5), 1.2816)) > 0)
