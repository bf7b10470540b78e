"""Traffic through an engine: queues of theory, conservation, order, shared beginnings, preemption, more replicas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from tests.simulate.traffic import ONE, Fleet, check_conserved, play, rules, steady, work

from suanli.simulate.serving_state import PROMPTED

STEP = 0.01


def queue(rate, lengths, servers, seed, many):
    """Play customers that each take so many steps, one server a place; return their mean wait before service."""
    random = np.random.default_rng(seed)
    asked = work(np.cumsum(random.exponential(1 / rate, many)), outputs=lengths(random, many), prefilled=True)
    law = rules(budget=servers + 1, places=servers)
    played = play(asked, steady(STEP, servers + 2), law, ONE)
    check_conserved(asked, played, law)
    return float((played.told.admitted_seconds - asked.ready_seconds).mean())


def erlang_wait(servers, load, service):
    """Mean wait of M/M/c (Erlang C); `load` is rate times service."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last) * service / (servers - load)


@pytest.mark.slow
def test_constant_service_waits_as_m_d_1_says():
    """W = s u / (2 (1 - u)) with s = 1 and u = 0.7, within 2 % at a million customers."""
    told = queue(0.7, lambda random, many: np.full(many, 100), 1, 5, 10**6)
    assert told == pytest.approx(0.7 / (2 * 0.3), rel=0.02)


@pytest.mark.slow
def test_memoryless_service_waits_as_m_m_1_says():
    """W = s u / (1 - u); lengths in steps are geometric, whose variance is 1 % below that of an exponential."""
    told = queue(0.7, lambda random, many: random.geometric(STEP, many), 1, 5, 10**6)
    assert told == pytest.approx(0.7 / 0.3, rel=0.02)


@pytest.mark.slow
def test_several_places_wait_as_erlang_c_says():
    """Steps of all places go together, so a customer begins up to a step late: half a step is added."""
    told = queue(6.4, lambda random, many: random.geometric(STEP, many), 8, 6, 10**6)
    assert told - STEP / 2 == pytest.approx(erlang_wait(8, 6.4, 1.0), rel=0.02)


@st.composite
def traffic(draw):
    many = draw(st.integers(1, 25))
    ints = st.integers(1, 90)
    prompts = [draw(st.lists(st.integers(0, 3), max_size=3)) for _ in range(many)]
    chains = [
        [sum(4**at * (one + 1) for at, one in enumerate(prompt[: k + 1])) for k in range(len(prompt))]
        for prompt in prompts
    ]
    names = {block: at for at, block in enumerate(sorted({one for chain in chains for one in chain}))}
    return work(
        np.cumsum(draw(st.lists(st.floats(0, 0.3), min_size=many, max_size=many))),
        inputs=draw(st.lists(ints, min_size=many, max_size=many)),
        outputs=draw(st.lists(ints, min_size=many, max_size=many)),
        priority=draw(st.lists(st.integers(0, 2), min_size=many, max_size=many)),
        prompts=[[names[one] for one in chain] for chain in chains],
    )  # fmt: skip


