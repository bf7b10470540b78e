"""Continuous batching: Little's law holds, more in flight never lowers the rate, limits of cache and engine bind."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import (
    DEEPSEEK,
    LLAMA,
    LLAMA_70B,
    MIXTURE,
    better,
    load_kernels,
    perfect,
    replica,
    setup,
    system,
)

from suanli.domain.workload import ServingLayout
from suanli.estimate.serving import estimate_serving
from suanli.estimate.serving_apart import Apart, apart_run
from suanli.estimate.serving_burst import burst_run, offline_run
from suanli.estimate.serving_runs import prefill_run, static_run, steady_run
from suanli.estimate.serving_steady import demand_of, steady_state
from suanli.foundation.errors import InputError

MANY = 1e5
"""Requests of an offline run that is long against its beginning and end."""

GRID = np.asarray([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trt-llm"])
@pytest.mark.parametrize("model", [LLAMA, MIXTURE])
def test_requests_in_flight_are_rate_times_time_in_the_system(engine, model):
    told = steady_state(replica(model, engine=engine), GRID)
    time = told.ttft_seconds + told.tpot_seconds * 499.0
    assert told.requests_per_s * time == pytest.approx(GRID, rel=2e-3)


def test_the_front_end_s_time_lowers_the_rate_of_short_answers():
    """Two tokens: one request in flight is rate times stay, and most of the stay is spent before the engine."""
    told = steady_state(replica(output_tokens=2.0, input_tokens=100.0), 1.0)
    assert told.requests_per_s[0] * (told.ttft_seconds[0] + told.tpot_seconds[0]) == pytest.approx(1.0)
    assert told.requests_per_s[0] < 1 / replica().engine.request_seconds


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trt-llm"])
def test_more_in_flight_never_lowers_the_rate(engine):
    told = steady_state(replica(engine=engine), GRID)
    assert np.all(np.diff(told.requests_per_s) >= -1e-9)


def test_more_in_flight_never_shortens_a_wait():
    told = steady_state(replica(), GRID)
    assert np.all(np.diff(told.tpot_seconds) >= 0)
    assert np.all(np.diff(told.ttft_seconds) >= 0)


@settings(max_examples=15, deadline=None)
@given(
    flight=st.floats(1.0, 200.0),
    factor=st.floats(1.0, 3.0),
    respect=st.sampled_from(["memory_speed", "peaks", "link", "memory"]),
)
def test_better_hardware_never_serves_less(flight, factor, respect):
    layout = ServingLayout(tensor=2)
    plain = steady_state(replica(layout=layout), flight)
    finer = steady_state(replica(layout=layout, box=better(system(), **{respect: factor})), flight)
    assert finer.requests_per_s[0] >= plain.requests_per_s[0] * (1 - 5e-3)
    assert finer.tpot_seconds[0] <= plain.tpot_seconds[0] * (1 + 1e-2)


def test_the_seconds_of_a_step_sum_to_the_time_between_two_tokens():
    told = steady_state(replica(), GRID)
    assert sum(told.seconds_by_cause.values()) == pytest.approx(told.tpot_seconds)


def test_requests_beyond_the_cache_wait_outside():
    one = replica(LLAMA_70B, layout=ServingLayout(tensor=2), weight_format="bf16", usable_share=0.99)
    most = demand_of(one).resident
    told = steady_state(one, np.asarray([2 * most, 4 * most]))
    assert told.resident.tolist() == [most, most]
    assert told.requests_per_s[1] == pytest.approx(told.requests_per_s[0])
    assert told.ttft_seconds[1] > told.ttft_seconds[0]


def test_the_engine_admits_no_more_than_its_limit():
    assert demand_of(replica(sequence_limit=7.0)).resident == 7.0


def test_a_prefix_cache_spares_prefill_but_no_decode():
    plain, hit = steady_state(replica(), GRID), steady_state(replica(prefix_hit_share=0.9), GRID)
    assert np.all(hit.ttft_seconds < plain.ttft_seconds)
    assert hit.tpot_seconds[0] == pytest.approx(plain.tpot_seconds[0], rel=0.1)


def test_drafts_shorten_the_time_of_a_token_at_low_load():
    plain, drafted = steady_state(replica(), 1.0), steady_state(replica(draft_tokens=2.0), 1.0)
    assert drafted.tpot_seconds[0] < plain.tpot_seconds[0]


def test_a_smaller_budget_of_tokens_slows_prefill():
    few, many = (steady_state(replica(token_budget=budget, input_tokens=8000.0), 1.0) for budget in (512.0, 8192.0))
    assert few.ttft_seconds[0] > many.ttft_seconds[0]


def test_decode_alone_under_endless_arithmetic_takes_bytes_over_bandwidth():
    one = perfect(replica(input_tokens=1.0, output_tokens=2000.0))
    told = steady_state(one, 1.0)
    model = one.setup.model
    moved = 2 * (sum(run.count * sum(m.inputs * m.outputs for m in run.layer.matrices) for run in model.runs))
    moved += 2 * model.hidden * model.vocabulary + 1001 * 131072
    assert told.tpot_seconds[0] == pytest.approx(moved / one.device.memory_bytes_per_s, rel=0.01)


def test_a_static_batch_takes_prefill_and_every_decode_step():
    one = replica()
    run = static_run(one, 16.0)
    assert run.requests_per_s == pytest.approx(16 / (run.ttft_seconds + run.tpot_seconds * 499), rel=1e-6)


def test_a_static_batch_beyond_the_cache_runs_in_waves():
    one = replica(sequence_limit=8.0)
    assert static_run(one, 32.0).requests_per_s == pytest.approx(static_run(one, 8.0).requests_per_s, rel=0.01)


def test_a_prompt_alone_has_no_further_tokens():
    run = prefill_run(replica(output_tokens=0.0))
    assert run.tpot_seconds == 0.0
    assert run.requests_per_s == pytest.approx(1 / run.ttft_seconds)


def test_a_burst_waits_longer_the_more_requests_it_holds():
    one = replica()
    first = [burst_run(one, n).ttft_seconds for n in (10.0, 100.0, 1000.0)]
    assert first == sorted(first)


def test_a_burst_is_served_no_faster_than_the_full_engine():
    one = replica()
    assert burst_run(one, 1000.0).requests_per_s < offline_run(one, MANY).requests_per_s


def test_an_offline_run_is_at_least_as_fast_as_any_load():
    one = replica()
    assert offline_run(one, MANY).requests_per_s >= steady_run(one, 64.0).requests_per_s


def _pair(prefills, decodes):
    prefill = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8", engine="sglang")
    return Apart(prefill=prefill, prefills=prefills, decode=prefill, decodes=decodes)


def test_apart_workers_are_held_by_the_slower_stage():
    few, many = apart_run(_pair(1, 4), 2000.0), apart_run(_pair(4, 4), 2000.0)
    assert many.requests_per_s > few.requests_per_s
    assert few.ttft_seconds > many.ttft_seconds


def test_apart_workers_count_all_their_accelerators():
    assert _pair(2, 3).accelerators == 40


def test_decode_apart_is_not_disturbed_by_prompts():
    pair = _pair(4, 1)
    together = steady_run(pair.decode, 32.0)
    assert apart_run(pair, 32.0).tpot_seconds < together.tpot_seconds


def test_an_estimate_tells_bytes_that_sum_to_its_memory():
    told = estimate_serving(setup(), system(), ServingLayout(), 16.0, load_kernels())
    assert sum(told.bytes_by_cause.values()) == pytest.approx(told.memory_bytes)
    assert told.limit == ""
    assert told.output_tokens_per_s == pytest.approx(told.requests_per_s * 500.0)


def test_every_told_quantity_has_a_band_around_it():
    told = estimate_serving(setup(), system(), ServingLayout(), 16.0, load_kernels())
    for name, band in told.bands.items():
        assert band.low < getattr(told, name) < band.high


def test_a_class_default_has_a_wider_band_than_a_measured_device():
    known = estimate_serving(setup(), system(), ServingLayout(), 16.0, load_kernels())
    guess = estimate_serving(setup(), system("MI300X"), ServingLayout(), 16.0, load_kernels())
    known_band, guess_band = known.bands["tpot_seconds"], guess.bands["tpot_seconds"]
    assert guess_band.high / guess_band.low > known_band.high / known_band.low


def test_a_model_that_does_not_fit_names_the_memory_it_lacks():
    told = estimate_serving(setup(LLAMA_70B), system(), ServingLayout(), 1.0, load_kernels())
    assert told.limit.startswith("memory")


def test_endless_requests_in_flight_are_as_many_as_fit():
    told = estimate_serving(setup(), system(), ServingLayout(), math.inf, load_kernels())
    assert told.concurrency == demand_of(replica()).resident


def test_every_fault_of_a_setting_is_told_at_once():
    with pytest.raises(InputError) as told:
        replica(weight_format="fp7", layout=ServingLayout(tensor=64, pipeline=99, expert=3))
    assert len(told.value.faults) == 4


@pytest.mark.parametrize(
    ("changes", "word"), [({"engine": "vlm"}, "vllm"), ({"weight_format": "fb8"}, "fp8"), ({"kv_format": "fb8"}, "fp8")]
)
def test_an_unknown_name_is_refused_with_the_nearest_one(changes, word):
    with pytest.raises(InputError, match=word):
        replica(**changes)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_lone_request_decodes_beside_nobody_s_prompt(engine):
    """Its own prompt is in the wait for the first token alone: the rate is that of a run of one request."""
    one = replica(engine=engine, input_tokens=8000.0, output_tokens=200.0)
    alone, run = steady_state(one, 1.0), static_run(one, 1.0)
    assert float(alone.tpot_seconds[0]) == pytest.approx(run.tpot_seconds, rel=0.02)


def test_a_scheduler_that_looks_seldom_is_waited_for_unless_it_idles():
    often, seldom = (steady_state(replica(receive_steps=steps), np.asarray([1.0, 64.0])) for steps in (1.0, 31.0))
    waits = seldom.ttft_seconds - often.ttft_seconds
    assert waits[0] == pytest.approx(0.0, abs=1e-9)
    assert waits[1] == pytest.approx(15 * often.tpot_seconds[1], rel=0.1)
