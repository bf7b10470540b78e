"""Exports of DCGM: the text of `dcgmi dmon`, and the Prometheus text of dcgm-exporter, one scrape or many."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from suanli.validation.logs.devices import PERCENT, Tallies
from suanli.validation.logs.found import Found, number_of
from suanli.validation.logs.lines import Line
from suanli.validation.logs.smi import BITS, bits_of, sample_of

ROW = re.compile(r"^\s*GPU(?:-I)? (\d+)\s+(.*)$")
METRIC = re.compile(r"^(DCGM_\w+)\{(.*)\}\s+(\S+)(?:\s+\d+)?\s*$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
BLANK = 2.0**62
"""DCGM writes values beyond this where it knows none."""
WATCHED = {
    "GPUTL": "busy", "SMCLK": "clock", "POWER": "power", "POWR": "power", "TMPTR": "celsius", "FBUSD": "memory",
    "TENSO": "tensor", "SMACT": "active", "DVCCTR": "reasons", "PVIOL": "pviol", "TVIOL": "tviol",
}  # fmt: skip
METRICS = {
    "DCGM_FI_DEV_GPU_UTIL": "busy", "DCGM_FI_DEV_SM_CLOCK": "clock", "DCGM_FI_DEV_POWER_USAGE": "power",
    "DCGM_FI_DEV_GPU_TEMP": "celsius", "DCGM_FI_DEV_FB_USED": "memory", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": "tensor",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": "active", "DCGM_FI_PROF_SM_ACTIVE": "active",
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": "reasons", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": "reasons",
    "DCGM_FI_DEV_POWER_VIOLATION": "pviol", "DCGM_FI_DEV_THERMAL_VIOLATION": "tviol",
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": "limit", "DCGM_FI_DEV_MAX_SM_CLOCK": "most_clock",
}  # fmt: skip
COUNTERS = {"DCGM_FI_DEV_POWER_VIOLATION": "pviol", "DCGM_FI_DEV_THERMAL_VIOLATION": "tviol"}
"""Time slowed so far, in the unit that its own help tells: what grew between two samples was slowed in between."""
LEAST_SLOWED_SECONDS = 0.1
"""A sample in which less was slowed is none that was."""
HELP = re.compile(r"^# HELP (DCGM_\w+) .*\(in (ns|us)\)")
UNITS = {"ns": 1e-9, "us": 1e-6}


@dataclass(kw_only=True, slots=True)
class Scrape:
    """The values of one device that stand together, and the counters of the time before."""

    product: str = ""
    values: dict[str, float] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)


class DcgmReader:
    """Reads an export line by line."""

    tool = "DCGM"

    def __init__(self, file: str) -> None:
        self.file = file
        self.tallies = Tallies()
        self.columns: list[str] = []
        self.scrapes: dict[str, Scrape] = {}
        self.units = dict.fromkeys(COUNTERS.values(), UNITS["ns"])
        self.found = Found(file=file, tool=self.tool)

    def feed(self, line: Line) -> None:
        """Take one line."""
        text = line.text
        if text.startswith("DCGM_"):
            self._metric(line)
        elif text.startswith("# HELP"):
            told = HELP.match(text)
            if told is not None and told.group(1) in COUNTERS:
                self.units[COUNTERS[told.group(1)]] = UNITS[told.group(2)]
        elif text.lstrip("# ").startswith("Entity"):
            self.columns = text.lstrip("# ").split()[1:]
        elif self.columns:
            self._row(line)

    def close(self) -> None:
        """Take the last scrape."""
        for name, scrape in self.scrapes.items():
            self._flush(name, scrape)

    def _row(self, line: Line) -> None:
        told = ROW.match(line.text)
        if told is None:
            return
        cells = told.group(2).split()
        if len(cells) != len(self.columns):
            self.found.cut(line.number)
            return
        scrape = self.scrapes.setdefault(told.group(1), Scrape())
        for column, cell in zip(self.columns, cells, strict=True):
            if column in WATCHED:
                scrape.values[WATCHED[column]] = _number(cell)
        self._flush(told.group(1), scrape)

    def _metric(self, line: Line) -> None:
        told = METRIC.match(line.text)
        if told is None:
            self.found.cut(line.number)
            return
        into = METRICS.get(told.group(1))
        if into is None:
            return
        labels = dict(LABEL.findall(told.group(2)))
        name = "/".join(
            part for part in (labels.get("hostname", labels.get("Hostname", "")), labels.get("gpu", "0")) if part
        )
        scrape = self.scrapes.setdefault(name, Scrape(product=labels.get("modelName", "")))
        if into in scrape.values and into != "active":
            self._flush(name, scrape)
        scrape.values[into] = _number(told.group(3))

    def _flush(self, name: str, scrape: Scrape) -> None:
        values = scrape.values
        if not values:
            return
        if "busy" not in values and "active" in values:
            values["busy"] = values["active"] * PERCENT
        mask = bits_of(f"{values['reasons']:.0f}") if math.isfinite(values.get("reasons", math.nan)) else None
        capped = bool(mask & BITS["capped"]) if mask is not None else self._grew(scrape, "pviol")
        heated = bool(mask & BITS["heated"]) if mask is not None else self._grew(scrape, "tviol")
        self.tallies.add(f"{self.file}:{name}", sample_of(values, scrape.product, capped, heated))
        scrape.before |= {one: values[one] for one in COUNTERS.values() if one in values}
        scrape.values = {}

    def _grew(self, scrape: Scrape, name: str) -> bool | None:
        now, before = scrape.values.get(name), scrape.before.get(name)
        return None if now is None or before is None else (now - before) * self.units[name] >= LEAST_SLOWED_SECONDS


def _number(said: str) -> float:
    value = number_of(said)
    return math.nan if abs(value) >= BLANK else value
