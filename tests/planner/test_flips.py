"""What would change the decision is told with its range; a deadline that cannot be met is a flip too."""

from tests.planner import sample

from suanli.planner.flips import _curve, _deadline_flip, _move_deadlines
from suanli.planner.problem import state_problem
from suanli.procure.solve import OPTIMAL, solve
from suanli.procure.worker import SHARED


def stated():
    """State a job of six months' work for three boxes, due in seven months, two of which the boxes take to come."""
    scenario = sample.scenario(workloads=(sample.training(),), staff=None)
    rate = sample.performance("train", 3000.0, spread=0.0)
    return state_problem(scenario, [sample.choice()], {("train", "box"): rate}, 0.8)


def moved():
    problem = stated()
    base = solve(problem, gap=0.0)
    assert base.status == OPTIMAL
    return problem, base, _move_deadlines(problem, base, 0.0, 2.0, SHARED)


def test_an_earlier_deadline_never_costs_less_and_a_later_one_never_more():
    _, base, plans = moved()
    for months, solution in plans:
        if solution is not None:
            assert (solution.objective - base.objective) * months <= 1e-6 * base.objective


def test_the_curve_tells_every_plan_that_is_another_one():
    problem, base, plans = moved()
    told = _curve(problem, base, plans)
    assert len(told) == sum(solution is not None and solution is not base for _, solution in plans)


def test_a_deadline_flip_tells_the_range_tried():
    problem, base, plans = moved()
    (flip,) = _deadline_flip(problem, base, plans)
    months = [tried for tried, _ in plans]
    assert (flip.now, flip.tried_low, flip.tried_high) == (0.0, min(months), max(months))


def test_a_deadline_that_nothing_meets_is_the_flip():
    problem, base, _ = moved()
    (flip,) = _deadline_flip(problem, base, [(-2, None), (3, base)])
    assert (flip.flips_at, flip.becomes) == (-2.0, "infeasible")


def test_a_plan_without_deadlines_has_no_deadline_to_flip():
    scenario = sample.scenario(workloads=(sample.tuning(),), staff=None)
    problem = state_problem(scenario, [sample.choice(held=1)], {("tune", "box"): sample.performance("tune", 2e3)}, 0.8)
    base = solve(problem, gap=0.0)
    plans = _move_deadlines(problem, base, 0.0, 2.0, SHARED)
    assert plans == []
    assert list(_deadline_flip(problem, base, plans)) == []