LAWS = st.builds(
    rules, budget=st.sampled_from([9, 16, 64]), places=st.integers(1, 8), pool=st.integers(6, 40),
    mixes=st.booleans(), reserved_share=st.sampled_from([0.0, 1.0]), swap_seconds=st.sampled_from([-1.0, 1e-3]),
    front_seconds=st.sampled_from([0.0, 1e-3]),
)  # fmt: skip
FLEETS = st.builds(
    Fleet, routing=st.integers(0, 2), least=st.just(1), most=st.integers(1, 3), flight=st.sampled_from([1.0, 4.0]),
    start_seconds=st.sampled_from([0.0, 0.2]), idle_seconds=st.sampled_from([0.0, 0.1]), crowding=st.just(1.25),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(asked=traffic(), law=LAWS, fleet=FLEETS)
def test_requests_tokens_and_blocks_are_conserved_under_every_rule(asked, law, fleet):
    played = play(asked, steady(STEP, 256, 1e-5), law, fleet)
    check_conserved(asked, played, law)
    again = play(asked, steady(STEP, 256, 1e-5), law, fleet)
    for one, other in zip(played.told, again.told, strict=True):
        assert one.tobytes() == other.tobytes()


def finishes(played):
    return played.told.finish_seconds


def test_a_request_alone_takes_its_chunks_and_then_a_step_for_each_further_token():
    """100 prompt tokens at 64 a step are two steps, the second of which makes the first token of five."""
    played = play(work([0.0], inputs=100, outputs=5), steady(STEP, 256), rules(), ONE)
    assert played.told.first_seconds[0] == pytest.approx(2 * STEP)
    assert finishes(played)[0] == pytest.approx((2 + 4) * STEP)


def test_who_matters_more_goes_first_and_equals_go_in_order():
    asked = work([0.0, 0.001, 0.002, 0.003], outputs=10, priority=[0, 1, 0, 1])
    told = play(asked, steady(STEP, 256), rules(places=1), ONE).told
    assert list(np.argsort(told.admitted_seconds)) == [0, 2, 1, 3]


def test_an_equal_beginning_is_computed_once():
    """Three blocks of 16 tokens are shared; the second prompt of 50 has two tokens of its own left."""
    asked = work([0.0, 1.0], inputs=50, prompts=[[0, 1, 2], [0, 1, 2]])
    told = play(asked, steady(STEP, 256), rules(), ONE).told
    assert list(told.hit_tokens) == [0, 48]


def test_a_prompt_that_is_all_there_still_computes_its_last_token():
    asked = work([0.0, 1.0], inputs=48, prompts=[[0, 1, 2], [0, 1, 2]])
    assert list(play(asked, steady(STEP, 256), rules(), ONE).told.hit_tokens) == [0, 47]


def test_the_oldest_beginning_without_a_user_is_evicted_first():
    """A pool of four blocks holds one of two beginnings of three; coming back, the first is gone."""
    asked = work([0.0, 1.0, 2.0, 3.0], inputs=49, prompts=[[0, 1, 2], [3, 4, 5], [3, 4, 5], [0, 1, 2]])
    told = play(asked, steady(STEP, 256), rules(pool=4), ONE).told
    assert list(told.hit_tokens) == [0, 0, 48, 0]


@pytest.mark.parametrize(("swap", "prompted"), [(-1.0, True), (0.001, False)])
def test_a_full_cache_preempts_the_last_to_come_and_it_ends_all_the_same(swap, prompted):
    """Two requests grow to four blocks each in a pool of six; what is computed again, or brought back, ends later."""
    law = rules(pool=6, swap_seconds=swap)
    asked = work([0.0, 0.0], inputs=16, outputs=48)
    played = play(asked, steady(STEP, 256), law, ONE)
    check_conserved(asked, played, law)
    assert played.told.preempted[0] == 0
    assert played.told.preempted[1] >= 1
    assert finishes(played)[1] > finishes(played)[0]
    assert bool(played.replicas.counts[0, PROMPTED] > 32) is prompted


def test_what_the_whole_cache_cannot_hold_is_turned_away():
    told = play(work([0.0, 0.1], inputs=[1000, 10]), steady(STEP, 2048), rules(pool=8, budget=64), ONE).told
    assert told.finish_seconds[0] == -1
    assert told.finish_seconds[1] > 0


def test_engines_that_do_not_mix_give_prompts_steps_of_their_own():
    """The first request decodes when the second comes: its next token waits for the whole prompt."""
    asked = work([0.0, 0.05], inputs=[8, 64], outputs=[20, 2])
    apart = play(asked, steady(STEP, 256), rules(mixes=False), ONE).told
    mixed = play(asked, steady(STEP, 256), rules(mixes=True), ONE).told
    assert apart.finish_seconds[0] == pytest.approx(mixed.finish_seconds[0] + STEP)


def fleet(routing, least=2, most=2, **changes):
    return ONE._replace(routing=routing, least=least, most=most, **changes)


def test_requests_go_round_or_to_who_has_least_or_to_who_knows_the_beginning():
    asked = work([0.0, 0.001, 0.5, 0.6], inputs=[32, 32, 32, 32], outputs=[400, 1, 1, 1], prompts=[[0], [1], [2], [1]])
    law = rules()
    told = [list(play(asked, steady(STEP, 256), law, fleet(routing)).told.replica) for routing in (0, 1, 2)]
    assert told[0] == [0, 1, 0, 1]
    assert told[1] == [0, 1, 1, 1]
    assert told[2] == [0, 1, 1, 1]


def test_replicas_come_when_asked_for_and_go_when_idle():
    """Forty requests at once ask for four replicas, which come after a second; a quiet time later one is enough."""
    burst = np.concatenate([np.linspace(0, 2, 80), 30 + np.arange(20.0)])
    grows = fleet(1, least=1, most=4, flight=4.0, start_seconds=1.0, idle_seconds=2.0)
    asked = work(burst, outputs=200)
    played = play(asked, steady(STEP, 256), rules(places=4), grows)
    assert set(played.told.replica[burst < 1]) == {0}
    assert set(played.told.replica) == {0, 1, 2, 3}
    assert set(played.told.replica[-5:]) == {0}
    alone = play(asked, steady(STEP, 256), rules(places=4), fleet(1, least=4, most=4))
    assert played.replica_seconds < alone.replica_seconds


def test_standing_by_is_paid_from_the_first_request_to_the_end():
    played = play(work([0.0, 5.0], outputs=10), steady(STEP, 256), rules(), fleet(0))
    assert played.replica_seconds == pytest.approx(2 * finishes(played).max())
