"""What a ledger hears: each equation once, in its order, with its inputs by name, on its own thread alone."""

import contextvars
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from suanli.foundation.equation import EQUATIONS, Equation, Line, ledger


def _double(amount):
    """Twice it."""
    return 2.0 * amount


def _fourfold(amount):
    """Twice twice it."""
    return DOUBLE(DOUBLE(amount=amount))


def _scaled(amount, factor=3.0):
    """Scale it."""
    return amount * factor


DOUBLE = Equation(_double, "B", "paper")
FOURFOLD = Equation(_fourfold, "B", "paper")
SCALED = Equation(_scaled, "s", "other")


def depth(line):
    return 1 + max(map(depth, line.below), default=0)


def flat(line):
    return [line, *(inner for below in line.below for inner in flat(below))]


def test_an_equation_keeps_its_name_words_and_signature():
    assert (DOUBLE.name, DOUBLE.__doc__, DOUBLE.__name__) == ("_double", "Twice it.", "_double")
    assert list(SCALED.signature.parameters) == ["amount", "factor"]
    assert DOUBLE.__wrapped__ is DOUBLE.body


@given(amounts=some.lists(some.floats(-1e6, 1e6), max_size=10))
def test_lines_stand_in_the_order_of_reading(amounts):
    with ledger() as heard:
        values = [DOUBLE(amount) for amount in amounts]
    assert [line.inputs["amount"] for line in heard.below] == amounts
    assert [line.value for line in heard.below] == values


@given(amount=some.floats(-1e6, 1e6))
def test_listening_never_changes_a_value(amount):
    outside = FOURFOLD(amount)
    with ledger():
        assert FOURFOLD(amount) == outside


def test_equations_inside_equations_stand_below_them():
    with ledger() as heard:
        FOURFOLD(5.0)
    assert [line.name for line in flat(heard)] == ["", "_fourfold", "_double", "_double"]
    assert depth(heard) == 3
    assert [line.value for line in heard.below[0].below] == [10.0, 20.0]


def test_inputs_are_told_by_name_however_they_were_passed():
    with ledger() as heard:
        SCALED(2.0, 4.0)
        SCALED(factor=4.0, amount=2.0)
    assert heard.below[0].inputs == heard.below[1].inputs == {"amount": 2.0, "factor": 4.0}


def test_a_wrong_call_is_an_error_with_or_without_a_listener():
    with pytest.raises(TypeError):
        SCALED()
    with ledger() as heard, pytest.raises(TypeError):
        SCALED(1.0, 2.0, 3.0)
    assert heard.below == []


def test_a_column_is_one_line():
    with ledger() as heard:
        DOUBLE(np.arange(5.0))
    (line,) = heard.below
    assert line.value.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_a_ledger_ends_with_its_block_even_when_it_breaks():
    with pytest.raises(RuntimeError), ledger() as heard:
        raise RuntimeError
    DOUBLE(1.0)
    assert heard.below == []


def test_another_thread_is_not_heard():
    with ledger() as heard:
        thread = threading.Thread(target=DOUBLE, args=(1.0,))
        thread.start()
        thread.join()
    assert heard.below == []


def test_a_copied_context_is_heard():
    with ledger() as heard:
        contextvars.copy_context().run(DOUBLE, 1.0)
    assert len(heard.below) == 1


def test_two_lines_share_no_lists():
    first, second = Line(), Line()
    first.below.append(Line())
    first.inputs["a"] = 1
    assert (second.below, second.inputs) == ([], {})


def test_a_line_of_a_failing_equation_has_no_value():
    def broken(amount):
        """Fail."""
        return amount / 0

    with ledger() as heard, pytest.raises(ZeroDivisionError):
        Equation(broken, "s", "test")(1)
    assert heard.below[0].value is None


def test_registered_equations_are_found_by_their_names():
    import suanli.equations.transformer  # noqa: F401

    assert all(name == formula.name for name, formula in EQUATIONS.items())
    assert "matrix_flop" in EQUATIONS
