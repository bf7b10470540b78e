"""Profiles: written as they are read, wrong ones told with every line, taken by every command that has a system."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.validation.runs import DENSE, write
from typer.testing import CliRunner

from suanli.api.measure import measure
from suanli.api.train import TrainingQuestion, train
from suanli.catalogue.find import is_measured, is_profile
from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.market import purchase_quote, rent_quote
from suanli.catalogue.profile import load_profile, read_profile, resolve, resolve_all
from suanli.cli.app import app
from suanli.foundation.errors import InputError
from suanli.foundation.language import set_language
from suanli.parts.devices.open import find_calibration, open_device

RUN = CliRunner()
PROFILE = Path(__file__).parent / "processor.yaml"
RESULT = Path(__file__).parents[1] / "validation" / "results" / "vllm.json"
SMALL = ("--model", "qwen3-0.6b", "--system", str(PROFILE))
ASKED = {
    "train": ("train", *SMALL, "--seq-len", "512", "--global-batch", "2", "--tp", "1"),
    "train search": ("train", *SMALL, "--seq-len", "512", "--global-batch", "2"),
    "train compare": ("train", *SMALL, "--system", "dgx-h100", "--seq-len", "512", "--global-batch", "8"),
    "train priced": (
        "train", *SMALL, "--seq-len", "512", "--global-batch", "2", "--tp", "1", "--steps", "9", "--as-of", "2026-06",
    ),
    "finetune": ("finetune", *SMALL, "--seq-len", "512", "--global-batch", "2", "--tp", "1", "--method", "lora"),
    "serve": ("serve", *SMALL, "--concurrency", "2"),
    "serve fleet": ("serve", *SMALL, "--as-of", "2026-06"),
    "capacity": ("capacity", *SMALL, "--users", "2", "--context", "512"),
    "replay": ("replay", *SMALL, "--traffic", "sharegpt", "--requests", "20"),
    "simulate": ("simulate", *SMALL, "--tokens", "1e6", "--runs", "3"),
    "scaling": ("scaling", "--flop", "1e18", "--system", str(PROFILE), "--deadline-days", "90", "--as-of", "2026-06"),
    "validate": ("validate", str(RESULT), "--model", "LLAMA3_8B", "--system", str(PROFILE), "--engine", "vllm"),
    "catalogue show": ("catalogue", "show", str(PROFILE)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_language():
    yield
    set_language("en")


@pytest.mark.parametrize("name", ASKED)
def test_a_command_takes_a_profile_as_its_system(name):
    told = RUN.invoke(app, [*ASKED[name], "--json", "--lang", "en"])
    assert told.exit_code == 0, told.stderr
    assert "measured-" in told.stdout or json.loads(told.stdout)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_profile_is_shown_with_its_errors(lang):
    told = RUN.invoke(app, [*ASKED["catalogue show"], "--lang", lang])
    assert told.exit_code == 0
    assert "matmul bf16" in told.stdout
    assert "torch 2." in told.stdout
    assert "TFLOP/s" in told.stdout or "GFLOP/s" in told.stdout


def test_a_measured_machine_is_timed_by_its_own_kernels_under_every_engine():
    system, kernels = resolve(str(PROFILE))
    machine = load_profile(str(PROFILE))
    assert system == machine.system
    for table in (kernels, *kernels.by_engine.values()):
        assert find_calibration(system.accelerator, table) == machine.kernels
    device = open_device(system.accelerator, kernels)
    assert device.calibrated
    assert device.matmul_seconds(512.0, 1024.0, 1024.0, "bf16") < device.matmul_seconds(512.0, 1024.0, 1024.0, "fp32")


def test_other_systems_keep_their_kernels_beside_a_measured_one():
    systems, kernels = resolve_all(["dgx-h100", str(PROFILE), str(PROFILE)])
    assert [one.id for one in systems[1:]] == [load_profile(str(PROFILE)).system.id] * 2
    assert len(kernels.calibrations) == len(load_kernels().calibrations) + 1
    assert find_calibration(systems[0].accelerator, kernels) is find_calibration(systems[0].accelerator, load_kernels())


def test_passes_of_one_layer_know_the_cache_by_a_single_pass():
    system, kernels = resolve(str(PROFILE))
    device = open_device(system.accelerator, kernels)
    moved = 4 * device.kernels.element_pass.cache_bytes
    assert device.pass_seconds(moved, moved / 40) < device.pass_seconds(moved)


def test_the_hosts_overhead_is_the_machines_own(tmp_path):
    question = TrainingQuestion(
        model="qwen3-0.6b", system=str(PROFILE), nodes=1, sequence_tokens=128, global_batch=1, tensor=1
    )
    slow = tmp_path / "slow.yaml"
    machine = load_profile(str(PROFILE))
    said = f"launch_seconds: {machine.kernels.launch_seconds * 1e6:.4g} us"
    text = PROFILE.read_text("utf-8")
    assert said in text
    slow.write_text(text.replace(said, "launch_seconds: 9000 us"), "utf-8")
    quick, waits = train(question)[0], train(replace(question, system=str(slow)))[0]
    assert waits.seconds_by_cause["launch"] > quick.seconds_by_cause["launch"]
    assert waits.step_seconds > 2 * quick.step_seconds


def test_a_quicker_optimizer_shortens_the_update_alone(tmp_path):
    question = TrainingQuestion(
        model="qwen3-0.6b", system=str(PROFILE), nodes=1, sequence_tokens=128, global_batch=1, tensor=1
    )
    share = load_profile(str(PROFILE)).kernels.optimizer_share
    quicker = tmp_path / "quicker.yaml"
    text = PROFILE.read_text("utf-8")
    assert f"optimizer_share: {share:.4g}" in text
    changed = text.replace(f"optimizer_share: {share:.4g}", f"optimizer_share: {2 * share:.4g}")
    quicker.write_text(changed, "utf-8")
    before, after = (train(replace(question, system=str(one)))[0].seconds_by_cause for one in (PROFILE, quicker))
    assert after["optimizer"] == pytest.approx(before["optimizer"] / 2, rel=1e-3)
    assert after["matmul"] == before["matmul"]


def test_a_measured_machine_is_in_no_market():
    name = load_profile(str(PROFILE)).system.id
    assert [one for one in (name, str(PROFILE), "dgx-h100") if is_measured(one)] == [name, str(PROFILE)]
    assert rent_quote(name, "month", "2026-06", "US", "USD") is None
    assert purchase_quote(name, "2026-06", "US", "USD") is None


def test_a_name_is_a_file_by_its_ending():
    assert [one for one in ("a/b.yaml", " X.YML ", "H100-SXM") if is_profile(one)] == ["a/b.yaml", " X.YML "]


WRONG = {
    "a figure below nothing": ("spread_log: ", "spread_log: -"),
    "a figure of another unit": ("floor_seconds: ", "floor_seconds: 5 GB # "),
    "a family without a figure": ("ceiling_share: ", "ceiling: "),
    "no family of sixteen bits": ("    bf16: {ceiling", "    bf17: {ceiling"),
    "another id": ("id: measured-", "id: nv-h100-sxm-"),
    "an unknown section": ("\nsystem:", "\nsystems:"),
    "an unknown key": ("  default_units: ", "  units: "),
    "a memory of nothing": ("memory_bandwidth: {value: ", "memory_bandwidth: {value: no"),
    "an unknown kind of system": ("system_kind: node", "system_kind: knot"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_profile_is_refused_with_the_line(name, tmp_path):
    found, instead = WRONG[name]
    text = PROFILE.read_text("utf-8")
    assert found in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(found, instead), "utf-8")
    told = RUN.invoke(app, ["train", "--model", "qwen3-0.6b", "--system", str(wrong), "--lang", "en"])
    assert told.exit_code == 2, told.stdout
    assert told.stdout == ""
    assert "wrong.yaml:" in told.stderr
    assert isinstance(told.exception, SystemExit)


def test_all_faults_of_a_profile_are_told_at_once():
    text = PROFILE.read_text("utf-8").replace("spread_log: ", "spread_log: -").replace("memory_share: ", "share: ")
    text = text.replace("system_kind: node", "system_kind: knot")
    with pytest.raises(InputError) as caught:
        read_profile(text, "wrong.yaml")
    assert len(caught.value.faults) > 10
    assert all(fault.place.startswith("wrong.yaml:") for fault in caught.value.faults)
    lines = {int(fault.place.split(":")[1]) for fault in caught.value.faults}
    assert len(lines) > 5


@pytest.mark.parametrize("text", ["", "a list:\n- 1\n", "[1, 2]", "measured: 1\naccelerator: 2\nsystem: 3\nkernels: 4"])
def test_what_is_no_profile_is_refused(text, tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text(text, "utf-8")
    for words in (("serve", "--model", "qwen3-0.6b", "--system", str(path)), ("catalogue", "show", str(path))):
        told = RUN.invoke(app, [*words, "--lang", "en"])
        assert told.exit_code == 2, (text, told.stdout)


def test_a_file_that_is_not_there_is_refused():
    told = RUN.invoke(app, ["train", "--model", "qwen3-0.6b", "--system", "nowhere.yaml", "--lang", "en"])
    assert told.exit_code == 2
    assert "no such file: nowhere.yaml" in told.stderr


def test_what_is_written_is_read_back(tmp_path, fake):
    fake("cuda")
    path = tmp_path / "h100.yaml"
    found = measure(path, quick=True, dtypes=["bf16"], command="suanli measure --quick")
    assert load_profile(str(path)) == found.machine or load_profile(str(path)).kernels == found.machine.kernels
    assert found.machine.measurement.command == "suanli measure --quick"
    assert found.written == str(path)
    with pytest.raises(InputError, match="there already"):
        measure(path, quick=True, dtypes=["bf16"])
    measure(path, quick=True, dtypes=["bf16"], force=True)


@pytest.mark.parametrize("out", ["profile.txt", "nowhere/profile.yaml"])
def test_a_place_where_no_profile_can_stand_is_refused_before_the_measurement(out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = RUN.invoke(app, ["measure", "--out", out, "--lang", "en"])
    assert told.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_tells_rates_floors_and_errors(lang, fake, tmp_path):
    fake("cuda")
    told = RUN.invoke(app, ["measure", "--quick", "--dtypes", "bf16", "--lang", lang])
    assert told.exit_code == 0, told.stderr
    assert "989.4 TFLOP/s" in told.stdout
    assert "matmul bf16" in told.stdout


def test_runs_are_validated_beside_a_profile_as_before(tmp_path):
    told = RUN.invoke(app, ["validate", str(write(tmp_path / "runs.csv", DENSE)), "--json"])
    assert told.exit_code == 0
