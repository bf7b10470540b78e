"""A burst: requests that are all sent at once, let in by the front end, prefilled, and drained as answers end.

Answers are equally long, or as long as those of published conversations are around their mean. The burst is a fluid of
two amounts, waiting and decoding, that is followed round by round: step by step until the places are taken for the
first time. The engine stands still while it takes in a request.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace

import numpy as np

from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_runs import RunFigures, steady_run
from suanli.estimate.serving_steady import Column, Demand, demand_of
from suanli.estimate.serving_step import StepLoad, step_seconds

GRID_POINTS = 12
"""Numbers of decoding sequences at which a step is timed; between them it is read off a line."""
DRAIN_ROUNDS = 40.0
"""Rounds in which an answer of mean length is followed."""
MOST_ROUNDS = 4000
"""Rounds after which a burst is taken as drained (a guard; none of the published ones needs a tenth)."""
EVEN = 1e-9
"""How much of a step rounding may cost."""
LAST = 0.5
"""Requests left at which a burst is over: less than one, to the nearest."""
FOLLOWED_WAVES = 3
"""Waves of an offline run that are followed: the first, the last, and one to part them."""
ALIKE = ((1.0, 1.0),)
"""Shares of answers and their lengths over the mean, where all are equally long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Clock:
    """Seconds of a decode step, and of one with a full chunk, by sequences in decode; of one prompt's chunk alone."""

    decoding: Column
    alone: Column
    with_chunk: Column
    least: float

    def step(self, decoding: float, chunk_share: float) -> float:
        """Return the seconds of a step that carries a share of a full chunk."""
        alone = float(np.interp(decoding, self.decoding, self.alone))
        return alone + chunk_share * (float(np.interp(decoding, self.decoding, self.with_chunk)) - alone)

    def chunk(self, chunk_share: float) -> float:
        """Return the seconds of a step of nothing but a share of a full chunk."""
        full = float(self.with_chunk[0])
        return min(self.least, full) + chunk_share * max(full - self.least, 0.0)


@dataclass(kw_only=True, slots=True)
class _Course:
    """What has happened so far: seconds and steps gone, requests started and decoding, and when each start was.

    `lengths` are shares of all answers and their lengths over the mean; `ends` says after how many steps how many
    answers end.
    """

    lengths: tuple[tuple[float, float], ...]
    seconds: float = 0.0
    steps: float = 0.0
    started: float = 0.0
    decoding: float = 0.0
    starts: list[tuple[float, float, float]] = field(default_factory=list)
    ends: list[tuple[float, float]] = field(default_factory=list)
    marks: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])

    def pass_time(self, seconds: float, steps: float) -> None:
        """Let seconds go by, in which each decoding sequence took part in so many steps."""
        self.seconds += seconds
        self.steps += steps
        self.marks.append((self.steps, self.seconds))

    def start(self, prompts: float, steps: float) -> None:
        """Let prompts begin to decode, for so many steps on average."""
        self.started += prompts
        self.decoding += prompts
        self.starts.append((self.seconds, prompts, self.steps))
        for share, length in self.lengths:
            heapq.heappush(self.ends, (self.steps + length * steps, prompts * share))

    def drain(self) -> None:
        """Let answers end that had to by now."""
        while self.ends and self.ends[0][0] <= self.steps * (1 + EVEN):
            self.decoding -= heapq.heappop(self.ends)[1]


def burst_run(replica: Replica, requests: float, alike: bool = False) -> RunFigures:
    """Return the figures of so many requests sent at once, their answers equally long or as published ones are."""
    demand = demand_of(replica)
    places = min(requests, max(demand.resident, 1.0))
    lengths = (
        ALIKE if alike else tuple(zip(replica.constants.answer_shares, replica.constants.answer_lengths, strict=True))
    )
    clock, course = _clock(replica, demand, places), _Course(lengths=lengths)
    for _ in range(MOST_ROUNDS):
        if requests - course.started < LAST and course.decoding < LAST:
            break
        _advance(replica, demand, clock, course, requests, places)
    waited = sum(count * seconds for seconds, count, _ in course.starts) / max(course.started, LAST)
    return RunFigures(
        ttft_seconds=waited + replica.engine.request_seconds,
        tpot_seconds=_mean_between_tokens(replica, demand, course),
        requests_per_s=requests / course.seconds,
        resident=places,
    )


