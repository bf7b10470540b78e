"""The solver's answer equals that of trying everything."""

import math

import pytest
from tests.procure import brute, makers

from suanli.procure.check import breaches, decisions_of
from suanli.procure.draft import most_systems
from suanli.procure.solve import INFEASIBLE, OPTIMAL, solve

MOST_COMBINATIONS = 100_000
FAST_CASES = range(25)
SLOW_CASES = range(25, 260)


def compare(seed):
    problem = makers.random_problem(seed)
    most = {choice.id: most_systems(problem, choice) for choice in problem.choices}
    if brute.combinations(problem, most) > MOST_COMBINATIONS:
        return False
    expected = brute.cheapest(problem, most)
    found = solve(problem, gap=0.0, seconds=20.0, reasons=False)
    if math.isinf(expected):
        assert found.status == INFEASIBLE, seed
        return True
    assert found.status == OPTIMAL, seed
    assert found.objective == pytest.approx(expected, rel=1e-9, abs=1e-6), seed
    assert found.gap <= 1e-6, seed
    assert not breaches(problem, decisions_of(found)), seed
    return True


def test_solver_equals_brute_force():
    assert sum(compare(seed) for seed in FAST_CASES) >= 20


@pytest.mark.slow
def test_solver_equals_brute_force_on_two_hundred_cases():
    assert sum(compare(seed) for seed in SLOW_CASES) >= 200
