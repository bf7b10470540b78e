"""Serving by rules that no calibration may break: steps, memory, steady state, search, apart, opening a replica."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import (
    DEEPSEEK,
    LLAMA,
    MIXTURE,
    better,
    replica,
    setup,
    small_mixture,
    small_model,
    system,
)

from suanli.catalogue.engines import load_engines
from suanli.catalogue.kernels import load_kernels
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving import estimate_serving
from suanli.estimate.serving_apart import Apart, apart_run
from suanli.estimate.serving_burst import offline_run
from suanli.estimate.serving_memory import cache_capacity_tokens, cache_pool_bytes, fixed_bytes, sequence_cache_bytes
from suanli.estimate.serving_runs import prefill_run, static_run, steady_run
from suanli.estimate.serving_steady import demand_of, speculation, steady_state
from suanli.estimate.serving_step import CAUSES, StepLoad, step_causes, step_seconds
from suanli.parts.architectures.count import kv_bytes_per_token
from suanli.parts.architectures.read import named_model

MANY = 1e5
"""Requests of an offline run that is long against its beginning and end."""

KERNELS, ENGINES = load_kernels(), load_engines()
PROFILES = sorted({era.engine for era in ENGINES.eras})
SCHEMES = sorted(ENGINES.schemes)
PLAIN = {name: replica(name) for name in (LLAMA, MIXTURE)}
PLAIN["small"] = replica(small_model())
PLAIN["mixture"] = replica(small_mixture())
PLAIN["split"] = replica(LLAMA, layout=ServingLayout(tensor=4))
PLAIN["staged"] = replica(LLAMA, layout=ServingLayout(tensor=2, pipeline=2))
PLAIN["spread"] = replica(MIXTURE, layout=ServingLayout(tensor=8, expert=8))
replicas = st.sampled_from(sorted(PLAIN)).map(PLAIN.__getitem__)
flights = st.floats(1.0, 400.0)
quick = settings(max_examples=30, deadline=None)
loads = st.builds(
    StepLoad,
    decoding=st.floats(1, 300), context=st.floats(1, 30_000), prompt_tokens=st.sampled_from([0.0, 64.0, 2000.0]),
    prompts=st.sampled_from([0.0, 1.0, 4.0]), prompt_context=st.floats(1, 30_000), verified=st.sampled_from([1.0, 4.0]),
)  # fmt: skip


def prompted(load):
    """Whether prompts and their tokens come together, as they do in every step."""
    return (load.prompt_tokens > 0) == (load.prompts > 0)


# ---------------------------------------------------------------------------------------------------------------- step


@quick
@given(one=replicas, load=loads.filter(prompted))
def test_causes_of_a_step_are_its_seconds(one, load):
    causes = step_causes(one, load)
    assert set(causes) == set(CAUSES)
    assert sum(float(spent) for spent in causes.values()) == pytest.approx(float(step_seconds(one, load)), rel=1e-12)
    assert all(float(spent) >= 0 for spent in causes.values())


@quick
@given(one=replicas, load=loads.filter(prompted), more=st.floats(0, 10_000))
def test_a_longer_context_is_never_quicker(one, load, more):
    longer = dataclasses.replace(load, context=load.context + more)
    assert step_seconds(one, longer) >= step_seconds(one, load) * (1 - 1e-9)


@quick
@given(name=st.sampled_from([LLAMA, "small", "split", "staged"]), load=loads.filter(prompted), more=st.floats(0, 300))
def test_more_sequences_are_never_quicker(name, load, more):
    """Dense models: a mixture's larger batch may fill its experts' tiles better by a hair."""
    fuller = dataclasses.replace(load, decoding=load.decoding + more)
    assert step_seconds(PLAIN[name], fuller) >= step_seconds(PLAIN[name], load) * (1 - 1e-9)


@quick
@given(one=replicas, decoding=st.lists(st.floats(1, 300), min_size=2, max_size=6))
def test_a_column_of_loads_reads_like_its_numbers(one, decoding):
    column = step_seconds(one, StepLoad(decoding=np.asarray(decoding), context=2000.0))
    alone = [float(step_seconds(one, StepLoad(decoding=each, context=2000.0))) for each in decoding]
    assert np.asarray(column).tolist() == pytest.approx(alone, rel=1e-13)


def test_a_mixture_of_one_expert_is_dense_to_the_last_bit():
    dense, single = replica(small_model()), replica(small_mixture(experts=1, chosen=1))
    for load in (
        StepLoad(decoding=16.0, context=1000.0),
        StepLoad(prompt_tokens=2000.0, prompts=1.0, prompt_context=2000.0),
    ):
        plain, other = step_causes(dense, load), step_causes(single, load)
        assert sum(map(float, other.values())) == pytest.approx(sum(map(float, plain.values())), rel=0.02)
        assert float(other["communication"]) == float(plain["communication"]) == 0


def test_names_of_models_and_order_of_layers_move_nothing():
    model = named_model(DEEPSEEK)
    other = dataclasses.replace(
        model, name="other", family="another", notes=("said",), runs=tuple(reversed(model.runs))
    )
    layout = ServingLayout(tensor=8)
    plain, turned = (replica(one, "H200-SXM", layout, weight_format="fp8") for one in (model, other))
    load = StepLoad(decoding=32.0, context=4000.0)
    assert float(step_seconds(turned, load)) == pytest.approx(float(step_seconds(plain, load)), rel=1e-12)
    assert fixed_bytes(turned) == pytest.approx(fixed_bytes(plain), rel=1e-12)


# -------------------------------------------------------------------------------------------------------------- memory


@quick
@given(one=replicas, length=st.integers(1, 100_000), more=st.integers(0, 100_000))
def test_a_longer_sequence_never_takes_less_cache(one, length, more):
    short, long = (float(sequence_cache_bytes(one, float(size))) for size in (length, length + more))
    assert long >= short


@quick
@given(name=st.sampled_from([LLAMA, MIXTURE, "small"]), length=st.integers(1, 100_000))
def test_the_cache_of_a_sequence_is_its_tokens_times_the_model_s_bytes(name, length):
    one = PLAIN[name]
    assert float(sequence_cache_bytes(one, float(length))) == length * kv_bytes_per_token(
        one.setup.model, one.kv_format
    )


@quick
@given(one=replicas, length=st.floats(1, 10_000))
def test_what_is_held_and_what_is_free_are_all_that_the_engine_claims(one, length):
    held = cache_capacity_tokens(one, length) / length / one.layout.attention_data
    used = held * float(sequence_cache_bytes(one, length))
    assert used == pytest.approx(max(cache_pool_bytes(one), 0.0), rel=1e-9)


@pytest.mark.parametrize("engine", PROFILES)
def test_more_memory_never_holds_fewer_sequences_under_any_engine(engine):
    held = []
    for times in (1.0, 1.25, 1.5, 2.0):
        one = replica(LLAMA, box=better(system(), memory=times), engine=engine)
        held.append(demand_of(one).resident)
    assert held == sorted(held)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_weight_scheme_opens_and_weighs_less_than_twice_the_whole(scheme):
    one, whole = replica(LLAMA, weight_format=scheme), PLAIN[LLAMA]
    weights, plain = fixed_bytes(one)["weights"], fixed_bytes(whole)["weights"]
    assert 0.1 * plain < weights <= 2.01 * plain


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_weight_scheme_serves_a_mixture(scheme):
    told = estimate_serving(setup(MIXTURE, weight_format=scheme), system(), ServingLayout(), 16.0, KERNELS)
    assert math.isfinite(told.tpot_seconds)
    assert told.tpot_seconds > 0


# -------------------------------------------------------------------------------------------------------- steady state


@quick
@given(one=replicas, flight=st.lists(flights, min_size=2, max_size=6))
def test_the_number_in_flight_is_rate_times_the_whole_stay(one, flight):
    """Little's law over the whole replica: first token, answers, and waiting outside."""
    steady = steady_state(one, np.asarray(flight))
    outputs = max(one.setup.outputs_after_first, 1e-9)
    stay = steady.ttft_seconds + outputs * steady.tpot_seconds
    assert np.all(steady.requests_per_s * stay >= steady.concurrency * (1 - 0.02))


