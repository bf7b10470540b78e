"""Files that are not what they should be: refused by name and at once, never written over, never half written."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.asking import CONFIG, refused, run
from tests.planner import small

HUGE = 100_000_000
QUICK_SECONDS = 2.0


def hostile(folder):
    """Make files of every kind that is no table, no config and no scenario."""
    made = {
        "empty": b"",
        "space": b"\n\n  \n",
        "binary": bytes(range(256)) * 8,
        "nulls": b"\0" * 1000,
        "utf16": "id,name\n".encode("utf-16"),
        "list": b"[1, 2]",
        "text": b'"words"',
        "number": b"3",
        "deep": b"[" * 5000 + b"]" * 5000,
        "open": b'{"a": [1, 2',
        "long": b"a" * 1_000_000,
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    with (folder / "huge").open("wb") as file:
        file.truncate(HUGE)
    return [*made, "folder", "huge", "missing"]


READERS = {
    "plan": ("plan", "{}"),
    "model": ("model", "{}"),
    "train": ("train", "--model", "{}", "--system", "dgx-a100-640", "--tp", "1"),
    "finetune": ("finetune", "--model", "{}", "--system", "dgx-a100-640", "--tp", "1"),
    "serve": ("serve", "--model", "{}", "--system", "H100-SXM"),
    "validate": ("validate", "{}"),
    "catalogue check": ("catalogue", "check", "{}"),
    "catalogue list": ("catalogue", "list", "--with", "{}"),
    "market": ("market", "--as-of", "2023-05", "--with", "{}"),
}
SUFFIX = {"plan": ".yaml", "validate": ".csv", "market": ".csv", "catalogue check": ".csv", "catalogue list": ".yaml"}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_another_kind_is_refused_by_its_name_and_at_once(reader, tmp_path):
    for name in hostile(tmp_path):
        path = tmp_path / name
        if path.is_file():
            path = path.rename(path.with_suffix(SUFFIX.get(reader, ".json")))
        begun = time.monotonic()
        told = refused(*(word.format(path) for word in READERS[reader]), "--json")
        assert name != "huge" or time.monotonic() - begun < QUICK_SECONDS
        assert path.name in told, (name, told)


@pytest.mark.parametrize("reader", ["plan", "model", "validate", "catalogue check"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_no_bytes_whatever_end_in_a_traceback(reader, content, tmp_path):
    path = tmp_path / f"any{SUFFIX.get(reader, '.json')}"
    path.write_bytes(content)
    refused(*(word.format(path) for word in READERS[reader]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changed=st.dictionaries(
        st.sampled_from([*CONFIG, "num_key_value_heads", "head_dim", "num_experts", "rope_theta", "torch_dtype"]),
        st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.none(), st.booleans(), st.lists(st.integers())),
        max_size=4,
    )
)
def test_any_config_is_answered_or_refused(changed, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, **changed}))
    told = run("model", path, "--json")
    assert told.exit_code in (0, 2), (changed, told.exception)
    if told.exit_code == 0:
        answer = json.loads(told.stdout)
        assert answer["parameters"] > 0
        assert answer["causal_forward_flop"] <= answer["forward_flop"]
    else:
        assert told.stdout == ""


def test_paths_of_any_script_are_read(tmp_path):
    for name in ("模型 配置", "with space", "ünï", "emoji 🚀", "quote'\"", "[brackets]", "-dash"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(CONFIG))
        for place in (folder, folder / "config.json"):
            told = run("model", place, "--json")
            assert told.exit_code == 0, told.stderr
            assert json.loads(told.stdout)["parameters"] > 0


def test_a_scenario_of_any_name_is_planned(tmp_path):
    path = small.write(tmp_path).rename(tmp_path / "场景 一.yaml")
    told = run("plan", path, "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["scenario"].endswith("场景 一.yaml")


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = tmp_path / "config.json"
    path.symlink_to(tmp_path / "config.json")
    assert "config.json" in refused("model", path)


def test_a_config_on_disk_wins_over_a_packaged_name_and_says_so(tmp_path, monkeypatch):
    """Whoever has a folder by the name of a model means what is in it."""
    monkeypatch.chdir(tmp_path)
    packaged = json.loads(run("model", "Qwen/Qwen3-8B", "--json").stdout)
    (tmp_path / "Qwen" / "Qwen3-8B").mkdir(parents=True)
    assert json.loads(run("model", "Qwen/Qwen3-8B", "--json").stdout) == packaged
    (tmp_path / "Qwen" / "Qwen3-8B" / "config.json").write_text(json.dumps(CONFIG))
    own = json.loads(run("model", "Qwen/Qwen3-8B", "--json").stdout)
    assert own["hidden"] == 64
    assert own["source"] is None
    assert packaged["source"]


TABLES = {
    "columns of something else": ("a,b\n1,2\n", "missing"),
    "a header alone": ("id,accelerator,gpus\n", "at least one run"),
    "a cell that is too long": ("id," + "x" * 200_000 + "\n", "runs.csv:1"),
    "a long cell further down": ("id,gpus\n1," + '"' + "x" * 200_000 + '"\n', "runs.csv"),
}


@pytest.mark.parametrize(("content", "named"), TABLES.values(), ids=TABLES.keys())
def test_a_table_of_runs_at_fault_is_refused(content, named, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(content)
    assert named in refused("validate", path)


@pytest.mark.parametrize("format_flag", ["--html", "--excel"])
def test_a_report_that_cannot_be_written_ends_in_two_and_leaves_nothing(format_flag, tmp_path):
    scenario = small.write(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for target in (tmp_path / "folder", tmp_path / "file" / "report", "/proc/report", "/dev/null/report"):
        told = refused("plan", scenario, format_flag, target, "--json")
        assert str(target) in told
        assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_a_scenario_is_never_written_over(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text("mine")
    assert "Name another file" in refused("init", path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]
    assert "scenario.yaml" in refused("init", tmp_path)


@pytest.mark.parametrize("place", ["none/such/folder/x.yaml", "/proc/x.yaml", "/dev/null/x.yaml"])
def test_a_scenario_that_cannot_be_written_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "x.yaml" in refused("init", place)
    assert list(tmp_path.iterdir()) == []
