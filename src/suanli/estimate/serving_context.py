"""What ranks that share out the positions of sequences send: keys of prompts, and parts of decoded outputs.

Prefill: every context rank computes its part of a prompt's tokens and gathers the keys and values of the others; where
a chunk is not the first, what the cache holds already is gathered too, since it is cut by positions. Decode: each rank
attends to its own positions for the query heads of all ranks that hold the same heads; outputs are summed by weight.
"""

from __future__ import annotations

import numpy as np

from suanli.domain.model import Core, CoreKind
from suanli.estimate.serving_replica import Replica
from suanli.foundation.equation import Real

WIDE_BYTES = 2.0
"""Bytes of keys, values and outputs on their way (16-bit, as between kernels)."""
SUM_BYTES = 4.0
"""Bytes of the log of a sum of weights that goes with each head's output."""
PROBE_BYTES = 2.0**34
"""A message long enough for a link's rate to show without its latency."""
ENDLESS = 1e18
"""A reach that no context meets."""


def held_elements(replica: Replica, core: Core) -> float:
    """Elements that one position leaves in the cache of a layer on one tensor rank."""
    if core.kind is CoreKind.LATENT:
        return core.attended_elements
    return max(core.kv_heads / replica.layout.tensor, 1.0) * (core.qk_head_dim + core.v_head_dim)


def gather_seconds(replica: Replica, core: Core, tokens: Real) -> Real:
    """Time to gather the keys and values of so many prompt tokens of one attention-data rank over the context ranks."""
    ranks = float(replica.layout.context)
    if ranks == 1 or not core.attends:
        return np.zeros_like(np.asarray(tokens, dtype=float))[()]
    moved = tokens * held_elements(replica, core) * WIDE_BYTES
    once = replica.fabric.collective_seconds("all_gather", moved, ranks, replica.ranks_per_node)
    return np.where(np.asarray(tokens) > 0, once, 0.0)[()]


def earlier_terms(replica: Replica, core: Core) -> tuple[float, float]:
    """Seconds to gather each position that the cache holds of a prompt already, and how many of one prompt are needed.

    They follow the chunk's own keys in the same collective, so only the rate of the links counts.
    """
    ranks = float(replica.layout.cache_shards)
    if ranks == 1 or not core.attends:
        return 0.0, ENDLESS
    node, gather = replica.ranks_per_node, replica.fabric.collective_seconds
    once, twice = (float(gather("all_gather", size, ranks, node)) for size in (PROBE_BYTES, 2 * PROBE_BYTES))
    kept = replica.device.number_format(replica.kv_format).activation_bytes
    each = (twice - once) / PROBE_BYTES * held_elements(replica, core) * kept
    return each / replica.layout.attention_data, ENDLESS if core.window is None else float(core.window)


def exchange_seconds(replica: Replica, core: Core, tokens: Real) -> Real:
    """Time to bring queries of decoded tokens to the ranks that hold the positions, and outputs back."""
    layout, node, send = replica.layout, replica.ranks_per_node, replica.fabric.collective_seconds
    if layout.cache_shards == 1 or not core.attends:
        return np.zeros_like(np.asarray(tokens, dtype=float))[()]
    heads = max(core.heads / layout.tensor, 1.0) * layout.decode_context
    latent = core.kind is CoreKind.LATENT
    wide = held_elements(replica, core) if latent else float(core.qk_head_dim)
    narrow = wide - (core.qk_head_dim - core.v_head_dim)
    answer = tokens * heads * (narrow * WIDE_BYTES + SUM_BYTES)
    spent: Real = 0.0
    if layout.decode_context > 1:
        ranks = float(layout.decode_context)
        spent = send("all_gather", tokens * heads * wide * WIDE_BYTES, ranks, node)
        spent = spent + send("reduce_scatter", answer, ranks, node)
    if layout.context > 1:
        share = answer / layout.decode_context
        spent = spent + send("all_reduce", share, float(layout.context), node, one_shot=True)
    return np.where(np.asarray(tokens) > 0, spent, 0.0)[()]
