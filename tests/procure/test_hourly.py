"""Rents by the hour: paid for the share of a period in use, capped at once, whole only where a service keeps them."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from tests.procure import makers
from tests.procure.makers import choice, job, problem, service

from suanli.domain.procurement import Tenure
from suanli.foundation.errors import InputError
from suanli.procure.build import build, read, values_of
from suanli.procure.check import Decisions, breaches, cost_lines, decisions_of, kept_systems, present_cost
from suanli.procure.costs import lay_costs
from suanli.procure.draft import draft
from suanli.procure.rules import RULES
from suanli.procure.sensitivity import scale_prices
from suanli.procure.solve import INFEASIBLE, OPTIMAL, solve
from suanli.procure.worker import SHARED

HOUR, MONTH = Tenure.RENTED_HOUR, Tenure.RENTED_MONTH


def solved(asked, **terms):
    found = solve(asked, gap=0.0, seconds=10.0, **{"reasons": False} | terms)
    if found.status == OPTIMAL:
        assert not breaches(asked, decisions_of(found))
    return found


def one(tenure, demands, periods=1, price=100.0, **terms):
    return problem([choice("cloud", periods, tenure, price=price, **terms)], demands, periods)


def rented(found):
    return {key: pytest.approx(systems) for key, systems in found.rents.items()}


def test_a_tenth_of_a_month_costs_a_tenth_by_the_hour_and_all_of_it_by_the_month():
    small = [job("train", 0.1, 0, {"cloud": 1.0})]
    by_hour, by_month = solved(one(HOUR, small)), solved(one(MONTH, small))
    assert by_hour.objective == pytest.approx(10.0, abs=1e-6)
    assert by_month.objective == pytest.approx(100.0)
    assert by_hour.rents == {("cloud", 0): pytest.approx(0.1)}
    assert by_hour.rent_starts == {}


def test_the_cost_line_of_hours_is_rent_to_the_cent():
    asked = one(HOUR, [job("train", 1 / 3, 0, {"cloud": 1.0})], price=90_000.0, running_cost={"power": (900.0,)})
    found = solved(asked)
    assert set(found.cost_lines) == {("rent", 0), ("power", 0)}
    assert found.cost_lines["rent", 0] == pytest.approx(30_000.0, abs=0.005)
    assert found.cost_lines["power", 0] == pytest.approx(300.0, abs=0.005)


def test_work_goes_to_the_cheapest_hours():
    found = solved(one(HOUR, [job("train", 0.5, 2, {"cloud": 1.0})], periods=3, price=(90.0, 40.0, 70.0)))
    assert found.objective == pytest.approx(20.0)
    assert rented(found) == {("cloud", 1): 0.5}


def test_a_gang_rents_its_systems_for_a_part_of_the_period():
    gang = [job("train", 0.4, 0, {"cloud": 1.0}, least_systems={"cloud": 4})]
    assert solved(one(HOUR, gang)).objective == pytest.approx(40.0)
    assert solved(one(MONTH, gang)).objective == pytest.approx(400.0)


@pytest.mark.parametrize(("supply", "status"), [(3.0, INFEASIBLE), (4.0, OPTIMAL), (None, OPTIMAL)])
def test_a_gang_larger_than_what_is_had_at_once_cannot_run(supply, status):
    gang = [job("train", 0.4, 0, {"cloud": 1.0}, least_systems={"cloud": 4})]
    assert solved(one(HOUR, gang, supply=(supply,))).status == status


def test_supply_at_once_bounds_the_work_of_a_period():
    asked = one(HOUR, [job("train", 3.0, 1, {"cloud": 1.0})], periods=2, supply=(2.0, 2.0))
    found = solved(asked)
    assert sum(found.rents.values()) == pytest.approx(3.0)
    assert max(found.rents.values()) <= 2.0 + 1e-6
    short = one(HOUR, [job("train", 4.5, 1, {"cloud": 1.0})], periods=2, supply=(2.0, 2.0))
    assert solved(short).status == INFEASIBLE


def test_too_little_supply_is_named_with_its_relief():
    gang = [job("train", 0.4, 0, {"cloud": 1.0}, least_systems={"cloud": 4})]
    found = solved(one(HOUR, gang, supply=(3.0,)), reasons=True)
    (supply,) = [conflict for conflict in found.conflicts if conflict.limit == "supply"]
    assert supply.relief == 1.0


def test_most_systems_bounds_hours_too():
    wide = [job("train", 3.0, 1, {"cloud": 1.0}, most_systems={"cloud": 1.0})]
    assert solved(one(HOUR, wide, periods=2)).status == INFEASIBLE


def test_no_hours_before_they_can_be_had():
    late = one(HOUR, [job("train", 0.5, 1, {"cloud": 1.0})], periods=2, price=(1.0, 50.0), lead_periods=(1, 1))
    assert rented(solved(late)) == {("cloud", 1): 0.5}


def test_a_steady_service_keeps_whole_systems():
    found = solved(one(HOUR, [service("serve", (0.3, 2.4), {"cloud": 2.0})], periods=2))
    assert rented(found) == {("cloud", 0): 1, ("cloud", 1): 2}
    assert found.objective == pytest.approx(300.0)


def test_a_rate_held_by_turns_pays_for_its_hours():
    found = solved(one(HOUR, [service("tune", (0.3, 2.4), {"cloud": 2.0}, steady=False)], periods=2))
    assert rented(found) == {("cloud", 0): 0.15, ("cloud", 1): 1.2}


def test_turns_fill_what_services_keep_before_more_is_rented():
    demands = [service("serve", (0.6,), {"cloud": 1.0}), service("tune", (0.3,), {"cloud": 1.0}, steady=False)]
    assert solved(one(HOUR, demands)).objective == pytest.approx(100.0)
    demands[1] = replace(demands[1], rate=(0.7,))
    assert solved(one(HOUR, demands)).objective == pytest.approx(130.0)


def test_a_gang_of_turns_does_not_hold_its_systems():
    tune = [service("tune", (0.2,), {"cloud": 1.0}, steady=False, least_systems={"cloud": 2})]
    assert solved(one(HOUR, tune)).objective == pytest.approx(20.0)
    assert solved(one(HOUR, tune, supply=(1.0,))).status == INFEASIBLE


def test_a_gang_finds_its_systems_beside_what_services_keep():
    demands = [
        service("serve", (1.5,), {"cloud": 1.0}),
        job("train", 0.1, 0, {"cloud": 1.0}, least_systems={"cloud": 3}),
    ]
    assert solved(one(HOUR, demands, supply=(5.0,))).status == OPTIMAL
    assert solved(one(HOUR, demands, supply=(4.0,))).status == INFEASIBLE


def test_a_steady_service_works_on_its_least_number():
    found = solved(one(HOUR, [service("serve", (1.0,), {"cloud": 1.0}, least_systems={"cloud": 3})]))
    assert found.objective == pytest.approx(300.0)


def test_hours_and_the_month_share_the_work_by_price():
    cheap_month = choice("month", 1, MONTH, price=60.0)
    hours = choice("hour", 1, HOUR, price=100.0)
    for amount, cost in ((0.5, 50.0), (0.7, 60.0)):
        demands = [job("train", amount, 0, {"month": 1.0, "hour": 1.0})]
        assert solved(problem([cheap_month, hours], demands, 1)).objective == pytest.approx(cost)


def cash_is_kept_with(limit):
    return solved(replace(one(HOUR, [job("train", 0.5, 0, {"cloud": 1.0})]), limits=makers.problem(
        [], [], 1, cash=(limit,)).limits)).status  # fmt: skip


def test_hours_count_into_cash():
    assert cash_is_kept_with(50.1) == OPTIMAL
    assert cash_is_kept_with(49.0) == INFEASIBLE


def as_hours(asked):
    """Offer every month's rent by the hour too, at the same price and supply, as the only other change."""
    hourly = [
        replace(each, id=f"{each.id}-hour", tenure=HOUR, lot=1, commit_periods=1)
        for each in asked.choices
        if each.tenure is MONTH
    ]
    demands = []
    for demand in asked.demands:
        more = {f"{each}-hour": work for each, work in demand.work_per_system.items()}
        known = {each.id for each in hourly}
        work = {**demand.work_per_system, **{each: value for each, value in more.items() if each in known}}
        least = {**demand.least_systems, **{f"{c}-hour": n for c, n in demand.least_systems.items()}}
        demands.append(replace(demand, work_per_system=work, least_systems=least))
    return replace(asked, choices=(*asked.choices, *hourly), demands=tuple(demands))


