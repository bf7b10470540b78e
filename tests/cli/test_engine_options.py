"""Options that `serve`, `replay` and `capacity` share: told, refused with what is allowed, spoken in two languages."""

import json

import pytest
from tests.cli.asking import RUN, SERVE, refused, run

from suanli.cli.app import app
from suanli.foundation.language import set_language

ONE = (*SERVE, "--concurrency", "16")
REPLAY = ("replay", *SERVE[1:], "--traffic", "sharegpt", "--requests", "40")
CAPACITY = ("capacity", *SERVE[1:])


@pytest.fixture(autouse=True)
def _own_language():
    yield
    set_language("en")


def told(*words):
    answer = run(*words, "--json")
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize("draft", ["eagle", "eagle3", "medusa", "ngram", "meta-llama/Llama-3.2-1B"])
def test_every_kind_of_drafts_is_told_with_its_gain(draft):
    found = told(*ONE, "--draft", draft)["speculation"]
    assert found["gain_low"] <= found["gain"] <= found["gain_high"]
    assert found["drafting"] == ("model" if "/" in draft else draft)


def test_drafts_without_a_drafter_are_the_model_s_own_or_an_eagle_head():
    assert told(*ONE, "--draft-tokens", "2")["speculation"]["drafting"] == "eagle3"
    own = ("serve", "--model", "deepseek-ai/DeepSeek-R1", "--system", "dgx-h200", "--tp", "8", "--weight-format", "fp8")
    assert told(*own, "--draft-tokens", "2")["speculation"]["drafting"] == "mtp"


def test_without_drafts_nothing_is_said_of_them():
    assert told(*ONE)["speculation"] is None
    assert "Drafts" not in run(*ONE).stdout


def test_a_person_is_told_the_gain_and_where_it_ends():
    said = " ".join(run(*ONE, "--draft", "eagle3", "--acceptance", "0.3").stdout.split())
    assert "times the rate without them" in said
    assert "in flight on they lower the rate" in said


def test_adapters_take_time_and_room():
    plain, adapted = told(*ONE), told(*ONE, "--loras", "4", "--lora-rank", "64")
    assert adapted["tpot_seconds"] > plain["tpot_seconds"]
    assert adapted["bytes_by_cause"]["adapters"] > 0
    assert adapted["kv_capacity_tokens"] < plain["kv_capacity_tokens"]


@pytest.mark.parametrize(
    ("words", "degree"),
    [(("--cp", "4"), "context"), (("--dp", "4", "--ffn-dp", "4"), "feed_forward")],
)
def test_degrees_are_told_with_the_layout(words, degree):
    assert told(*SERVE, *words)["layout"][degree] == 4


@pytest.mark.parametrize("words", [("--eager",), ("--no-overlap",)])
def test_settings_that_cost_are_slower(words):
    assert (
        told(*SERVE, "--concurrency", "200", *words)["tpot_seconds"]
        >= told(*SERVE, "--concurrency", "200")["tpot_seconds"]
    )


def test_replay_draws_what_is_accepted_from_the_seed():
    first, again, other = (
        run(*REPLAY, "--draft", "eagle3", "--seed", seed, "--json").stdout for seed in ("1", "1", "2")
    )
    assert first == again != other
    assert json.loads(first)["completed"] == 40


def test_replay_takes_all_the_options():
    words = ("--loras", "4", "--eager", "--no-overlap", "--cp", "2", "--draft-tokens", "2")
    assert told(*REPLAY, *words)["completed"] == 40


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--draft", "guess"), "mtp, eagle"), (("--draft", "mtp"), "no such layers"),
        (("--acceptance", "1.5", "--draft", "eagle"), "0 to below 1"), (("--acceptance", "0.5"), "no drafts"),
        (("--draft-tokens", "1.5"), "whole number"), (("--loras", "0"), "1 to"),
        (("--lora-rank", "9999", "--loras", "2"), "512"),
        (("--loras", "2", "--lora-targets", "q_prj"), "q_proj"), (("--cp", "0"), "1 to"), (("--dcp", "2"), "divisor"),
        (("--ffn-dp", "2"), "divisor"), (("--overlap", "--engine", "mindie"), "after the last one"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_refused_with_what_is_allowed(words, said):
    assert said in refused(*ONE, *words)


def test_capacity_says_what_binds_and_what_frees_it():
    said = " ".join(run(*CAPACITY, "--users", "200", "--context", "4096", "--tp", "2").stdout.split())
    assert "What binds" in said
    assert "cache in fp8" in said


def test_a_wish_that_nothing_holds_ends_in_exit_code_3_with_what_would():
    said = refused(*CAPACITY, "--users", "500", "--context", "100000", "--tp", "1", code=3)
    assert "short of" in said
    assert "Ask for" in said or "What would hold it" in said
    assert "up to 0" not in said


@pytest.mark.parametrize("words", [(*ONE, "--draft", "eagle3"), (*ONE, "--loras", "2"), CAPACITY])
def test_chinese_is_spoken(words):
    answer = RUN.invoke(app, [*words, "--lang", "zh"])
    assert answer.exit_code == 0
    assert "Drafts" not in answer.stdout
    assert "What binds" not in answer.stdout
    assert "Assumed" not in answer.stdout
