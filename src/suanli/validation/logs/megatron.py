"""Logs of Megatron-LM and of what grew out of it (Megatron-DeepSpeed, Megatron-Core's trainers).

It prints every argument, a line for each logged iteration, memory by rank after the first of them, and timers with
the fastest and the slowest rank. The time of an iteration leaves out evaluation and saving.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from suanli.domain.training_log import MemoryKind, PauseKind, Value
from suanli.validation.logs.found import NUMBER, Found, clock_of, flag, number_of, whole
from suanli.validation.logs.lines import Line

MILLI = 1000.0
MEGABYTE = 2.0**20
ARGUMENT = re.compile(r"^\s*([a-z][a-z0-9_]*) \.{2,} ?(.*)$")
ITERATION = re.compile(r"iteration\s+(\d+)\s*/\s*(\d+)\s*\|")
ELAPSED = {" elapsed time per iteration (ms)": MILLI, " elapsed time per iteration (s)": 1.0}
BATCH = " global batch size"
SKIPPED = (" number of skipped iterations", " number of nan iterations")
WORLD = re.compile(r"using world size: (\d+)")
MEMORY = re.compile(rf"memory \(MB\) \|.*?max allocated: ({NUMBER})(?:.*?max reserved: ({NUMBER}))?")
DEVICE = re.compile(rf"total device memory used: ({NUMBER})")
TIMER = re.compile(rf"^\s*([a-z][\w-]*) \.{{3,}}: (?:\(({NUMBER}), ({NUMBER})\)|({NUMBER}))\s*$")
TIMERS = "across ranks (ms)"
HEADING = "- arguments -"
SAVED = re.compile(r"(?:saving|saved) checkpoint (?:at|from) iteration\s+(\d+)")
EVALUATED = re.compile(r"(?:validation|test) loss at iteration\s+(\d+)")
EVALUATED_STRING = re.compile(r"loss at iteration\s+(\d+) on validation set")
PAUSES = (
    (PauseKind.CHECKPOINT, SAVED), (PauseKind.EVALUATION, EVALUATED), (PauseKind.EVALUATION, EVALUATED_STRING),
)  # fmt: skip
NONE = "   0 "
SHARDING = {"no_shard": "none", "optim": "optimizer", "optim_grads": "gradients", "optim_grads_params": "full"}
COUNTS = {
    "tensor_model_parallel_size": "tensor", "pipeline_model_parallel_size": "pipeline",
    "context_parallel_size": "context", "expert_model_parallel_size": "expert", "data_parallel_size": "data",
    "virtual_pipeline_model_parallel_size": "interleave", "micro_batch_size": "micro_batch",
    "global_batch_size": "global_batch", "seq_length": "sequence_tokens", "world_size": "accelerators",
    "train_iters": "total_steps", "save_interval": "save_every", "eval_interval": "evaluate_every",
    "log_interval": "log_every", "manual_gc_interval": "collect_every",
}  # fmt: skip
SHAPE = {
    "num_layers": "layers", "hidden_size": "hidden", "num_attention_heads": "heads", "num_query_groups": "kv_heads",
    "kv_channels": "head_dim", "ffn_hidden_size": "ffn_hidden", "padded_vocab_size": "vocab", "num_experts": "experts",
    "moe_router_topk": "experts_per_token",
}  # fmt: skip
"""Arguments that tell the model's shape, and the columns of a table of runs that they are."""


