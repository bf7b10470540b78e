"""`suanli scaling` and `suanli simulate`: the keys that stay, wrong questions told at once, limits that bind."""

import json
import math
import re

import pytest
from tests.cli.asking import RUN, TRAIN, refused, run

from suanli.catalogue.load import catalogue
from suanli.cli.app import app

MONEY = ("scaling", "--money", "5e6", "--as-of", "2024-06", "--system", "dgx-h100")
PLAYED = ("simulate", "--model", "LLaMA2-7B", "--system", "dgx-a100-640", "--nodes", "4", "--tokens", "1e12")


def answered(*words):
    told = run(*words, "--json")
    assert told.exit_code == 0, told.stderr
    return json.loads(told.stdout)


def test_a_budget_alone_is_split_without_chips():
    answer = answered("scaling", "--flop", "5.76e23")
    assert answer["law"] == "besiroglu_2024"
    assert answer["parameters"] == pytest.approx(72.2e9, rel=1e-3)
    assert answer["tokens"] == pytest.approx(1.329e12, rel=1e-3)
    assert answer["loss_nats_per_token"] == pytest.approx(1.9744, abs=1e-4)
    assert answer["band"]["parameters"]["low"] < answer["parameters"] < answer["band"]["parameters"]["high"]
    assert answer["chosen"] is None
    assert answer["sources"]


def test_the_constants_behind_an_answer_are_told_with_their_ranges():
    answer = answered("scaling", "--flop", "1e24")
    constants = {one["name"]: one["figure"] for one in answer["constants"]}
    assert constants["llama_3.growth"]["value"] == 0.53
    assert constants["batch.rate_decay"]["note"].startswith("recalled")
    assert all(figure["range_given"] for figure in constants.values())
    told = run("scaling", "--flop", "1e24").stdout
    assert "learning rate 0.00031" in told
    assert answer["batch"]["best_learning_rate"] == pytest.approx(3.12e-4, rel=0.01)


def test_another_law_gives_its_own_split():
    answer = answered("scaling", "--flop", "5.76e23", "--law", "hoffmann_3_rounded")
    assert answer["parameters"] == pytest.approx(32.2e9, rel=1e-3)
    assert answer["tokens_per_parameter"] == pytest.approx(92.6, abs=0.1)


def test_money_is_told_with_its_currency_and_not_overspent():
    answer = answered(*MONEY, "--currency", "USD")
    assert answer["chosen"]["cost"]["currency"] == "USD"
    assert 0.95 * 5e6 < answer["chosen"]["cost"]["amount"] <= 5e6
    assert answer["chosen"]["wall_clock"]["p80_seconds"] <= 90 * 86400
    assert "sizing.deadline" in {one["name"] for one in answer["assumed"]}


def test_the_rents_behind_an_answer_are_told_with_their_sources():
    """As every command: the figure under `assumed`, the offers by id, where they come from under `sources`."""
    answer = answered(*MONEY, "--currency", "USD")
    rent = next(one["figure"] for one in answer["assumed"] if one["name"] == "rent.accelerator_hour")
    offers = {offer.id: offer for offer in catalogue().offers}
    sources = {one["key"] for one in answer["sources"]}
    wall = answer["chosen"]["wall_clock"]["p80_seconds"]
    paid = rent["value"] * answer["chosen"]["accelerators"] * wall / 3600
    assert paid == pytest.approx(answer["chosen"]["cost"]["amount"])
    assert rent["low"] < rent["value"] < rent["high"]
    assert answer["rent"]["offers"]
    assert {offers[one].amount.source for one in answer["rent"]["offers"]} | {rent["source"]} <= sources
    assert "rents of the same accelerator" in run(*MONEY).stdout
    assert answered("scaling", "--flop", "1e22")["rent"] is None


def test_numbers_are_said_as_people_say_them():
    told = [RUN.invoke(app, ["scaling", "--flop", "5.76e23", "--lang", lang]).stdout for lang in ("en", "zh")]
    assert "72.25 B parameters on 1.329 T tokens" in told[0]
    assert "722.5 亿" in told[1]
    fixed = run("scaling", "--params", "7e10", "--tokens", "15e12").stdout
    assert "parameters 70 B - 70 B" not in fixed


