"""The formulas of a transformer's parts: golden numbers, limits, units and array readings."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from suanli.equations import transformer
from suanli.equations.transformer import (
    FLOP_PER_MULTIPLY_ADD,
    attention_flop,
    cached_positions,
    causal_pairs,
    full_pairs,
    index_flop,
    matrix_flop,
    matrix_parameters,
    state_flop,
    stored_bytes,
    strided_pairs,
)
from suanli.foundation.equation import EQUATIONS, Equation, ledger
from suanli.foundation.units import registry, unit_of_name

OURS = [body for body in vars(transformer).values() if isinstance(body, Equation)]
counts = some.integers(min_value=1, max_value=10**5).map(float)


@pytest.mark.parametrize("formula", OURS, ids=lambda formula: formula.name)
def test_units_come_out_as_declared(formula):
    units = registry()
    names = inspect.signature(formula.body).parameters
    value = formula.body(**{name: units.Quantity(2.0, unit_of_name(name)) for name in names})
    made = units.Quantity(value) if not hasattr(value, "to") else value
    assert made.to(formula.unit if formula.unit != "1" else "dimensionless").magnitude == pytest.approx(
        float(formula.body(**dict.fromkeys(names, 2.0)))
    )


@pytest.mark.parametrize("formula", OURS, ids=lambda formula: formula.name)
def test_a_column_reads_as_its_numbers_do(formula):
    rows = np.array([1.0, 2.0, 7.0, 64.0])
    names = list(inspect.signature(formula.body).parameters)
    column = np.asarray(formula.body(**dict.fromkeys(names, rows)))
    for index, row in enumerate(rows):
        assert column[index] == pytest.approx(float(formula.body(**dict.fromkeys(names, float(row)))))


@pytest.mark.parametrize("formula", OURS, ids=lambda formula: formula.name)
def test_every_formula_is_registered_with_a_source_and_an_example(formula):
    assert EQUATIONS[formula.name] is formula
    assert formula.source
    assert ">>>" in (formula.body.__doc__ or "")


def test_a_llama_projection_holds_inputs_times_outputs():
    assert matrix_parameters(4096.0, 11008.0, 0.0) == 45_088_768.0


def test_a_bias_adds_itself_once():
    assert matrix_parameters(4.0, 8.0, 8.0) == 40.0


def test_a_multiply_add_is_two_operations():
    assert matrix_flop(FLOP_PER_MULTIPLY_ADD, 1.0, 3.0, 5.0, 1.0) == 30.0


def test_operations_follow_the_active_copies_only():
    one = matrix_flop(FLOP_PER_MULTIPLY_ADD, 9.0, 3.0, 5.0, 1.0)
    assert matrix_flop(FLOP_PER_MULTIPLY_ADD, 9.0, 3.0, 5.0, 8.0) == 8 * one


def test_causal_pairs_of_a_whole_sequence_are_the_triangle():
    assert causal_pairs(5.0, 5.0) == 15.0
    assert causal_pairs(5.0, 500.0) == 15.0


def test_a_window_of_one_sees_itself():
    assert causal_pairs(7.0, 1.0) == 7.0


@given(positions=counts, reach=counts)
def test_a_window_never_sees_more_than_the_mask(positions, reach):
    assert causal_pairs(positions, reach) <= causal_pairs(positions, positions) <= full_pairs(positions)


@given(positions=some.integers(1, 60), reach=some.integers(1, 60))
def test_windowed_pairs_equal_a_count_by_hand(positions, reach):
    by_hand = sum(min(position, reach) for position in range(1, positions + 1))
    assert causal_pairs(float(positions), float(reach)) == by_hand


@given(positions=some.integers(1, 400), stride=some.integers(1, 64), reach=some.integers(1, 64))
def test_strided_pairs_equal_a_count_by_hand(positions, stride, reach):
    by_hand = sum(min(position // stride, reach) for position in range(1, positions + 1))
    assert float(strided_pairs(float(positions), float(stride), float(reach))) == by_hand


@given(positions=counts, stride=some.integers(1, 64).map(float))
def test_strides_that_read_everything_and_one_token_an_entry_are_the_mask(positions, stride):
    assert strided_pairs(positions, 1.0, positions) == causal_pairs(positions, positions)
    assert strided_pairs(positions, stride, positions) <= causal_pairs(positions, positions)


@given(positions=counts, reach=counts)
def test_a_selection_without_a_stride_is_a_window(positions, reach):
    assert strided_pairs(positions, 1.0, reach) == pytest.approx(float(causal_pairs(positions, reach)))


@given(positions=counts, window=counts)
def test_a_cache_with_a_window_is_never_longer_than_either(positions, window):
    kept = cached_positions(positions, window)
    assert kept == min(positions, window)


@given(heads=counts, width=counts)
def test_attention_is_even_in_keys_and_values(heads, width):
    whole = attention_flop(FLOP_PER_MULTIPLY_ADD, 3.0, heads, width, width)
    assert whole == pytest.approx(2 * attention_flop(FLOP_PER_MULTIPLY_ADD, 3.0, heads, width, 0.0))


def test_an_index_costs_its_heads_and_width():
    assert index_flop(FLOP_PER_MULTIPLY_ADD, 10.0, 64.0, 128.0) == 163_840.0


@given(positions=counts)
def test_a_state_costs_the_same_for_each_token(positions):
    assert state_flop(2.0, positions, 128.0, 3.0) == pytest.approx(positions * state_flop(2.0, 1.0, 128.0, 3.0))


def test_stored_bytes_are_elements_times_their_size():
    assert stored_bytes(35_136.0, 2.0) == 70_272.0


def test_the_ledger_hears_a_formula():
    with ledger() as heard:
        stored_bytes(10.0, 2.0)
    assert heard.below[0].name == "stored_bytes"
    assert heard.below[0].value == 20.0
