"""Every engine class serves by the same laws: one in flight is a step, requests are conserved, capacity turns back."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS
from tests.estimate.replicas import DEEPSEEK, LLAMA, MIXTURE, replica, setup, small_mixture, small_model, system, times

from suanli.catalogue.engines import load_engines
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_arrivals import estimate_arrivals
from suanli.estimate.serving_burst import burst_run, offline_run
from suanli.estimate.serving_memory import cache_capacity_tokens, cache_pool_bytes, sequence_cache_bytes
from suanli.estimate.serving_runs import prefill_run, static_run, steady_run
from suanli.estimate.serving_search import replicas_for, search
from suanli.estimate.serving_steady import demand_of, steady_state
from suanli.estimate.serving_step import StepLoad, step_seconds
from suanli.foundation.errors import InfeasibleError

MANY = 1e5
"""Requests of an offline run that is long against its beginning and end."""

ENGINES = load_engines()
NAMES = {profile: next(era.engine for era in reversed(ENGINES.eras) if era.profile == profile)
         for profile in ENGINES.profiles}  # fmt: skip
CLASSES = sorted(ENGINES.profiles)
OPENED = {name: replica(engine=name) for name in CLASSES}
GRID = np.asarray([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
engines = st.sampled_from(CLASSES)
quick = settings(max_examples=30, deadline=None)
few = settings(max_examples=12, deadline=None)


def changed(one, **settings_):
    """Return the replica with other requests."""
    return dataclasses.replace(one, setup=dataclasses.replace(one.setup, **settings_))


# ------------------------------------------------------------------------------------------------------------- classes


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_opened_by_its_own_name_and_by_an_engine_s(name):
    assert OPENED[name].engine.id == name
    assert replica(engine=NAMES[name], engine_version="").engine.name


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("model", [LLAMA, MIXTURE, "small", "mixture"])
def test_every_class_serves_every_kind_of_model(name, model):
    made = {"small": small_model(), "mixture": small_mixture()}.get(model, model)
    told = steady_run(replica(made, engine=name), 8.0)
    for figure in (told.ttft_seconds, told.tpot_seconds, told.requests_per_s, told.resident):
        assert 0 < figure < math.inf


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("scheme", ["bf16", "fp8", "int8_weight", "int4_weight"])
def test_every_class_takes_every_common_weight_format(name, scheme):
    told = steady_run(replica(engine=name, weight_format=scheme), 8.0)
    assert 0 < told.tpot_seconds < 1


@pytest.mark.parametrize("name", CLASSES)
def test_each_further_token_at_one_in_flight_is_about_a_decode_step(name):
    """One request alone: no prompt beside it but its own successor's, so tokens come step by step."""
    one = changed(OPENED[name], input_tokens=1.0, output_tokens=2000.0)
    demand = demand_of(one)
    step = float(step_seconds(one, StepLoad(decoding=1.0, context=demand.context)))
    assert steady_run(one, 1.0).tpot_seconds == pytest.approx(step, rel=0.02)


@pytest.mark.parametrize("name", CLASSES)
def test_an_answer_of_a_static_batch_of_one_is_made_of_decode_steps(name):
    one = OPENED[name]
    demand = demand_of(one)
    step = float(step_seconds(one, StepLoad(decoding=1.0, context=demand.context)))
    assert static_run(one, 1.0).tpot_seconds == pytest.approx(step, rel=1e-9)


@pytest.mark.parametrize("name", CLASSES)
def test_more_in_flight_never_lowers_rate_waits_or_step(name):
    told = steady_state(OPENED[name], GRID)
    assert np.all(np.diff(told.requests_per_s) >= -1e-9)
    assert np.all(np.diff(told.ttft_seconds) >= -1e-9)
    assert np.all(np.diff(told.tpot_seconds) >= -1e-9)


@pytest.mark.parametrize("name", CLASSES)
def test_sequences_that_decode_are_among_the_residents_and_these_in_flight(name):
    told = steady_state(OPENED[name], GRID)
    assert np.all(told.decoding <= told.resident + 1e-9)
    assert np.all(told.resident <= told.concurrency + 1e-9)
    assert np.all(told.resident <= demand_of(OPENED[name]).resident + 1e-9)


