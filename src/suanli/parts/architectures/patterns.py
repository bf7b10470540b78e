"""Patterns: which mixer and which feed-forward stand at each layer of a model."""

from __future__ import annotations

from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import PATTERNS, Spot

FULL, WINDOWED, LINEAR = "full", "windowed", "linear"
WORDS = {
    "full_attention": FULL,
    "attention": FULL,
    "global_attention": FULL,
    "sliding_attention": WINDOWED,
    "chunked_attention": WINDOWED,
    "linear_attention": LINEAR,
    "mamba": LINEAR,
    "mamba2": LINEAR,
    "hybrid": LINEAR,
    "deepseek_sparse_attention": FULL,
    "indexed_attention": FULL,
    "minimax_m3_sparse": "indexed",
    "compressed_sparse_attention": "compressed",
    "heavily_compressed_attention": "heavily_compressed",
}
"""What the words of `layer_types` mean; any other value names the mixer itself."""


def kinds(fields: Fields, family: Family, layers: int) -> list[str]:
    """Return whether each layer's mixer is full, windowed or linear."""
    for name in ("layer_types", "layers_block_type"):
        words = fields.words(name, WORDS)
        if words is not None:
            if len(words) < layers:
                fields.fault(name, f"{len(words)} words", f"one for each of the {layers} layers")
            return ([WORDS.get(word, FULL) for word in words] + [FULL] * layers)[:layers]
    return by_rule(fields, family, layers)


def by_rule(fields: Fields, family: Family, layers: int) -> list[str]:
    """Return each layer's kind from an interval, a pattern or a flag, where no list says it."""
    flags = fields.counts("hybrid_layer_pattern") or fields.counts("attn_type_list")
    if flags:
        other = WINDOWED if fields.says("hybrid_layer_pattern") else LINEAR
        special = 1 if other == WINDOWED else 0
        return ([other if flag == special else FULL for flag in flags] + [FULL] * layers)[:layers]
    if fields.says("full_attention_interval"):
        every = fields.count("full_attention_interval")
        return [LINEAR if (index + 1) % every else FULL for index in range(layers)]
    if not fields.rule(family.sliding) or not fields.says("sliding_window"):
        return [FULL] * layers
    if fields.says("max_window_layers"):
        first = fields.count("max_window_layers", least=0)
        return [WINDOWED if index >= first else FULL for index in range(layers)]
    every = fields.count("sliding_window_pattern", layers + 1)
    return [WINDOWED if (index + 1) % every else FULL for index in range(layers)]


def sparse_layers(fields: Fields, family: Family, layers: int) -> list[bool]:
    """Tell which layers hold experts, as the config's list says, else by the family's rule."""
    words = fields.words("mlp_layer_types")
    if words is not None:
        return ([word != "dense" for word in words] + [True] * layers)[:layers]
    frequency = fields.value("moe_layer_freq")
    if isinstance(frequency, list):
        flags = fields.counts("moe_layer_freq") or []
        return ([flag > 0 for flag in flags] + [True] * layers)[:layers]
    if family.sparse == "stepped":
        return stepped(fields, layers)
    if family.sparse == "span":
        first = fields.count("moe_layer_start_index", 0, least=0)
        last = fields.value("moe_layer_end_index")
        last = layers - 1 if last in (None, -1) else fields.count("moe_layer_end_index", least=0)
        every = fields.count("moe_layer_interval", 1)
        return [first <= index <= last and not (index + 1) % every for index in range(layers)]
    if family.sparse == "offset":
        every, first = fields.count("expert_layer_period", 1), fields.count("expert_layer_offset", 0, least=0)
        return [index % every == first for index in range(layers)]
    first = fields.count("first_k_dense_replace", 0, least=0)
    every = fields.count("moe_layer_freq", 1)
    return [index >= first and not index % every for index in range(layers)]


def stepped(fields: Fields, layers: int) -> list[bool]:
    """Tell which layers hold experts: every n-th, less those that a list names as dense."""
    every = fields.count("decoder_sparse_step", 1)
    plain = set(fields.counts("mlp_only_layers") or [])
    named = fields.counts("moe_layers")
    if named is not None:
        return [index in named for index in range(layers)]
    return [not (index + 1) % every and index not in plain for index in range(layers)]


def own_width(fields: Fields, widths: object, index: int) -> tuple[tuple[str, int], ...]:
    """Return a layer's own feed-forward width where the config lists one for each layer, else nothing."""
    if not isinstance(widths, list):
        return ()
    if index >= len(widths):
        fields.fault("intermediate_size", f"{len(widths)} widths", "one for each layer")
        return (("intermediate_size", 1),)
    return (("intermediate_size", fields.checked("intermediate_size", widths[index])),)


def own_counts(fields: Fields, index: int) -> tuple[tuple[str, int], ...]:
    """Return the counts that `per_layer_config` gives a layer of its own."""
    layers = fields.value("per_layer_config")
    own = layers.get(f"{index:02d}", layers.get(str(index))) if isinstance(layers, dict) else None
    if not isinstance(own, dict):
        return ()
    return tuple((str(name), fields.checked("per_layer_config", value)) for name, value in own.items())


def named(fields: Fields, family: Family, layers: int) -> list[Spot]:
    """Lay out layers of one mixer and one feed-forward each."""
    found = kinds(fields, family, layers)
    experts = sparse_layers(fields, family, layers) if family.feed == "experts" else [False] * layers
    own_keys = layers - fields.count("num_kv_shared_layers", 0, least=0)
    index_words = fields.words("indexer_types") or []
    widths = fields.value("intermediate_size")
    mixers = {FULL: family.attention, WINDOWED: family.attention, LINEAR: family.linear}
    feed_other = "dense" if family.feed == "experts" else family.feed
    return [
        Spot(
            index=index,
            mixer=mixers.get(kind, kind),
            feed="experts" if sparse else feed_other,
            windowed=kind == WINDOWED,
            word=index_words[index] if index < len(index_words) else "",
            reuses_keys=index >= own_keys,
            own=own_width(fields, widths, index) + own_counts(fields, index),
        )
        for index, (kind, sparse) in enumerate(zip(found, experts, strict=True))
    ]


PATTERNS.add("named", named)
