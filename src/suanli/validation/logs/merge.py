"""What several files of one run tell together: the best told steps, settings that fill each other in, all devices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suanli.domain.training_log import DeviceUse, MemoryKind, Pause, PauseKind, Setting, StepTimes
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.validation.logs.found import Found, Reports, Timer, broken_note

ONE_RUN = ("tensor", "pipeline", "context", "expert", "accelerators")
"""Settings that files of one run cannot tell differently."""
ORDER = ("Megatron-LM", "torchtitan", "DeepSpeed", "Axolotl", "LLaMA-Factory", "Hugging Face Trainer")
"""Whose settings count first."""
RESOLVED = 20.0
"""Where a log tells whole units of time, a report must cover so many of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLog:
    """What all files of one run tell.

    `settings` are by the names of a training question's fields, and a few more; `shape` are columns that tell a
    model's shape. `peaks` are bytes by kind; `timers` mean seconds of a step by name, the fastest and the slowest rank.
    """

    tools: tuple[str, ...]
    settings: Mapping[str, Setting]
    shape: Mapping[str, str]
    reports: Reports
    pauses: tuple[Pause, ...] = ()
    peaks: Mapping[MemoryKind, float] = field(default_factory=dict)
    timers: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tokens_seen: float | None = None
    skipped_steps: int = 0
    allocator_flushes: int = 0
    last_step: int = 0
    last_clock_seconds: float | None = None
    ended: bool = False
    devices: tuple[DeviceUse, ...] = ()
    notes: tuple[str, ...] = ()


def merged(found: Sequence[Found], devices: tuple[DeviceUse, ...]) -> RunLog:
    """Put together what files tell. Raises InputError where they are of two runs."""
    ordered = sorted(found, key=lambda one: ORDER.index(one.tool) if one.tool in ORDER else len(ORDER))
    _one_run(ordered)
    settings: dict[str, Setting] = {}
    shape: dict[str, str] = {}
    for one in ordered:
        for name, setting in one.settings.items():
            settings.setdefault(name, setting)
        shape = shape or one.shape
    main = max(ordered, key=lambda one: _worth(one.reports), default=None)
    reports = main.reports if main is not None else Reports()
    clock = max((one.reports.columns["clock"][-1] for one in ordered if len(one.reports)), default=math.nan)
    done = settings.get("steps_done")
    return RunLog(
        tools=tuple(dict.fromkeys(one.tool for one in ordered)),
        settings=settings,
        shape=shape,
        reports=reports,
        pauses=tuple(_pauses(ordered)),
        peaks=_peaks(ordered, devices),
        timers=_timers(ordered),
        tokens_seen=max((one.tokens_seen for one in ordered if one.tokens_seen is not None), default=None),
        skipped_steps=max((one.skipped for one in ordered), default=0),
        allocator_flushes=sum(one.flushes for one in ordered),
        last_step=max(reports.last, int(done.value) if done is not None else 0),
        last_clock_seconds=None if math.isnan(clock) else clock,
        ended=any(one.ended for one in ordered),
        devices=devices,
        notes=tuple(_notes(ordered)),
    )


def _worth(reports: Reports) -> tuple[bool, bool, int]:
    """Say how well reports tell steps: with their own seconds, finely, many."""
    return len(reports) > 1, not reports.resolution_seconds, len(reports)


def _one_run(found: Sequence[Found]) -> None:
    faults = []
    for name in ONE_RUN:
        told = [one.settings[name] for one in found if name in one.settings]
        for other in told[1:]:
            if other.value != told[0].value:
                allowed = tr("{value}, as {place} tells: files of one run", value=told[0].value, place=told[0].place)
                faults.append(Fault(place=other.place, found=f"{name} = {other.value}", allowed=allowed))
    if faults:
        raise InputError(faults)


def _pauses(found: Sequence[Found]) -> list[Pause]:
    known: dict[tuple[PauseKind, int], Pause] = {}
    for one in found:
        for pause in one.pauses:
            before = known.get((pause.kind, pause.step))
            if before is None or not before.seconds > 0:
                known[pause.kind, pause.step] = pause
    return sorted(known.values(), key=lambda pause: pause.step)


def _peaks(found: Sequence[Found], devices: Sequence[DeviceUse]) -> dict[MemoryKind, float]:
    told: dict[MemoryKind, float] = {}
    for one in found:
        for kind, size in one.peaks.items():
            told[kind] = max(size, told.get(kind, 0.0))
    seen = [use.memory_bytes for use in devices if math.isfinite(use.memory_bytes) and use.memory_bytes > 0]
    if seen:
        told[MemoryKind.DEVICE] = max(*seen, told.get(MemoryKind.DEVICE, 0.0)) if len(seen) > 1 else seen[0]
    return told


def _timers(found: Sequence[Found]) -> dict[str, tuple[float, float]]:
    sums: dict[str, Timer] = {}
    for one in found:
        sums |= one.timers
    return {name: (timer.least / timer.count, timer.most / timer.count) for name, timer in sums.items()}


def _notes(found: Sequence[Found]) -> list[str]:
    notes = broken_note(found)
    for one in found:
        if one.reports.again:
            told = {"file": one.file, "count": one.reports.again}
            notes.append(tr("{file}: the run went back to an earlier step {count} times; the last pass counts", **told))
    return notes


def step_times(reports: Reports, tokens: float | None, sequences: float | None, accelerators: int) -> StepTimes | None:
    """Turn reports into seconds of a step, by the finest that they tell; None where they tell no time at all.

    `tokens` and `sequences` are those of a step, where they are known: rates become seconds with them.
    """
    columns = {name: np.asarray(column, dtype=np.float64) for name, column in reports.columns.items()}
    if not len(reports):
        return None
    if reports.resolution_seconds and np.all(np.isfinite(columns["elapsed"])):
        rows = _resolved(columns["elapsed"], reports.resolution_seconds)
        columns = {name: column[rows] for name, column in columns.items()}
    number = columns["number"].astype(np.int64)
    covers = np.maximum(np.diff(number, prepend=0), 1)
    wall = _differences(columns["clock"])
    spent = _differences(columns["elapsed"])
    wall = np.where(np.isnan(wall), spent, wall)
    told = [columns["seconds"]]
    if tokens:
        told.append(tokens / (np.maximum(columns["rate"], 1e-9) * accelerators))
    if sequences:
        told.append(sequences / np.maximum(columns["samples"], 1e-9))
    told += [spent / covers, wall / covers]
    seconds = next((one for one in told if np.any(one > 0)), None)
    if seconds is None:
        return None
    keep = np.isfinite(seconds) & (seconds > 0)
    return StepTimes(
        number=number[keep], covers=covers[keep], seconds=seconds[keep], wall_seconds=wall[keep],
        resolution_seconds=reports.resolution_seconds,
    )  # fmt: skip


def _differences(column: FloatArray) -> FloatArray:
    """Return what a clock went on between reports; NaN for the first, and where it went back."""
    gone = np.diff(column, prepend=np.nan)
    return np.where(gone > 0, gone, np.nan)


def _resolved(elapsed: FloatArray, resolution_seconds: float) -> NDArray[np.int64]:
    """Return the rows that lie many units of their clock apart; the first and the last where the whole log is short."""
    rows = [0]
    for row, seconds in enumerate(elapsed):
        if seconds - elapsed[rows[-1]] >= RESOLVED * resolution_seconds:
            rows.append(row)
    return np.asarray(rows if len(rows) > 1 else sorted({0, len(elapsed) - 1}), dtype=np.int64)
