"""Files say a number as its source prints it; code is SI only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.foundation.errors import InputError
from suanli.foundation.units import COMMON_UNITS, si_factor, to_si, unit_of_name


@pytest.mark.parametrize(
    ("value", "unit", "into", "expected"),
    [
        (80, "GB", "B", 80e9),
        (80, "GiB", "B", 80 * 2**30),
        (600, "Gbit/s", "B/s", 75e9),
        (312, "TFLOP/s", "FLOP/s", 312e12),
        (624, "TOP/s", "FLOP/s", 624e12),
        (6.5, "kW", "W", 6500),
        (12, "week", "s", 12 * 7 * 86400),
        (3.6, "CNY/kWh", "CNY/J", 1e-6),
        (8, "%", "", 0.08),
        (1, "pJ", "J", 1e-12),
    ],
)
def test_a_printed_number_becomes_si(value, unit, into, expected):
    assert to_si(value, unit, into, "here") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("unit", "meant"), [("GB/S", "GB/s"), ("TFLOPS/s", "TFLOP/s")])
def test_an_unknown_unit_is_refused_with_the_one_that_was_meant(unit, meant):
    into = "FLOP/s" if "FLOP" in unit else "B/s"
    with pytest.raises(InputError) as caught:
        to_si(1, unit, into, "offers/lease.csv:14")
    (fault,) = caught.value.faults
    assert fault.place == "offers/lease.csv:14"
    assert unit in fault.found
    assert meant in fault.hint


@pytest.mark.parametrize(
    "unit", ["kg", "FLOP/s", "CNY", "", "GB", "B/s/s", "nonsense", "1/0", "GB/", "__import__('os')"]
)
def test_a_unit_of_another_dimension_is_refused(unit):
    with pytest.raises(InputError):
        to_si(1, unit, "B/s", "here")


def test_currencies_do_not_turn_into_each_other():
    with pytest.raises(InputError):
        to_si(1, "USD", "CNY", "here")


@given(st.sampled_from(COMMON_UNITS), st.floats(1e-6, 1e6))
def test_conversion_is_linear(unit, value):
    factor = si_factor(unit, unit)
    assert factor == 1.0
    assert to_si(2 * value, unit, unit, "here") == 2 * to_si(value, unit, unit, "here")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("link_bytes_per_s", "B/s"),
        ("peak_flop_per_s", "FLOP/s"),
        ("hop_seconds", "s"),
        ("moved_bytes", "B"),
        ("ranks", ""),
        ("watts", "W"),
        ("flop_per_token", "FLOP/token"),
        ("failures_per_s", "1/s"),
    ],
)
def test_a_name_says_its_unit(name, unit):
    assert unit_of_name(name) == unit


@pytest.mark.parametrize(("unit", "into"), [("%", "B"), ("1", "B"), ("GB", ""), ("1/s", "B/s"), ("B", "FLOP")])
def test_bytes_are_no_pure_number(unit, into):
    assert si_factor(unit, into) is None
