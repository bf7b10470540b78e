"""Reading configs: strict fields, files, names, language parts, refusals by name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.families import families
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.read import (
    find_name,
    known_models,
    load_json,
    named_model,
    read_model,
    read_model_file,
    source_of,
)


def llama(small, **keys):
    return {"model_type": "llama", **small, **keys}


def faults_of(config):
    with pytest.raises(InputError) as caught:
        read_model(config, "m")
    return caught.value.faults


def test_every_missing_size_is_named_at_once():
    places = {fault.place for fault in faults_of({"model_type": "llama"})}
    assert {"config.json:hidden_size", "config.json:num_hidden_layers"} <= places


def test_faults_deeper_in_are_named_at_once_too(small):
    config = llama(small, intermediate_size="wide", num_attention_heads=0, vocab_size=-1, attention_bias="yes")
    places = {fault.place for fault in faults_of(config)}
    assert places == {
        "config.json:intermediate_size",
        "config.json:num_attention_heads",
        "config.json:vocab_size",
        "config.json:attention_bias",
    }


@pytest.mark.parametrize(
    "wrong", [float("nan"), float("inf"), -float("inf"), -1, 0, True, "4096", 1.5, [64], {}, 10**12, 1e300]
)
@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "intermediate_size"])
def test_no_wrong_number_gets_through(small, key, wrong):
    faults = faults_of(llama(small, **{key: wrong}))
    assert any(fault.place == f"config.json:{key}" for fault in faults)


def test_a_whole_number_written_as_a_float_is_taken(small):
    assert parameters(read_model(llama(small, vocab_size=320.0), "m")) == parameters(read_model(llama(small), "m"))


def test_an_absurd_number_of_layers_is_refused_before_they_are_built(small):
    for family in ("llama", "step3p5", "deepseek_v4", "kimi_linear"):
        faults = faults_of({"model_type": family, **small, "num_hidden_layers": 10**9})
        assert any("num_hidden_layers" in fault.place for fault in faults)


def test_heads_that_do_not_share_keys_evenly_are_refused(small):
    (fault,) = faults_of(llama(small, num_key_value_heads=3))
    assert fault.place == "config.json:num_key_value_heads"


def test_more_chosen_experts_than_there_are_is_refused(small):
    (fault,) = faults_of({"model_type": "mixtral", **small, "num_local_experts": 4, "num_experts_per_tok": 5})
    assert fault.place == "config.json:num_experts_per_tok"


def test_a_list_of_layers_that_is_too_short_is_refused(small):
    faults = faults_of({"model_type": "mistral", **small, "layer_types": ["full_attention"]})
    assert "4 layers" in faults[0].allowed


def test_an_unknown_word_for_a_layer_is_refused_by_name(small):
    faults = faults_of({"model_type": "mistral", **small, "layer_types": ["full_attention", "wishful"] * 2})
    assert "wishful" in faults[0].found


def test_an_unknown_family_is_refused_by_name_with_what_is_near():
    (fault,) = faults_of({"model_type": "qwen9"})
    assert "qwen9" in fault.found
    assert "qwen3" in fault.allowed


@pytest.mark.parametrize("model_type", [None, 7, ["llama"], {}])
def test_a_model_type_that_is_no_word_is_refused(model_type):
    (fault,) = faults_of({"model_type": model_type})
    assert fault.place == "config.json:model_type"


def test_the_language_part_of_a_multimodal_config_is_counted_and_said(small):
    whole = {"model_type": "qwen3_vl", "text_config": {"model_type": "qwen3_vl_text", **small}, "vision_config": {}}
    model = read_model(whole, "m")
    assert parameters(model) == parameters(read_model({"model_type": "qwen3", **small}, "m"))
    assert "language part" in model.notes[0]


def test_a_language_part_takes_the_wholes_tying(small):
    whole = {"model_type": "qwen3_vl", "tie_word_embeddings": True, "text_config": {"model_type": "qwen3", **small}}
    assert read_model(whole, "m").tied_head


def test_a_language_part_without_a_type_takes_the_wholes(small):
    whole = {"model_type": "qwen3_vl", "text_config": small}
    assert read_model(whole, "m").family == "qwen3"


def test_a_fault_in_a_language_part_says_where_it_stands(small):
    whole = {"model_type": "x", "text_config": {"model_type": "qwen3", **small, "vocab_size": -1}}
    (fault,) = faults_of(whole)
    assert fault.place == "config.json:text_config:vocab_size"


def test_aliases_say_the_same(small):
    names = {"hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head"}
    renamed = {names.get(key, key): value for key, value in small.items()}
    assert parameters(read_model({"model_type": "llama", **renamed}, "m")) == parameters(read_model(llama(small), "m"))


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_and_its_folder_read_alike(tmp_path, small):
    folder = tmp_path / "my-model"
    folder.mkdir()
    path = write(folder / "config.json", json.dumps(llama(small)))
    assert read_model_file(path) == read_model_file(folder)
    assert read_model_file(path).name == "my-model"


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", '"llama"', "null", "{'model_type': 'llama'}", "\x00", '{"a": 1e999'], ids=repr
)
def test_a_file_that_is_no_json_mapping_is_refused(tmp_path, text):
    with pytest.raises(InputError):
        read_model_file(write(tmp_path / "config.json", text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError):
        read_model_file(tmp_path / "none.json")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError):
        read_model_file(tmp_path / "config.json")


@pytest.mark.parametrize("levels", [100, 100_000])
def test_values_nested_too_deep_are_refused(tmp_path, levels):
    with pytest.raises(InputError):
        load_json(write(tmp_path / "config.json", '{"a":' * levels + "1" + "}" * levels))


def test_a_file_too_large_is_refused_unread(tmp_path):
    with (tmp_path / "config.json").open("wb") as stream:
        stream.truncate(100 * 10**6)
    with pytest.raises(InputError) as caught:
        load_json(tmp_path / "config.json")
    assert "bytes" in caught.value.faults[0].found


def test_infinity_in_a_json_file_is_a_fault_not_a_size(tmp_path, small):
    text = json.dumps(llama(small)).replace('"vocab_size": 320', '"vocab_size": 1e999')
    with pytest.raises(InputError):
        read_model_file(write(tmp_path / "config.json", text))


def test_names_match_whatever_their_case_and_without_the_owner():
    assert find_name("qwen/QWEN3-32b") == "Qwen/Qwen3-32B"
    assert find_name("llama-3.1-405b") == "meta-llama/Llama-3.1-405B"
    assert find_name("no such model") is None


def test_every_packaged_model_reads_and_has_a_source():
    for name in known_models():
        assert parameters(named_model(name)) > 0
        assert source_of(name)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError) as caught:
        named_model("Qwen/Qwen3-33B")
    assert "qwen3-32b" in caught.value.faults[0].hint.lower()


def test_every_family_says_only_known_mixers_and_patterns():
    from suanli.parts.architectures import blocks
    from suanli.parts.architectures.normalise import PREPARERS
    from suanli.parts.architectures.pieces import EXTRAS, FEEDS, MIXERS, OUTERS, PATTERNS

    blocks.load()
    for family in families().values():
        assert family.attention in MIXERS
        assert family.linear in MIXERS
        assert family.feed in FEEDS
        assert family.pattern in PATTERNS
        assert not family.extra or family.extra in EXTRAS
        assert not family.outer or family.outer in OUTERS
        assert not family.prepare or family.prepare in PREPARERS


REQUIRED = (
    "llama llama4_text mistral mixtral qwen qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next qwen3_5_text qwen3_5_moe_text "
    "qwen3_vl_text deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 gpt2 gptj gpt_neox gpt_bigcode opt bloom falcon "
    "mpt codegen persimmon phi phi3 phimoe gemma gemma2 gemma3_text gemma4_text glm glm4 glm4_moe glm_moe_dsa chatglm "
    "baichuan internlm internlm2 internlm3 olmo olmo2 olmoe starcoder2 stablelm cohere cohere2 dbrx granite granitemoe "
    "gpt_oss minimax minimax_m2 minimax_m3 kimi_k2 kimi_linear ernie4_5 ernie4_5_moe exaone4 smollm3 hunyuan_v1_dense "
    "hunyuan_v1_moe mamba mamba2 jamba nemotron nemotron_h nemotron-nas mimo mimo_v2_flash step3p7"
)


@pytest.mark.parametrize("model_type", REQUIRED.split())
def test_every_family_that_was_asked_for_is_known(model_type):
    assert model_type in families()


fields_of = some.dictionaries(
    some.sampled_from(["a", "b", "c"]), some.one_of(some.integers(), some.floats(), some.booleans(), some.text())
)


@given(config=fields_of)
def test_a_count_is_always_whole_and_in_range_or_a_fault(config):
    fields = Fields(config, place="p", aliases={}, defaults={}, largest=1000)
    value = fields.count("a")
    assert isinstance(value, int)
    assert not isinstance(value, bool)
    assert 1 <= value <= 1000
    told = config.get("a")
    right = isinstance(told, (int, float)) and not isinstance(told, bool) and told == value
    assert right or fields.faults


@given(config=fields_of)
def test_a_fault_is_told_once(config):
    fields = Fields(config, place="p", aliases={}, defaults={}, largest=10)
    for _ in range(3):
        fields.count("a")
        fields.flag("b")
        fields.number("c")
    assert len(fields.faults) == len(set(fields.faults))


def test_rules_read_flags_defaults_and_choices():
    fields = Fields({"on": True}, place="p", aliases={}, defaults={}, largest=10)
    assert fields.rule(True) == 1
    assert fields.rule(3) == 3
    assert fields.rule("on") == 1
    assert fields.rule("off") == 0
    assert fields.rule("off=true") == 1
    assert fields.rule({"when": "on", "then": 1, "otherwise": 2}) == 1
    assert fields.rule({"when": "off", "then": 1, "otherwise": 2}) == 2


def test_a_default_of_the_family_stands_in_for_an_absent_key_only():
    fields = Fields({"a": 2, "b": None}, place="p", aliases={}, defaults={"a": 7, "b": 8}, largest=10)
    assert fields.count("a") == 2
    assert fields.count("b") == 8


WRONG = some.sampled_from(
    [None, True, -1, 0, 3, 1.5, float("nan"), float("inf"), "x", "", [], [None], [1, -2], {}, {"a": 1}, 10**30, [{}]]
)


@given(data=some.data(), name=some.sampled_from(known_models()), wrong=WRONG)
def test_any_wrong_value_under_any_key_is_a_fault_or_a_model(data, name, wrong):
    from suanli.parts.architectures.read import _packaged

    config = dict(_packaged()[name]["config"])
    config[data.draw(some.sampled_from(sorted(config)))] = wrong
    try:
        counted = parameters(read_model(config, name))
    except InputError:
        return
    assert counted > 0
