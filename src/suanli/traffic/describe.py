"""What a trace is like: rate, spread of gaps, lengths, shared beginnings; a stream, in memory that stays flat."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suanli.domain.traffic import IntArray, LengthStatistics, Requests, TrafficStatistics
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

Numbers = NDArray[Any]
HOUR_SECONDS = 3600.0
HOURS = 24
MOST_SEEN = 2_000_000
"""Blocks that are remembered: some 200 MB. Beyond, every second one by its hash is forgotten, and again."""
COMMON = 16
"""A block that so many prompts begin with, twice as many after each forgetting, is never forgotten."""
MIXING = 0x9E3779B97F4A7C15
"""Odd multiplier that spreads neighbouring ids over all 64 bits (Knuth's golden ratio)."""
WORD_BITS = 64


@dataclass(kw_only=True, slots=True)
class Counted:
    """Whole numbers by value: how often each came."""

    values: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    counts: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def add(self, numbers: IntArray) -> None:
        """Count more numbers."""
        values, counts = np.unique(numbers, return_counts=True)
        every = np.concatenate([self.values, values])
        self.values, places = np.unique(every, return_inverse=True)
        self.counts = np.bincount(places, np.concatenate([self.counts, counts]), len(self.values)).astype(np.int64)

    def quantiles(self, shares: Iterable[float]) -> FloatArray:
        """Return quantiles as `numpy.quantile` would of all numbers one by one."""
        reached = np.cumsum(self.counts)
        places = np.asarray(tuple(shares)) * (reached[-1] - 1)
        below, above = np.floor(places), np.ceil(places)
        low = self.values[np.searchsorted(reached, below, side="right")]
        high = self.values[np.searchsorted(reached, above, side="right")]
        return np.asarray(low + (high - low) * (places - below), dtype=float)

    def mean(self, of: Numbers | None = None) -> float:
        """Return the mean of the numbers, or of something that is told for each value."""
        return float(((self.values if of is None else of) * self.counts).sum() / self.counts.sum())

    def spread(self, of: Numbers | None = None) -> float:
        """Return the standard deviation of the numbers, or of something that is told for each value."""
        values = self.values if of is None else of
        return float(np.sqrt(self.mean((values - self.mean(values)) ** 2)))

    def statistics(self) -> LengthStatistics:
        """Sum up; a lognormal is fitted by the spread of their logs, c^2 = exp(sigma^2) - 1."""
        p50, p90, p99 = self.quantiles((0.5, 0.9, 0.99)).tolist()
        sigma = self.spread(np.log(np.maximum(self.values, 1)))
        return LengthStatistics(
            mean=self.mean(), p50=p50, p90=p90, p99=p99, most=int(self.values[-1]),
            fitted_variation=float(np.sqrt(np.expm1(sigma**2))),
        )  # fmt: skip


@dataclass(kw_only=True, slots=True)
class Seen:
    """Blocks at the beginnings of prompts: how many, how many were seen before, and how long before.

    All are remembered while there are few. Then a share of them, chosen by a hash of their id, stands for all, each for
    as many as were forgotten; those that many prompts begin with stand for themselves.
    """

    last: dict[int, int] = field(default_factory=dict)
    often: dict[int, int] = field(default_factory=dict)
    common: set[int] = field(default_factory=set)
    halvings: int = 0
    blocks: int = 0
    looked_at: int = 0
    found: int = 0
    followers: int = 0
    lag: int = 0

    def add(self, number: int, blocks: list[int]) -> None:
        """Note the blocks of the prompt of a request."""
        self.blocks += len(blocks)
        if not self.halvings:
            hits = blocks[: self._beginning(blocks)]
            own = blocks
        else:
            own = [block for block in blocks if block in self.common or self._kept(block)]
            hits = [block for block in own if block in self.last]
        self.looked_at += self._weight(own)
        self.found += self._weight(hits)
        if len(hits) > 1:
            self.followers, self.lag = self.followers + 1, self.lag + number - self.last[hits[-1]]
        for block in hits:
            self.often[block] = self.often.get(block, 0) + 1
        self.last.update(dict.fromkeys(own, number))
        if len(self.last) > MOST_SEEN:
            self._halve()

    def _halve(self) -> None:
        """Forget every second block that is not common."""
        self.halvings += 1
        self.common |= {block for block, many in self.often.items() if many >= COMMON * 2**self.halvings}
        self.last = {block: at for block, at in self.last.items() if block in self.common or self._kept(block)}
        self.often = {block: many for block, many in self.often.items() if block in self.last}

    def _weight(self, blocks: list[int]) -> int:
        """Count blocks, each for as many as it stands for."""
        if not self.halvings:
            return len(blocks)
        exact = sum(block in self.common for block in blocks)
        return exact + (len(blocks) - exact) * 2**self.halvings

    def _beginning(self, blocks: list[int]) -> int:
        found = 0
        for block in blocks:
            if block not in self.last:
                break
            found += 1
        return found

    def _kept(self, block: int) -> bool:
        return bool((block * MIXING) % 2**WORD_BITS < 2 ** (WORD_BITS - self.halvings))


@dataclass(kw_only=True, slots=True)
class Described:
    """What was seen of a trace so far; `hours` counts requests of every hour from its start."""

    requests: int = 0
    first: float = 0.0
    last: float = 0.0
    squares: float = 0.0
    inputs: Counted = field(default_factory=Counted)
    outputs: Counted = field(default_factory=Counted)
    hours: dict[int, int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    block_tokens: int = 0

    def add(self, chunk: Requests) -> None:
        """Note the requests of a chunk, which come after all before."""
        when = chunk.arrival_seconds
        if self.requests == 0:
            self.first = self.last = float(when[0])
        self.squares += float((np.diff(when, prepend=self.last) ** 2).sum())
        self.last = float(when[-1])
        self.inputs.add(chunk.input_tokens)
        self.outputs.add(chunk.output_tokens)
        for hour, many in zip(*np.unique((when / HOUR_SECONDS).astype(np.int64), return_counts=True), strict=True):
            self.hours[int(hour)] = self.hours.get(int(hour), 0) + int(many)
        if len(chunk.block_ids):
            self.block_tokens = chunk.block_tokens
            for at, own in enumerate(_blocks(chunk)):
                self.seen.add(self.requests + at, own)
        self.requests += len(chunk)

    def statistics(self) -> TrafficStatistics:
        """Sum up. `endless_hit_share` is the share of blocks that begin a prompt as an earlier one began."""
        span, gaps = self.last - self.first, self.requests - 1
        mean = span / gaps if gaps else 0.0
        spread = np.sqrt(max(self.squares / gaps - mean**2, 0.0)) if gaps else 0.0
        return TrafficStatistics(
            requests=self.requests,
            span_seconds=span,
            requests_per_s=1 / mean if mean > 0 else 0.0,
            gap_variation=float(spread / mean) if mean > 0 else 0.0,
            busiest_hour_per_s=max(self.hours.values()) / HOUR_SECONDS if span >= HOUR_SECONDS else 0.0,
            inputs=self.inputs.statistics(),
            outputs=self.outputs.statistics(),
            blocks=self.seen.blocks,
            endless_hit_share=self.seen.found / self.seen.looked_at if self.seen.looked_at else 0.0,
        )

    def hours_of_day(self) -> FloatArray:
        """Return requests a second in each hour of the day, over the whole days that are told."""
        days = int((self.last - self.first) // (HOURS * HOUR_SECONDS))
        counts = [self.hours.get(hour, 0) for hour in range(days * HOURS)]
        return np.asarray(np.reshape(counts, (-1, HOURS)).mean(axis=0) / HOUR_SECONDS, dtype=float)

    def follow_requests(self) -> float:
        """Return how many requests before a prompt that follows another one it came, on average."""
        return self.seen.lag / self.seen.followers if self.seen.followers else 0.0


def _blocks(chunk: Requests) -> Iterator[list[int]]:
    ids, ends = chunk.block_ids.tolist(), chunk.block_offsets.tolist()
    for first, last in itertools.pairwise(ends):
        yield ids[first:last]


def described(chunks: Iterable[Requests]) -> Described:
    """Read a stream of requests to its end. Raises InputError where there is none."""
    found = Described()
    for chunk in chunks:
        found.add(chunk)
    if not found.requests:
        raise InputError.single(place=tr("traffic"), found=tr("no requests"), allowed=tr("a table of requests"))
    return found


def describe(chunks: Iterable[Requests]) -> TrafficStatistics:
    """Sum up a stream of requests. Raises InputError where there is none."""
    return described(chunks).statistics()


def lengths_of(tokens: IntArray) -> LengthStatistics:
    """Sum up lengths."""
    counted = Counted()
    counted.add(tokens)
    return counted.statistics()