@pytest.mark.parametrize("seed", range(300, 330))
def test_hours_on_offer_never_make_a_plan_dearer(seed):
    asked = makers.random_problem(seed)
    before, after = solved(asked), solved(as_hours(asked))
    if before.status == OPTIMAL:
        assert after.status == OPTIMAL
        assert after.objective <= before.objective + 1e-6 * max(1.0, abs(before.objective))


@pytest.mark.parametrize("seed", range(300, 320))
def test_hours_instead_of_months_at_the_same_price_are_never_dearer(seed):
    random = np.random.default_rng(seed)
    prices = tuple(random.uniform(20.0, 60.0, 2).tolist())
    least = int(random.integers(1, 4))
    demands = [
        job("train", float(random.uniform(0.2, 2.5)), 1, {"cloud": 1.0}, least_systems={"cloud": least}),
        service("tune", tuple(random.uniform(0.0, 1.5, 2).tolist()), {"cloud": 1.0}, steady=False),
        service("serve", tuple(random.uniform(0.0, 1.5, 2).tolist()), {"cloud": 1.3}),
    ]
    hours, months = (solved(one(tenure, demands, 2, price=prices)) for tenure in (HOUR, MONTH))
    assert hours.objective <= months.objective + 1e-6


def tried_by_hand(amount, rate, work, month_price, hour_price, at_once):
    """Try each number of months' systems and of kept ones in two periods; fill the job with the cheapest hours."""
    best = math.inf
    for owned in itertools.product(range(4), repeat=2):
        for kept in itertools.product(range(at_once + 1), repeat=2):
            short = any((owned[p] + kept[p]) * work < rate[p] for p in range(2))
            cost = sum(owned[p] * month_price[p] + kept[p] * hour_price[p] for p in range(2))
            if short or cost >= best:
                continue
            best = min(best, cost + min(_on_month(amount, owned, rate, kept, work), _on_hours(
                amount, owned, rate, kept, work, hour_price, at_once)))  # fmt: skip
    return best


