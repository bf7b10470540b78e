"""The console of Hugging Face's Trainer and of what is built on it (LLaMA-Factory, Axolotl, TRL).

Steps and their time come from its progress bar, which tells whole seconds; memory, evaluations and the end from the
mappings that it prints between bars; batches from the banner before the first step.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from suanli.domain.training_log import MemoryKind, PauseKind
from suanli.validation.logs.configs import axolotl_settings
from suanli.validation.logs.found import Found, Reports, number_of, whole
from suanli.validation.logs.gather import Gathered
from suanli.validation.logs.lines import Line

GIBIBYTE = 2.0**30
BAR = re.compile(r"^\s*\d{1,3}%\|[^|]*\|\s*(\d+)/(\d+) \[((?:\d+ days?, )?\d+:\d\d(?::\d\d)?)<")
MAPPING = re.compile(r"\{'(?:loss|eval_loss|train_runtime|eval_runtime)'.*\}")
PROCESS = re.compile(r"Process rank: \d+, world size: (\d+)")
BANNER = (
    ("micro_batch", re.compile(r"Instantaneous batch size per device = ([\d,]+)")),
    ("global_batch", re.compile(r"Total train batch size \(w\. parallel, distributed & accumulation\) = ([\d,]+)")),
    ("accumulation", re.compile(r"Gradient Accumulation steps = ([\d,]+)")),
    ("total_steps", re.compile(r"Total optimization steps = ([\d,]+)")),
    ("trained_parameters", re.compile(r"Number of trainable parameters = ([\d,]+)")),
)
PEAKS = {
    "memory/max_allocated (GiB)": MemoryKind.ALLOCATED, "memory/max_active (GiB)": MemoryKind.ALLOCATED,
    "memory/device_reserved (GiB)": MemoryKind.RESERVED, "memory/max_mem_allocated(gib)": MemoryKind.ALLOCATED,
    "memory/device_mem_reserved(gib)": MemoryKind.RESERVED,
}  # fmt: skip
TOOLS = (("axolotl", "Axolotl"), ("llamafactory", "LLaMA-Factory"))
MOST_BARS = 16
MINUTE = 60.0


def seconds_of(text: str) -> float:
    """Read a time as bars print it: 02:05, 1:02:05, or `1 day, 2:03:04`; NaN where it is none."""
    days, _, rest = text.rpartition("day")
    parts = rest.lstrip("s, ").split(":")
    try:
        whole_days = float(days) if days.strip() else 0.0
        seconds = 0.0
        for part in parts:
            seconds = seconds * MINUTE + float(part)
    except ValueError:
        return math.nan
    return whole_days * 24 * MINUTE * MINUTE + seconds


class ConsoleReader:
    """Reads a console line by line."""

    tool = "Hugging Face Trainer"

    def __init__(self, file: str) -> None:
        self.found = Found(file=file, tool=self.tool)
        self.bars: dict[int, Reports] = {}
        self.config = Gathered()
        self.waits = False
        self.last = 0

    def feed(self, line: Line) -> None:
        """Take one line."""
        text = line.text
        if self.config.open or (self.waits and text.lstrip().startswith("{")):
            self._gather(line)
        elif "%|" in text:
            self._bar(text)
        elif "{'" in text:
            self._mapping(line)
        elif " = " in text:
            for name, pattern in BANNER:
                told = pattern.search(text)
                if told is not None:
                    self.found.say(name, whole(told.group(1)), line.number)
        elif "Process rank:" in text:
            told = PROCESS.search(text)
            self.found.say("accelerators", whole(told.group(1)) if told else None, line.number)
        self.waits = text.endswith("config:") and "axolotl" in text
        for mark, tool in TOOLS:
            if mark in text:
                self.found.tool = tool

    def close(self) -> Found:
        """Return what was found: the bar of training is that of the told number of steps, else the longest."""
        said = self.found.settings.get("total_steps")
        total = int(said.value) if said is not None else 0
        if self.bars and total not in self.bars:
            total = max(self.bars, key=lambda one: max(self.bars[one].columns["elapsed"], default=0.0))
        known = self.found.anything or self.found.ended
        if total in self.bars and known:
            self.found.reports = self.bars[total]
            self.found.reports.resolution_seconds = 1.0
            self.found.say("total_steps", total, 0)
        if known:
            self.found.say("framework", self.found.tool.lower().replace("hugging face trainer", "accelerate"), 0)
        return self.found

    def _gather(self, line: Line) -> None:
        said = self.config.add(line.text)
        if said is None:
            return
        try:
            told = json.loads(said)
        except ValueError:
            self.found.cut(line.number)
            return
        if isinstance(told, Mapping):
            self.found.say_all(axolotl_settings(told), line.number)

    def _bar(self, text: str) -> None:
        told = BAR.match(text)
        if told is None:
            return
        number, total = int(told.group(1)), int(told.group(2))
        if number == 0 or (total not in self.bars and len(self.bars) >= MOST_BARS):
            return
        bar = self.bars.setdefault(total, Reports())
        if number != bar.last:
            bar.add(number, elapsed=seconds_of(told.group(3)))
        self.last = number if total >= max(self.bars) else self.last

    def _mapping(self, line: Line) -> None:
        found = MAPPING.search(line.text)
        if found is None:
            return
        try:
            told = ast.literal_eval(found.group())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            self.found.cut(line.number)
            return
        self._logged(told)

    def _logged(self, told: Mapping[str, Any]) -> None:
        for name, kind in PEAKS.items():
            self.found.peak(kind, number_of(told.get(name)) * GIBIBYTE)
        if "loss" in told:
            self.found.say("trains", True, 0)
        if "eval_runtime" in told:
            self.found.pause(PauseKind.EVALUATION, self.last, number_of(told["eval_runtime"]))
        tokens = number_of(told.get("num_input_tokens_seen", told.get("tokens/total")))
        if math.isfinite(tokens):
            self.found.tokens_seen = tokens
        if "train_samples_per_second" in told:
            self.found.ended = True
            self.found.say("trains", True, 0)
