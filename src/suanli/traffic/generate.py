"""Traffic generated with a seed: arrivals with a spread, lengths with a spread, conversations that share beginnings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.traffic import IntArray, Requests
from suanli.foundation.equation import FloatArray
from suanli.traffic.formats import OWN_BLOCK_TOKENS

DAY_SECONDS = 86400.0
WARM_TALKS = 5.0
"""So many mean talks before traffic begins, talks begin: of those, less than one in a hundred still lasts."""
EXTRA = 1.1
"""Talks beyond those that are needed on average."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Lengths in tokens, lognormal: their mean, their coefficient of variation, and the most."""

    mean: float
    variation: float
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """What traffic is like: a rate, the coefficient of variation of gaps, lengths, a daily swing, turns of a talk.

    The rate swings by `daily_swing` (0 to 1) around its mean over a day. A talk has `turns` turns on average, whose
    prompts begin with all that was said before; talks begin with the same `system_tokens`.
    """

    rate_per_s: float
    gap_variation: float = 1.0
    inputs: Lengths
    outputs: Lengths
    daily_swing: float = 0.0
    turns: float = 1.0
    think_seconds: float = 30.0
    system_tokens: int = 0


def lengths(random: np.random.Generator, of: Lengths, many: int) -> IntArray:
    """Draw lengths; a mean and a coefficient of variation c of a lognormal give sigma^2 = log(1 + c^2)."""
    sigma = math.sqrt(math.log1p(of.variation**2))
    drawn = np.exp(random.normal(math.log(of.mean) - sigma**2 / 2, sigma, many)) if sigma else np.full(many, of.mean)
    return np.clip(np.rint(drawn), 1, of.most).astype(np.int64)


def arrivals(random: np.random.Generator, mix: Mix, many: int) -> FloatArray:
    """Draw arrivals: Gamma gaps (Poisson at a variation of 1), time stretched where the day is quiet.

    With a swing s the rate at time t is r (1 - s cos(2 pi t / day)); arrivals of an even rate are put where as many
    would have come by then.
    """
    shape = 1 / mix.gap_variation**2
    even = np.cumsum(random.gamma(shape, 1 / (shape * mix.rate_per_s), many))
    even -= even[0]
    if not mix.daily_swing:
        return np.asarray(even)
    turn = 2 * np.pi / DAY_SECONDS
    grid = np.linspace(0.0, even[-1] * 2 + DAY_SECONDS, 2**16)
    come = grid - mix.daily_swing * np.sin(turn * grid) / turn
    return np.asarray(np.interp(even, come, grid))


def generate(mix: Mix, many: int, seed: int) -> Requests:
    """Generate requests; the same seed gives the same bytes."""
    random = np.random.default_rng(seed)
    if mix.turns <= 1 and not mix.system_tokens:
        return _plain(
            arrivals(random, mix, many), lengths(random, mix.inputs, many), lengths(random, mix.outputs, many)
        )
    return _talks(random, mix, many)


def _plain(when: FloatArray, inputs: IntArray, outputs: IntArray) -> Requests:
    nothing = np.zeros(0, dtype=np.int64)
    return Requests(
        arrival_seconds=when, input_tokens=inputs, output_tokens=outputs, priority=np.zeros(len(when), dtype=np.int64),
        block_ids=nothing, block_offsets=np.zeros(len(when) + 1, dtype=np.int64), block_tokens=0,
    )  # fmt: skip


def _talks(random: np.random.Generator, mix: Mix, many: int) -> Requests:
    """Draw talks that are under way already when traffic begins, and turns whose prompts hold all that was said.

    Talks begin at the rate over their mean turns, from so long before that nearly all of the first have ended.
    """
    turns = max(mix.turns, 1.0)
    before = WARM_TALKS * turns * mix.think_seconds
    starting = math.ceil(EXTRA * (many / mix.rate_per_s + before) * mix.rate_per_s / turns) + 1
    starts = arrivals(random, replace(mix, rate_per_s=mix.rate_per_s / turns), starting) - before
    found: list[tuple[float, int, int, int]] = []
    for talk, (start, length) in enumerate(
        zip(starts.tolist(), random.geometric(1 / turns, starting).tolist(), strict=True)
    ):
        said, now = mix.system_tokens, start
        news, answers = lengths(random, mix.inputs, length), lengths(random, mix.outputs, length)
        for new, answer in zip(news.tolist(), answers.tolist(), strict=True):
            if now >= 0:
                found.append((now, said + new, answer, talk))
            said, now = said + new + answer, now + float(random.exponential(mix.think_seconds))
    found.sort()
    kept = found[:many]
    common = mix.system_tokens // OWN_BLOCK_TOKENS
    blocks = [_blocks(talk, inputs // OWN_BLOCK_TOKENS, common) for _, inputs, _, talk in kept]
    plain = _plain(
        np.array([when for when, *_ in kept]) - kept[0][0],
        np.array([inputs for _, inputs, _, _ in kept], dtype=np.int64),
        np.array([outputs for _, _, outputs, _ in kept], dtype=np.int64),
    )
    return replace(
        plain,
        block_ids=np.concatenate(blocks),
        block_offsets=np.concatenate([[0], np.cumsum([len(one) for one in blocks])]).astype(np.int64),
        block_tokens=OWN_BLOCK_TOKENS,
    )


FAR = 2**32
"""More blocks than one talk has: numbers of talks lie so far apart."""


def _blocks(talk: int, many: int, common: int) -> IntArray:
    """Give the blocks of a prompt their numbers: the first are those of all talks, the rest of this one."""
    places = np.arange(many, dtype=np.int64)
    return np.where(places < common, places, (talk + 1) * FAR + places)


def rescaled(requests: Requests, rate_per_s: float) -> Requests:
    """Bring arrivals closer together or apart until they come at a rate on average."""
    span = float(requests.arrival_seconds[-1])
    now = (len(requests) - 1) / span if span > 0 else rate_per_s
    return replace(requests, arrival_seconds=requests.arrival_seconds * (now / rate_per_s))
