"""Writes a timeline as trace events in JSON, which Perfetto and Chrome's own viewer open.

A stage is a process with three tracks of slices and one of counters, of memory by cause: turns; arithmetic by cause;
traffic that nothing hides by cause, of the stage itself and of the exchange between replicas on a track each. Moments
are microseconds.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from suanli.domain.timeline import Slice, StageTimeline, Timeline
from suanli.foundation.language import tr
from suanli.report.exporters.targets import TIMELINE_TARGETS

TARGET = "chrome-trace"
MICROSECONDS = 1e6
DECIMALS = 3
"""Digits of a microsecond: a nanosecond is the finest that viewers show."""
EXPOSED = "_exposed"
TURNS, ARITHMETIC, TRAFFIC, DATA = range(2 * 2)
TRACKS = {TURNS: "turns", ARITHMETIC: "arithmetic", TRAFFIC: "exposed traffic", DATA: "data-parallel traffic"}
Event = dict[str, Any]


def chrome_trace(timeline: Timeline) -> bytes:
    """Write a timeline as one JSON document: `traceEvents`, and under `otherData` what the trace is of."""
    events = [event for stage in timeline.stages for event in _stage_events(stage, len(timeline.stages))]
    document = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": metadata(timeline)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


TIMELINE_TARGETS.add(TARGET, chrome_trace)


def metadata(timeline: Timeline) -> dict[str, Any]:
    """Say what a trace is of; `step_seconds` is as played, `estimated_step_seconds` as the formulas have it."""
    return {
        "step_seconds": timeline.step_seconds,
        "estimated_step_seconds": timeline.estimated_seconds,
        "model": timeline.model,
        "system": timeline.system,
        "layout": dataclasses.asdict(timeline.layout),
        "micro_batches": timeline.micro_batches,
        "turns": timeline.turns,
        "turns_drawn": timeline.drawn,
        "memory_peak": dataclasses.asdict(timeline.peak),
        "version": f"suanli {version('suanli')}",
    }


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where a stage's events go: numbers of its process and tracks, of which no two are alike in a trace.

    Viewers take a track with its process's number, or with number 0, for something else.
    """

    process: int
    first_track: int

    def event(self, kind: str, name: str, track: int = TURNS, **told: Any) -> Event:
        """Make an event of this stage."""
        return {"ph": kind, "name": name, "pid": self.process, "tid": self.first_track + track, **told}


def _stage_events(stage: StageTimeline, stages: int) -> Iterator[Event]:
    place = _Place(process=stage.stage + 1, first_track=stages + 1 + stage.stage * len(TRACKS))
    name = tr("stage {stage} of {stages}", stage=stage.stage, stages=stages)
    yield place.event("M", "process_name", args={"name": name})
    yield place.event("M", "process_sort_index", args={"sort_index": stage.stage})
    for track, name in TRACKS.items():
        yield place.event("M", "thread_name", track, args={"name": name})
        yield place.event("M", "thread_sort_index", track, args={"sort_index": track})
    for one in stage.slices:
        yield from _slice_events(one, place)
    for held in stage.held:
        told = {cause: round(size) for cause, size in held.bytes_by_cause.items()}
        yield place.event("C", "memory bytes", ts=_microseconds(held.moment_seconds), args=told)


def _slice_events(one: Slice, place: _Place) -> Iterator[Event]:
    """Draw a slice, and what it consists of one after the other on the tracks beside it."""
    told: dict[str, Any] = {"seconds": one.seconds}
    if one.micro_batch is not None:
        told.update(micro_batch=one.micro_batch, chunk=one.chunk)
    label = one.name if one.micro_batch is None else f"{one.name} {one.micro_batch}"
    yield place.event("X", label, TURNS, **_span(one.begin_seconds, one.seconds), args=told)
    moment = one.begin_seconds
    for cause, seconds in one.parts:
        track = (DATA if one.micro_batch is None else TRAFFIC) if cause.endswith(EXPOSED) else ARITHMETIC
        yield place.event("X", cause, track, **_span(moment, seconds))
        moment += seconds


def _microseconds(seconds: float) -> float:
    return round(seconds * MICROSECONDS, DECIMALS)


def _span(begin_seconds: float, seconds: float) -> dict[str, float]:
    """Say when an event begins and how long it lasts; its end is rounded as the next one's begin is."""
    start = _microseconds(begin_seconds)
    return {"ts": start, "dur": round(_microseconds(begin_seconds + seconds) - start, DECIMALS)}
