"""Numbers are said in the unit people use, in both languages, and never as NaN."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.foundation.language import set_language
from suanli.report import numbers

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e18, max_value=1e18)


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0.0, "CNY 0"), (9_200.0, "CNY 9,200"), (13.8e6, "CNY 13.8 M"), (3.0736e9, "CNY 3.074 B"), (-9.1e6, "CNY -9.1 M")],
)
def test_money_in_english_is_short(amount: float, said: str) -> None:
    assert numbers.money(amount, "CNY") == said


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (9_200.0, "CNY", "9,200 元"),
        (13.8e6, "CNY", "1,380 万元"),
        (3.0736e8, "USD", "3.074 亿美元"),
        (5e4, "EUR", "5 万欧元"),
        (5e4, "JPY", "5 万日元"),
        (5e4, "XAU", "5 万XAU"),
    ],
)
def test_money_in_chinese_counts_in_ten_thousands(amount: float, currency: str, said: str) -> None:
    set_language("zh")
    assert numbers.money(amount, currency) == said


def test_exact_money_says_cents() -> None:
    assert numbers.exact_money(1234567.891, "CNY") == "CNY 1,234,567.89"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0 s"),
        (36e-6, "36 µs"),
        (0.036, "36 ms"),
        (38.4, "38.4 s"),
        (220.08, "220 s"),
        (900.0, "15 min"),
        (9000.0, "2.5 h"),
        (60 * 86400.0, "60 days"),
    ],
)
def test_seconds_are_said_in_the_unit_that_fits(value: float, said: str) -> None:
    assert numbers.seconds(value) == said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.68 / 3.6e6, "CNY/J", "0.68 CNY/kWh"),
        (312e12, "FLOP/s", "312 TFLOP/s"),
        (2.0e12, "B/s", "2 TB/s"),
        (400.0, "W", "400 W"),
        (6500.0, "W", "6.5 kW"),
        (1.35, "", "1.35"),
        (0.35, "1", "0.35"),
        (9.0, "month", "9 months"),
        (45e6, "CNY", "CNY 45 M"),
        (3.0, "token/s", "3 token/s"),
        (86400.0 * 30, "s", "30 days"),
    ],
)
def test_quantities_are_said_in_the_fields_units(value: float, unit: str, said: str) -> None:
    assert numbers.quantity(value, unit) == said


def test_memory_is_in_gibibytes() -> None:
    assert numbers.gibibytes(80 * 2.0**30) == "80 GiB"


def test_shares_are_percentages() -> None:
    assert numbers.percent(0.0032) == "0.32 %"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_a_dash(value: float) -> None:
    said = [numbers.digits(value), numbers.percent(value), numbers.systems(value), numbers.exact_money(value, "CNY")]
    assert said == [numbers.ABSENT] * 4


@given(finite)
def test_a_told_number_is_the_number_to_four_digits(value: float) -> None:
    told = float(numbers.digits(value).replace(",", ""))
    assert told == pytest.approx(value, rel=6e-4)


@given(finite)
def test_no_number_is_told_with_an_exponent_or_as_nan(value: float) -> None:
    told = numbers.money(value, "CNY") + numbers.seconds(value) + numbers.watts(value) + numbers.count(value)
    assert "nan" not in told
    assert "e+" not in told
    assert "inf" not in told


@given(st.floats(min_value=1.0, max_value=1e17), st.floats(min_value=1.001, max_value=10.0))
def test_scaling_keeps_the_order(value: float, factor: float) -> None:
    def read(number: float) -> float:
        said, prefix = numbers.scaled(number, numbers.PREFIXES)
        return float(said.replace(",", "")) * dict(numbers.PREFIXES).get(prefix, 1.0)

    assert read(value) <= read(value * factor)