@quick
@given(name=engines, flight=st.floats(1, 400))
def test_tokens_made_in_a_step_are_the_sequences_that_decode(name, flight):
    """Rate times answer length is sequences in decode over the time of a step, by the definition of both."""
    one = OPENED[name]
    told = steady_state(one, flight)
    tokens = float(told.requests_per_s[0]) * one.setup.outputs_after_first
    assert tokens == pytest.approx(float(told.decoding[0] / told.tpot_seconds[0]), rel=1e-9)


@quick
@given(name=engines, flight=st.floats(2, 400), outputs=st.floats(500, 2000))
def test_requests_are_conserved(name, flight, outputs):
    """Little's law: rate times stay is what is in flight; front ends overlap, so that it may be a little more."""
    one = changed(OPENED[name], output_tokens=outputs)
    told = steady_run(one, flight)
    stay = told.ttft_seconds + told.tpot_seconds * one.setup.outputs_after_first
    assert 0.98 * flight <= told.requests_per_s * stay <= 1.25 * flight


@quick
@given(name=engines, batch=st.floats(1, 64))
def test_a_static_batch_conserves_its_requests_exactly(name, batch):
    one = OPENED[name]
    told = static_run(one, batch)
    waves = batch / told.resident
    whole = waves * (told.ttft_seconds + told.tpot_seconds * one.setup.outputs_after_first)
    assert told.requests_per_s * whole == pytest.approx(batch, rel=1e-9)


@pytest.mark.parametrize("name", CLASSES)
def test_full_load_is_the_most_that_any_load_reaches(name):
    most = offline_run(OPENED[name], MANY).requests_per_s
    assert np.all(steady_state(OPENED[name], GRID).requests_per_s <= most * 1.02)


@pytest.mark.parametrize("name", CLASSES)
def test_a_burst_of_one_is_a_prompt_and_its_answer(name):
    one = OPENED[name]
    told = burst_run(one, 1.0)
    assert told.ttft_seconds >= prefill_run(one).ttft_seconds * 0.99
    assert told.resident == 1.0


@few
@given(name=engines, requests=st.integers(2, 300), more=st.integers(1, 200))
def test_a_larger_burst_never_starts_sooner(name, requests, more):
    one = OPENED[name]
    assert burst_run(one, requests + more).ttft_seconds >= burst_run(one, requests).ttft_seconds * (1 - 1e-6)


@quick
@given(name=engines, inputs=st.floats(1, 20_000), more=st.floats(1, 20_000))
def test_a_longer_prompt_never_takes_less(name, inputs, more):
    short = prefill_run(changed(OPENED[name], input_tokens=inputs)).ttft_seconds
    long = prefill_run(changed(OPENED[name], input_tokens=inputs + more)).ttft_seconds
    assert long >= short * (1 - 1e-3)


@pytest.mark.parametrize("name", CLASSES)
def test_slower_kernels_and_hosts_never_serve_more(name):
    one = OPENED[name]
    base = steady_state(one, GRID)
    for field in ("kernel_slack", "host_seconds", "layer_seconds", "sequence_seconds"):
        engine = dataclasses.replace(one.engine, **{field: getattr(one.engine, field) * 2 + 1e-6})
        slow = steady_state(dataclasses.replace(one, engine=engine), GRID)
        assert np.all(slow.requests_per_s <= base.requests_per_s * (1 + 1e-9)), field
        assert np.all(slow.tpot_seconds >= base.tpot_seconds * (1 - 1e-9)), field


@pytest.mark.parametrize("name", CLASSES)
def test_a_front_end_s_seconds_lengthen_the_first_token_and_leave_fewer_to_decode(name):
    one = OPENED[name]
    slow = dataclasses.replace(
        one, engine=dataclasses.replace(one.engine, request_seconds=one.engine.request_seconds + 1)
    )
    before, after = steady_run(one, 4.0), steady_run(slow, 4.0)
    assert after.tpot_seconds <= before.tpot_seconds
    assert after.ttft_seconds - before.ttft_seconds == pytest.approx(1.0, abs=0.3)
    assert after.requests_per_s < before.requests_per_s


# ------------------------------------------------------------------------------------------------------------ capacity


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("length", [100.0, 1500.0, 20_000.0])
def test_capacity_turns_back_into_the_pool(name, length):
    one = OPENED[name]
    tokens = cache_capacity_tokens(one, length)
    assert tokens / length * float(sequence_cache_bytes(one, length)) == pytest.approx(cache_pool_bytes(one))


