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
    """Return each layer's kind from flags, an interval or a rule of windows, where no list says it."""
    return by_flags(fields, layers) or by_interval(fields, layers) or by_windows(fields, family, layers)


def by_flags(fields: Fields, layers: int) -> list[str]:
    """Return each layer's kind from a flag for each: 1 marks a windowed layer, or 0 a linear one; nothing without."""
    flags = fields.counts("hybrid_layer_pattern") or fields.counts("attn_type_list")
    if not flags:
        return []
    special, other = (1, WINDOWED) if fields.says("hybrid_layer_pattern") else (0, LINEAR)
    return ([other if flag == special else FULL for flag in flags] + [FULL] * layers)[:layers]


def by_interval(fields: Fields, layers: int) -> list[str]:
    """Return linear layers of which every n-th is full, where the config or the family says n; nothing without."""
    if not fields.says("full_attention_interval"):
        return []
    every = fields.count("full_attention_interval")
    return [LINEAR if (index + 1) % every else FULL for index in range(layers)]


def by_windows(fields: Fields, family: Family, layers: int) -> list[str]:
    """Return which layers have a window: none, those from one on, or all but every n-th."""
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
    if isinstance(fields.value("moe_layer_freq"), list):
        flags = fields.counts("moe_layer_freq") or []
        return ([flag > 0 for flag in flags] + [True] * layers)[:layers]
    return SPARSE[family.sparse](fields, layers)


def span(fields: Fields, layers: int) -> list[bool]:
    """Tell which layers hold experts: every n-th between a first and a last one (ERNIE); -1 means the last of all."""
    first = fields.count("moe_layer_start_index", 0, least=0)
    last = fields.value("moe_layer_end_index")
    last = layers - 1 if last in (None, -1) else fields.count("moe_layer_end_index", least=0)
    every = fields.count("moe_layer_interval", 1)
    return [first <= index <= last and not (index + 1) % every for index in range(layers)]


def offset(fields: Fields, layers: int) -> list[bool]:
    """Tell which layers hold experts: every n-th, counted from one of them on (Jamba)."""
    every, first = fields.count("expert_layer_period", 1), fields.count("expert_layer_offset", 0, least=0)
    return [index % every == first for index in range(layers)]


def after_first(fields: Fields, layers: int) -> list[bool]:
    """Tell which layers hold experts: all after the first dense ones, or every n-th of them (DeepSeek)."""
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


SPARSE = {"all": after_first, "stepped": stepped, "span": span, "offset": offset}
"""The families' rules of which layers hold experts."""


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
