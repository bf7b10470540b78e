"""`suanli init` writes a scenario that loads, in either language, and overwrites nothing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from suanli.api.init import DEFAULT_NAME, SCHEMA_ADDRESS, init, schema, template
from suanli.catalogue.scenario import KnownNames, load_scenario
from suanli.catalogue.yaml_reader import parse_yaml
from suanli.cli.app import app
from suanli.foundation.errors import EXIT_INPUT, InputError
from suanli.foundation.language import LANGUAGES

SYSTEMS = Path(__file__).parent.parent.parent / "src" / "suanli" / "data" / "systems"


def run(*arguments):
    return CliRunner().invoke(app, ["init", *arguments])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written_loads(tmp_path, language):
    path = tmp_path / "mine.yaml"
    written = init(path, language)
    assert written.path == str(path)
    known = KnownNames(systems=lambda files: tuple(each.stem for each in SYSTEMS.glob("*.yaml")))
    scenario = load_scenario(path, known)
    assert {type(job).__name__ for job in scenario.workloads} == {"TrainingJob", "TuningJob", "ServingJob"}


def test_comments_differ_and_content_does_not():
    english, chinese = (template(language) for language in LANGUAGES)
    assert parse_yaml(english, "en").data == parse_yaml(chinese, "zh").data
    assert english != chinese
    for text in (english, chinese):
        assert "#en" not in text
        assert "#zh" not in text
        assert "{schema}" not in text


def test_every_comment_is_there_in_both_languages():
    comments = {
        language: sum(line.lstrip().startswith("# ") for line in template(language).splitlines())
        for language in LANGUAGES
    }
    assert len(set(comments.values())) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_optional_lines_load_when_their_mark_is_taken_off(tmp_path, language):
    lines = [
        line.replace("# ", "", 1)
        if line.lstrip().startswith(("# start:", "# colocation:", "# staff:", "# costs:"))
        else line
        for line in template(language).splitlines()
    ]
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    scenario = load_scenario(path)
    assert scenario.staff is not None
    assert scenario.costs.network_share is not None
    assert scenario.site.colocation_per_watt_month is not None


def test_the_schema_lies_beside_it(tmp_path):
    init(tmp_path, "en")
    assert (
        (tmp_path / DEFAULT_NAME)
        .read_text(encoding="utf-8")
        .startswith(f"# yaml-language-server: $schema={SCHEMA_ADDRESS}")
    )
    assert json.loads((tmp_path / SCHEMA_ADDRESS).read_text(encoding="utf-8")) == json.loads(schema())


def test_nothing_is_overwritten(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    with pytest.raises(InputError, match="a name that is free"):
        init(path, "en")
    assert path.read_text() == "mine"


def test_a_path_that_cannot_be_written_is_an_input_fault(tmp_path):
    with pytest.raises(InputError, match="can be written"):
        init(tmp_path / "no" / "such" / "a.yaml", "en")


def test_an_unknown_language_is_an_input_fault(tmp_path):
    with pytest.raises(InputError, match="en, zh"):
        init(tmp_path / "a.yaml", "fr")


def test_command_writes_and_says_where(tmp_path):
    path = tmp_path / "mine.yaml"
    answer = run(str(path), "--lang", "en")
    assert answer.exit_code == 0
    assert str(path) in answer.stdout
    assert "What is to be trained" in path.read_text(encoding="utf-8")


def test_command_writes_chinese_comments(tmp_path):
    path = tmp_path / "mine.yaml"
    assert run(str(path), "--lang", "zh").exit_code == 0
    assert "预算上限" in path.read_text(encoding="utf-8")


def test_command_prints_one_json_document(tmp_path):
    answer = run(str(tmp_path / "mine.yaml"), "--json")
    told = json.loads(answer.stdout)
    assert Path(told["path"]).is_file()
    assert Path(told["schema_path"]).is_file()


def test_command_refuses_with_exit_code_two(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    answer = run(str(path), "--lang", "en")
    assert answer.exit_code == EXIT_INPUT
    assert "mine.yaml" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_command_prints_the_schema(tmp_path):
    answer = run(str(tmp_path / "mine.yaml"), "--schema")
    assert json.loads(answer.stdout)["title"] == "Suanli scenario"
    assert not (tmp_path / "mine.yaml").exists()
