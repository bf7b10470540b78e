"""Compiled code calls an equation by its own name and gets the same number."""

import importlib
import pkgutil
import re
import sys
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("numba")

import numba
from tests.simulate.traffic import ONE, play, rules, steady, work

import suanli.equations
from suanli.foundation.equation import EQUATIONS
from suanli.simulate.compiled import OPTIONS, compiled, entry, fast, teach
from suanli.simulate.serving_closed import play_closed, play_in_flight
from suanli.simulate.serving_play import play_all
from suanli.simulate.uncounted import uncounted

for found in pkgutil.iter_modules(suanli.equations.__path__):
    importlib.import_module(f"suanli.equations.{found.name}")

POINT = 3.0


def test_a_loop_calls_an_equation_by_name():
    from suanli.equations.energy import facility_watts

    teach()

    @numba.njit
    def loop(turns: int) -> float:
        total = 0.0
        for turn in range(turns):
            total += facility_watts(float(turn), 2.0)
        return total

    assert loop(4) == sum(facility_watts(float(turn), 2.0) for turn in range(4))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EQUATIONS))
def test_every_equation_compiles_to_the_same_number(name):
    teach()
    equation = EQUATIONS[name]
    inputs = [POINT] * len(equation.signature.parameters)
    assert np.isclose(compiled(equation)(*inputs), equation(*inputs), equal_nan=True)


class Columns(NamedTuple):
    ones: np.ndarray
    table: np.ndarray
    many: int


@fast
def rise(columns: Columns, at: int) -> None:
    """Change an array and read it, a row of another, and a length."""
    row = columns.table[at]
    columns.ones[at] += row[1] + columns.table[at, 0] * columns.many + len(row)


@entry
def rise_all(columns: Columns) -> float:
    columns = uncounted(columns)
    for at in range(len(columns.ones)):
        rise(columns, at)
    return columns.ones[-1]


def made() -> Columns:
    return Columns(np.arange(3.0), np.arange(6.0).reshape(3, 2), 2)


def body_of(function):
    """Return what the only version of a function became, without what stands around it."""
    (text,) = function.inspect_llvm().values()
    (found,) = re.findall(r"^define (?!linkonce)[^\n]*@_ZN(?!7cpython)[^\n]*\{.*?^\}", text, re.DOTALL | re.MULTILINE)
    return found


def test_uncounted_arrays_are_read_written_sliced_and_measured_like_any():
    columns = made()
    assert rise_all(columns) == columns.ones[-1]
    assert columns.ones.tolist() == [at + 2 * at + 1 + 2 * at * 2 + 2 for at in range(3)]


def test_what_is_handed_in_is_held_no_longer_than_the_call():
    columns = made()
    before = [sys.getrefcount(one) for one in columns]
    rise_all(columns)
    assert [sys.getrefcount(one) for one in columns] == before


def test_a_part_called_from_python_is_the_plain_function():
    plain, told = made(), made()
    for at in range(3):
        rise(plain, at)
    rise_all(told)
    assert (plain.ones == told.ones).all()


def test_a_quotient_by_zero_is_what_numpy_says():
    @entry
    def divided(one: float, other: float) -> float:
        return one / other

    assert divided(1.0, 0.0) == np.inf


@pytest.mark.slow
@pytest.mark.parametrize("whole", [play_all, play_closed])
def test_a_play_is_one_piece_that_counts_no_arrays(whole, monkeypatch):
    """A call would copy the whole state, a count would lock the memory at every step."""
    fresh = numba.njit(**OPTIONS)(whole.py_func)
    monkeypatch.setattr(f"{whole.py_func.__module__}.{whole.__name__}", fresh)
    asked = work([0.0, 0.1], inputs=20, outputs=30)
    if whole is play_all:
        play(asked, steady(0.01, 64), rules(), ONE)
    else:
        play_in_flight(asked, steady(0.01, 64), rules(), 2, 0.0)
    body = body_of(fresh)
    assert "@llvm.log" in body
    assert "NRT" not in body
    assert not re.search(r"call[^\n]*suanli", body)
