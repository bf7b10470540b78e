"""Stable names (causes, categories, pools, states) as words of the language in force."""

from __future__ import annotations

from collections.abc import Iterable

from suanli.foundation.language import tr


def cause_words() -> dict[str, str]:
    """Name what takes time in a step or room in memory."""
    return {
        "compute": tr("compute"),
        "memory_passes": tr("memory passes"),
        "bubble": tr("pipeline bubble"),
        "optimizer": tr("optimizer"),
        "launch": tr("kernel launch"),
        "weights": tr("weights"),
        "gradients": tr("gradients"),
        "activations": tr("activations"),
        "logits": tr("logits"),
        "runtime": tr("runtime and reserve"),
        "kv_cache": tr("KV cache"),
        "tensor": tr("tensor parallel traffic"),
        "pipeline": tr("pipeline traffic"),
        "data": tr("data parallel traffic"),
        "context": tr("context parallel traffic"),
        "expert": tr("expert parallel traffic"),
    }


def money_words() -> dict[str, str]:
    """Name the categories of cash."""
    return {
        "purchase": tr("purchase"),
        "rent": tr("rent"),
        "energy": tr("electricity"),
        "staff": tr("staff"),
        "rent_commitment": tr("rent after the plan's end"),
        "resale": tr("resale"),
        "network": tr("network"),
        "storage": tr("storage"),
    }


def pool_words() -> dict[str, str]:
    """Name how hardware is held."""
    return {
        "owned": tr("owned"),
        "bought": tr("bought"),
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


def region_words() -> dict[str, str]:
    """Name the regions that a scenario may stand in."""
    return {"China": tr("China"), "US": tr("United States"), "EU": tr("European Union"), "world": tr("the world")}


def listed(parts: Iterable[str]) -> str:
    """Join parts as the language in force lists things."""
    return tr(", ").join(part for part in parts if part)


def word(name: str) -> str:
    """Say a stable name in the language in force; a name of nobody's list is said as it stands, without underscores."""
    for words in (cause_words, money_words, pool_words, layer_words, option_words, kind_words, region_words):
        known = words()
        if name in known:
            return known[name]
    return name.replace("_", " ")