def test_no_rent_is_told_in_the_language_that_was_asked_for():
    words = ("--money", "1e6", "--as-of", "2025-06", "--system", "atlas-800t-a2", "--region", "China", "--lang", "zh")
    told = RUN.invoke(app, ["scaling", *words])
    assert told.exit_code == 3
    assert "中国" in told.stderr
    assert "China" not in told.stderr


def test_a_deadline_is_kept_and_sizes_say_when_more_stop_paying():
    answer = answered("scaling", "--flop", "1e24", "--system", "dgx-h100", "--deadline-days", "60")
    assert answer["chosen"]["wall_clock"]["p80_seconds"] <= 60 * 86400
    assert answer["stops_paying"]["reason"] in ("gain", "batch")
    assert answer["stops_paying"]["nodes"] in {size["nodes"] for size in answer["sizes"]}
    assert answer["batch"]["batch_tokens"] <= answer["batch"]["critical_tokens"]


def test_chips_and_days_settle_the_budget():
    answer = answered("scaling", "--system", "dgx-h100", "--nodes", "16", "--days", "30")
    assert answer["chosen"]["nodes"] == 16
    assert 0.9 * 30 * 86400 < answer["chosen"]["wall_clock"]["p80_seconds"] <= 30 * 86400


def test_serving_makes_the_model_smaller():
    plain, serving = (answered("scaling", "--flop", "1e24", *more) for more in ((), ("--serve-tokens", "1e13")))
    assert serving["parameters"] < plain["parameters"]
    assert serving["loss_nats_per_token"] == pytest.approx(plain["loss_nats_per_token"])
    assert serving["serving"]["saved_share"] > 0


def test_every_fault_of_a_question_is_told_at_once():
    words = ("--flop", "nan", "--nodes", "0", "--law", "hofmann_1", "--system", "dgx-h101", "--currency", "XX")
    told = refused("scaling", *words, "--money", "1", "--failures", "often")
    for place in ("--flop", "--nodes", "hoffmann_1", "dgx-h100", "XX", "budget", "--as-of", "--failures"):
        assert place in told


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ((), "budget"),
        (("--flop", "1e24", "--money", "5"), "budget"),
        (("--money", "5e6", "--as-of", "2024-06"), "--system"),
        (("--flop", "1e24", "--days", "3"), "--system"),
        (("--money", "5e6", "--system", "dgx-h100"), "--as-of"),
        (("--params", "7e9"), "budget"),
        (("--params", "7e9", "--tokens", "1e12", "--serve-tokens", "1e12"), "--serve-tokens"),
        (("--flop", "1e24", "--serve-tokens", "1e12", "--law", "kaplan_2020"), "--law"),
        (("--flop", "1e99"), "--flop"),
    ],
)
def test_a_question_that_cannot_be_answered_names_what_is_wrong(words, place):
    assert place in refused("scaling", *words)


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        (("--flop", "1e26", "--system", "dgx-h100", "--days", "3"), "deadline"),
        (("--money", "0.0001", "--as-of", "2024-06", "--system", "dgx-h100"), "budget binds"),
        (("--money", "5e6", "--as-of", "2017-06", "--system", "tpu-v7-pod"), "No rent"),
        (("--flop", "1e24", "--system", "dgx-h100", "--nodes", "1"), "No layout"),
        (("--params", "7e9", "--tokens", "1e12", "--system", "dgx-h100", "--nodes", "4", "--days", "1"), "deadline"),
    ],
)
def test_a_limit_that_binds_is_named(words, limit):
    assert limit in refused("scaling", *words, code=3)


def test_a_whole_run_is_told_beside_its_step():
    answer = answered(*TRAIN, "--keep", "1", "--tokens", "2e12")
    whole = answer["wall_clock"]
    assert whole["steady_seconds"] == pytest.approx(2e12 / answer["tokens_per_s"])
    assert sum(whole["seconds_by_cause"].values()) == pytest.approx(whole["wall_seconds"])
    assert whole["steady_seconds"] < whole["p50_seconds"] < whole["p80_seconds"] < whole["p95_seconds"]
    assert 0 < whole["goodput"] < 1
    assert "wall_clock" not in answered(*TRAIN, "--keep", "1")


