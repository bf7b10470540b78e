"""Hostile and careless configs: each wrong value is refused by key, found and allowed; nothing else ever comes out."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from suanli.domain.model import Model
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import forward_flop, parameters, weight_bytes
from suanli.parts.architectures.families import families, find_family, table
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.formats import format_bits, format_bytes
from suanli.parts.architectures.read import load_json, named_model, read_model, read_model_file

SIZES = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 160,
    "vocab_size": 320,
    "max_position_embeddings": 128,
}
COUNTS = [key for key in SIZES if key != "model_type"]
NO_COUNTS = {
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "true": True,
    "false": False,
    "text": "4096",
    "empty": "",
    "list": [64],
    "deep": [[[[64]]]],
    "mapping": {"value": 64},
    "zero": 0,
    "minus": -64,
    "half": 63.5,
    "huge": 10**40,
    "tiny": 1e-300,
    "bytes-like": "\x00",
}


def refusal(config, place="config.json"):
    with pytest.raises(InputError) as caught:
        read_model(config, "m", place=place)
    return caught.value.faults


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("wrong", NO_COUNTS.values(), ids=NO_COUNTS)
def test_a_wrong_count_is_refused_by_key_found_and_allowed(key, wrong):
    faults = refusal({**SIZES, key: wrong})
    (fault,) = [fault for fault in faults if fault.place == f"config.json:{key}"][:1]
    assert fault.found
    listed = key == "intermediate_size" and isinstance(wrong, list)
    assert "whole number from" in fault.allowed or listed
    assert len(fault.found) <= 80


@pytest.mark.parametrize("key", [key for key in COUNTS if key not in {"max_position_embeddings", "head_dim"}])
def test_a_count_that_is_missing_is_named_with_its_other_names(key):
    config = {name: value for name, value in SIZES.items() if name != key}
    if key == "num_key_value_heads":
        assert read_model(config, "m").runs[0].layer.core.kv_heads == 4
        return
    (fault,) = [fault for fault in refusal(config) if fault.place == f"config.json:{key}"]
    assert fault.found == "nothing"
    assert all(other in fault.hint for other in table()["aliases"][key])


@pytest.mark.parametrize("wrong", ["yes", 1, 0, "true", [], {}, 1.0])
@pytest.mark.parametrize("key", ["attention_bias", "mlp_bias", "tie_word_embeddings"])
def test_a_flag_is_true_or_false_and_nothing_like_it(key, wrong):
    (fault,) = refusal({**SIZES, key: wrong})
    assert (fault.place, fault.found, fault.allowed) == (f"config.json:{key}", repr(wrong), "true or false")


@pytest.mark.parametrize("wrong", [7, ["bfloat16"], {"a": 1}, True])
def test_a_number_format_is_a_word(wrong):
    (fault,) = refusal({**SIZES, "dtype": wrong})
    assert fault.place == "config.json:dtype"


def test_a_long_value_is_told_by_its_beginning():
    (fault,) = refusal({**SIZES, "vocab_size": "9" * 10_000})
    assert fault.found.endswith("...")
    assert len(fault.found) < 64


def test_every_fault_is_told_at_once_and_once():
    wrong = dict.fromkeys(COUNTS, -1)
    places = [fault.place for fault in refusal({**SIZES, **wrong})]
    assert sorted(places) == sorted(set(places))
    assert {f"config.json:{key}" for key in COUNTS} == set(places)


def test_a_fault_says_the_file_it_stands_in():
    (fault,) = refusal({**SIZES, "vocab_size": -1}, place="my-model/config.json")
    assert fault.place == "my-model/config.json:vocab_size"
    assert str(fault) == "my-model/config.json:vocab_size: found -1; allowed: a whole number from 1 to 100000000."


NEAR = {
    "lama": "llama", "qwen33": "qwen3", "deepseek_v5": "deepseek_v3", "gemma9": "gemma2", "mistrall": "mistral",
    "gpt_os": "gpt_oss", "Llama": "llama", "QWEN3": "qwen3", "falcon2": "falcon", "mamba3": "mamba2",
}  # fmt: skip


@pytest.mark.parametrize(("found", "near"), NEAR.items())
def test_an_unknown_family_is_refused_with_the_nearest(found, near):
    (fault,) = refusal({**SIZES, "model_type": found})
    assert fault.place == "config.json:model_type"
    assert found in fault.found
    assert near in fault.allowed
    assert str(len(families())) in fault.allowed


@pytest.mark.parametrize("found", ["", " ", "x" * 5000, "../../etc/passwd", "__import__('os')", "{name}", "%s", "\n"])
def test_an_absurd_family_is_refused_in_words(found):
    (fault,) = refusal({**SIZES, "model_type": found})
    assert "known families" in fault.allowed


@pytest.mark.parametrize("model_type", sorted(families()))
def test_an_empty_config_of_any_family_is_refused_by_what_it_lacks(model_type):
    faults = refusal({"model_type": model_type})
    places = {fault.place for fault in faults}
    assert any("hidden_size" in place or "layers" in place or "compress" in place for place in places)
    assert all(fault.found and fault.allowed for fault in faults)


@pytest.mark.parametrize("model_type", sorted(families()))
def test_a_family_is_found_by_its_own_word(model_type):
    assert find_family(model_type, "p").name in {family.name for family in families().values()}


ODD = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted(
    {
        *SIZES,
        *table()["aliases"],
        "layer_types",
        "quantization_config",
        "text_config",
        "mlp_layer_types",
        "block_configs",
    }
    | {"sliding_window", "moe_layer_freq", "hybrid_layer_pattern", "compress_ratios", "hybrid_override_pattern"}
)


@settings(max_examples=60, deadline=None)
@given(family=some.sampled_from(sorted(families())), noise=some.dictionaries(some.sampled_from(KEYS), ODD, max_size=4))
def test_any_json_is_a_model_or_an_input_error(family, noise):
    try:
        model = read_model({**SIZES, **noise, "model_type": family}, "m")
    except InputError:
        return
    assert isinstance(model, Model)
    assert parameters(model) > 0
    assert weight_bytes(model, "bf16") == 2 * parameters(model)
    assert 0 < forward_flop(model, 16) < float("inf")


@settings(max_examples=60, deadline=None)
@given(said=some.dictionaries(some.sampled_from([
    "quant_method", "quant_algo", "bits", "group_size", "config_groups", "ignore", "quantized_layers",
    "weight_block_size", "kv_cache_quant_algo", "quantization", "exclude_modules", "kv_cache_scheme",
]), ODD, max_size=5))  # fmt: skip
def test_any_quantisation_section_leaves_a_model_or_an_input_error(said):
    try:
        model = read_model({**SIZES, "quantization_config": said}, "m")
    except InputError:
        return
    assert 0 < weight_bytes(model) < float("inf")


def write(folder, text):
    path = folder / "config.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_key_said_twice_is_the_last_as_json_has_it(tmp_path):
    text = json.dumps(SIZES)[:-1] + ', "vocab_size": 640}'
    assert read_model_file(write(tmp_path, text)).vocabulary == 640


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 400, "1e400", "0x10"])
def test_numbers_that_json_or_sense_forbids_are_refused(tmp_path, number):
    text = json.dumps(SIZES).replace('"vocab_size": 320', f'"vocab_size": {number}')
    with pytest.raises(InputError):
        read_model_file(write(tmp_path, text))


def test_an_integer_of_too_many_digits_is_refused_in_words(tmp_path):
    text = json.dumps(SIZES).replace('"vocab_size": 320', '"vocab_size": ' + "9" * 100_000)
    with pytest.raises(InputError) as caught:
        read_model_file(write(tmp_path, text))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("opening", ['{"a":', "[", '[{"a":'])
@pytest.mark.parametrize("levels", [65, 1000, 200_000])
def test_nesting_is_bounded(tmp_path, opening, levels):
    closing = {'{"a":': "}", "[": "]", '[{"a":': "}]"}[opening]
    text = '{"a":' + opening * levels + "1" + closing * levels + "}"
    with pytest.raises(InputError) as caught:
        load_json(write(tmp_path, text))
    assert "levels" in caught.value.faults[0].allowed


def test_nesting_up_to_the_bound_is_read(tmp_path):
    levels = table()["limits"]["deepest_levels"] - 2
    assert load_json(write(tmp_path, '{"a":' * levels + "1" + "}" * levels))["a"]


@pytest.mark.parametrize("name", ["config.json", "x_config.json"])
def test_a_quantisation_file_beside_must_be_right_too(tmp_path, name):
    (tmp_path / name).write_text(json.dumps(SIZES), encoding="utf-8")
    beside = tmp_path / name.replace("config.json", "hf_quant_config.json")
    beside.write_text("[1]", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_model_file(tmp_path / name)
    assert "hf_quant_config.json" in caught.value.faults[0].place


def test_a_folder_without_a_config_and_a_folder_named_so_are_refused(tmp_path):
    (tmp_path / "config.json").mkdir()
    for path in (tmp_path, tmp_path / "none", tmp_path / "config.json"):
        with pytest.raises(InputError):
            read_model_file(path)


def test_a_byte_order_mark_is_told_not_raised(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(SIZES).encode())
    with pytest.raises(InputError) as caught:
        read_model_file(tmp_path / "config.json")
    assert "BOM" in str(caught.value)


@pytest.mark.parametrize("name", ["", "  ", "qwen", "Qwen/", "/", "../x", "llama", "\x00", "x" * 10_000])
def test_a_name_that_is_no_model_is_refused_in_words(name):
    with pytest.raises(InputError) as caught:
        named_model(name)
    (fault,) = caught.value.faults
    assert "packaged models" in fault.allowed


@pytest.mark.parametrize("name", ["", "fp", "fp7", "int 4", "nan", "16", "bfloat"])
def test_a_number_format_that_is_none_is_refused_with_what_there_is(name):
    with pytest.raises(InputError) as caught:
        format_bytes(name)
    assert set(caught.value.faults[0].allowed.split(", ")) == set(format_bits())


@pytest.mark.parametrize("name", sorted(format_bits()))
def test_every_format_is_found_whatever_its_case_and_spaces(name):
    assert format_bytes(f"  {name.upper()} ") == format_bits()[name] / 8 > 0


numbers = some.one_of(some.integers(), some.floats(), some.booleans(), some.none(), some.text(max_size=3))


@given(value=numbers, least=some.integers(0, 3))
def test_a_count_is_what_was_said_or_a_fault(value, least):
    fields = Fields({"a": value}, place="p", aliases={}, defaults={}, largest=1000)
    found = fields.count("a", 5, least=least)
    right = value is None or (not isinstance(value, (bool, str)) and least <= value <= 1000 and value == int(value))
    assert right != bool(fields.faults)
    if right:
        assert found == (5 if value is None else value)


@given(value=numbers)
def test_a_number_is_finite_and_positive_or_a_fault(value):
    fields = Fields({"a": value}, place="p", aliases={}, defaults={}, largest=1000)
    found = fields.number("a", 2.5)
    assert 0 < found <= 1000
    right = value is None or (not isinstance(value, (bool, str)) and 0 < value <= 1000)
    assert right != bool(fields.faults)


@given(value=numbers)
def test_a_flag_is_said_or_its_default_or_a_fault(value):
    fields = Fields({"a": value}, place="p", aliases={}, defaults={}, largest=1000)
    assert fields.flag("a", True) is (value if isinstance(value, bool) else True)
    assert bool(fields.faults) == (value is not None and not isinstance(value, bool))


def test_a_number_and_a_list_that_are_missing_are_told():
    fields = Fields(
        {"words": "a", "mixed": [1, "b"], "counts": "c", "part": 3}, place="p", aliases={}, defaults={}, largest=9
    )
    assert fields.number("none") == 1.0
    assert fields.words("words") == fields.words("mixed") == fields.counts("counts") == []
    assert fields.words("none") is fields.counts("none") is None
    assert fields.section("part").config == {}
    assert [fault.place for fault in fields.faults] == ["p:none", "p:words", "p:mixed", "p:counts", "p:part"]


def test_a_part_inside_tells_its_faults_to_the_whole():
    fields = Fields({"part": {"a": -1}}, place="p", aliases={}, defaults={}, largest=9)
    fields.section("part").count("a")
    assert [fault.place for fault in fields.faults] == ["p:part:a"]
    with pytest.raises(InputError):
        fields.raise_faults()


def test_no_fault_raises_nothing():
    fields = Fields({"a": 3}, place="p", aliases={}, defaults={}, largest=9)
    fields.count("a")
    fields.raise_faults()
    assert fields.clean("a")
