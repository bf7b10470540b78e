"""Every formula moves the way it must when one argument grows, and no formula hides a constant with a unit."""

import importlib
import pkgutil
import zlib

import numpy as np
import pytest
from tests.equations.directions import DIRECTIONS, RANGES, SHARES, WHOLE

import suanli.equations
from suanli.foundation.equation import EQUATIONS, ledger
from suanli.foundation.units import registry, unit_of_name

for found in pkgutil.iter_modules(suanli.equations.__path__):
    importlib.import_module(f"suanli.equations.{found.name}")

NAMES = sorted(EQUATIONS)
SAMPLES = 400
ROUNDING = 1e-9
SIGNS = {"+": 1.0, "-": -1.0}
MOVES = [
    (name, word[:-1], SIGNS[word[-1]])
    for name, said in sorted(DIRECTIONS.items())
    for word in said.split()
    if word[-1] in SIGNS and name in EQUATIONS
]


def bounds(name, argument):
    """Between which values an argument of a formula is meant."""
    for key in (f"{name}.{argument}", argument):
        if key in RANGES:
            return RANGES[key]
    return (0.02, 0.95) if argument in SHARES else (1.0, 100.0)


def draw(name, argument, random):
    """Draw a column of values of an argument."""
    low, high = bounds(name, argument)
    told = random.uniform(low, high, SAMPLES)
    return np.round(told) if argument in WHOLE else told


def sample(name):
    """Columns for every argument of a formula, the same ones each time."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return {argument: draw(name, argument, random) for argument in EQUATIONS[name].signature.parameters}, random


def grown(name, argument, values, random):
    """Return the same column with every value a little or much greater, still inside its bounds."""
    _, high = bounds(name, argument)
    told = values + random.uniform(0, 1, len(values)) * np.maximum(high - values, 0)
    return np.maximum(np.round(told), values) if argument in WHOLE else told


def test_every_formula_and_every_argument_has_a_direction():
    said = {name: [word[:-1] for word in words.split()] for name, words in DIRECTIONS.items()}
    assert said == {name: list(EQUATIONS[name].signature.parameters) for name in NAMES}
    assert all(word[-1] in "+-?" for words in DIRECTIONS.values() for word in words.split())


@pytest.mark.parametrize(("name", "argument", "sign"), MOVES, ids=[f"{name}-{argument}" for name, argument, _ in MOVES])
def test_a_formula_moves_with_its_argument_as_it_must(name, argument, sign):
    given, random = sample(name)
    before = np.asarray(EQUATIONS[name](**given), dtype=float)
    after = np.asarray(
        EQUATIONS[name](**{**given, argument: grown(name, argument, given[argument], random)}), dtype=float
    )
    assert np.all(sign * (after - before) >= -ROUNDING * np.abs(before))


@pytest.mark.parametrize(("name", "argument", "sign"), MOVES, ids=[f"{name}-{argument}" for name, argument, _ in MOVES])
def test_no_argument_that_has_a_direction_is_left_unread(name, argument, sign):
    """A direction that never shows would be a slip of the table or a dead argument."""
    given, random = sample(name)
    before = np.asarray(EQUATIONS[name](**given), dtype=float)
    after = np.asarray(
        EQUATIONS[name](**{**given, argument: grown(name, argument, given[argument], random)}), dtype=float
    )
    assert np.any(after != before)


@pytest.mark.parametrize("name", NAMES)
def test_a_formula_gives_finite_numbers_wherever_its_arguments_are_meant(name):
    given, _ = sample(name)
    assert np.all(np.isfinite(EQUATIONS[name](**given)))


@pytest.mark.parametrize("name", NAMES)
def test_a_formula_is_the_same_in_any_system_of_units(name):
    """Seconds or hours, bytes or gigabytes: scaling every dimension scales the answer by its own unit and no more."""
    units = registry()
    dimensions = ["[length]", "[mass]", "[time]", "[information]", "[arithmetic]", "[text]"]
    scale = dict(zip(dimensions, (3.0, 7.0, 60.0, 1024.0, 1e3, 5.0), strict=True))

    def factor(unit):
        told = units.Quantity(1.0, unit).dimensionality
        return float(np.prod([scale.get(str(base), 1.0) ** power for base, power in told.items()]))

    given, _ = sample(name)
    scaled = {argument: column * factor(unit_of_name(argument)) for argument, column in given.items()}
    told = np.asarray(EQUATIONS[name](**given)) * factor(EQUATIONS[name].unit)
    assert np.allclose(EQUATIONS[name](**scaled), told, rtol=ROUNDING, atol=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_column_is_its_numbers_to_the_last_bit_but_one(name):
    given, _ = sample(name)
    column = np.asarray(EQUATIONS[name](**given))
    for row in (0, 7, SAMPLES - 1):
        alone = float(EQUATIONS[name](**{argument: float(values[row]) for argument, values in given.items()}))
        assert alone == pytest.approx(column[row], rel=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_listening_changes_nothing(name):
    given, _ = sample(name)
    with ledger() as heard:
        told = EQUATIONS[name](**given)
    assert np.array_equal(told, EQUATIONS[name](**given))
    (line,) = heard.below
    assert (line.name, line.unit, line.source) == (name, EQUATIONS[name].unit, EQUATIONS[name].source)
    assert list(line.inputs) == list(given)
    assert line.value is told


@pytest.mark.parametrize("name", NAMES)
def test_a_formula_leaves_what_it_is_given_alone(name):
    given, _ = sample(name)
    kept = {argument: column.copy() for argument, column in given.items()}
    EQUATIONS[name](**given)
    assert all(np.array_equal(given[argument], column) for argument, column in kept.items())
