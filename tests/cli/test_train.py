"""The commands of training: the keys that stay, exit codes, nothing else on standard output."""

import json

import pytest
from tests.validation.runs import DENSE, write
from typer.testing import CliRunner

from suanli.cli.app import app

RUN = CliRunner()
KEYS = {"step_seconds", "tokens_per_s", "mfu", "memory_bytes", "breakdown", "layout", "band"}
MODEL = ["--model", "LLaMA2-7B", "--system", "dgx-a100-640"]


def told(*arguments, code=0):
    found = RUN.invoke(app, [*arguments, "--lang", "en"])
    assert found.exit_code == code, found.output
    return found


def test_a_layout_is_told_under_the_keys_that_stay():
    answer = json.loads(told("train", *MODEL, "--tp", "2", "--json").stdout)
    assert set(answer) >= KEYS
    assert answer["layout"]["tensor"] == 2
    assert sum(answer["breakdown"]["seconds"].values()) == pytest.approx(answer["step_seconds"])
    assert sum(answer["breakdown"]["bytes"].values()) == pytest.approx(answer["memory_bytes"])
    assert answer["band"]["low"] < answer["step_seconds"] < answer["band"]["high"]


def test_a_layout_carries_its_schedule_and_what_lives_on_the_host():
    asked = ["--nodes", "2", "--pp", "4", "--global-batch", "64", "--schedule", "zb-h2", "--offload", "both"]
    answer = json.loads(told("train", *MODEL, *asked, "--optimizer", "muon", "--json").stdout)
    assert (answer["layout"]["schedule"], answer["layout"]["offload"]) == ("zb-h2", "both")
    assert answer["host_memory_bytes"] > 0
    assert answer["breakdown"]["seconds"]["offload_exposed"] > 0
    assert sum(answer["breakdown"]["seconds"].values()) == pytest.approx(answer["step_seconds"])
    shown = told("train", *MODEL, *asked).stdout
    assert "schedule zb-h2" in " ".join(shown.replace("│", " ").split())
    assert "Kept in the host's memory" in shown


def test_schedules_offloads_and_optimizers_that_nobody_knows_end_in_two():
    found = told("train", *MODEL, "--pp", "4", "--schedule", "zb", "--offload", "ram", "--optimizer", "adam", code=2)
    assert all(option in found.stderr for option in ("--schedule", "--offload", "--optimizer"))


def test_a_search_tells_the_layouts_behind_the_best():
    answer = json.loads(told("train", *MODEL, "--search", "--keep", "3", "--json").stdout)
    assert len(answer["alternatives"]) == 2
    assert answer["alternatives"][0]["step_seconds"] >= answer["step_seconds"]


def test_tuning_has_the_same_keys():
    assert set(json.loads(told("finetune", *MODEL, "--method", "qlora", "--json").stdout)) >= KEYS


@pytest.mark.parametrize(("command", "batch"), [(["train"], 1024), (["finetune", "--method", "lora"], 64)])
def test_people_get_tables(command, batch):
    """A tuning step has a batch of its own where nobody says: some 250 thousand tokens."""
    shown = told(*command, *MODEL, "--keep", "2").stdout
    assert "Training layouts" in shown
    assert f"Assumed: global_batch = {batch}" in shown


OVER = ["--model", "LLaMA2-7B", "--system", "dgx-a100-640", "--tp", "2", "--micro-batch", "64"]


def test_a_layout_over_its_memory_is_told_and_ends_in_three():
    found = told("train", *OVER, code=3)
    assert "This layout breaks a limit: memory" in found.stdout
    assert "over the memory by" in found.stderr
    assert "It would fit as" in found.stderr


def test_a_layout_over_its_memory_is_json_too(tmp_path):
    trace = tmp_path / "step.json"
    found = told("train", *OVER, "--tokens", "1e9", "--trace", str(trace), "--json", code=3)
    answer = json.loads(found.stdout)
    assert answer["limit"] == "memory"
    assert answer["short_bytes"] > 0
    assert answer["relief"][0]["limit"] == ""
    assert "wall_clock" not in answer
    assert not trace.exists()


def test_where_no_layout_fits_the_advice_says_what_would():
    found = told("train", "--model", "GPT-3-175B", "--system", "dgx-a100-640", "--tp", "8", "--json", code=3)
    assert json.loads(found.stdout)["relief"] == []
    assert "nodes would hold it" in json.loads(found.stdout)["advice"]
    assert "nodes would hold it" in found.stderr


@pytest.mark.parametrize("command", [["train"], ["finetune", "--method", "full"]])
def test_a_layout_that_breaks_rules_ends_in_two_with_all_of_them(command):
    found = told(*command, *MODEL, "--nodes", "2", "--tp", "3", "--pp", "5", "--json", code=2)
    assert found.stdout == ""
    assert "--tp: found 3" in found.stderr
    assert "product is 16" in found.stderr
    found = RUN.invoke(app, [*command, *MODEL, "--ep", "3", "--lang", "zh"])
    assert found.exit_code == 2
    assert "整除" in found.stderr or "约数" in found.stderr


def test_an_unknown_model_ends_in_two():
    found = told("train", "--model", "LLaMA9", "--system", "dgx-a100-640", code=2)
    assert "LLaMA9" in found.stderr
    assert found.stdout == ""


def test_what_cannot_fit_ends_in_three():
    found = told("train", "--model", "GPT-3-175B", "--system", "dgx-a100-640", code=3)
    assert "No feasible answer" in found.stderr


def test_validation_prints_rows_and_summary(tmp_path):
    path = write(tmp_path / "runs.csv", DENSE, {**DENSE, "id": "run-2", "accelerator": "Abacus"})
    answer = json.loads(told("validate", str(path), "--json").stdout)
    assert set(answer) == {"rows", "summary", "fits", "wrong_fits"}
    assert answer["fits"]["ran_told_to_fit"] == 1
    assert set(answer["rows"][0]) == {"id", "quantity", "measured", "predicted", "low", "high", "error", "status"}
    assert answer["summary"]["step_seconds"]["rows"] == 2
    assert answer["summary"]["step_seconds"]["predicted_rows"] == 1


def test_validation_tells_people_by_source_and_accelerator(tmp_path):
    path = write(tmp_path / "runs.csv", {**DENSE, "source": "ours"}, {**DENSE, "id": "run-2", "accelerator": "Abacus"})
    shown = told("validate", str(path)).stdout
    assert "By source" in shown
    assert "By accelerator" in shown
    assert "1 without a prediction" in shown


def test_a_wrong_table_ends_in_two(tmp_path):
    path = write(tmp_path / "runs.csv", {**DENSE, "layers": "many", "gpus": "lots"})
    found = told("validate", str(path), code=2)
    assert "runs.csv:2: layers" in found.stderr
    assert "runs.csv:2: gpus" in found.stderr


def test_validation_prints_tables_for_documents(tmp_path):
    shown = told("validate", str(write(tmp_path / "runs.csv", {**DENSE, "source": "ours"})), "--markdown").stdout
    assert "## By source" in shown
    assert "| step_seconds · ours | 1 | 1 |" in shown


def test_people_read_a_layout_in_words():
    shown = told("train", *MODEL, "--tp", "2", "--micro-batch", "4", "--recompute", "full").stdout
    assert "dp4 tp2 mbs4" in shown
    assert "full recompute" in " ".join(shown.split())
