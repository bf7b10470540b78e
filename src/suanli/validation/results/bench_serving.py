"""Results of vLLM's `vllm bench serve`, of its older benchmark_serving.py, and of SGLang's bench_serving.

One JSON object a run; several stand on a line each where results were appended (SGLang always does). With details,
lengths and times are told request by request; a request that failed has a text in `errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from suanli.domain.measured import MEAN, MeasuredRun
from suanli.validation.results.cells import MILLI, Cells, checked, percentile_of

NAMES = {"ttft": "ttft_seconds", "tpot": "tpot_seconds", "itl": "itl_seconds", "e2el": "finish_seconds"}
SGLANG = {"ttft": "ttft_seconds", "tpot": "tpot_seconds", "itl": "itl_seconds", "e2e_latency": "finish_seconds"}
STATISTIC = re.compile(r"(mean|median|p\d+(?:\.\d+)?)_(\w+)_ms")
RATE_KEYS = {
    "request_throughput": "requests_per_s",
    "output_throughput": "output_tokens_per_s",
    "total_token_throughput": "total_tokens_per_s",
    "total_throughput": "total_tokens_per_s",
}


def is_vllm(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a run of vLLM's load generator, old or new."""
    return "median_ttft_ms" in document and ("num_prompts" in document or "model_id" in document)


def is_sglang(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a run of SGLang's load generator."""
    return "median_ttft_ms" in document and "median_e2e_latency_ms" in document


def read_vllm(cells: Cells, name: str) -> MeasuredRun:
    """Read a run of vLLM's load generator."""
    return _read(cells, name, "vLLM bench serve", NAMES)


def read_sglang(cells: Cells, name: str) -> MeasuredRun:
    """Read a run of SGLang's load generator; `mean_itl_ms` and its like are by token, as vLLM's are."""
    return _read(cells, name, "SGLang bench_serving", SGLANG)


def _read(cells: Cells, name: str, tool: str, names: Mapping[str, str]) -> MeasuredRun:
    completed = int(cells.number("completed", needed=True) or 0)
    inputs, outputs = cells.number("total_input_tokens", needed=True), cells.number("total_output_tokens", needed=True)
    burstiness = cells.number("burstiness") or 1.0
    run = MeasuredRun(
        name=name,
        tool=tool,
        model=cells.text("model_id") or cells.text("model"),
        completed=completed,
        failed=int(cells.number("failed") or 0),
        input_tokens=inputs / completed if inputs and completed else None,
        output_tokens=outputs / completed if outputs and completed else None,
        **_details(cells, completed),
        rate_per_s=cells.number("request_rate") or None,
        gap_variation=burstiness**-0.5,
        concurrency=cells.number("max_concurrency") or None,
        values=_values(cells, names),
    )
    return checked(run, cells, cells.number("duration"), cells.number("num_prompts"))


def _values(cells: Cells, names: Mapping[str, str]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for key in cells.cells:
        told = STATISTIC.fullmatch(str(key))
        if told is None or told.group(2) not in names:
            continue
        word = {"mean": MEAN, "median": "p50"}.get(told.group(1), told.group(1))
        value = cells.number(str(key))
        if value and (word == MEAN or percentile_of(word) is not None):
            found[names[told.group(2)], word] = value / MILLI
    for key, quantity in RATE_KEYS.items():
        value = cells.number(key)
        if value:
            found[quantity, MEAN] = value
    return found


def _details(cells: Cells, completed: int) -> dict[str, Any]:
    """Read lengths and times of the requests that ended, where the file tells them one by one."""
    columns = {key: cells.numbers(key) for key in ("input_lens", "output_lens", "start_times")}
    errors = cells.cells.get("errors")
    many = max(map(len, columns.values()))
    if not many:
        return {}
    good = [not one for one in errors] if isinstance(errors, list) and len(errors) == many else [True] * many
    for key, numbers in columns.items():
        if numbers and len(numbers) != many:
            cells.fault(key, str(len(numbers)), f"{many}")
            return {}
    if sum(good) != completed:
        cells.fault("errors", str(sum(good)), f"{completed}")
        return {}
    kept = {key: [one for one, fine in zip(numbers, good, strict=False) if fine] for key, numbers in columns.items()}
    starts = kept["start_times"]
    first = min(starts) if starts else 0.0
    return {
        "inputs": tuple(max(int(one), 1) for one in kept["input_lens"]),
        "outputs": tuple(max(int(one), 1) for one in kept["output_lens"]),
        "sent_seconds": tuple(one - first for one in starts),
    }
