"""Counts: published anchors, blocks by hand, and rules that hold for every model."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suanli.domain.model import Core, CoreKind, Role
from suanli.foundation.errors import InputError
from suanli.parts.architectures import count
from suanli.parts.architectures.count import (
    active_parameters,
    attended_pairs,
    draft_parameters,
    forward_flop,
    kv_bytes_per_sequence,
    kv_bytes_per_token,
    layer_parameters,
    parameters,
    parameters_by_role,
    state_bytes_per_sequence,
    vector_parameters,
    weight_bytes,
)
from suanli.parts.architectures.formats import format_bits, format_bytes
from suanli.parts.architectures.read import known_models, named_model, read_model

NAMES = known_models()
SOME_NAMES = [
    "Qwen/Qwen3-32B",
    "deepseek-ai/DeepSeek-V3.2",
    "deepseek-ai/DeepSeek-V4-Flash",
    "openai/gpt-oss-120b",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B",
    "Qwen/Qwen3.5-397B-A17B",
    "bigscience/bloom",
]

PUBLISHED = {
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-2-70b-hf": 68_976_648_192,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Llama-3.1-70B": 70_553_706_496,
    "meta-llama/Llama-3.1-405B": 405_853_388_800,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "Qwen/Qwen3-32B": 32_762_123_264,
    "Qwen/Qwen3-235B-A22B": 235_093_634_560,
    "openai-community/gpt2": 124_439_808,
    "openai-community/gpt2-xl": 1_557_611_200,
    "bigscience/bloom": 176_247_271_424,
    "openai/gpt-oss-120b": 116_829_156_672,
    "deepseek-ai/DeepSeek-V3": 671_026_404_352,
    "deepseek-ai/DeepSeek-V3.2": 671_877_929_216,
    "THUDM/chatglm3-6b": 6_243_584_000,
    "baichuan-inc/Baichuan2-7B-Base": 7_505_973_248,
    "internlm/internlm2-20b": 19_861_149_696,
    "Qwen/Qwen-7B": 7_721_324_544,
}


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_published_parameter_counts(name, published):
    assert parameters(named_model(name)) == published


@pytest.mark.parametrize(
    ("name", "bytes_per_token"),
    [
        ("deepseek-ai/DeepSeek-V3", 70_272),
        ("meta-llama/Meta-Llama-3-70B", 327_680),
        ("Qwen/Qwen3-32B", 262_144),
        ("moonshotai/Kimi-K2-Instruct", 70_272),
    ],
)
def test_published_cache_sizes(name, bytes_per_token):
    assert kv_bytes_per_token(named_model(name), "bf16") == bytes_per_token


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("deepseek-ai/DeepSeek-V3", 37.6),
        ("Qwen/Qwen3-235B-A22B", 22.2),
        ("Qwen/Qwen3-30B-A3B", 3.35),
        ("mistralai/Mixtral-8x7B-v0.1", 12.9),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 17.2),
        ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B", 12.8),
    ],
)
def test_published_active_counts(name, billions):
    assert active_parameters(named_model(name)) / 1e9 == pytest.approx(billions, abs=0.06)


def test_deepseeks_draft_layer_completes_its_published_checkpoint():
    model = named_model("deepseek-ai/DeepSeek-V3")
    shared_again = model.embedding_parameters + count.head_parameters(model)
    whole = parameters(model) + draft_parameters(model) + shared_again
    assert whole / 1e9 == pytest.approx(684.5, abs=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_roles_and_vectors_sum_to_the_whole(name):
    model = named_model(name)
    assert sum(parameters_by_role(model).values()) + vector_parameters(model) == parameters(model)


@pytest.mark.parametrize("name", NAMES)
def test_a_token_passes_through_no_more_than_there_is(name):
    model = named_model(name)
    mixture = any(run.layer.experts for run in model.runs)
    assert (active_parameters(model) < parameters(model)) == mixture


@pytest.mark.parametrize("name", NAMES)
def test_a_forward_pass_is_at_least_two_operations_an_active_matrix_element(name):
    model = named_model(name)
    inner = sum(
        run.count * matrix.inputs * matrix.outputs * matrix.active
        for run in model.runs
        for matrix in run.layer.matrices
    )
    assert forward_flop(model, 1) >= 2 * inner


@pytest.mark.parametrize("name", SOME_NAMES)
@given(tokens=some.integers(1, 10**6))
def test_a_mask_never_adds_operations(name, tokens):
    model = named_model(name)
    assert forward_flop(model, tokens, causal=True) <= forward_flop(model, tokens) * (1 + 1e-12)


@pytest.mark.parametrize("name", SOME_NAMES)
@given(tokens=some.integers(1, 10**6), more=some.integers(1, 10**6))
def test_longer_sequences_never_cost_or_keep_less(name, tokens, more):
    model = named_model(name)
    assert forward_flop(model, tokens + more, causal=True) > forward_flop(model, tokens, causal=True)
    assert kv_bytes_per_sequence(model, tokens + more) >= kv_bytes_per_sequence(model, tokens)


@pytest.mark.parametrize("name", SOME_NAMES)
def test_batches_cost_in_proportion(name):
    model = named_model(name)
    assert forward_flop(model, 100, 7) == pytest.approx(7 * forward_flop(model, 100, 1))


def test_a_window_bounds_the_cache():
    model = named_model("mistralai/Mistral-7B-v0.1")
    full = kv_bytes_per_token(model) * 4096
    assert kv_bytes_per_sequence(model, 4096) == full
    assert kv_bytes_per_sequence(model, 10**6) == full


def test_half_of_gpt_oss_forgets_beyond_its_window():
    model = named_model("openai/gpt-oss-120b")
    per_token = kv_bytes_per_token(model)
    grown = kv_bytes_per_sequence(model, 2000) - kv_bytes_per_sequence(model, 1000)
    assert grown == 1000 * per_token / 2


def test_a_recurrent_model_keeps_a_state_and_no_cache(small):
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 16, "conv_kernel": 4, "vocab_size": 320}
    model = read_model({"model_type": "mamba", **sizes, "expand": 2}, "m")
    assert kv_bytes_per_token(model) == 0
    assert state_bytes_per_sequence(model, "bf16") == 2 * 2 * (128 * 16 + 128 * 3)


def test_a_softmax_model_keeps_no_state():
    assert state_bytes_per_sequence(named_model("Qwen/Qwen3-32B")) == 0


def test_a_dense_layer_by_hand(small):
    model = read_model({"model_type": "llama", **small}, "m")
    (run,) = model.runs
    by_hand = 64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 160 + 2 * 64
    assert run.count == 4
    assert layer_parameters(run.layer) == by_hand
    assert parameters(model) == 4 * by_hand + 2 * 320 * 64 + 64


def test_a_mixture_layer_by_hand(small):
    keys = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 48}
    model = read_model({"model_type": "qwen3_moe", **small, **keys}, "m")
    (run,) = model.runs
    attention = 64 * 64 + 2 * 64 * 32 + 64 * 64 + 2 * 16
    expert = 3 * 64 * 48
    assert layer_parameters(run.layer) == attention + 2 * 64 + 8 * 64 + 8 * expert
    assert parameters(model) - active_parameters(model) == 4 * 6 * expert
    assert (run.layer.experts, run.layer.experts_per_token) == (8, 2)


def test_tying_removes_the_head_and_keeps_its_matmul(small):
    apart = read_model({"model_type": "llama", **small}, "m")
    tied = read_model({"model_type": "llama", **small, "tie_word_embeddings": True}, "m")
    assert parameters(apart) - parameters(tied) == 320 * 64
    assert forward_flop(apart, 10) == forward_flop(tied, 10)


def test_dense_first_layers_are_dense():
    model = named_model("deepseek-ai/DeepSeek-V3")
    assert [(run.count, run.layer.experts) for run in model.runs] == [(3, 0), (58, 256)]


def test_layers_are_counted_by_kind_not_by_place():
    model = named_model("openai/gpt-oss-120b")
    assert [(run.count, run.layer.core.window) for run in model.runs] == [(18, 128), (18, None)]


def test_one_layer_of_nemotron_is_one_block():
    model = named_model("nvidia/Nemotron-H-56B-Base-8K")
    assert {run.layer.norms for run in model.runs} == {1}
    assert sum(run.count for run in model.runs) == 118


def core(**keys):
    return Core(kind=CoreKind.SOFTMAX, heads=4, kv_heads=2, qk_head_dim=8, v_head_dim=8, **keys)


@given(tokens=some.integers(1, 5000), window=some.integers(1, 5000))
def test_a_window_of_a_core_is_no_more_than_the_triangle(tokens, window):
    triangle = tokens * (tokens + 1) / 2
    assert attended_pairs(core(window=window), tokens, True) <= triangle
    assert attended_pairs(core(selected=window), tokens, True) <= triangle
    assert attended_pairs(core(), tokens, True) == triangle
    assert attended_pairs(core(window=window), tokens, False) == tokens**2


def test_a_compressed_core_sees_its_window_and_its_entries():
    near = attended_pairs(core(window=128, stride=0), 10_000, True)
    far = attended_pairs(core(window=128, stride=128), 10_000, True)
    assert far - near == sum(position // 128 for position in range(1, 10_001))
    chosen = attended_pairs(core(window=128, stride=4, selected=512), 10_000, True)
    assert chosen - near == sum(min(position // 4, 512) for position in range(1, 10_001))


def test_a_layer_without_a_core_costs_its_matrices_only():
    assert count.core_flop(Core(kind=CoreKind.NONE), 100, True) == 0


@pytest.mark.parametrize("name", SOME_NAMES)
def test_a_narrower_format_never_weighs_more(name):
    model = named_model(name)
    weights = [weight_bytes(model, number_format) for number_format in ("fp32", "bf16", "fp8", "nvfp4", "int4")]
    assert weights == sorted(weights, reverse=True)


def test_a_whole_checkpoint_weighs_its_parameters():
    model = named_model("Qwen/Qwen3-32B")
    assert weight_bytes(model) == 2 * parameters(model)


def test_formats_have_one_size_under_each_name():
    assert format_bytes("bf16") == format_bytes("BFloat16") == format_bytes("fp16") == 2
    assert format_bytes("fp8") == 1
    assert format_bits()["nvfp4"] == 4 + 8 / 16
    assert format_bits()["mxfp4"] == 4 + 8 / 32


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(InputError) as caught:
        format_bytes("fp3")
    assert "fp" in caught.value.faults[0].allowed


def test_roles_of_a_latent_model_are_all_told():
    roles = parameters_by_role(named_model("deepseek-ai/DeepSeek-V3.2"))
    assert roles[Role.INDEXER] == 61 * (1536 * 64 * 128 + 7168 * 128 + 7168 * 64)


def test_a_draft_step_may_have_layers_of_its_own():
    model = named_model("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B")
    assert [run.layer.name for run in model.draft_runs] == ["draft: softmax", "draft: experts"]


def test_a_draft_step_is_never_part_of_the_model(small):
    latent = {"kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16}
    experts = {"n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 48, "n_shared_experts": 1}
    config = {"model_type": "deepseek_v3", **small, **latent, **experts}
    plain = read_model(config, "m")
    drafted = read_model({**config, "num_nextn_predict_layers": 2}, "m")
    assert parameters(plain) == parameters(drafted)
    one_layer = layer_parameters(plain.runs[0].layer)
    assert draft_parameters(drafted) == 2 * (one_layer + 2 * 64 * 64 + 3 * 64)
