"""`suanli serve`: stable keys, targets kept, faults all at once, exit codes as promised."""

import json

import pytest
from typer.testing import CliRunner

from suanli.cli.app import app

RUN = CliRunner()
ASK = ["serve", "--model", "meta-llama/Llama-3.1-8B", "--system", "H100-SXM", "--lang", "en"]
STABLE = {"ttft_seconds", "tpot_seconds", "output_tokens_per_s", "replicas", "layout", "band"}


def asked(*words):
    return RUN.invoke(app, [*ASK, *words])


def told(*words):
    result = asked(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_answer_has_the_keys_that_stay():
    assert set(told("--ttft", "2s", "--tpot", "50ms")) >= STABLE


def test_targets_are_kept():
    answer = told("--ttft", "500ms", "--tpot", "20ms")
    assert answer["ttft_seconds"] <= 0.5
    assert answer["tpot_seconds"] <= 0.02


def test_one_setting_is_told_as_asked():
    answer = told("--tp", "2", "--concurrency", "8")
    assert answer["layout"] == {"tensor": 2, "pipeline": 1, "expert": 1, "attention_data": 1}
    assert answer["concurrency"] == 8


def test_replicas_hold_the_rate():
    few, many = told("--rate", "1", "--tpot", "30ms"), told("--rate", "100", "--tpot", "30ms")
    assert few["replicas"] <= many["replicas"]
    assert many["accelerators"] >= many["replicas"]


def test_bands_hold_the_answer():
    answer = told("--concurrency", "4")
    for name, band in answer["band"].items():
        assert band["low"] < answer[name] < band["high"]


def test_a_person_gets_a_table():
    result = asked("--tpot", "50ms")
    assert result.exit_code == 0
    assert "time to first token" in result.stdout


def test_chinese_is_spoken():
    result = RUN.invoke(app, [*ASK[:-1], "zh", "--concurrency", "1"])
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--ttft", "soon"],
        ["--tpot", "5 parsecs"],
        ["--input-tokens", "-1"],
        ["--rate", "nan"],
        ["--headroom", "1"],
        ["--weight-format", "fp7"],
        ["--engine", "vlm"],
        ["--tp", "3000"],
        ["--prefix-hits", "2"],
    ],
)
def test_a_wrong_word_ends_in_exit_code_2(words):
    result = asked(*words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_every_wrong_number_is_told_at_once():
    result = asked("--input-tokens", "-1", "--output-tokens", "inf", "--headroom", "3")
    assert "3 fault" in result.stderr


def test_an_impossible_target_ends_in_exit_code_3():
    result = asked("--tpot", "1us")
    assert result.exit_code == 3
    assert "Time per token binds" in result.stderr
    assert "Nearest" in result.stderr


def test_a_setting_that_does_not_fit_ends_in_exit_code_3():
    result = RUN.invoke(app, ["serve", "--model", "meta-llama/Llama-3.1-405B", "--system", "H100-SXM", "--tp", "1"])
    assert result.exit_code == 3
