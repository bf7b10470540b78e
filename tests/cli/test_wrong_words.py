"""What a careless user says: a wrong word ends in 2 with its name and the nearest right one."""

import json

import pytest
from tests.cli.asking import SERVE, TRAIN, refused, run

COUNTS = ("--nodes", "--seq-len", "--global-batch", "--tp", "--pp", "--dp", "--cp", "--ep", "--vp", "--micro-batch",
          "--keep")  # fmt: skip
NO_COUNTS = ("0", "-1", "9" * 30, "1e3", "1e999", "nan", "inf", "2.5", "", "eight", "８万", "1_0 0")


@pytest.mark.parametrize("option", COUNTS)
def test_a_count_of_training_that_is_none_is_refused_by_its_option(option):
    for wrong in NO_COUNTS:
        assert option in refused(*TRAIN, option, wrong, "--json"), wrong


@pytest.mark.parametrize("option", ["--lora-rank", "--nodes", "--seq-len"])
def test_a_count_of_tuning_that_is_none_is_refused_by_its_option(option):
    for wrong in NO_COUNTS:
        assert option in refused("finetune", *TRAIN[1:], option, wrong, "--json"), wrong


@pytest.mark.parametrize("option", ["--seq-len", "--batch"])
def test_a_count_of_a_model_that_is_none_is_refused_by_its_option(option):
    for wrong in NO_COUNTS:
        assert option in refused("model", "Qwen/Qwen3-8B", option, wrong, "--json"), wrong


NUMBERS = ("--input-tokens", "--output-tokens", "--rate", "--concurrency")
SHARES = ("--prefix-hits", "--headroom")
NO_NUMBERS = ("-1", "nan", "-nan", "inf", "-inf", "1e999", "1e308", "", "many", "5 GB", "1,000")


@pytest.mark.parametrize("option", [*NUMBERS, "--draft-tokens", *SHARES])
def test_a_number_of_serving_that_is_none_is_refused_by_its_option(option):
    for wrong in NO_NUMBERS:
        assert option in refused(*SERVE, option, wrong, "--json"), wrong


@pytest.mark.parametrize("option", NUMBERS)
def test_nothing_of_what_there_must_be_some_is_refused(option):
    assert option in refused(*SERVE, option, "0")


@pytest.mark.parametrize("option", SHARES)
def test_a_share_is_below_one(option):
    assert option in refused(*SERVE, option, "1")
    assert run(*SERVE, option, "0").exit_code == 0


NO_TIMES = (
    "0",
    "0s",
    "-1s",
    "nan",
    "inf",
    "nans",
    "1e999s",
    "s",
    "2s2",
    "2 2s",
    "5 GB",
    "5 m",
    "5 tokens",
    "１秒",
    "∞",
)


@pytest.mark.parametrize("option", ["--ttft", "--tpot"])
def test_a_target_that_is_no_time_is_refused_by_its_option(option):
    for wrong in NO_TIMES:
        assert option in refused(*SERVE, option, wrong, "--json"), wrong


@pytest.mark.parametrize(("said", "same"), [("2s", "2000ms"), ("2", "2 s"), ("0.05s", "50 ms"), ("1 min", "60s")])
def test_a_time_is_the_same_in_every_unit(said, same):
    answers = [json.loads(run(*SERVE, "--ttft", text, "--json").stdout) for text in (said, same)]
    assert answers[0] == answers[1]


def test_all_wrong_options_are_told_at_once():
    told = refused(*TRAIN, "--nodes", "0", "--seq-len", "-5", "--tp", "0", "--recompute", "sum", "--sharding", "al")
    assert "5 fault" in told
    assert all(option in told for option in ("--nodes", "--seq-len", "--tp", "--recompute", "--sharding"))
    told = refused(*SERVE, "--rate", "-1", "--ttft", "0s", "--headroom", "2", "--draft-tokens", "-1", "--tp", "0")
    assert "5 fault" in told
    assert all(option in told for option in ("--rate", "--ttft", "--headroom", "--draft-tokens", "--tp"))


