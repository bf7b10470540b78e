"""Two configs that say the same are the same model: limits of blocks, other names of keys, parts of a whole."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from suanli.domain.model import CoreKind, Role
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import (
    active_parameters,
    forward_flop,
    kv_bytes_per_sequence,
    kv_bytes_per_token,
    parameters,
    parameters_by_role,
    state_bytes_per_sequence,
)
from suanli.parts.architectures.families import families, table
from suanli.parts.architectures.read import TEXT_SECTIONS, read_model

SIZES = {
    "hidden_size": 96,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 16,
    "intermediate_size": 240,
    "vocab_size": 500,
    "max_position_embeddings": 256,
}
LATENT = {"q_lora_rank": 24, "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16}
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
DENSE = ["llama", "mistral", "qwen2", "qwen3", "glm4", "olmo2", "cohere", "starcoder2", "gemma", "exaone4", "stablelm"]
FEW = settings(max_examples=30, deadline=None)


def made(model_type, *, without=(), **keys):
    config = {"model_type": model_type, **SIZES, **keys}
    return read_model({key: value for key, value in config.items() if key not in without}, "m")


def body(model):
    """All that is counted, without what the model is called."""
    return replace(model, family="", notes=())


@pytest.mark.parametrize("family", DENSE)
def test_as_many_key_heads_as_heads_is_plain_attention(family):
    assert made(family, num_key_value_heads=6) == made(family, without=["num_key_value_heads"])


@pytest.mark.parametrize("family", DENSE)
@pytest.mark.parametrize("keys", [1, 2, 3, 6])
def test_fewer_key_heads_shrink_keys_and_values_alone(family, keys):
    whole, fewer = made(family, num_key_value_heads=6), made(family, num_key_value_heads=keys)
    assert kv_bytes_per_token(whole) * keys == kv_bytes_per_token(fewer) * 6
    kept = {role: number for role, number in parameters_by_role(whole).items() if role is not Role.ATTENTION_IN}
    assert kept == {role: number for role, number in parameters_by_role(fewer).items() if role is not Role.ATTENTION_IN}
    core = fewer.runs[0].layer.core
    assert (core.heads, core.kv_heads) == (6, keys)


@pytest.mark.parametrize("family", DENSE)
def test_a_head_as_wide_as_its_share_need_not_be_said(family):
    if "head_dim" not in families()[family].defaults:
        assert made(family, head_dim=16) == made(family, without=["head_dim"])


GOLDEN = Path(__file__).parents[2] / "golden" / "models" / "families.json"
CONFIGS = [row["config"].get("text_config", row["config"]) for row in json.loads(GOLDEN.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["model_type"])
def test_tied_and_untied_differ_by_exactly_the_head(config):
    tied, apart = (read_model({**config, "tie_word_embeddings": said}, "m") for said in (True, False))
    assert parameters(apart) - parameters(tied) == apart.vocabulary * (apart.embedding_width or apart.hidden)
    assert forward_flop(apart, 5) == forward_flop(tied, 5)
    assert kv_bytes_per_token(apart) == kv_bytes_per_token(tied)


def test_one_expert_is_the_dense_block_and_a_router():
    one = {"num_experts": 1, "num_experts_per_tok": 1, "moe_intermediate_size": 240}
    dense, mixture = made("qwen3"), made("qwen3_moe", **one)
    router = SIZES["num_hidden_layers"] * SIZES["hidden_size"]
    assert parameters(mixture) - parameters(dense) == router
    assert active_parameters(mixture) == parameters(mixture)
    assert forward_flop(mixture, 10) - forward_flop(dense, 10) == 2 * 10 * router
    assert kv_bytes_per_token(mixture) == kv_bytes_per_token(dense)


@FEW
@given(experts=some.integers(1, 64), chosen=some.integers(1, 64))
def test_experts_beyond_the_chosen_add_parameters_and_no_work_but_the_router(experts, chosen):
    if chosen > experts:
        return
    few = made("qwen3_moe", num_experts=chosen, num_experts_per_tok=chosen, moe_intermediate_size=64)
    many = made("qwen3_moe", num_experts=experts, num_experts_per_tok=chosen, moe_intermediate_size=64)
    more = (experts - chosen) * SIZES["num_hidden_layers"]
    assert parameters(many) - parameters(few) == more * (3 * 96 * 64 + 96)
    assert forward_flop(many, 7) - forward_flop(few, 7) == pytest.approx(2 * 7 * 96 * more)


def test_a_mixture_all_of_whose_layers_are_dense_is_dense():
    assert body(made("qwen3_moe", **EXPERTS, mlp_only_layers=list(range(6)))) == body(made("qwen3"))


def test_a_dense_first_layer_is_one_layer_fewer_of_experts():
    keys = {**EXPERTS, **LATENT, "n_shared_experts": 1}
    found = [made("deepseek_v3", **keys, first_k_dense_replace=first) for first in range(7)]
    steps = {parameters(one) - parameters(two) for one, two in pairwise(found)}
    mixture, dense = 9 * 3 * 96 * 64 + 8 * 96, 3 * 96 * 240
    assert steps == {mixture - dense}


@FEW
@given(layers=some.integers(1, 40))
def test_parameters_are_a_line_in_the_number_of_layers(layers):
    one, two, many = (made("llama", num_hidden_layers=number) for number in (1, 2, layers))
    layer = parameters(two) - parameters(one)
    assert parameters(many) == parameters(one) + (layers - 1) * layer
    assert forward_flop(many, 9) == pytest.approx(
        forward_flop(one, 9) + (layers - 1) * (forward_flop(two, 9) - forward_flop(one, 9))
    )


@FEW
@given(vocabulary=some.integers(1, 10**6))
def test_a_vocabulary_costs_its_rows_in_the_table_and_the_head(vocabulary):
    assert parameters(made("llama", vocab_size=vocabulary)) - parameters(made("llama", vocab_size=1)) == (
        2 * 96 * (vocabulary - 1)
    )


@FEW
@given(width=some.integers(1, 4096))
def test_a_wider_block_costs_three_matrices_where_gated_and_two_where_not(width):
    for family, matrices, biases in (("llama", 3, 0), ("nemotron", 2, 0), ("gpt_neox", 2, 1)):
        found = parameters(made(family, intermediate_size=width)) - parameters(made(family, intermediate_size=1))
        assert found == 6 * (width - 1) * (matrices * 96 + biases)


BIASES = [
    ("llama", "attention_bias", 6 * (96 + 2 * 48 + 96)),
    ("llama", "mlp_bias", 6 * (2 * 240 + 96)),
    ("qwen3", "attention_bias", 6 * (96 + 2 * 48 + 96)),
    ("glm4", "attention_bias", 6 * (96 + 2 * 48)),
    ("cohere", "attention_bias", 6 * (96 + 2 * 48 + 96)),
    ("seed_oss", "attention_out_bias", 6 * 96),
    ("internlm2", "bias", 6 * (96 + 2 * 48 + 96)),
    ("cohere", "use_qk_norm", 6 * (96 + 48)),
    ("stablelm", "use_qkv_bias", 6 * (96 + 2 * 48)),
    ("stablelm", "qk_layernorm", 6 * (96 + 48)),
]


@pytest.mark.parametrize(("family", "key", "number"), BIASES)
def test_a_flag_adds_exactly_what_it_says(family, key, number):
    assert parameters(made(family, **{key: True})) - parameters(made(family, **{key: False})) == number
    assert forward_flop(made(family, **{key: True}), 3) == forward_flop(made(family, **{key: False}), 3)
    assert made(family, **{key: False}) == made(family)


PARALLEL = {"stablelm": "use_parallel_residual", "gpt_neox": "use_parallel_residual"}


@pytest.mark.parametrize(("family", "key"), PARALLEL.items())
def test_blocks_side_by_side_say_so(family, key):
    assert {run.layer.parallel for run in made(family, **{key: True}).runs} == {True}
    assert {run.layer.parallel for run in made(family, **{key: False}).runs} == {False}


COMMON = table()["aliases"]
READ_BY_LLAMA = [key for key in SIZES if key in COMMON]


@pytest.mark.parametrize("family", DENSE)
@pytest.mark.parametrize(("key", "other"), [(key, other) for key in READ_BY_LLAMA for other in COMMON[key]])
def test_a_key_under_another_name_is_the_same_key(family, key, other):
    if other not in dict(families()[family].keys):
        assert made(family, without=[key], **{other: SIZES[key]}) == made(family)


@pytest.mark.parametrize("key", READ_BY_LLAMA)
def test_the_proper_name_of_a_key_wins_over_its_others(key):
    other = COMMON[key][0]
    assert made("llama", **{other: 7}) == made("llama")


@pytest.mark.parametrize("key", [key for key in READ_BY_LLAMA if key != "head_dim"])
def test_nothing_under_the_proper_name_lets_the_other_speak(key):
    assert made("llama", **{key: None, COMMON[key][0]: SIZES[key]}) == made("llama")


EXPERT_NAMES = [(key, other) for key in EXPERTS for other in COMMON.get(key, ())]


@pytest.mark.parametrize(("key", "other"), EXPERT_NAMES)
def test_experts_under_another_name_are_the_same_experts(key, other):
    keys = {**EXPERTS, other: EXPERTS[key]}
    del keys[key]
    assert made("qwen3_moe", **keys) == made("qwen3_moe", **EXPERTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("llama", "code_llama"), ("llama", "granite"), ("llama", "yi"), ("llama", "baichuan"), ("llama", "internlm2"),
        ("mistral", "ministral"), ("mistral", "phi3"), ("qwen3", "qwen3_vl_text"), ("gptj", "codegen"),
        ("stablelm", "stablelm_epoch"), ("exaone", "llama"), ("qwen2", "qwen2_5_vl_text"), ("olmo2", "olmo3"),
    ],
)  # fmt: skip
def test_families_of_the_same_blocks_count_the_same(one, other):
    assert body(made(one)) == body(made(other))


@pytest.mark.parametrize("model_type", ["deepseek_v32", "kimi_k2", "glm_moe_dsa", "deepseek_v2"])
def test_kin_of_deepseek_are_read_alike(model_type):
    keys = {**EXPERTS, **LATENT, "n_shared_experts": 1, "first_k_dense_replace": 2}
    assert body(made(model_type, **keys)) == body(made("deepseek_v3", **keys))


@pytest.mark.parametrize("noise", [{"architectures": ["X"]}, {"transformers_version": "9"}, {"rope_theta": "odd"},
    {"use_cache": 7}, {"zzz": [1, 2]}, {"initializer_range": float("nan")}, {"eos_token_id": 10**40}])  # fmt: skip
def test_keys_that_say_nothing_of_size_change_nothing(noise):
    assert made("llama", **noise) == made("llama")


REMOTE = {"AutoConfig": "configuration_evil.EvilConfig", "AutoModelForCausalLM": "modeling_evil.Evil"}


def test_code_that_comes_with_a_model_is_never_looked_for(tmp_path, monkeypatch):
    import importlib
    import sys

    (tmp_path / "configuration_evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    keys = {"auto_map": REMOTE, "trust_remote_code": True, "_name_or_path": "/etc", "custom_pipelines": {"a": "b"}}
    assert made("llama", **keys) == made("llama")
    assert not [name for name in sys.modules if "evil" in name]


def test_a_family_of_remote_code_that_is_not_known_is_refused_not_fetched():
    with pytest.raises(InputError) as caught:
        read_model({"model_type": "evil_llm", **SIZES, "auto_map": REMOTE}, "m")
    assert "evil_llm" in str(caught.value)


@pytest.mark.parametrize("section", TEXT_SECTIONS)
def test_a_language_part_under_any_of_its_names_is_the_model(section):
    whole = {"model_type": "any_vl", section: {"model_type": "llama", **SIZES}, "vision_config": {"hidden_size": 7}}
    found = read_model(whole, "m")
    assert body(found) == body(made("llama"))
    assert "language part" in found.notes[0]


def test_a_language_part_inside_another_is_found():
    inner = {"text_config": {"model_type": "qwen3", **SIZES}}
    assert body(read_model({"model_type": "omni", "thinker_config": inner}, "m")) == body(made("qwen3"))


def test_sizes_beside_a_language_part_are_not_its_sizes():
    whole = {"model_type": "any_vl", **SIZES, "hidden_size": 8, "text_config": {"model_type": "llama", **SIZES}}
    assert body(read_model(whole, "m")) == body(made("llama"))


@pytest.mark.parametrize("section", [None, 7, "text", [], True])
def test_a_language_part_that_is_no_mapping_is_none(section):
    assert made("llama", text_config=section) == made("llama")


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_a_number_format_is_taken_from_the_whole(key):
    whole = {"model_type": "any_vl", key: "float32", "text_config": {"model_type": "llama", **SIZES}}
    assert read_model(whole, "m").dtype == "float32"
    assert made("llama", **{key: "torch.float16"}).dtype == "float16"


def test_the_language_parts_own_word_wins_over_the_wholes():
    part = {"model_type": "llama", **SIZES, "tie_word_embeddings": False, "dtype": "float16"}
    found = read_model({"tie_word_embeddings": True, "dtype": "float32", "text_config": part}, "m")
    assert (found.tied_head, found.dtype) == (False, "float16")


@pytest.mark.parametrize("window", [1, 16, 128, 100_000])
def test_a_window_bounds_cache_and_work_and_adds_no_parameters(window):
    free, bound = made("mistral"), made("mistral", sliding_window=window)
    assert parameters(free) == parameters(bound)
    assert kv_bytes_per_token(free) == kv_bytes_per_token(bound)
    for tokens in (1, 16, 128, 5000):
        assert kv_bytes_per_sequence(bound, tokens) == kv_bytes_per_token(free) * min(tokens, window)
        assert forward_flop(bound, tokens, causal=True) <= forward_flop(free, tokens, causal=True)


@pytest.mark.parametrize("every", [1, 2, 3, 6, 7])
def test_windows_in_all_but_every_nth_layer(every):
    found = made("gemma2", sliding_window=8, sliding_window_pattern=every)
    free = sum(run.count for run in found.runs if run.layer.core.window is None)
    assert free == 6 // every
    assert kv_bytes_per_sequence(found, 1000) == kv_bytes_per_token(found) / 6 * (free * 1000 + (6 - free) * 8)


def test_a_latent_cache_is_the_latent_and_one_rotary_key_whatever_the_heads():
    keys = {**EXPERTS, **LATENT, "n_shared_experts": 1}
    for heads in (2, 6, 96):
        found = made("deepseek_v3", **keys, num_attention_heads=heads)
        assert kv_bytes_per_token(found) == 2 * 6 * (32 + 8)


def test_an_index_adds_its_key_to_the_latent_cache():
    keys = {**EXPERTS, **LATENT, "n_shared_experts": 1}
    index = {"index_topk": 64, "index_n_heads": 4, "index_head_dim": 16}
    plain, sparse = made("deepseek_v32", **keys), made("deepseek_v32", **keys, **index)
    assert kv_bytes_per_token(sparse) - kv_bytes_per_token(plain) == 2 * 6 * 16
    assert parameters(sparse) - parameters(plain) == 6 * (24 * 64 + 96 * 16 + 96 * 4 + 2 * 16)
    assert forward_flop(sparse, 10**6, causal=True) < forward_flop(plain, 10**6, causal=True)


LINEAR = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "shared_expert_intermediate_size": 48,
}  # fmt: skip


@pytest.mark.parametrize("every", [1, 2, 3, 6])
def test_linear_layers_keep_a_state_and_full_ones_a_cache(every):
    found = made("qwen3_next", **EXPERTS, **LINEAR, full_attention_interval=every)
    full = sum(run.count for run in found.runs if run.layer.core.kind is CoreKind.SOFTMAX)
    assert full == 6 // every
    assert kv_bytes_per_token(found) == 2 * full * 2 * 3 * 16
    state = 4 * 8 * 8 + (2 * 2 * 8 + 4 * 8) * 3
    assert state_bytes_per_sequence(found) == 2 * (6 - full) * state
    for run in found.runs:
        core = run.layer.core
        assert (core.state_elements > 0) != (core.cached_elements > 0)


def test_layers_that_reuse_keys_leave_no_cache():
    found = made("gemma4_text", num_kv_shared_layers=2, hidden_size_per_layer_input=0, global_head_dim=16)
    whole = made("gemma4_text", hidden_size_per_layer_input=0, global_head_dim=16)
    assert kv_bytes_per_token(found) == kv_bytes_per_token(whole) * 4 / 6
    assert parameters(whole) - parameters(found) == 2 * (2 * 96 * 48 + 16)


@pytest.mark.parametrize("drafts", [1, 2, 5])
def test_each_draft_step_is_a_layer_that_a_pass_does_not_take(drafts):
    plain, drafted = made("qwen3"), made("qwen3", num_nextn_predict_layers=drafts)
    assert replace(drafted, draft_runs=()) == plain
    assert sum(run.count for run in drafted.draft_runs) == drafts
    assert drafted == made("qwen3", num_mtp_modules=drafts)