@pytest.mark.parametrize("name", CLASSES)
def test_residents_fill_the_pool_or_meet_the_engine_s_limit(name):
    one = changed(OPENED[name], input_tokens=4000.0, output_tokens=1000.0)
    resident = demand_of(one).resident
    length = 4000.0 + one.engine.reserved_share * 1000.0
    used = resident * float(sequence_cache_bytes(one, length))
    assert used <= cache_pool_bytes(one) * (1 + 1e-9)
    full = used + float(sequence_cache_bytes(one, length)) > cache_pool_bytes(one)
    assert full or resident == one.engine.sequence_limit


@few
@given(rate=st.floats(0.1, 3.0))
def test_arrivals_and_a_closed_loop_agree_on_what_is_in_flight(rate):
    told = estimate_arrivals(setup(LLAMA), system(), ServingLayout(), rate, KERNELS)
    closed = steady_state(replica(), max(told.concurrency, 1.0))
    assert told.requests_per_s == rate
    if told.concurrency > 1:
        assert float(closed.requests_per_s[0]) == pytest.approx(rate, rel=0.15)


@few
@given(rate=st.floats(1.0, 500.0), headroom=st.floats(0, 0.9))
def test_the_replicas_for_a_rate_are_enough_and_none_too_many(rate, headroom):
    (best,) = search(setup(LLAMA), system(), KERNELS, accelerators=1, keep=1)
    count = replicas_for(rate, best, headroom)
    usable = best.requests_per_s * (1 - headroom)
    assert count * usable >= rate * (1 - 1e-9)
    assert count == 1 or (count - 1) * usable < rate * (1 + 1e-9)


@pytest.mark.parametrize("variation", [0.0, 0.5, 1.0, 4.0])
def test_waits_of_arrivals_grow_with_their_unevenness_and_the_load(variation):
    waits = [
        estimate_arrivals(setup(LLAMA), system(), ServingLayout(), rate, KERNELS, variation).ttft_seconds
        for rate in (0.5, 1.0, 2.0, 4.0)
    ]
    assert waits == sorted(waits)


def test_a_tighter_target_never_raises_the_rate():
    rates = []
    for limit in (math.inf, 0.05, 0.02, 0.012, 0.009):
        try:
            rates.append(
                search(setup(LLAMA), system(), KERNELS, tpot_limit_seconds=limit, accelerators=1)[0].requests_per_s
            )
        except InfeasibleError:
            rates.append(0.0)
    assert rates == sorted(rates, reverse=True)


def test_a_target_met_is_met_again_when_it_is_exactly_what_was_reached():
    (best,) = search(setup(LLAMA), system(), KERNELS, tpot_limit_seconds=0.02, accelerators=1, keep=1)
    (again,) = search(setup(LLAMA), system(), KERNELS, tpot_limit_seconds=best.tpot_seconds, accelerators=1, keep=1)
    assert again.concurrency == best.concurrency
    assert again.requests_per_s == pytest.approx(best.requests_per_s)


def test_more_accelerators_never_find_a_worse_best():
    best = [
        search(setup(LLAMA), system(), KERNELS, tpot_limit_seconds=0.02, accelerators=count, keep=1)[0]
        for count in (1, 2, 4)
    ]
    each = [one.output_tokens_per_s / one.layout.accelerators for one in best]
    assert each == sorted(each)


# ------------------------------------------------------------------------------------------- latent caches and experts


