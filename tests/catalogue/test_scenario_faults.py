"""Every fault that people (or enemies) plant in a scenario is named: file, line and part, all at once."""

import time

import pytest

from suanli.catalogue.scenario import KnownNames, load_scenario
from suanli.foundation.errors import EXIT_INPUT, InputError

BASE = """\
suanli: 1
title: A plan
as_of: 2023-05
start: 2023-06
months: 24
region: China
currency: CNY
exchange:
  USD: 6.95 CNY
discount_rate: 8 %
budget:
  total: 40 M CNY
  by:
    - month: 2023-12
      at_most: 20 M CNY
    - month: 2024-06
      at_most: 30 M CNY
site:
  power: 150 kW
  rack_units: 84
  pue: 1.42
  power_price: 0.65 CNY/kWh
  colocation: 600 CNY/kW/month
staff:
  people: 4
  cost: 50 k CNY/month
costs:
  network: 15 %
fleet:
  - system: dgx-a800-640
    count: 4
    available: 2023-07
    paid: 2.0 M CNY
market:
  buy: [dgx-a800-640, dgx-h800]
  rent: any
  reserved: none
  domestic_only: false
  quotes:
    - system: dgx-a800-640
      terms: buy
      price: 2.4 M CNY
      range: [2.3 M CNY, 2.5 M CNY]
      trend: 2 %/month
      lead_time: 16 weeks
      lot: 1
      supply: 2 per month
      start: 2023-06
      end: 2023-12
    - system: dgx-a800-640
      terms: rent
      price: 10 CNY/GPU/h
      commit: 3
goodput:
  training: 0.85
workloads:
  - id: pretrain
    layer: pretrain
    model: model.json
    tokens: 100 B tokens
    sequence_length: 4096
    global_batch: 1024
    framework: megatron
    least_systems: 2
    most_systems: 8
    start: 2023-08
    deadline: 2023-12
  - id: weekly
    layer: finetune
    method: lora
    rank: 16
    model: Qwen/Qwen3-8B
    tokens: 50 M tokens
    runs_per_month: 4
    end: 2024-12
  - id: chat
    layer: serve
    model: model.json
    requests:
      start: 2 per s
      growth: 10 %/month
    input_tokens: 1000
    output_tokens: 300
    ttft: 2 s
    tpot: 60 ms
    percentile: 90 %
    peak_to_mean: 2.5
    engine: vllm
    weight_format: bf16
"""

KNOWN = KnownNames(
    systems=lambda files: ("dgx-a800-640", "dgx-h800", "hgx-h20-8"),
    models=("Qwen/Qwen3-8B", "Qwen/Qwen3-32B"),
    frameworks=("megatron", "torchtitan"),
    engines=("vllm", "sglang"),
    number_formats=("bf16", "fp8"),
    regions=frozenset({"China", "US", "china", "us"}),
)

