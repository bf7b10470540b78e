"""Time of one kernel: tiles and waves on the arithmetic side, traffic on the memory side, a floor under both."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="FLOP", source="nvidia_matmul_guide")
def tiled_matmul_flop(
    rows: Real,
    inner: Real,
    columns: Real,
    groups: Real,
    tile_rows: Real,
    tile_columns: Real,
    compute_units: Real,
    wave_softness: Real,
    inner_ramp: Real,
    multiply_add_flop: Real,
) -> Real:
    """Arithmetic that a grouped matrix product occupies, padding to whole tiles and waves included.

    F = 2 (k + k0) u r c [w + s (ceil(w) - w)], w = g ceil(m / r') ceil(n / c) / u, r' = min(r, 16 ceil(m / 16)).

    `rows` x `inner` times `inner` x `columns`, `groups` of them in one launch; a tile is `tile_rows` x `tile_columns`
    on one of `compute_units`; `wave_softness` is the share of an unfinished wave that is lost; `inner_ramp` is how many
    steps of the inner loop filling and draining the pipeline costs; `multiply_add_flop` is 2 by definition.
    Holds for dense matrix units. Source: nvidia_matmul_guide.

    >>> float(tiled_matmul_flop(128.0, 1024.0, 128.0, 1.0, 128.0, 128.0, 1.0, 1.0, 0.0, 2.0)) == 2.0 * 128 * 1024 * 128
    True
    """
    tall = np.minimum(tile_rows, 16 * np.ceil(rows / 16))
    tiles = groups * np.ceil(rows / np.maximum(tall, 1)) * np.ceil(columns / tile_columns)
    waves = tiles / compute_units
    busy = waves + wave_softness * (np.ceil(waves) - waves)
    return multiply_add_flop * (inner + inner_ramp) * busy * compute_units * tall * tile_columns


@equation(unit="B", source="williams2009")
def matmul_traffic_bytes(
    rows: Real,
    inner: Real,
    columns: Real,
    groups: Real,
    weight_bytes_per_element: Real,
    activation_bytes_per_element: Real,
    output_bytes_per_element: Real,
) -> Real:
    """Bytes that a grouped matrix product reads and writes once: weights, activations, result.

    B = g (k n b_w + m k b_a + m n b_o).

    Holds while each operand passes device memory once. Source: williams2009.

    >>> float(matmul_traffic_bytes(1.0, 10.0, 10.0, 1.0, 2.0, 2.0, 2.0))
    240.0
    """
    return groups * (
        inner * columns * weight_bytes_per_element
        + rows * inner * activation_bytes_per_element
        + rows * columns * output_bytes_per_element
    )


@equation(unit="s", source="williams2009")
def kernel_seconds(
    work_flop: Real,
    moved_bytes: Real,
    peak_flop_per_s: Real,
    memory_bytes_per_s: Real,
    ceiling_share: Real,
    memory_share: Real,
    overlap_sharpness: Real,
    floor_seconds: Real,
) -> Real:
    """Time of one kernel: a floor, and the larger of arithmetic and traffic with a rounded corner between them.

    t = t0 + [(F / (c P))^q + (B / (h W))^q]^(1/q); q to infinity is the roofline, q = 1 no overlap.

    `ceiling_share` c and `memory_share` h are what long kernels reach of the peaks. Source: williams2009.

    >>> round(float(kernel_seconds(1e12, 1e6, 1e14, 1e12, 1.0, 1.0, 4.0, 0.0)), 6)
    0.01
    """
    arithmetic = work_flop / (peak_flop_per_s * ceiling_share)
    traffic = moved_bytes / (memory_bytes_per_s * memory_share)
    return floor_seconds + (arithmetic**overlap_sharpness + traffic**overlap_sharpness) ** (1 / overlap_sharpness)


@equation(unit="1", source="dao2023")
def attended_keys(queries: Real, keys: Real, causal: Real) -> Real:
    """Mean number of keys that a query attends to; the queries are the last ones of the sequence.

    k' = k - causal (q - 1) / 2.

    `causal` is 1 under a causal mask and 0 without. Source: dao2023.

    >>> float(attended_keys(4.0, 4.0, 1.0))
    2.5
    """
    return keys - causal * (queries - 1) / 2


@equation(unit="FLOP", source="dao2023")
def tiled_attention_flop(
    queries: Real,
    keys: Real,
    heads: Real,
    head_dims: Real,
    sequences: Real,
    tile_rows: Real,
    compute_units: Real,
    wave_softness: Real,
    key_ramp: Real,
    products: Real,
    multiply_add_flop: Real,
) -> Real:
    """Arithmetic that a fused attention kernel occupies, one block for each tile of queries, head and sequence.

    F = 2 p (k + k0) d u r [w + s (ceil(w) - w)], w = n h ceil(q / r) / u.

    `keys` are those a query attends to on average; `head_dims` is the mean of query-key and value dimension;
    `products` is 2 forward and 5 backward; `key_ramp` is what starting and ending a block costs in keys.
    Source: dao2023.

    >>> float(tiled_attention_flop(128.0, 64.0, 1.0, 64.0, 1.0, 128.0, 1.0, 1.0, 0.0, 2.0, 2.0)) == 4.0 * 128 * 64 * 64
    True
    """
    waves = sequences * heads * np.ceil(queries / tile_rows) / compute_units
    busy = waves + wave_softness * (np.ceil(waves) - waves)
    return multiply_add_flop * products * (keys + key_ramp) * head_dims * busy * compute_units * tile_rows


@equation(unit="B", source="williams2009")
def attention_traffic_bytes(
    queries: Real,
    keys: Real,
    heads: Real,
    kv_heads: Real,
    qk_head_dim: Real,
    v_head_dim: Real,
    sequences: Real,
    activation_bytes_per_element: Real,
    kv_bytes_per_element: Real,
    score_bytes_per_element: Real,
) -> Real:
    """Bytes of one attention: queries and result, keys and values, and the score matrix where it is written out.

    B = n [q h (d_k + d_v) b_a + k g (d_k + d_v) b_kv + h q k b_s].

    `score_bytes_per_element` is 0 for a fused kernel. Source: williams2009.

    >>> float(attention_traffic_bytes(1.0, 100.0, 8.0, 1.0, 64.0, 64.0, 1.0, 2.0, 2.0, 0.0))
    27648.0
    """
    dims = qk_head_dim + v_head_dim
    own = queries * heads * dims * activation_bytes_per_element
    cached = keys * kv_heads * dims * kv_bytes_per_element
    return sequences * (own + cached + heads * queries * keys * score_bytes_per_element)


@equation(unit="s", source="williams2009")
def pass_seconds(moved_bytes: Real, memory_bytes_per_s: Real, memory_share: Real, floor_seconds: Real) -> Real:
    """Time of one element-wise pass over device memory: t = t0 + B / (h W).

    Source: williams2009.

    >>> float(pass_seconds(1e9, 1e12, 0.5, 0.0))
    0.002
    """
    return floor_seconds + moved_bytes / (memory_bytes_per_s * memory_share)


@equation(unit="1", source="aiconfigurator_core")
def expert_imbalance(ranks: Real, tokens_per_rank: Real, skew: Real, half_tokens: Real) -> Real:
    """Slowdown of the busiest expert rank against an even spread of tokens.

    f = 1 + s (1 - 1/n) t / (t + t0).

    `skew` s is the slowdown of many ranks at many tokens; below `half_tokens` t0 weights, not tokens, set the time.
    Source: aiconfigurator_core.

    >>> float(expert_imbalance(1.0, 1000.0, 0.4, 100.0))
    1.0
    """
    return 1 + skew * (1 - 1 / ranks) * tokens_per_rank / (tokens_per_rank + half_tokens)
