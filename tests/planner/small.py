"""A scenario so small that a whole plan of it takes a fraction of a second; each test changes what it asks about."""

from __future__ import annotations

from pathlib import Path

from suanli.api.plan import make_plan
from suanli.domain.plan import Plan

TEXT = """\
suanli: 1
title: A small service and its tuning
title_zh: 小服务与微调
as_of: 2024-06
months: 8
region: China
currency: CNY
exchange: {USD: 7.25 CNY}
discount_rate: 6 %
budget:
  total: 50000000 CNY
site:
  power: 200 kW
  rack_units: 84
  pue: 1.25
  power_price: 0.5 CNY/kWh
staff: {people: 2, cost: 50000 CNY/month}
costs: {network: 15 %, storage: 7 %, maintenance: 5 %, resale_loss: 30 %}
market:
  buy: none
  rent: none
  reserved: none
  quotes:
    - {system: dgx-a800-640, price: 1440000 CNY, lead_time: 4 weeks}
    - {system: dgx-a800-640, terms: rent, price: 90000 CNY/month}
goodput: {failures: young}
workloads:
  - id: tune
    layer: finetune
    method: lora
    rank: 16
    model: Qwen/Qwen3-8B
    tokens: 20 M tokens
    runs_per_month: 4
    sequence_length: 2048
    global_batch: 64
    start: 2024-09
  - id: serve
    layer: serve
    model: Qwen/Qwen3-8B
    requests: {start: 4 per s, growth: 10 %/month}
    input_tokens: 800
    output_tokens: 200
    ttft: 3 s
    tpot: 80 ms
    percentile: 90 %
    peak_to_mean: 2
    start: 2024-09
"""

TRAINING = """\
  - id: continue
    layer: continue
    model: Qwen/Qwen3-8B
    tokens: 20 B tokens
    sequence_length: 4096
    global_batch: 512
    start: 2024-08
    deadline: 2024-12
"""
"""A third workload, to be put at the end."""

GAP = 0.005
"""The gap to which plans are solved."""


def text(*edits: tuple[str, str], more: str = "") -> str:
    """Return the scenario with some text replaced; every edit must apply, once."""
    made = TEXT + more
    for old, new in edits:
        assert made.count(old) == 1, old
        made = made.replace(old, new)
    return made


def write(folder: Path, *edits: tuple[str, str], more: str = "") -> Path:
    """Write the scenario, changed, into a folder."""
    path = folder / "scenario.yaml"
    path.write_text(text(*edits, more=more), "utf-8")
    return path


def plan(folder: Path, *edits: tuple[str, str], more: str = "") -> Plan:
    """Answer the scenario, changed."""
    return make_plan(write(folder, *edits, more=more))
