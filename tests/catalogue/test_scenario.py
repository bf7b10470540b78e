"""A sound scenario becomes nouns: SI, the scenario's currency, months spelled out, what was assumed noted."""

import random
from pathlib import Path

import pytest

from suanli.catalogue.scenario import KnownNames, load_scenario
from suanli.domain.hardware import Precision
from suanli.domain.scenario import FailurePreset, Layer, QuoteTerms, Scenario, ServingJob, TrainingJob, TuningJob
from suanli.domain.tuning import ExpertAdapters, Freezing, LowRank
from suanli.domain.workload import TuningMethod
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Kind

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SYSTEMS = Path(__file__).parent.parent.parent / "src" / "suanli" / "data" / "systems"

SMALLEST = """\
suanli: 1
title: Smallest
as_of: 2023-11-30
months: 3
region: China
currency: CNY
workloads:
  - id: one
    layer: pretrain
    model: Qwen/Qwen3-8B
    tokens: 1 B tokens
    sequence_length: 4096
"""

SERVING = """\
  - id: two
    layer: serve
    model: {hidden_size: 64, eos: null}
    requests: {start: 2 per s, growth: 10 %/month, at_most: 2.3 per s}
    input_tokens: 1 k tokens
    output_tokens: 300
    start: 2024-01
"""

TUNING = """\
  - id: three
    layer: finetune
    method: qlora
    rank: 16
    model: m/config.json
    tokens: 50 M tokens
    runs_per_month: 4.5
    precision: fp16
    end: 2024-01
"""

MONEY = """\
exchange: {USD: 7 CNY, EUR: 8 元}
budget: {total: 2 M USD, by: [{month: 2024-01, at_most: 1 M EUR}]}
site: {power: 0.2 MW, rack_units: 42, pue: 1.3, power_price: 0.1 USD/kWh, colocation: 100 USD/kW/month}
staff: {people: 2.5, cost: 5 万元/month}
costs: {network: 12 %, storage: 0.07, maintenance: 5 %, resale_loss: 30 %}
fleet: [{system: box, count: 4, paid: 200 万 CNY}, {system: box, count: 1, available: 2023-01, on_site: false}]
goodput: {failures: young}
market:
  buy: none
  rent: [box]
  files: [mine.csv]
  quotes:
    - {system: box, price: 0.3 M USD, range: [0.2 M USD, 3 M CNY], trend: -1 %/month, lead_time: 2 weeks, lot: 2}
    - {system: box, terms: reserved, price: 1 USD/GPU/h, commit: 12, supply: 3 per month, start: 2024-01, source: Li}
"""


def load(folder, text, known=None):
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path, known) if known else load_scenario(path)


def test_plan_starts_in_the_month_after_as_of(tmp_path):
    scenario = load(tmp_path, SMALLEST)
    assert scenario.months == ("2023-12", "2024-01", "2024-02")
    assert scenario.as_of == "2023-11-30"


def test_plan_may_start_in_the_month_of_the_market(tmp_path):
    assert load(tmp_path, SMALLEST.replace("months: 3", "start: 2023-11\nmonths: 3")).months[0] == "2023-11"


def test_silence_is_no_limit_and_any_offer(tmp_path):
    scenario = load(tmp_path, SMALLEST)
    assert scenario.budget.total is None
    assert scenario.budget.by == ()
    assert scenario.site.power_watts is None
    assert scenario.site.rack_units is None
    assert scenario.staff is None
    assert (scenario.market.buy, scenario.market.rent, scenario.market.reserved) == (None, None, None)
    assert scenario.costs.network_share is None
    assert scenario.reliability.training_goodput is None


def test_what_is_assumed_is_noted_with_its_range(tmp_path):
    scenario = load(tmp_path, SMALLEST + SERVING + TUNING.replace("m/config.json", "Qwen/Qwen3-8B"))
    names = {assumed.name for assumed in scenario.assumed}
    assert names == {
        "discount_rate",
        "site.pue",
        "two.peak_to_mean",
        "two.percentile",
        "three.sequence_length",
    }
    for assumed in scenario.assumed:
        figure = assumed.figure
        assert figure.low <= figure.value <= figure.high
        assert figure.kind is Kind.ASSUMPTION
        assert figure.source == "suanli_scenario_default"


