"""What Hugging Face's Trainer and LLaMA-Factory leave in their output folder: states, logs in lines of JSON, sums."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from suanli.domain.training_log import MemoryKind, PauseKind
from suanli.foundation.language import tr
from suanli.validation.logs.console import seconds_of
from suanli.validation.logs.found import Found, number_of, whole

GIBIBYTE = 2.0**30


def is_state(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a trainer_state.json."""
    return isinstance(document.get("log_history"), list) and "global_step" in document


def is_log_line(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a line of a trainer_log.jsonl."""
    return "total_steps" in document and ("current_steps" in document or "step" in document)


def is_sums(document: Mapping[str, Any]) -> bool:
    """Say whether an object is an all_results.json or a train_results.json."""
    return "train_runtime" in document and "train_steps_per_second" in document


def read_state(document: Mapping[str, Any], found: Found) -> None:
    """Read a trainer_state.json: times stand beside its steps where tokens are counted, else at its end alone."""
    found.tool = "Hugging Face Trainer"
    found.say_all(
        {
            "total_steps": whole(document.get("max_steps")),
            "micro_batch": whole(document.get("train_batch_size")),
            "save_every": whole(document.get("save_steps")),
            "log_every": whole(document.get("logging_steps")),
            "framework": "accelerate",
        },
        0,
    )
    evaluated, last = 0.0, whole(document.get("global_step")) or 0
    whole_run: Mapping[str, Any] | None = None
    for entry in document["log_history"]:
        if not isinstance(entry, Mapping):
            continue
        step, elapsed = whole(entry.get("step")), number_of(entry.get("train_runtime"))
        if "eval_runtime" in entry and step:
            seconds = number_of(entry["eval_runtime"])
            evaluated += seconds if math.isfinite(seconds) else 0.0
            found.pause(PauseKind.EVALUATION, step, seconds)
        elif "train_steps_per_second" in entry:
            whole_run = entry
        elif step and math.isfinite(elapsed):
            found.reports.add(step, elapsed=elapsed)
    if whole_run is not None:
        found.ended = True
        spent = number_of(whole_run.get("train_runtime")) - evaluated
        if not len(found.reports) and last and spent > 0:
            found.reports.add(last, seconds=spent / last, elapsed=number_of(whole_run.get("train_runtime")))
    tokens = number_of(document.get("num_input_tokens_seen"))
    if tokens > 0:
        found.tokens_seen = tokens
    found.say("steps_done", last or None, 0)


def read_sums(document: Mapping[str, Any], found: Found) -> None:
    """Read an all_results.json: the mean over the whole run."""
    found.tool = "Hugging Face Trainer"
    rate, runtime = (number_of(document.get(name)) for name in ("train_steps_per_second", "train_runtime"))
    samples, tokens = (number_of(document.get(name)) for name in ("train_samples_per_second", "num_input_tokens_seen"))
    if rate > 0 and runtime > 0:
        steps = max(round(rate * runtime), 1)
        evaluated = number_of(document.get("eval_runtime"))
        found.reports.add(steps, seconds=runtime / steps, elapsed=runtime)
        found.say("steps_done", steps, 0)
        if samples > 0:
            found.say("samples_a_step", samples / rate, 0)
        if evaluated > 0:
            found.pause(PauseKind.EVALUATION, steps)
    if tokens > 0:
        found.tokens_seen = tokens
    found.ended = True


def read_log_lines(documents: Sequence[tuple[int, Any]], found: Found) -> None:
    """Read the lines of a trainer_log.jsonl; its times are whole seconds since the run's begin."""
    found.tool = "LLaMA-Factory"
    found.reports.resolution_seconds = 1.0
    found.say("framework", "llama-factory", 0)
    last = 0
    for line, one in documents:
        step = whole(one.get("current_steps", one.get("step"))) if isinstance(one, Mapping) else None
        if step is None:
            found.cut(line)
            continue
        found.say("total_steps", whole(one.get("total_steps")), line)
        elapsed = seconds_of(str(one.get("elapsed_time", "")))
        if "eval_loss" in one:
            found.pause(PauseKind.EVALUATION, step)
        elif "loss" in one:
            found.reports.add(step, elapsed=elapsed)
        found.peak(MemoryKind.ALLOCATED, number_of(one.get("vram_allocated")) * GIBIBYTE)
        found.peak(MemoryKind.RESERVED, number_of(one.get("vram_reserved")) * GIBIBYTE)
        tokens = number_of(one.get("total_tokens"))
        if math.isfinite(tokens):
            found.tokens_seen = tokens
        last = step
    found.say("steps_done", last or None, 0)
    if documents and not last:
        found.fault(documents[0][0], tr("no steps"), tr("lines of a trainer_log.jsonl, with current_steps"))
