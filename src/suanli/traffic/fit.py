"""What a trace is like, fitted as a stream: a mix that generates something like it, tails included."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from suanli.domain.traffic import Requests, TrafficStatistics
from suanli.traffic.describe import Counted, Described, described
from suanli.traffic.draw import DAY_SECONDS, Lengths, Mix

SHARES = (
    0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75,
    0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999, 0.9995, 1.0,
)  # fmt: skip
"""Shares of requests whose lengths a table keeps: finer where the tail is."""


def fitted_mix(chunks: Iterable[Requests]) -> Mix:
    """Fit a mix to a stream of requests: rate, spread of gaps, lengths as tables, a daily curve where it tells days.

    What prompts share is fitted where the trace tells blocks. Raises InputError where there is no request.
    """
    found = described(chunks)
    told = found.statistics()
    return Mix(
        rate_per_s=told.requests_per_s or 1.0,
        gap_variation=max(told.gap_variation, np.finfo(float).eps) if told.requests_per_s else 1.0,
        inputs=fitted_lengths(found.inputs),
        outputs=fitted_lengths(found.outputs),
        daily_curve=_curve(found, told),
        shared_share=told.endless_hit_share,
        follow_requests=found.follow_requests(),
        block_tokens=found.block_tokens,
    )


def fitted_lengths(counted: Counted) -> Lengths:
    """Fit a table of quantiles to lengths that were counted."""
    table = tuple(zip(SHARES, counted.quantiles(SHARES).tolist(), strict=True))
    mean = counted.mean()
    return Lengths(mean=mean, variation=counted.spread() / mean, most=int(counted.values[-1]), table=table)


def _curve(found: Described, told: TrafficStatistics) -> tuple[float, ...]:
    """Return relative rates of the hours of a day, nothing where the trace tells no whole day."""
    if told.span_seconds < DAY_SECONDS:
        return ()
    hours = found.hours_of_day()
    return tuple((hours / hours.mean()).tolist()) if hours.min() > 0 else ()