def test_what_is_given_is_not_assumed(tmp_path):
    scenario = load(tmp_path, SMALLEST.replace("region:", "discount_rate: 5 %\nsite: {pue: 1.1}\nregion:"))
    assert scenario.assumed == ()
    assert scenario.discount_rate_per_year == 0.05
    assert scenario.site.pue == 1.1


def test_training_runs_from_the_first_month_to_the_last(tmp_path):
    (job,) = load(tmp_path, SMALLEST).workloads
    assert isinstance(job, TrainingJob)
    assert (job.first_month, job.deadline) == ("2023-12", "2024-02")
    assert (job.layer, job.tokens, job.sequence_tokens) == (Layer.PRETRAIN, 1e9, 4096)
    assert (job.global_batch, job.systems, job.precision) == (None, None, Precision.BF16)
    assert job.title == "one"


def test_requests_grow_up_to_their_ceiling_while_the_service_is_on(tmp_path):
    job = load(tmp_path, SMALLEST.replace("months: 3", "months: 5") + SERVING).workloads[1]
    assert isinstance(job, ServingJob)
    assert job.requests_per_s == pytest.approx((0.0, 2.0, 2.2, 2.3, 2.3))
    assert (job.first_month, job.last_month) == ("2024-01", "2024-04")
    assert job.input_tokens == 1000.0


def test_requests_by_month_hold_until_the_next_step(tmp_path):
    steps = "{by_month: [{month: 2024-01, rate: 1 per s}, {month: 2024-03, rate: 120 per min}]}"
    text = SERVING.replace("{start: 2 per s, growth: 10 %/month, at_most: 2.3 per s}", steps)
    text = text.replace("    start: 2024-01\n", "    end: 2024-03\n")
    job = load(tmp_path, SMALLEST.replace("months: 3", "months: 5") + text).workloads[1]
    assert job.requests_per_s == pytest.approx((0.0, 1.0, 1.0, 2.0, 0.0))


def test_a_config_may_be_written_in_place(tmp_path):
    job = load(tmp_path, SMALLEST + SERVING).workloads[1]
    assert job.model.config == {"hidden_size": 64, "eos": None}
    assert (job.model.name, job.model.path) == ("two", "")


