"""Fused attention through PyTorch's own kernel: forward and backward of whole sequences, and one query over a cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suanli.measure.backends import Run
from suanli.measure.cases import ELEMENT_BYTES, Bench, Case, drawn

PHASES = ("prefill", "decode", "backward")
PRODUCT_FLOP = {"prefill": 4.0, "decode": 4.0, "backward": 10.0}
"""Arithmetic for one pair of query and key and one dimension: two products forward, five backward."""


def attention_cases(bench: Bench, phase: str, number_format: str) -> list[Case]:
    """Draw attentions of a phase: of as many queries as keys under a causal mask, or of one query for a sequence."""
    shapes = bench.rules.shapes
    choices = {
        "keys": shapes.lengths, "kv_heads": shapes.heads, "shared": shapes.queries_per_kv_head,
        "head_dim": shapes.head_dims, "sequences": shapes.sequences,
    }  # fmt: skip

    def fits(one: Mapping[str, int]) -> bool:
        heads = one["kv_heads"] * one["shared"]
        queries = 1 if phase == "decode" else one["keys"]
        pairs = one["sequences"] * heads * queries * one["keys"] / (1 if phase == "decode" else 2)
        flop = pairs * one["head_dim"] * PRODUCT_FLOP[phase]
        kept = 2 * one["sequences"] * one["keys"] * one["kv_heads"] * one["head_dim"] * ELEMENT_BYTES[number_format]
        held = kept * (1 + one["shared"]) if phase != "decode" else kept
        return heads <= max(shapes.heads) and bench.takes(flop, kept, held, number_format)

    found = drawn(choices, bench.rules.span.attentions, fits, f"{phase} {number_format}")
    return [_case(bench, phase, number_format, one) for one in found]


def _case(bench: Bench, phase: str, number_format: str, drawn_shape: Mapping[str, int]) -> Case:
    shape = {
        "queries": 1 if phase == "decode" else drawn_shape["keys"],
        "keys": drawn_shape["keys"],
        "heads": drawn_shape["kv_heads"] * drawn_shape["shared"],
        "kv_heads": drawn_shape["kv_heads"],
        "head_dim": drawn_shape["head_dim"],
        "sequences": drawn_shape["sequences"],
    }
    prepare = {"prefill": _forward, "decode": _decode, "backward": _backward}[phase]
    return Case(
        group=phase, family=number_format, shape={name: float(value) for name, value in shape.items()},
        prepare=lambda: prepare(bench, number_format, shape),
    )  # fmt: skip


def _attend(bench: Bench, shape: Mapping[str, int]) -> Any:
    torch, shared = bench.torch, shape["heads"] != shape["kv_heads"]

    def run(q: Any, k: Any, v: Any) -> Any:
        return torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=shape["queries"] > 1, enable_gqa=shared
        )

    return run


def _three(bench: Bench, number_format: str, shape: Mapping[str, int]) -> tuple[Any, Any, Any]:
    q = bench.tensor((shape["sequences"], shape["heads"], shape["queries"], shape["head_dim"]), number_format)
    kept = (shape["sequences"], shape["kv_heads"], shape["keys"], shape["head_dim"])
    return q, bench.tensor(kept, number_format), bench.tensor(kept, number_format)


def _forward(bench: Bench, number_format: str, shape: Mapping[str, int]) -> Run:
    attend = _attend(bench, shape)
    q, k, v = _three(bench, number_format, shape)
    return lambda: attend(q, k, v)


def _decode(bench: Bench, number_format: str, shape: Mapping[str, int]) -> Run:
    """Take keys and values from memory: other ones at every turn."""
    attend = _attend(bench, shape)
    q = bench.tensor((shape["sequences"], shape["heads"], 1, shape["head_dim"]), number_format)
    kept = (2, shape["sequences"], shape["kv_heads"], shape["keys"], shape["head_dim"])
    cache = bench.rotated(kept, number_format)

    def run() -> Any:
        k, v = cache()
        return attend(q, k, v)

    return run


def _backward(bench: Bench, number_format: str, shape: Mapping[str, int]) -> Run:
    attend = _attend(bench, shape)
    three = tuple(one.detach().requires_grad_() for one in _three(bench, number_format, shape))
    out = attend(*three)
    grown = bench.torch.ones_like(out)
    return lambda: bench.torch.autograd.grad(out, three, grown, retain_graph=True)
