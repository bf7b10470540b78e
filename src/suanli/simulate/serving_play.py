"""Plays traffic through replicas of an engine: routing, replicas that come and go, and what became of every request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from suanli.foundation.equation import FloatArray
from suanli.simulate.compiled import entry, fast
from suanli.simulate.serving_cache import hits
from suanli.simulate.serving_queue import push
from suanli.simulate.serving_state import (
    COUNTS,
    GAP_BINS,
    NEWEST,
    NOBODY,
    OLDEST,
    RUNNING,
    SAMPLES,
    WAITING,
    IntArray,
    Replicas,
    Requested,
    Rules,
    StepTimes,
    Watch,
    Work,
)
from suanli.simulate.serving_step import advance
from suanli.simulate.uncounted import uncounted

SAMPLES_AT_FIRST = 512
"""How many samples the arrivals' span gives; the rest of the rows is for what comes after."""


ROUND_ROBIN, LEAST_LOADED, PREFIX = range(3)
"""Which replica a request goes to: in turn, the one with least in flight, or the one that holds its beginning."""


class Fleet(NamedTuple):
    """How requests are spread: the routing, and from how many to how many replicas work.

    One replica works for each `flight` requests in flight; a new one takes `start_seconds` to come, one too many goes
    after `idle_seconds`. A replica may be `crowding` times as full as the mean, and some more, for a prefix's sake.
    """

    routing: int
    least: int
    most: int
    flight: float
    start_seconds: float
    idle_seconds: float
    crowding: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What became of the requests, the replicas' counts, gaps and samples, and for how long replicas stood by."""

    told: Requested
    replicas: Replicas
    watch: Watch
    replica_seconds: float


@fast
def load_of(replicas: Replicas, at: int) -> int:
    """Count the requests in flight on a replica."""
    return int(replicas.counts[at, RUNNING] + replicas.counts[at, WAITING])


@fast
def least_loaded(replicas: Replicas, active: int) -> int:
    """Return the replica with the fewest requests in flight, the first of equals."""
    best = 0
    for at in range(1, active):
        if load_of(replicas, at) < load_of(replicas, best):
            best = at
    return best


@fast
def nearest(work: Work, rules: Rules, replicas: Replicas, fleet: Fleet, active: int, one: int) -> int:
    """Return the replica that holds most of a prompt's beginning and is not crowded; else the least loaded."""
    total = 0
    for at in range(active):
        total += load_of(replicas, at)
    bound = fleet.crowding * (total / active + 1)
    best, most = least_loaded(replicas, active), 0
    for at in range(active):
        if load_of(replicas, at) <= bound:
            found = hits(work, rules, replicas, at, one)
            if found > most:
                best, most = at, found
    return best


@fast
def wanted(replicas: Replicas, fleet: Fleet) -> int:
    """Say how many replicas the requests in flight ask for, with one more to come."""
    total = 1
    for at in range(fleet.most):
        total += load_of(replicas, at)
    return int(min(max(np.ceil(total / fleet.flight), fleet.least), fleet.most))


class Standing(NamedTuple):
    """Which replicas work: counts of those that do and of those asked for, and when each of these comes.

    `counts` holds how many work and how many are coming, `seconds` since when there are too many (NOBODY: there are
    not), until when standing by was counted, and how long it was.
    """

    counts: IntArray
    seconds: FloatArray
    comes: FloatArray


ACTIVE, COMING = range(2)
LOW_SINCE, COUNTED, STOOD = range(3)


@fast
def resize(replicas: Replicas, fleet: Fleet, standing: Standing, now: float) -> None:
    """Count what stood by until now, let in replicas that have come, ask for more or send one away."""
    counts, seconds = standing.counts, standing.seconds
    seconds[STOOD] += (counts[ACTIVE] + counts[COMING]) * (now - seconds[COUNTED])
    seconds[COUNTED] = now
    if fleet.most == fleet.least:
        return
    need = wanted(replicas, fleet)
    while need > counts[ACTIVE] + counts[COMING]:
        standing.comes[counts[ACTIVE] + counts[COMING]] = now + fleet.start_seconds
        counts[COMING] += 1
    while counts[COMING] > 0 and standing.comes[counts[ACTIVE]] <= now:
        counts[ACTIVE], counts[COMING] = counts[ACTIVE] + 1, counts[COMING] - 1
    if need >= counts[ACTIVE]:
        seconds[LOW_SINCE] = NOBODY
    elif seconds[LOW_SINCE] < 0:
        seconds[LOW_SINCE] = now
    elif now - seconds[LOW_SINCE] > fleet.idle_seconds and counts[COMING] == 0:
        counts[ACTIVE], seconds[LOW_SINCE] = counts[ACTIVE] - 1, NOBODY


