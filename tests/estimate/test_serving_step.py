"""A step: more hardware is never slower, limits are exact, mixtures and grouped heads end in the plain case."""

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
    perfect,
    replica,
    small_mixture,
    small_model,
    system,
)

from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_memory import weight_bytes
from suanli.estimate.serving_step import CAUSES, StepLoad, step_causes, step_seconds

loads = st.builds(
    StepLoad,
    decoding=st.floats(0.0, 512.0),
    context=st.floats(1.0, 30000.0),
    prompt_tokens=st.floats(1.0, 8192.0),
    prompts=st.floats(1.0, 8.0),
    prompt_context=st.floats(8192.0, 30000.0),
)
DECODE = StepLoad(decoding=1.0, context=1000.0)


@settings(max_examples=25, deadline=None)
@given(load=loads, factor=st.floats(1.0, 4.0), respect=st.sampled_from(["memory_speed", "peaks", "link"]))
def test_better_hardware_is_never_slower(load, factor, respect):
    layout = ServingLayout(tensor=4)
    plain = step_seconds(replica(layout=layout), load)
    faster = step_seconds(replica(layout=layout, box=better(system(), **{respect: factor})), load)
    assert faster <= plain * (1 + 1e-9)


@settings(max_examples=25, deadline=None)
@given(load=loads, more=st.floats(1.0, 4.0))
def test_a_longer_context_is_never_faster(load, more):
    one = replica()
    longer = StepLoad(
        decoding=load.decoding,
        context=load.context * more,
        prompt_tokens=load.prompt_tokens,
        prompts=load.prompts,
        prompt_context=load.prompt_context * more,
    )
    assert step_seconds(one, longer) >= step_seconds(one, load) * (1 - 1e-9)


@pytest.mark.parametrize("model", [LLAMA, MIXTURE])
def test_a_batch_takes_no_longer_than_its_sequences_one_by_one(model):
    one = replica(model)
    alone = step_seconds(one, DECODE)
    together = step_seconds(one, StepLoad(decoding=64.0, context=1000.0))
    assert alone <= together <= 64 * alone


def test_every_cause_is_told_and_none_is_negative():
    causes = step_causes(replica(layout=ServingLayout(tensor=2)), StepLoad(decoding=8.0, context=100.0))
    assert set(causes) == set(CAUSES)
    assert all(spent >= 0 for spent in causes.values())


def test_one_accelerator_never_communicates():
    causes = step_causes(
        replica(), StepLoad(decoding=8.0, context=100.0, prompt_tokens=64.0, prompts=1.0, prompt_context=64.0)
    )
    assert causes["communication"] == 0.0


def test_endless_links_leave_only_the_latency_of_collectives():
    plain = replica(layout=ServingLayout(tensor=8))
    endless = replica(layout=ServingLayout(tensor=8), box=better(system(), link=1e9))
    load = StepLoad(prompt_tokens=8192.0, prompts=1.0, prompt_context=8192.0)
    assert step_causes(endless, load)["communication"] < step_causes(plain, load)["communication"] / 5


def test_one_sequence_under_endless_arithmetic_takes_bytes_over_bandwidth():
    one = perfect(replica())
    moved = weight_bytes(one) - one.setup.model.embedding_parameters * 2
    expected = moved / one.device.memory_bytes_per_s
    assert step_seconds(one, StepLoad(decoding=1.0, context=1.0)) == pytest.approx(expected, rel=0.01)


def test_tensor_ranks_share_the_bytes_of_one_sequence():
    alone = perfect(replica(LLAMA_70B, weight_format="fp8"))
    split = perfect(replica(LLAMA_70B, weight_format="fp8", layout=ServingLayout(tensor=4)))
    whole = step_causes(alone, DECODE)["matmul"]
    assert step_causes(split, DECODE)["matmul"] == pytest.approx(whole / 4, rel=0.02)


def test_a_mixture_of_one_expert_is_dense():
    dense = replica(small_model())
    mixture = replica(small_mixture(experts=1, chosen=1))
    load = StepLoad(decoding=32.0, context=500.0)
    assert step_seconds(mixture, load) == pytest.approx(step_seconds(dense, load), rel=1e-12)


