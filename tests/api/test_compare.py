"""Comparisons of systems and sizes: each option is the search alone, priced; the front is of those that fit."""

import json

import pytest
from typer.testing import CliRunner

from suanli.api.compare import ComparisonQuestion, compare
from suanli.api.run_cost import MarketQuestion
from suanli.api.train import TrainingQuestion, train
from suanli.api.wall_clock import RunQuestion
from suanli.catalogue.find import system
from suanli.catalogue.market import rent_quote
from suanli.cli.app import app
from suanli.foundation.errors import InfeasibleError, InputError

JOB = TrainingQuestion(model="LLaMA2-7B", system="dgx-a100-640", global_batch=64, sequence_tokens=2048)
TOKENS = 1e11


def ask(job=JOB, systems=("dgx-a100-640", "dgx-h100"), nodes=(1, 2), **more):
    market = MarketQuestion(as_of="2026-11", region=more.pop("region", "world"))
    run = RunQuestion(tokens=more.pop("tokens", None))
    return compare(ComparisonQuestion(job=job, systems=systems, nodes=nodes, run=run, market=market, **more))


def test_each_option_is_the_search_alone():
    from dataclasses import replace

    for option in ask().options:
        alone = train(replace(JOB, system=option.system_id, nodes=option.nodes, search=True, keep=1))[0]
        assert option.estimate == alone
        assert option.run_seconds is option.rent is option.energy_joules is None


def test_a_run_is_priced_by_its_time_its_rent_and_its_power():
    for option in ask(tokens=TOKENS).options:
        box = system(option.system_id)
        price = rent_quote(box.id, "on_demand", "2026-11", "world", "USD").price_per_accelerator_hour.value
        assert option.run_seconds == pytest.approx(TOKENS / option.estimate.tokens_per_s / option.goodput)
        assert option.rent == pytest.approx(price * option.accelerators * option.run_seconds / 3600)
        assert option.energy_joules == pytest.approx(option.system_watts * 1.56 * option.run_seconds), "the world's PUE"
        assert 0.2 < option.system_watts / (box.power_watts.value * option.nodes) < 1
        assert "on demand" in option.rent_basis


def test_the_fastest_is_on_the_front():
    options = ask(tokens=TOKENS).options
    assert min(options, key=lambda one: one.run_seconds).on_front


def test_what_does_not_fit_is_told_with_its_reason_and_is_off_the_front():
    job = TrainingQuestion(model="LLaMA2-70B", system="dgx-a100-640", global_batch=64, sequence_tokens=2048)
    small, large = ask(job, systems=("dgx-a100-640",), nodes=(1, 8), tokens=TOKENS).options
    assert small.estimate is None
    assert "memory" in small.reason
    assert not small.on_front
    assert large.on_front


def test_nothing_that_fits_anywhere_is_infeasible():
    job = TrainingQuestion(model="GPT-3-175B", system="dgx-a100-640")
    with pytest.raises(InfeasibleError, match="dgx-h100 x 1"):
        ask(job, nodes=(1,))


def test_faults_of_a_comparison_come_all_at_once():
    with pytest.raises(InputError) as caught:
        ask(tokens=-1.0, traced=True)
    assert [fault.place for fault in caught.value.faults] == ["--tokens", "--trace"]


def test_what_is_fixed_stays_in_every_option():
    from dataclasses import replace

    options = ask(replace(JOB, tensor=4, micro_batch=2)).options
    assert {(one.estimate.layout.tensor, one.estimate.layout.micro_batch) for one in options} == {(4, 2)}


def test_the_command_compares_where_systems_or_sizes_are_several():
    """Time, rent and energy of several sizes of one system are a front too."""
    asked = ["train", "--model", "LLaMA2-7B", "--system", "dgx-a100-640", "--nodes", "1", "--nodes", "2", "--search",
             "--tokens", "1e11", "--as-of", "2026-11", "--lang", "en"]  # fmt: skip
    answer = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert [one["nodes"] for one in answer["options"]] == [1, 2]
    assert answer["total_tokens"] == 1e11
    assert any(one["on_front"] for one in answer["options"])
    assert "Systems and sizes" in CliRunner().invoke(app, asked).stdout


def test_one_system_at_one_size_takes_what_the_comparison_says():
    asked = ["train", "--model", "LLaMA2-7B", "--system", "dgx-a100-640", "--search", "--tokens", "1e11", "--as-of",
             "2026-11", "--failures", "young", "--region", "china", "--json"]  # fmt: skip
    (option, _) = json.loads(CliRunner().invoke(app, [*asked, "--nodes", "2", "--nodes", "4"]).stdout)["options"]
    alone = json.loads(CliRunner().invoke(app, [*asked, "--nodes", "2"]).stdout)
    assert option["run_seconds"] == pytest.approx(alone["wall_clock"]["wall_seconds"])
    assert option["energy_joules"] == pytest.approx(alone["run_cost"]["energy_joules"])
    assert option["rent"] == pytest.approx(alone["run_cost"]["rent"])
    assert {one["name"] for one in alone["run_cost"]["assumed"]} >= {"pue.china", "power_draw.idle"}


@pytest.mark.parametrize("wrong", [("--currency", "US"), ("--as-of", "soon"), ("--failures", "few")])
@pytest.mark.parametrize("sizes", [("1",), ("1", "2")])
def test_a_market_that_is_none_is_a_fault(wrong, sizes):
    asked = ["train", "--model", "LLaMA2-7B", "--system", "dgx-a100-640", "--tokens", "1e9", *wrong]
    found = CliRunner().invoke(app, [*asked, *(word for size in sizes for word in ("--nodes", size))])
    assert found.exit_code == 2
    assert wrong[0] in found.stderr
