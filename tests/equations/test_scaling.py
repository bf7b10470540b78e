"""Scaling laws give the published optima, and no other split of a budget has less loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import scaling

GOPHER = 5.76e23
ROUNDED = {"parameter_scale": 406.4, "token_scale": 410.7, "parameter_exponent": 0.34, "token_exponent": 0.28}
REPLICATED = {"parameter_scale": 482.01, "token_scale": 2085.43, "parameter_exponent": 0.3478, "token_exponent": 0.3658}
EXPONENTS = st.floats(0.2, 0.5)


def best(flop, law):
    parameters = float(scaling.best_parameters(flop / 6, **law))
    return parameters, float(scaling.affordable_tokens(flop, parameters, 6.0))


def test_the_rounded_constants_give_ninety_tokens_a_parameter():
    parameters, tokens = best(GOPHER, ROUNDED)
    assert parameters == pytest.approx(32.2e9, rel=1e-3)
    assert tokens == pytest.approx(2.98e12, rel=1e-3)
    assert tokens / parameters == pytest.approx(92.6, abs=0.1)


def test_the_replication_gives_eighteen_tokens_a_parameter():
    parameters, tokens = best(GOPHER, REPLICATED)
    assert parameters == pytest.approx(72.2e9, rel=1e-3)
    assert tokens == pytest.approx(1.329e12, rel=1e-3)
    assert scaling.loss_of_sizes(parameters, tokens, 1.8172, **REPLICATED) == pytest.approx(1.9744, abs=1e-4)


@given(st.floats(18, 27), st.floats(10, 1e4), st.floats(10, 1e4), EXPONENTS, EXPONENTS, st.floats(-3, 3))
def test_no_other_split_of_a_budget_has_less_loss(power, first, second, alpha, beta, shift):
    law = dict(zip(ROUNDED, (first, second, alpha, beta), strict=True))
    flop = 10**power
    parameters, _ = best(flop, law)
    sizes = parameters * np.exp([0.0, shift])
    losses = scaling.loss_of_sizes(sizes, flop / 6 / sizes, 1.7, **law)
    assert losses[0] <= losses[1] * (1 + 1e-12)


@given(st.floats(1e8, 1e12), st.floats(1e9, 1e14))
def test_tokens_to_a_loss_undo_the_loss(parameters, tokens):
    loss = scaling.loss_of_sizes(parameters, tokens, 1.8172, **REPLICATED)
    again = scaling.tokens_to_loss(parameters, loss, 1.8172, **REPLICATED)
    assert again == pytest.approx(tokens, rel=1e-6)


def test_a_loss_below_what_a_size_can_reach_takes_for_ever():
    assert scaling.tokens_to_loss(1e9, 1.9, 1.8172, **REPLICATED) == np.inf


@given(st.floats(1e7, 1e13), st.floats(1e7, 1e14))
def test_the_older_loss_falls_with_size_and_text(parameters, tokens):
    def at(size, text):
        return scaling.kaplan_loss(size, text, 8.8e13, 5.4e13, 0.076, 0.095)

    assert at(2 * parameters, tokens) < at(parameters, tokens)
    assert at(parameters, 2 * tokens) < at(parameters, tokens)


def test_the_older_loss_is_a_power_of_one_side_where_the_other_is_endless():
    assert scaling.kaplan_loss(1e9, 1e30, 8.8e13, 5.4e13, 0.076, 0.095) == pytest.approx(
        (8.8e13 / 1e9) ** 0.076, rel=1e-6
    )


def test_the_critical_batch_of_a_loss_of_two_is_seven_million_tokens():
    assert scaling.critical_batch(2.0, 2e8, 0.21) == pytest.approx(7.4e6, rel=0.01)


def test_serving_nothing_adds_nothing():
    assert scaling.lifetime_flop(7e9, 1e12, 0.0, 6.0, 2.0) == 6 * 7e9 * 1e12
