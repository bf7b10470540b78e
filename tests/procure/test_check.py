"""The checker finds every breach by itself, and counts money and watts without the solver."""

import pytest
from tests.procure.makers import choice, job, problem, service

from suanli.domain.procurement import Tenure
from suanli.procure.check import (
    Decisions,
    breaches,
    cost_lines,
    decisions_of,
    finish_periods,
    pool_sizes,
    power_watts,
    present_cost,
    worst_violation,
)
from suanli.procure.solve import solve

RESERVED = Tenure.RENTED_RESERVED


def decided(orders=None, rents=None, starts=None, use=None):
    return Decisions(orders=orders or {}, rents=rents or {}, rent_starts=starts or {}, use=use or {})


def kinds(asked, decision):
    return {breach.limit for breach in breaches(asked, decision)}


def plain(**terms):
    return problem([choice("box", 2, **terms)], [job("train", 2.0, 1, {"box": 1.0})], 2)


DONE = {("train", "box", 0): 1.0, ("train", "box", 1): 1.0}


def test_a_good_plan_has_no_breach():
    assert not breaches(plain(), decided({("box", 0): 1}, use=DONE))


def test_work_without_systems_is_a_breach():
    assert "pool" in kinds(plain(), decided(use=DONE))


def test_work_before_arrival_is_a_breach():
    assert "pool" in kinds(plain(lead_periods=(1, 0)), decided({("box", 0): 1}, use=DONE))


def test_unfinished_work_is_a_breach_as_large_as_what_is_missing():
    found = breaches(plain(), decided({("box", 0): 1}, use={("train", "box", 0): 1.0}))
    assert [(breach.limit, breach.excess) for breach in found] == [("deadline", pytest.approx(0.5))]


def test_work_after_the_deadline_does_not_count():
    asked = problem([choice("box", 2, held=2)], [job("train", 2.0, 0, {"box": 1.0})], 2)
    assert "deadline" in kinds(asked, decided(use=DONE))


def test_a_rate_not_held_is_a_breach():
    asked = problem([choice("box", 2, held=1)], [service("serve", (1.0, 2.0), {"box": 1.0})], 2)
    found = breaches(asked, decided(use={("serve", "box", 0): 1.0, ("serve", "box", 1): 1.0}))
    assert [(breach.limit, breach.period) for breach in found] == [("rate", 1)]


def test_orders_beyond_supply_or_below_a_lot_are_breaches():
    assert "supply" in kinds(plain(supply=(0.0, 0.0)), decided({("box", 0): 1}, use=DONE))
    assert "lot" in kinds(plain(lot=2), decided({("box", 0): 1}, use=DONE))


def test_buying_what_is_only_owned_is_a_breach():
    asked = problem([choice("box", 2, Tenure.OWNED)], [job("train", 2.0, 1, {"box": 1.0})], 2)
    assert "tenure" in kinds(asked, decided({("box", 0): 1}, use=DONE))


def test_leaving_a_commitment_early_is_a_breach():
    asked = problem([choice("cloud", 3, RESERVED, commit_periods=2)], [], 3)
    assert "commitment" in kinds(asked, decided(rents={("cloud", 0): 1}, starts={("cloud", 0): 1}))


def test_a_rent_that_never_began_is_a_breach():
    asked = problem([choice("cloud", 2, RESERVED)], [], 2)
    assert "rent start" in kinds(asked, decided(rents={("cloud", 0): 1}))


def test_a_rent_before_its_lead_time_is_a_breach():
    asked = problem([choice("cloud", 2, RESERVED, lead_periods=(1, 1))], [], 2)
    assert "lead time" in kinds(asked, decided(rents={("cloud", 0): 1}, starts={("cloud", 0): 1}))


def test_a_rent_beyond_supply_is_a_breach():
    asked = problem([choice("cloud", 1, RESERVED, supply=(1.0,))], [], 1)
    assert "supply" in kinds(asked, decided(rents={("cloud", 0): 2}, starts={("cloud", 0): 2}))


