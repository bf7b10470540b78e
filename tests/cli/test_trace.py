"""`suanli train --trace`: a file that appears whole or not at all, and what is said about it."""

import json
from pathlib import Path

import pytest
from tests.cli.asking import TRAIN, refused, run

PIPELINED = (*TRAIN, "--tp", "2", "--pp", "4", "--global-batch", "32")


def test_a_trace_is_written_beside_the_answer(tmp_path):
    path = tmp_path / "step.json"
    told = run(*PIPELINED, "--json", "--trace", path)
    assert told.exit_code == 0, told.output
    trace = json.loads(path.read_text(encoding="utf-8"))
    answer = json.loads(told.stdout)
    assert trace["otherData"]["estimated_step_seconds"] == answer["step_seconds"]
    assert trace["otherData"]["step_seconds"] == pytest.approx(answer["step_seconds"], rel=0.01)
    assert "step.json" in told.stderr
    assert "MB" in told.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_a_search_traces_its_best_layout(tmp_path):
    path = tmp_path / "new" / "step.json"
    told = run(*TRAIN, "--search", "--keep", "2", "--json", "--global-batch", "64", "--trace", path)
    layout = json.loads(told.stdout)["layout"]
    assert json.loads(path.read_text(encoding="utf-8"))["otherData"]["layout"] == layout


def test_an_answer_is_the_same_with_and_without_a_trace(tmp_path):
    assert run(*PIPELINED, "--json", "--trace", tmp_path / "a").stdout == run(*PIPELINED, "--json").stdout


def test_an_older_trace_gives_way(tmp_path):
    path = tmp_path / "step.json"
    path.write_text("old", encoding="utf-8")
    run(*PIPELINED, "--trace", path)
    assert "traceEvents" in json.loads(path.read_text(encoding="utf-8"))


def test_a_folder_is_refused(tmp_path):
    assert "a folder" in refused(*PIPELINED, "--trace", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "file" in refused(*PIPELINED, "--trace", tmp_path / "file" / "step.json")


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    refused(*PIPELINED, "--trace", tmp_path / ("x" * 300))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["/dev/null", "zero\0byte"])
def test_what_is_no_file_is_refused_and_left_alone(place):
    refused(*PIPELINED, "--trace", place)
    assert Path("/dev/null").is_char_device()


def test_a_wrong_question_leaves_no_trace(tmp_path):
    path = tmp_path / "step.json"
    refused(*TRAIN, "--tp", "3", "--trace", path)
    assert not path.exists()


def test_a_play_that_differs_from_the_estimate_is_pointed_out(tmp_path, monkeypatch):
    monkeypatch.setattr("suanli.cli.train.WORTH_SAYING", 0.0)
    told = run(*PIPELINED, "--trace", tmp_path / "step.json")
    assert "against the estimate" in told.stderr


def test_a_step_of_very_many_turns_says_what_it_draws(tmp_path, monkeypatch):
    monkeypatch.setattr("suanli.estimate.timeline.timeline.__kwdefaults__", {"calibration": None, "accelerators": None,
                                                                            "most_drawn": 40})  # fmt: skip
    told = run(*PIPELINED, "--trace", tmp_path / "step.json")
    assert "the first and the last are drawn, 40 in all" in told.stderr
