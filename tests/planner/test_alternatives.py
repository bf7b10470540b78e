"""A tied hand only ever takes away: what is allowed stays as it was, and demands forget what is gone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner import sample

from suanli.domain.procurement import Tenure
from suanli.planner.alternatives import keeping, tied_hands, waiting, with_choices
from suanli.planner.problem import state_problem

RENTS = (Tenure.RENTED_MONTH, Tenure.RENTED_RESERVED)


def made(*choices):
    performances = {
        (job, choice.system_id): sample.performance(job, 1000.0, system_id=choice.system_id, most_systems=9)
        for job in ("train", "tune", "serve")
        for choice in choices
    }
    return state_problem(sample.scenario(), choices, performances, 0.8)


def pool(name, tenure=Tenure.BOUGHT, **changes):
    return sample.choice(f"{name}:{tenure.value}", tenure, system_id=name, system_name=name, **changes)


WHOLE = made(
    pool("a"),
    pool("b", held=3),
    pool("c", Tenure.OWNED, held=2),
    pool("d", Tenure.RENTED_MONTH, domestic=True),
    pool("e", Tenure.RENTED_RESERVED),
    pool("f", domestic=True),
)
HANDS = {hand.key: hand for hand in tied_hands(WHOLE, frozenset({"a", "d"}), 4)}


def after(key):
    return {choice.id: choice for choice in HANDS[key].change(WHOLE).choices}


def test_each_hand_has_a_name_of_its_own():
    assert set(HANDS) == {"buy", "rent", "domestic", "wait", "without"}
    assert len({hand.name for hand in HANDS.values()}) == len(HANDS)


def test_buying_everything_rents_nothing():
    assert not any(choice.tenure in RENTS for choice in after("buy").values())
    assert set(after("buy")) == {"a:bought", "b:bought", "c:owned", "f:bought"}


def test_renting_everything_buys_nothing_but_keeps_what_one_has():
    left = after("rent")
    assert set(left) == {"b:bought", "c:owned", "d:rented_month", "e:rented_reserved"}
    assert left["b:bought"].tenure is Tenure.OWNED
    assert left["b:bought"].held == 3
    assert set(left["b:bought"].supply) == {0.0}


def test_domestic_only_keeps_domestic_chips_and_what_one_has():
    left = after("domestic")
    assert set(left) == {"b:bought", "c:owned", "d:rented_month", "f:bought"}
    assert set(left["b:bought"].supply) == {0.0}
    assert left["f:bought"] == next(choice for choice in WHOLE.choices if choice.id == "f:bought")


def test_domestic_only_is_no_alternative_where_there_are_no_domestic_chips():
    plain = made(pool("a"))
    assert "domestic" not in {hand.key for hand in tied_hands(plain, frozenset(), 4)}


def test_doing_without_the_best_takes_it_away():
    assert set(after("without")) == {"b:bought", "c:owned", "e:rented_reserved", "f:bought"}


def test_doing_without_the_best_keeps_what_of_it_one_has():
    hands = {hand.key: hand for hand in tied_hands(WHOLE, frozenset({"b"}), 4)}
    left = {choice.id: choice for choice in hands["without"].change(WHOLE).choices}
    assert left["b:bought"].held == 3
    assert set(left["b:bought"].supply) == {0.0}


@given(months=st.integers(0, 20))
def test_waiting_orders_nothing_in_its_months_and_changes_none_after(months):
    for before, later in zip(WHOLE.choices, waiting(months)(WHOLE).choices, strict=True):
        assert set(later.supply[:months]) <= {0.0}
        assert later.supply[months:] == before.supply[months:]
        assert replace(later, supply=before.supply) == before


def test_waiting_keeps_a_rent_that_runs():
    running = made(pool("d", Tenure.RENTED_MONTH, held=2))
    (later,) = waiting(3)(running).choices
    assert later.supply[:3] == (2.0,) * 3


@pytest.mark.parametrize("key", HANDS)
def test_a_tied_hand_asks_for_the_same_work_on_what_is_left(key):
    tied = HANDS[key].change(WHOLE)
    known = {choice.id for choice in tied.choices}
    for before, later in zip(WHOLE.demands, tied.demands, strict=True):
        assert (later.id, later.amount, later.rate, later.last) == (before.id, before.amount, before.rate, before.last)
        for name in ("work_per_system", "least_systems", "most_systems"):
            old, new = getattr(before, name), getattr(later, name)
            assert new == {choice: value for choice, value in old.items() if choice in known}
    assert tied.limits == WHOLE.limits
    assert tied.fixed_cost == WHOLE.fixed_cost


@pytest.mark.parametrize("key", HANDS)
def test_a_hand_that_is_tied_twice_is_no_tighter(key):
    once = HANDS[key].change(WHOLE)
    assert HANDS[key].change(once) == once


@pytest.mark.parametrize("key", HANDS)
def test_what_one_has_is_never_taken_away(key):
    held = {choice.id: choice.held for choice in WHOLE.choices if choice.held}
    left = {choice.id: choice.held for choice in HANDS[key].change(WHOLE).choices if choice.held}
    assert left == held


def test_keeping_all_changes_nothing():
    assert keeping(lambda choice: True)(WHOLE) == WHOLE
    assert with_choices(WHOLE, list(WHOLE.choices)) == WHOLE


def test_keeping_nothing_leaves_work_that_nothing_does():
    left = keeping(lambda choice: False)(WHOLE)
    assert left.choices == ()
    assert all(not demand.work_per_system for demand in left.demands)