def test_too_few_or_too_many_systems_at_once_are_breaches():
    few = problem([choice("box", 1, held=1)], [job("train", 1.0, 0, {"box": 1.0}, least_systems={"box": 2})], 1)
    assert "together" in kinds(few, decided(use={("train", "box", 0): 1.0}))
    many = problem([choice("box", 1, held=2)], [job("train", 2.0, 0, {"box": 1.0}, most_systems={"box": 1.0})], 1)
    assert "most systems" in kinds(many, decided(use={("train", "box", 0): 2.0}))


def test_a_service_split_too_thin_is_a_breach():
    asked = problem([choice("box", 1, held=2)], [service("serve", (1.0,), {"box": 1.0}, least_systems={"box": 2})], 1)
    assert "together" in kinds(asked, decided(use={("serve", "box", 0): 1.0}))


def test_a_job_on_two_choices_is_a_breach():
    choices = [choice("east", 1, held=1), choice("west", 1, held=1)]
    asked = problem(choices, [job("train", 2.0, 0, {"east": 1.0, "west": 1.0})], 1)
    assert "one pool" in kinds(asked, decided(use={("train", "east", 0): 1.0, ("train", "west", 0): 1.0}))


@pytest.mark.parametrize(
    ("limits", "limit"),
    [({"cash": (50.0, None)}, "cash"), ({"site_watts": 900.0}, "power"), ({"rack_units": 7.0}, "racks")],
)
def test_site_and_purse_are_watched(limits, limit):
    asked = problem([choice("box", 2)], [job("train", 2.0, 1, {"box": 1.0})], 2, **limits)
    assert kinds(asked, decided({("box", 0): 1}, use=DONE)) == {limit}


def test_negative_use_is_a_breach():
    assert "use" in kinds(plain(held=1), decided(use={**DONE, ("train", "box", 0): -0.5}))


def test_pools_grow_by_what_arrived():
    asked = problem([choice("box", 3, held=1, lead_periods=(1, 0, 0))], [], 3)
    sizes = pool_sizes(asked, decided({("box", 0): 2, ("box", 1): 1}))
    assert [sizes["box", period] for period in range(3)] == [1, 4, 4]


def test_costs_stand_by_category_and_period():
    terms = {"running_cost": {"power": (1.0, 2.0)}, "extra_cost": {"network": (5.0, 5.0)}, "resale": (30.0, 40.0)}
    asked = problem([choice("box", 2, **terms)], [], 2, fixed_cost={"office": (7.0, 0.0)}, discount=(1.0, 0.5))
    lines = cost_lines(asked, decided({("box", 0): 2}))
    assert lines == {
        ("purchase", 0): 200.0,
        ("network", 0): 10.0,
        ("power", 0): 2.0,
        ("power", 1): 4.0,
        ("resale", 1): -60.0,
        ("office", 0): 7.0,
    }
    assert present_cost(asked, lines) == pytest.approx(200 + 10 + 2 + 2 - 30 + 7)


def test_watts_count_systems_on_site_with_pue():
    choices = [choice("box", 2, held=3), choice("cloud", 2, RESERVED)]
    assert power_watts(problem(choices, [], 2, pue=1.5), decided(rents={("cloud", 0): 5})) == (4500.0, 4500.0)


def test_a_job_is_done_in_its_last_period_of_work():
    assert finish_periods(plain(), decided(use=DONE)) == {"train": 1}
    assert finish_periods(plain(), decided(use={("train", "box", 0): 2.0, ("train", "box", 1): 1e-9})) == {"train": 0}


def test_decisions_come_whole_out_of_a_solution():
    found = solve(plain())
    told = decisions_of(found)
    assert (told.orders, told.rents, told.rent_starts, told.use) == (
        found.orders,
        found.rents,
        found.rent_starts,
        found.use,
    )


def test_a_plan_that_keeps_all_limits_violates_none():
    assert worst_violation(plain(), decided({("box", 0): 1}, use=DONE)) == 0.0
    assert worst_violation(plain(), decided(use=DONE)) == pytest.approx(1.0)
