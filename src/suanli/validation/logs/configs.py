"""Settings as files of Hugging Face's Trainer, LLaMA-Factory and Axolotl tell them, by the names of a question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from suanli.domain.training_log import Value
from suanli.validation.logs.deepspeed import deepspeed_settings, is_deepspeed_config
from suanli.validation.logs.found import flag, number_of, whole

Settings = dict[str, Value | None]
STAGE = re.compile(r"(?:z|zero|stage)[_-]?([0123])", re.IGNORECASE)
STAGES = ("none", "optimizer", "gradients", "full")
OPTIMIZERS = (
    ("8bit", "adamw-8bit"), ("adafactor", "adafactor"), ("lion", "lion"), ("muon", "muon"), ("sgd", "sgd"),
    ("adam", "adamw"),
)  # fmt: skip
"""Words in an optimizer's name; the first that it holds decides."""


def is_training_arguments(document: Mapping[str, Any]) -> bool:
    """Say whether an object holds arguments of Hugging Face's Trainer."""
    return "per_device_train_batch_size" in document


def is_llamafactory(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a configuration of LLaMA-Factory."""
    return "model_name_or_path" in document and ("finetuning_type" in document or "stage" in document)


def is_axolotl(document: Mapping[str, Any]) -> bool:
    """Say whether an object is a configuration of Axolotl."""
    return "base_model" in document and ("datasets" in document or "micro_batch_size" in document)


def optimizer_of(said: Any) -> Settings:
    """Read the optimizer's name: which it is, and whether its kernels are fused."""
    name = str(said or "").lower().removeprefix("optimizernames.")
    if not name:
        return {}
    known = next((into for word, into in OPTIMIZERS if word in name), None)
    return {"optimizer": known, "fused_optimizer": name != "adamw_torch"}


def sharding_of(document: Mapping[str, Any]) -> Settings:
    """Read what replicas share out: DeepSpeed by its stage (in its file's name too), FSDP, else nothing."""
    said = document.get("deepspeed")
    if isinstance(said, Mapping):
        return {"sharding": "none", **{name: one for name, one in deepspeed_settings(said).items() if one is not None}}
    stage = STAGE.search(str(said)) if said else None
    if stage is not None:
        away = {"offload": "optimizer"} if "offload" in str(said).lower() or "cpu" in str(said).lower() else {}
        return {"sharding": STAGES[int(stage.group(1))], **away}
    fully = document.get("fsdp") or document.get("fsdp_config")
    if fully:
        words = str(fully).lower()
        partly = "shard_grad_op" in words
        away = {"offload": "optimizer"} if flag(_under(fully, "offload_params", "fsdp_offload_params")) else {}
        return {"sharding": "gradients" if partly else "full", **away}
    return {} if said else {"sharding": "none"}


def _under(said: Any, *names: str) -> Any:
    return next((said[name] for name in names if isinstance(said, Mapping) and name in said), "")


def precision_of(document: Mapping[str, Any]) -> str | None:
    """Read the number format of products."""
    if flag(document.get("fp8", "")):
        return "fp8"
    if flag(document.get("bf16", "")) or document.get("bf16") in ("auto", "full"):
        return "bf16"
    return "fp16" if flag(document.get("fp16", "")) else None


def trainer_settings(document: Mapping[str, Any]) -> Settings:
    """Read arguments of Hugging Face's Trainer."""
    steps = number_of(document.get("max_steps"))
    told: Settings = {
        "micro_batch": whole(document.get("per_device_train_batch_size")),
        "accumulation": whole(document.get("gradient_accumulation_steps")),
        "precision": precision_of(document),
        "total_steps": int(steps) if steps > 0 else None,
        "log_every": _every(document, "logging"),
        "save_every": _every(document, "save"),
        "evaluate_every": _every(document, "eval"),
        "compiled": flag(document["torch_compile"]) if "torch_compile" in document else None,
        "useful_tokens": True if document.get("include_num_input_tokens_seen") == "non_padding" else None,
        "framework": "accelerate",
        **optimizer_of(document.get("optim")),
        **sharding_of(document),
    }
    if "gradient_checkpointing" in document:
        told["recompute"] = "full" if flag(document["gradient_checkpointing"]) else "none"
    return told


def _every(document: Mapping[str, Any], what: str) -> int | None:
    """Read after how many steps something is done, where it goes by steps."""
    strategy = str(document.get(f"{what}_strategy", "steps")).lower()
    return whole(document.get(f"{what}_steps")) if strategy.endswith("steps") else None


def llamafactory_settings(document: Mapping[str, Any]) -> Settings:
    """Read a configuration of LLaMA-Factory, which computes everything again unless told otherwise."""
    bits = number_of(document.get("quantization_bit"))
    method = str(document.get("finetuning_type", "lora"))
    packed = flag(document.get("packing", "")) or flag(document.get("neat_packing", ""))
    attention = str(document.get("flash_attn", "auto"))
    return {
        **trainer_settings({"optim": "adamw_torch", **document}),
        "framework": "llama-factory",
        "model": str(document["model_name_or_path"]),
        "method": "qlora" if bits > 0 else method if method in ("lora", "full") else None,
        "lora_rank": (whole(document.get("lora_rank")) or LLAMAFACTORY_RANK) if method == "lora" else None,
        "sequence_tokens": whole(document.get("cutoff_len")) or LLAMAFACTORY_CUTOFF,
        "packed": bool(packed or document.get("stage") == "pt"),
        "recompute": "none" if flag(document.get("disable_gradient_checkpointing", "")) else "full",
        "attention": "unfused" if attention == "disabled" else "flash",
    }


LLAMAFACTORY_RANK = 2**3
LLAMAFACTORY_CUTOFF = 2**11
"""What LLaMA-Factory takes where its configuration is silent (hparams of August 2026)."""


def axolotl_settings(document: Mapping[str, Any]) -> Settings:
    """Read a configuration of Axolotl."""
    adapter = str(document.get("adapter") or "").lower()
    attention = str(document.get("attn_implementation") or "").lower()
    fused = any(flag(document.get(name, "")) for name in ("flash_attention", "sdp_attention", "xformers_attention"))
    return {
        **optimizer_of(document.get("optimizer")),
        **sharding_of(document),
        "framework": "axolotl",
        "model": str(document.get("base_model") or "") or None,
        "method": "qlora" if adapter == "qlora" else "lora" if adapter == "lora" else "full",
        "lora_rank": whole(document.get("lora_r")) if adapter else None,
        "sequence_tokens": whole(document.get("sequence_len")),
        "packed": bool(flag(document.get("sample_packing", ""))),
        "micro_batch": whole(document.get("micro_batch_size")),
        "accumulation": whole(document.get("gradient_accumulation_steps")),
        "global_batch": whole(document.get("batch_size")),
        "accelerators": whole(document.get("world_size")),
        "tensor": whole(document.get("tensor_parallel_size")),
        "context": whole(document.get("context_parallel_size")),
        "sharding_ranks": _group(document),
        "precision": precision_of(document),
        "recompute": "full" if flag(document.get("gradient_checkpointing", "")) is not False else "none",
        "attention": "unfused" if attention == "eager" and not fused else "flash",
        "total_steps": whole(document.get("max_steps")),
        "save_every": whole(document.get("save_steps")),
        "evaluate_every": whole(document.get("eval_steps")),
        "compiled": flag(document["torch_compile"]) if "torch_compile" in document else None,
    }


def _group(document: Mapping[str, Any]) -> int | None:
    """Read over how many ranks states are shared out, where replicas of such groups are told as well."""
    copies = whole(document.get("dp_replicate_size"))
    return whole(document.get("dp_shard_size")) if copies and copies > 1 else None


KNOWN = (
    ("LLaMA-Factory", is_llamafactory, llamafactory_settings),
    ("Axolotl", is_axolotl, axolotl_settings),
    ("Hugging Face Trainer", is_training_arguments, trainer_settings),
    ("DeepSpeed", is_deepspeed_config, deepspeed_settings),
)
"""Kinds of configuration, each with what tells it and what reads it; the first that knows a file reads it."""
