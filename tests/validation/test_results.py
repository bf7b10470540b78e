"""Result files of load generators: told by what they hold, read in SI, contradictions refused, loads played again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from suanli.api.results import ResultQuestion, compare_results, is_result
from suanli.foundation.errors import InputError
from suanli.validation.results.cells import percentile_of
from suanli.validation.results.predict import requests_of
from suanli.validation.results.read import read_results

FILES = Path(__file__).parent / "results"
ASKED = ResultQuestion(model="LLAMA3_8B", system="H100-SXM", engine="vllm", engine_version="0.11")
TOOLS = {
    "vllm.json": ("vLLM bench serve", [(None, 16.0)]),
    "vllm-detailed.json": ("vLLM bench serve", [(2.0, None)]),
    "benchmark-serving-2024.json": ("vLLM bench serve", [(4.0, None)]),
    "sglang.jsonl": ("SGLang bench_serving", [(4.0, None), (8.0, None)]),
    "guidellm.json": ("GuideLLM", [(None, 8.0), (3.0, None), (None, 1.0)]),
    "guidellm.yaml": ("GuideLLM", [(None, 8.0)]),
    "profile_export_aiperf.json": ("AIPerf", [(None, 8.0)]),
    "profile_export_aiperf_2025.json": ("AIPerf", [(5.0, None)]),
    "profile_export_genai_perf.json": ("GenAI-Perf", [(None, 8.0)]),
    "profile_export_aiperf.csv": ("AIPerf", [(None, None)]),
}


def changed(tmp_path, name, **cells):
    """Write a copy of a file with other cells."""
    path = tmp_path / name
    path.write_text(json.dumps({**json.loads((FILES / name).read_text("utf-8")), **cells}), encoding="utf-8")
    return path


def test_every_file_of_the_folder_is_named_here():
    assert {path.name for path in FILES.iterdir()} == set(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_a_file_is_told_by_what_it_holds_whatever_its_name(name, tmp_path):
    tool, loads = TOOLS[name]
    other = tmp_path / f"renamed{Path(name).suffix}"
    other.write_bytes((FILES / name).read_bytes())
    assert is_result(other)
    runs = read_results(other)
    assert [run.tool for run in runs] == [tool] * len(loads)
    assert [(run.rate_per_s, run.concurrency) for run in runs] == loads
    for run in runs:
        assert 0 < run.values["ttft_seconds", "mean"] < 1
        assert run.values["tpot_seconds", "mean"] < run.values["ttft_seconds", "mean"]
        assert run.input_tokens > run.output_tokens > 1


def test_numbers_are_in_si_and_percentiles_have_one_name():
    run = read_results(FILES / "guidellm.json")[0]
    assert run.values["ttft_seconds", "mean"] == pytest.approx(0.062)
    assert run.values["finish_seconds", "mean"] == pytest.approx(1.95)
    assert run.values["tpot_seconds", "mean"] == pytest.approx(0.0148)
    assert ("ttft_seconds", "p99") in run.values
    assert read_results(FILES / "profile_export_aiperf.json")[0].values["finish_seconds", "p50"] == pytest.approx(1.575)


def test_the_table_says_what_the_document_says():
    table, whole = (read_results(FILES / f"profile_export_aiperf.{kind}")[0] for kind in ("csv", "json"))
    assert not table.load_told
    for key, value in table.values.items():
        assert value == pytest.approx(whole.values[key], rel=0.01)


@pytest.mark.parametrize(
    ("word", "share"), [("p50", 0.5), ("p99.9", 0.999), ("p999", 0.999), ("mean", None), ("p0", None)]
)
def test_percentiles_are_read_however_they_are_written(word, share):
    assert percentile_of(word) == (share if share is None else pytest.approx(share))


def test_details_are_those_of_the_requests_that_ended():
    run = read_results(FILES / "vllm-detailed.json")[0]
    assert (run.completed, run.failed) == (24, 1)
    assert len(run.inputs) == len(run.outputs) == len(run.sent_seconds) == 24
    asked = requests_of(run, 0)
    assert asked.arrival_seconds.tolist() == sorted(run.sent_seconds)
    assert sorted(asked.input_tokens.tolist()) == sorted(run.inputs)


def test_drawn_requests_have_the_lengths_and_the_rate_of_the_file():
    run = replace(read_results(FILES / "guidellm.json")[1], completed=20_000)
    asked = requests_of(run, 1)
    assert np.diff(asked.arrival_seconds).mean() * run.rate_per_s == pytest.approx(1, abs=0.03)
    for share, tokens in run.input_table[3:-3]:
        assert np.quantile(asked.input_tokens, share) == pytest.approx(tokens, rel=0.02)


def test_fields_that_are_not_known_change_nothing(tmp_path):
    more = changed(tmp_path, "vllm.json", p99_9_something_ms="soon", rtfx=0.0, spec_decode_acceptance_rate=71.0)
    one, other = read_results(more)[0], read_results(FILES / "vllm.json")[0]
    assert replace(one, name="") == replace(other, name="")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"output_throughput": 4000.0}, "over the duration"),
        ({"request_throughput": 1.0}, "over the duration"),
        ({"median_ttft_ms": 900.0}, "percentiles in order"),
        ({"completed": 0}, "requests that ended"),
        ({"completed": 900, "total_output_tokens": 230_400, "duration": 234.0}, "that were sent"),
        ({"mean_ttft_ms": "fast"}, "mean_ttft_ms"),
        ({"p99_tpot_ms": -4.0}, "p99_tpot_ms"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_place(cells, said, tmp_path):
    with pytest.raises(InputError, match=said) as refused:
        read_results(changed(tmp_path, "vllm.json", **cells))
    assert all(fault.place.startswith("vllm.json") for fault in refused.value.faults)


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "[]", "[1, 2]", "{", '{"median_ttft_ms": 3}', '{"benchmarks": [{"metrics": {}}]}']
)
def test_what_no_tool_wrote_is_refused(text, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_results(path)
    assert all(fault.place.startswith("result.json") for fault in refused.value.faults)


def test_everything_that_is_missing_is_told_at_once():
    files = [FILES / "sglang.jsonl", FILES / "profile_export_aiperf.csv", FILES / "nowhere.json"]
    with pytest.raises(InputError) as refused:
        compare_results(files, ResultQuestion(tensor=0))
    places = {fault.place for fault in refused.value.faults}
    assert {"--tp", "--model", "--system", "--engine", "--concurrency, --rate"} <= places
    assert any("nowhere" in place for place in places)


def test_an_option_stands_in_for_what_a_file_does_not_tell():
    pytest.importorskip("numba")
    table, whole = (
        compare_results([FILES / f"profile_export_aiperf.{kind}"], replace(ASKED, concurrency=8.0))
        for kind in ("csv", "json")
    )
    ours = {(row.quantity, row.statistic): row.predicted for row in whole.rows}
    for row in table.rows:
        assert row.predicted == pytest.approx(ours[row.quantity, row.statistic], rel=0.02)


def test_several_files_stand_in_one_table_each_value_within_its_band():
    pytest.importorskip("numba")
    files = [
        FILES / name for name in ("vllm.json", "vllm-detailed.json", "guidellm.json", "profile_export_aiperf.json")
    ]
    found = compare_results(files, ASKED)
    assert len({row.run for row in found.rows}) == 6
    for row in found.rows:
        assert row.predicted is not None, row
        assert row.low <= row.predicted <= row.high
        assert row.error == pytest.approx(row.predicted / row.measured - 1)
    assert found.assumed


def test_a_result_that_was_played_is_predicted_as_it_was_played(tmp_path):
    """What a play tells, written as vLLM writes it, is predicted as it was but for rounding."""
    pytest.importorskip("numba")
    told = compare_results([FILES / "vllm.json"], ASKED)
    cells = {"duration": 200 / next(row.predicted for row in told.rows if row.quantity == "requests_per_s")}
    names = {"ttft_seconds": "ttft", "tpot_seconds": "tpot", "itl_seconds": "itl"}
    for row in told.rows:
        if row.quantity in names:
            word = {"mean": "mean", "p50": "median"}.get(row.statistic, row.statistic)
            cells[f"{word}_{names[row.quantity]}_ms"] = 1000 * row.predicted
    cells |= {"request_throughput": 200 / cells["duration"], "output_throughput": 51200 / cells["duration"]}
    cells["total_token_throughput"] = 256000 / cells["duration"]
    again = compare_results([changed(tmp_path, "vllm.json", **cells)], ASKED)
    assert max(abs(row.error) for row in again.rows) < 1e-6


def test_without_compiled_code_means_are_the_closed_forms_and_percentiles_say_what_they_need(monkeypatch):
    from suanli.api import results

    monkeypatch.setattr(results.importlib.util, "find_spec", lambda name: None)
    found = compare_results([FILES / "vllm.json", FILES / "guidellm.json"], ASKED)
    means = [row for row in found.rows if row.statistic == "mean"]
    assert all(row.predicted for row in means)
    tails = [row for row in found.rows if row.statistic == "p99"]
    assert tails
    assert all(row.predicted is None and "suanli[compiled]" in row.status for row in tails)
