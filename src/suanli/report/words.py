"""Stable names (causes, categories, pools, states) as words of the language in force."""

from __future__ import annotations

import re
from collections.abc import Iterable

from suanli.foundation.language import tell, tr

KEY = re.compile(r"[a-z][a-z0-9_.]*")
"""What a key of data looks like, as against words of a person."""


def cause_words() -> dict[str, str]:
    """Name what takes time in a step or room in memory."""
    return {
        "matmul": tr("matrix products"),
        "experts": tr("experts' matrix products"),
        "attention": tr("attention"),
        "memory_passes": tr("memory passes"),
        "passes": tr("memory passes"),
        "quantise": tr("quantising"),
        "recompute": tr("recompute"),
        "launch": tr("kernel launch"),
        "head": tr("vocabulary head"),
        "bubble": tr("pipeline bubble"),
        "stragglers": tr("stragglers"),
        "work": tr("work"),
        "jitter": tr("jitter"),
        "slow_nodes": tr("slow nodes"),
        "checkpoints": tr("checkpoints"),
        "lost_work": tr("lost work"),
        "restarts": tr("restarts"),
        "repairs": tr("waiting for repairs"),
        "engine": tr("serving engine"),
        "tensor_exposed": tr("tensor parallel traffic"),
        "context_exposed": tr("context parallel traffic"),
        "expert_exposed": tr("expert parallel traffic"),
        "expert_imbalance": tr("uneven experts"),
        "sharding_exposed": tr("sharding traffic"),
        "pipeline_exposed": tr("pipeline traffic"),
        "data_exposed": tr("data parallel traffic"),
        "offload_exposed": tr("host link traffic"),
        "communication": tr("communication"),
        "optimizer": tr("optimizer"),
        "weights": tr("weights"),
        "gradients": tr("gradients"),
        "activations": tr("activations"),
        "logits": tr("logits"),
        "buffers": tr("buffers"),
        "fragmentation": tr("fragmentation"),
        "cache": tr("KV cache"),
        "runtime": tr("runtime and reserve"),
        "draft": tr("drafts"),
        "adapters": tr("adapters"),
        "context": tr("context parallel traffic"),
    }


def post_words() -> dict[str, str]:
    """Name what a step of preference or reinforcement tuning is made of: parts, pools, models that stay in memory."""
    return {
        "policy_training": tr("training the policy"),
        "critic_training": tr("training the critic"),
        "critic_values": tr("values of the critic"),
        "old_log_probs": tr("log-probabilities of the policy"),
        "kl_estimate": tr("log-probabilities of mismatched pairs"),
        "reference": tr("reference model"),
        "reward": tr("reward model"),
        "critic": tr("critic model"),
        "teacher": tr("teacher model"),
        "rollout": tr("generating answers"),
        "weight_sync": tr("weights to the engine"),
        "engine_switch": tr("engine to sleep and awake"),
        "engine_asleep": tr("sleeping engine"),
        "states_moved": tr("training's state to the host and back"),
        "driver": tr("work of the driving process"),
        "idle": tr("waiting for the other pool"),
        "trainer": tr("training"),
        "training": tr("training"),
        "together": tr("both in turn"),
    }


def money_words() -> dict[str, str]:
    """Name the categories of cash."""
    return {
        "purchase": tr("purchase"),
        "rent": tr("rent"),
        "power": tr("electricity"),
        "colocation": tr("colocation"),
        "maintenance": tr("maintenance"),
        "staff": tr("staff"),
        "rent_commitment": tr("rent after the plan's end"),
        "resale": tr("resale"),
        "network": tr("network"),
        "storage": tr("storage"),
        "installation": tr("installation"),
    }


def pool_words() -> dict[str, str]:
    """Name how hardware is held."""
    return {
        "owned": tr("owned"),
        "bought": tr("bought"),
        "rented_hour": tr("rented by the hour"),
        "rented_month": tr("rented by the month"),
        "rented_reserved": tr("rented, reserved"),
    }


def layer_words() -> dict[str, str]:
    """Name the layers of work."""
    return {
        "pretrain": tr("pretraining"),
        "continue": tr("continued pretraining"),
        "finetune": tr("fine-tuning"),
        "serve": tr("serving"),
    }


def option_words() -> dict[str, str]:
    """Name the answers that are always tried, and the states of the solver."""
    return {
        "recommended": tr("recommended"),
        "all_buy": tr("buy everything"),
        "all_rent": tr("rent everything"),
        "domestic_only": tr("domestic chips only"),
        "wait": tr("wait"),
        "optimal_within_gap": tr("within the promised gap"),
        "time_limit": tr("stopped at the time limit"),
        "no_incumbent": tr("no plan was found in time"),
        "infeasible": tr("cannot be had"),
    }


def kind_words() -> dict[str, str]:
    """Name how a figure came to be known."""
    return {
        "measured": tr("measured"),
        "vendor": tr("vendor's figure"),
        "derived": tr("derived"),
        "estimate": tr("estimate"),
        "assumption": tr("assumption"),
    }


def price_words() -> dict[str, str]:
    """Name the prices that an answer rests on."""
    return {"rent.accelerator_hour": tr("rent of an accelerator for an hour")}


def region_words() -> dict[str, str]:
    """Name the regions that a scenario may stand in."""
    return {"China": tr("China"), "US": tr("United States"), "EU": tr("European Union"), "world": tr("the world")}


def listed(parts: Iterable[str]) -> str:
    """Join parts as the language in force lists things."""
    return tr(", ").join(part for part in parts if part)


def word(name: str) -> str:
    """Say a stable name in the language in force; a name of nobody's list is said as it stands, without underscores."""
    for words in (cause_words, post_words, money_words, pool_words, layer_words, option_words, kind_words, region_words,
                  price_words):  # fmt: skip
        known = words()
        if name in known:
            return known[name]
    return tell(readable(name))


def readable(name: str) -> str:
    """Say a key such as resale.after_1_year as words; a text that already is words stays as it is."""
    return name.replace("_", " ").replace(".", ": ") if KEY.fullmatch(name) else name
