"""Writes a timeline as trace events in JSON, which Perfetto and Chrome's own viewer open.

A stage is a process with three tracks of slices and one of counters: turns; arithmetic by cause; traffic that nothing
hides by cause, of the stage itself and of the exchange between replicas on a track each. Moments are microseconds.
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


TIMELINE_TARGETS.add("chrome-trace", chrome_trace)


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
        "version": f"suanli {version('suanli')}",
    }


def _stage_events(stage: StageTimeline, stages: int) -> Iterator[Event]:
    yield _named("process_name", stage.stage, TURNS, tr("stage {stage} of {stages}", stage=stage.stage, stages=stages))
    order = {"sort_index": stage.stage}
    yield {"ph": "M", "name": "process_sort_index", "pid": stage.stage, "tid": TURNS, "args": order}
    for track, name in TRACKS.items():
        yield _named("thread_name", stage.stage, track, name)
    for one in stage.slices:
        yield from _slice_events(one, stage.stage)
    for moment, held in stage.activation_bytes:
        yield {
            "ph": "C", "name": "memory bytes", "pid": stage.stage, "tid": TURNS, "ts": _microseconds(moment),
            "args": {"settled": round(stage.settled_bytes), "activations": round(held)},
        }  # fmt: skip


def _named(what: str, process: int, track: int, name: str) -> Event:
    return {"ph": "M", "name": what, "pid": process, "tid": track, "args": {"name": name}}


def _slice_events(one: Slice, stage: int) -> Iterator[Event]:
    """Draw a slice, and what it consists of one after the other on the tracks beside it."""
    told: dict[str, Any] = {"seconds": one.seconds}
    if one.micro_batch is not None:
        told.update(micro_batch=one.micro_batch, chunk=one.chunk)
    label = one.name if one.micro_batch is None else f"{one.name} {one.micro_batch}"
    yield _span(label, stage, TURNS, one.begin_seconds, one.seconds, told)
    moment = one.begin_seconds
    for cause, seconds in one.parts:
        track = (DATA if one.micro_batch is None else TRAFFIC) if cause.endswith(EXPOSED) else ARITHMETIC
        yield _span(cause, stage, track, moment, seconds, {})
        moment += seconds


def _microseconds(seconds: float) -> float:
    return round(seconds * MICROSECONDS, DECIMALS)


def _span(name: str, process: int, track: int, begin: float, seconds: float, told: Event) -> Event:
    """Write a complete event; its end is rounded as the next one's begin is, so that neighbours do not overlap."""
    start = _microseconds(begin)
    lasting = round(_microseconds(begin + seconds) - start, DECIMALS)
    event = {"ph": "X", "name": name, "pid": process, "tid": track, "ts": start, "dur": lasting}
    return {**event, "args": told} if told else event
