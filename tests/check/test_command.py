"""`suanli check` on this machine: one document in SI, two languages, wrong input told at once."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from suanli.cli.app import app
from suanli.foundation.language import set_language

RUN = CliRunner()
PROFILE = Path(__file__).parents[1] / "measure" / "processor.yaml"
ASKED = ("check", "--device", "cpu", "--kinds", "train,decode", "--most", "1", "--system", str(PROFILE))
UNITS = ("_seconds", "_bytes")


@pytest.fixture(autouse=True)
def _own_language():
    yield
    set_language("en")


def test_wrong_words_are_told_all_at_once():
    told = RUN.invoke(app, ["check", "--kinds", "train,dance", "--most", "0"])
    assert told.exit_code == 2
    assert "--kinds" in told.stderr
    assert "dance" in told.stderr
    assert "--most" in told.stderr


@pytest.mark.oracle
def test_json_is_one_document_with_every_case_beside_its_prediction():
    pytest.importorskip("torch")
    told = RUN.invoke(app, [*ASKED, "--json", "--lang", "en"])
    assert told.exit_code == 0, told.stderr
    answer = json.loads(told.stdout)
    assert set(answer) == {"machine", "ranks", "torch", "profile", "cases", "seconds", "peaks", "warnings"}
    assert [case["kind"] for case in answer["cases"]] == ["train", "decode"]
    for case in answer["cases"]:
        assert case["measured_seconds"] > 0
        assert case["seconds_error"] == pytest.approx(case["predicted_seconds"] / case["measured_seconds"] - 1)
        assert abs(case["peak_error"]) < 0.05
        assert sum(case["seconds_by_cause"].values()) == pytest.approx(case["predicted_seconds"])
    assert answer["seconds"]["all"]["rows"] == 2


@pytest.mark.oracle
def test_people_are_told_in_both_languages():
    pytest.importorskip("torch")
    told = {lang: RUN.invoke(app, [*ASKED, "--lang", lang]) for lang in ("en", "zh")}
    assert all(one.exit_code == 0 for one in told.values())
    assert "predicted" in told["en"].stdout
    assert re.search(r"[\u4e00-\u9fff]", told["zh"].stdout)
    assert "[1/2]" in told["en"].stderr


@pytest.mark.oracle
def test_a_device_that_is_not_here_is_refused():
    pytest.importorskip("torch")
    told = RUN.invoke(app, ["check", "--device", "abacus"])
    assert told.exit_code == 2
    assert "--device" in told.stderr
