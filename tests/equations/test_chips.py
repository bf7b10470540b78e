"""Formulas of special-purpose chips: worked numbers, limits, and what grows with what."""

import numpy as np
import pytest

from suanli.equations import batching, chips


def test_a_crossing_takes_a_cycle_for_each_core_on_the_way():
    assert chips.crossing_seconds(948.0, 1.1e9, 2.0) == pytest.approx(2 * 948 / 1.1e9)


def test_weights_never_arrive_faster_than_the_memory_gives_them():
    assert chips.install_share(1e13, 8e13) == 0.125
    assert chips.install_share(1e15, 8e13) == 1.0


def test_half_the_clock_or_half_the_multipliers_are_half_the_peak():
    whole = chips.design_share(680e6, 680e6, 1.0)
    assert whole == 1.0
    assert chips.design_share(340e6, 680e6, 1.0) == chips.design_share(680e6, 680e6, 0.5) == whole / 2


def test_half_the_memory_needs_twice_the_chips():
    many = chips.chips_that_hold(70e9, 2e9, 0.1e9)
    assert chips.chips_that_hold(70e9, 2e9, 0.2e9) == many / 2 == 360


def test_no_chip_is_counted_in_part():
    counts = chips.chips_that_hold(np.linspace(1e9, 2e9, 7), 0.0, 3e8)
    assert np.array_equal(counts, np.ceil(counts))


def test_twice_the_model_takes_twice_as_long_to_switch_to():
    assert chips.switch_seconds(32e9, 1.6e12) == 2 * chips.switch_seconds(16e9, 1.6e12)


def test_weights_are_written_out_at_the_rate_that_is_said():
    assert batching.expansion_seconds(16e9, 8e11) == pytest.approx(0.02)
