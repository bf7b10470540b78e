"""`suanli model`: its JSON keys, its table, its refusals."""

import json

import pytest
from typer.testing import CliRunner

from suanli.cli.app import app

KEYS = {"parameters", "active_parameters", "forward_flop", "kv_bytes_per_token", "weight_bytes"}
SMALL = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 160,
    "vocab_size": 320,
}


def run(*arguments):
    return CliRunner().invoke(app, ["model", *arguments])


def test_the_keys_that_others_script_against_stay():
    result = run("Qwen/Qwen3-32B", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert set(answer) >= KEYS
    assert answer["parameters"] == 32_762_123_264
    assert answer["kv_bytes_per_token"] == 262_144


def test_a_path_works_as_well_as_a_name(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SMALL))
    assert json.loads(run(str(path), "--json").stdout) == json.loads(run(str(tmp_path), "--json").stdout)


def test_batch_and_length_enter_the_pass_and_the_cache():
    one = json.loads(run("Qwen/Qwen3-8B", "--seq-len", "100", "--json").stdout)
    four = json.loads(run("Qwen/Qwen3-8B", "--seq-len", "100", "--batch", "4", "--json").stdout)
    assert four["forward_flop"] == 4 * one["forward_flop"]
    assert one["kv_bytes_per_sequence"] == 100 * one["kv_bytes_per_token"]


def test_a_cache_format_halves_the_cache():
    whole = json.loads(run("Qwen/Qwen3-8B", "--json").stdout)
    half = json.loads(run("Qwen/Qwen3-8B", "--kv-format", "fp8", "--json").stdout)
    assert half["kv_bytes_per_token"] * 2 == whole["kv_bytes_per_token"]


def test_roles_sum_to_the_parameters():
    answer = json.loads(run("deepseek-ai/DeepSeek-V3", "--json").stdout)
    assert sum(answer["parameters_by_role"].values()) == answer["parameters"]


@pytest.mark.parametrize("name", ["deepseek-ai/DeepSeek-V3", "nvidia/Nemotron-H-56B-Base-8K", "openai/gpt-oss-20b"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_table_tells_the_parameters(name, lang):
    result = run(name, "--lang", lang)
    assert result.exit_code == 0
    assert " B)" in result.stdout


def test_the_list_names_every_packaged_model():
    assert "Qwen/Qwen3-32B" in run("--list").stdout.splitlines()
    assert "Qwen/Qwen3-32B" in json.loads(run("--list", "--json").stdout)["models"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("no-such-model",),
        ("no-such-file.json",),
        ("Qwen/Qwen3-8B", "--seq-len", "0"),
        ("Qwen/Qwen3-8B", "--batch", "-3"),
        ("Qwen/Qwen3-8B", "--kv-format", "fp3"),
        ("Qwen/Qwen3-8B", "--lang", "fr"),
    ],
)
def test_a_wrong_input_ends_in_two_without_a_traceback(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_faults_are_told_all_at_once(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**SMALL, "hidden_size": -1, "vocab_size": "many"}))
    told = run(str(path)).stderr
    assert "hidden_size" in told
    assert "vocab_size" in told
