"""Logs of torchtitan: a line for each logged step, its mesh, and its configuration where it was asked to print it.

The rate that it prints is that of one device, over all that passed since the last line but evaluation.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from suanli.domain.training_log import MemoryKind, PauseKind, Value
from suanli.validation.logs.found import NUMBER, Found, clock_of, flag, number_of, whole
from suanli.validation.logs.gather import Gathered
from suanli.validation.logs.lines import Line

GIBIBYTE = 2.0**30
STEP = re.compile(rf"\bstep:\s*(\d+)\s+loss:\s*(?:{NUMBER}|nan|inf)")
VALIDATE = re.compile(r"validate step:\s*(\d+)")
MEMORY = re.compile(rf"memory:\s*({NUMBER})GiB")
RATE = re.compile(r"\b(?:tps|wps):\s*([\d,.]+)")
MESH = re.compile(r"Building device mesh with parallelism: (.*)")
OLD_MESH = re.compile(r"Building \d+-D device mesh with \[(.*?)\], \[(.*?)\]")
MODEL = re.compile(r"Model (\S+) (\S+) size: ([\d,]+) total parameters")
COLLECTED = re.compile(rf"\[GC\] Performing periodic GC collection took ({NUMBER}) seconds")
SAVED = re.compile(r"[Ss]aving (?:a |the )?(?:full )?checkpoint at (?:last step, )?step (\d+)|Saving the checkpoint")
RECOMPUTED = re.compile(r"Applied (\S+) activation checkpointing")
CONFIGS = ("Running with configs: {", "Running with args: {")
STARTED = (
    ("sequence_tokens", re.compile(r"sequence length (\d+)")),
    ("global_batch", re.compile(r"global batch size (\d+)")),
    ("micro_batch", re.compile(r"local batch size (\d+)")),
    ("total_steps", re.compile(r"total steps (\d+)")),
)
DEGREES = {"pp": "pipeline", "cp": "context", "tp": "tensor", "ep": "expert"}
NEWER = {
    "pipeline_parallel_degree": "pipeline", "context_parallel_degree": "context", "tensor_parallel_degree": "tensor",
    "expert_parallel_degree": "expert",
}  # fmt: skip


class TorchtitanReader:
    """Reads a log line by line."""

    tool = "torchtitan"

    def __init__(self, file: str) -> None:
        self.found = Found(file=file, tool=self.tool)
        self.config = Gathered()
        self.marks = (
            ("GC]", self._collected), ("device mesh", self._mesh), ("heckpoint", self._checkpoint),
            ("Training starts at step", self._started), ("total parameters", self._model),
            ("torch.compile", self._model), ("Training completed", self._completed),
        )  # fmt: skip

    def feed(self, line: Line) -> None:
        """Take one line."""
        text = line.text
        if self.config.open or any(mark in text for mark in CONFIGS):
            self._gather(line)
        elif "step:" in text:
            self._step(line)
        else:
            for mark, take in self.marks:
                if mark in text:
                    take(line)
                    return

    def close(self) -> Found:
        """Return what was found."""
        if self.found.anything:
            self.found.say("framework", "torchtitan", 0)
        return self.found

    def _gather(self, line: Line) -> None:
        text = line.text
        if not self.config.open:
            text = text[min(text.index(mark) + len(mark) - 1 for mark in CONFIGS if mark in text) :]
        whole_text = self.config.add(text)
        if whole_text is not None:
            self._configured(_document(whole_text), line.number)

    def _configured(self, told: Mapping[str, Any], line: int) -> None:
        if not told:
            self.found.cut(line)
            return
        training, parallel = _part(told, "training"), _part(told, "parallelism", "experimental")
        spec = _part(told, "model_spec") or _part(told, "model")
        ranks = {into: whole(parallel.get(name, training.get(name))) for name, into in NEWER.items()}
        self.found.say_all({**ranks, **_batches(training), **_habits(told)}, line)
        if spec.get("name") and spec.get("flavor"):
            self.found.say("model", f"{spec['name']} {spec['flavor']}", line)

    def _step(self, line: Line) -> None:
        text = line.text
        seen = VALIDATE.search(text)
        if seen is not None:
            self.found.pause(PauseKind.EVALUATION, int(seen.group(1)))
            return
        told = STEP.search(text)
        if told is None:
            return
        rate, memory = RATE.search(text), MEMORY.search(text)
        if rate is None or memory is None:
            self.found.cut(line.number)
            return
        self.found.peak(MemoryKind.RESERVED, number_of(memory.group(1)) * GIBIBYTE)
        self.found.reports.add(int(told.group(1)), line.rank, rate=number_of(rate.group(1)), clock=clock_of(text))

    def _collected(self, line: Line) -> None:
        told = COLLECTED.search(line.text)
        if told is not None:
            self.found.pause(PauseKind.COLLECTION, self.found.reports.last, number_of(told.group(1)))

    def _started(self, line: Line) -> None:
        for name, pattern in STARTED:
            told = pattern.search(line.text)
            self.found.say(name, whole(told.group(1)) if told else None, line.number)

    def _completed(self, _: Line) -> None:
        self.found.ended = self.found.anything

    def _mesh(self, line: Line) -> None:
        told, old = MESH.search(line.text), OLD_MESH.search(line.text)
        if told is not None:
            said = dict(part.strip().split("=", 1) for part in told.group(1).split(",") if "=" in part)
        elif old is not None:
            names = [name.strip(" '\"") for name in old.group(1).split(",")]
            said = dict(zip(names, (size.strip() for size in old.group(2).split(",")), strict=False))
        else:
            return
        degrees = {name: whole(size) for name, size in said.items()}
        self.found.say_all({into: degrees.get(name) for name, into in DEGREES.items()}, line.number)
        copies, parts = degrees.get("dp_replicate") or 1, degrees.get("dp_shard") or degrees.get("dp") or 1
        self.found.say("data", copies * parts, line.number)
        self.found.say("sharding", "full" if parts > 1 else "none", line.number)
        if copies > 1 and parts > 1:
            self.found.say("sharding_ranks", parts, line.number)
        rest = [degrees.get(name) or 1 for name in ("pp", "cp", "tp")]
        self.found.say("accelerators", copies * parts * rest[0] * rest[1] * rest[-1], line.number)

    def _checkpoint(self, line: Line) -> None:
        saved, applied = SAVED.search(line.text), RECOMPUTED.search(line.text)
        if saved is not None:
            self.found.pause(PauseKind.CHECKPOINT, int(saved.group(1) or self.found.reports.last))
        if applied is not None:
            word = applied.group(1).lower()
            self.found.say("recompute", "full" if word.startswith("full") else "selective", line.number)

    def _model(self, line: Line) -> None:
        told = MODEL.search(line.text)
        if told is not None:
            self.found.say("model", f"{told.group(1)} {told.group(2)}", line.number)
            self.found.say("parameters", whole(told.group(3)), line.number)
        if "Compiling each" in line.text and "torch.compile" in line.text:
            self.found.say("compiled", True, line.number)


def _document(text: str) -> Mapping[str, Any]:
    """Read a configuration printed as JSON, or as Python writes a mapping; empty where it is neither."""
    try:
        told = json.loads(text)
    except ValueError:
        try:
            told = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return {}
    return told if isinstance(told, Mapping) else {}


def _part(told: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        part = told.get(name)
        if isinstance(part, Mapping):
            return part
    return {}


def _batches(training: Mapping[str, Any]) -> dict[str, Value | None]:
    """Read batches in sequences, or in tokens as versions of 2026 say them."""
    length = whole(training.get("seq_len")) or whole(training.get("max_context_length"))
    told: dict[str, Value | None] = {
        "sequence_tokens": length,
        "global_batch": whole(training.get("global_batch_size")),
        "micro_batch": whole(training.get("local_batch_size", training.get("batch_size"))),
        "total_steps": whole(training.get("steps")),
        "collect_every": whole(training.get("gc_freq")),
    }
    for name, into in (
        ("num_tokens_per_train_step", "global_batch"),
        ("num_tokens_per_microbatch_per_dp_rank", "micro_batch"),
    ):
        tokens = whole(training.get(name))
        if tokens and length and tokens % length == 0:
            told[into] = tokens // length
    return told


def _precision(told: Mapping[str, Any]) -> str | None:
    """Read the number format of products: 8 bits by a converter of the model, else that of mixed precision."""
    if "float8" in str(_part(told, "model").get("converters", "")).lower():
        return "fp8"
    kept = str(_part(told, "training").get("mixed_precision_param", "bfloat16"))
    return "bf16" if kept == "bfloat16" else None


def _habits(told: Mapping[str, Any]) -> dict[str, Value | None]:
    """Read what is computed again, compiled, saved and evaluated."""
    again, compile_part = _part(told, "activation_checkpoint"), _part(told, "compile")
    mode = str(again.get("mode", "")).lower()
    old = _part(told, "training").get("compile")
    compiled = flag(compile_part.get("enable", old if old is not None else ""))
    saved, seen = _part(told, "checkpoint"), _part(told, "validator", "validation")
    return {
        "precision": _precision(told),
        "recompute": mode if mode in ("none", "selective", "full") else None,
        "compiled": compiled if compile_part or old is not None else None,
        "save_every": whole(saved.get("interval"))
        if flag(saved.get("enable", saved.get("enable_checkpoint")))
        else None,
        "evaluate_every": whole(seen.get("freq")) if flag(seen.get("enable", seen.get("enabled"))) else None,
    }
