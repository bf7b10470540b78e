"""Requests that wait at a replica, in compiled code: a skew heap by priority, then by order of arrival.

A request waits at one replica at most, so one pair of links for each request holds the queues of all replicas.
"""

from __future__ import annotations

from suanli.simulate.compiled import fast
from suanli.simulate.serving_state import NOBODY, WAITING, Replicas, Requested, Work


@fast
def before(work: Work, one: int, other: int) -> bool:
    """Say whether a request is served before another."""
    if work.priority[one] != work.priority[other]:
        return bool(work.priority[one] < work.priority[other])
    return one < other


@fast
def merged(work: Work, told: Requested, one: int, other: int) -> int:
    """Merge two heaps and return the first of all."""
    if one == NOBODY:
        return other
    if other == NOBODY:
        return one
    first, second = (one, other) if before(work, one, other) else (other, one)
    here, rest = first, second
    while True:
        next_one = told.queue_right[here]
        told.queue_right[here] = told.queue_left[here]
        if next_one == NOBODY:
            told.queue_left[here] = rest
            return first
        if before(work, next_one, rest):
            told.queue_left[here] = next_one
            here = next_one
        else:
            told.queue_left[here] = rest
            here, rest = rest, next_one


@fast
def push(work: Work, replicas: Replicas, told: Requested, at: int, one: int) -> None:
    """Let a request wait at a replica."""
    told.queue_left[one], told.queue_right[one] = NOBODY, NOBODY
    replicas.queue[at] = merged(work, told, replicas.queue[at], one)
    replicas.counts[at, WAITING] += 1


@fast
def pop(work: Work, replicas: Replicas, told: Requested, at: int) -> int:
    """Take the first of a replica's queue out of it."""
    one = replicas.queue[at]
    replicas.queue[at] = merged(work, told, told.queue_left[one], told.queue_right[one])
    replicas.counts[at, WAITING] -= 1
    return int(one)
