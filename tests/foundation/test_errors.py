"""Errors name the thing, what was found and what is allowed; input faults come all at once."""

import pytest

from suanli.foundation.errors import Fault, InfeasibleError, InputError, SuanliError, did_you_mean
from suanli.foundation.registry import Registry


def test_all_faults_are_told():
    faults = [Fault(place=f"line {line}", found="x", allowed="y") for line in (3, 7)]
    assert str(InputError(faults)).splitlines() == [
        "line 3: found x; allowed: y.",
        "line 7: found x; allowed: y.",
    ]


def test_a_hint_stands_at_the_end():
    error = InputError.single(place="a.yaml:1", found="'GB/S'", allowed="GB/s", hint="Did you mean 'GB/s'?")
    assert str(error).endswith("Did you mean 'GB/s'?")


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError([]), 2), (InfeasibleError(limit="memory", relief="more"), 3), (SuanliError(), 1)],
)
def test_each_error_has_its_exit_code(error, code):
    assert error.exit_code == code


def test_infeasible_names_the_limit_and_what_would_free_it():
    error = InfeasibleError(limit="No layout fits.", relief="Add 8 accelerators.")
    assert str(error) == "No layout fits. Add 8 accelerators."


def test_a_near_word_is_suggested_and_a_far_one_is_not():
    assert did_you_mean("switchd", ["switched", "mesh"]) == "Did you mean 'switched'?"
    assert did_you_mean("zzzz", ["switched", "mesh"]) == ""


def test_a_name_registered_twice_is_an_error():
    register: Registry[int] = Registry("thing")
    register.add("one", 1)
    with pytest.raises(ValueError, match="thing 'one' is registered twice"):
        register.add("one", 2)


def test_an_unknown_name_is_refused_with_the_nearest():
    register: Registry[int] = Registry("axis")
    register.add("tensor", 1)
    register.add("pipeline", 2)
    with pytest.raises(InputError) as caught:
        register.find("tensr", "scenario.yaml:4")
    (fault,) = caught.value.faults
    assert (fault.allowed, fault.hint) == ("pipeline, tensor", "Did you mean 'tensor'?")


def test_a_register_reads_as_a_mapping():
    register: Registry[int] = Registry("axis")
    register.add("tensor", 1)
    assert (dict(register), len(register), register.find("tensor", "x")) == ({"tensor": 1}, 1, 1)
