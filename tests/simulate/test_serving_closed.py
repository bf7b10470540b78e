"""A client that keeps so many on their way: never more, always as many as it has."""

import numpy as np
import pytest

pytest.importorskip("numba")

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulate.traffic import ONE, check_conserved, rules, steady, work

from suanli.simulate.serving_closed import play_in_flight
from suanli.simulate.serving_play import play


@settings(max_examples=40, deadline=None)
@given(
    many=st.integers(1, 60),
    flight=st.integers(1, 12),
    places=st.integers(1, 8),
    delay=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 9),
)
def test_no_more_than_so_many_are_on_their_way_and_all_end(many, flight, places, delay, seed):
    random = np.random.default_rng(seed)
    asked = work(np.zeros(many), inputs=random.integers(1, 90, many), outputs=random.integers(1, 12, many))
    law = rules(places=places)
    played, sent = play_in_flight(asked, steady(0.1, 512, 0.001), law, flight, delay)
    check_conserved(asked, played, law)
    finish = played.told.finish_seconds
    assert (np.diff(sent) >= 0).all()
    assert (sent[:flight] == 0).all()
    for at in range(many):
        on_their_way = np.sum(sent[:at] <= sent[at]) - np.sum(finish[:at] <= sent[at] + 1e-9)
        assert on_their_way < flight
    ended = np.sort(finish)
    assert sent[flight:] == pytest.approx(ended[: max(many - flight, 0)])


def test_more_on_their_way_than_there_are_is_open():
    asked = work([0, 0.5, 0.6, 3.0], inputs=20, outputs=5)
    played, sent = play_in_flight(asked, steady(0.1, 512), rules(), 9, 0.0)
    free = play(asked, steady(0.1, 512), rules(), ONE)
    assert sent == pytest.approx(asked.ready_seconds)
    assert played.told.finish_seconds == pytest.approx(free.told.finish_seconds)


def test_one_after_the_other_takes_a_request_s_own_time_each():
    """Ten steps of 0.1 s (a prompt of one chunk gives the first token) and 0.5 s on the way: one ends every 1.5 s."""
    played, sent = play_in_flight(work(np.zeros(5), outputs=10), steady(0.1, 512), rules(), 1, 0.5)
    assert sent == pytest.approx(1.5 * np.arange(5))
    assert played.told.finish_seconds - sent == pytest.approx(np.full(5, 1.5))


def test_who_may_not_be_sent_yet_waits_though_there_is_room():
    _, sent = play_in_flight(work([0, 0, 40, 41], outputs=10), steady(0.1, 512), rules(), 1, 0.0)
    assert sent == pytest.approx([0, 1, 40, 41])
