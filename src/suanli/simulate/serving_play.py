"""Plays traffic through replicas of an engine: routing, replicas that come and go, and what became of every request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from suanli.foundation.equation import FloatArray
from suanli.simulate.compiled import fast
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
    Replicas,
    Requested,
    Rules,
    StepTimes,
    Watch,
    Work,
)
from suanli.simulate.serving_step import advance

SAMPLES_AT_FIRST = 512
"""How many samples the arrivals' span gives; the rest of the rows is for what comes after."""


class Routing(IntEnum):
    """Which replica a request goes to: in turn, the one with least in flight, or the one that holds its beginning."""

    ROUND_ROBIN = 0
    LEAST_LOADED = 1
    PREFIX = 2


class Fleet(NamedTuple):
    """How requests are spread: the routing, and from how many to how many replicas work.

    One replica works for each `flight` requests in flight; a new one takes `start_seconds` to come, one too many goes
    after `idle_seconds`. A replica may be `crowding` times as full as the mean, and some more, for the sake of a prefix.
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


@fast
def play_all(
    work: Work, times: StepTimes, rules: Rules, fleet: Fleet, replicas: Replicas, told: Requested, watch: Watch
) -> float:
    """Play all requests; return for how many seconds replicas stood by, all together.

    The first replicas work; `coming` of the next ones have been asked for.
    """
    active, coming, low_since, spent, counted = fleet.least, 0, -1.0, 0.0, 0.0
    arrives = np.zeros(fleet.most)
    for one in range(len(work.ready_seconds)):
        now = work.ready_seconds[one]
        spent += (active + coming) * (now - counted)
        counted = now
        if fleet.routing != 0 or fleet.most > fleet.least:
            for at in range(fleet.most):
                advance(work, times, rules, replicas, told, watch, at, now)
        while coming > 0 and arrives[active] <= now:
            active, coming = active + 1, coming - 1
        if fleet.most > fleet.least:
            need = wanted(replicas, fleet)
            while need > active + coming:
                arrives[active + coming] = now + fleet.start_seconds
                coming += 1
            if need >= active:
                low_since = -1.0
            elif low_since < 0:
                low_since = now
            elif now - low_since > fleet.idle_seconds and coming == 0:
                active, low_since = active - 1, -1.0
        if fleet.routing == 0:
            chosen = one % active
        elif fleet.routing == 1:
            chosen = least_loaded(replicas, active)
        else:
            chosen = nearest(work, rules, replicas, fleet, active, one)
        advance(work, times, rules, replicas, told, watch, chosen, now)
        replicas.now[chosen] = max(replicas.now[chosen], now)
        told.replica[one] = chosen
        push(work, replicas, told, chosen, one)
    ended = counted
    for at in range(fleet.most):
        advance(work, times, rules, replicas, told, watch, at, np.inf)
        ended = max(ended, replicas.now[at])
    return float(spent + (active + coming) * (ended - counted))


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


def play(work: Work, times: StepTimes, rules: Rules, fleet: Fleet) -> Played:
    """Play requests through replicas that begin empty; the same input plays the same way."""
    many = len(work.ready_seconds)
    told, span = requested(work), float(work.ready_seconds[-1]) if many else 0.0
    blocks = int(work.blocks.max()) + 1 if len(work.blocks) else 0
    replicas = empty_replicas(rules, fleet.most, blocks)
    interval = max(span / SAMPLES_AT_FIRST, 1e-3)
    watch = Watch(
        gaps=np.zeros(GAP_BINS, dtype=np.int64), samples=np.zeros((SAMPLES, 4)), sampling=np.array([0.0, interval, 0.0])
    )
    stood = play_all(work, times, rules, fleet, replicas, told, watch)
    return Played(told=told, replicas=replicas, watch=watch, replica_seconds=stood)