@quick
@given(one=replicas, flight=st.lists(flights, min_size=2, max_size=6, unique=True))
def test_flights_of_a_column_do_not_feel_each_other(one, flight):
    column = steady_state(one, np.asarray(flight))
    for at, each in enumerate(flight):
        alone = steady_state(one, each)
        assert column.requests_per_s[at] == pytest.approx(alone.requests_per_s[0], rel=5e-3)
        assert column.tpot_seconds[at] == pytest.approx(alone.tpot_seconds[0], rel=5e-3)


@quick
@given(name=st.sampled_from([LLAMA, "small", "split"]), inputs=st.floats(10, 8000), outputs=st.floats(2, 2000),
       more=st.floats(1, 4))  # fmt: skip
def test_longer_requests_are_never_served_at_a_higher_rate(name, inputs, outputs, more):
    plain = PLAIN[name]
    for changes in ({"input_tokens": inputs * more, "output_tokens": outputs},
                    {"input_tokens": inputs, "output_tokens": outputs * more}):  # fmt: skip
        short, long = (
            dataclasses.replace(plain, setup=dataclasses.replace(plain.setup, **told))
            for told in ({"input_tokens": inputs, "output_tokens": outputs}, changes)
        )
        before, after = (steady_state(one, 32.0).requests_per_s[0] for one in (short, long))
        assert after <= before * 1.01


@quick
@given(one=replicas, flight=flights, share=st.floats(0, 0.9), more=st.floats(0, 0.09))
def test_a_prefix_cache_never_slows_anything(one, flight, share, more):
    asked = [dataclasses.replace(one.setup, prefix_hit_share=hit) for hit in (share, share + more)]
    less, much = (steady_state(dataclasses.replace(one, setup=told), flight) for told in asked)
    assert much.requests_per_s[0] >= less.requests_per_s[0] * 0.99


