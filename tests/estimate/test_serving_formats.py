"""Every family in every format and layout: bytes as counted by hand, times that are finite and grow with the load."""

import math

import numpy as np
import pytest
from tests.estimate.replicas import DEEPSEEK, LLAMA, MIXTURE, replica, small_model

from suanli.catalogue.engines import load_engines
from suanli.domain.model import CoreKind, Role
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_memory import sequence_cache_bytes, weight_bytes
from suanli.estimate.serving_runs import prefill_run, steady_run
from suanli.estimate.serving_step import StepLoad, step_seconds
from suanli.foundation.errors import InputError

SPARSE, WINDOWED = "deepseek-ai/DeepSeek-V3.2", "gpt-oss-120b"
HYBRID = "nvidia-nemotron-3-super-120b-a12b"
FAMILIES = {
    "dense": LLAMA, "experts": MIXTURE, "latent": DEEPSEEK, "windows": WINDOWED, "sparse": SPARSE, "hybrid": HYBRID,
}  # fmt: skip
WEIGHTS = ("bf16", "fp16", "fp8", "int8", "int8_weight", "awq", "gptq_int4", "nvfp4", "mxfp4")
CACHES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.53125}
LAYOUTS = {
    "one": ServingLayout(), "tensor": ServingLayout(tensor=8), "stages": ServingLayout(tensor=4, pipeline=2),
    "data": ServingLayout(attention_data=8),
}  # fmt: skip
BYTES = {
    "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "fp8_block": 1.000244, "int8": 1.0, "int8_weight": 1.015625,
    "int4_weight": 0.519531, "nvfp4": 0.5625, "mxfp4": 0.53125,
}  # fmt: skip
"""Bytes of a weight with its share of scales."""
ATTENTION = (Role.ATTENTION_IN, Role.ATTENTION_OUT, Role.MIXER, Role.INDEXER, Role.CONVOLUTION)
EXPERTS = (Role.EXPERT_IN, Role.EXPERT_OUT)


def opened(family, layout="one", accelerator="H200-SXM", **changes):
    degrees = LAYOUTS[layout] if isinstance(layout, str) else layout
    return replica(FAMILIES[family], accelerator, degrees, **changes)


def format_of(scheme, quantisation, role, latent):
    """Say the format of a matrix: what a checkpoint leaves whole has 16 bits, experts and attention have theirs."""
    whole = quantisation.unquantised_roles if quantisation else ()
    if role is Role.ROUTER or (role in whole and scheme.dense not in ("bf16", "fp16")):
        return "bf16"
    if role in EXPERTS:
        return scheme.expert
    if role in ATTENTION:
        return scheme.latent_attention if latent else scheme.attention
    return scheme.dense


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_weigh_what_a_count_by_hand_says(family, weights):
    one = opened(family, weight_format=weights)
    model, scheme = one.setup.model, one.scheme
    counted = model.embedding_parameters * 2.0
    counted += 0.0 if model.tied_head else model.vocabulary * model.hidden * 2.0
    for run in model.runs:
        latent = run.layer.core.kind is CoreKind.LATENT
        for matrix in run.layer.matrices:
            if matrix.role is Role.ROUTER and run.layer.experts <= 1:
                continue
            kept = BYTES[format_of(scheme, model.quantisation, matrix.role, latent)]
            counted += run.count * matrix.inputs * matrix.outputs * matrix.copies * kept
        counted += run.count * run.layer.vector_parameters * 2.0
    assert weight_bytes(one) == pytest.approx(counted, rel=1e-9)


def by_hand(family, length, each):
    """Bytes of the cache of one sequence: from the published heads, layers and widths of each model."""
    if family == "dense":  # 32 layers of 8 heads of 128, keys and values
        return 32 * 2 * 8 * 128 * length * each
    if family == "experts":  # 48 layers of 4 heads of 128
        return 48 * 2 * 4 * 128 * length * each
    if family == "latent":  # 61 layers, a latent of 512 and a rotary key of 64
        return 61 * (512 + 64) * length * each
    if family == "sparse":  # beside these an index key of 128 elements of a byte
        return 61 * ((512 + 64) * each + 128) * length
    if family == "windows":  # 36 layers of 8 heads of 64, every other one of which sees 128 positions
        return 18 * 2 * 8 * 64 * (length + min(length, 128)) * each
    raise AssertionError(family)


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "hybrid"])
@pytest.mark.parametrize("length", [1, 100, 4096, 100_000])
def test_caches_take_what_a_count_by_hand_says(family, cache, length):
    one = opened(family, kv_format=cache)
    assert float(sequence_cache_bytes(one, float(length))) == pytest.approx(by_hand(family, length, CACHES[cache]))


