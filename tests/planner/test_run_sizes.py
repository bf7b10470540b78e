"""On how many nodes to train: the least that meet a deadline, where more stop paying, what money and chips afford."""

import itertools

import pytest

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.catalogue.scaling_laws import find_law
from suanli.domain.wall_clock import Upkeep
from suanli.foundation.errors import InfeasibleError
from suanli.planner import run_budget, run_sizes
from suanli.planner.run_budget import Wish

DAY = 86400.0
BOX = catalogue().systems["dgx-h100"]
KERNELS = load_kernels()
WISH = Wish(
    law=find_law("", "--law"), parameters=None, tokens=None, serve_tokens=None, upkeep=Upkeep(), system=BOX,
    kernels=KERNELS, price_per_s=1e-3, currency="USD",
)  # fmt: skip


def proposal(flop):
    return run_budget.proposal_of(WISH, run_budget.advise(WISH, flop), BOX, KERNELS)


RUN = proposal(1e22)
SIZES = run_sizes.doublings(RUN)


def test_each_size_is_twice_the_one_before_and_says_what_it_saves():
    for half, twice in itertools.pairwise(SIZES):
        assert twice.nodes == 2 * half.nodes
        assert twice.gain == pytest.approx(1 - twice.wall_clock.wall_seconds / half.wall_clock.wall_seconds)
    assert SIZES[0].gain is None


def test_beyond_where_it_stops_paying_too_little_is_saved():
    stop = run_sizes.stops_paying(SIZES)
    assert stop.reason == "gain"
    after = next(size for size in SIZES if size.nodes == 2 * stop.nodes)
    assert after.gain < 1 / 3
    assert all(size.gain is None or size.gain >= 0.333 for size in SIZES if size.nodes <= stop.nodes)


@pytest.mark.parametrize("days", [1.0, 2.0, 5.0, 11.0])
def test_a_deadline_is_met_with_eighty_percent_chance_by_the_least_nodes(days):
    size = run_sizes.meet(RUN, SIZES, days * DAY)
    assert size.wall_clock.p80_seconds <= days * DAY
    fewer = [one for one in SIZES if one.nodes < size.nodes]
    assert all(one.wall_clock.p80_seconds > days * DAY for one in fewer)


def test_a_deadline_that_no_size_meets_is_told_with_the_fastest():
    with pytest.raises(InfeasibleError, match=r"deadline of 0\.01 days binds") as refused:
        run_sizes.meet(RUN, SIZES, 0.01 * DAY)
    assert "days" in refused.value.relief


def test_rent_is_paid_until_the_later_end():
    size = SIZES[0]
    assert size.cost.amount == pytest.approx(size.accelerators * size.wall_clock.p80_seconds * 1e-3)


@pytest.mark.parametrize(("nodes", "days"), [(1, 2.0), (16, 30.0), (128, 60.0)])
def test_chips_and_a_deadline_settle_a_budget_that_ends_just_in_time(nodes, days):
    """Speed jumps where a larger model takes another layout, so what tells is that a little more ends too late."""
    flop = run_budget.budget_of_chips(WISH, BOX, KERNELS, nodes, days * DAY)
    ends, later = (
        run_sizes.size_at(proposal(times * flop), nodes).wall_clock.p80_seconds
        for times in (1, 1 + 2 * run_budget.CLOSE)
    )
    assert ends <= days * DAY < later


def test_money_is_not_overspent_and_mostly_spent():
    flop, nodes = run_budget.budget_of_money(WISH, BOX, KERNELS, 1e6, 30 * DAY)
    cost = run_sizes.size_at(proposal(flop), nodes).cost.amount
    assert 0.75e6 < cost <= 1e6


def test_more_money_never_buys_less_arithmetic():
    bought = [run_budget.budget_of_money(WISH, BOX, KERNELS, money, 30 * DAY)[0] for money in (1e4, 1e5, 1e6)]
    assert bought == sorted(bought)


def test_money_beyond_what_nodes_can_use_is_left_over():
    """A day leaves no batch for a hundred thousand nodes, so fewer of them do more."""
    flop, nodes = run_budget.budget_of_money(WISH, BOX, KERNELS, 1e9, DAY)
    assert nodes < run_sizes.nodes_below(1e9 / (8e-3 * DAY))[0]
    assert flop > run_budget.budget_of_chips(WISH, BOX, KERNELS, nodes // 4, DAY)


def test_a_trifle_of_a_budget_is_told_how_much_would_do():
    advice = run_budget.advise(WISH, 1e15)
    with pytest.raises(InfeasibleError, match="budget binds") as refused:
        run_budget.refuse_trifles(WISH, advice)
    assert "1.7e+16 FLOP" in refused.value.relief
    run_budget.refuse_trifles(WISH, run_budget.advise(WISH, 1.8e16))


def test_chips_that_do_not_hold_the_model_are_told_why():
    with pytest.raises(InfeasibleError, match="do not go on 1 x DGX H100"):
        run_budget.budget_of_chips(WISH, BOX, KERNELS, 1, 3000 * DAY)


@pytest.mark.parametrize(("count", "sizes"), [(0.5, []), (1, [1]), (3, [3, 2, 1]), (9.9, [8, 7, 6, 5, 4, 3, 2, 1])])
def test_sizes_below_a_count_are_quarters_of_doublings(count, sizes):
    assert run_sizes.nodes_below(count) == sizes
