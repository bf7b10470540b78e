"""A trace scaled, as a stream: a window of time, thinned or copied to another rate, stretched, with other lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suanli.domain.traffic import IntArray, Requests
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

Chunks = Callable[[], Iterable[Requests]]
"""Opens a trace from its beginning; a rate that is asked for takes a pass of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """What becomes of a trace, in this order; None and 1 leave it as it is.

    Requests from `from_seconds` until before `until_seconds` are kept, as many at random as bring the rate down to
    `thin_to_per_s`, `copies` of each spread over the gap to the next, time drawn out by `stretch`, prompts and answers
    longer by a factor, and arrivals brought closer together or apart to `rate_per_s`.
    """

    from_seconds: float | None = None
    until_seconds: float | None = None
    thin_to_per_s: float | None = None
    copies: int = 1
    stretch: float = 1.0
    input_factor: float = 1.0
    output_factor: float = 1.0
    rate_per_s: float | None = None


def scaled(chunks: Chunks, scaling: Scaling, seed: int) -> Iterator[Requests]:
    """Yield the scaled requests of a trace; the same seed keeps the same ones.

    Raises InputError where nothing is left, or it is to be thinned to more than it has.
    """
    yield from _rated(lambda: _changed(chunks, scaling, seed), scaling.rate_per_s)


def _rated(chunks: Chunks, rate_per_s: float | None) -> Iterator[Requests]:
    factor = 1.0 if rate_per_s is None else rate_of(chunks()) / rate_per_s
    for chunk in chunks():
        yield chunk if factor == 1.0 else replace(chunk, arrival_seconds=chunk.arrival_seconds * factor)


def _changed(chunks: Chunks, scaling: Scaling, seed: int) -> Iterator[Requests]:
    random = np.random.default_rng(seed)
    share = 1.0
    if scaling.thin_to_per_s is not None:
        now = rate_of(_window(chunks(), scaling))
        share = scaling.thin_to_per_s / now
        if share > 1:
            raise InputError.single(
                place="--thin-to", found=f"{scaling.thin_to_per_s:g}",
                allowed=tr("at most the trace's own rate, {rate} a second", rate=f"{now:.4g}"),
            )  # fmt: skip
    start = None
    for chunk in _window(chunks(), scaling):
        kept = chunk if share == 1.0 else chosen(chunk, random.random(len(chunk)) < share)
        if not len(kept):
            continue
        start = float(kept.arrival_seconds[0]) if start is None else start
        yield _lengthened(
            _copied(random, replace(kept, arrival_seconds=kept.arrival_seconds - start), scaling), scaling
        )


def _window(chunks: Iterable[Requests], scaling: Scaling) -> Iterator[Requests]:
    """Yield what came within the window."""
    first = scaling.from_seconds if scaling.from_seconds is not None else -np.inf
    last = scaling.until_seconds if scaling.until_seconds is not None else np.inf
    for chunk in chunks:
        if float(chunk.arrival_seconds[0]) >= last:
            return
        inside = (chunk.arrival_seconds >= first) & (chunk.arrival_seconds < last)
        if inside.all():
            yield chunk
        elif inside.any():
            yield chosen(chunk, inside)


def chosen(requests: Requests, keep: NDArray[np.bool_]) -> Requests:
    """Keep the requests of which it is said so, with their blocks."""
    many = np.diff(requests.block_offsets)
    return Requests(
        arrival_seconds=requests.arrival_seconds[keep],
        input_tokens=requests.input_tokens[keep],
        output_tokens=requests.output_tokens[keep],
        priority=requests.priority[keep],
        block_ids=requests.block_ids[np.repeat(keep, many)],
        block_offsets=np.concatenate([[0], np.cumsum(many[keep])]).astype(np.int64),
        block_tokens=requests.block_tokens,
    )


def _copied(random: np.random.Generator, chunk: Requests, scaling: Scaling) -> Requests:
    """Put copies of every request into the gap to the next one, each copy with beginnings of its own."""
    copies, many = scaling.copies, len(chunk)
    if copies == 1:
        return chunk
    gaps = np.append(np.diff(chunk.arrival_seconds), 0.0)
    moved = np.sort(random.random((many, copies)) * gaps[:, None], axis=1)
    moved[:, 0] = 0.0
    own = np.diff(chunk.block_offsets)
    rows = np.repeat(np.arange(many), copies)
    starts, sizes = chunk.block_offsets[:-1][rows], own[rows]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, sizes)
    number = np.repeat(np.tile(np.arange(copies), many), sizes)
    return Requests(
        arrival_seconds=(chunk.arrival_seconds[:, None] + moved).ravel(),
        input_tokens=chunk.input_tokens[rows],
        output_tokens=chunk.output_tokens[rows],
        priority=chunk.priority[rows],
        block_ids=chunk.block_ids[places] * copies + number,
        block_offsets=offsets,
        block_tokens=chunk.block_tokens,
    )


def _lengthened(chunk: Requests, scaling: Scaling) -> Requests:
    def longer(tokens: IntArray, factor: float) -> IntArray:
        return tokens if factor == 1.0 else np.maximum(np.rint(tokens * factor), 1).astype(np.int64)

    return replace(
        chunk,
        arrival_seconds=chunk.arrival_seconds * scaling.stretch,
        input_tokens=longer(chunk.input_tokens, scaling.input_factor),
        output_tokens=longer(chunk.output_tokens, scaling.output_factor),
    )


def rate_of(chunks: Iterable[Requests]) -> float:
    """Return the mean rate of a trace. Raises InputError where it has fewer than two requests at different times."""
    many, first, last = 0, 0.0, 0.0
    for chunk in chunks:
        first = float(chunk.arrival_seconds[0]) if many == 0 else first
        many, last = many + len(chunk), float(chunk.arrival_seconds[-1])
    if last <= first:
        allowed = tr("requests at two times at least, for a rate")
        raise InputError.single(place=tr("traffic"), found=tr("{count} requests", count=many), allowed=allowed)
    return (many - 1) / (last - first)
