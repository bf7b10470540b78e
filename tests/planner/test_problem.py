"""A scenario becomes demands, limits and discounts that say the same."""

import math

import pytest
from tests.planner import sample

from suanli.domain.procurement import DemandKind
from suanli.domain.scenario import Budget
from suanli.foundation.calendar import SECONDS_PER_MONTH
from suanli.planner.problem import cautious_rate, discount_factors, state_problem


def made(confidence=0.8, **changes):
    scenario = sample.scenario(**changes)
    rates = {"train": 5000.0, "tune": 2000.0, "serve": 3.0}
    performances = {(job, "box"): sample.performance(job, rate) for job, rate in rates.items()}
    return state_problem(scenario, [sample.choice()], performances, confidence)


def test_training_is_work_to_finish_in_its_window():
    demand = made().demands[0]
    assert (demand.kind, demand.first, demand.last, demand.amount) == (DemandKind.FINISH, 1, 7, 40e9)


def test_tuning_is_a_rate_in_its_months_and_none_outside():
    demand = made().demands[1]
    assert demand.kind is DemandKind.RATE
    assert demand.rate[1] == 0.0
    assert demand.rate[2] * SECONDS_PER_MONTH == pytest.approx(200e6)
    assert demand.rate[10] == 0.0


def test_a_service_is_held_at_its_peak():
    assert made().demands[2].rate == tuple(2.0 * month for month in range(12))


def test_a_budget_by_a_month_binds_all_months_before_it():
    cash = made().limits.cash
    assert cash[:6] == (40e6,) * 6
    assert cash[6:] == (90e6,) * 6


def test_no_budget_is_no_limit():
    assert set(made(budget=Budget()).limits.cash) == {None}


def test_discounting_starts_now_and_takes_a_year_to_bite_in_full():
    factors = discount_factors(0.08, 13)
    assert factors[0] == 1.0
    assert factors[12] == pytest.approx(1 / 1.08)
    assert discount_factors(0.0, 3) == (1.0, 1.0, 1.0)


def test_more_confidence_never_promises_more():
    performance = sample.performance("train", 1000.0, spread=0.2)
    rates = [cautious_rate(performance, confidence) for confidence in (0.5, 0.8, 0.95)]
    assert rates[0] == pytest.approx(1000.0)
    assert rates == sorted(rates, reverse=True)


def test_certainty_needs_no_caution():
    assert cautious_rate(sample.performance("train", 1000.0, spread=0.0), 0.95) == 1000.0


def test_the_cautious_rate_of_eighty_percent_is_the_lower_end_of_a_sixty_percent_band():
    performance = sample.performance("train", 1.0, spread=1.0)
    assert math.log(cautious_rate(performance, 0.8)) == pytest.approx(-0.8416, abs=1e-4)


def test_staff_is_paid_every_month():
    assert made().fixed_cost == {"staff": (100e3,) * 12}


def test_a_system_that_cannot_run_a_workload_is_absent():
    scenario = sample.scenario()
    problem = state_problem(scenario, [sample.choice()], {}, 0.8)
    assert all(not demand.work_per_system for demand in problem.demands)