def _clock(replica: Replica, demand: Demand, places: float) -> _Clock:
    """Time steps at a grid of decoding sequences; without mixing a chunk is a step of its own."""
    grid = np.concatenate([[0.0], np.geomspace(1.0, max(places, 2.0), GRID_POINTS)])
    spread, chunk = np.maximum(grid / replica.at_once, np.minimum(grid, 1.0)), _chunk(demand)
    nothing = np.zeros_like(grid)
    load = StepLoad(
        decoding=np.stack([spread, spread if replica.engine.mixes else nothing]),
        context=demand.context,
        verified=demand.verified,
        prompt_tokens=np.stack([nothing, nothing + chunk]),
        prompts=np.stack([nothing, nothing + chunk / demand.chunk]),
        prompt_context=demand.prompt_context,
    )
    alone, with_chunk = np.broadcast_to(step_seconds(replica, load), (2, len(grid)))
    one = StepLoad(prompt_tokens=demand.chunk, prompts=1 / demand.chunks, prompt_context=demand.prompt_context)
    least = float(step_seconds(replica, one))
    return _Clock(decoding=grid, alone=np.asarray(alone), with_chunk=np.asarray(with_chunk), least=least)


def _chunk(demand: Demand) -> float:
    """Prompt tokens of a full chunk: as many prompts as the budget holds, or a part of one."""
    return max(demand.budget // demand.prompt * demand.prompt, demand.chunk)


def _advance(replica: Replica, demand: Demand, clock: _Clock, course: _Course, requests: float, places: float) -> None:
    """Follow the burst for one round of decode steps, with prompt chunks in or between them where somebody waits."""
    waiting = max(min(requests - course.started, places - course.decoding), 0.0)
    each = _chunk(demand) / demand.prompt * replica.at_once
    first, whole = waiting > LAST and course.started < places, max(1 / each, 1.0)
    steps = whole if first else max(demand.steps / DRAIN_ROUNDS, whole)
    prompts = min(waiting, steps * each) if waiting > LAST else 0.0
    if prompts and not replica.engine.mixes:
        prompts = min(prompts, whole * each)
        steps, seconds = 0.0, whole * clock.chunk(prompts / each / whole)
    else:
        seconds = steps * clock.step(course.decoding, prompts / each / steps)
    course.pass_time(seconds + prompts * replica.engine.front_seconds, steps)
    course.drain()
    if prompts:
        course.start(prompts, demand.steps)


def offline_run(replica: Replica, requests: float) -> RunFigures:
    """Return the figures of an offline benchmark: equal requests that wait in the queue from the start.

    Its first and last waves are followed; those between pass as in the steady state.
    """
    free = replace(replica, engine=replace(replica.engine, front_seconds=0.0, request_seconds=0.0))
    places = max(demand_of(free).resident, 1.0)
    between = max(math.floor(requests / places) - FOLLOWED_WAVES, 0) * places
    ends = burst_run(free, requests - between, alike=True)
    if not between:
        return ends
    steady = steady_run(free, places)
    seconds = (requests - between) / ends.requests_per_s + between / steady.requests_per_s
    return replace(ends, requests_per_s=requests / seconds, tpot_seconds=steady.tpot_seconds)


def _mean_between_tokens(replica: Replica, demand: Demand, course: _Course) -> float:
    """Mean over requests of their own time between tokens: from their start, over answers short and long."""
    steps, seconds = np.asarray(course.marks).T
    begun, count, at = np.asarray(course.starts).T
    shares, relative = np.asarray(course.lengths).T
    lengths = relative * demand.steps
    ends = np.interp(at[:, None] + lengths, steps, seconds)
    tokens = np.maximum(lengths * replica.setup.outputs_after_first / demand.steps, 1.0)
    each = (ends - begun[:, None]) / tokens @ shares
    return float(np.sum(each * count) / np.sum(count))
