"""Units by their rules: there and back is the same, hostile texts are no units, a name's last word is its unit."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.foundation.errors import InputError
from suanli.foundation.units import COMMON_UNITS, NAME_UNITS, si_factor, to_si, unit_of_name

SI = (
    "FLOP",
    "FLOP/s",
    "B",
    "B/s",
    "W",
    "J",
    "s",
    "token",
    "token/s",
    "",
    "CNY",
    "USD",
    "EUR",
    "CNY/s",
    "USD/s",
    "CNY/J",
)
PURE = ("%", "1")
KNOWN = [
    (unit, into)
    for unit in COMMON_UNITS
    for into in SI
    if si_factor(unit, into) is not None and (unit in PURE) == (into == "")
]


def test_every_common_unit_has_an_si_unit():
    assert {unit for unit, _ in KNOWN} >= set(COMMON_UNITS) - {"CNY/kWh", "USD/kWh"}


@pytest.mark.parametrize(("unit", "into"), KNOWN)
def test_there_and_back_is_the_same(unit, into):
    there, back = si_factor(unit, into), si_factor(into or "1", "" if unit == "%" else unit)
    if into and back is not None:
        assert there * back == pytest.approx(1.0, rel=1e-12)
    assert 0 < there < math.inf


@given(value=st.floats(-1e30, 1e30), pair=st.sampled_from(KNOWN))
def test_a_number_is_turned_in_proportion(value, pair):
    unit, into = pair
    assert to_si(value, unit, into, "x") == pytest.approx(value * to_si(1.0, unit, into, "x"), rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "into", "factor"),
    [
        ("GB", "B", 1e9), ("GiB", "B", 2**30), ("TB/s", "B/s", 1e12), ("Gbit/s", "B/s", 1.25e8), ("kW", "W", 1e3),
        ("kWh", "J", 3.6e6), ("ms", "s", 1e-3), ("day", "s", 86400.0), ("week", "s", 604800.0), ("%", "", 0.01),
        ("TFLOP/s", "FLOP/s", 1e12), ("TOP/s", "FLOP/s", 1e12), ("CNY/kWh", "CNY/J", 1 / 3.6e6), ("pJ", "J", 1e-12),
        ("year", "s", 31_557_600.0), ("month", "s", 2_629_800.0),
    ],
)  # fmt: skip
def test_a_unit_is_what_its_standard_says(unit, into, factor):
    assert si_factor(unit, into) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize("one", ["CNY", "USD", "EUR", "JPY"])
@pytest.mark.parametrize("other", ["CNY", "USD", "EUR", "JPY", "W", "B", ""])
def test_no_money_turns_into_another_by_itself(one, other):
    assert si_factor(one, other) == (1.0 if one == other else None)


HOSTILE = [
    "", " ", "GB/S/", "__import__('os')", "1;2", "a" * 41, "W\n", "W;", "Ω", "９", "W**9**9**9", "lambda: 1", "W$",
    "((9)**9)**9", "W**99", "W^9^9", "[W]", "{W}", "W\0", "9" * 40, "((((", "/", "**", "-", "%%", "W W W W", "1e999 W",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_unit_is_refused(text):
    with pytest.raises(InputError):
        to_si(1.0, text, "J", "file:1")


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=12))
def test_no_text_whatever_breaks_the_reader(text):
    factor = si_factor(text, "B")
    assert factor is None or math.isfinite(factor)


def test_a_refusal_lists_the_units_that_fit_and_the_nearest():
    with pytest.raises(InputError) as caught:
        to_si(1.0, "GB/S", "B/s", "offers.csv:3")
    (fault,) = caught.value.faults
    assert fault.place == "offers.csv:3"
    assert "GB/s" in fault.allowed
    assert "kWh" not in fault.allowed
    assert fault.hint == "Did you mean 'GB/s'?"


@given(stem=st.text("abcxyz", min_size=1, max_size=6), word=st.sampled_from(sorted(NAME_UNITS)))
def test_a_names_last_word_is_its_unit(stem, word):
    assert unit_of_name(f"{stem}_{word}") == NAME_UNITS[word]
    assert unit_of_name(word) == NAME_UNITS[word]


@given(words=st.tuples(st.sampled_from(sorted(NAME_UNITS)), st.sampled_from(sorted(NAME_UNITS))))
def test_what_stands_behind_per_divides(words):
    above, below = (NAME_UNITS[word] for word in words)
    assert unit_of_name(f"x_{words[0]}_per_{words[1]}") == f"{above}/{below}"


@pytest.mark.parametrize("name", ["ranks", "share", "layers", "mfu", "experts_per_rank", ""])
def test_any_other_name_is_a_pure_number(name):
    assert unit_of_name(name) == ""
