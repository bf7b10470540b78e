"""Exports of nvidia-smi: --query-gpu=... --format=csv (with its heading), dmon, and the default table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from suanli.validation.logs.devices import MEGAHERTZ, PERCENT, Sample, Tallies
from suanli.validation.logs.found import Found, number_of
from suanli.validation.logs.lines import Line

MEBIBYTE = 2.0**20
UNIT = re.compile(r"\s*\[[^\]]*\]\s*$")
VALUE = re.compile(r"^([-+]?\d+(?:\.\d+)?)\s*(?:%|MiB|MHz|W|C)?$")
BITS = {"capped": 0x04, "heated": 0xE8}
"""Bits of active reasons: software's power cap; heat, told by software or hardware, and the hardware's own brake."""
REASONS = re.compile(r"clocks_(?:throttle|event)_reasons\.(\w+)")
HEATED = ("hw_slowdown", "hw_thermal_slowdown", "sw_thermal_slowdown", "hw_power_brake_slowdown")
NAMES = {
    "utilization.gpu": "busy", "clocks.sm": "clock", "clocks.current.sm": "clock", "clocks.max.sm": "most_clock",
    "power.draw": "power", "power.draw.average": "power", "power.limit": "limit", "enforced.power.limit": "limit",
    "temperature.gpu": "celsius", "memory.used": "memory",
}  # fmt: skip
DMON = {"pwr": "power", "gtemp": "celsius", "sm": "busy", "pclk": "clock", "fb": "memory"}
PRODUCT = re.compile(r"^\|\s+(\d+)\s+(\S.*?)\s+(?:On|Off|N/A)\s*\|\s*[0-9A-Fa-f]{8}:")
STATE = re.compile(r"(\d+)C\s+P\d+\s+([\d.]+|N/A)W? / +([\d.]+|N/A)W?\s*\|\s*(\d+)MiB\s*/\s*\d+MiB\s*\|\s*(\d+|N/A)%?")


def value_of(said: str) -> float:
    """Read a value with or without its unit; NaN for `[N/A]` and its like."""
    told = VALUE.match(said.strip())
    return float(told.group(1)) if told else math.nan


def sample_of(
    told: Mapping[str, float], product: str = "", capped: bool | None = None, heated: bool | None = None
) -> Sample:
    """Make a sample of values in the units of these exports: %, MHz, W, C, MiB."""
    return Sample(
        busy=told.get("busy", math.nan) / PERCENT,
        clock_hertz=told.get("clock", math.nan) * MEGAHERTZ,
        most_clock_hertz=told.get("most_clock", math.nan) * MEGAHERTZ,
        power_watts=told.get("power", math.nan),
        limit_watts=told.get("limit", math.nan),
        celsius=told.get("celsius", math.nan),
        memory_bytes=told.get("memory", math.nan) * MEBIBYTE,
        tensor=told.get("tensor", math.nan),
        capped=capped,
        heated=heated,
        product=product,
    )


class SmiReader:
    """Reads an export line by line."""

    tool = "nvidia-smi"

    def __init__(self, file: str) -> None:
        self.file = file
        self.tallies = Tallies()
        self.columns: list[str] = []
        self.watched: list[str] = []
        self.product: tuple[str, str] = ("", "")
        self.found = Found(file=file, tool=self.tool)

    def feed(self, line: Line) -> None:
        """Take one line."""
        text = line.text
        if text.startswith("#"):
            words = text.lstrip("# ").split()
            if "gpu" in words and ("pwr" in words or "sm" in words or "fb" in words):
                self.watched = words
        elif text.startswith("|"):
            self._table(text)
        elif self.watched and text[:1] in " 0123456789":
            self._watched(text.split())
        elif "," in text:
            self._row(line)

    def _row(self, line: Line) -> None:
        cells = [cell.strip() for cell in line.text.lstrip("\ufeff").split(",")]
        names = [UNIT.sub("", cell) for cell in cells]
        if any(name in NAMES for name in names):
            self.columns = names
            return
        if not self.columns:
            return
        if len(cells) != len(self.columns):
            self.found.cut(line.number)
            return
        row = dict(zip(self.columns, cells, strict=True))
        told = {NAMES[name]: value_of(cell) for name, cell in row.items() if name in NAMES}
        capped, heated = reasons_of(row)
        name = row.get("index") or row.get("pci.bus_id") or row.get("gpu_bus_id") or row.get("uuid") or "0"
        product = row.get("name") or row.get("gpu_name") or ""
        self.tallies.add(f"{self.file}:{name}", sample_of(told, product, capped, heated))

    def _watched(self, cells: Sequence[str]) -> None:
        words = ["Date", "Time", *self.watched] if len(cells) == len(self.watched) + 2 else self.watched
        if len(cells) != len(words):
            return
        row = dict(zip(words, cells, strict=True))
        told = {into: value_of(row[name]) for name, into in DMON.items() if name in row}
        capped, heated = (_above_nothing(row.get(name)) for name in ("pviol", "tviol"))
        self.tallies.add(f"{self.file}:{row['gpu']}", sample_of(told, "", capped, heated))

    def _table(self, text: str) -> None:
        first = PRODUCT.match(text)
        if first is not None:
            self.product = (first.group(1), first.group(2))
            return
        told = STATE.search(text)
        if told is None or not self.product[0]:
            return
        celsius, power, limit, memory, busy = (number_of(said) for said in told.groups())
        values = {"celsius": celsius, "power": power, "limit": limit, "memory": memory, "busy": busy}
        self.tallies.add(f"{self.file}:{self.product[0]}", sample_of(values, self.product[1]))
        self.product = ("", "")


def _above_nothing(said: str | None) -> bool | None:
    value = math.nan if said is None else value_of(said)
    return None if math.isnan(value) else value > 0


def reasons_of(row: Mapping[str, str]) -> tuple[bool | None, bool | None]:
    """Read whether the power cap and whether heat slowed a device: of a mask of bits, or of columns for each."""
    capped: bool | None = None
    heated: bool | None = None
    for name, cell in row.items():
        told = REASONS.fullmatch(name)
        if told is None:
            continue
        reason = told.group(1)
        if reason == "active":
            mask = bits_of(cell)
            if mask is not None:
                capped, heated = (bool(mask & BITS[kind]) for kind in ("capped", "heated"))
            continue
        on = {"active": True, "not active": False}.get(cell.lower())
        if on is None:
            continue
        if reason == "sw_power_cap":
            capped = on or bool(capped)
        elif reason in HEATED:
            heated = on or bool(heated)
    return capped, heated


def bits_of(said: str) -> int | None:
    """Read a mask of bits, hexadecimal or decimal; None where there is none."""
    try:
        return int(said.strip(), 0)
    except ValueError:
        return None
