"""Logs of DeepSpeed: its JSON configuration, throughput by step, memory, skipped steps, flushes of the allocator.

`CurrSamplesPerSec` is of the step printed alone, over all replicas; the pipeline engine prints seconds instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from suanli.domain.training_log import MemoryKind, Value
from suanli.validation.logs.found import NUMBER, Found, clock_of, flag, number_of, whole
from suanli.validation.logs.gather import Gathered
from suanli.validation.logs.lines import Line

GIBIBYTE = 2.0**30
STEP = re.compile(r"\bstep=(\d+), skipped=(\d+), lr=")
THROUGHPUT = re.compile(rf"global_step=(\d+), RunningAvgSamplesPerSec=({NUMBER}), CurrSamplesPerSec=({NUMBER})")
PEAK = re.compile(rf"MaxMemAllocated=({NUMBER})GB")
PIPELINE = re.compile(rf"steps: (\d+) loss: \S+.*?iter time \(s\): ({NUMBER}) samples/sec: ({NUMBER})")
USAGE = re.compile(rf"Max_MA ({NUMBER}) GB\s+CA {NUMBER} GB\s+Max_CA ({NUMBER}) GB")
FLUSHES = re.compile(r"(\d+) pytorch allocator cache flushes since last step")
WORLD = re.compile(r"Config mesh_device .* world_size = (\d+)")
CONFIG = re.compile(r"\bjson = (\{.*)$")
STAGES = ("none", "optimizer", "gradients", "full")
BELOW = re.compile(r"^\[[^\]]*\] \[\w+\] \[[^\]]*\]\s*")


class DeepSpeedReader:
    """Reads a log line by line."""

    tool = "DeepSpeed"

    def __init__(self, file: str) -> None:
        self.found = Found(file=file, tool=self.tool)
        self.config = Gathered()

    def feed(self, line: Line) -> None:
        """Take one line."""
        text = line.text
        if self.config.open:
            self._gather(BELOW.sub("", text), line.number)
        elif "json = {" in text:
            told = CONFIG.search(text)
            if told is not None:
                self._gather(told.group(1), line.number)
        elif "SamplesPerSec=" in text:
            self._throughput(line)
        elif "iter time (s):" in text:
            told = PIPELINE.search(text)
            if told is not None:
                self.found.reports.add(int(told.group(1)), seconds=number_of(told.group(2)), clock=clock_of(text))
        elif "skipped=" in text:
            self._progress(line)
        elif "Max_MA" in text or "cache flushes" in text or "world_size" in text:
            self._memory(line)

    def close(self) -> Found:
        """Return what was found."""
        if self.found.anything:
            self.found.say("framework", "deepspeed", 0)
        return self.found

    def _gather(self, text: str, line: int) -> None:
        said = self.config.add(text)
        if said is None:
            return
        try:
            told = json.loads(said)
        except ValueError:
            self.found.cut(line)
            return
        self.found.say_all(deepspeed_settings(told), line)

    def _throughput(self, line: Line) -> None:
        told = THROUGHPUT.search(line.text)
        peak = PEAK.search(line.text)
        if told is None:
            self.found.cut(line.number)
            return
        self.found.reports.add(int(told.group(1)), samples=number_of(told.group(3)), clock=clock_of(line.text))
        if peak is not None:
            self.found.peak(MemoryKind.ALLOCATED, number_of(peak.group(1)) * GIBIBYTE)

    def _progress(self, line: Line) -> None:
        told = STEP.search(line.text)
        if told is None:
            return
        self.found.skipped = max(self.found.skipped, int(told.group(2)))
        self.found.reports.add(int(told.group(1)), clock=clock_of(line.text))

    def _memory(self, line: Line) -> None:
        usage, flushes, world = (pattern.search(line.text) for pattern in (USAGE, FLUSHES, WORLD))
        if usage is not None:
            self.found.peak(MemoryKind.ALLOCATED, number_of(usage.group(1)) * GIBIBYTE)
            self.found.peak(MemoryKind.RESERVED, number_of(usage.group(2)) * GIBIBYTE)
        if flushes is not None:
            self.found.flushes += int(flushes.group(1))
        if world is not None:
            self.found.say("data", whole(world.group(1)), line.number)


def is_deepspeed_config(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a configuration of DeepSpeed."""
    return isinstance(document.get("zero_optimization"), Mapping) or "train_micro_batch_size_per_gpu" in document


def deepspeed_settings(told: Mapping[str, Any]) -> dict[str, Value | None]:
    """Read the settings of a configuration; "auto" tells nothing."""
    zero = _part(told, "zero_optimization")
    stage = zero.get("stage")
    states, weights = (_part(zero, name).get("device", "none") for name in ("offload_optimizer", "offload_param"))
    away = any(word not in ("none", None) for word in (states, weights))
    ranks = whole(zero.get("zero_hpz_partition_size"))
    optimizer = str(_part(told, "optimizer").get("type", "")).lower()
    return {
        "global_batch": whole(told.get("train_batch_size")),
        "micro_batch": whole(told.get("train_micro_batch_size_per_gpu")),
        "accumulation": whole(told.get("gradient_accumulation_steps")),
        "sharding": STAGES[stage] if stage in (0, 1, 2, 3) else None,
        "sharding_ranks": ranks if ranks and ranks > 1 else None,
        "offload": "optimizer" if away else None,
        "precision": next((name for name in ("bf16", "fp16") if flag(_part(told, name).get("enabled", ""))), None),
        "sync_timers": flag(told.get("wall_clock_breakdown", "")),
        "optimizer": optimizer if optimizer in ("lion", "muon", "sgd") else None,
        "log_every": whole(told.get("steps_per_print")),
    }


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}
