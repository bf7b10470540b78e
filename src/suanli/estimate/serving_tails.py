"""Tails of a fleet under arrivals: replicas played step by step, as many as hold targets at a percentile.

Importing this needs the extra `compiled`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.traffic import Fleet, Requests, Targets, TrafficResult
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_traffic import Pool, play_apart, play_traffic
from suanli.foundation.equation import FloatArray

ROUTING = "least-loaded"
MOST_TIMES = 8
"""Replicas are tried up to this multiple of those that the mean rate asks for; what needs more is out of reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleets:
    """A fleet to play: its replicas, how many stand (`prefills` 0 where the same ones do both)."""

    decode: Replica
    replicas: int
    prefill: Replica | None = None
    prefills: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Targets that so great a share of requests must keep; None where a latency has none."""

    targets: Targets
    percentile: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Grown:
    """The least fleet that holds the targets at the percentile (`held`), or the largest tried; plays it took."""

    fleet: Fleets
    result: TrafficResult
    held: bool
    plays: int


def play_fleet(fleet: Fleets, requests: Requests, targets: Targets) -> TrafficResult:
    """Play requests through a fleet."""
    decode = Pool(replica=_of(fleet.decode, requests), fleet=_standing(fleet.replicas))
    if fleet.prefill is None:
        return play_traffic(decode, requests, targets)
    prefill = Pool(replica=_of(fleet.prefill, requests), fleet=_standing(fleet.prefills))
    return play_apart(prefill, decode, requests, targets)


def _standing(replicas: int) -> Fleet:
    return Fleet(least=replicas, most=replicas, routing=ROUTING)


def _of(replica: Replica, requests: Requests) -> Replica:
    """Open a replica for the lengths that are played."""
    setup = replace(
        replica.setup,
        input_tokens=float(np.mean(requests.input_tokens)),
        output_tokens=float(np.mean(requests.output_tokens)),
    )
    return replace(replica, setup=setup)


def percentile_of(values: FloatArray, percentile: float) -> float:
    """Return what a share of the requests that were served stays below."""
    known = values[~np.isnan(values)]
    return float(np.quantile(known, percentile)) if len(known) else 0.0


def holds_first(result: TrafficResult, asked: Asked) -> bool:
    """Say whether the share of requests has its first token in time, and none is turned away."""
    limit = asked.targets.ttft_seconds
    done = result.refused == 0
    return done and (limit is None or percentile_of(result.served.ttft_seconds, asked.percentile) <= limit)


def holds_later(result: TrafficResult, asked: Asked) -> bool:
    """Say whether the share of requests gets its further tokens in time."""
    limit = asked.targets.tpot_seconds
    return limit is None or percentile_of(result.served.tpot_seconds, asked.percentile) <= limit


def grown(fleet: Fleets, requests: Requests, asked: Asked) -> Grown:
    """Find the least replicas that hold the targets at the percentile, from what the mean rate asks for on.

    Replicas that do both grow until both targets hold. Apart, decode grows for its tokens and prefill for the first.
    """
    played: dict[tuple[int, int], TrafficResult] = {}

    def result_of(one: Fleets) -> TrafficResult:
        key = (one.prefills, one.replicas)
        if key not in played:
            played[key] = play_fleet(one, requests, asked.targets)
        return played[key]

    if fleet.prefill is None:
        count = _least(
            fleet.replicas,
            lambda many: (
                holds_first(result := result_of(replace(fleet, replicas=many)), asked) and holds_later(result, asked)
            ),
        )
        found = replace(fleet, replicas=count)
    else:
        first = _least(fleet.prefills, lambda many: holds_first(result_of(replace(fleet, prefills=many)), asked))
        with_first = replace(fleet, prefills=first)
        count = _least(fleet.replicas, lambda many: holds_later(result_of(replace(with_first, replicas=many)), asked))
        found = replace(with_first, replicas=count)
    result = result_of(found)
    return Grown(
        fleet=found, result=result, held=holds_first(result, asked) and holds_later(result, asked), plays=len(played)
    )


def _least(start: int, holds: Callable[[int], bool]) -> int:
    """Return the least number from `start` on at which something holds; the most tried where nothing does."""
    low, step, high = start, 1, start
    while not holds(high):
        if high >= MOST_TIMES * start:
            return high
        low, high = high + 1, min(high + step, MOST_TIMES * start)
        step *= 2
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high
