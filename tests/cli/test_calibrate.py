"""Calibrating, laying figures over, and asking for software of a date, at the command line."""

import json
import sys

import pytest
from tests.calibrate.made import rows
from tests.cli.asking import RUN, TRAIN, refused, run
from tests.validation.runs import DENSE, write

from suanli.cli.app import app
from suanli.foundation.language import set_language

LAID = ('source: "ours"', 'date: "2026-11"', "kind: derived", "cluster:", "  straggler_per_doubling: 0.02")
ONE = (*TRAIN, "--nodes", "8", "--tp", "8", "--global-batch", "64", "--json")


@pytest.fixture(autouse=True)
def _own_language():
    yield
    set_language("en")


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "runs.csv", *rows())


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "ours.yaml"
    file.write_text("\n".join(LAID) + "\n", encoding="utf-8")
    return file


def answer(*words):
    told = run(*words)
    assert told.exit_code == 0, told.stderr
    return json.loads(told.stdout)


def test_what_was_calibrated_is_used_by_the_other_commands(table, tmp_path):
    out = tmp_path / "ours.yaml"
    fitted = answer("calibrate", table, "--out", out, "--json")
    assert fitted["written"] == str(out)
    assert fitted["errors"]["after"]["mape"] < fitted["errors"]["before"]["mape"]
    plain, ours = (answer("validate", table, *more, "--json") for more in ((), ("--calibration", out)))
    assert plain["summary"]["step_seconds"]["mape"] == pytest.approx(fitted["errors"]["before"]["mape"])
    assert ours["summary"]["step_seconds"]["mape"] == pytest.approx(fitted["errors"]["after"]["mape"], abs=1e-3)


def test_untouched_figures_are_named_and_as_they_were(table):
    told = answer("calibrate", table, "--leave-out", "none", "--json")
    still = [one for one in told["figures"] if not one["touched"]]
    assert len(still) == len(told["untouched"]) > 0
    assert all(one["before"] == one["after"] and one["width_before"] == one["width_after"] for one in still)
    assert told["errors"]["left_out"] is None


@pytest.mark.parametrize(
    ("lang", "words"), [("en", ("before", "left out", "No run depends")), ("zh", ("拟合前", "留出"))]
)
def test_people_read_the_tables_in_both_languages(table, lang, words):
    told = RUN.invoke(app, ["calibrate", str(table), "--lang", lang])
    assert told.exit_code == 0, told.stderr
    assert all(word in told.stdout for word in words)


def test_documents_get_the_tables_as_markdown(table):
    told = run("calibrate", table, "--markdown").stdout
    assert told.count("## ") == 3
    assert "| pass_factor |" in told


def test_several_tables_are_one(table, tmp_path):
    more = write(tmp_path / "more.csv", {**DENSE, "id": "more", "source": "more"})
    assert answer("calibrate", table, more, "--leave-out", "none", "--json")["runs"] == len(rows()) + 1


def test_a_wrong_word_is_refused_with_the_nearest(table):
    assert "'source'" in refused("calibrate", table, "--leave-out", "sources")


def test_wrong_cells_of_a_table_are_named_at_once(tmp_path):
    table = write(tmp_path / "runs.csv", {**DENSE, "tp": "two"}, {**DENSE, "gpus": "-1"})
    told = refused("calibrate", table)
    assert "runs.csv:2: tp" in told
    assert "runs.csv:3: gpus" in told


def test_a_missing_table_is_refused(tmp_path):
    assert "none.csv" in refused("calibrate", tmp_path / "none.csv")


def test_without_scipy_the_extra_is_named(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert "suanli[calibrate]" in refused("calibrate", table)


@pytest.mark.parametrize("command", ["train", "finetune"])
def test_an_answer_rests_on_the_figures_laid_over_and_says_so(command, own):
    plain, ours = (answer(command, *ONE[1:], *more) for more in ((), ("--calibration", own)))
    assert ours["step_seconds"] > plain["step_seconds"]
    assert any(str(own) in said for said in ours["assumed"])
    assert not any(str(own) in said for said in plain["assumed"])


@pytest.mark.parametrize("asked", [ONE, ("validate", "{table}")])
def test_every_fault_of_a_calibration_is_named_with_its_line(asked, own, table):
    own.write_text("\n".join((*LAID, "  stragler: 1", "sofware: {}")) + "\n", encoding="utf-8")
    told = refused(*(word.format(table=table) for word in asked), "--calibration", own)
    assert "ours.yaml:6" in told
    assert "ours.yaml:7" in told
    assert "'software'" in told


def test_a_calibration_that_is_not_there_is_refused(tmp_path):
    assert "none.yaml" in refused(*ONE, "--calibration", tmp_path / "none.yaml")


def test_a_framework_is_asked_for_as_of_a_date():
    of_2021, of_2024, latest = (
        answer(*ONE, "--framework", "megatron-lm", *more)["step_seconds"]
        for more in (("--software-date", "2021-04"), ("--software-date", "2024-01-15"), ())
    )
    assert of_2021 > of_2024
    assert latest == answer(*ONE, "--framework", "megatron_graphs")["step_seconds"]


@pytest.mark.parametrize("said", ["yesterday", "2026-13", "26-03", "", "2026/03"])
def test_a_date_that_is_none_is_refused_by_its_option(said):
    assert "--software-date" in refused(*ONE, "--software-date", said)
