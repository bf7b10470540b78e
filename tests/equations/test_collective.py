"""Collectives: one rank is free, bytes are conserved, endless links leave the latency."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import collective

RANKS = st.integers(min_value=1, max_value=4096).map(float)
BYTES = st.floats(min_value=0.0, max_value=1e12)
RAMPS = st.floats(min_value=0.05, max_value=0.9)


def test_one_rank_sends_nothing():
    assert collective.traffic_share(1.0, 2.0) == 0.0


def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather():
    for ranks in (2.0, 8.0, 64.0):
        assert collective.traffic_share(ranks, 2.0) == 2 * collective.traffic_share(ranks, 1.0)


@given(ranks=RANKS)
def test_each_rank_sends_at_most_the_whole_on_each_pass(ranks):
    assert 0 <= collective.traffic_share(ranks, 1.0) < 1


@given(ranks=RANKS)
def test_more_ranks_never_send_less(ranks):
    assert collective.traffic_share(ranks + 1, 2.0) >= collective.traffic_share(ranks, 2.0)


def test_one_rank_waits_for_nobody():
    assert collective.tier_latency_seconds(1.0, 1e-5, 1e-6) == 0.0


def test_latency_grows_with_each_doubling():
    waits = collective.tier_latency_seconds(np.array([2.0, 4.0, 8.0]), 5e-6, 3e-6)
    assert np.diff(waits).tolist() == pytest.approx([3e-6, 3e-6])


def test_a_ring_takes_one_step_from_each_rank_to_the_next():
    """Three nodes of four: each node has three steps inside, and two of the three gaps between nodes are waited for."""
    inside, across = 3e-6, 14e-6
    assert collective.ring_seconds(12.0, 3.0, inside, across) == pytest.approx(3 * 3 * inside + 2 * across)


@given(ranks=RANKS)
def test_a_ring_inside_one_node_is_timed_by_its_tier_alone(ranks):
    assert collective.ring_seconds(ranks, 1.0, 3e-6, 14e-6) == 0.0


@given(nodes=st.integers(2, 512).map(float), local=st.integers(1, 8).map(float))
def test_a_ring_of_nodes_has_as_many_steps_as_ranks_but_one(nodes, local):
    assert collective.ring_seconds(nodes * local, nodes, 1.0, 1.0) == nodes * local - 1


def test_large_messages_reach_their_share_of_the_link():
    sent = 1e15
    assert sent / collective.tier_transfer_seconds(sent, 1e11, 0.8, 1e6, 0.5) == pytest.approx(0.8e11, rel=1e-3)


def test_at_the_half_size_half_of_it_is_reached():
    sent = 4e6
    assert sent / collective.tier_transfer_seconds(sent, 1e11, 0.8, sent, 0.3) == pytest.approx(0.4e11)


def test_nothing_sent_takes_no_time():
    assert collective.tier_transfer_seconds(0.0, 1e11, 0.8, 1e6, 0.5) == 0.0


@given(sent=BYTES, more=st.floats(1.0, 100.0), half=st.floats(1.0, 1e8), ramp=RAMPS)
def test_more_bytes_take_longer_and_more_link_does_not(sent, more, half, ramp):
    plain = collective.tier_transfer_seconds(sent, 1e11, 0.8, half, ramp)
    assert collective.tier_transfer_seconds(sent * more, 1e11, 0.8, half, ramp) >= plain * (1 - 1e-12)
    assert collective.tier_transfer_seconds(sent, 1e11 * more, 0.8, half, ramp) <= plain * (1 + 1e-12)


@given(sent=st.floats(1.0, 1e12), half=st.floats(1.0, 1e8), ramp=RAMPS)
def test_no_transfer_beats_the_link(sent, half, ramp):
    assert collective.tier_transfer_seconds(sent, 1e11, 1.0, half, ramp) >= sent / 1e11


def test_the_slower_tier_carries_the_stream():
    assert collective.two_tier_seconds(3.0, 2.0, 0.0, 0.0) == 3.0
    assert collective.two_tier_seconds(2.0, 3.0, 0.0, 0.0) == 3.0


def test_latencies_of_both_tiers_add():
    assert collective.two_tier_seconds(0.0, 0.0, 1e-5, 2e-5) == pytest.approx(3e-5)


def test_a_column_is_its_numbers():
    sent = np.array([0.0, 1e3, 1e6, 1e9])
    column = collective.tier_transfer_seconds(sent, 1e11, 0.8, 1e6, 0.4)
    assert column.tolist() == [collective.tier_transfer_seconds(one, 1e11, 0.8, 1e6, 0.4) for one in sent]


def test_compiled_code_gives_the_same_numbers():
    numba = pytest.importorskip("numba")
    for equation, point in (
        (collective.tier_transfer_seconds, (1e8, 1e11, 0.8, 1e6, 0.4)),
        (collective.tier_latency_seconds, (8.0, 1e-5, 3e-6)),
        (collective.traffic_share, (8.0, 2.0)),
        (collective.ring_seconds, (64.0, 8.0, 3e-6, 14e-6)),
    ):
        assert numba.njit(equation.body)(*point) == pytest.approx(equation(*point), rel=1e-12)