def test_a_state_takes_the_same_however_long_a_sequence_is():
    """Attention layers of a hybrid grow with positions, layers of states do not; states stay in 32 bits."""
    one = opened("hybrid", kv_format="fp8")
    states = sum(run.count * run.layer.core.state_elements * 4.0 for run in one.setup.model.runs)
    short, long = (float(sequence_cache_bytes(one, length)) for length in (1.0, 10_001.0))
    grows = sum(run.count * run.layer.core.cached_elements for run in one.setup.model.runs)
    assert states > 0
    assert short == pytest.approx(states + grows)
    assert long - short == pytest.approx(10_000 * grows)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_steps_are_finite_and_grow_with_the_load(family, weights, layout):
    """A group of experts may fill tiles better with more rows, by a hair."""
    if FAMILIES[family] == HYBRID and layout == "stages":
        layout = ServingLayout(tensor=2, pipeline=2)
    one = opened(family, layout, weight_format=weights, kv_format="fp8")
    sequences = np.asarray([1.0, 4.0, 16.0, 64.0, 256.0])
    decode = np.asarray(step_seconds(one, StepLoad(decoding=sequences, context=4000.0)))
    prefill = [
        float(step_seconds(one, StepLoad(prompt_tokens=tokens, prompts=1.0, prompt_context=tokens)))
        for tokens in (16.0, 256.0, 4096.0)
    ]
    assert np.isfinite(decode).all()
    assert (np.diff(decode) > -0.02 * decode[:-1]).all()
    assert all(math.isfinite(spent) and spent > 0 for spent in prefill)
    assert prefill == sorted(prefill)


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_cache_serves_and_a_narrower_one_is_never_slower(family, cache):
    layout = LAYOUTS["tensor"]
    wide, narrow = (opened(family, layout, weight_format="fp8", kv_format=kept) for kept in ("bf16", cache))
    assert steady_run(narrow, 16.0).tpot_seconds <= steady_run(wide, 16.0).tpot_seconds * 1.02
    assert math.isfinite(prefill_run(narrow).ttft_seconds)


def test_four_bit_weights_are_known_by_what_people_call_them():
    same = [weight_bytes(replica(weight_format=name)) for name in ("awq", "int4_weight", "gptq_int4")]
    assert len(set(same)) == 1


@pytest.mark.parametrize(
    ("engine", "version", "date", "bounded"),
    [
        ("vllm", "0.8.5", "", False), ("vllm", "0.10.0", "", True), ("vllm", "", "2025-04", False),
        ("vllm", "", "", True), ("sglang", "0.4.6", "", False), ("sglang", "0.5.3", "", True),
        ("llama.cpp", "", "2025-03", False), ("llama.cpp", "", "2025-06", True), ("lmdeploy", "", "", False),
    ],
)  # fmt: skip
def test_since_when_an_engine_frees_what_a_window_has_left_behind(engine, version, date, bounded):
    one = replica(WINDOWED, "H100-SXM", engine=engine, engine_version=version, engine_date=date)
    grown = float(sequence_cache_bytes(one, 8192.0)) - float(sequence_cache_bytes(one, 4096.0))
    layers = 18 if bounded else 36
    assert grown == pytest.approx(layers * 2 * 8 * 64 * 4096 * one.device.number_format(one.kv_format).activation_bytes)


def test_one_window_for_all_layers_is_bounded_under_every_engine():
    one = replica(small_model(model_type="mistral", sliding_window=512), engine="lmdeploy")
    assert sequence_cache_bytes(one, 4096.0) == sequence_cache_bytes(one, 512.0)


@pytest.mark.parametrize(("engine", "version"), [("vllm", "0.10.0"), ("sglang", "0.5.3"), ("llama.cpp", "")])
def test_a_prefix_cache_without_states_has_no_hits_for_a_hybrid(engine, version):
    with pytest.raises(InputError, match="keep states"):
        opened("hybrid", "tensor", engine=engine, engine_version=version, prefix_hit_share=0.5)
    opened("hybrid", "tensor", engine=engine, engine_version=version)


def test_a_prefix_cache_with_states_serves_a_hybrid():
    assert opened("hybrid", "tensor", engine="vllm", prefix_hit_share=0.5).shares_prefixes


def test_every_class_of_engines_says_what_a_launch_costs():
    from suanli.catalogue.serving_choices import load_serving_figures

    assert set(load_serving_figures().traits.launch_seconds) == set(load_engines().profiles)


def test_an_engine_that_ignores_windows_caches_the_whole_sequence():
    long = 32_000.0
    newer = replica("mistralai/Mistral-7B-v0.1", engine="trt-llm", engine_version="1.0")
    older = replica("mistralai/Mistral-7B-v0.1", engine="trt-llm", engine_version="0.15.0")
    assert sequence_cache_bytes(newer, long) == sequence_cache_bytes(newer, 4096.0)
    assert sequence_cache_bytes(older, long) == pytest.approx(32 * 2 * 8 * 128 * long * 2.0)
    few, many = StepLoad(decoding=8.0, context=4096.0), StepLoad(decoding=8.0, context=long)
    assert step_seconds(newer, many) == pytest.approx(step_seconds(newer, few))
    assert step_seconds(older, many) > 2 * step_seconds(older, few)
