"""What `suanli validate` prints of logged runs: the verdict in words, causes, the end; faults and exit codes."""

import json

import numpy as np
import pytest
from tests.cli.asking import refused, run
from tests.validation.logs import made

BOX = ("--system", "dgx-h100", "--no-search")


@pytest.fixture
def place(tmp_path):
    def written(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


def noisy(level, count=200):
    return list(np.random.default_rng(0).normal(level, 0.004 * level, count))


def said(*words):
    told = run("validate", *words)
    assert told.exit_code == 0, told.stderr
    return told.stdout


def test_the_verdict_names_share_band_and_cause(place):
    log = place("train.log", made.megatron(noisy(17.5), timers={"batch-generator": (0.1, 5.1)}))
    told = said(log, *BOX)
    assert "You are at 71% of what this layout should reach" in told
    assert "The likely cause is the input pipeline or the host" in told
    assert "explains" not in told
    assert "20% done (step 200 of 1000)" in told
    assert "until 2026-11-20" in told


def test_a_cause_that_is_a_part_of_the_gap_says_which(place):
    log = place("train.log", made.megatron(noisy(17.5), timers={"batch-generator": (0.1, 1.0)}))
    assert "It explains 20% of what is missing." in said(log, *BOX)


@pytest.mark.parametrize(
    ("level", "words"),
    [(12.6, "inside the 80 % band"), (9.0, "faster than the 80 % band"), (20.0, "No file shows why")],
)
def test_a_run_is_told_where_it_stands(level, words, place):
    assert words in said(place("train.log", made.megatron(noisy(level))), *BOX)


def test_a_run_that_ended_has_no_end_to_come(place):
    assert "left at this pace" not in said(place("train.log", made.megatron(noisy(14.0), total=200)), *BOX)


def test_devices_alone_have_no_share(place):
    told = said(place("smi.csv", made.smi()), place("lf.yaml", made.LLAMAFACTORY_YAML), *BOX)
    assert "The files tell no step time" in told
    assert "smi.csv" in told


def test_many_devices_are_told_by_the_slowest(place):
    export = made.smi(samples=4, devices=64, clock=lambda device, _: 1900 - device)
    log = place("train.log", made.megatron(noisy(14.0)))
    answer = json.loads(said(log, place("smi.csv", export), *BOX, "--json"))
    assert len(answer["devices"]) == 64
    told = said(log, place("smi.csv", export), *BOX, "--markdown")
    assert "smi.csv:63" in told
    assert "smi.csv:3 " not in told


def test_markdown_has_a_table_of_causes(place):
    log = place("train.log", made.megatron(noisy(17.5), arguments={"recompute_granularity": "full"}))
    told = said(log, *BOX, "--markdown")
    assert "## Likely causes, the surest first" in told
    assert "| recomputation | a setting |" in told


def test_a_text_that_nobody_knows_names_the_known_tools(place):
    told = refused("validate", place("hello.log", "hello\nworld\n"))
    for tool in ("Megatron-LM", "torchtitan", "DeepSpeed", "LLaMA-Factory", "Axolotl", "nvidia-smi", "dcgm-exporter"):
        assert tool in told


def test_everything_that_is_missing_is_told_at_once(place):
    told = refused("validate", place("log.jsonl", made.trainer_log([5.0] * 200)))
    for option in ("--model", "--system", "--global-batch"):
        assert option in told


def test_a_wrong_setting_of_a_file_is_told_with_its_place(place):
    log = made.megatron(noisy(14.0), arguments={"tensor_model_parallel_size": 3, "data_parallel_size": 4})
    told = refused("validate", place("train.log", log), "--system", "dgx-h100")
    assert "--tp" in told
