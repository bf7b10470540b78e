"""Continuous batching in closed form: limits, conservation and monotony of each formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import batching

counts = st.floats(1.0, 1e4)
times = st.floats(1e-6, 10.0)
shares = st.floats(0.0, 1.0)


def test_one_token_touches_the_experts_it_chose():
    assert batching.touched_experts(256.0, 8.0, 1.0) == pytest.approx(8.0)


def test_many_tokens_touch_every_expert():
    assert batching.touched_experts(256.0, 8.0, 1e5) == pytest.approx(256.0)


def test_a_mixture_of_one_expert_is_dense():
    assert batching.touched_experts(1.0, 1.0, 17.0) == pytest.approx(1.0)


@given(rows=counts, more=st.floats(1.0, 10.0), experts=st.integers(2, 512))
def test_more_tokens_never_touch_fewer_experts(rows, more, experts):
    few = batching.touched_experts(float(experts), 1.0, rows)
    many = batching.touched_experts(float(experts), 1.0, rows * more)
    assert many >= few * (1 - 1e-12)
    assert many <= experts


@given(rows=counts)
def test_no_more_experts_are_touched_than_choices_were_made(rows):
    assert batching.touched_experts(128.0, 8.0, rows) <= 8.0 * rows * (1 + 1e-9)


def test_the_engine_admits_no_more_than_its_limit():
    assert batching.cached_sequences(1e12, 1.0, 256.0) == 256.0


def test_sequences_in_the_cache_are_whole():
    assert batching.cached_sequences(9.99, 1.0, 256.0) == 9.0


@given(pool=st.floats(0.0, 1e12), more=st.floats(0.0, 1e12), each=st.floats(1.0, 1e9))
def test_a_larger_pool_never_holds_fewer(pool, more, each):
    assert batching.cached_sequences(pool + more, each, 1e9) >= batching.cached_sequences(pool, each, 1e9)


def test_reserving_the_whole_answer_takes_more_than_filling_as_it_grows():
    assert batching.sequence_cache_length(100.0, 50.0, 1.0) > batching.sequence_cache_length(100.0, 50.0, 0.5)


def test_drafts_that_are_never_accepted_yield_one_token():
    assert batching.accepted_per_step(0.0, 4.0) == 1.0


@given(acceptance=st.floats(0.0, 0.99), drafts=st.integers(0, 8))
def test_a_step_yields_between_one_token_and_all_drafts_and_one(acceptance, drafts):
    told = batching.accepted_per_step(acceptance, float(drafts))
    assert 1.0 - 1e-9 <= told <= drafts + 1 + 1e-9


@given(resident=counts, decode=counts, prefill=counts)
def test_sequences_in_prefill_and_decode_are_all_that_are_resident(resident, decode, prefill):
    decoding = batching.decoding_sequences(resident, decode, prefill)
    waiting = batching.decoding_sequences(resident, prefill, decode)
    assert decoding + waiting == pytest.approx(resident)


@given(decoding=counts, inputs=counts, steps=counts, step=times)
def test_prompts_are_prefilled_as_fast_as_answers_end(decoding, inputs, steps, step):
    ends = batching.requests_per_s(decoding, steps * step)
    prefilled = batching.prefill_per_step(decoding, inputs, steps) / step
    assert prefilled == pytest.approx(ends * inputs)


@given(decode=times, mixed=times, share=shares)
def test_the_mean_step_lies_between_both_kinds(decode, mixed, share):
    mean = batching.mean_step_seconds(decode, mixed, share)
    assert min(decode, mixed) * (1 - 1e-9) <= mean <= max(decode, mixed) * (1 + 1e-9)


@given(service=times, low=st.floats(0.0, 0.9), more=st.floats(0.0, 0.09))
def test_a_busier_server_never_waits_less(service, low, more):
    few = batching.queue_wait_seconds(service, low, 1.0)
    assert batching.queue_wait_seconds(service, low + more, 1.0) >= few


def test_the_wait_of_an_m_d_1_queue_is_half_that_of_m_m_1():
    assert batching.queue_wait_seconds(1.0, 0.8, 1.0) == pytest.approx(0.8 / (1 - 0.8) / 2)


def test_arrivals_like_a_clock_never_wait():
    assert batching.queue_wait_seconds(1.0, 0.9, 0.0) == 0.0


def test_a_lone_request_waits_for_nobody():
    assert batching.burst_wait_seconds(1.0, 1.0) == 0.0
    assert batching.burst_wait_seconds(1.0, 0.3) == 0.0


def test_the_mean_wait_of_a_burst_is_half_of_all_that_come_before():
    assert batching.burst_wait_seconds(2.0, 11.0) == 10.0


def test_an_engine_without_costs_adds_nothing():
    assert batching.step_overhead_seconds(80.0, 64.0, 0.0, 0.0, 0.0) == 0.0


def test_the_slower_stage_sets_the_pace_of_two():
    assert batching.paired_rate_per_s(5.0, 2.0) == batching.paired_rate_per_s(2.0, 5.0) == 2.0


@given(rate=st.floats(0.1, 1e4), each=st.floats(0.1, 1e3), headroom=st.floats(0.0, 0.9))
def test_replicas_hold_the_rate_with_headroom_and_none_is_spare(rate, each, headroom):
    replicas = float(batching.replicas_needed(rate, each, headroom))
    assert replicas * each * (1 - headroom) >= rate * (1 - 1e-9)
    assert (replicas - 1) * each * (1 - headroom) < rate * (1 + 1e-9)


def test_formulas_read_as_columns():
    rows = np.asarray([1.0, 8.0, 64.0])
    assert np.all(np.diff(batching.touched_experts(64.0, 4.0, rows)) > 0)
    assert batching.requests_per_s(rows, 2.0).tolist() == [0.5, 4.0, 32.0]
