"""Memory of a replica: exact weights and cache, nothing grows where it is split, capacity follows what is left."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import DEEPSEEK, LLAMA, LLAMA_70B, MIXTURE, better, replica, small_model, system

from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_memory import (
    activation_bytes,
    cache_capacity_tokens,
    cache_pool_bytes,
    fixed_bytes,
    runtime_bytes,
    sequence_cache_bytes,
    visible_memory_bytes,
    weight_bytes,
)
from suanli.estimate.serving_steady import demand_of
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import kv_bytes_per_token, parameters

GIB = 2**30


def test_one_accelerator_holds_every_parameter():
    one = replica()
    assert weight_bytes(one) == pytest.approx(2 * parameters(one.setup.model), rel=1e-3)


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_tensor_ranks_share_out_the_weights(degree):
    whole, part = (
        weight_bytes(replica(LLAMA_70B)),
        weight_bytes(replica(LLAMA_70B, layout=ServingLayout(tensor=degree))),
    )
    assert part == pytest.approx(whole / degree, rel=0.01)


def test_the_fullest_stage_of_a_pipeline_holds_a_table_of_the_vocabulary():
    model = replica().setup.model
    whole, part = weight_bytes(replica()), weight_bytes(replica(layout=ServingLayout(pipeline=4)))
    table = model.vocabulary * model.hidden * 2
    assert part == pytest.approx((whole - 2 * table) / 4 + table, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(length=st.floats(1.0, 1e5), more=st.floats(1.0, 4.0), model=st.sampled_from([LLAMA, MIXTURE]))
def test_a_longer_sequence_never_takes_less_cache(length, more, model):
    one = replica(model)
    assert sequence_cache_bytes(one, length * more) >= sequence_cache_bytes(one, length)


def test_cache_bytes_of_a_token_are_exact():
    one = replica(LLAMA_70B, layout=ServingLayout(tensor=8))
    assert sequence_cache_bytes(one, 1.0) * 8 == kv_bytes_per_token(one.setup.model)


def test_a_latent_cache_is_whole_on_every_tensor_rank():
    alone = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8")
    assert sequence_cache_bytes(alone, 1.0) == 70272.0


def test_ranks_beyond_the_key_value_heads_repeat_them():
    model = small_model(num_key_value_heads=2)
    two, eight = (replica(model, layout=ServingLayout(tensor=n)) for n in (2, 8))
    assert sequence_cache_bytes(eight, 100.0) == sequence_cache_bytes(two, 100.0)


def test_a_window_bounds_the_cache():
    one = replica(small_model(model_type="mistral", sliding_window=512))
    assert sequence_cache_bytes(one, 4096.0) == sequence_cache_bytes(one, 512.0)


def test_a_narrow_cache_holds_twice_as_much():
    wide, narrow = replica(kv_format="bf16"), replica(kv_format="fp8")
    assert cache_capacity_tokens(narrow, 1.0) == pytest.approx(2 * cache_capacity_tokens(wide, 1.0))


def test_data_parallel_attention_adds_up_the_ranks_caches():
    tensor = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8")
    data = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(attention_data=8, expert=8), weight_format="fp8")
    assert cache_capacity_tokens(data, 1.0) > 4 * cache_capacity_tokens(tensor, 1.0)


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(1.0, 8.0))
def test_more_memory_never_holds_fewer_sequences(factor):
    plain, larger = replica(), replica(box=better(system(), memory=factor))
    assert demand_of(larger).resident >= demand_of(plain).resident
    assert cache_pool_bytes(larger) >= cache_pool_bytes(plain)


@pytest.mark.parametrize(("engine", "claims"), [("vllm", 0.9), ("trt-llm", 0.9), ("sglang", 0.88)])
def test_no_engine_claims_more_than_there_is(engine, claims):
    one = replica(engine=engine)
    used = sum(fixed_bytes(one).values()) + cache_pool_bytes(one)
    assert used <= visible_memory_bytes(one)
    assert one.engine.usable_share == pytest.approx(claims)


def test_engines_differ_in_what_their_share_is_of():
    whole, free = replica(engine="vllm", usable_share=0.9), replica(engine="trt-llm", usable_share=0.9)
    left = visible_memory_bytes(free) - sum(fixed_bytes(free).values())
    assert cache_pool_bytes(free) == pytest.approx(0.9 * left)
    assert cache_pool_bytes(whole) == pytest.approx(
        0.9 * visible_memory_bytes(whole) - sum(fixed_bytes(whole).values())
    )


def test_several_ranks_need_buffers_for_collectives():
    assert runtime_bytes(replica(layout=ServingLayout(tensor=2))) > runtime_bytes(replica())
    assert runtime_bytes(replica(layout=ServingLayout(pipeline=2))) == runtime_bytes(replica())


def test_logits_of_all_sequences_set_the_peak_of_activations():
    many, few = replica(sequence_limit=1024.0), replica(sequence_limit=8.0)
    assert activation_bytes(many) > activation_bytes(few)


def test_measured_parts_of_a_start_up_are_met():
    one = replica(engine_version="0.19.0", usable_share=0.95)
    assert weight_bytes(one) / GIB == pytest.approx(14.99, rel=0.01)
    assert activation_bytes(one) / GIB == pytest.approx(1.89, rel=0.03)
    assert cache_pool_bytes(one) / GIB == pytest.approx(58.11, rel=0.01)
    assert cache_capacity_tokens(one, 1.0) == pytest.approx(476016, rel=0.01)


def test_an_accelerator_of_unknown_memory_is_refused():
    import dataclasses

    box = system()
    unknown = dataclasses.replace(box, accelerator=dataclasses.replace(box.accelerator, memory_bytes=None))
    with pytest.raises(InputError, match="memory"):
        cache_pool_bytes(replica(box=unknown))