def _on_month(amount, owned, rate, kept, work):
    """Put the job on systems by the month, beside as much of the service as does not fit on the kept ones."""
    free = sum(owned[p] - max(0.0, rate[p] / work - kept[p]) for p in range(2))
    return 0.0 if free >= amount - 1e-12 else math.inf


def _on_hours(amount, owned, rate, kept, work, price, at_once):
    """Put the job on hours: first in the idle part of what services keep, then in the cheapest hours."""
    left, cost = amount, 0.0
    for p in range(2):
        left -= kept[p] - max(0.0, rate[p] / work - owned[p])
    for p in sorted(range(2), key=lambda period: price[period]):
        more = min(max(left, 0.0), at_once - kept[p])
        cost, left = cost + more * price[p], left - more
    return cost if left <= 1e-12 else math.inf


@pytest.mark.parametrize("seed", range(400, 440))
def test_the_solver_equals_all_that_can_be_tried_by_hand(seed):
    random = np.random.default_rng(seed)
    amount, work, at_once = float(random.uniform(0.2, 2.5)), float(random.uniform(0.8, 2.0)), int(random.integers(1, 4))
    rate = tuple(random.uniform(0.1, 2.0, 2).tolist())
    month_price, hour_price = (tuple(random.uniform(20.0, 60.0, 2).tolist()) for _ in range(2))
    choices = [choice("month", 2, MONTH, price=month_price, supply=(3.0, 3.0)),
               choice("hour", 2, HOUR, price=hour_price, supply=(float(at_once),) * 2)]  # fmt: skip
    demands = [
        job("train", amount, 1, {"month": 1.0, "hour": 1.0}),
        service("serve", rate, {"month": work, "hour": work}),
    ]
    found = solved(problem(choices, demands, 2))
    assert found.objective == pytest.approx(tried_by_hand(amount, rate, work, month_price, hour_price, at_once))


@pytest.mark.parametrize("terms", [{"lot": 2}, {"commit_periods": 3}, {"on_site": True}])
def test_hours_have_no_lot_no_term_and_no_place_on_the_site(terms):
    with pytest.raises(InputError, match="by the hour"):
        solve(one(HOUR, [job("train", 0.1, 0, {"cloud": 1.0})], **terms))


