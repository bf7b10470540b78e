"""Small problems whose answer a person finds on paper: each holds two or three rules against each other."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.procure.makers import choice, job, problem, service

from suanli.domain.procurement import Tenure
from suanli.procure.solve import INFEASIBLE, OPTIMAL, solve


def best(asked):
    return solve(asked, gap=0.0, seconds=10.0, reasons=False)


def box(periods, price=100.0, **terms):
    return choice("box", periods, price=price, **terms)


def cloud(periods, price=30.0, tenure=Tenure.RENTED_MONTH, **terms):
    return choice("cloud", periods, tenure, price=price, **terms)


EACH = {"box": 1.0, "cloud": 1.0}


@pytest.mark.parametrize(("periods", "bought"), [(1, False), (3, False), (4, True), (8, True)])
def test_a_box_is_bought_once_the_rents_of_its_time_cost_more(periods, bought):
    """A box is 100, a month of rent 30: three months are rented, four are bought."""
    found = best(problem([box(periods), cloud(periods)], [service("serve", (1.0,) * periods, EACH)], periods))
    assert found.objective == pytest.approx(min(100.0, 30.0 * periods))
    assert bool(found.orders) is bought


@pytest.mark.parametrize("lead", [0, 1, 2, 3])
def test_what_has_not_arrived_is_rented(lead):
    """Ten months of one system: the box from its arrival on, rent for as many months as it takes."""
    asked = problem([box(10, lead_periods=(lead,) * 10), cloud(10)], [service("serve", (1.0,) * 10, EACH)], 10)
    found = best(asked)
    assert found.objective == pytest.approx(100.0 + 30.0 * lead)
    assert sorted(period for _, period in found.rents) == list(range(lead))


def test_cash_of_the_first_months_forces_rent_until_there_is_money():
    """40 may be spent in each of the first two months: 30 of rent, 30 of rent, then the box."""
    cash = (40.0, 80.0, 1000.0, 1000.0, 1000.0, 1000.0, 1000.0, 1000.0)
    found = best(problem([box(8), cloud(8)], [service("serve", (1.0,) * 8, EACH)], 8, cash=cash))
    assert found.objective == pytest.approx(160.0)
    assert set(found.orders) == {("box", 2)}


def test_resale_makes_a_box_worth_buying_for_a_short_while():
    """Sold for 80 at the end, a box costs 20 for a month that would cost 30 on rent."""
    found = best(problem([box(1, resale=(80.0,)), cloud(1)], [service("serve", (1.0,), EACH)], 1))
    assert found.objective == pytest.approx(20.0)


def test_resale_does_not_lend_cash():
    asked = problem([box(1, resale=(80.0,)), cloud(1)], [service("serve", (1.0,), EACH)], 1, cash=(50.0,))
    assert best(asked).objective == pytest.approx(30.0)


def test_running_costs_count_from_arrival_whether_used_or_not():
    asked = problem(
        [box(4, running_cost={"power": (10.0,) * 4})], [service("serve", (1.0, 0.0, 0.0, 0.0), {"box": 1.0})], 4
    )
    assert best(asked).objective == pytest.approx(140.0)


def test_an_order_waits_until_its_delivery_is_needed():
    """Nothing is needed before the third month, so nothing runs and costs before it."""
    asked = problem(
        [box(4, running_cost={"power": (10.0,) * 4})], [service("serve", (0.0, 0.0, 1.0, 1.0), {"box": 1.0})], 4
    )
    found = best(asked)
    assert set(found.orders) == {("box", 2)}
    assert found.objective == pytest.approx(120.0)


def test_a_falling_price_is_waited_for_where_the_deadline_allows():
    falling = tuple(100.0 - 10.0 * month for month in range(5))
    early = best(problem([box(5, falling)], [job("train", 1.0, 1, {"box": 1.0})], 5))
    late = best(problem([box(5, falling)], [job("train", 1.0, 4, {"box": 1.0})], 5))
    assert (early.objective, late.objective) == (pytest.approx(90.0), pytest.approx(60.0))


def test_one_box_longer_or_two_boxes_shorter():
    """Four months of work: one box from the start; with two months left, two boxes."""
    assert best(problem([box(4)], [job("train", 4.0, 3, {"box": 1.0})], 4)).objective == pytest.approx(100.0)
    assert best(problem([box(4)], [job("train", 4.0, 1, {"box": 1.0})], 4)).objective == pytest.approx(200.0)


def test_a_service_leaves_its_spare_to_a_job():
    """One box serves half its time; the other half trains."""
    demands = [service("serve", (0.5, 0.5), {"box": 1.0}), job("train", 1.0, 1, {"box": 1.0})]
    assert best(problem([box(2)], demands, 2)).objective == pytest.approx(100.0)


@pytest.mark.parametrize(("lot", "bought"), [(1, 3), (2, 3), (4, 4), (8, 8)])
def test_an_order_is_no_smaller_than_its_lot(lot, bought):
    found = best(problem([box(1, lot=lot)], [service("serve", (3.0,), {"box": 1.0})], 1))
    assert sum(found.orders.values()) == bought


def test_supply_spreads_orders_over_months():
    asked = problem([box(4, supply=(1.0,) * 4)], [service("serve", (0.0, 0.0, 0.0, 3.0), {"box": 1.0})], 4)
    assert sorted(best(asked).orders.values()) == [1, 1, 1]
    short = problem([box(4, supply=(1.0,) * 4)], [service("serve", (0.0, 0.0, 3.0, 3.0, 0.0)[:4], {"box": 1.0})], 4)
    assert best(short).status == OPTIMAL
    none = problem([box(4, supply=(1.0,) * 4)], [service("serve", (0.0, 3.0, 0.0, 0.0), {"box": 1.0})], 4)
    assert best(none).status == INFEASIBLE


def test_a_term_is_taken_where_its_months_are_used():
    """By the month 30, for a term of four 20 each: four months on the term, one by the month."""
    term = choice("term", 5, Tenure.RENTED_RESERVED, price=20.0, commit_periods=4)
    both = {"cloud": 1.0, "term": 1.0}
    whole = best(problem([cloud(5), term], [service("serve", (1.0,) * 4 + (0.0,), both)], 5))
    assert whole.objective == pytest.approx(80.0)
    once = best(problem([cloud(5), term], [service("serve", (1.0, 0.0, 0.0, 0.0, 0.0), both)], 5))
    assert once.objective == pytest.approx(30.0)


def test_a_site_without_power_rents_and_one_with_power_buys():
    demand = [service("serve", (2.0,) * 9, EACH)]
    sizes = {1999.0: 100.0 + 270.0, 2000.0: 200.0, 999.0: 540.0}
    for watts, cost in sizes.items():
        assert best(problem([box(9), cloud(9)], demand, 9, site_watts=watts)).objective == pytest.approx(cost)


def test_the_meter_counts_more_than_the_boxes():
    demand = [service("serve", (2.0,), {"box": 1.0})]
    assert best(problem([box(1)], demand, 1, site_watts=2500.0, pue=1.25)).status == OPTIMAL
    assert best(problem([box(1)], demand, 1, site_watts=2499.0, pue=1.25)).status == INFEASIBLE


def test_racks_are_full_at_their_units():
    demand = [service("serve", (3.0,), {"box": 1.0})]
    assert best(problem([box(1)], demand, 1, rack_units=24.0)).status == OPTIMAL
    assert best(problem([box(1)], demand, 1, rack_units=23.0)).status == INFEASIBLE


def test_later_money_is_worth_less():
    asked = problem([cloud(3)], [service("serve", (1.0, 1.0, 1.0), {"cloud": 1.0})], 3, discount=(1.0, 0.9, 0.8))
    assert best(asked).objective == pytest.approx(30.0 * 2.7)


def test_what_is_paid_whatever_is_decided_is_part_of_the_cost():
    asked = problem([box(2)], [job("train", 1.0, 1, {"box": 1.0})], 2, fixed_cost={"staff": (7.0, 7.0)})
    assert best(asked).objective == pytest.approx(114.0)


def test_nothing_to_do_costs_nothing():
    found = best(problem([box(2), cloud(2)], [service("serve", (0.0, 0.0), EACH)], 2))
    assert (found.status, found.objective) == (OPTIMAL, 0.0)
    assert not found.orders
    assert not found.rents


@settings(max_examples=25, deadline=None)
@given(periods=st.integers(1, 8), price=st.integers(20, 200), rent=st.integers(5, 60), lead=st.integers(0, 3))
def test_one_steady_system_is_held_in_the_cheaper_way(periods, price, rent, lead):
    """Either rent throughout, or rent until a box arrives: the closed form of the smallest problem there is."""
    choices = [box(periods, float(price), lead_periods=(lead,) * periods), cloud(periods, float(rent))]
    found = best(problem(choices, [service("serve", (1.0,) * periods, EACH)], periods))
    bought = price + rent * lead if lead < periods else math.inf
    assert found.objective == pytest.approx(min(rent * periods, bought))


@settings(max_examples=25, deadline=None)
@given(amount=st.floats(0.1, 20.0), last=st.integers(0, 5), lead=st.integers(0, 3))
def test_a_job_alone_buys_the_least_that_finishes_it(amount, last, lead):
    found = best(problem([box(6, lead_periods=(lead,) * 6)], [job("train", amount, last, {"box": 1.0})], 6))
    months = last + 1 - lead
    if months <= 0:
        assert found.status == INFEASIBLE
    else:
        assert found.objective == pytest.approx(100.0 * math.ceil(amount / months - 1e-9))
