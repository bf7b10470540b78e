"""Which mixer and which feed-forward stand at each layer: every rule, list, code and period by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suanli.foundation.errors import InputError
from suanli.parts.architectures import blocks
from suanli.parts.architectures.families import Family, families
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.normalise import PREPARERS
from suanli.parts.architectures.patterns import (
    FULL,
    LINEAR,
    SPARSE,
    WINDOWED,
    WORDS,
    by_rule,
    kinds,
    sparse_layers,
)
from suanli.parts.architectures.pieces import EXTRAS, FEEDS, MIXERS, OUTERS, PATTERNS
from suanli.parts.architectures.read import read_model

blocks.load()
LAYERS = 6
F, W, L = FULL, WINDOWED, LINEAR


def fields_of(config, largest=10_000):
    return Fields(config, place="p", aliases={}, defaults={}, largest=largest)


def family_of(**traits):
    return Family(name="any", **traits)


RULES = [
    ({}, False, [F] * 6),
    ({"sliding_window": 8}, False, [F] * 6),
    ({}, True, [F] * 6),
    ({"sliding_window": 8}, True, [W] * 6),
    ({"sliding_window": 8, "sliding_window_pattern": 2}, True, [W, F] * 3),
    ({"sliding_window": 8, "sliding_window_pattern": 3}, True, [W, W, F] * 2),
    ({"sliding_window": 8, "sliding_window_pattern": 1}, True, [F] * 6),
    ({"sliding_window": 8, "max_window_layers": 4}, True, [F] * 4 + [W] * 2),
    ({"sliding_window": 8, "max_window_layers": 0}, True, [W] * 6),
    ({"sliding_window": 8, "max_window_layers": 9}, True, [F] * 6),
    ({"full_attention_interval": 3}, False, [L, L, F] * 2),
    ({"full_attention_interval": 1}, False, [F] * 6),
    ({"full_attention_interval": 7}, False, [L] * 6),
    ({"full_attention_interval": 2, "sliding_window": 8}, True, [L, F] * 3),
    ({"hybrid_layer_pattern": [0, 1, 1, 0, 1, 1]}, True, [F, W, W, F, W, W]),
    ({"attn_type_list": [0, 0, 1, 0, 0, 1]}, False, [L, L, F, L, L, F]),
    ({"attn_type_list": [0, 1], "full_attention_interval": 2}, False, [L, F] + [F] * 4),
    ({"hybrid_layer_pattern": [1] * 9}, True, [W] * 6),
]


@pytest.mark.parametrize(("config", "sliding", "expected"), RULES)
def test_kinds_by_rule(config, sliding, expected):
    fields = fields_of(config)
    assert by_rule(fields, family_of(sliding=sliding), LAYERS) == expected
    assert fields.faults == []


@pytest.mark.parametrize("key", ["layer_types", "layers_block_type"])
def test_a_list_of_words_wins_over_every_rule(key):
    config = {key: ["full_attention", "linear_attention"] * 3, "sliding_window": 8, "full_attention_interval": 2}
    assert kinds(fields_of(config), family_of(sliding=True), LAYERS) == [F, L] * 3


def test_a_list_longer_than_the_layers_is_cut():
    assert kinds(fields_of({"layer_types": ["mamba"] * 9}), family_of(), LAYERS) == [L] * 6


def test_a_list_too_short_is_a_fault_and_still_as_long():
    fields = fields_of({"layer_types": ["mamba"] * 2})
    assert len(kinds(fields, family_of(), LAYERS)) == LAYERS
    assert fields.faults[0].found == "'2 words'"


@pytest.mark.parametrize(("word", "kind"), WORDS.items())
def test_a_word_means_one_kind_or_names_a_mixer(word, kind):
    assert kinds(fields_of({"layer_types": [word] * 6}), family_of(), LAYERS) == [kind] * 6
    assert kind in (F, W, L) or kind in MIXERS


SPARSES = [
    ("all", {}, [1] * 6),
    ("all", {"first_k_dense_replace": 2}, [0, 0, 1, 1, 1, 1]),
    ("all", {"first_k_dense_replace": 6}, [0] * 6),
    ("all", {"moe_layer_freq": 2}, [1, 0] * 3),
    ("all", {"first_k_dense_replace": 1, "moe_layer_freq": 2}, [0, 0, 1, 0, 1, 0]),
    ("all", {"moe_layer_freq": [0, 1, 1, 1, 1, 0]}, [0, 1, 1, 1, 1, 0]),
    ("all", {"moe_layer_freq": [0, 0]}, [0, 0, 1, 1, 1, 1]),
    ("all", {"mlp_layer_types": ["dense", "sparse"] * 3}, [0, 1] * 3),
    ("stepped", {}, [1] * 6),
    ("stepped", {"decoder_sparse_step": 2}, [0, 1] * 3),
    ("stepped", {"mlp_only_layers": [0, 5]}, [0, 1, 1, 1, 1, 0]),
    ("stepped", {"decoder_sparse_step": 2, "mlp_only_layers": [1]}, [0, 0, 0, 1, 0, 1]),
    ("stepped", {"moe_layers": [2, 3]}, [0, 0, 1, 1, 0, 0]),
    ("stepped", {"moe_layers": []}, [0] * 6),
    ("span", {}, [1] * 6),
    ("span", {"moe_layer_start_index": 1}, [0, 1, 1, 1, 1, 1]),
    ("span", {"moe_layer_start_index": 1, "moe_layer_end_index": 3}, [0, 1, 1, 1, 0, 0]),
    ("span", {"moe_layer_end_index": -1, "moe_layer_interval": 2}, [0, 1] * 3),
    ("offset", {}, [1] * 6),
    ("offset", {"expert_layer_period": 2, "expert_layer_offset": 1}, [0, 1] * 3),
    ("offset", {"expert_layer_period": 3, "expert_layer_offset": 2}, [0, 0, 1] * 2),
]


@pytest.mark.parametrize(("rule", "config", "expected"), SPARSES)
def test_layers_with_experts(rule, config, expected):
    fields = fields_of(config)
    assert sparse_layers(fields, family_of(sparse=rule), LAYERS) == [bool(flag) for flag in expected]
    assert fields.faults == []


@given(rule=some.sampled_from(sorted(SPARSE)), layers=some.integers(1, 200), numbers=some.lists(some.integers(1, 50)))
def test_every_rule_says_one_word_a_layer(rule, layers, numbers):
    names = ["first_k_dense_replace", "decoder_sparse_step", "moe_layer_interval", "expert_layer_period"]
    config = dict(zip(names, numbers, strict=False))
    assert len(sparse_layers(fields_of(config), family_of(sparse=rule), layers)) == layers


@given(layers=some.integers(1, 200), every=some.integers(1, 200))
def test_every_nth_layer_is_as_many_as_fit(layers, every):
    found = by_rule(fields_of({"full_attention_interval": every}), family_of(), layers)
    assert found.count(FULL) == layers // every


def test_every_trait_of_a_family_names_something_registered():
    for family in families().values():
        assert family.sparse in SPARSE
        assert family.pattern in PATTERNS
        assert {family.attention, family.linear} <= set(MIXERS)
        assert family.feed in FEEDS
        assert family.extra in {"", *EXTRAS}
        assert family.outer in {"", *OUTERS}
        assert family.prepare in {"", *PREPARERS}
        assert family.query_norm in {"", "head", "heads"}
        assert family.attention_gate in {"", "head", "wide"}
        assert family.sinks in {"", "all", "windowed"}
        assert family.router_vectors in {"", "experts", "hidden+experts"}


def spots(family_name, layers=LAYERS, **config):
    family = families()[family_name]
    prepared = PREPARERS[family.prepare](config) if family.prepare else config
    fields = Fields(prepared, place="p", aliases=dict(family.keys), defaults=family.defaults, largest=10_000)
    return PATTERNS[family.pattern](fields, family, layers), fields


def test_nemotrons_letters_are_one_block_each():
    found, fields = spots("nemotron_h", hybrid_override_pattern="M*-E")
    expected = [("mamba2", "none"), ("softmax", "none"), ("none", "dense"), ("none", "experts")]
    assert [(spot.mixer, spot.feed) for spot in found] == expected
    assert fields.config["num_hidden_layers"] == 4


@pytest.mark.parametrize("letters", ["MX", "m", " ", "M*-E!"])
def test_an_unknown_letter_is_refused_by_itself(letters):
    _, fields = spots("nemotron_h", hybrid_override_pattern=letters)
    assert len(fields.faults) == 1
    assert fields.faults[0].found.strip("'") in letters


def test_no_pattern_at_all_is_told():
    found, fields = spots("nemotron_h")
    assert found == []
    assert fields.faults[0].place == "p:hybrid_override_pattern"


def test_jambas_periods():
    config = {"attn_layer_period": 3, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1}
    found, _ = spots("jamba", **config, num_experts=4)
    assert [spot.mixer for spot in found] == ["mamba", "softmax", "mamba"] * 2
    assert [spot.feed for spot in found] == ["dense", "experts"] * 3
    plain, _ = spots("jamba", **config, num_experts=1)
    assert {spot.feed for spot in plain} == {"dense"}


def test_a_mamba_layer_is_a_mixer_alone():
    found, _ = spots("mamba")
    assert {(spot.mixer, spot.feed) for spot in found} == {("mamba", "none")}


NAS = {"hidden_size": 64, "num_attention_heads": 8, "num_hidden_layers": 4}


def nas(*pairs):
    listed = [{"attention": attention, "ffn": feed} for attention, feed in pairs]
    return spots("nemotron-nas", len(pairs), **NAS, block_configs=listed)


def test_blocks_chosen_one_by_one():
    found, fields = nas(
        ({"n_heads_in_group": 4}, {"ffn_mult": 6.0}),
        ({"no_op": True}, {"no_op": True}),
        ({"replace_with_linear": True}, {"replace_with_linear": True}),
        ({"n_heads_in_group": 8}, {"ffn_mult": 0.1}),
    )
    assert fields.faults == []
    placed = [(spot.mixer, spot.feed, dict(spot.own)) for spot in found]
    assert placed == [
        ("softmax", "dense", {"num_key_value_heads": 2, "intermediate_size": 256}),
        ("none", "none", {}),
        ("linear_substitute", "linear_substitute", {}),
        ("softmax", "dense", {"num_key_value_heads": 1, "intermediate_size": 256}),
    ]


@pytest.mark.parametrize("ratio", [None, 0, -1, True, "2", [2], float("nan"), float("inf"), 1e9])
def test_a_width_that_is_no_ratio_is_a_fault(ratio):
    _, fields = nas(({"no_op": True}, {"ffn_mult": ratio}))
    assert any("ffn_mult" in fault.allowed for fault in fields.faults)


@pytest.mark.parametrize("group", [None, 0, -8, True, "8", 2.5])
def test_a_group_that_is_no_count_is_a_fault(group):
    _, fields = nas(({"n_heads_in_group": group}, {"no_op": True}))
    assert fields.faults


@pytest.mark.parametrize("listed", [None, 7, "x", [1], [{}, None]])
def test_blocks_that_are_no_mappings_are_a_fault(listed):
    found, fields = spots("nemotron-nas", **NAS, block_configs=listed)
    assert found == []
    assert "mappings" in fields.faults[0].allowed


def test_fewer_blocks_than_layers_is_a_fault():
    _, fields = spots("nemotron-nas", 4, **NAS, block_configs=[{"attention": {"no_op": True}, "ffn": {"no_op": True}}])
    assert "4 layers" in fields.faults[0].allowed


def prepared(name, **config):
    before = dict(config)
    made = PREPARERS[name](config)
    assert config == before, "a config is never changed in place"
    return made


@pytest.mark.parametrize(
    ("config", "keys"),
    [({}, 1), ({"multi_query": True}, 1), ({"multi_query": False}, None), ({"multi_query": 3}, None)],
)
def test_bigcode_has_one_key_head_unless_said(config, keys):
    assert prepared("multi_query", **config).get("num_key_value_heads") == keys


FALCONS = [
    ({}, 1, False),
    ({"multi_query": False}, None, False),
    ({"parallel_attn": False}, 1, True),
    ({"new_decoder_architecture": True, "num_kv_heads": 8}, 8, True),
    ({"new_decoder_architecture": True, "n_head_kv": 8}, 8, True),
    ({"new_decoder_architecture": True, "num_kv_heads": 8, "num_ln_in_parallel_attn": 1}, 8, False),
    ({"new_decoder_architecture": False, "num_kv_heads": 8}, 1, False),
]


@pytest.mark.parametrize(("config", "keys", "two"), FALCONS)
def test_falcons_flags_say_key_heads_and_norms(config, keys, two):
    made = prepared("falcon", **config)
    assert made.get("num_key_value_heads") == keys
    assert made["two_norms"] is two


def test_chatglm_groups_only_where_it_says_so():
    assert "multi_query_group_num" not in prepared("chatglm", multi_query_group_num=2)
    assert prepared("chatglm", multi_query_group_num=2, multi_query_attention=True)["multi_query_group_num"] == 2


def test_qwen_says_twice_its_width():
    assert prepared("qwen", intermediate_size=22016)["intermediate_size"] == 11008
    assert prepared("qwen", intermediate_size="wide")["intermediate_size"] == "wide"
    assert "num_key_value_heads" not in prepared("qwen", num_key_value_heads=4)


def test_mpts_width_is_a_ratio_and_its_key_heads_lie_deeper():
    made = prepared("mpt", d_model=64, expansion_ratio=3, attn_config={"kv_n_heads": 2})
    assert (made["intermediate_size"], made["num_key_value_heads"]) == (192, 2)
    assert prepared("mpt", d_model=64)["intermediate_size"] == 256
    assert "intermediate_size" not in prepared("mpt", d_model="64")


def test_dbrx_keeps_attention_and_experts_apart():
    parts = {
        "attn_config": {"kv_n_heads": 8},
        "ffn_config": {"ffn_hidden_size": 32, "moe_num_experts": 4, "moe_top_k": 2},
    }
    made = prepared("dbrx", **parts)
    assert (made["num_key_value_heads"], made["moe_intermediate_size"]) == (8, 32)
    assert (made["num_experts"], made["moe_top_k"]) == (4, 2)


def test_minimax_m3s_index_lies_deeper():
    part = {"sparse_num_index_heads": 4, "sparse_index_dim": 32, "sparse_attention_freq": [0, 1, 1]}
    made = prepared("minimax_m3", sparse_attention_config=part)
    assert (made["index_n_heads"], made["index_head_dim"]) == (4, 32)
    assert made["layer_types"] == ["full_attention", "minimax_m3_sparse", "minimax_m3_sparse"]


def test_kimi_numbers_its_layers_from_one():
    part = {"full_attn_layers": [4], "kda_layers": [1, 2, 3], "head_dim": 16, "num_heads": 2}
    made = prepared("kimi_linear", num_hidden_layers=4, linear_attn_config=part, head_dim=99)
    assert made["layer_types"] == ["linear_attention"] * 3 + ["full_attention"]
    assert (made["linear_head_dim"], made["linear_num_heads"], made["head_dim"]) == (16, 2, 99)


def test_kimis_layers_that_are_not_all_listed_are_left_to_the_reader():
    assert "layer_types" not in prepared(
        "kimi_linear", num_hidden_layers=9, linear_attn_config={"full_attn_layers": [4]}
    )


@pytest.mark.parametrize(("value", "expected"), [([2, 2], 2), ([2, 3], [2, 3]), ([], []), (2, 2)])
def test_hunyuans_lists_of_one_number_are_that_number(value, expected):
    assert prepared("hunyuan", moe_topk=value)["moe_topk"] == expected


def test_hunyuans_experts_are_as_wide_as_the_block_unless_said():
    assert prepared("hunyuan", intermediate_size=9)["moe_intermediate_size"] == 9
    assert prepared("hunyuan", intermediate_size=9, moe_intermediate_size=[4, 4])["moe_intermediate_size"] == 4


def test_mimos_windowed_layers_have_twice_the_key_heads_unless_said():
    assert prepared("mimo_v2", num_key_value_heads=4)["swa_num_key_value_heads"] == 8
    assert prepared("mimo_v2", num_key_value_heads=4, swa_num_key_value_heads=5)["swa_num_key_value_heads"] == 5
    assert "swa_num_key_value_heads" not in prepared("mimo_v2", num_key_value_heads="4")


@pytest.mark.parametrize("named", ["1, 3", [1, 3], "1,3,x"])
def test_steps_layers_with_experts_are_listed_in_text_or_numbers(named):
    made = prepared("step", num_hidden_layers=5, moe_layers_enum=named)
    assert made["mlp_layer_types"] == ["dense", "sparse", "dense", "sparse", "dense"]


def test_steps_layers_are_sparse_from_the_fourth_where_nothing_is_said():
    assert prepared("step", num_hidden_layers=5)["mlp_layer_types"] == ["dense"] * 3 + ["sparse"] * 2


def test_deepseek_v4s_strides_are_kinds_of_layers():
    made = prepared("deepseek_v4", num_hidden_layers=3, compress_ratios=[0, 4, 128])
    words = ["sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"]
    assert made["layer_types"] == words
    default = prepared("deepseek_v4", num_hidden_layers=4)["layer_types"]
    assert default == [words[2], words[2], words[2], words[1]]
    assert prepared("deepseek_v4", layer_types=["x"], compress_ratios=[4])["layer_types"] == ["x"]


ODD = some.one_of(
    some.none(), some.booleans(), some.integers(-3, 5), some.floats(), some.text(max_size=3),
    some.lists(some.integers()),
    some.dictionaries(some.text(max_size=3), some.integers(), max_size=2),
)  # fmt: skip
PREPARED_KEYS = [
    "multi_query", "new_decoder_architecture", "num_kv_heads", "multi_query_group_num", "intermediate_size", "d_model",
    "expansion_ratio", "attn_config", "ffn_config", "sparse_attention_config", "linear_attn_config", "moe_topk",
    "num_key_value_heads", "attention_other_setting", "moe_layers_enum", "num_hidden_layers", "compress_ratios",
    "hybrid_override_pattern", "layers_block_type", "mtp_hybrid_override_pattern", "layer_types",
]  # fmt: skip


@given(
    name=some.sampled_from(sorted(PREPARERS)),
    config=some.dictionaries(some.sampled_from(PREPARED_KEYS), ODD, max_size=6),
)
def test_no_preparation_breaks_on_odd_values_or_changes_its_config(name, config):
    before = repr(config)
    assert isinstance(PREPARERS[name](config), dict)
    assert repr(config) == before


HOLLOW = {
    "full_attn_layers": [[1]], "kda_layers": 7, "sparse_attention_freq": [None], "kv_n_heads": "x", "head_dim": [],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PREPARERS))
@pytest.mark.parametrize("key", sorted(HOLLOW))
def test_odd_values_deeper_in_never_break_a_preparation(name, key):
    parts = ("attn_config", "ffn_config", "sparse_attention_config", "linear_attn_config", "attention_other_setting")
    wrong = {"full_attn_layers": [1], key: HOLLOW[key]}
    assert isinstance(PREPARERS[name]({"num_hidden_layers": 1, **dict.fromkeys(parts, wrong)}), dict)


LONGEST_INTEGER = 10**4299
"""The longest whole number that Python reads from a text; ten times of it can no longer be printed."""


@pytest.mark.parametrize("model_type", sorted(families()))
def test_a_number_too_long_to_print_is_refused_in_any_family(model_type):
    keys = ["num_key_value_heads", "expansion_ratio", "d_model", "n_embd", "num_hidden_layers", "intermediate_size"]
    with pytest.raises(InputError) as caught:
        read_model({"model_type": model_type, **dict.fromkeys(keys, 9 * LONGEST_INTEGER)}, "m")
    assert all(len(fault.found) < 100 for fault in caught.value.faults)


@pytest.mark.parametrize("listed", ["\u00b2", "9" * 5000, [10**4000], ["\u0663"], [[1]], [{}]])
def test_steps_list_of_odd_numbers_never_breaks(listed):
    assert len(prepared("step", num_hidden_layers=5, moe_layers_enum=listed)["mlp_layer_types"]) == 5