def test_a_pool_by_the_hour_is_not_whole_and_has_no_starts():
    made = draft(one(HOUR, [job("train", 0.1, 0, {"cloud": 1.0})], commit_periods=1))
    assert not made.program.columns[made.pool["cloud", 0]].whole
    assert (made.start, made.order, made.ordering, made.kept) == ({}, {}, {}, {})


def test_decisions_survive_the_program():
    demands = [service("serve", (0.6,), {"cloud": 1.0}), service("tune", (0.7,), {"cloud": 1.0}, steady=False)]
    asked = one(HOUR, demands, supply=(4.0,))
    found = decisions_of(solved(asked))
    made = build(asked)
    again = read(made, values_of(made, found))
    assert again.rents == found.rents
    assert again.use == found.use
    assert kept_systems(asked, again.use) == {("cloud", 0): 1}


def decided(**made):
    return Decisions(**{"orders": {}, "rents": {}, "rent_starts": {}, "use": {}} | made)


@pytest.mark.parametrize(
    ("rents", "starts", "use", "broken"),
    [
        (0.2, {}, 0.3, "pool"),
        (0.6, {("cloud", 0): 1}, 0.3, "tenure"),
        (5.0, {}, 0.3, "supply"),
        (0.3, {}, 0.3, ""),
    ],
)
def test_the_checker_sees_what_breaks_an_hourly_rent(rents, starts, use, broken):
    asked = one(HOUR, [job("train", 0.3, 0, {"cloud": 1.0})], supply=(4.0,))
    made = decided(rents={("cloud", 0): rents}, rent_starts=starts, use={("train", "cloud", 0): use})
    assert {breach.limit for breach in breaches(asked, made)} == ({broken} if broken else set())


def test_the_checker_wants_whole_systems_kept_for_a_service():
    asked = one(HOUR, [service("serve", (0.3,), {"cloud": 1.0})])
    part = decided(rents={("cloud", 0): 0.3}, use={("serve", "cloud", 0): 0.3})
    whole = decided(rents={("cloud", 0): 1.0}, use={("serve", "cloud", 0): 0.3})
    assert [breach.limit for breach in breaches(asked, part)] == ["pool"]
    assert breaches(asked, whole) == []


def test_the_checker_wants_a_gang_to_be_had_at_once():
    asked = one(HOUR, [job("train", 0.3, 0, {"cloud": 1.0}, least_systems={"cloud": 4})], supply=(3.0,))
    made = decided(rents={("cloud", 0): 0.3}, use={("train", "cloud", 0): 0.3})
    assert [breach.limit for breach in breaches(asked, made)] == ["together"]


def test_twice_the_price_of_hours_is_twice_the_cost():
    asked = one(HOUR, [job("train", 0.3, 0, {"cloud": 1.0})])
    assert solved(scale_prices(asked, 2.0, ("cloud",))).objective == pytest.approx(2 * solved(asked).objective)


def without_cuts(asked):
    """Solve a problem without the rules that only bring the bound near."""
    made = draft(asked)
    lay_costs(made)
    for name, rule in RULES.items():
        if not name.startswith("whole_systems_carry"):
            rule(made)
    answer = SHARED.run(made.program.arrays(), gap=0.0, seconds=10.0)
    decided = read(made, answer.values)
    assert not breaches(asked, decided)
    return present_cost(asked, cost_lines(asked, decided))


@pytest.mark.parametrize("seed", range(500, 540))
def test_rules_that_bring_the_bound_near_take_no_answer_away(seed):
    random = np.random.default_rng(seed)
    kinds = (("month", MONTH), ("hour", HOUR), ("small", HOUR))
    choices = [
        choice(name, 2, tenure, price=tuple(random.uniform(20.0, 60.0, 2).tolist()), supply=(6.0, 6.0))
        for name, tenure in kinds
    ]
    works = [{name: float(random.uniform(0.4, 2.5)) for name, _ in kinds} for _ in range(3)]
    demands = [
        service("serve", tuple(random.uniform(0.1, 2.5, 2).tolist()), works[0]),
        service("tune", tuple(random.uniform(0.0, 1.5, 2).tolist()), works[1], steady=False),
        job("train", float(random.uniform(0.2, 2.5)), 1, works[2], least_systems={"hour": 2, "month": 2}),
    ]
    asked = problem(choices, demands, 2)
    assert solved(asked).objective == pytest.approx(without_cuts(asked), rel=1e-6)
