"""A solution told in a plan's words says the same: counts, months, money, dates."""

import pytest
from tests.planner import sample

from suanli.domain.procurement import Solution, Tenure
from suanli.planner.outcome import main_choice, tell_option
from suanli.planner.problem import state_problem


def told(solution_changes=None, **realised):
    scenario = sample.scenario()
    performances = {(job, "box"): sample.performance(job, 1000.0) for job in ("train", "tune", "serve")}
    rent = sample.choice("box:rent", Tenure.RENTED_MONTH, price=(1e5,) * 12)
    problem = state_problem(scenario, [sample.choice(), rent], performances, 0.8)
    fields = {
        "status": "optimal_within_gap",
        "objective": 3e6,
        "bound": 2.99e6,
        "gap": 0.003,
        "seconds": 0.1,
        "orders": {("box:buy", 1): 3},
        "rents": {("box:rent", 2): 2, ("box:rent", 3): 2, ("box:rent", 5): 1},
        "use": {("train", "box:buy", 3): 3.0, ("train", "box:buy", 4): 3.0, ("serve", "box:rent", 2): 1.5},
        "cost_lines": {("purchase", 1): 3.03e6, ("rent", 2): 2e5, ("power", 2): 0.0},
        "power_watts": (0.0,) * 12,
    }
    solution = Solution(**(fields | (solution_changes or {})))
    return tell_option("test", scenario, problem, solution, realised)


def test_an_order_arrives_after_its_lead_time():
    (order,) = told().orders
    assert (order.month, order.delivery_month, order.systems) == ("2024-02", "2024-04", 3)
    assert order.amount == 3 * order.unit_price == pytest.approx(3 * 1.01e6)


def test_a_rent_is_told_in_runs_of_equal_months():
    runs = [(rent.first_month, rent.last_month, rent.systems, rent.amount) for rent in told().rents]
    assert runs == [("2024-03", "2024-04", 2, 4e5), ("2024-06", "2024-06", 1, 1e5)]


def test_lines_of_no_money_are_left_out():
    assert {line.category for line in told().cash} == {"purchase", "rent"}


def test_a_workload_that_runs_nowhere_says_so():
    workload = told().workloads[1]
    assert (workload.system_id, workload.start_month, workload.finish_p80) == ("", "", "")


def test_finishing_dates_are_in_order_of_confidence():
    performance = sample.performance("train", 3000.0, spread=0.3)
    workload = told(train=performance).workloads[0]
    assert workload.start_month == "2024-04"
    assert workload.finish_p50 <= workload.finish_p80 <= workload.finish_p95


def test_a_fast_job_finishes_in_its_first_month():
    workload = told(train=sample.performance("train", 1e9, spread=0.0)).workloads[0]
    assert workload.finish_p50 == workload.finish_p95 == "2024-04"


def test_a_slow_job_goes_on_past_the_plan_and_says_when():
    workload = told(train=sample.performance("train", 1000.0, spread=0.0)).workloads[0]
    assert workload.finish_p50 > "2024-05"


def test_the_choice_that_does_most_of_the_work_is_the_main_one():
    use = {("serve", "a", 0): 1.0, ("serve", "b", 0): 0.5, ("serve", "b", 1): 0.9}
    solution = Solution(
        status="", objective=0, bound=0, gap=0, seconds=0, orders={}, rents={}, use=use, cost_lines={}, power_watts=()
    )
    assert main_choice("serve", solution) == "b"
    assert main_choice("other", solution) == ""
