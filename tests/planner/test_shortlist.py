"""The program is given few choices: what one has always, of the rest the cheapest for some workload."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner import sample

from suanli.catalogue.load import catalogue
from suanli.domain.procurement import Tenure
from suanli.planner.candidates import Candidate, Market
from suanli.planner.ground import lay_ground
from suanli.planner.shortlist import shortlist
from suanli.planner.weigh import Weighed

KNOWN = catalogue()
SYSTEMS = sorted(KNOWN.systems)
KEEP = int(lay_ground(sample.scenario()).figures["planning.candidates"].value)


def candidate(number, price=1e6, tenure=Tenure.BOUGHT, **changes):
    system = KNOWN.systems[SYSTEMS[number]]
    choice = sample.choice(
        f"{system.id}:{tenure.value}", tenure, system_id=system.id, price=(price,) * 12,
        resale=(0.0,) * 12, running_cost={}, **changes,
    )  # fmt: skip
    return Candidate(choice=choice, system=system, estimated=False, evidence=())


def kept(candidates, rates):
    """Shortlist where `rates` gives what a system does for a workload, by (workload, number)."""
    performances = {
        (job, SYSTEMS[number]): sample.performance(job, rate, system_id=SYSTEMS[number])
        for (job, number), rate in rates.items()
    }
    weighed = Weighed(performances=performances, refusals=())
    market = Market(candidates=tuple(candidates), passed_over=("why",))
    made = shortlist(lay_ground(sample.scenario()), market, weighed)
    assert made.passed_over == ("why",)
    return [one.choice.id for one in made.candidates]


@given(prices=st.lists(st.floats(1e5, 1e7), min_size=1, max_size=20))
def test_no_more_than_so_many_of_each_tenure_are_kept_and_the_cheapest_is_one(prices):
    candidates = [candidate(number, price) for number, price in enumerate(prices)]
    names = kept(candidates, {("train", number): 1.0 for number in range(len(prices))})
    assert len(names) == min(len(prices), KEEP)
    cheapest = candidates[prices.index(min(prices))]
    assert cheapest.choice.id in names
    cost = {one.choice.id: one.choice.price[0] for one in candidates}
    left = [price for name, price in cost.items() if name not in names]
    assert max(cost[name] for name in names) <= min(left, default=1e99) * (1 + 1e-9)


@given(held=st.integers(1, 12), rest=st.integers(0, 12))
def test_what_one_has_is_kept_however_much_and_however_dear(held, rest):
    mine = [candidate(number, 1e9, held=2) for number in range(held)]
    other = [candidate(held + number) for number in range(rest)]
    rates = {("train", number): 1.0 for number in range(held + rest)}
    names = kept([*mine, *other], rates)
    assert {one.choice.id for one in mine} <= set(names)
    assert len(names) == held + min(rest, KEEP)


def test_what_one_has_is_kept_where_it_does_nothing():
    assert len(kept([candidate(0, held=1)], {})) == 1


def test_what_arrives_is_kept():
    one = candidate(0)
    arriving = replace(one, choice=replace(one.choice, id=f"{one.system.id}:arriving"))
    assert kept([arriving], {}) == [arriving.choice.id]


def test_what_runs_nothing_is_left_out():
    assert kept([candidate(0), candidate(1)], {("serve", 1): 1.0}) == [candidate(1).choice.id]


def test_the_best_for_any_one_workload_is_kept():
    """A system that is poor at training may be the best there is for the service."""
    candidates = [candidate(number) for number in range(KEEP + 4)]
    rates = {("train", number): 100.0 + number for number in range(KEEP + 4)} | {("serve", 0): 1.0}
    assert candidates[0].choice.id in kept(candidates, rates)


def test_tenures_do_not_crowd_each_other_out():
    bought = [candidate(number) for number in range(KEEP + 2)]
    rented = [candidate(number, 1e5, Tenure.RENTED_MONTH) for number in range(KEEP + 2)]
    names = kept([*bought, *rented], {("train", number): 1.0 for number in range(KEEP + 2)})
    assert len(names) == 2 * KEEP


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_the_unit_of_money_does_not_matter(factor):
    prices = [3e6, 1e6, 2e6, 5e6, 4e6, 9e6, 8e6, 7e6, 6e6, 1.5e6]
    rates = {("train", number): 1.0 + number for number in range(len(prices))}
    plain = kept([candidate(number, price) for number, price in enumerate(prices)], rates)
    assert kept([candidate(number, price * factor) for number, price in enumerate(prices)], rates) == plain
