"""One body, six readings: number, column, compiled code, explanation, unit check, band."""

import numpy as np
import pytest

from suanli.foundation.equation import EQUATIONS, Equation, equation, ledger
from suanli.foundation.units import registry


def _sum_body(moved_bytes, link_bytes_per_s, hop_seconds):
    """Add the time on the wire to the time of the hop."""
    return hop_seconds + moved_bytes / link_bytes_per_s


def _twice_body(moved_bytes, link_bytes_per_s, hop_seconds):
    """Cross the wire twice."""
    return 2 * WIRE(moved_bytes, link_bytes_per_s, hop_seconds)


WIRE = Equation(_sum_body, "s", "test")
TWICE = Equation(_twice_body, "s", "test")


def test_a_number_is_a_number():
    assert WIRE(10.0, 5.0, 1.0) == 3.0


def test_a_column_equals_its_numbers_one_by_one():
    sizes = np.array([1.0, 10.0, 100.0])
    assert WIRE(sizes, 5.0, 1.0).tolist() == [WIRE(size, 5.0, 1.0) for size in sizes.tolist()]


def test_compiled_code_gives_the_same_number():
    numba = pytest.importorskip("numba")
    assert numba.njit(WIRE.body)(10.0, 5.0, 1.0) == WIRE(10.0, 5.0, 1.0)


def test_a_ledger_hears_every_equation_with_its_inputs():
    with ledger() as told:
        value = TWICE(10.0, 5.0, 1.0)
    (line,) = told.below
    assert (line.name, line.value, line.unit, line.source) == ("_twice_body", value, "s", "test")
    assert line.below[0].inputs == {"moved_bytes": 10.0, "link_bytes_per_s": 5.0, "hop_seconds": 1.0}
    assert 2 * line.below[0].value == value


def test_nobody_listens_outside_a_ledger():
    with ledger() as told:
        pass
    WIRE(1.0, 1.0, 1.0)
    assert told.below == []


def test_ledgers_nest_without_mixing():
    with ledger() as outer:
        WIRE(1.0, 1.0, 1.0)
        with ledger() as inner:
            WIRE(2.0, 1.0, 1.0)
    assert [line.inputs["moved_bytes"] for line in outer.below] == [1.0]
    assert [line.inputs["moved_bytes"] for line in inner.below] == [2.0]


def test_a_ledger_closes_when_the_body_fails():
    def body(ranks):
        """Fail."""
        raise ZeroDivisionError

    failing = Equation(body, "s", "test")
    with ledger() as told:
        with pytest.raises(ZeroDivisionError):
            failing(1)
        WIRE(1.0, 1.0, 1.0)
    assert [line.name for line in told.below] == ["body", "_sum_body"]


def test_units_flow_through_the_body():
    units = registry()
    told = WIRE(units.Quantity(10.0, "B"), units.Quantity(5.0, "B/s"), units.Quantity(1.0, "s"))
    assert told.to("ms").magnitude == 3000.0


def test_a_wrong_unit_is_refused_by_the_body():
    import pint

    units = registry()
    with pytest.raises(pint.DimensionalityError):
        WIRE(units.Quantity(10.0, "B"), units.Quantity(5.0, "FLOP/s"), units.Quantity(1.0, "s"))


def test_an_uncertain_input_is_one_more_axis():
    draws = np.linspace(4.0, 6.0, 101)[:, None]
    low, high = np.quantile(WIRE(np.array([10.0, 20.0]), draws, 1.0), [0.1, 0.9], axis=0)
    assert (low < WIRE(np.array([10.0, 20.0]), 5.0, 1.0)).all()
    assert (high > WIRE(np.array([10.0, 20.0]), 5.0, 1.0)).all()


def test_an_equation_registered_twice_is_an_error():
    def lone_test_body(ranks):
        """Stand once."""
        return ranks

    try:
        equation(unit="", source="test")(lone_test_body)
        with pytest.raises(ValueError, match="registered twice"):
            equation(unit="", source="test")(lone_test_body)
    finally:
        EQUATIONS.remove("lone_test_body")
