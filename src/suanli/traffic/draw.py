"""What traffic is like, and its parts drawn: arrivals with a spread and a day, lengths with a spread or a table."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from suanli.domain.traffic import IntArray, Requests
from suanli.foundation.equation import FloatArray

DAY_SECONDS = 86400.0
GRID = 2**16
"""Points at which a daily curve is added up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Lengths in tokens: lognormal by their mean and coefficient of variation, or by a table; and the most.

    `table` holds pairs of a share of requests and the length that so many stay at or below, both ascending, from 0 to
    1; between two of them lengths are spread evenly. Where it is given, mean and variation only tell of it.
    """

    mean: float
    variation: float
    most: int
    table: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """What traffic is like: a rate, the coefficient of variation of gaps, lengths, a day, talks, shared beginnings.

    The rate swings by `daily_swing` (0 to 1) around its mean over a day, or follows `daily_curve`, relative rates of
    equal parts of a day. A talk has `turns` turns on average, whose prompts begin with all that was said before; talks
    begin with the same `system_tokens` and then with one of `tools` descriptions of `tool_tokens` each. Without talks,
    `shared_share` of prompt blocks of `block_tokens` begin as an earlier prompt did, on average `follow_requests`
    before.
    """

    rate_per_s: float
    gap_variation: float = 1.0
    inputs: Lengths
    outputs: Lengths
    daily_swing: float = 0.0
    daily_curve: tuple[float, ...] = ()
    turns: float = 1.0
    think_seconds: float = 30.0
    system_tokens: int = 0
    tools: int = 0
    tool_tokens: int = 0
    shared_share: float = 0.0
    follow_requests: float = 0.0
    block_tokens: int = 0


def lengths(random: np.random.Generator, of: Lengths, many: int) -> IntArray:
    """Draw lengths; a mean and a coefficient of variation c of a lognormal give sigma^2 = log(1 + c^2)."""
    if of.table:
        shares, tokens = np.asarray(of.table, dtype=float).T
        drawn = np.interp(random.random(many), shares, tokens)
        return _whole(drawn, of.most)
    sigma = math.sqrt(math.log1p(of.variation**2))
    drawn = np.exp(random.normal(math.log(of.mean) - sigma**2 / 2, sigma, many)) if sigma else np.full(many, of.mean)
    return _whole(np.asarray(drawn), of.most)


def _whole(drawn: FloatArray, most: int) -> IntArray:
    return np.asarray(np.clip(np.rint(drawn), 1, most), dtype=np.int64)


def arrivals(random: np.random.Generator, mix: Mix, many: int) -> FloatArray:
    """Draw arrivals: Gamma gaps (Poisson at a variation of 1), time stretched where the day is quiet.

    Arrivals of an even rate are put where as many would have come by then.
    """
    shape = 1 / mix.gap_variation**2
    even = np.cumsum(random.gamma(shape, 1 / (shape * mix.rate_per_s), many))
    even -= even[0]
    if not mix.daily_swing and not mix.daily_curve:
        return np.asarray(even)
    days = math.ceil(float(even[-1]) / DAY_SECONDS) + 1
    grid = np.linspace(0.0, 1.0, GRID)
    return _by_day(even, grid * DAY_SECONDS, _come(mix, grid), days)


def _come(mix: Mix, grid: FloatArray) -> FloatArray:
    """Return which share of a day's requests has come by each share of the day.

    With a swing s the rate at a share x of the day is r (1 - s cos(2 pi x)).
    """
    if mix.daily_curve:
        parts = np.asarray(mix.daily_curve, dtype=float)
        ends = np.concatenate([[0.0], np.cumsum(parts)]) / parts.sum()
        return np.asarray(np.interp(grid, np.linspace(0.0, 1.0, len(ends)), ends))
    return np.asarray(grid - mix.daily_swing * np.sin(2 * np.pi * grid) / (2 * np.pi))


def _by_day(even: FloatArray, at: FloatArray, come: FloatArray, days: int) -> FloatArray:
    """Put arrivals of an even rate, day by day, where the day's curve has let as many in."""
    whole = np.minimum(np.floor(even / DAY_SECONDS), days)
    within = np.interp(even / DAY_SECONDS - whole, come, at)
    return np.asarray(whole * DAY_SECONDS + within)


def without_blocks(when: FloatArray, inputs: IntArray, outputs: IntArray) -> Requests:
    """Write columns as requests whose prompts share nothing."""
    nothing = np.zeros(0, dtype=np.int64)
    return Requests(
        arrival_seconds=when, input_tokens=inputs, output_tokens=outputs, priority=np.zeros(len(when), dtype=np.int64),
        block_ids=nothing, block_offsets=np.zeros(len(when) + 1, dtype=np.int64), block_tokens=0,
    )  # fmt: skip
