"""Traffic to a serving engine: requests with their arrival, lengths, and what of their prompts others share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suanli.foundation.equation import FloatArray

IntArray = NDArray[np.int64]
ROUTINGS = ("round-robin", "least-loaded", "prefix")
"""Ways to spread requests over replicas, in the order of their numbers in compiled code."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """Requests in order of arrival, one a row of every column.

    `arrival_seconds` counts from the start of the traffic, `input_tokens` and `output_tokens` are at least 1.
    `priority` is 0 for the first to be served, larger for later. The prompt of request i begins with the blocks
    `block_ids[block_offsets[i]:block_offsets[i + 1]]` of `block_tokens` tokens each: equal ids are equal text after
    equal beginnings, so that a cache may keep them. A prompt without ids shares nothing.
    """

    arrival_seconds: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    priority: IntArray
    block_ids: IntArray
    block_offsets: IntArray
    block_tokens: int

    def __len__(self) -> int:
        """Return how many requests there are."""
        return len(self.arrival_seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """Replicas that serve traffic, and how requests are spread over them.

    `routing` is round-robin, least-loaded or prefix. With more `most` than `least` replicas, one works for each
    `flight` requests in flight: a new one comes `start_seconds` after it was asked for, one too many goes after
    `idle_seconds`. A replica that holds a prompt's beginning may be `crowding` times as full as the mean for its sake.
    """

    least: int = 1
    most: int = 1
    routing: str = "round-robin"
    flight: float = 0.0
    start_seconds: float = 0.0
    idle_seconds: float = 0.0
    crowding: float = 1.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """The longest waits that count as served well; None where there is no such target."""

    ttft_seconds: float | None = None
    tpot_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What became of each request, one a row; seconds are since its arrival, nan for what was turned away.

    `tpot_seconds` is nan for answers of one token. `hit_tokens` of its prompt were found in a cache, `preempted` is how
    often it had to make room.
    """

    arrival_seconds: FloatArray
    queue_seconds: FloatArray
    ttft_seconds: FloatArray
    tpot_seconds: FloatArray
    finish_seconds: FloatArray
    replica: IntArray
    hit_tokens: IntArray
    preempted: IntArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantiles:
    """A quantity over requests (or over tokens): its mean and what so many percent of them stay below."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrafficResult:
    """Traffic through replicas of an engine: who was served how, by percentile, and how full the replicas were.

    `itl` is over tokens after the first, `good_share` the share of all requests that met every target, `goodput_per_s`
    their rate. `samples` are rows of seconds, requests running, requests waiting, share of the cache in use.
    `replica_seconds` is for how long replicas stood by, all together.
    """

    requests: int
    completed: int
    refused: int
    preempted: int
    span_seconds: float
    prompt_tokens: int
    computed_tokens: int
    output_tokens: int
    hit_share: float
    ttft: Quantiles
    tpot: Quantiles
    itl: Quantiles
    finish: Quantiles
    queue: Quantiles
    requests_per_s: float
    output_tokens_per_s: float
    good_share: float
    goodput_per_s: float
    busy_share: float
    replica_seconds: float
    replicas: int
    steps: int
    samples: FloatArray
    served: Served
    assumed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthStatistics:
    """Lengths in tokens: mean, percentiles, the most, and the coefficient of variation of the lognormal they fit."""

    mean: float
    p50: float
    p90: float
    p99: float
    most: int
    fitted_variation: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrafficStatistics:
    """What a trace is like: rate, spread of gaps, lengths, and what a cache without end would find of its prompts."""

    requests: int
    span_seconds: float
    requests_per_s: float
    gap_variation: float
    busiest_hour_per_s: float
    inputs: LengthStatistics
    outputs: LengthStatistics
    blocks: int
    endless_hit_share: float