# what is written, what is planted in its place, where the fault must be said to be, a word that must be told
PLANTED = [
    ("suanli: 1", "suanli: 2", "suanli", "allowed: 1"),
    ("suanli: 1", "suanli: true", "suanli", "true"),
    ("title: A plan", "titel: A plan", "titel", "Did you mean 'title'?"),
    ("title: A plan", "title: ''", "title", "not empty"),
    ("title: A plan", "title: 2023", "title", "text"),
    ("title: A plan", "title:", "title", "nothing"),
    ("as_of: 2023-05", "as_of: 2023-13", "as_of", "no month 13"),
    ("as_of: 2023-05", "as_of: 2023-02-30", "as_of", "no day 30"),
    ("as_of: 2023-05", "as_of: 0203-05", "as_of", "a year from"),
    ("as_of: 2023-05", "as_of: May 2023", "as_of", "'May 2023'"),
    ("as_of: 2023-05", "as_of: 2023", "as_of", "such as 2023-05"),
    ("start: 2023-06\nmonths", "start: 2023-04\nmonths", "start", "2023-05"),
    ("start: 2023-06\nmonths", "start: 2023-06-15\nmonths", "start", "Write the month only."),
    ("months: 24", "months: 0", "months", "at least 1"),
    ("months: 24", "months: -3", "months", "at least 1"),
    ("months: 24", "months: 1e9", "months", "whole number"),
    ("months: 24", "months: 24 months", "months", "whole number"),
    ("months: 24", "months: true", "months", "whole number"),
    ("months: 24", "months: .inf", "months", ".inf"),
    ("months: 24", f"months: {'9' * 5000}", "months", "..."),
    ("region: China", "region: Chnia", "region", "Did you mean 'China'?"),
    ("currency: CNY", "currency: CYN", "currency", "Did you mean 'CNY'?"),
    ("  USD: 6.95 CNY", "  GBP: 8.8 CNY", "exchange.GBP", "USD"),
    ("  USD: 6.95 CNY", "  USD: 6.95", "exchange.USD", "without a currency"),
    ("  USD: 6.95 CNY", "  USD: 6.95 USD", "exchange.USD", "CNY"),
    ("  USD: 6.95 CNY", "  USD: 0 CNY", "exchange.USD", "above 0"),
    ("discount_rate: 8 %", "discount_rate: 8", "discount_rate", "at most 1"),
    ("discount_rate: 8 %", "discount_rate: nan", "discount_rate", "nan"),
    ("  total: 40 M CNY", "  total: -40 M CNY", "budget.total", "at least 0"),
    ("  total: 40 M CNY", "  total: 40000000", "budget.total", "without a currency"),
    ("  total: 40 M CNY", "  total: 40,000,000 CNY", "budget.total", "separator"),
    ("  total: 40 M CNY", "  total: ４０ M CNY", "budget.total", "Write '40 M CNY'."),
    ("  total: 40 M CNY", "  total: 1e999 CNY", "budget.total", "too large"),
    ("  total: 40 M CNY", "  total: 40 M EUR", "budget.total", "exchange"),
    ("  total: 40 M CNY", "  total: 40 m CNY", "budget.total", "Did you mean 'M CNY'?"),
    ("  total: 40 M CNY", "  total: 40 ¥", "budget.total", "Write CNY or JPY."),
    ("  total: 40 M CNY", "  total: [40 M CNY]", "budget.total", "a list"),
    ("    - month: 2024-06", "    - month: 2023-11", "budget.by[1].month", "after 2023-12"),
    ("    - month: 2024-06", "    - month: 2026-06", "budget.by[1].month", "2023-06 to 2025-05"),
    ("  power: 150 kW", "  power: 150", "site.power", "without a unit"),
    ("  power: 150 kW", "  power: 150 KW", "site.power", "Did you mean 'kW'?"),
    ("  power: 150 kW", "  power: 150 GiB", "site.power", "GiB"),
    ("  power: 150 kW", "  power: .nan", "site.power", ".nan"),
    ("  power: 150 kW", "  power:", "site.power", "nothing"),
    ("  power: 150 kW", "  power: 1e-320 kW", "site.power", "too small"),
    ("  rack_units: 84", '  rack_units: "84"', "site.rack_units", "'84'"),
    ("  rack_units: 84", "  rack_units: 84.5", "site.rack_units", "whole number"),
    ("  pue: 1.42", "  pue: 0.9", "site.pue", "at least 1"),
    ("  power_price: 0.65 CNY/kWh", "  power_price: 0.65 CNY/kW", "site.power_price", "CNY/kW"),
    ("  power_price: 0.65 CNY/kWh", "  power-price: 0.65 CNY/kWh", "site.power-price", "Did you mean 'power_price'?"),
    ("  people: 4", "  people: none", "staff.people", "none"),
    ("  network: 15 %", "  network: 150 %", "costs.network", "at most 1"),
    ("  - system: dgx-a800-640\n    count", "  - system: dgx-a80-640\n    count", "fleet[0].system", "'dgx-a800-640'"),
    ("    count: 4", "    count: 0", "fleet[0].count", "at least 1"),
    ("    count: 4", "    count: four", "fleet[0].count", "'four'"),
    ("    available: 2023-07", "    available: 2026-07", "fleet[0].available", "2025-05"),
    ("  buy: [dgx-a800-640, dgx-h800]", "  buy: [dgx-a800-640, dgx-h80]", "market.buy[1]", "'dgx-h800'"),
    ("  buy: [dgx-a800-640, dgx-h800]", "  buy: [dgx-h800, dgx-h800]", "market.buy[1]", "a second time"),
    ("  rent: any", "  rent: all", "market.rent", "any, none, or a list"),
    ("  domestic_only: false", "  domestic_only: no", "market.domestic_only", "true or false"),
    ("      terms: buy", "      terms: purchase", "market.quotes[0].terms", "buy, hour, rent, reserved"),
    ("      price: 2.4 M CNY", "      price: 2.4 M CNY/h", "market.quotes[0].price", "CNY/h"),
    ("      price: 2.4 M CNY", "      price: 2.6 M CNY", "market.quotes[0].range", "around"),
    ("      range: [2.3 M CNY, 2.5 M CNY]", "      range: [2.3 M CNY]", "market.quotes[0].range", "1 of them"),
    ("      trend: 2 %/month", "      trend: 24 %/year", "market.quotes[0].trend", "%/month"),
    ("      lead_time: 16 weeks", "      lead_time: -1 weeks", "market.quotes[0].lead_time", "at least 0"),
    ("      lot: 1", "      commit: 3", "market.quotes[0].commit", "purchase"),
    ("      supply: 2 per month", "      supply: 2", "market.quotes[0].supply", "without a unit"),
    ("      end: 2023-12", "      end: 2023-05", "market.quotes[0].end", "2023-06"),
    ("      price: 10 CNY/GPU/h", "      price: 10 CNY", "market.quotes[1].price", "12 CNY/GPU/h"),
    ("  training: 0.85", "  training: 1.2", "goodput.training", "at most 1"),
    ("  training: 0.85", "  failures: often", "goodput.failures", "good, middle, young"),
    ("    layer: pretrain", "    layer: pretrian", "workloads[0].layer", "Did you mean 'pretrain'?"),
    ("    model: model.json\n    tokens", "    model: missing.json\n    tokens", "workloads[0].model", "no file"),
    (
        "    model: model.json\n    tokens",
        "    model: broken.json\n    tokens",
        "workloads[0].model",
        "no JSON mapping",
    ),
    ("    model: model.json\n    tokens", "    model: ../..//etc\n    tokens", "workloads[0].model", "no file"),
    ("    tokens: 100 B tokens", "    tokens: 100 B", "workloads[0].tokens", "100 B tokens"),
    ("    tokens: 100 B tokens", "    tokens: 100 GB", "workloads[0].tokens", "GB"),
    ("    tokens: 100 B tokens", "    token: 100 B tokens", "workloads[0].token", "Did you mean 'tokens'?"),
    ("    sequence_length: 4096", "    sequence_length: 4096.5", "workloads[0].sequence_length", "whole number"),
    ("    framework: megatron", "    framework: megatorn", "workloads[0].framework", "Did you mean 'megatron'?"),
    ("    most_systems: 8", "    most_systems: 1", "workloads[0].most_systems", "at least least_systems"),
    ("    deadline: 2023-12", "    deadline: 2023-07", "workloads[0].deadline", "2023-08"),
    ("    deadline: 2023-12", "    deadline: 2025-06", "workloads[0].deadline", "2023-06 to 2025-05"),
    ("  - id: weekly", "  - id: pretrain", "workloads[1].id", "a second time"),
    ("    method: lora", "    method: lorra", "workloads[1].method", "Did you mean 'lora'?"),
    ("    method: lora", "    method: full", "workloads[1].rank", "a rank with method full"),
    ("    model: Qwen/Qwen3-8B", "    model: Qwen/Qwen3-9B", "workloads[1].model", "Did you mean 'Qwen/Qwen3-8B'?"),
    ("    runs_per_month: 4", "    runs_per_month: true", "workloads[1].runs_per_month", "true"),
    ("      start: 2 per s", "      start: 2 s", "workloads[2].requests.start", "2 per s"),
    ("      growth: 10 %/month", "      growth: 10 %", "workloads[2].requests.growth", "%/month"),
    ("      growth: 10 %/month", "      by_month: []", "workloads[2].requests", "both start and by_month"),
    ("    input_tokens: 1000", "    input_tokens: 0", "workloads[2].input_tokens", "above 0"),
    ("    ttft: 2 s", "    ttft: 2 ms per token", "workloads[2].ttft", "2 ms per token"),
    ("    peak_to_mean: 2.5", "    peak_to_mean: 0.5", "workloads[2].peak_to_mean", "at least 1"),
    ("    engine: vllm", "    engine: vlm", "workloads[2].engine", "Did you mean 'vllm'?"),
    ("    weight_format: bf16", "    weight_format: bf61", "workloads[2].weight_format", "Did you mean 'bf16'?"),
    ("    weight_format: bf16", "    weight_format: &x bf16", "workloads[2].weight_format", "no anchors"),
    ("    weight_format: bf16", "    weight_format: !!str bf16", "workloads[2].weight_format", "no tags"),
    ("    weight_format: bf16", "    engine: sglang", "workloads[2].engine", "a second time"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.json").write_text('{"model_type": "llama"}')
    (tmp_path / "broken.json").write_text("[1, 2")
    return tmp_path


def faults_of(folder, text, known=KNOWN):
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_scenario(path, known)
    assert caught.value.exit_code == EXIT_INPUT
    return path, caught.value.faults


def line_of(text, snippet):
    assert text.count(snippet) == 1, snippet
    return text[: text.index(snippet)].count("\n") + 1


def test_base_has_no_fault(folder):
    path = folder / "mine.yaml"
    path.write_text(BASE)
    assert load_scenario(path, KNOWN).title == "A plan"


def test_sixty_faults_and_more_are_planted():
    assert len(PLANTED) >= 60


@pytest.mark.parametrize(("written", "planted", "part", "told"), PLANTED, ids=[f"{p[1].strip()[:40]}" for p in PLANTED])
def test_planted_fault_is_named_with_its_line(folder, written, planted, part, told):
    text = BASE.replace(written, planted)
    assert BASE.count(written) == 1
    path, faults = faults_of(folder, text)
    at_part = [fault for fault in faults if fault.place.endswith(f": {part}")]
    assert at_part, [str(fault) for fault in faults]
    assert any(told in str(fault) for fault in at_part), [str(fault) for fault in at_part]
    line = line_of(BASE, written)
    beside = {"workloads[1].rank": 1, "workloads[2].requests": -2, "market.quotes[0].range": 1}
    allowed_lines = {line, line + beside.get(part, 0)}
    assert any(fault.place.startswith(f"{path}:{at}: ") for fault in at_part for at in allowed_lines), at_part[0].place


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("title: A plan", "title"),
        ("as_of: 2023-05", "as_of"),
        ("months: 24", "months"),
        ("region: China", "region"),
        ("currency: CNY", "currency"),
        ("    count: 4", "fleet[0].count"),
        ("      price: 2.4 M CNY", "market.quotes[0].price"),
        ("    tokens: 100 B tokens", "workloads[0].tokens"),
        ("    sequence_length: 4096", "workloads[0].sequence_length"),
        ("    rank: 16", "workloads[1].rank"),
        ("    method: lora", "workloads[1].method"),
        ("    input_tokens: 1000", "workloads[2].input_tokens"),
    ],
)
def test_missing_line_is_named_at_its_section(folder, line, part):
    _, faults = faults_of(folder, BASE.replace(f"{line}\n", ""))
    assert any(fault.place.endswith(f": {part}") and "no '" in fault.found for fault in faults)


