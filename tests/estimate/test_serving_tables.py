"""A replica written as tables for compiled code takes exactly as long as its step does, whatever a step carries."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

import numba

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.serving import Adapters, DraftKind
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_memory import BLOCK_TOKENS
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_step import StepLoad, step_seconds
from suanli.estimate.serving_tables import rules_of, step_times
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.parts.architectures.read import named_model
from suanli.simulate import serving_step as compiled

KERNELS = load_kernels()
REPLICAS = {
    "dense": ("LLAMA3_8B", "dgx-a100-640", ServingLayout(), "vllm", "bf16"),
    "dense, split": ("LLaMA2-70B", "dgx-h100", ServingLayout(tensor=8), "trt-llm", "fp8"),
    "latent, experts": ("DeepSeekV3", "dgx-h200", ServingLayout(attention_data=8, expert=8), "sglang", "fp8"),
    "sparse index": ("deepseek-ai/DeepSeek-V3.2", "dgx-h200", ServingLayout(tensor=8), "vllm", "fp8"),
    "windows, sinks": ("gpt-oss-120b", "dgx-h100", ServingLayout(tensor=2), "vllm", "bf16"),
    "hybrid": ("nvidia-nemotron-3-super-120b-a12b", "dgx-h200", ServingLayout(tensor=8), "vllm", "bf16"),
    "unfused": ("LLaMA2-7B", "dgx-a100-640", ServingLayout(), "llama.cpp", "bf16"),
    "mtp": ("DeepSeekV3", "dgx-h200", ServingLayout(attention_data=8, expert=8), "sglang", "fp8"),
    "eagle3": ("LLAMA3_8B", "dgx-h100", ServingLayout(tensor=2), "vllm", "bf16"),
    "medusa": ("LLAMA3_8B", "dgx-h100", ServingLayout(), "vllm", "bf16"),
    "ngram": ("LLAMA3_8B", "dgx-h100", ServingLayout(), "vllm", "fp8"),
    "draft model": ("LLaMA2-70B", "dgx-h100", ServingLayout(tensor=8), "vllm", "bf16"),
    "hybrid drafts": ("nvidia-nemotron-3-super-120b-a12b", "dgx-h200", ServingLayout(tensor=8), "vllm", "bf16"),
    "adapters": ("LLAMA3_8B", "dgx-a100-640", ServingLayout(tensor=2), "vllm", "bf16"),
    "adapters on experts": (
        "Qwen/Qwen3-30B-A3B",
        "dgx-h100",
        ServingLayout(attention_data=2, expert=2),
        "vllm",
        "bf16",
    ),
    "prompts spread": ("LLAMA3_8B", "dgx-h100", ServingLayout(tensor=2, context=4), "vllm", "bf16"),
    "experts, prompts spread": ("Qwen/Qwen3-30B-A3B", "dgx-h100", ServingLayout(context=4, expert=4), "vllm", "bf16"),
    "cache spread": ("DeepSeekV3", "dgx-h200", ServingLayout(tensor=8, decode_context=8), "vllm", "fp8"),
    "windows, both spread": ("gpt-oss-120b", "dgx-h100", ServingLayout(tensor=2, context=2), "vllm", "bf16"),
    "dense shared": ("LLAMA3_8B", "dgx-h100", ServingLayout(attention_data=4, feed_forward=4), "sglang", "bf16"),
    "eager": ("LLAMA3_8B", "dgx-h100", ServingLayout(), "vllm", "bf16"),
}
BESIDE = {
    "mtp": {"drafting": DraftKind.MTP, "draft_tokens": 3.0},
    "eagle3": {"drafting": DraftKind.EAGLE3, "draft_tokens": 4.0},
    "medusa": {"drafting": DraftKind.MEDUSA, "draft_tokens": 3.0},
    "ngram": {"drafting": DraftKind.NGRAM, "draft_tokens": 5.0},
    "draft model": {
        "drafting": DraftKind.MODEL, "draft_tokens": 2.0, "draft_model": named_model("LLAMA3_8B"),
    },
    "hybrid drafts": {"drafting": DraftKind.MTP, "draft_tokens": 2.0},
    "adapters": {"adapters": Adapters(count=20, rank=16, slots=4)},
    "adapters on experts": {"adapters": Adapters(count=3, rank=8, targets=("experts", "q_proj"))},
    "eager": {"eager": True, "overlap": False, "drafting": DraftKind.EAGLE, "draft_tokens": 2.0},
}  # fmt: skip
"""What a setup asks for beside the model."""


@numba.njit
def compiled_seconds(times, batch):
    return compiled.step_seconds(times, batch)


def opened(name, **changes):
    model, box, layout, engine, weights = REPLICAS[name]
    told = {
        "input_tokens": 1000.0, "output_tokens": 200.0, "engine": engine, "kv_format": "auto", **BESIDE.get(name, {}),
        **changes,
    }  # fmt: skip
    setup = ServingSetup(model=named_model(model), weight_format=weights, **told)
    return open_replica(setup, system(box), layout, KERNELS)


OPENED = {name: opened(name) for name in REPLICAS}
TIMES = {name: step_times(replica) for name, replica in OPENED.items()}


@st.composite
def batches(draw):
    """Sequences in decode with some cache, or prompts with some keys, or both."""
    prompts = draw(st.integers(0, 4))
    decoding = draw(st.integers(0 if prompts else 1, 60))
    tokens = draw(st.integers(prompts, 1200)) if prompts else 0
    keys = prompts * (tokens + draw(st.integers(0, 20000))) if prompts else 0
    return compiled.Batch(decoding, decoding * draw(st.integers(1, 60000)), prompts, tokens, keys, 0, 0)


@pytest.mark.parametrize("name", REPLICAS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(batch=batches())
def test_compiled_steps_take_what_the_step_model_says_to_rounding(name, batch):
    engine = OPENED[name].engine
    assume(batch.decoding + batch.prompts <= engine.sequence_limit)
    verified, spread = TIMES[name].verified, OPENED[name].layout.context
    assume(batch.decoding * verified + batch.prompt_tokens <= engine.token_budget)
    more = -batch.prompt_tokens % (spread * max(batch.prompts, 1))
    batch = batch._replace(
        prompt_tokens=batch.prompt_tokens + more, prompt_keys=batch.prompt_keys + more * batch.prompts
    )
    load = StepLoad(
        decoding=float(batch.decoding),
        context=batch.cached / batch.decoding if batch.decoding else 1.0,
        verified=verified,
        prompt_tokens=float(batch.prompt_tokens),
        prompts=float(batch.prompts),
        prompt_context=batch.prompt_keys / batch.prompts if batch.prompts else 1.0,
    )
    told = compiled_seconds(TIMES[name], batch)
    assert told == pytest.approx(float(step_seconds(OPENED[name], load)), rel=1e-12)


def test_the_cache_in_blocks_holds_what_the_capacity_says():
    law = rules_of(OPENED["dense"], 0)
    assert law.block_tokens == BLOCK_TOKENS
    assert 4e5 < law.pool_blocks * BLOCK_TOKENS < 6e5
    assert rules_of(OPENED["dense"], 512).shared_blocks == 512 // BLOCK_TOKENS


def test_shared_blocks_that_no_block_divides_and_a_full_cache_are_refused():
    with pytest.raises(InputError, match="shared blocks"):
        rules_of(OPENED["dense"], 500)
    whole = opened("dense", usable_share=0.1)
    with pytest.raises(InfeasibleError, match="no room for a cache"):
        rules_of(whole, 0)


def test_a_sparse_latent_is_read_without_its_index():
    """DeepSeek-V3.2 attends to 576 elements a token; the 128 of its index are read as an index of their own."""
    latent, index = TIMES["sparse index"].decode
    assert latent[9] == 576.0
    assert index[9] == 128.0
