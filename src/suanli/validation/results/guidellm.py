"""Results of GuideLLM (benchmarks.json, benchmarks.yaml): several benchmarks of one sweep in a file.

Latencies stand under `metrics` by status. `inter_token_latency_ms` leaves the first token out, request by request;
`time_per_output_token_ms` counts it and is left aside. `request_latency` is in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suanli.domain.measured import MEAN, MeasuredRun, Table
from suanli.validation.results.cells import MILLI, Cells, checked, percentile_of, statistics

SUCCESSFUL = "successful"
LATENCY_KEYS = {
    "time_to_first_token_ms": ("ttft_seconds", MILLI),
    "inter_token_latency_ms": ("tpot_seconds", MILLI),
    "request_latency": ("finish_seconds", 1.0),
}
RATE_KEYS = {
    "requests_per_second": "requests_per_s",
    "output_tokens_per_second": "output_tokens_per_s",
    "tokens_per_second": "total_tokens_per_s",
}
TOLD = ("p50", "p75", "p90", "p95", "p99")
"""Percentiles of latencies that are compared; the lower ones say nothing that a plan needs."""
PERCENTILES = ("p001", "p01", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p999")
OWN_WORDS = {"p001": "p0.1", "p01": "p1", "p05": "p5", "p999": "p99.9"}
CONCURRENT = ("concurrent", "throughput")


def is_guidellm(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a report of GuideLLM."""
    runs = document.get("benchmarks")
    return isinstance(runs, list) and bool(runs) and isinstance(runs[0], Mapping) and "metrics" in runs[0]


def read_guidellm(cells: Cells, name: str) -> list[MeasuredRun]:
    """Read all benchmarks of a report."""
    runs = []
    for number, told in enumerate(cells.cells["benchmarks"]):
        part = Cells(
            place=f"{cells.place}.benchmarks[{number}]", cells=told if isinstance(told, Mapping) else {},
            faults=cells.faults,
        )  # fmt: skip
        runs.append(_run(part, f"{name}[{number}]"))
    return runs


def _run(cells: Cells, name: str) -> MeasuredRun:
    config = cells.under("config") if "config" in cells.cells else cells.under("args")
    strategy, metrics = config.under("strategy"), cells.under("metrics")
    kind = strategy.text("type_") or strategy.text("kind")
    totals = metrics.under("request_totals") if "request_totals" in metrics.cells else cells.under("request_totals")
    inputs, outputs = (metrics.under(key, SUCCESSFUL) for key in ("prompt_token_count", "output_token_count"))
    values: dict[tuple[str, str], float] = {}
    for key, (quantity, factor) in LATENCY_KEYS.items():
        values |= {
            (quantity, word): value for word, value in _distribution(metrics.under(key, SUCCESSFUL), factor).items()
        }
    for key, quantity in RATE_KEYS.items():
        rate = metrics.under(key, SUCCESSFUL).number("mean")
        if rate:
            values[quantity, MEAN] = rate
    streams = strategy.number("streams") or strategy.number("max_concurrency")
    run = MeasuredRun(
        name=name,
        tool="GuideLLM",
        model=config.under("backend").text("model") or config.under("backend").text("target_model"),
        completed=int(totals.number(SUCCESSFUL, needed=True) or 0),
        failed=int(totals.number("errored") or 0),
        input_tokens=inputs.number("mean", needed=True),
        output_tokens=outputs.number("mean", needed=True),
        input_table=_table(inputs),
        output_table=_table(outputs),
        rate_per_s=None if kind in (*CONCURRENT, "synchronous") else strategy.number("rate") or None,
        gap_variation=1.0 if kind == "poisson" else EVEN,
        concurrency=1.0 if kind == "synchronous" else streams or None,
        load_told=bool(kind) and (kind in (*CONCURRENT, "synchronous") or bool(strategy.number("rate"))),
        values=values,
    )
    return checked(run, cells, None)


EVEN = 0.01
"""Gaps of a constant rate: a Gamma spread so small that they are even."""


def _distribution(part: Cells, factor: float) -> dict[str, float]:
    shares = part.under("percentiles")
    found = statistics(part, (("mean", MEAN),), factor)
    return found | statistics(shares, ((key, key) for key in TOLD), factor)


def _table(part: Cells) -> Table:
    """Read percentiles of lengths as a table from the shortest to the longest."""
    low, high = part.number("min"), part.number("max")
    told = statistics(part.under("percentiles"), ((key, OWN_WORDS.get(key, key)) for key in PERCENTILES), 1.0)
    pairs = sorted((share, value) for word, value in told.items() if (share := percentile_of(word)) is not None)
    if not pairs or low is None or high is None or low == high:
        return ()
    return ((0.0, low), *pairs, (1.0, high))
