"""What a checkpoint's own quantisation says, in each of the forms in use."""

import json

import pytest

from suanli.domain.model import Role
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import parameters, weight_bytes
from suanli.parts.architectures.quantisation import roles_of
from suanli.parts.architectures.read import named_model, read_model, read_model_file

INNER = (Role.ATTENTION_IN, Role.ATTENTION_OUT, Role.MLP_IN, Role.MLP_OUT)


def quantised(small, said, beside=None, model_type="llama", **keys):
    config = {"model_type": model_type, **small, **keys}
    if said is not None:
        config["quantization_config"] = said
    return read_model(config, "m", beside)


def test_a_plain_checkpoint_has_none(small):
    assert quantised(small, None).quantisation is None


def test_block_fp8_keeps_tables_head_and_router_whole(small):
    found = quantised(small, {"quant_method": "fp8", "weight_block_size": [128, 128]}).quantisation
    assert found.weight_bits == 8
    assert found.block_size == 128
    assert set(found.unquantised_roles) == {Role.EMBEDDING, Role.HEAD, Role.ROUTER}


def test_weights_of_an_fp8_checkpoint_by_hand(small):
    whole = quantised(small, None)
    found = quantised(small, {"quant_method": "fp8"})
    inner = 4 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 160)
    assert weight_bytes(whole) - weight_bytes(found) == inner


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_grouped_integers_count_their_scales(small, method):
    found = quantised(small, {"quant_method": method, "bits": 4, "group_size": 128}).quantisation
    assert found.weight_bits == 4 + 16 / 128
    assert found.block_size == 128


def test_compressed_tensors_say_bits_group_and_exceptions(small):
    weights = {"num_bits": 4, "type": "int", "group_size": 32}
    said = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}}
    found = quantised(small, said | {"ignore": ["lm_head", "re:.*self_attn.*"]}).quantisation
    assert found.weight_bits == 4.5
    assert {Role.ATTENTION_IN, Role.ATTENTION_OUT} <= set(found.unquantised_roles)
    assert Role.MLP_IN not in found.unquantised_roles


def test_modelopts_own_file_beside_a_config_is_read(tmp_path, small):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **small}))
    said = {"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(said))
    found = read_model_file(tmp_path).quantisation
    assert found.weight_bits == 4.5
    assert found.kv_format == "fp8"


def test_layers_named_as_exceptions_raise_the_mean(small):
    kept = ["model.layers.0.self_attn*", "model.layers.1.self_attn*"]
    said = {"quantization": {"quant_algo": "NVFP4", "exclude_modules": kept}}
    bits = dict(quantised(small, None, said).quantisation.role_bits)
    assert bits[Role.ATTENTION_IN] == (16 + 4.5) / 2
    assert Role.MLP_IN not in bits


def test_a_whole_layer_named_raises_every_role_inside(small):
    said = {"quantization": {"quant_algo": "FP8", "exclude_modules": ["model.layers.3*", "model.layers.9*"]}}
    bits = dict(quantised(small, None, said).quantisation.role_bits)
    assert all(bits[role] == (3 * 8 + 16) / 4 for role in INNER)


def test_mixed_precision_takes_each_roles_own_format(small):
    modules = {
        "model.layers.0.self_attn.q_proj": {"quant_algo": "FP8"},
        "model.layers.0.mlp.up_proj": {"quant_algo": "NVFP4"},
        "model.layers.1.mlp.up_proj": {"quant_algo": "FP8"},
    }
    said = {"quant_algo": "MIXED_PRECISION", "quant_method": "modelopt", "quantized_layers": modules}
    bits = dict(quantised(small, said).quantisation.role_bits)
    assert bits[Role.ATTENTION_IN] == 8
    assert bits[Role.MLP_IN] == (4.5 + 8) / 2


def test_an_unknown_algorithm_is_refused_by_name(small):
    with pytest.raises(InputError) as caught:
        quantised(small, None, {"quantization": {"quant_algo": "NVFP5"}})
    assert "NVFP5" in str(caught.value)


def test_an_unknown_method_is_said_and_weights_stay_whole(small):
    model = quantised(small, {"quant_method": "magic"})
    assert model.quantisation is None
    assert "magic" in model.notes[0]
    assert weight_bytes(model) == 2 * parameters(model)


@pytest.mark.parametrize(("said", "bits"), [({"load_in_4bit": True}, 4.127), ({"load_in_8bit": True}, 8)])
def test_bitsandbytes_says_four_or_eight(small, said, bits):
    assert quantised(small, {"quant_method": "bitsandbytes", **said}).quantisation.weight_bits == bits


@pytest.mark.parametrize("said", [{"quant_method": "gptq", "bits": "four"}, {"config_groups": []}, {"quant_algo": 4}])
def test_a_section_that_says_nothing_right_never_breaks(small, said):
    model = quantised(small, said)
    assert weight_bytes(model) > 0


def test_gpt_oss_weighs_as_its_published_checkpoint():
    assert weight_bytes(named_model("openai/gpt-oss-120b")) / 1e9 == pytest.approx(65.2, abs=0.3)


def test_kimi_weighs_as_its_published_checkpoint():
    assert weight_bytes(named_model("moonshotai/Kimi-K2.5")) / 1e9 == pytest.approx(594, abs=5)


def test_an_expert_format_holds_for_experts_alone():
    found = named_model("deepseek-ai/DeepSeek-V4-Flash").quantisation
    assert dict(found.role_bits) == {Role.EXPERT_IN: 4.25, Role.EXPERT_OUT: 4.25}
    assert found.weight_bits == 8


@pytest.mark.parametrize(
    ("module", "roles"),
    [
        ("lm_head", {Role.HEAD}),
        ("model.embed_tokens", {Role.EMBEDDING}),
        ("model.layers.3.self_attn*", {Role.ATTENTION_IN, Role.ATTENTION_OUT}),
        ("model.layers.3.self_attn.o_proj", {Role.ATTENTION_OUT}),
        ("model.layers.3.self_attn.q_proj", {Role.ATTENTION_IN}),
        ("model.layers.3.self_attn.indexer*", {Role.INDEXER}),
        ("model.layers.3.mlp.gate", {Role.ROUTER}),
        ("model.layers.3.mlp.gate_proj", {Role.MLP_IN}),
        ("model.layers.3.mlp.down_proj", {Role.MLP_OUT}),
        ("model.layers.3.block_sparse_moe.experts.7.w2", {Role.EXPERT_OUT}),
        ("model.layers.3.mlp.experts.7.up_proj", {Role.EXPERT_IN}),
        ("model.layers.3.mlp.shared_experts.down_proj", {Role.SHARED_OUT}),
        ("model.layers.3.mlp.shared_expert_gate", {Role.ROUTER}),
        ("backbone.layers.0.mixer.in_proj", {Role.MIXER}),
        ("backbone.layers.0.mixer.conv1d", {Role.CONVOLUTION}),
        ("model.layers.0.input_layernorm", set()),
        ("vision_tower", set()),
    ],
)
def test_module_names_mean_roles(module, roles):
    assert set(roles_of(module)) == roles
