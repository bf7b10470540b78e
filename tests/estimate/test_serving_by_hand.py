"""Serving worked out once more by hand: stages, ranks and costs; what a search may try; how a replica opens."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
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
from suanli.estimate.serving_apart import Apart, apart_run
from suanli.estimate.serving_memory import cache_pool_bytes, fixed_bytes, sequence_cache_bytes
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_runs import prefill_run
from suanli.estimate.serving_search import flight_grid, legal_layouts, search
from suanli.estimate.serving_steady import demand_of
from suanli.estimate.serving_step import StepLoad, kernel_causes, step_causes, step_seconds
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.parts.architectures.read import named_model

KERNELS, ENGINES = load_kernels(), load_engines()
PROFILES = sorted({era.engine for era in ENGINES.eras})
SCHEMES = sorted(ENGINES.schemes)
PLAIN = {name: replica(name) for name in (LLAMA, MIXTURE)}
PLAIN["small"] = replica(small_model())
PLAIN["mixture"] = replica(small_mixture())
PLAIN["split"] = replica(LLAMA, layout=ServingLayout(tensor=4))
PLAIN["staged"] = replica(LLAMA, layout=ServingLayout(tensor=2, pipeline=2))
PLAIN["spread"] = replica(MIXTURE, layout=ServingLayout(tensor=8, expert=8))


def pair():
    """Return one replica that prefills and one that decodes."""
    return Apart(prefill=PLAIN[LLAMA], prefills=1, decode=PLAIN[LLAMA], decodes=1)


# -------------------------------------------------------------------------------------------------------------- search


@pytest.mark.parametrize("name", [LLAMA, MIXTURE, DEEPSEEK])
@pytest.mark.parametrize("accelerators", [1, 4, 8, 16])
def test_every_layout_of_a_search_opens_and_uses_what_there_is(name, accelerators):
    model = named_model(name)
    found = list(legal_layouts(model, accelerators))
    assert len(set(found)) == len(found)
    assert ServingLayout() in found
    for layout in found:
        assert layout.accelerators <= accelerators
        open_replica(setup(model), system(), layout, KERNELS, ENGINES)


def test_more_accelerators_never_have_fewer_layouts():
    for name in (LLAMA, MIXTURE, DEEPSEEK):
        counts = [len(list(legal_layouts(named_model(name), number))) for number in (1, 2, 4, 8, 16)]
        assert counts == sorted(counts)


def test_a_looser_target_never_serves_less():
    rates = []
    for limit in (0.02, 0.03, 0.05, math.inf):
        best = search(setup(LLAMA), system(), KERNELS, tpot_limit_seconds=limit, keep=1)[0]
        assert best.tpot_seconds <= limit
        rates.append(best.output_tokens_per_s / best.layout.accelerators)
    assert rates == sorted(rates)


def test_more_memory_never_finds_less():
    small, large = (
        search(setup("meta-llama/Llama-3.1-70B"), better(system(), memory=times), KERNELS, keep=1)[0]
        for times in (1.0, 2.0)
    )
    assert (
        large.output_tokens_per_s / large.layout.accelerators >= small.output_tokens_per_s / small.layout.accelerators
    )


def test_a_model_that_one_system_cannot_hold_is_infeasible_and_says_by_how_much():
    with pytest.raises(InfeasibleError, match="bytes") as told:
        search(setup(DEEPSEEK, weight_format="bf16"), system("A100-40GB-SXM"), KERNELS)
    assert "accelerators" in told.value.relief


@given(most=st.floats(1, 5000))
def test_a_grid_of_flights_ascends_in_whole_numbers(most):
    grid = flight_grid(most)
    assert grid[0] == 1
    assert grid[-1] == round(most)
    assert np.all(np.diff(grid) > 0)
    assert np.array_equal(grid, np.round(grid))


# ------------------------------------------------------------------------------------------------------------- opening


@pytest.mark.parametrize(("layout", "word"), [
    (ServingLayout(tensor=0), "tensor 0"), (ServingLayout(pipeline=0), "pipeline 0"),
    (ServingLayout(attention_data=0), "attention_data 0"), (ServingLayout(tensor=64), "tensor 64"),
    (ServingLayout(pipeline=33), "pipeline 33"), (ServingLayout(tensor=2, expert=3), "expert 3"),
])  # fmt: skip
def test_a_layout_that_cannot_be_is_refused_with_what_is_allowed(layout, word):
    with pytest.raises(InputError, match=word) as told:
        replica(LLAMA, layout=layout)
    assert all(fault.allowed for fault in told.value.faults)


def test_every_engine_and_scheme_has_a_name_that_opens_it():
    for engine in PROFILES:
        for scheme in ("bf16", "fp8"):
            opened = replica(small_model(), engine=engine, weight_format=scheme)
            assert opened.scheme.name == scheme
            assert opened.kv_format in KERNELS.formats


def test_settings_that_are_said_stand_over_those_of_the_engine():
    said = replica(LLAMA, token_budget=777.0, sequence_limit=11.0, usable_share=0.5)
    assert (said.engine.token_budget, said.engine.sequence_limit, said.engine.usable_share) == (777.0, 11.0, 0.5)
    assert demand_of(said).resident <= 11
    assert cache_pool_bytes(said) < cache_pool_bytes(PLAIN[LLAMA])


def test_what_was_assumed_is_told_and_what_was_said_is_not():
    assert replica(LLAMA, kv_format="auto").assumed
    assert replica(LLAMA, kv_format="fp8").assumed == ()


# -------------------------------------------------------------------------------------------------------------- stages


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_a_pipeline_hands_on_once_between_two_stages(stages):
    staged, load = replica(LLAMA, layout=ServingLayout(pipeline=stages)), StepLoad(decoding=64.0, context=1000.0)
    hop = staged.fabric.collective_seconds("send", 64.0 * 4096 * 2, float(stages), staged.ranks_per_node)
    told = float(step_causes(staged, load)["communication"])
    assert told == pytest.approx((stages - 1) * float(hop) * staged.engine.kernel_slack)


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_stages_share_out_the_cache_and_the_layers(stages):
    staged, whole = replica(LLAMA, layout=ServingLayout(pipeline=stages)), PLAIN[LLAMA]
    assert float(sequence_cache_bytes(staged, 1000.0)) * stages == float(sequence_cache_bytes(whole, 1000.0))
    table = 2 * staged.setup.model.embedding_parameters
    layers = fixed_bytes(whole)["weights"] - 2 * table
    assert fixed_bytes(staged)["weights"] == pytest.approx(layers / stages + table)


@pytest.mark.parametrize("tensor", [2, 4, 8])
def test_tensor_ranks_share_out_the_cache_by_key_value_heads(tensor):
    split, whole = replica(LLAMA, layout=ServingLayout(tensor=tensor)), PLAIN[LLAMA]
    assert float(sequence_cache_bytes(split, 1000.0)) * tensor == float(sequence_cache_bytes(whole, 1000.0))


@pytest.mark.parametrize("ranks", [2, 8])
def test_tensor_ranks_join_after_attention_and_after_the_mlp(ranks):
    split, load = replica(LLAMA, layout=ServingLayout(tensor=ranks)), StepLoad(decoding=64.0, context=1000.0)
    one = split.fabric.collective_seconds(
        "all_reduce", 64.0 * 4096 * 2, float(ranks), split.ranks_per_node, one_shot=True
    )
    told = float(step_causes(split, load)["communication"])
    assert told == pytest.approx(32 * 2 * float(one) * split.engine.kernel_slack)


# ------------------------------------------------------------------------------------------------------------- by hand


def test_apart_the_first_token_waits_for_the_prompt_and_its_cache():
    one = pair()
    run = apart_run(one, 1.0)
    prefill, cache = prefill_run(one.prefill).ttft_seconds, float(sequence_cache_bytes(one.prefill, 1000.0))
    send = float(one.prefill.fabric.collective_seconds("send", cache, 2.0, one.prefill.ranks_per_node))
    assert run.ttft_seconds >= prefill + send + one.prefill.engine.request_seconds


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9, 1.0])
def test_hits_of_a_prefix_cache_are_never_prefilled_but_always_held(share):
    one = replica(LLAMA, prefix_hit_share=share)
    demand, plain = demand_of(one), demand_of(PLAIN[LLAMA])
    assert demand.prompt == pytest.approx(max(1000 * (1 - share), 1.0))
    assert (demand.inputs, demand.context, demand.resident) == (plain.inputs, plain.context, plain.resident)


def test_eight_ranks_each_read_an_eighth_of_the_experts():
    """Enough tokens to touch every expert, few enough that their weights set the time."""
    load = StepLoad(decoding=128.0, context=1000.0)
    alone, spread = (float(step_causes(PLAIN[name], load)["experts"]) for name in (MIXTURE, "spread"))
    assert spread < alone / 3


def test_an_engine_of_fixed_costs_takes_them_once_a_step():
    one, load = dataclasses.replace(PLAIN[LLAMA], hides_host=False), StepLoad(decoding=10.0, context=1000.0)
    slow = dataclasses.replace(one, engine=dataclasses.replace(one.engine, host_seconds=one.engine.host_seconds + 1.0))
    assert float(step_seconds(slow, load) - step_seconds(one, load)) == pytest.approx(1.0)
    busy = dataclasses.replace(one.engine, sequence_seconds=one.engine.sequence_seconds + 1.0)
    assert float(step_seconds(dataclasses.replace(one, engine=busy), load) - step_seconds(one, load)) == pytest.approx(
        10.0
    )


def test_an_engine_that_schedules_ahead_costs_only_what_the_kernels_do_not_hide():
    one, load = dataclasses.replace(PLAIN[LLAMA], hides_host=True), StepLoad(decoding=10.0, context=1000.0)
    gaps = 32 * one.engine.layer_seconds
    kernels = float(sum(kernel_causes(one, load).values()))
    for host in (kernels / 2, 3 * kernels):
        engine = dataclasses.replace(one.engine, host_seconds=host, sequence_seconds=0.0)
        told = float(step_seconds(dataclasses.replace(one, engine=engine), load))
        assert told == pytest.approx(gaps + max(kernels, host))