@pytest.mark.parametrize("first", range(0, len(PLANTED) - 1, 7))
def test_two_faults_of_a_file_are_both_named(folder, first):
    one = PLANTED[first]
    other = PLANTED[(first + len(PLANTED) // 2) % len(PLANTED)]
    text = BASE.replace(one[0], one[1]).replace(other[0], other[1])
    _, faults = faults_of(folder, text)
    said = [fault.place for fault in faults]
    assert any(place.endswith(f": {one[2]}") for place in said)
    assert any(place.endswith(f": {other[2]}") for place in said)


def test_faults_come_in_order_of_line(folder):
    text = (
        BASE.replace("months: 24", "months: 0").replace("    ttft: 2 s", "    ttft: 2").replace("pue: 1.42", "pue: 0")
    )
    _, faults = faults_of(folder, text)
    lines = [int(fault.place.split(":")[1]) for fault in faults]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_shape_and_names_are_told_together(folder):
    text = (
        BASE.replace("months: 24", "months: 0").replace("id: weekly", "id: pretrain").replace("dgx-h800]", "dgx-h900]")
    )
    _, faults = faults_of(folder, text)
    assert {fault.place.split(": ")[-1] for fault in faults} == {"months", "workloads[1].id", "market.buy[1]"}


def test_alias_bomb_is_refused_at_once(folder):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    began = time.perf_counter()
    _, faults = faults_of(folder, "\n".join(rows))
    assert time.perf_counter() - began < 2
    assert any("no aliases" in fault.allowed for fault in faults)


def test_file_of_a_hundred_megabytes_is_refused_unread(folder):
    path = folder / "mine.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    began = time.perf_counter()
    with pytest.raises(InputError) as caught:
        load_scenario(path, KNOWN)
    assert time.perf_counter() - began < 1
    assert "100000000 bytes" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"# only a comment\n", "empty"),
        (b"- 1\n- 2\n", "a list"),
        (b"just words", "just words"),
        (b"\xff\xfe\x00a", "UTF-8"),
        (b"a: \x00b", "special characters"),
        (b"a: [1, 2", "expected"),
        (b"a: 1\n\tb: 2", "\\t"),
        (b"a: b: c", "mapping values"),
        (b"--- {}\n--- {}\n", "second document"),
        (b"[" * 5000, "nesting"),
        (b"a:\n" + b"".join(b" " * n + b"- \n" for n in range(1, 3)) + b"x" * 5, "found"),
        (b"- 1\n" * 20_001, "nodes"),
        (b"[a]: 1", "key"),
        (b"{1: 2}", "'1'"),
        (b"null", "nothing"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_what_is_no_scenario_at_all_is_refused(folder, content, told):
    path = folder / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_scenario(path, KNOWN)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_are_refused(folder):
    for path in (folder / "no.yaml", folder):
        with pytest.raises(InputError, match="YAML file"):
            load_scenario(path, KNOWN)


def test_faults_of_own_files_stand_beside_the_scenario_s(folder):
    text = BASE.replace("  domestic_only: false", "  files: [mine.csv, \"\", 3, 'a\\0b']").replace(
        "months: 24", "months: 0"
    )
    _, faults = faults_of(folder, text)
    said = [fault.place.split(": ")[-1] for fault in faults]
    assert {"months", "market.files[0]", "market.files[1]", "market.files[2]"} <= set(said)


def test_model_larger_than_ten_megabytes_is_refused_unread(folder):
    with (folder / "model.json").open("wb") as file:
        file.truncate(100_000_000)
    _, faults = faults_of(folder, BASE)
    assert [fault.place.split(": ")[-1] for fault in faults] == ["workloads[0].model", "workloads[2].model"]


def test_rates_by_month_lie_in_the_plan_in_order(folder):
    steps = "by_month: [{month: 2023-09, rate: 1 per s}, {month: 2023-08, rate: 2 per s}, {month: 2030-01, rate: 1}]"
    text = BASE.replace("start: 2 per s\n      growth: 10 %/month", f"{steps}\n      growth: 1 %/month")
    _, faults = faults_of(folder, text)
    said = {fault.place.split(": requests")[-1].split("requests.")[-1] for fault in faults}
    assert said == {"by_month[1].month", "by_month[2].month", "by_month[2].rate", "growth"}


def test_goodput_is_told_in_one_way(folder):
    _, faults = faults_of(folder, BASE.replace("  training: 0.85", "  training: 0.85\n  failures: good"))
    assert [fault.allowed for fault in faults] == ["one of them"]


def test_a_thousand_workloads_are_not_too_many(folder):
    head, _, _ = BASE.partition("workloads:")
    one = BASE[BASE.index("  - id: weekly") : BASE.index("  - id: chat")]
    text = head + "workloads:\n" + "".join(one.replace("weekly", f"weekly-{n}") for n in range(1000))
    path = folder / "mine.yaml"
    path.write_text(text)
    assert len(load_scenario(path, KNOWN).workloads) == 1000