@fast
def chosen(work: Work, rules: Rules, replicas: Replicas, fleet: Fleet, active: int, one: int) -> int:
    """Return the replica that a request goes to."""
    if fleet.routing == ROUND_ROBIN:
        return one % active
    if fleet.routing == LEAST_LOADED:
        return int(least_loaded(replicas, active))
    return int(nearest(work, rules, replicas, fleet, active, one))


@entry
def play_all(
    work: Work, times: StepTimes, rules: Rules, fleet: Fleet, replicas: Replicas, told: Requested, watch: Watch,
    standing: Standing,
) -> None:  # fmt: skip
    """Play all requests. Replicas that nobody looks at yet work on when their next request comes."""
    work, times, told, watch = uncounted(work), uncounted(times), uncounted(told), uncounted(watch)
    replicas, standing = uncounted(replicas), uncounted(standing)
    looked_at = fleet.routing != ROUND_ROBIN or fleet.most > fleet.least
    for one in range(len(work.ready_seconds)):
        now, turn = work.ready_seconds[one], one % fleet.least
        for at in range(0 if looked_at else turn, fleet.most if looked_at else turn + 1):
            advance(work, times, rules, replicas, told, watch, at, now)
        resize(replicas, fleet, standing, now)
        at = chosen(work, rules, replicas, fleet, standing.counts[ACTIVE], one)
        replicas.now[at] = max(replicas.now[at], now)
        told.replica[one] = at
        push(work, replicas, told, at, one)
    ended = standing.seconds[COUNTED]
    for at in range(fleet.most):
        advance(work, times, rules, replicas, told, watch, at, np.inf)
        ended = max(ended, replicas.now[at])
    standing.seconds[STOOD] += (standing.counts[ACTIVE] + standing.counts[COMING]) * (ended - standing.seconds[COUNTED])


def requested(work: Work) -> Requested:
    """Make the columns of requests that nothing has happened to."""
    many = len(work.ready_seconds)
    never: FloatArray = np.full(many, float(NOBODY))
    zero = np.zeros(many, dtype=np.int64)
    return Requested(
        replica=zero - 1,
        admitted_seconds=never,
        first_seconds=never.copy(),
        finish_seconds=never.copy(),
        last_seconds=never.copy(),
        preempted=zero.copy(),
        hit_tokens=zero.copy(),
        left_prompt=zero.copy() if work.prefilled else work.inputs.copy(),
        left_outputs=work.outputs.copy(),
        cached=work.inputs.copy() if work.prefilled else zero.copy(),
        private=zero.copy(),
        holds=zero.copy(),
        swapped=zero.copy(),
        chunk=zero.copy(),
        queue_left=zero - 1,
        queue_right=zero - 1,
    )


def empty_replicas(rules: Rules, many: int, blocks: int) -> Replicas:
    """Make replicas with nothing to do and nothing in their caches."""
    counts = np.zeros((many, COUNTS), dtype=np.int64)
    counts[:, OLDEST], counts[:, NEWEST] = NOBODY, NOBODY
    nobody = np.full((many, max(blocks, 1)), NOBODY, dtype=np.int64)
    return Replicas(
        now=np.zeros(many),
        busy_seconds=np.zeros(many),
        queue=np.full(many, NOBODY, dtype=np.int64),
        counts=counts,
        running=np.zeros((many, rules.sequence_limit), dtype=np.int64),
        users=nobody,
        older=nobody.copy(),
        newer=nobody.copy(),
    )


def empty_watch(span_seconds: float) -> Watch:
    """Make a watch that has seen nothing, of traffic that comes over a span of time."""
    interval = max(span_seconds / SAMPLES_AT_FIRST, 1e-3)
    return Watch(
        gaps=np.zeros(GAP_BINS, dtype=np.int64), samples=np.zeros((SAMPLES, 4)), sampling=np.array([0.0, interval, 0.0])
    )


def play(work: Work, times: StepTimes, rules: Rules, fleet: Fleet) -> Played:
    """Play requests through replicas that begin empty; the same input plays the same way."""
    many = len(work.ready_seconds)
    told, span = requested(work), float(work.ready_seconds[-1]) if many else 0.0
    blocks = int(work.blocks.max()) + 1 if len(work.blocks) else 0
    replicas = empty_replicas(rules, fleet.most, blocks)
    watch = empty_watch(span)
    standing = Standing(
        counts=np.array([fleet.least, 0], dtype=np.int64),
        seconds=np.array([NOBODY, 0.0, 0.0]),
        comes=np.zeros(fleet.most),
    )
    play_all(work, times, rules, fleet, replicas, told, watch, standing)
    return Played(told=told, replicas=replicas, watch=watch, replica_seconds=float(standing.seconds[STOOD]))
