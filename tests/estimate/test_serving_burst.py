"""A burst: everybody is served, waits grow with numbers, places and the front end hold it back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import LLAMA, MIXTURE, better, perfect, replica, system

from suanli.catalogue.engines import load_engines
from suanli.estimate.serving_burst import burst_run, offline_run
from suanli.estimate.serving_runs import static_run, steady_run


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trt-llm"])
@pytest.mark.parametrize("model", [LLAMA, MIXTURE])
def test_figures_are_finite_and_above_nothing(engine, model):
    run = burst_run(replica(model, engine=engine, input_tokens=200.0, output_tokens=200.0), 500.0)
    assert 0 < run.ttft_seconds < 1e3
    assert 0 < run.tpot_seconds < 10
    assert 0 < run.requests_per_s < 1e3


@settings(max_examples=15, deadline=None)
@given(requests=st.floats(2.0, 2000.0), more=st.floats(1.0, 4.0))
def test_more_requests_never_wait_less_for_their_first_token(requests, more):
    one = replica(input_tokens=200.0, output_tokens=100.0)
    assert burst_run(one, requests * more).ttft_seconds >= burst_run(one, requests).ttft_seconds * 0.98


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(1.0, 4.0))
def test_better_hardware_never_takes_longer(factor):
    plain = burst_run(replica(), 200.0)
    finer = burst_run(replica(box=better(system(), memory_speed=factor, peaks=factor)), 200.0)
    assert finer.requests_per_s >= plain.requests_per_s * 0.99


def test_few_places_make_the_rest_wait():
    wide, narrow = (burst_run(replica(sequence_limit=limit), 500.0) for limit in (1000.0, 32.0))
    assert narrow.ttft_seconds > 2 * wide.ttft_seconds
    assert narrow.requests_per_s < wide.requests_per_s
    assert narrow.resident == 32.0


def test_a_free_engine_lets_a_burst_in_at_once():
    plain, free = replica(), perfect(replica())
    assert burst_run(free, 100.0).ttft_seconds < burst_run(plain, 100.0).ttft_seconds / 2


def test_answers_of_mixed_lengths_take_longer_than_equal_ones():
    one = perfect(replica(input_tokens=10.0, output_tokens=200.0))
    assert burst_run(one, 64.0).requests_per_s < static_run(one, 64.0).requests_per_s


def test_an_engine_that_does_not_mix_stalls_decodes_while_it_prefills():
    shape = {"input_tokens": 4000.0, "output_tokens": 100.0}
    mixing, stalling = (burst_run(replica(engine=engine, **shape), 200.0) for engine in ("vllm", "sglang"))
    assert stalling.tpot_seconds > mixing.tpot_seconds / 4


def test_a_lone_request_is_no_burst():
    run = burst_run(replica(), 1.0)
    assert run.ttft_seconds < 0.2


def test_an_offline_run_of_many_requests_goes_as_the_steady_state():
    one = replica(input_tokens=500.0, output_tokens=500.0, sequence_limit=64.0)
    alone = replace(one, engine=replace(one.engine, front_seconds=0.0, request_seconds=0.0))
    assert offline_run(one, 1e5).requests_per_s == pytest.approx(steady_run(alone, 64.0).requests_per_s, rel=0.02)


def test_a_last_wave_that_is_hardly_filled_costs_as_much_time_as_a_full_one_takes():
    """64 places: 65 requests take nearly twice as long as 64, and 128 little longer than 65."""
    one = replica(input_tokens=10.0, output_tokens=500.0, sequence_limit=64.0)
    seconds = [many / offline_run(one, many).requests_per_s for many in (64.0, 66.0, 128.0)]
    assert 1.5 < seconds[1] / seconds[0] < 2.1
    assert seconds[2] < 1.35 * seconds[1]


def test_equal_answers_end_together_and_spread_ones_do_not():
    one = replica(input_tokens=10.0, output_tokens=500.0)
    alike, spread = (burst_run(one, 64.0, alike=alike) for alike in (True, False))
    assert alike.requests_per_s > spread.requests_per_s


def test_published_answers_make_up_the_whole_and_have_the_mean_that_is_told():
    told = load_engines().constants
    assert sum(told.answer_shares) == pytest.approx(1.0, abs=1e-3)
    assert np.dot(told.answer_shares, told.answer_lengths) == pytest.approx(1.0, abs=1e-3)
    assert list(told.answer_lengths) == sorted(told.answer_lengths)


def test_short_answers_raise_the_mean_time_between_tokens_where_prompts_stall_decodes():
    """A request of a few tokens that waits for all prompts has few tokens to spread the wait over."""
    one = replica(engine="sglang", input_tokens=1000.0, output_tokens=200.0)
    alike, spread = (burst_run(one, 300.0, alike=alike) for alike in (True, False))
    assert spread.tpot_seconds > 1.3 * alike.tpot_seconds


def test_first_tokens_of_a_burst_come_one_after_the_other():
    """Equal prompts that fill one step each: the mean wait is about half that of the last."""
    one = perfect(replica(input_tokens=8192.0, output_tokens=2.0))
    alone, many = (burst_run(one, requests, alike=True).ttft_seconds for requests in (1.0, 40.0))
    assert many == pytest.approx(20.5 * alone, rel=0.1)
