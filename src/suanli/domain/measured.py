"""A serving run as a load generator measured it: the load, the lengths, latencies by statistic, rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LATENCIES = ("ttft_seconds", "tpot_seconds", "itl_seconds", "finish_seconds")
"""To the first token; between tokens, by request and by token; the whole request."""
RATES = ("requests_per_s", "output_tokens_per_s", "total_tokens_per_s")
MEAN = "mean"
"""The statistic that is no percentile; a percentile is written p50, p99, p99.9."""

Table = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredRun:
    """One run of a load generator, in SI.

    Requests were sent at `rate_per_s` (None: as fast as allowed) with gaps of a coefficient of variation, no more than
    `concurrency` at once (None: no limit); `load_told` says that the file told so. `inputs` and `outputs` are lengths
    one by one where the file tells them, `input_table` and `output_table` pairs of a share of requests and a length
    where it tells percentiles; `sent_seconds` when each was sent. `values` holds what was measured by (quantity,
    statistic). Means of lengths are None where the file tells none.
    """

    name: str
    tool: str
    model: str = ""
    completed: int = 0
    failed: int = 0
    input_tokens: float | None = None
    output_tokens: float | None = None
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    input_table: Table = ()
    output_table: Table = ()
    sent_seconds: tuple[float, ...] = ()
    rate_per_s: float | None = None
    gap_variation: float = 1.0
    concurrency: float | None = None
    load_told: bool = True
    values: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedValue:
    """One measured value beside the predicted one with its 80 % band; None where `status` says why there is none."""

    run: str
    tool: str
    quantity: str
    statistic: str
    measured: float
    predicted: float | None
    low: float | None
    high: float | None
    error: float | None
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Measured runs beside their predictions, and what had to be assumed."""

    rows: tuple[ComparedValue, ...]
    assumed: tuple[str, ...]
