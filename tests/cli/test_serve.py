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
    assert answer["layout"] == {
        "tensor": 2, "pipeline": 1, "expert": 1, "attention_data": 1, "context": 1, "decode_context": 1,
        "feed_forward": 1,
    }  # fmt: skip
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
    assert "TTFT" in result.stdout
    assert "time to the first token" in result.stdout


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


def test_a_search_tells_fleets_reasons_and_the_front():
    answer = told("--ttft", "1s", "--tpot", "15ms", "--accelerators", "16", "--keep", "2")
    assert answer["accelerators"] <= 16
    assert answer["why"]
    assert [one["worse_share"] >= 0 for one in answer["others"]]
    speeds = [point["tokens_per_s_per_user"] for point in answer["front"]]
    assert speeds == sorted(speeds, reverse=True)
    assert answer["searched"]["settings"] > 1000
    assert answer["cost"] is None


def test_pools_apart_are_told_both():
    answer = told("--ttft", "1s", "--tpot", "15ms", "--accelerators", "16", "--arrangement", "apart")
    assert answer["prefill"]["replicas"] >= 1
    assert answer["memory_bytes"] is None


def test_systems_formats_and_money_in_one_search():
    words = ("--system", "H200-SXM", "--weight-format", "bf16", "--weight-format", "fp8", "--rate", "20")
    answer = told(*words, "--objective", "month", "--tpot", "20ms", "--currency", "CNY", "--as-of", "2026-11")
    assert answer["cost"]["currency"] == "CNY"
    assert answer["cost"]["month_amount"] <= min(one["cost"]["month_amount"] for one in answer["others"])
    assert set(answer["holdings"]) == {"dgx-h100", "dgx-h200"}


def test_a_day_is_told_by_the_hour():
    answer = told("--rate", "20", "--daily-swing", "0.5", "--tpot", "20ms", "--as-of", "2026-11")
    assert len(answer["hours"]) == 24
    assert answer["base_systems"] <= answer["peak_systems"]


@pytest.mark.parametrize("words", [("--rate", "20", "--daily-swing", "0.5"), ("--rate", "5", "--objective", "token")])
def test_fleets_and_hours_are_told_to_people_in_both_languages(words):
    for lang, said in (("en", "million tokens"), ("zh", "百万")):
        result = RUN.invoke(app, [*ASK[:-1], lang, *words, "--api-price-in", "0.5", "--api-price-out", "1.5"])
        assert result.exit_code == 0, result.stderr
        assert said in result.stdout.replace("\n", " ")


@pytest.mark.parametrize(
    "words",
    [
        ["--objective", "joy"],
        ["--arrangement", "apart", "--tp", "2"],
        ["--objective", "month"],
        ["--percentile", "95", "--ttft", "1s"],
        ["--percentile", "95", "--rate", "5"],
        ["--percentile", "40", "--rate", "5", "--ttft", "1s"],
        ["--api-price-in", "1"],
        ["--accelerators", "0"],
        ["--hold", "steal"],
        ["--daily-swing", "0.5"],
        ["--daily-swing", "2", "--rate", "1"],
        ["--curve", "nowhere.csv"],
        ["--as-of", "soon", "--hold", "buy"],
    ],
)
def test_a_wrong_search_ends_in_exit_code_2(words):
    result = asked(*words)
    assert result.exit_code == 2
    assert "fault" in result.stderr
