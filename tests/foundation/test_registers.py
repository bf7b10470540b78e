"""Registers and suggestions: a name stands for one thing, and whoever nearly says it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.registry import Registry

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=12)


def register(names):
    made = Registry("thing")
    for number, name in enumerate(names):
        made.add(name, number)
    return made


@given(names=st.lists(NAMES, unique=True))
def test_members_are_found_in_the_order_in_which_they_came(names):
    made = register(names)
    assert list(made) == names
    assert len(made) == len(names)
    assert [made.find(name, "here") for name in names] == list(range(len(names)))
    assert dict(made) == {name: number for number, name in enumerate(names)}


@given(names=st.lists(NAMES, unique=True, min_size=1))
def test_a_name_taken_twice_is_an_error_and_the_first_stays(names):
    made = register(names)
    with pytest.raises(ValueError, match="registered twice"):
        made.add(names[0], "other")
    assert made[names[0]] == 0


@given(names=st.lists(NAMES, unique=True, min_size=1))
def test_a_name_that_was_taken_out_is_free_again(names):
    made = register(names)
    made.remove(names[0])
    assert names[0] not in made
    assert made.add(names[0], "new") == "new"


@given(names=st.lists(NAMES, unique=True, max_size=8), asked=NAMES)
def test_an_unknown_name_is_refused_with_all_that_are_known(names, asked):
    made = register(name for name in names if name != asked)
    with pytest.raises(InputError) as caught:
        made.find(asked, "options.yaml:3")
    (fault,) = caught.value.faults
    assert fault.place == "options.yaml:3"
    assert asked in fault.found
    assert fault.allowed == ", ".join(sorted(made))


@given(name=st.text("abcdefgh", min_size=5, max_size=12), at=st.integers(0, 4))
def test_one_wrong_letter_is_suggested_away(name, at):
    wrong = f"{name[:at]}z{name[at + 1 :]}"
    assert did_you_mean(wrong, [name, "0123456789"]) == f"Did you mean '{name}'?"


@pytest.mark.parametrize("known", [[], ["0123456789"]])
def test_nothing_near_is_no_suggestion(known):
    assert did_you_mean("abc", known) == ""


def test_a_fault_that_knows_no_better_says_nothing_more():
    assert str(Fault(place="a", found="b", allowed="c")) == "a: found b; allowed: c."
    assert str(Fault(place="a", found="b", allowed="c", hint="D?")) == "a: found b; allowed: c. D?"


@given(found=st.text(max_size=20))
def test_what_was_found_is_told_letter_by_letter(found):
    assert found in str(Fault(place="x", found=found, allowed="{y}"))


def test_kinds_stand_from_the_best_to_the_least_known():
    assert [kind.value for kind in Kind] == ["measured", "vendor", "derived", "estimate", "assumption"]


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_figure_is_its_value_and_cannot_be_changed(value):
    made = Figure(value=value, unit="W", low=value, high=value, kind=Kind.VENDOR, source="s", date="2024")
    assert float(made) == value
    with pytest.raises((AttributeError, TypeError)):
        made.value = 1.0
