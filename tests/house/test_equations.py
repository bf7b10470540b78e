"""Every registered equation is documented, sourced, reads as a column and passes the unit check."""

import importlib
import pkgutil
import re

import numpy as np
import pytest

import suanli.equations
from suanli.foundation.equation import EQUATIONS
from suanli.foundation.units import registry, unit_of_name

for found in pkgutil.iter_modules(suanli.equations.__path__):
    importlib.import_module(f"suanli.equations.{found.name}")

NAMES = sorted(EQUATIONS)
POINT = 3.0


@pytest.mark.parametrize("name", NAMES)
def test_an_equation_is_documented_and_sourced(name):
    equation = EQUATIONS[name]
    assert equation.__doc__, f"{name} has no docstring"
    assert re.fullmatch(r"[a-z0-9_:.-]+", equation.source), f"{name} names no source key"


@pytest.mark.parametrize("name", NAMES)
def test_an_equation_reads_as_a_column(name):
    equation = EQUATIONS[name]
    count = len(equation.signature.parameters)
    scalar = equation(*[POINT] * count)
    column = equation(*[np.full(3, POINT)] * count)
    assert np.allclose(column, scalar, equal_nan=True), f"{name} reads differently as a column"


@pytest.mark.parametrize("name", NAMES)
def test_an_equation_gives_the_unit_it_says(name):
    equation = EQUATIONS[name]
    units = registry()
    inputs = [units.Quantity(POINT, unit_of_name(parameter)) for parameter in equation.signature.parameters]
    told = equation(*inputs)
    assert units.Quantity(told).check(units.Quantity(1.0, equation.unit).dimensionality), (
        f"{name} says {equation.unit or 'a pure number'} and gives {units.Quantity(told).units}"
    )
