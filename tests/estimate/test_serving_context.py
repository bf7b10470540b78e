"""Sequences cut by positions, and a feed-forward that data ranks share: bytes, times, and which layouts are legal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.replicas import DEEPSEEK, LLAMA, LLAMA_70B, MIXTURE, better, replica, small_model, system

from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_context import earlier_terms, exchange_seconds, gather_seconds, held_elements
from suanli.estimate.serving_memory import cache_capacity_tokens, sequence_cache_bytes, weight_bytes
from suanli.estimate.serving_runs import prefill_run, steady_run
from suanli.estimate.serving_step import StepLoad, step_causes
from suanli.foundation.errors import InputError

LONG = {"input_tokens": 100_000.0, "output_tokens": 200.0}


def latent(layout, **changes):
    return replica(DEEPSEEK, "H200-SXM", layout, weight_format="fp8", **changes)


def causes(one, **load):
    return {name: float(spent) for name, spent in step_causes(one, StepLoad(**load)).items()}


def core_of(one):
    return one.setup.model.runs[0].layer.core


def test_one_rank_sends_nothing():
    one = replica()
    core = core_of(one)
    assert float(gather_seconds(one, core, 4096.0)) == float(exchange_seconds(one, core, 64.0)) == 0
    assert earlier_terms(one, core)[0] == 0
    assert "context" not in causes(one, decoding=16.0, context=1000.0)


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_context_ranks_shorten_a_long_prompt_and_add_accelerators(degree):
    whole, spread = replica(LLAMA, **LONG), replica(LLAMA, layout=ServingLayout(context=degree), **LONG)
    assert spread.layout.accelerators == degree
    ratio = prefill_run(whole).ttft_seconds / prefill_run(spread).ttft_seconds
    assert 0.6 * degree < ratio < degree


def test_context_ranks_read_as_many_pairs_as_one():
    """Attention of a prompt on four ranks takes a quarter, up to what a kernel costs anyway."""
    load = {"prompt_tokens": 65_536.0, "prompts": 1.0, "prompt_context": 65_536.0}
    whole, spread = (
        causes(replica(LLAMA, layout=ServingLayout(context=degree)), **load)["attention"] for degree in (1, 4)
    )
    assert spread == pytest.approx(whole / 4, rel=0.05)


def test_decoding_is_not_spread_but_its_cache_is():
    load = {"decoding": 16.0, "context": 50_000.0}
    whole, spread = (causes(replica(LLAMA, layout=ServingLayout(context=degree)), **load) for degree in (1, 4))
    assert spread["matmul"] == pytest.approx(whole["matmul"])
    assert spread["attention"] == pytest.approx(whole["attention"] / 4, rel=0.3)
    assert spread["context"] > 0


@pytest.mark.parametrize("layout", [ServingLayout(context=4), ServingLayout(tensor=2, context=2)])
def test_a_cache_cut_by_positions_holds_as_many_times_more(layout):
    plain = ServingLayout(tensor=layout.tensor)
    whole, spread = (float(sequence_cache_bytes(replica(LLAMA, layout=one), 8192.0)) for one in (plain, layout))
    assert spread == pytest.approx(whole / layout.context)


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_a_latent_that_every_tensor_rank_holds_is_cut_by_decode_context(degree):
    whole, spread = latent(ServingLayout(tensor=8)), latent(ServingLayout(tensor=8, decode_context=degree))
    assert spread.layout.accelerators == 8
    assert weight_bytes(spread) == weight_bytes(whole)
    held = cache_capacity_tokens(spread, 4096.0) / cache_capacity_tokens(whole, 4096.0)
    assert held == pytest.approx(degree)


def test_heads_that_ranks_hold_twice_are_cut_as_far_as_they_do():
    model = small_model(num_key_value_heads=2)
    whole, spread = (replica(model, layout=ServingLayout(tensor=8, decode_context=degree)) for degree in (1, 4))
    assert sequence_cache_bytes(spread, 1600.0) == pytest.approx(float(sequence_cache_bytes(whole, 1600.0)) / 4)


def test_decode_context_reads_less_cache_and_sends_more():
    """At a long context a latent that is read once by eight ranks instead of by each takes far less time."""
    load = {"decoding": 64.0, "context": 100_000.0}
    whole, spread = (causes(latent(ServingLayout(tensor=8, decode_context=degree)), **load) for degree in (1, 8))
    assert spread["attention"] < 0.9 * whole["attention"]
    assert spread["context"] > 0
    assert spread["matmul"] == pytest.approx(whole["matmul"])


def test_keys_gathered_are_those_of_one_rank_s_heads():
    assert held_elements(replica(LLAMA_70B, layout=ServingLayout(tensor=4)), core_of(replica(LLAMA_70B))) == 2 * 2 * 128
    assert held_elements(latent(ServingLayout(tensor=8)), core_of(latent(ServingLayout(tensor=8)))) == 576


@settings(max_examples=20, deadline=None)
@given(tokens=st.floats(1, 1e5), more=st.floats(0, 1e5), factor=st.floats(1, 8))
def test_more_tokens_never_gather_sooner_and_better_links_never_later(tokens, more, factor):
    layout = ServingLayout(context=4)
    plain, faster = replica(LLAMA, layout=layout), replica(LLAMA, layout=layout, box=better(system(), link=factor))
    core = core_of(plain)
    assert gather_seconds(plain, core, tokens + more) >= gather_seconds(plain, core, tokens)
    assert gather_seconds(faster, core, tokens) <= gather_seconds(plain, core, tokens)


def test_what_the_cache_holds_of_a_prompt_is_gathered_with_a_later_chunk():
    one = replica(LLAMA, layout=ServingLayout(context=4))
    first = causes(one, prompt_tokens=4096.0, prompts=1.0, prompt_context=4096.0)["context"]
    later = causes(one, prompt_tokens=4096.0, prompts=1.0, prompt_context=65_536.0)["context"]
    each, _ = earlier_terms(one, core_of(one))
    slack = one.engine.kernel_slack
    assert later - first == pytest.approx(32 * slack * each * (65_536 - 4096))


@pytest.mark.parametrize("model", [LLAMA_70B, MIXTURE, DEEPSEEK])
def test_a_feed_forward_may_be_shared_by_ranks_whose_attention_is_data_parallel(model):
    """Any model, not latent ones alone: a shared dense feed-forward weighs as little as under tensor ranks."""
    layouts = [ServingLayout(attention_data=8), ServingLayout(attention_data=8, feed_forward=8)]
    whole, shared = (replica(model, "H200-SXM", layout, weight_format="fp8") for layout in layouts)
    assert weight_bytes(shared) <= weight_bytes(whole)
    assert steady_run(shared, 64.0).requests_per_s > 0
    if model == LLAMA_70B:
        dense = 80 * 3 * 8192 * 28672
        assert weight_bytes(whole) - weight_bytes(shared) == pytest.approx(dense * 7 / 8, rel=1e-3)
        load = {"decoding": 64.0, "context": 1000.0}
        assert causes(shared, **load)["communication"] > causes(whole, **load)["communication"]


def test_data_parallel_attention_of_a_dense_model_keeps_the_cache_of_its_own_sequences():
    tensor, data = (
        replica(LLAMA, layout=ServingLayout(tensor=8)),
        replica(LLAMA, layout=ServingLayout(attention_data=8)),
    )
    assert sequence_cache_bytes(data, 1000.0) == 8 * sequence_cache_bytes(tensor, 1000.0)


@pytest.mark.parametrize(
    ("model", "layout", "said"),
    [
        (LLAMA, ServingLayout(context=0), "1 or more"),
        (LLAMA, ServingLayout(tensor=8, decode_context=2), "divisor of the 1 tensor ranks"),
        (DEEPSEEK, ServingLayout(tensor=8, decode_context=3), "divisor of the 8 tensor ranks"),
        (LLAMA, ServingLayout(attention_data=4, feed_forward=3), "divisor of the 4 attention data"),
        ("nvidia-nemotron-3-super-120b-a12b", ServingLayout(context=2), "keep states"),
        (MIXTURE, ServingLayout(context=2, expert=4), "divisor of tensor x attention data x context"),
    ],
)  # fmt: skip
def test_layouts_that_cannot_be_are_refused(model, layout, said):
    with pytest.raises(InputError, match=said):
        replica(model, "H200-SXM", layout, weight_format="fp8")


def test_experts_may_be_spread_over_context_ranks():
    one = replica(MIXTURE, layout=ServingLayout(context=4, expert=4))
    assert one.group == 4
    assert one.expert_tensor == 1
    assert prefill_run(one).ttft_seconds < prefill_run(replica(MIXTURE)).ttft_seconds * 1.2