def test_a_config_may_be_a_file_beside_the_scenario(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    job = load(tmp_path, SMALLEST + TUNING).workloads[1]
    assert job.model.path == str(tmp_path / "m" / "config.json")
    assert job.model.name == "m"
    assert isinstance(job, TuningJob)
    assert (job.method, job.adapters.rank, job.runs_per_month) == (TuningMethod.QLORA, 16, 4.5)
    assert (job.last_month, job.precision) == ("2024-01", Precision.FP16)


MORE = """\
    targets: [q_proj, experts]
    dora: true
    expert_adapters: shared
    freeze_layers: 4
    optimizer: paged-adamw-8bit
    example_tokens: 600
"""


def test_a_fine_tune_says_what_it_adapts_and_leaves_alone(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    job = load(tmp_path, SMALLEST + TUNING + MORE).workloads[1]
    low = LowRank(rank=16, targets=("q_proj", "experts"), dora=True, experts=ExpertAdapters.SHARED)
    assert job.adapters == low
    assert job.freezing == Freezing(layers=4)
    assert (job.optimizer, job.document_tokens) == ("paged-adamw-8bit", 600)
    plain = load(tmp_path, SMALLEST + TUNING.replace("qlora", "full").replace("    rank: 16\n", "")).workloads[1]
    assert plain.adapters is None


@pytest.mark.parametrize("line", ["targets: [q_proj]", "dora: true", "expert_adapters: each"])
def test_full_tuning_has_no_adapters_to_speak_of(tmp_path, line):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    text = TUNING.replace("qlora", "full").replace("    rank: 16\n", "") + f"    {line}\n"
    with pytest.raises(InputError, match=line.split(":")[0]):
        load(tmp_path, SMALLEST + text)


def test_targets_and_optimizers_are_known_by_name(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    known = KnownNames(targets=("q_proj", "mlp"), optimizers=("adamw",))
    text = SMALLEST + TUNING + "    targets: [q_prj]\n    optimizer: adam\n"
    with pytest.raises(InputError) as told:
        load(tmp_path, text, known)
    assert {fault.hint for fault in told.value.faults} == {"Did you mean 'q_proj'?", "Did you mean 'adamw'?"}


def test_a_model_may_be_a_name(tmp_path):
    model = load(tmp_path, SMALLEST).workloads[0].model
    assert (model.name, model.path, model.config) == ("Qwen/Qwen3-8B", "", None)


def test_money_is_turned_into_the_scenario_s_currency(tmp_path):
    (tmp_path / "mine.csv").write_text("")
    scenario = load(tmp_path, SMALLEST.replace("workloads:", MONEY + "workloads:"))
    assert scenario.budget.total == 14e6
    assert scenario.budget.by[0].at_most == 8e6
    assert scenario.site.power_price_per_joule == pytest.approx(0.7 / 3.6e6)
    assert scenario.site.colocation_per_watt_month == pytest.approx(0.7)
    assert scenario.staff.cost_per_person_month == 50e3
    assert [item.paid for item in scenario.fleet] == [2e6, None]
    assert scenario.exchange == {"CNY": 1.0, "USD": 7.0, "EUR": 8.0}


def test_fleet_and_market_become_nouns(tmp_path):
    (tmp_path / "mine.csv").write_text("")
    asked = []
    known = KnownNames(systems=lambda files: asked.append(files) or ("box",))
    scenario = load(tmp_path, SMALLEST.replace("workloads:", MONEY + "workloads:"), known)
    assert [(item.systems, item.available_month, item.on_site) for item in scenario.fleet] == [
        (4, "2023-12", True),
        (1, "2023-01", False),
    ]
    assert (scenario.market.buy, scenario.market.rent, scenario.market.reserved) == ((), ("box",), None)
    assert scenario.market.files == (str(tmp_path / "mine.csv"),)
    assert asked == [scenario.market.files]
    bought, reserved = scenario.market.quotes
    assert (bought.terms, bought.price, bought.price_low, bought.price_high) == (QuoteTerms.BUY, 2.1e6, 1.4e6, 3e6)
    assert (bought.trend_per_month, bought.lead_seconds, bought.lot) == (-0.01, 14 * 86400, 2)
    assert reserved.per_accelerator
    assert reserved.price == pytest.approx(7 * 365.25 * 24 / 12)
    assert (reserved.commit_months, reserved.supply_per_month, reserved.from_month) == (12, 3.0, "2024-01")
    assert scenario.reliability.failures is FailurePreset.YOUNG
    assert scenario.costs.storage_share == 0.07


def test_files_of_one_s_own_may_be_at_fault_too(tmp_path):
    (tmp_path / "mine.csv").write_text("")

    def complain(files):
        raise InputError.single(place=f"{files[0]}:3", found="'GB/S'", allowed="GB/s")

    text = SMALLEST.replace("workloads:", MONEY + "workloads:").replace("months: 3", "months: 0")
    with pytest.raises(InputError) as caught:
        load(tmp_path, text, KnownNames(systems=complain))
    assert len(caught.value.faults) == 2
    assert "mine.csv:3" in str(caught.value)


def test_names_are_free_where_none_are_told(tmp_path):
    text = SMALLEST.replace("Qwen/Qwen3-8B", "Any/Model").replace("region: China", "region: Mars")
    assert load(tmp_path, text).region == "Mars"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_load_with_titles_in_both_languages(path):
    known = KnownNames(systems=lambda files: tuple(each.stem for each in SYSTEMS.glob("*.yaml")))
    scenario = load_scenario(path, known)
    assert scenario.title.isascii()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in scenario.title_zh)
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=")
    assert "ssumed" in path.read_text(encoding="utf-8")


def test_there_are_five_examples():
    assert len(list(EXAMPLES.glob("*.yaml"))) == 5


HOSTILE = (
    "nan",
    ".inf",
    "-1",
    "1e999",
    "true",
    "null",
    "[]",
    "{}",
    "１",
    "'",
    "1,2",
    "a: b",
    "&x y",
    "*x",
    "!!int 3",
    "\t",
)


def test_mutated_scenarios_are_read_or_refused_never_worse(tmp_path):
    (tmp_path / "mine.csv").write_text("")
    lines = (SMALLEST.replace("workloads:", MONEY + "workloads:") + SERVING).splitlines()
    dice = random.Random(20230516)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        changed = list(lines)
        at = dice.randrange(len(changed))
        words = changed[at].split(" ")
        words[dice.randrange(len(words))] = dice.choice(HOSTILE)
        changed[at] = " ".join(words)
        try:
            assert isinstance(load(tmp_path, "\n".join(changed)), Scenario)
            outcomes["read"] += 1
        except InputError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > outcomes["read"]
