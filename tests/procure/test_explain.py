"""A problem without an answer names the limits in its way, and their least relief."""

from dataclasses import replace

import numpy as np
import pytest
from tests.procure.makers import choice, job, problem, service

from suanli.domain.procurement import Tenure
from suanli.procure import sensitivity
from suanli.procure.solve import INFEASIBLE, OPTIMAL, solve

PERIODS = 6


def ask(asked):
    found = solve(asked, gap=0.01, seconds=5.0)
    assert found.status == INFEASIBLE
    assert found.binding
    assert found.relief
    return found


def company(**terms):
    """Make a problem with room to spare, so that one planted limit is the only one in the way."""
    choices = [choice("box", PERIODS, held=1), choice("cloud", PERIODS, Tenure.RENTED_MONTH, price=30.0)]
    demands = [
        job("train", 8.0, 3, {"box": 1.0}),
        service("serve", (0.5,) * PERIODS, {"box": 1.0, "cloud": 1.0}),
    ]
    return problem(choices, demands, PERIODS, **terms)


def named(found):
    return {(conflict.limit, conflict.subject) for conflict in found.conflicts}


def relief_of(found, limit, subject=""):
    return [c.relief for c in found.conflicts if (c.limit, c.subject) == (limit, subject)][-1]


def test_the_company_has_an_answer():
    assert solve(company(), seconds=5.0).status == OPTIMAL


def test_cash_in_the_way_is_named_with_what_is_missing():
    asked = company(cash=(100.0,) * PERIODS)
    found = ask(asked)
    assert ("cash", "") in named(found)
    missing = relief_of(found, "cash")
    limits = asked.limits
    richer = replace(asked, limits=replace(limits, cash=tuple(100.0 + missing * 1.001 for _ in limits.cash)))
    poorer = replace(asked, limits=replace(limits, cash=tuple(100.0 + missing * 0.9 for _ in limits.cash)))
    assert solve(richer, seconds=5.0).status == OPTIMAL
    assert solve(poorer, seconds=5.0, reasons=False).status == INFEASIBLE
    assert any("cash" in line for line in found.relief)


def test_power_in_the_way_is_told_in_kilowatts():
    found = ask(company(site_watts=1500.0))
    assert ("power", "") in named(found)
    assert relief_of(found, "power") == pytest.approx(500.0, rel=0.02)
    assert any("kW" in line for line in found.relief)


def test_racks_in_the_way_are_named():
    found = ask(company(rack_units=8.0))
    assert relief_of(found, "racks") == pytest.approx(8.0, rel=0.02)


def test_a_deadline_in_the_way_is_told_in_periods():
    asked = problem(
        [choice("box", PERIODS, lead_periods=(3,) * PERIODS)], [job("train", 2.0, 1, {"box": 1.0})], PERIODS
    )
    found = ask(asked)
    assert named(found) >= {("deadline", "train")}
    assert relief_of(found, "deadline", "train") == 2.0
    later = sensitivity.shift_deadline(asked, 2, ["train"])
    assert solve(later, seconds=5.0).status == OPTIMAL


def test_supply_in_the_way_is_told_in_systems():
    asked = problem([choice("box", 1, supply=(1.0,))], [job("train", 3.0, 0, {"box": 1.0})], 1)
    assert relief_of(ask(asked), "supply", "box") == 2.0


def test_an_early_rate_that_nothing_can_hold_is_named():
    asked = problem([choice("box", 3, lead_periods=(1,) * 3)], [service("serve", (1.0,) * 3, {"box": 1.0})], 3)
    found = ask(asked)
    assert ("rate", "serve") in named(found)
    assert found.conflicts[0].period == 0


def test_a_demand_that_no_choice_runs_is_named():
    found = ask(problem([choice("box", 1)], [job("train", 1.0, 0, {})], 1))
    assert named(found) == {("choices", "train")}


def test_two_limits_in_the_way_are_told_together():
    asked = company(site_watts=1000.0, rack_units=8.0)
    found = ask(asked)
    assert {("power", ""), ("racks", "")} <= named(found) or ("deadline", "train") in named(found)


def test_each_limit_named_alone_frees_the_plan():
    asked = company(cash=(100.0,) * PERIODS, site_watts=4000.0)
    found = ask(asked)
    for conflict in found.conflicts:
        if conflict.limit == "cash":
            cash = tuple(limit + conflict.relief * 1.001 for limit in asked.limits.cash)
            assert solve(replace(asked, limits=replace(asked.limits, cash=cash)), seconds=5.0).status == OPTIMAL
        if conflict.limit == "amount":
            less = sensitivity.scale_work(asked, 1 - conflict.relief - 1e-3, ["train"])
            assert solve(less, seconds=5.0).status == OPTIMAL


def planted(seed):
    """Plant one limit, or one deadline, that cannot be kept; return the problem and what is in its way."""
    random = np.random.default_rng(seed)
    amount = float(random.uniform(6.0, 14.0))
    asked = company()
    train = replace(asked.demands[0], amount=amount)
    asked = replace(asked, demands=(train, asked.demands[1]))
    needed = int(np.ceil(amount / 4.0))
    kind = ("cash", "power", "racks", "supply", "deadline")[seed % 5]
    limits = asked.limits
    if kind == "cash":
        return replace(asked, limits=replace(limits, cash=(float(random.uniform(0.0, 90.0)),) * PERIODS)), kind
    if kind == "power":
        return replace(asked, limits=replace(limits, site_watts=float(random.uniform(1000.0, 1900.0)))), kind
    if kind == "racks":
        return replace(asked, limits=replace(limits, rack_units=float(random.uniform(8.0, 15.0)))), kind
    if kind == "supply":
        box = replace(asked.choices[0], supply=(0.0,) * PERIODS)
        return replace(asked, choices=(box, asked.choices[1])), kind
    box = replace(asked.choices[0], lead_periods=(4,) * PERIODS)
    return replace(asked, choices=(box, asked.choices[1])), f"deadline {needed}"


@pytest.mark.parametrize("seed", range(15))
def test_a_planted_limit_is_named(seed):
    asked, kind = planted(seed)
    assert kind.split()[0] in {limit for limit, _ in named(ask(asked))}


@pytest.mark.slow
def test_ninety_five_of_a_hundred_planted_limits_are_named():
    hits = 0
    for seed in range(100):
        asked, kind = planted(seed)
        hits += kind.split()[0] in {limit for limit, _ in named(ask(asked))}
    assert hits >= 95
