"""Results of NVIDIA's AIPerf and of GenAI-Perf before it: profile_export_*.json, and the same as a table (.csv).

Metrics have a unit, an average and percentiles. `inter_token_latency` leaves the first token out, request by request.
The load stands under `input_config`, whose shape changed with versions; a table tells no load at all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from suanli.domain.measured import MEAN, MeasuredRun, Table
from suanli.foundation.errors import InputError
from suanli.foundation.units import to_si
from suanli.validation.results.cells import Cells, checked, percentile_of, statistics

LATENCY_KEYS = {
    "time_to_first_token": "ttft_seconds",
    "inter_token_latency": "tpot_seconds",
    "request_latency": "finish_seconds",
}
RATE_KEYS = {
    "request_throughput": "requests_per_s",
    "output_token_throughput": "output_tokens_per_s",
    "total_token_throughput": "total_tokens_per_s",
}
TOLD = ("avg", "p50", "p75", "p90", "p95", "p99")
"""Statistics of latencies that are compared; lower percentiles say nothing that a plan needs."""
WORDS = ("avg", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "min", "max")
HEADING = "Metric"
EVEN = 0.01
"""Gaps of a constant rate: a Gamma spread so small that they are even."""


def is_aiperf(document: Mapping[str, Any]) -> bool:
    """Say whether an object is an export of AIPerf or GenAI-Perf."""
    told = document.get("request_latency")
    return isinstance(told, Mapping) and "unit" in told and "avg" in told


def read_aiperf(cells: Cells, name: str) -> MeasuredRun:
    """Read an export."""
    values: dict[tuple[str, str], float] = {}
    for key, quantity in LATENCY_KEYS.items():
        part = cells.under(key)
        for word, value in _distribution(part, TOLD).items():
            values[quantity, word] = value / _per_unit(part)
    for key, quantity in RATE_KEYS.items():
        rate = cells.under(key).number("avg")
        if rate:
            values[quantity, MEAN] = rate
    inputs, outputs = cells.under("input_sequence_length"), cells.under("output_sequence_length")
    run = MeasuredRun(
        name=name,
        tool="AIPerf" if "aiperf_version" in cells.cells or "benchmark_duration" in cells.cells else "GenAI-Perf",
        completed=int(cells.under("request_count").number("avg", needed=True) or 0),
        failed=int(cells.under("error_request_count").number("avg") or 0),
        input_tokens=inputs.number("avg", needed=True),
        output_tokens=outputs.number("avg", needed=True),
        input_table=_table(inputs),
        output_table=_table(outputs),
        values=values,
        **_load(cells.under("input_config")),
    )
    return checked(run, cells, _seconds(cells.under("benchmark_duration")))


def _distribution(part: Cells, words: Iterable[str]) -> dict[str, float]:
    return statistics(part, ((word, MEAN if word == "avg" else word) for word in words), 1.0)


def _per_unit(part: Cells) -> float:
    """Return how many of a metric's unit are a second."""
    unit = part.text("unit") or "ms"
    try:
        return 1 / to_si(1.0, {"sec": "s", "seconds": "s"}.get(unit, unit), "s", part.place)
    except InputError as error:
        part.faults.extend(error.faults)
        return 1.0


def _seconds(part: Cells) -> float | None:
    value = part.number("avg")
    return None if value is None else value / _per_unit(part) if part.text("unit") else value


def _table(part: Cells) -> Table:
    told = _distribution(part, WORDS)
    low, high = told.get("min"), told.get("max")
    pairs = sorted((share, value) for word, value in told.items() if (share := percentile_of(word)) is not None)
    if not pairs or low is None or high is None or low == high:
        return ()
    return ((0.0, low), *pairs, (1.0, high))


def _load(config: Cells) -> dict[str, Any]:
    """Read how requests were sent, in the shape of any version: phases, loadgen, stimulus, or flat."""
    phases = config.cells.get("phases")
    if isinstance(phases, list) and phases:
        told = next((one for one in phases if isinstance(one, Mapping) and one.get("name") == "profiling"), phases[-1])
        part = Cells(
            place=f"{config.place}.phases", cells=told if isinstance(told, Mapping) else {}, faults=config.faults
        )
        rate, even = part.number("rate"), part.text("type") == "constant"
    else:
        part = config.under("loadgen") if "loadgen" in config.cells else config.under("perf_analyzer", "stimulus")
        part = part if part.cells else config
        rate, even = part.number("request_rate"), part.text("request_rate_mode") == "constant"
    flight = part.number("concurrency")
    names = config.under("endpoint").text("model_names") or config.text("models") or config.text("model")
    return {
        "model": names or config.text("model_names"),
        "rate_per_s": rate or None,
        "gap_variation": EVEN if even else 1.0,
        "concurrency": flight or None,
        "load_told": bool(rate or flight),
    }


def is_aiperf_table(text: str) -> bool:
    """Say whether a text is an export as a table."""
    first = text.lstrip("\ufeff").splitlines()[0] if text.strip() else ""
    return first.split(",")[0].strip() == HEADING and "avg" in first


def table_document(text: str) -> dict[str, Any]:
    """Turn an export as a table into the document that the JSON export would be, without its load."""
    document: dict[str, Any] = {}
    headings: list[str] = []
    for row in csv.reader(io.StringIO(text.lstrip("\ufeff"))):
        if not row or not row[0].strip():
            headings = []
        elif row[0].strip() == HEADING:
            headings = [cell.strip() for cell in row[1:]]
        elif headings:
            name, _, unit = row[0].partition("(")
            key = name.strip().lower().replace(" ", "_").replace("-", "_")
            words = ["avg"] if headings == ["Value"] else headings
            cells = {word: cell.replace(",", "") for word, cell in zip(words, row[1:], strict=False) if cell.strip()}
            document[key] = {**cells, **({"unit": unit.rstrip(") ")} if unit else {})}
    return document