def test_steps_and_tokens_tell_the_same_run():
    by_steps = answered(*TRAIN, "--keep", "1", "--steps", "1000")["wall_clock"]
    by_tokens = answered(*TRAIN, "--keep", "1", "--tokens", str(by_steps["tokens"]))["wall_clock"]
    assert by_tokens["wall_seconds"] == pytest.approx(by_steps["wall_seconds"])


def test_wrong_words_about_a_run_are_told_beside_those_about_the_step():
    words = ("--failures", "gud", "--recovery", "x", "--checkpoints", "y", "--spares", "-1")
    told = refused(*TRAIN, "--nodes", "0", "--tokens", "nan", *words)
    for place in ("--nodes", "--tokens", "--failures", "--recovery", "--checkpoints", "--spares"):
        assert place in told
    assert "--tokens, --steps" in refused(*TRAIN, "--tokens", "1e9", "--steps", "3")


def test_a_played_run_is_told_by_quantile():
    answer = answered(*PLAYED, "--runs", "200")
    for plays in (answer["chance"], answer["with_errors"]):
        days = [quantile["wall_seconds"] for quantile in plays.values()]
        assert list(plays) == ["p50", "p80", "p90", "p95", "p99"]
        assert days == sorted(days)
    assert answer["mean_wall_seconds"] == pytest.approx(answer["predicted"]["wall_seconds"], rel=0.01)
    assert sum(answer["seconds_by_cause"].values()) == pytest.approx(answer["mean_wall_seconds"])
    assert answer == answered(*PLAYED, "--runs", "200")


@pytest.mark.parametrize("fleet", [(), ("--failures", "young", "--checkpoints", "blocking")])
def test_plays_with_errors_end_when_the_wall_clock_of_train_says(fleet):
    """The same three causes of doubt, played and added up; chance alone is much narrower."""
    answer = answered(*PLAYED, "--runs", "2000", *fleet)
    told, played = answer["predicted"], answer["with_errors"]
    for name in ("p50", "p80", "p95"):
        assert played[name]["wall_seconds"] == pytest.approx(told[f"{name}_seconds"], rel=0.03)
    assert answer["chance"]["p80"]["wall_seconds"] < 0.95 * told["p80_seconds"]


def test_a_fleet_that_may_never_end_is_played_by_chance_alone(monkeypatch):
    monkeypatch.setattr("suanli.api.simulate._expected_stops", lambda terms: math.inf)
    answer = answered(*PLAYED, "--runs", "20")
    assert answer["with_errors"] is None
    assert answer["chance"]["p99"]["wall_seconds"] > 0
    assert "errors are not played" in " ".join(run(*PLAYED, "--runs", "20").stdout.split())


@pytest.mark.parametrize(("lang", "words"), [("en", "goodput (work and stragglers)"), ("zh", "有效时间占比")])
def test_the_share_in_the_last_line_is_not_called_as_a_row_of_the_table_is(lang, words):
    """`work` is a row, and stragglers are another; goodput is both, in each language."""
    for asked in ((*PLAYED, "--runs", "20"), (*TRAIN, "--keep", "1", "--tokens", "2e12")):
        told = "".join(RUN.invoke(app, [*asked, "--lang", lang]).stdout.split())
        assert "".join(words.split()) in told
        assert "ofitiswork" not in told


def test_causes_that_differ_have_names_that_differ():
    told = RUN.invoke(app, [*PLAYED, "--runs", "20", "--lang", "zh"]).stdout
    names = re.findall(r"│ (\S+) +│ +[\d.,]+ │ +[\d.]+%", told)
    assert len(names) == len(set(names)) >= 7


def test_a_play_asks_for_a_length_and_sane_numbers():
    told = refused(*PLAYED[:-2], "--runs", "0", "--seed", "-1")
    for place in ("--tokens, --steps", "--runs", "--seed"):
        assert place in told
    assert "at most" in refused(*PLAYED, "--spares", "1000000")
