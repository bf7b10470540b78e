"""What a trace is like: rate, spread of gaps, lengths, shared beginnings; read as a stream."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from suanli.domain.traffic import IntArray, LengthStatistics, Requests, TrafficStatistics
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

HOUR_SECONDS = 3600.0


def describe(chunks: Iterable[Requests]) -> TrafficStatistics:
    """Sum up a stream of requests. Raises InputError where there is none.

    `endless_hit_share` is the share of blocks that begin a prompt as an earlier one began, all earlier ones kept.
    """
    arrivals, inputs, outputs = [], [], []
    seen: set[int] = set()
    blocks = found = 0
    for chunk in chunks:
        arrivals.append(chunk.arrival_seconds)
        inputs.append(chunk.input_tokens)
        outputs.append(chunk.output_tokens)
        blocks += len(chunk.block_ids)
        found += _hits(chunk, seen)
    if not arrivals:
        raise InputError.single(place=tr("traffic"), found=tr("no requests"), allowed=tr("a table of requests"))
    when = np.concatenate(arrivals)
    span, gaps = float(when[-1]), np.diff(when)
    hours = np.bincount((when / HOUR_SECONDS).astype(np.int64)) / HOUR_SECONDS
    return TrafficStatistics(
        requests=len(when),
        span_seconds=span,
        requests_per_s=(len(when) - 1) / span if span > 0 else 0.0,
        gap_variation=float(gaps.std() / gaps.mean()) if span > 0 else 0.0,
        busiest_hour_per_s=float(hours.max()) if span >= HOUR_SECONDS else 0.0,
        inputs=lengths_of(np.concatenate(inputs)),
        outputs=lengths_of(np.concatenate(outputs)),
        blocks=blocks,
        endless_hit_share=found / blocks if blocks else 0.0,
    )


def _hits(chunk: Requests, seen: set[int]) -> int:
    """Count blocks at the beginnings of prompts that were seen before, and remember all."""
    found = 0
    for at in range(len(chunk)):
        own = chunk.block_ids[chunk.block_offsets[at] : chunk.block_offsets[at + 1]].tolist()
        for block in own:
            if block not in seen:
                break
            found += 1
        seen.update(own)
    return found


def lengths_of(tokens: IntArray) -> LengthStatistics:
    """Sum up lengths; a lognormal is fitted by the spread of their logs, c^2 = exp(sigma^2) - 1."""
    p50, p90, p99 = np.quantile(tokens, (0.5, 0.9, 0.99)).tolist()
    sigma = float(np.log(tokens).std())
    return LengthStatistics(
        mean=float(tokens.mean()), p50=p50, p90=p90, p99=p99, most=int(tokens.max()),
        fitted_variation=float(np.sqrt(np.expm1(sigma**2))),
    )  # fmt: skip