def latent(data):
    """Open a model of latent attention on eight accelerators, so many of them data ranks of attention."""
    layout = ServingLayout(tensor=8 // data, attention_data=data, expert=8)
    return replica(DEEPSEEK, "H200-SXM", layout, weight_format="fp8")


LATENT = {data: latent(data) for data in (1, 2, 4, 8)}


@pytest.mark.parametrize("data", [1, 2, 4, 8])
def test_a_latent_cache_takes_as_much_of_a_sequence_however_attention_is_split(data):
    """One latent of 512 and a rotated key of 64 in each of 61 layers, whole on every rank that keeps the sequence."""
    assert float(sequence_cache_bytes(LATENT[data], 1000.0)) == pytest.approx(
        float(sequence_cache_bytes(LATENT[1], 1000.0))
    )
    kept = LATENT[data].device.number_format(LATENT[data].kv_format).activation_bytes
    assert float(sequence_cache_bytes(LATENT[data], 1.0)) == pytest.approx(61 * 576 * kept)


def test_data_parallel_ranks_hold_more_sequences_together():
    held = [cache_capacity_tokens(LATENT[data], 1500.0) / data for data in (1, 8)]
    pools = [cache_pool_bytes(LATENT[data]) for data in (1, 8)]
    assert held[0] / pools[0] == pytest.approx(held[1] / pools[1])


def test_data_parallel_attention_serves_more_at_full_load_and_no_sooner_alone():
    flight = 512.0
    apart, split = steady_run(LATENT[8], flight), steady_run(LATENT[1], flight)
    assert apart.requests_per_s > split.requests_per_s
    assert steady_run(LATENT[8], 1.0).tpot_seconds >= steady_run(LATENT[1], 1.0).tpot_seconds


@pytest.mark.parametrize("data", [1, 2, 4, 8])
def test_laws_of_flight_hold_for_data_parallel_attention(data):
    told = steady_state(LATENT[data], GRID)
    assert np.all(np.diff(told.requests_per_s) >= -1e-9)
    assert np.all(told.resident <= demand_of(LATENT[data]).resident + 1e-9)


@quick
@given(ranks=st.sampled_from([1.0, 2.0, 8.0, 64.0]), tokens=st.floats(1, 1e6), more=st.floats(1, 1e6))
def test_the_busiest_expert_rank_is_never_quicker_than_an_even_spread(ranks, tokens, more):
    device = OPENED["vllm_v1"].device
    some, many = float(device.moe_imbalance(ranks, tokens)), float(device.moe_imbalance(ranks, tokens + more))
    assert 1.0 <= some <= many + 1e-12
    assert many <= float(device.moe_imbalance(ranks, 1e12))


def test_one_expert_rank_has_nothing_to_be_uneven_with():
    assert float(OPENED["vllm_v1"].device.moe_imbalance(1.0, 100.0)) == pytest.approx(1.0)


@quick
@given(tokens=st.floats(1, 1e5), ranks=st.sampled_from([2.0, 4.0, 8.0, 32.0]))
def test_more_expert_ranks_are_never_more_even(tokens, ranks):
    device = OPENED["vllm_v1"].device
    assert device.moe_imbalance(2 * ranks, tokens) >= device.moe_imbalance(ranks, tokens) - 1e-12


@quick
@given(length=st.floats(1, 100_000), window=st.sampled_from([128, 1024, 4096]))
def test_a_window_caches_no_more_than_itself(length, window):
    """A model all of whose layers slide over a window keeps the window of a long sequence, the whole of a short one."""
    plain = small_model()
    (run,) = plain.runs
    core = dataclasses.replace(run.layer.core, window=window)
    slid = dataclasses.replace(plain, runs=(dataclasses.replace(run, layer=dataclasses.replace(run.layer, core=core)),))
    bounded = float(sequence_cache_bytes(replica(slid), length))
    assert bounded == pytest.approx(float(sequence_cache_bytes(replica(plain), min(length, window))))


def test_a_window_never_slows_a_long_context():
    plain = small_model()
    (run,) = plain.runs
    core = dataclasses.replace(run.layer.core, window=1024)
    slid = dataclasses.replace(plain, runs=(dataclasses.replace(run, layer=dataclasses.replace(run.layer, core=core)),))
    for context in (100.0, 5000.0, 50_000.0):
        load = StepLoad(decoding=8.0, context=context)
        assert float(step_seconds(replica(slid), load)) <= float(step_seconds(replica(plain), load)) * (1 + 1e-9)


@pytest.mark.parametrize("factor", [1.25, 2.0])
def test_an_accelerator_with_more_memory_never_admits_fewer(factor):
    for name in CLASSES:
        one = OPENED[name]
        inside = one.device.accelerator
        roomy = dataclasses.replace(inside, memory_bytes=times(inside.memory_bytes, factor))
        bigger = dataclasses.replace(one, device=dataclasses.replace(one.device, accelerator=roomy))
        assert demand_of(bigger).resident >= demand_of(one).resident