def test_grouped_heads_in_groups_of_one_are_plain_heads():
    grouped = replica(small_model(num_key_value_heads=16))
    plain = small_model()
    plain_heads = replica(small_model(num_key_value_heads=16, model_type="llama"))
    load = StepLoad(decoding=8.0, context=4000.0)
    assert step_seconds(grouped, load) == step_seconds(plain_heads, load)
    assert step_seconds(grouped, load) > step_seconds(replica(plain), load)


def test_more_tokens_touch_more_experts():
    one = replica(MIXTURE)
    few, many = (step_causes(one, StepLoad(decoding=n, context=10.0))["experts"] for n in (1.0, 64.0))
    assert many > 3 * few


def test_a_window_bounds_what_a_long_context_costs():
    model = small_model(model_type="mistral", sliding_window=1024)
    one = replica(model)
    near = step_causes(one, StepLoad(decoding=64.0, context=2048.0))["attention"]
    far = step_causes(one, StepLoad(decoding=64.0, context=8192.0))["attention"]
    assert far == pytest.approx(near)


def test_a_latent_cache_is_read_once_for_all_heads():
    latent = perfect(replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8"))
    spent = step_causes(latent, StepLoad(decoding=256.0, context=8000.0))["attention"]
    cache = 256.0 * 8000.0 * 61 * 576 * 2 / latent.device.memory_bytes_per_s
    assert spent == pytest.approx(cache, rel=0.15)


def test_data_parallel_attention_reads_each_latent_cache_on_one_rank_only():
    tensor = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8")
    data = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(attention_data=8, expert=8), weight_format="fp8")
    load = StepLoad(decoding=512.0, context=8000.0)
    assert step_causes(data, load)["attention"] < step_causes(tensor, load)["attention"] / 2


def test_experts_over_ranks_split_their_weights():
    spread = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8, expert=8), weight_format="fp8")
    split = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8")
    assert weight_bytes(spread) == pytest.approx(weight_bytes(split), rel=0.01)


@pytest.mark.parametrize("narrow", ["fp8", "int8", "int4_weight", "nvfp4"])
def test_narrow_weights_speed_up_a_lone_sequence(narrow):
    box = system("B200-SXM")
    assert step_seconds(replica(weight_format=narrow, box=box), DECODE) < step_seconds(replica(box=box), DECODE)


def test_an_empty_step_costs_what_the_engine_costs_and_no_attention():
    causes = step_causes(replica(), StepLoad())
    assert causes["attention"] == 0.0


def test_pipeline_stages_add_hops_between_them():
    one = replica(layout=ServingLayout(pipeline=4))
    assert step_causes(one, DECODE)["communication"] > 0
    assert step_causes(replica(), DECODE)["matmul"] == pytest.approx(step_causes(one, DECODE)["matmul"])


def test_a_step_reads_as_a_column():
    one = replica()
    column = step_seconds(one, StepLoad(decoding=np.asarray([1.0, 8.0, 64.0]), context=1000.0))
    scalar = [float(step_seconds(one, StepLoad(decoding=n, context=1000.0))) for n in (1.0, 8.0, 64.0)]
    assert column == pytest.approx(scalar)


def test_unfused_attention_writes_its_scores():
    fused = replica()
    unfused = replica(engine="llama.cpp", weight_format="fp16")
    load = StepLoad(prompt_tokens=512.0, prompts=1.0, prompt_context=8192.0)
    assert step_causes(unfused, load)["attention"] > 2 * step_causes(fused, load)["attention"]


def test_recurrent_layers_cost_the_same_at_any_context():
    one = replica("Qwen/Qwen3-Next-80B-A3B-Instruct", layout=ServingLayout(tensor=4))
    run = next(run for run in one.setup.model.runs if run.layer.core.state_elements)
    assert run.layer.core.cached_elements == 0
    assert np.isfinite(step_seconds(one, StepLoad(decoding=8.0, context=1e5)))
