"""Patterns of models whose layers differ in more than a word: one block a layer, a period, or a list of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suanli.domain.model import Core, CoreKind, Matrix, Role
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.patterns import sparse_layers
from suanli.parts.architectures.pieces import FEEDS, MIXERS, PATTERNS, Piece, Spot

BLOCKS = {
    "mamba": ("mamba2", "none"),
    "linear_attention": ("mamba2", "none"),
    "attention": ("softmax", "none"),
    "full_attention": ("softmax", "none"),
    "mlp": ("none", "dense"),
    "moe": ("none", "experts"),
}
"""Nemotron-H's words for a layer: its mixer and its feed-forward, one of them absent."""


def single(fields: Fields, family: Family, layers: int) -> list[Spot]:
    """Lay out layers that are each a mixer or a feed-forward."""
    name = "layers_block_type" if fields.says("layers_block_type") else "layer_types"
    words = fields.words(name, BLOCKS)
    if words is None:
        fields.missing("hybrid_override_pattern", "a text of M, *, - and E, or layers_block_type as a list of words")
        return []
    placed = [BLOCKS.get(word, ("none", "none")) for word in words]
    return [Spot(index=index, mixer=mixer, feed=feed) for index, (mixer, feed) in enumerate(placed)]


def alone(fields: Fields, family: Family, layers: int) -> list[Spot]:
    """Lay out layers that are a recurrent mixer and nothing else."""
    return [Spot(index=index, mixer=family.linear, feed="none") for index in range(layers)]


def periodic(fields: Fields, family: Family, layers: int) -> list[Spot]:
    """Lay out layers of which every n-th has attention and every m-th has experts (Jamba)."""
    every, first = fields.count("attn_layer_period"), fields.count("attn_layer_offset", least=0)
    experts = sparse_layers(fields, family, layers)
    if fields.count("num_experts", 1) == 1:
        experts = [False] * layers
    return [
        Spot(
            index=index,
            mixer=family.attention if index % every == first else family.linear,
            feed="experts" if experts[index] else "dense",
        )
        for index in range(layers)
    ]


ROUNDING = 256
"""Nemotron NAS rounds a block's width up to a multiple of this (its published modelling code)."""


def _block_width(fields: Fields, ratio: float, hidden: int) -> int:
    wide = int(2 * ratio * hidden / (1 + 2))
    return -(-wide // ROUNDING) * ROUNDING


def _mapping(block: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = block.get(name)
    return value if isinstance(value, Mapping) else {}


def listed(fields: Fields, family: Family, layers: int) -> list[Spot]:
    """Lay out the blocks that a search chose one by one (Nemotron NAS): groups and widths differ, some are absent."""
    blocks = fields.value("block_configs")
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        fields.fault("block_configs", blocks, "a list of mappings with attention and ffn")
        return []
    if len(blocks) != layers and fields.clean("num_hidden_layers"):
        fields.fault("block_configs", f"{len(blocks)} blocks", f"one for each of the {layers} layers")
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    return [_listed_spot(fields, block, index, hidden, heads) for index, block in enumerate(blocks)]


def _listed_spot(fields: Fields, block: Mapping[str, Any], index: int, hidden: int, heads: int) -> Spot:
    attention, feed = _mapping(block, "attention"), _mapping(block, "ffn")
    own: list[tuple[str, int]] = []
    mixer = "linear_substitute" if attention.get("replace_with_linear") is True else "softmax"
    if attention.get("no_op") is True:
        mixer = "none"
    elif mixer == "softmax":
        group = fields.checked("block_configs", attention.get("n_heads_in_group"))
        own.append(("num_key_value_heads", max(heads // group, 1)))
    kind = "linear_substitute" if feed.get("replace_with_linear") is True else "dense"
    ratio = feed.get("ffn_mult")
    if feed.get("no_op") is True:
        kind = "none"
    elif kind == "dense":
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 < ratio < ROUNDING:
            fields.fault("block_configs", ratio, "ffn_mult as a positive number")
            ratio = 1.0
        own.append(("intermediate_size", _block_width(fields, float(ratio), hidden)))
    return Spot(index=index, mixer=mixer, feed=kind, own=tuple(own))


def linear_mixer(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make one square matrix in place of attention."""
    hidden = fields.count("hidden_size")
    matrix = Matrix(name="linear", role=Role.ATTENTION_IN, inputs=hidden, outputs=hidden)
    return Piece(matrices=(matrix,), core=Core(kind=CoreKind.NONE))


def linear_feed(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make one square matrix in place of the feed-forward."""
    hidden = fields.count("hidden_size")
    return Piece(matrices=(Matrix(name="linear", role=Role.MLP_IN, inputs=hidden, outputs=hidden),))


MIXERS.add("linear_substitute", linear_mixer)
FEEDS.add("linear_substitute", linear_feed)
PATTERNS.add("single", single)
PATTERNS.add("alone", alone)
PATTERNS.add("periodic", periodic)
PATTERNS.add("listed", listed)