@pytest.mark.parametrize("command", ["model", "train", "serve"])
@pytest.mark.parametrize(
    ("said", "near"),
    [("Qwen/Qwen3-32", "qwen/qwen3-32b"), ("lama2-7b", "llama2-7b")],
)
def test_the_nearest_model_is_suggested(command, said, near):
    words = {
        "model": ("model", said),
        "train": ("train", "--model", said, *TRAIN[3:]),
        "serve": ("serve", "--model", said, *SERVE[3:]),
    }
    told = refused(*words[command])
    assert said in told
    assert f"Did you mean '{near}'?" in told


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ((*TRAIN[:3], "--system", "dgx-a1000-640"), "dgx-a100-640"),
        ((*SERVE[:3], "--system", "dgx-h10"), "dgx-h100"),
        (("catalogue", "show", "nv-h100-sxn"), "nv-h100-sxm"),
        (("market", "--as-of", "2023-05", "--item", "dgx-a800-64"), "dgx-a800-640"),
        ((*TRAIN, "--framework", "megatrom"), "megatron"),
        ((*TRAIN, "--precision", "bf61"), "bf16"),
        ((*TRAIN, "--recompute", "selectiv"), "selective"),
        ((*SERVE, "--engine", "vlm"), "vllm"),
        ((*SERVE, "--weight-format", "fp9"), "fp8"),
        (("finetune", *TRAIN[1:], "--method", "qlorra"), "qlora"),
        (("catalogue", "list", "ofers"), "offers"),
    ],
)
def test_the_nearest_word_is_suggested(words, near):
    assert f"Did you mean '{near}'" in refused(*words)


@pytest.mark.parametrize("said", ["", " ", "/", "..", "config.json", "no/such/config.json", "x" * 300, "a\nb"])
def test_a_model_that_is_nobodys_is_refused_alike_by_every_command(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (("model", said), ("train", "--model", said, *TRAIN[3:]), ("serve", "--model", said, *SERVE[3:])):
        refused(*words)


def test_an_option_nobody_knows_is_refused():
    for words in (
        ("plan", "--htlm", "x"),
        ("train", "--gpus", "8"),
        ("serve", "--qps", "3"),
        ("market", "--date", "x"),
    ):
        assert "No such option" in refused(*words)
    assert "No such command" in refused("plam")


@pytest.mark.parametrize(
    "words", [("train",), ("serve",), ("plan",), ("validate",), ("market",), ("catalogue", "show")]
)
def test_what_is_missing_is_named(words):
    assert "Missing" in refused(*words)


@pytest.mark.parametrize(
    "date", ["", "nan", "2023-13", "2023-00", "23-05", "2023/05", "99999-01", "2023-02-30", "五月"]
)
def test_a_date_that_is_none_is_refused(date):
    assert "2023-05-16" in refused("market", "--as-of", date, "--json")


def test_a_region_that_nobody_knows_is_said_to_be_the_whole_world():
    told = run("market", "--as-of", "2023-05", "--region", "Chnia", "--item", "dgx-a800-640", "--json")
    assert told.exit_code == 0
    assert "No market of 'Chnia' is known" in told.stderr
    assert json.loads(told.stdout)["part_of_world"] == "world"
    known = run("market", "--as-of", "2023-05", "--region", "上海", "--item", "dgx-a800-640", "--json")
    assert known.stderr == ""
    assert json.loads(known.stdout)["part_of_world"] == "china"


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--model", "GPT-3-175B", "--system", "dgx-a100-640"),
        (*SERVE, "--tpot", "1us"),
        ("serve", "--model", "meta-llama/Llama-3.1-405B", "--system", "H100-SXM", "--tp", "1"),
        (*SERVE, "--input-tokens", "1e12", "--output-tokens", "1"),
    ],
)
def test_what_cannot_be_ends_in_three_with_the_limit_and_the_way_out(words):
    told = refused(*words, "--json", code=3).splitlines()
    assert told[0].startswith("No feasible answer: ")
    assert len(told[0]) > len("No feasible answer: ")
    assert told[1].strip()