def test_nothing_drafted_is_nothing_verified():
    assert speculation(PLAIN[LLAMA]) == (1.0, 1.0)
    drafted = speculation(replica(LLAMA, draft_tokens=3.0))
    assert drafted[0] == 4.0
    assert 1.0 < drafted[1] < 4.0


@pytest.mark.parametrize("engine", PROFILES)
def test_every_engine_serves_and_obeys_its_own_limit(engine):
    one = replica(small_model(), engine=engine)
    demand = demand_of(one)
    steady = steady_state(one, np.asarray([1.0, 64.0, 10_000.0]))
    assert demand.resident <= one.engine.sequence_limit * one.layout.attention_data
    assert np.all(steady.resident <= demand.resident)
    assert np.all(steady.decoding <= steady.resident * (1 + 1e-9))
    assert np.all(np.diff(steady.requests_per_s) >= -1e-9)


@quick
@given(flight=flights, factor=st.floats(1, 8), respect=st.sampled_from(["memory_speed", "peaks", "link"]))
def test_better_hardware_never_serves_less_over_four_ranks(flight, factor, respect):
    layout = ServingLayout(tensor=4)
    plain, faster = (
        steady_state(replica(LLAMA, layout=layout, box=box), flight).requests_per_s[0]
        for box in (system(), better(system(), **{respect: factor}))
    )
    assert faster >= plain * 0.99


def test_an_answer_is_the_same_each_time():
    one, other = (estimate_serving(setup(LLAMA), system(), ServingLayout(), 32.0, KERNELS) for _ in range(2))
    assert one == other


# ---------------------------------------------------------------------------------------------------------------- runs


@quick
@given(one=replicas, batch=st.floats(1, 200))
def test_a_static_batch_takes_at_least_one_prefill_and_its_decode(one, batch):
    run = static_run(one, batch)
    whole = run.ttft_seconds + run.tpot_seconds * one.setup.outputs_after_first
    waves = batch / run.resident
    assert run.requests_per_s == pytest.approx(batch / (whole * waves), rel=1e-9)
    assert run.resident <= batch


@quick
@given(one=replicas, flight=flights)
def test_no_load_passes_a_run_at_full_load(one, flight):
    assert steady_run(one, flight).requests_per_s <= offline_run(one, MANY).requests_per_s * 1.02


@quick
@given(name=st.sampled_from([LLAMA, "small", "split", "staged"]), inputs=st.floats(10, 20_000), more=st.floats(1, 4))
@example(name="staged", inputs=6899.0, more=1.1875)
def test_a_longer_prompt_is_never_prefilled_sooner(name, inputs, more):
    short, long = (
        prefill_run(dataclasses.replace(PLAIN[name], setup=dataclasses.replace(PLAIN[name].setup, input_tokens=tokens)))
        for tokens in (inputs, inputs * more)
    )
    assert long.ttft_seconds >= short.ttft_seconds * (1 - 1e-9)


# --------------------------------------------------------------------------------------------------------------- apart


def pair(prefills=1, decodes=1, **changes):
    one = replica(LLAMA, **changes)
    return Apart(prefill=one, prefills=prefills, decode=one, decodes=decodes)


@quick
@given(prefills=st.integers(1, 8), decodes=st.integers(1, 8), flight=st.floats(1, 2000))
def test_apart_rates_are_held_by_prefill_and_by_what_is_in_flight(prefills, decodes, flight):
    run = apart_run(pair(prefills, decodes), flight)
    alone = prefill_run(pair().prefill)
    assert run.requests_per_s <= prefills / alone.ttft_seconds * 1.05
    stay = run.ttft_seconds + run.tpot_seconds * pair().decode.setup.outputs_after_first
    assert run.requests_per_s * stay == pytest.approx(flight, rel=0.15)
    assert pair(prefills, decodes).accelerators == prefills + decodes


@quick
@given(flight=st.floats(1, 1000), more=st.integers(1, 4))
def test_more_decoders_never_slow_the_tokens(flight, more):
    few, many = apart_run(pair(2, 1), flight), apart_run(pair(2, 1 + more), flight)
    assert many.tpot_seconds <= few.tpot_seconds * 1.02


def test_apart_a_faster_network_brings_the_first_token_sooner():
    box = system()
    wide = dataclasses.replace(box, scale_out_bytes_per_s=dataclasses.replace(box.scale_out_bytes_per_s, value=4e11))
    near, far = (
        apart_run(Apart(prefill=one, prefills=1, decode=one, decodes=1), 4.0).ttft_seconds
        for one in (
            replica(LLAMA, box=wide, layout=ServingLayout(tensor=8)),
            replica(LLAMA, layout=ServingLayout(tensor=8)),
        )
    )
    assert near <= far
