"""Blocks by hand: what each mixer, feed-forward and addition holds, keeps and costs, one layer at a time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from suanli.domain.model import CoreKind, Role
from suanli.foundation.errors import InputError
from suanli.parts.architectures import blocks
from suanli.parts.architectures.count import kv_bytes_per_token, parameters, weight_bytes
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.feedforward import block
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import EXTRAS, FEEDS, MIXERS, OUTERS, Spot
from suanli.parts.architectures.read import read_model

blocks.load()
FEW = settings(max_examples=40, deadline=None)
HIDDEN = 64
ATTENTION = {"hidden_size": HIDDEN, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16}
widths = some.integers(1, 256)


def fields_of(**config):
    return Fields(config, place="p", aliases={}, defaults={}, largest=10**8)


def piece(register, name, config, spot=None, **traits):
    fields = fields_of(**config)
    made = register[name](fields, Family(name="any", **traits), spot or Spot(index=0, mixer=name, feed="dense"))
    fields.raise_faults()
    return made


def held(made):
    return made.vectors + sum((m.inputs * m.outputs + m.bias) * m.copies for m in made.matrices)


def names(made):
    return [matrix.name for matrix in made.matrices]


def test_softmax_is_four_matrices():
    made = piece(MIXERS, "softmax", ATTENTION)
    assert names(made) == ["query", "key", "value", "attention_out"]
    assert held(made) == 64 * (64 + 32 + 32 + 64)
    assert made.core.cached_elements == 64


GATES = [
    ({"attention_gate": "head"}, 64 * 4),
    ({"attention_gate": "wide"}, 64 * 64),
    ({"query_norm": "head"}, 2 * 16),
    ({"query_norm": "heads"}, 64 + 32),
    ({"query_norm": "head", "query_norm_bias": True}, 4 * 16),
    ({"sinks": "all"}, 4),
    ({"sinks": "windowed"}, 0),
    ({"query_bias": True}, 64 + 32 + 32),
    ({"output_bias": True}, 64),
    ({"query_norm": "head", "query_norm_when": False}, 0),
    ({"attention_gate": "wide", "attention_gate_when": False}, 0),
]


@pytest.mark.parametrize(("traits", "more"), GATES)
def test_what_a_trait_adds_to_attention(traits, more):
    assert held(piece(MIXERS, "softmax", ATTENTION, **traits)) - held(piece(MIXERS, "softmax", ATTENTION)) == more


def test_sinks_of_windowed_layers_stand_there_alone():
    near = Spot(index=0, mixer="softmax", feed="dense", windowed=True)
    plain = piece(MIXERS, "softmax", {**ATTENTION, "sliding_window": 8}, near)
    sunk = piece(MIXERS, "softmax", {**ATTENTION, "sliding_window": 8}, near, sinks="windowed")
    assert held(sunk) - held(plain) == 4
    assert sunk.core.window == 8


def test_a_layer_that_reuses_keys_has_queries_and_an_output():
    again = Spot(index=3, mixer="softmax", feed="dense", reuses_keys=True)
    made = piece(MIXERS, "softmax", ATTENTION, again)
    assert names(made) == ["query", "attention_out"]
    assert made.core.cached_elements == 0


def test_keys_that_are_values_too_are_one_matrix():
    made = piece(MIXERS, "softmax", {**ATTENTION, "attention_k_eq_v": True})
    assert names(made) == ["query", "key", "attention_out"]
    near = Spot(index=0, mixer="softmax", feed="dense", windowed=True)
    assert "value" in names(piece(MIXERS, "softmax", {**ATTENTION, "attention_k_eq_v": True}, near))


def test_a_spots_own_count_wins():
    own = Spot(index=0, mixer="softmax", feed="dense", own=(("num_key_value_heads", 4),))
    assert piece(MIXERS, "softmax", ATTENTION, own).core.kv_heads == 4


@FEW
@given(heads=some.integers(1, 32), keys=some.integers(1, 32))
def test_heads_share_their_keys_evenly_or_are_refused(heads, keys):
    config = {"hidden_size": 64, "head_dim": 16, "num_attention_heads": heads, "num_key_value_heads": keys}
    if heads % keys:
        with pytest.raises(InputError, match="num_key_value_heads"):
            piece(MIXERS, "softmax", config)
    else:
        assert piece(MIXERS, "softmax", config).core.kv_heads == keys


@FEW
@given(hidden=widths, width=widths, bias=some.booleans())
def test_a_gated_block_is_three_matrices_and_a_plain_one_two(hidden, width, bias):
    roles = (Role.MLP_IN, Role.MLP_OUT)
    gated = block(hidden, width, roles, gated=True, bias=bias)
    plain = block(hidden, width, roles, gated=False, bias=bias)
    assert [m.inputs * m.outputs for m in gated] == [hidden * width] * 3
    assert len(plain) == 2
    assert sum(m.bias for m in plain) == bias * (width + hidden)
    assert {m.role for m in gated} == set(roles)


MIXTURE = {"hidden_size": 64, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
EXPERT = 3 * 64 * 32


def test_a_mixture_is_a_router_and_its_experts():
    made = piece(FEEDS, "experts", MIXTURE)
    assert held(made) == 8 * 64 + 8 * EXPERT
    assert (made.experts, made.experts_per_token) == (8, 2)


@pytest.mark.parametrize(
    ("traits", "config", "more"),
    [
        ({"shared": "wide"}, {"wide": 48}, 3 * 64 * 48),
        ({"shared": "n * wide"}, {"n": 2, "wide": 16}, 3 * 64 * 32),
        ({"shared": "n * wide"}, {"n": 0, "wide": 16}, 0),
        ({"shared": "wide", "shared_gate": True}, {"wide": 48}, 3 * 64 * 48 + 64),
        ({"router_bias": True}, {}, 8),
        ({"expert_bias": True}, {}, 8 * (2 * 32 + 64)),
        ({"router_vectors": "experts"}, {}, 8),
        ({"router_vectors": "hidden+experts"}, {}, 72),
        ({}, {"moe_latent_size": 16}, 2 * 64 * 16 - 8 * 3 * (64 - 16) * 32),
    ],
)
def test_what_a_trait_adds_to_a_mixture(traits, config, more):
    made = piece(FEEDS, "experts", {**MIXTURE, **config}, **traits)
    assert held(made) - held(piece(FEEDS, "experts", MIXTURE)) == more


def test_a_dense_block_may_have_a_width_by_rule_or_by_place():
    plain = piece(FEEDS, "dense", {"hidden_size": 64}, widening=4)
    assert held(plain) == 3 * 64 * 256
    own = Spot(index=0, mixer="softmax", feed="dense", own=(("intermediate_size", 10),))
    assert held(piece(FEEDS, "dense", {"hidden_size": 64}, own)) == 3 * 64 * 10
    wide = Spot(index=0, mixer="softmax", feed="dense", reuses_keys=True)
    doubled = piece(FEEDS, "dense", {"hidden_size": 64, "intermediate_size": 10, "use_double_wide_mlp": True}, wide)
    assert held(doubled) == 3 * 64 * 20


def test_dense_or_experts_is_as_the_config_says():
    assert piece(FEEDS, "dense_or_experts", {**MIXTURE, "intermediate_size": 9}).experts == 8
    assert piece(FEEDS, "dense_or_experts", {"hidden_size": 64, "intermediate_size": 9}).experts == 0


@pytest.mark.parametrize("register", [MIXERS, FEEDS])
def test_nothing_holds_nothing(register):
    assert held(piece(register, "none", {})) == 0


LATENT = {"hidden_size": 64, "num_attention_heads": 4, "kv_lora_rank": 32, "qk_rope_head_dim": 8}
LATENT |= {"qk_nope_head_dim": 16, "v_head_dim": 12}
LATENT_HELD = 64 * 4 * 24 + 64 * 40 + 32 * 4 * 28 + 4 * 12 * 64 + 32


def test_latent_attention_without_a_latent_of_queries():
    made = piece(MIXERS, "latent", LATENT)
    assert held(made) == LATENT_HELD
    assert made.core.kind is CoreKind.LATENT
    assert (made.core.qk_head_dim, made.core.v_head_dim, made.core.cached_elements) == (24, 12, 40)


def test_a_latent_of_queries_is_two_matrices_and_a_norm():
    made = piece(MIXERS, "latent", {**LATENT, "q_lora_rank": 20})
    assert held(made) - LATENT_HELD == 64 * 20 + 20 * 96 + 20 - 64 * 96


def test_a_gate_on_latent_attention_is_as_wide_as_its_values():
    assert held(piece(MIXERS, "latent", {**LATENT, "mla_use_output_gate": True})) - LATENT_HELD == 64 * 4 * 12


INDEX = {"q_lora_rank": 20, "index_topk": 16, "index_n_heads": 2, "index_head_dim": 8}


def test_a_layer_that_shares_anothers_index_has_none_and_caches_none():
    own = piece(MIXERS, "latent", {**LATENT, **INDEX})
    shared = piece(MIXERS, "latent", {**LATENT, **INDEX}, Spot(index=1, mixer="latent", feed="dense", word="shared"))
    assert held(own) - held(shared) == 20 * 16 + 64 * 8 + 64 * 2 + 16
    assert own.core.cached_elements - shared.core.cached_elements == 8
    assert shared.core.selected == own.core.selected == 16


def test_the_gated_delta_rule():
    config = {"hidden_size": 64, "linear_conv_kernel_dim": 4, "linear_num_key_heads": 2, "linear_num_value_heads": 4}
    made = piece(MIXERS, "gated_delta", {**config, "linear_key_head_dim": 8, "linear_value_head_dim": 16})
    keys, values = 16, 64
    channels = 2 * keys + values
    assert held(made) == 64 * (channels + values) + 64 * 8 + channels * 4 + values * 64 + 2 * 4 + 16
    assert made.core.state_elements == 4 * 8 * 16 + channels * 3
    assert made.core.state_passes == 3
    assert made.core.cached_elements == 0


@pytest.mark.parametrize(("full", "gate"), [(True, 64 * 32), (False, 64 * 16 + 16 * 32)])
def test_kimis_delta_attention(full, gate):
    config = {"hidden_size": 64, "linear_conv_kernel_dim": 4, "linear_num_heads": 2, "linear_head_dim": 16}
    made = piece(MIXERS, "delta_attention", {**config, "use_full_rank_gate": full})
    assert held(made) == 3 * 64 * 32 + 96 * 4 + 64 * 16 + 16 * 32 + 64 * 2 + gate + 32 * 64 + 32 + 2 + 16
    assert made.core.state_elements == 2 * 16 * 16 + 96 * 3


def test_lightning_attention():
    made = piece(MIXERS, "lightning", {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 8})
    assert held(made) == 4 * 64 * 32 + 32 * 64 + 32
    assert (made.core.state_elements, made.core.state_passes) == (4 * 8 * 8, 2)


MAMBA = {"hidden_size": 64, "state_size": 8, "conv_kernel": 4}


@pytest.mark.parametrize("rank", [None, "auto", 4])
def test_mamba_one(rank):
    made = piece(MIXERS, "mamba", {**MAMBA, "expand": 2, "time_step_rank": rank})
    channels, step = 128, 4
    by_hand = 64 * 256 + channels * 4 + channels + channels * (step + 16) + step * channels + channels + channels * 64
    assert held(made) == by_hand + channels * 8 + channels
    assert made.core.state_elements == channels * 8 + channels * 3


def test_mamba_with_norms_inside():
    plain = piece(MIXERS, "mamba", {**MAMBA, "time_step_rank": 5})
    assert held(piece(MIXERS, "mamba", {**MAMBA, "time_step_rank": 5}, state_norm=True)) - held(plain) == 5 + 16


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_mamba_two(groups):
    made = piece(MIXERS, "mamba2", {**MAMBA, "mamba_num_heads": 8, "mamba_head_dim": 16, "n_groups": groups})
    inner, sides = 128, 2 * groups * 8
    by_hand = 64 * (2 * inner + sides + 8) + (inner + sides) * 5 + inner * 64
    assert held(made) == by_hand + 3 * 8 + inner
    assert made.core.state_elements == 8 * 8 * 16 + (inner + sides) * 3


COMPRESSED = {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "q_lora_rank": 24, "o_groups": 2}
COMPRESSED |= {"o_lora_rank": 8, "sliding_window": 32, "index_n_heads": 2, "index_head_dim": 8, "index_topk": 5}
COMPRESSED |= {"compressed_sparse_attention": 4, "heavily_compressed_attention": 128}
NEAR = 64 * 24 + 24 * 64 + 64 * 16 + 32 * 16 + 16 * 64 + 24 + 16 + 4


def test_one_key_head_that_is_value_too_keeps_its_window():
    made = piece(MIXERS, "shared_key", COMPRESSED)
    assert held(made) == NEAR
    assert (made.core.window, made.core.stride, made.core.cached_elements) == (32, 0, 0)
    assert made.core.state_elements == 32 * 16


def test_a_heavy_compressor_leaves_one_entry_a_long_block():
    made = piece(MIXERS, "heavily_compressed", COMPRESSED)
    assert held(made) == NEAR + 2 * 64 * 16 + 128 * 16 + 16
    assert (made.core.stride, made.core.cached_elements) == (128, 16 / 128)


def test_a_fine_compressor_has_an_index():
    made = piece(MIXERS, "compressed", COMPRESSED)
    far, index = 2 * 64 * 32 + 4 * 32 + 16, 2 * 64 * 16 + 4 * 16 + 8
    assert held(made) == NEAR + far + index + 24 * 16 + 64 * 2
    assert (made.core.selected, made.core.cached_elements) == (5, (16 + 8) / 4)


def test_a_stride_of_its_own_is_taken():
    made = piece(MIXERS, "heavily_compressed", {**COMPRESSED, "compress_rates": {"heavily_compressed_attention": 64}})
    assert made.core.stride == 64


def test_blocks_that_an_index_selects():
    config = {**ATTENTION, "index_n_heads": 2, "index_head_dim": 8, "index_topk_blocks": 3, "index_block_size": 16}
    made, plain = piece(MIXERS, "indexed", config), piece(MIXERS, "softmax", ATTENTION)
    assert held(made) - held(plain) == 64 * 16 + 64 * 8 + 16
    assert made.core.selected == 48
    assert made.core.cached_elements == plain.core.cached_elements + 8


@pytest.mark.parametrize("number", [1, 2, 4])
def test_residual_streams(number):
    config = {"hidden_size": 64, "hc_mult": number}
    mixed = number * number + 2 * number
    assert held(piece(EXTRAS, "streams", config)) == 2 * (number * 64 * mixed + mixed) + 6
    head = OUTERS["streams"](fields_of(**config), Family(name="any"))
    assert held(head) == number * 64 * number + number + 1


def test_an_input_for_each_layer():
    config = {"hidden_size": 64, "hidden_size_per_layer_input": 16}
    assert held(piece(EXTRAS, "layer_input", config)) == 2 * 64 * 16 + 64
    assert held(piece(EXTRAS, "layer_input", {"hidden_size": 64})) == 0
    whole = {**config, "num_hidden_layers": 3, "vocab_size_per_layer_input": 100}
    tables = OUTERS["layer_input"](fields_of(**whole), Family(name="any"))
    assert held(tables) == 100 * 48 + 64 * 48 + 16
    assert tables.matrices[0].active == 0.0


def test_alternating_updates():
    made = piece(EXTRAS, "alternating", {"hidden_size": 64, "altup_num_inputs": 4, "laurel_rank": 8})
    assert held(made) == 2 * 64 * 8 + 16 + 64 + 64 * 4 + 64 + 2 * 64


@pytest.mark.parametrize("register", [MIXERS, FEEDS, EXTRAS])
def test_every_block_without_sizes_is_refused_or_holds_nothing(register):
    for name, maker in register.items():
        fields = fields_of()
        made = maker(fields, Family(name="any"), Spot(index=0, mixer=name, feed="dense"))
        assert fields.faults or held(made) == 0, name


LLAMA = {"model_type": "llama", **ATTENTION, "num_hidden_layers": 4, "intermediate_size": 160, "vocab_size": 320}
INNER = 4 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 160)
OUTSIDE = 2 * 320 * 64 + 9 * 64


@pytest.mark.parametrize(
    ("said", "bits"),
    [
        ({"quant_method": "fp8"}, 8),
        ({"quant_method": "fbgemm_fp8"}, 8),
        ({"quant_method": "modelopt_fp4"}, 4 + 8 / 16),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, 4 + 16 / 128),
        ({"quant_method": "gptq", "bits": 8, "group_size": 32}, 8 + 16 / 32),
        ({"quant_method": "gptq", "bits": 3, "group_size": -1}, 3),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, 4 + 16 / 64),
        ({"quant_algo": "FP8"}, 8),
        ({"quant_algo": "NVFP4"}, 4.5),
        ({"quant_algo": "W4A8_AWQ"}, None),
        ({"config_groups": {"g": {"weights": {"num_bits": 8, "type": "float"}}}}, 8),
        ({"config_groups": {"g": {"weights": {"num_bits": 4, "type": "float", "group_size": 16}}}}, 4.5),
        ({"config_groups": {"g": {"weights": {"num_bits": 4, "type": "int", "group_size": 32}}}}, 4.5),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 8),
    ],
)
def test_a_quantised_checkpoint_weighs_its_bits_inside_and_whole_numbers_outside(said, bits):
    model = read_model({**LLAMA, "quantization_config": said}, "m")
    assert parameters(model) == INNER + OUTSIDE
    if bits is not None:
        assert weight_bytes(model) == pytest.approx(INNER * bits / 8 + 2 * OUTSIDE)
    assert weight_bytes(model, "bf16") == 2 * parameters(model)


@FEW
@given(kept=some.sets(some.integers(0, 3)))
def test_each_layer_kept_whole_adds_its_own_share(kept):
    modules = [f"model.layers.{index}*" for index in sorted(kept)]
    said = {"quantization": {"quant_algo": "FP8", "exclude_modules": modules}}
    model = read_model(LLAMA, "m", said)
    assert weight_bytes(model) == pytest.approx(INNER + 2 * OUTSIDE + INNER * len(kept) / 4)


@pytest.mark.parametrize("names_of", [["lm_head"], ["model.embed_tokens"], ["lm_head", "*norm*", "vision_tower"]])
def test_naming_what_is_whole_anyway_changes_nothing(names_of):
    plain = read_model({**LLAMA, "quantization_config": {"quant_method": "fp8"}}, "m")
    said = {"quant_method": "fp8", "modules_to_not_convert": names_of}
    assert weight_bytes(read_model({**LLAMA, "quantization_config": said}, "m")) == weight_bytes(plain)


def test_a_quantised_cache_is_said_and_leaves_the_count_alone():
    said = {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}
    model = read_model({**LLAMA, "quantization_config": said}, "m")
    assert model.quantisation.kv_format == "fp8"
    assert kv_bytes_per_token(model, "fp8") == kv_bytes_per_token(model, "bf16") / 2


def test_the_file_beside_and_the_section_inside_say_one_thing_together():
    beside = {"quantization": {"kv_cache_quant_algo": "FP8"}}
    model = read_model({**LLAMA, "quantization_config": {"quant_method": "fp8"}}, "m", beside)
    assert (model.quantisation.weight_bits, model.quantisation.kv_format) == (8, "fp8")


def test_a_checkpoint_in_full_precision_keeps_four_bytes_outside():
    said = {**LLAMA, "dtype": "float32", "quantization_config": {"quant_method": "fp8"}}
    assert weight_bytes(read_model(said, "m")) == INNER + 4 * OUTSIDE
