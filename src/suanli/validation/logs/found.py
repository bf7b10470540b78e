"""What a reader gathers of one file while its lines go by: settings, reports of steps, pauses, peaks, timers."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from suanli.domain.training_log import MemoryKind, Pause, PauseKind, Setting, Value
from suanli.foundation.errors import Fault
from suanli.foundation.language import tr

MOST_REPORTS = 2**21
"""With more reports every second one is forgotten, and again: a log of any length takes bounded memory."""
MOST_PAUSES = 2**16
MOST_BROKEN = 20
"""Broken lines that are told by number; the others are counted."""
LAYOUT = frozenset({
    "tensor", "pipeline", "context", "expert", "data", "interleave", "micro_batch", "global_batch", "sequence_tokens",
    "accelerators", "sharding", "recompute", "precision",
})  # fmt: skip
"""Settings whose change begins another run: what was reported before is forgotten."""
CLOCK = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6}))?")
NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
COLUMNS = ("number", "seconds", "rate", "samples", "elapsed", "clock")


def clock_of(text: str) -> float:
    """Return the first date and time of a text in seconds since 1970 by its own clock; NaN where there is none."""
    found = CLOCK.search(text)
    if found is None:
        return math.nan
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:-1])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return math.nan
    fraction = found.group(found.lastindex or 0) if found.groups()[-1] else "0"
    return moment.timestamp() + float(f"0.{fraction}")


def number_of(said: Any) -> float:
    """Read a number as logs print it (`1,024`, `1e-5`, '12 MiB' without its unit); NaN where there is none."""
    if isinstance(said, bool) or said is None:
        return math.nan
    if isinstance(said, int | float):
        return float(said)
    try:
        return float(str(said).replace(",", "").strip())
    except ValueError:
        return math.nan


@dataclass(kw_only=True, slots=True)
class Reports:
    """Reports of steps as growing columns; NaN where a line does not tell one.

    `seconds` of a step, `rate` in tokens/s a device, `samples` in sequences/s of all, `elapsed` and `clock` since the
    run's begin and since 1970.
    """

    columns: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in COLUMNS})
    rank: int = -1
    again: int = 0
    resolution_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.columns["number"])

    @property
    def last(self) -> int:
        """Return the last step reported; 0 where there is none."""
        return int(self.columns["number"][-1]) if len(self) else 0

    def add(self, number: int, rank: int = -1, **told: float) -> None:
        """Add a report, of the first rank that reports; steps done once more replace those that they repeat."""
        if len(self) and rank != self.rank:
            return
        self.rank = rank
        if len(self) and number <= self.last:
            if number == self.last:
                self._merge(told)
                return
            self.again += 1
            self._cut(number)
        for name in COLUMNS:
            self.columns[name].append(float(number) if name == "number" else told.get(name, math.nan))
        if len(self) > MOST_REPORTS:
            self.columns = {name: column[1::2] for name, column in self.columns.items()}

    def _merge(self, told: Mapping[str, float]) -> None:
        for name, value in told.items():
            if math.isnan(self.columns[name][-1]):
                self.columns[name][-1] = value

    def _cut(self, number: int) -> None:
        keep = len(self)
        while keep and self.columns["number"][keep - 1] >= number:
            keep -= 1
        for column in self.columns.values():
            del column[keep:]

    def clear(self) -> None:
        """Forget every report."""
        for column in self.columns.values():
            del column[:]


@dataclass(kw_only=True, slots=True)
class Timer:
    """Sums of a named part of a step, of the fastest and of the slowest rank."""

    least: float = 0.0
    most: float = 0.0
    count: int = 0

    def add(self, least: float, most: float) -> None:
        """Add one report."""
        self.least, self.most, self.count = self.least + least, self.most + most, self.count + 1


@dataclass(kw_only=True, slots=True)
class Found:
    """What one reader found in one file."""

    file: str
    tool: str = ""
    settings: dict[str, Setting] = field(default_factory=dict)
    shape: dict[str, str] = field(default_factory=dict)
    reports: Reports = field(default_factory=Reports)
    pauses: list[Pause] = field(default_factory=list)
    peaks: dict[MemoryKind, float] = field(default_factory=dict)
    timers: dict[str, Timer] = field(default_factory=dict)
    tokens_seen: float | None = None
    skipped: int = 0
    flushes: int = 0
    ended: bool = False
    broken: list[int] = field(default_factory=list)
    broken_count: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Say whether the reader knew anything in the file."""
        return bool(self.settings or len(self.reports) or self.peaks or self.timers or self.shape)

    def say(self, name: str, value: Value | None, line: int) -> None:
        """Note a setting; one that changes the layout after steps were reported begins another run."""
        if value is None:
            return
        before = self.settings.get(name)
        if before is not None and before.value != value and name in LAYOUT and len(self.reports):
            self.reports.clear()
            self.pauses.clear()
            self.peaks.clear()
            self.timers.clear()
        self.settings[name] = Setting(value=value, place=f"{self.file}:{line}" if line else self.file)

    def say_all(self, told: Mapping[str, Value | None], line: int) -> None:
        """Note several settings of one line."""
        for name, value in told.items():
            self.say(name, value, line)

    def pause(self, kind: PauseKind, step: int, seconds: float = 0.0) -> None:
        """Note a pause; one that is told again at its step is not another one."""
        if any(one.kind is kind and one.step == step for one in self.pauses[-2:]):
            return
        if len(self.pauses) < MOST_PAUSES:
            self.pauses.append(Pause(kind=kind, step=step, seconds=seconds))

    def peak(self, kind: MemoryKind, size: float) -> None:
        """Note a peak of memory; the highest counts."""
        if math.isfinite(size) and size > 0:
            self.peaks[kind] = max(size, self.peaks.get(kind, 0.0))

    def time(self, name: str, least: float, most: float) -> None:
        """Note what a named part of a step took on the fastest and on the slowest rank."""
        self.timers.setdefault(name, Timer()).add(least, most)

    def cut(self, line: int) -> None:
        """Note a line that begins as one of this tool's and cannot be read."""
        self.broken_count += 1
        if len(self.broken) < MOST_BROKEN:
            self.broken.append(line)

    def fault(self, line: int, found: str, allowed: str) -> None:
        """Note something wrong that cannot be passed over."""
        place = f"{self.file}:{line}" if line else self.file
        self.faults.append(Fault(place=place, found=found, allowed=allowed))


def whole(said: Any) -> int | None:
    """Read a whole number above 0, None where there is none."""
    value = number_of(said)
    return int(value) if math.isfinite(value) and value >= 1 and value == int(value) else None


def flag(said: Any) -> bool | None:
    """Read yes or no as any of the tools prints it; None where it is neither."""
    text = str(said).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    return False if text in ("false", "0", "no", "off", "none", "null", "") else None


def broken_note(found: Iterable[Found]) -> list[str]:
    """Say of each file how many of its lines could not be read, and which."""
    notes = []
    for one in found:
        if one.broken_count:
            numbers = ", ".join(map(str, one.broken)) + (" ..." if one.broken_count > len(one.broken) else "")
            told = {"file": one.file, "count": one.broken_count, "numbers": numbers}
            notes.append(tr("{file}: {count} lines were cut or garbled and left out: {numbers}", **told))
    return notes