class MegatronReader:
    """Reads a log line by line."""

    tool = "Megatron-LM"

    def __init__(self, file: str) -> None:
        self.found = Found(file=file, tool=self.tool)
        self.arguments: dict[str, str] = {}
        self.argument_line = 0
        self.timing = False
        self.batches: tuple[str, str | None] = ("", None)

    def feed(self, line: Line) -> None:
        """Take one line."""
        text = line.text
        if ".." in text:
            self._dotted(line)
        elif "memory (MB)" in text:
            self._memory(text)
        elif "iteration" in text:
            self._iteration(line)
        elif "using world size" in text:
            told = WORLD.search(text)
            self.found.say("accelerators", whole(told.group(1)) if told else None, line.number)
        if TIMERS in text:
            self.timing = True
        elif HEADING in text:
            self.timing, self.arguments = False, {}

    def close(self) -> Found:
        """Return what was found."""
        if "global_batch_size" in self.arguments or "tensor_model_parallel_size" in self.arguments:
            self._settle()
        return self.found

    def _dotted(self, line: Line) -> None:
        timer = TIMER.match(line.text) if self.timing else None
        if timer is not None:
            name, least, most, only = timer.groups()
            low, high = number_of(least or only) / MILLI, number_of(most or only) / MILLI
            self.found.time(name, low, high)
            return
        said = ARGUMENT.match(line.text)
        if said is not None and not self.timing:
            self.arguments[said.group(1)] = said.group(2).strip()
            self.argument_line = line.number
            if said.group(1) in ("world_size", "tensor_model_parallel_size", "data_parallel_size"):
                self.found.say(COUNTS[said.group(1)], whole(said.group(2)), line.number)

    def _iteration(self, line: Line) -> None:
        text = line.text
        told = ITERATION.search(text)
        if told is None:
            self._paused(text)
            return
        self.timing = False
        said = dict(field.partition(":")[::2] for field in text[told.end() :].split("|"))
        seconds = next((number_of(said[name]) / per for name, per in ELAPSED.items() if name in said), math.nan)
        if not math.isfinite(seconds):
            self.found.cut(line.number)
            return
        batches = told.group(2), said.get(BATCH)
        if batches != self.batches:
            self.batches = batches
            self.found.say("total_steps", int(batches[0]) or None, line.number)
            self.found.say("global_batch", whole(batches[1]), line.number)
        self.found.skipped += sum(whole(said[name]) or 0 for name in SKIPPED if said.get(name, NONE) != NONE)
        self.found.reports.add(int(told.group(1)), seconds=seconds, clock=clock_of(text))

    def _paused(self, text: str) -> None:
        for kind, pattern in PAUSES:
            told = pattern.search(text)
            if told is not None:
                self.found.pause(kind, int(told.group(1)))
                return

    def _memory(self, text: str) -> None:
        told = MEMORY.search(text)
        if told is not None:
            self.found.peak(MemoryKind.ALLOCATED, number_of(told.group(1)) * MEGABYTE)
            self.found.peak(MemoryKind.RESERVED, number_of(told.group(2)) * MEGABYTE)
        device = DEVICE.search(text)
        if device is not None:
            self.found.peak(MemoryKind.DEVICE, number_of(device.group(1)) * MEGABYTE)

    def _settle(self) -> None:
        """Turn the arguments into settings."""
        said, line = self.arguments, self.argument_line
        later = {name for name in ("global_batch", "total_steps") if name in self.found.settings}
        for name, into in COUNTS.items():
            if name in said and into not in later:
                self.found.say(into, whole(said[name]), line)
        for into, read in READERS.items():
            self.found.say(into, read(said), line)
        self.found.say("framework", "megatron-lm" if "deepspeed" in said else "megatron", line)
        self.found.shape |= {into: said[name] for name, into in SHAPE.items() if whole(said.get(name)) is not None}
        if not flag(said.get("group_query_attention", "")):
            self.found.shape.pop("kv_heads", None)
        if whole(said.get("num_experts")) is not None and whole(said.get("moe_ffn_hidden_size")) is not None:
            self.found.shape["ffn_hidden"] = said["moe_ffn_hidden_size"]
        if self.found.shape and not any(_told(said, name) for name in BEYOND_COLUMNS) and _alike(said):
            self.found.shape |= _kind(said)
        else:
            self.found.shape.clear()


BEYOND_COLUMNS = (
    "multi_latent_attention", "moe_shared_expert_intermediate_size", "hybrid_override_pattern", "hybrid_layer_pattern",
)  # fmt: skip
"""Arguments of models whose shape no columns tell: those go by name."""


def _told(said: dict[str, str], name: str) -> bool:
    return name in said and flag(said[name]) is not False


def _alike(said: dict[str, str]) -> bool:
    """Say whether every layer has experts, or none."""
    return said.get("moe_layer_freq", "1") in ("1", "None") or whole(said.get("num_experts")) is None


def _kind(said: dict[str, str]) -> dict[str, str]:
    """Say the kind of model: its gate, its own head; layers of another kind among those of experts have no columns."""
    experts, tied = whole(said.get("num_experts")) is not None, not flag(said.get(UNTIED, ""))
    gated = str(int(flag(said.get("swiglu", "")) or False))
    return {"gated_mlp": gated, "arch": "moe" if experts else "gpt" if tied else "dense"}


UNTIED = "untie_embeddings_and_output_weights"


def _precision(said: dict[str, str]) -> str | None:
    if "fp8" in said and flag(said["fp8"]) is not False:
        return "mxfp8" if said.get("fp8_recipe", "") == "mxfp8" else "fp8"
    for name in ("bf16", "fp16"):
        if flag(said.get(name, "")):
            return name
    return None


def _recompute(said: dict[str, str]) -> str | None:
    level = said.get("recompute_granularity")
    return None if level is None else level if level in ("full", "selective") else "none"


def _sharding(said: dict[str, str]) -> str | None:
    if flag(said.get("use_torch_fsdp2", "")):
        return "full"
    if flag(said.get("use_custom_fsdp", said.get("use_megatron_fsdp", ""))):
        return SHARDING.get(said.get("data_parallel_sharding_strategy", ""), "none")
    spread = flag(said.get("use_distributed_optimizer", ""))
    return None if "use_distributed_optimizer" not in said else "optimizer" if spread else "none"


def _attention(said: dict[str, str]) -> str | None:
    backend = said.get("attention_backend", "").lower()
    if backend:
        return "unfused" if "unfused" in backend or "local" in backend else "flash"
    flash = said.get("use_flash_attn")
    return None if flash is None or said.get("transformer_impl") == "transformer_engine" else _flash(flash)


def _flash(said: str) -> str:
    return "flash" if flag(said) else "unfused"


READERS: dict[str, Callable[[dict[str, str]], Value | None]] = {
    "precision": _precision,
    "recompute": _recompute,
    "sharding": _sharding,
    "attention": _attention,
    "sequence_parallel": lambda said: flag(said["sequence_parallel"]) if "sequence_parallel" in said else None,
    "split_tensor": lambda said: flag(said["tp_comm_overlap"]) if "tp_comm_overlap" in said else None,
    "sync_timers": lambda said: flag(said.get("barrier_with_L1_time", "")) and said.get("timing_log_level") == "2",
}
