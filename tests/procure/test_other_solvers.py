"""The same program read by other solvers, and by ours without its presolve, costs the same."""

import math

import numpy as np
import pytest
from tests.procure.makers import choice, job, problem, random_problem, service

from suanli.domain.procurement import Tenure
from suanli.procure.build import build
from suanli.procure.solve import INFEASIBLE, OPTIMAL, solve

GAP = 1e-6
FEW = range(300, 320)
MANY = range(320, 420)


def price_of(made, value):
    """Turn a program's objective into money: in its unit, with what is paid whatever is decided."""
    asked = made.problem
    fixed = sum(line[p] * asked.discount[p] for line in asked.fixed_cost.values() for p in range(len(asked.periods)))
    return value * made.money_unit + fixed


def ours(asked):
    found = solve(asked, gap=0.0, seconds=20.0, reasons=False, early=False)
    assert found.status in (OPTIMAL, INFEASIBLE)
    return found.objective


def highs(asked, **options):
    import highspy

    made = build(asked)
    arrays = made.program.arrays()
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(arrays.cost), len(arrays.row_low)
    model.col_cost_, model.col_lower_, model.col_upper_ = arrays.cost, arrays.low, arrays.high
    model.row_lower_, model.row_upper_ = arrays.row_low, arrays.row_high
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = (
        arrays.row_start,
        arrays.index,
        arrays.value,
    )
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    model.integrality_ = [kinds[int(whole)] for whole in arrays.whole]
    solver = highspy.Highs()
    for name, value in {"output_flag": False, "mip_rel_gap": 0.0, "mip_abs_gap": 1e-9, **options}.items():
        solver.setOptionValue(name, value)
    solver.passModel(model)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return math.inf
    return price_of(made, solver.getInfo().objective_function_value)


def other(asked):
    """Solve with SCIP through OR-Tools."""
    builder = pytest.importorskip("ortools.linear_solver.python.model_builder")
    made = build(asked)
    arrays = made.program.arrays()
    model = builder.Model()
    columns = [
        model.new_var(low, high, bool(whole), f"x{number}")
        for number, (low, high, whole) in enumerate(zip(arrays.low, arrays.high, arrays.whole, strict=True))
    ]
    for row, (low, high) in enumerate(zip(arrays.row_low, arrays.row_high, strict=True)):
        span = range(arrays.row_start[row], arrays.row_start[row + 1])
        terms = sum(float(arrays.value[at]) * columns[arrays.index[at]] for at in span)
        model.add_linear_constraint(terms, float(low), float(high))
    model.minimize(sum(float(cost) * column for cost, column in zip(arrays.cost, columns, strict=True)))
    solver = builder.Solver("scip")
    if solver.solve(model) != builder.SolveStatus.OPTIMAL:
        return math.inf
    return price_of(made, solver.objective_value)


def agree(one, another):
    return (math.isinf(one) and math.isinf(another)) or one == pytest.approx(another, rel=2 * GAP, abs=1e-4)


@pytest.mark.oracle
@pytest.mark.parametrize("seed", MANY)
def test_another_solver_finds_the_same_cost(seed):
    asked = random_problem(seed)
    assert agree(ours(asked), other(asked)), seed


@pytest.mark.parametrize("seed", FEW)
def test_presolve_is_of_no_account(seed):
    asked = random_problem(seed)
    whole, bare = highs(asked), highs(asked, presolve="off")
    assert agree(whole, bare), seed
    assert agree(ours(asked), whole), seed


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_presolve_is_of_no_account_on_a_hundred_cases(seed):
    asked = random_problem(seed)
    assert agree(highs(asked), highs(asked, presolve="off")), seed


def year(seed):
    """Make a problem of a year, larger than can be tried by hand."""
    random = np.random.default_rng(seed)
    price = float(random.uniform(80.0, 140.0))
    choices = [
        choice("box", 12, price=price, lead_periods=(2,) * 12, lot=int(random.integers(1, 4)), resale=(20.0,) * 12),
        choice("cloud", 12, Tenure.RENTED_MONTH, price=float(random.uniform(8.0, 25.0))),
        choice("term", 12, Tenure.RENTED_RESERVED, price=float(random.uniform(6.0, 15.0)), commit_periods=6),
    ]
    work = {"box": 1.0, "cloud": 0.9, "term": 0.9}
    demands = [
        service("serve", tuple(np.linspace(0.5, float(random.uniform(2.0, 6.0)), 12).tolist()), work),
        job("train", float(random.uniform(5.0, 20.0)), 8, work, first=2, least_systems={"box": 2}),
    ]
    return problem(choices, demands, 12, discount=tuple((1.01 ** -np.arange(12)).tolist()))


@pytest.mark.parametrize("seed", range(2))
def test_a_year_costs_the_same_without_presolve(seed):
    assert agree(ours(year(seed)), highs(year(seed), presolve="off"))


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(5))
def test_another_solver_finds_the_same_cost_of_a_year(seed):
    assert agree(ours(year(seed)), other(year(seed)))
