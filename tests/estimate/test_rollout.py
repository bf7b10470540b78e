"""Rollouts: lengths with the mean that was told, the fullest replica, and what makes the last answer late."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS, cluster_of
from tests.estimate.posts import POLICY, answers_of

from suanli.catalogue.posttraining import load_post_figures
from suanli.domain.posttraining import Rollout
from suanli.domain.workload import ServingLayout
from suanli.estimate.rollout import Pool, answer_lengths, dealt, layouts_for, mixed, opened, rolled_out, serving_setup
from suanli.estimate.rollout import work_of as requests_of
from suanli.estimate.serving_memory import BLOCK_TOKENS, cache_pool_bytes
from suanli.estimate.serving_runs import decode_seconds
from suanli.estimate.serving_steady import demand_of
from suanli.foundation.errors import InfeasibleError
from suanli.parts.architectures.read import named_model

BOX = cluster_of(1).system
TENSOR_1 = Rollout(tensor=1)
quick = settings(max_examples=20, deadline=None)
means = st.floats(8, 900)
spreads = st.floats(0, 2)


def seconds(answers, accelerators=8, rollout=TENSOR_1, **pool):
    found, _ = rolled_out(POLICY, answers, rollout, Pool(system=BOX, accelerators=accelerators, **pool), KERNELS)
    return found.seconds


@given(mean=means, spread=spreads)
@settings(max_examples=60, deadline=None)
def test_lengths_have_the_mean_that_was_told_and_stay_below_the_limit(mean, spread):
    lengths = answer_lengths(answers_of(answer_tokens=mean, spread=spread))
    assert len(lengths) == 32 * 8
    assert lengths.max() <= 1024
    assert lengths.min() >= 1
    assert np.mean(lengths) == pytest.approx(mean, abs=0.6)
    assert np.all(np.diff(lengths) <= 0)


def test_without_spread_all_answers_are_alike():
    assert set(answer_lengths(answers_of(spread=0.0)).tolist()) == {256}


def test_more_spread_makes_the_longest_longer():
    longest = [answer_lengths(answers_of(spread=spread, longest_tokens=1e5))[0] for spread in (0.1, 0.5, 1.0)]
    assert longest == sorted(longest)
    assert longest[0] < longest[-1]


def test_a_mean_at_the_limit_is_the_limit():
    assert set(answer_lengths(answers_of(answer_tokens=1024.0)).tolist()) == {1024}


@given(replicas=st.integers(1, 64))
def test_the_fullest_replica_gets_the_longest_answer_and_no_fewer_than_its_share(replicas):
    lengths = answer_lengths(answers_of())
    mine = dealt(lengths, replicas)
    assert mine[0] == lengths[0]
    assert len(mine) == -(-len(lengths) // replicas)


def test_a_queue_holds_every_length_and_does_not_begin_with_the_longest():
    lengths = answer_lengths(answers_of())
    queued = mixed(lengths)
    assert sorted(queued.tolist()) == sorted(lengths.tolist())
    halves = np.array_split(queued, 2)
    assert np.mean(halves[0]) == pytest.approx(np.mean(halves[1]), rel=0.1)


def test_answers_to_one_prompt_share_its_blocks():
    work = requests_of(answers_of(), np.full(16, 100), shares_prefixes=True)
    each = 128 // BLOCK_TOKENS
    first = [work.blocks[work.first_block[one] : work.first_block[one + 1]].tolist() for one in (0, 7, 8)]
    assert first[0] == first[1] == list(range(each))
    assert set(first[2]).isdisjoint(first[0])


def test_one_answer_to_each_prompt_shares_nothing():
    assert len(requests_of(answers_of(group=1), np.full(16, 100), shares_prefixes=True).blocks) == 0


def test_sharing_prompts_saves_time():
    shared = answers_of(prompts=4, group=64, prompt_tokens=2048.0, answer_tokens=32.0)
    apart = answers_of(prompts=256, group=1, prompt_tokens=2048.0, answer_tokens=32.0)
    assert seconds(shared, accelerators=1) < seconds(apart, accelerators=1)


def test_a_lone_answer_takes_its_decode_steps_and_its_prompt():
    answers = answers_of(prompts=1, group=1, spread=0.0, answer_tokens=200.0)
    found, replica = rolled_out(POLICY, answers, TENSOR_1, Pool(system=BOX, accelerators=1), KERNELS)
    step = float(decode_seconds(replica, demand_of(replica), np.asarray([1.0]))[0])
    slack = load_post_figures().rollout_slack.value
    assert found.seconds == pytest.approx(slack * 200 * step, rel=0.03)
    assert found.tail_seconds == pytest.approx(0.0, abs=1e-9)


@given(mean=st.floats(32, 500), factor=st.floats(1.05, 2.0))
@quick
def test_longer_answers_never_end_sooner(mean, factor):
    short, long = answers_of(answer_tokens=mean), answers_of(answer_tokens=min(mean * factor, 1000.0))
    assert seconds(long) >= seconds(short) * (1 - 1e-3)


@given(few=st.sampled_from([1, 2, 4, 8]), times=st.sampled_from([2, 3, 4]), spread=st.floats(0, 1.5))
@quick
def test_more_devices_never_generate_slower(few, times, spread):
    answers = answers_of(spread=spread)
    assert seconds(answers, accelerators=few * times) <= seconds(answers, accelerators=few) * (1 + 1e-3)


@given(spread=st.floats(0.05, 1.5))
@quick
def test_no_pool_ends_before_the_longest_answer(spread):
    answers = answers_of(spread=spread, longest_tokens=4096.0)
    alone = answers_of(prompts=1, group=1, spread=0.0, answer_tokens=float(answer_lengths(answers)[0]),
                       longest_tokens=4096.0)  # fmt: skip
    assert seconds(answers, accelerators=256) >= seconds(alone, accelerators=1) * (1 - 1e-6)


def test_batches_that_run_at_once_share_their_tail():
    answers = answers_of(spread=1.0, longest_tokens=4096.0)
    each = [seconds(answers, rollout=replace(TENSOR_1, lag=lag)) for lag in (0, 1, 2, 4)]
    assert each[0] == each[1]
    assert each[1] > each[2] > each[3]


def test_weights_that_change_in_flight_let_one_batch_more_run():
    answers = answers_of(spread=1.0)
    ahead = seconds(answers, rollout=replace(TENSOR_1, lag=1, in_flight=True))
    assert ahead == pytest.approx(seconds(answers, rollout=replace(TENSOR_1, lag=2)))


def test_what_training_keeps_takes_the_cache_its_room():
    setup = serving_setup(POLICY, answers_of(), TENSOR_1, 0)
    free, full = (
        cache_pool_bytes(opened(setup, Pool(system=BOX, accelerators=8, resident_bytes=held), ServingLayout(), KERNELS))
        for held in (0.0, 2**34)
    )
    assert free - full == pytest.approx(2**34)


def test_the_fastest_layout_is_taken_where_nobody_says():
    answers, big = answers_of(answer_tokens=64.0), named_model("Qwen/Qwen3-8B")
    pool = Pool(system=BOX, accelerators=8)
    best, _ = rolled_out(big, answers, Rollout(), pool, KERNELS)
    tried = [rolled_out(big, answers, Rollout(tensor=tensor), pool, KERNELS)[0] for tensor in (1, 2, 4, 8)]
    assert best.seconds == pytest.approx(min(one.seconds for one in tried))


def test_layouts_divide_the_pool():
    for accelerators in (6, 8, 12):
        layouts = list(layouts_for(POLICY, Pool(system=BOX, accelerators=accelerators), Rollout()))
        assert layouts
        assert all(accelerators % one.accelerators == 0 for one in layouts)


def test_an_adapter_makes_a_rollout_slower_not_faster():
    pool = Pool(system=BOX, accelerators=8)
    plain, adapted = (rolled_out(POLICY, answers_of(), TENSOR_1, pool, KERNELS, rank)[0].seconds for rank in (0, 16))
    assert adapted > plain


def test_a_model_without_room_is_said():
    with pytest.raises(InfeasibleError, match="does not fit"):
        seconds(answers_of(), resident_bytes=2**40)
