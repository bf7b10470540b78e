"""Quantities as people write them are read into SI; what no machine can trust is refused with the reason."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue.quantity import CURRENCIES, SCALES, Measure, QuantityError, read_money, read_quantity, shown

POWER = Measure(into="W", example="200 kW")
SECONDS = Measure(into="s", example="2 s")
SHARE = Measure(into="", example="8 %", bare=True, low_allowed=True, high=1.0)
TOKENS = Measure(into="token", example="100 B tokens", scaled=True)
RATE = Measure(into="request/s", example="2 per s", scaled=True, counted="request")
GROWTH = Measure(into="1/month", example="3 %/month", low=-1.0, high=1.0, spelled="%/month")
SUPPLY = Measure(into="1/month", example="4 per month", counted="1")
PRICE = Measure(into="", example="2.0 M CNY", low_allowed=True)
ENERGY = Measure(into="1/J", example="0.65 CNY/kWh")
RENT = Measure(into="1/month", example="12 CNY/h")
ROOM = Measure(into="1/W/month", example="1200 CNY/kW/month")
HOURS_PER_MONTH = 365.25 * 24 / 12


@pytest.mark.parametrize(
    ("text", "measure", "value"),
    [
        ("200 kW", POWER, 200e3),
        ("200kW", POWER, 200e3),
        ("1.5 MW", POWER, 1.5e6),
        ("200 千瓦", POWER, 200e3),
        ("2e2 kW", POWER, 200e3),
        ("+3 W", POWER, 3.0),
        ("  3 W ", POWER, 3.0),
        ("2 s", SECONDS, 2.0),
        ("50 ms", SECONDS, 0.05),
        ("13 weeks", SECONDS, 13 * 7 * 86400),
        ("13 周", SECONDS, 13 * 7 * 86400),
        ("3 天", SECONDS, 3 * 86400),
        ("8 %", SHARE, 0.08),
        ("8%", SHARE, 0.08),
        ("8 percent", SHARE, 0.08),
        ("0.08", SHARE, 0.08),
        (0.08, SHARE, 0.08),
        (1, SHARE, 1.0),
        (0, SHARE, 0.0),
        ("100 B tokens", TOKENS, 100e9),
        ("100B tokens", TOKENS, 100e9),
        ("1 T tokens", TOKENS, 1e12),
        ("50 M token", TOKENS, 50e6),
        ("1000 亿词元", TOKENS, 1e11),
        ("3e9 tokens", TOKENS, 3e9),
        ("2 per s", RATE, 2.0),
        ("2/s", RATE, 2.0),
        ("2 / s", RATE, 2.0),
        ("2 requests/s", RATE, 2.0),
        ("120 per min", RATE, 2.0),
        ("864 k requests/day", RATE, 10.0),
        ("86.4 万次/天", RATE, 10.0),
        ("3 %/month", GROWTH, 0.03),
        ("3 % per month", GROWTH, 0.03),
        ("-2 %/month", GROWTH, -0.02),
        ("3 %/月", GROWTH, 0.03),
        ("4 per month", SUPPLY, 4.0),
        ("4 systems/month", SUPPLY, 4.0),
        ("48/year", SUPPLY, 4.0),
    ],
)
def test_quantities_are_read_into_their_unit(text, measure, value):
    assert read_quantity(text, measure) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "measure", "amount", "currency", "per_accelerator"),
    [
        ("2.0 M CNY", PRICE, 2e6, "CNY", False),
        ("200 万 CNY", PRICE, 2e6, "CNY", False),
        ("200万元", PRICE, 2e6, "CNY", False),
        ("2.4 亿 人民币", PRICE, 2.4e8, "CNY", False),
        ("2000000 RMB", PRICE, 2e6, "CNY", False),
        ("270 k USD", PRICE, 270e3, "USD", False),
        ("1.2 million USD", PRICE, 1.2e6, "USD", False),
        ("3 bn JPY", PRICE, 3e9, "JPY", False),
        ("5 €", PRICE, 5.0, "EUR", False),
        ("0 CNY", PRICE, 0.0, "CNY", False),
        ("0.65 CNY/kWh", ENERGY, 0.65 / 3.6e6, "CNY", False),
        ("0.65 元/度", ENERGY, 0.65 / 3.6e6, "CNY", False),
        ("12 CNY/h", RENT, 12 * HOURS_PER_MONTH, "CNY", False),
        ("12 CNY/GPU/h", RENT, 12 * HOURS_PER_MONTH, "CNY", True),
        ("12 CNY/GPU-hour", RENT, 12 * HOURS_PER_MONTH, "CNY", True),
        ("3.5 USD per GPU per hour", RENT, 3.5 * HOURS_PER_MONTH, "USD", True),
        ("7 万元/台/月", RENT, 7e4, "CNY", False),
        ("70 k CNY/month", RENT, 7e4, "CNY", False),
        ("184 USD/kW-month", ROOM, 0.184, "USD", False),
    ],
)
def test_money_is_read_with_its_currency(text, measure, amount, currency, per_accelerator):
    money = read_money(text, measure, accelerator_allowed=True)
    assert money.amount == pytest.approx(amount, rel=1e-12)
    assert (money.currency, money.per_accelerator) == (currency, per_accelerator)


@pytest.mark.parametrize(
    ("found", "measure", "told"),
    [
        ("nan W", POWER, "'nan W'"),
        ("inf W", POWER, "'inf W'"),
        (".inf", POWER, "'.inf'"),
        (math.inf, SHARE, "too large"),
        (math.nan, SHARE, "too large or too small"),
        ("1e999 W", POWER, "too large"),
        ("1e30 kW", POWER, "too large"),
        ("1e-320 W", POWER, "too small"),
        (10**400, SHARE, "bits"),
        (True, SHARE, "true"),
        (False, SHARE, "false"),
        (None, POWER, "nothing"),
        ([], POWER, "a list"),
        ({}, POWER, "a mapping"),
        (200, POWER, "200 without a unit"),
        ("200", POWER, "without a unit"),
        ("200 KW", POWER, "Did you mean 'kW'?"),
        ("200 GB", POWER, "the unit 'GB'"),
        ("200 kW kW", POWER, "the unit"),
        ("2**9**9**9 W", POWER, "the unit"),
        ("1,234 W", POWER, "separator"),
        ("1_234 W", POWER, "separator"),
        ("1.2.3 W", POWER, "separator"),
        ("２００ W", POWER, "Write '200 W'."),
        ("٣ W", POWER, "0-9"),
        ("-5 W", POWER, "above 0"),
        ("0 W", POWER, "above 0"),
        (-0.0, POWER, "without a unit"),
        ("", POWER, "''"),
        ("kW", POWER, "'kW'"),
        ("9" * 200 + " W", POWER, "..."),
        (8, SHARE, "at most 1"),
        ("-1 %", SHARE, "at least 0"),
        ("100 B", TOKENS, "100 B tokens"),
        ("100 GB", TOKENS, "the unit 'GB'"),
        ("100 b tokens", TOKENS, "the unit"),
        ("2 s", RATE, "2 per s"),
        ("3 %", GROWTH, "%/month"),
        ("36 %/year", GROWTH, "%/month"),
        ("-100 %/month", GROWTH, "above -1"),
    ],
)
def test_what_cannot_be_trusted_is_refused(found, measure, told):
    with pytest.raises(QuantityError) as caught:
        read_quantity(found, measure)
    assert told in str(caught.value)
    assert caught.value.allowed == measure.said()


@pytest.mark.parametrize(
    ("found", "measure", "told"),
    [
        (2000000, PRICE, "without a currency"),
        (True, PRICE, "true"),
        ("2.0 M", PRICE, "without a known currency"),
        ("2.0 m CNY", PRICE, "Did you mean 'M CNY'?"),
        ("2 m cny", PRICE, "Did you mean"),
        ("¥200", PRICE, "'¥200'"),
        ("200 ¥", PRICE, "Write CNY or JPY."),
        ("3 M GBP", PRICE, "currency"),
        ("2 CNY/h", PRICE, "the unit"),
        ("12 CNY", RENT, "the unit"),
        ("12 CNY/kg", RENT, "the unit"),
        ("-1 CNY", PRICE, "at least 0"),
        ("nan CNY", PRICE, "'nan CNY'"),
        ("1e29 T CNY", PRICE, "too large"),
    ],
)
def test_money_that_cannot_be_trusted_is_refused(found, measure, told):
    with pytest.raises(QuantityError) as caught:
        read_money(found, measure)
    assert told in str(caught.value)


def test_price_of_an_accelerator_is_refused_where_systems_are_priced():
    with pytest.raises(QuantityError):
        read_money("12 CNY/GPU/h", RENT)


def test_negative_zero_becomes_zero():
    assert math.copysign(1.0, read_quantity(-0.0, SHARE)) == 1.0


@given(number=st.floats(min_value=1e-6, max_value=1e6), scale=st.sampled_from(sorted(SCALES)))
def test_a_scale_word_multiplies(number, scale):
    plain = read_money(f"{number!r} CNY", PRICE).amount
    assert read_money(f"{number!r} {scale} CNY", PRICE).amount == pytest.approx(plain * SCALES[scale], rel=1e-12)


@given(number=st.integers(min_value=1, max_value=10**6), currency=st.sampled_from(sorted(CURRENCIES)))
def test_every_spelling_of_a_currency_is_read(number, currency):
    assert read_money(f"{number} {currency}", PRICE).currency == CURRENCIES[currency]


def read_or_none(read, found, measure):
    """Read a quantity; None where it is refused as it should be. Any other exception is a failure."""
    try:
        return read(found, measure)
    except QuantityError:
        return None


@given(text=st.text(max_size=100), number=st.sampled_from(["", "3 ", "3", "1e3 ", "-0.5 "]))
def test_any_text_is_read_in_bounds_or_refused(text, number):
    for measure in (POWER, SHARE, TOKENS, RATE):
        value = read_or_none(read_quantity, number + text, measure)
        assert value is None or measure.low <= value <= measure.high
    money = read_or_none(read_money, number + text, RENT)
    assert money is None or math.isfinite(money.amount)


ODD_UNITS = ("degC", "dB", "delta_degF", "1", "%%", "m ** 2", "W/W/W", "()", "W;W", "nan", "inf", "e", "pi")


@pytest.mark.parametrize("unit", ODD_UNITS)
def test_odd_units_do_no_harm(unit):
    for measure in (POWER, SHARE, TOKENS):
        value = read_or_none(read_quantity, f"3 {unit}", measure)
        assert value is None or math.isfinite(value)


@given(number=st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_is_read_in_bounds_or_refused(number):
    value = read_or_none(read_quantity, number, SHARE)
    assert value is None or 0.0 <= value <= 1.0


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "nothing"),
        (True, "true"),
        (1.5, "1.5"),
        ("a\x00b\u202ec", "a?b?c"),
        ("x" * 99, "x" * 40 + "..."),
        (7, "7"),
    ],
)
def test_what_was_found_is_shown_short_and_printable(found, told):
    assert shown(found) == told
