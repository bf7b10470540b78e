"""Compiled code calls an equation by its own name and gets the same number."""

import importlib
import pkgutil

import numpy as np
import pytest

import suanli.equations
from suanli.foundation.equation import EQUATIONS
from suanli.simulate.compiled import compiled, teach

numba = pytest.importorskip("numba")

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
