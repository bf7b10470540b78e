"""Softmax attention: multi-head, grouped and multi-query, with windows, sinks, gates and norms of queries and keys."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.model import Core, CoreKind, Matrix, Role
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import MIXERS, Piece, Spot


@dataclass(frozen=True, kw_only=True, slots=True)
class Heads:
    """Widths of one attention block."""

    hidden: int
    heads: int
    kv_heads: int
    width: int
    value_width: int


def place_count(fields: Fields, family: Family, spot: Spot, name: str, default: int | None = None) -> int:
    """Read a count under the name that windowed or full layers have of their own, else under the common one."""
    if name in dict(spot.own):
        return dict(spot.own)[name]
    own = (family.sliding_keys if spot.windowed else family.full_keys).get(name)
    if own is not None and fields.says(own):
        return fields.count(own)
    return fields.count(name, default)


def read_heads(fields: Fields, family: Family, spot: Spot) -> Heads:
    """Read the widths of the attention at a spot; heads must share their keys evenly."""
    hidden = fields.count("hidden_size")
    heads = place_count(fields, family, spot, "num_attention_heads")
    kv_heads = place_count(fields, family, spot, "num_key_value_heads", heads)
    if hidden % heads and not fields.says("head_dim") and fields.clean("hidden_size", "num_attention_heads"):
        fields.fault("num_attention_heads", heads, f"a divisor of hidden_size {hidden}, or a head_dim beside it")
    width = place_count(fields, family, spot, "head_dim", max(hidden // heads, 1))
    value_width = place_count(fields, family, spot, "v_head_dim", width) if family.value_width else width
    if heads % kv_heads and fields.clean("num_attention_heads", "num_key_value_heads"):
        fields.fault("num_key_value_heads", kv_heads, f"a divisor of the {heads} attention heads")
    return Heads(hidden=hidden, heads=heads, kv_heads=kv_heads, width=width, value_width=value_width)


def query_norm_vectors(fields: Fields, family: Family, shape: Heads, keys: bool = True) -> int:
    """Parameters of the norms over queries and keys: one head's width, every head's own, or the whole width."""
    if not family.query_norm or not fields.rule(family.query_norm_when):
        return 0
    both = 1 + int(family.query_norm_bias)
    if family.query_norm == "head":
        return both * shape.width * (1 + int(keys))
    return both * shape.width * (shape.heads + shape.kv_heads * int(keys))


def window_of(fields: Fields, spot: Spot) -> int | None:
    """Return how far back the attention at a spot looks, None where it sees all."""
    return fields.count("sliding_window") if spot.windowed and fields.says("sliding_window") else None


def _gate(fields: Fields, family: Family, shape: Heads) -> tuple[Matrix, ...]:
    if not family.attention_gate or not fields.rule(family.attention_gate_when):
        return ()
    outputs = shape.heads if family.attention_gate == "head" else shape.heads * shape.width
    return (Matrix(name="gate", role=Role.ATTENTION_IN, inputs=shape.hidden, outputs=outputs),)


def softmax(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make the attention at a spot. Layers that reuse another's keys and values have neither of their own."""
    shape = read_heads(fields, family, spot)
    queries, keys = shape.heads * shape.width, shape.kv_heads * shape.width
    values, mixed = shape.kv_heads * shape.value_width, shape.heads * shape.value_width
    bias, out_bias = fields.rule(family.query_bias), fields.rule(family.output_bias)
    shared_value = not spot.windowed and fields.flag("attention_k_eq_v")

    def entry(name: str, outputs: int) -> Matrix:
        return Matrix(name=name, role=Role.ATTENTION_IN, inputs=shape.hidden, outputs=outputs, bias=bias * outputs)

    matrices = [entry("query", queries)]
    if not spot.reuses_keys:
        matrices.append(entry("key", keys))
        if not shared_value:
            matrices.append(entry("value", values))
    matrices += _gate(fields, family, shape)
    matrices.append(
        Matrix(
            name="attention_out",
            role=Role.ATTENTION_OUT,
            inputs=mixed,
            outputs=shape.hidden,
            bias=out_bias * shape.hidden,
        )
    )
    sunk = family.sinks == "all" or (family.sinks == "windowed" and spot.windowed)
    core = Core(
        kind=CoreKind.SOFTMAX,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        qk_head_dim=shape.width,
        v_head_dim=shape.value_width,
        window=window_of(fields, spot),
        cached_elements=0 if spot.reuses_keys else keys + values,
        normed_heads=query_norm_vectors(fields, family, shape) > 0,
    )
    vectors = query_norm_vectors(fields, family, shape, not spot.reuses_keys) + int(sunk) * shape.heads
    return Piece(matrices=tuple(matrices), vectors=vectors, core=core)


MIXERS.add("softmax", softmax)


def absent(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make no mixer at all: the layer is a feed-forward alone."""
    return Piece(core=Core(kind=CoreKind.NONE))


MIXERS.add("none", absent)
