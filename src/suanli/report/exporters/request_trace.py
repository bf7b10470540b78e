"""Writes replayed traffic as trace events in JSON, which Perfetto and Chrome's own viewer open.

A replica is a process; each of its requests is a row of its own: waiting, its prompt, its answer. Counters of all
replicas show how many run and wait, and how full the caches are. Moments are microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np

from suanli.domain.traffic import Served, TrafficResult
from suanli.foundation.language import tr

MICROSECONDS = 1e6
DECIMALS = 3
MOST_DRAWN = 20_000
"""Requests that a trace shows, from the first on: more than a viewer scrolls through."""
FLEET = 0
"""The process of counters over all replicas."""
Event = dict[str, Any]


def request_trace(result: TrafficResult) -> bytes:
    """Write traffic as one JSON document: `traceEvents`, and under `otherData` what the trace is of."""
    drawn = min(result.requests, MOST_DRAWN)
    events = [*_names(result.served, drawn), *_requests(result.served, drawn), *_counters(result)]
    told = {
        "requests": result.requests, "drawn": drawn, "span_seconds": result.span_seconds, "replicas": result.replicas,
        "version": f"suanli {version('suanli')}",
    }  # fmt: skip
    document = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": told}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _process(replica: int) -> int:
    return replica + 1


def _names(served: Served, drawn: int) -> Iterator[Event]:
    yield {"ph": "M", "name": "process_name", "pid": FLEET, "args": {"name": tr("all replicas")}}
    for replica in np.unique(served.replica[:drawn]).tolist():
        name = tr("replica {number}", number=replica + 1)
        yield {"ph": "M", "name": "process_name", "pid": _process(replica), "args": {"name": name}}


def _requests(served: Served, drawn: int) -> Iterator[Event]:
    """Draw each request that was served as three phases, one after the other."""
    for at in np.flatnonzero(~np.isnan(served.finish_seconds[:drawn])).tolist():
        came = float(served.arrival_seconds[at])
        moments = [came + float(one[at]) for one in (served.queue_seconds, served.ttft_seconds, served.finish_seconds)]
        told = {"hit_tokens": int(served.hit_tokens[at]), "preempted": int(served.preempted[at])}
        common = {"cat": "request", "id": at, "pid": _process(int(served.replica[at])), "tid": 0}
        begin = came
        for name, end in zip(("queue", "prompt", "answer"), moments, strict=True):
            yield {"ph": "b", "name": name, "ts": _microseconds(begin), "args": told, **common}
            yield {"ph": "e", "name": name, "ts": _microseconds(end), **common}
            begin = end


def _counters(result: TrafficResult) -> Iterator[Event]:
    for seconds, running, waiting, share in result.samples.tolist():
        common = {"ph": "C", "pid": FLEET, "ts": _microseconds(seconds)}
        yield {**common, "name": "requests", "args": {"running": running, "waiting": waiting}}
        yield {**common, "name": "cache share", "args": {"used": round(share, DECIMALS)}}


def _microseconds(seconds: float) -> float:
    return round(seconds * MICROSECONDS, DECIMALS)
