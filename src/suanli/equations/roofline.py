"""Time of one kernel: tiles and waves on the arithmetic side, traffic on the memory side, a floor under both."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation

LEAST_CACHE_BYTES = 1.0
"""A cache below one byte is none."""


@equation(unit="1", source="nvidia_matmul_guide")
def tile_height(rows: Real, tile_rows: Real, least_tile_rows: Real) -> Real:
    """Rows of the tile that a kernel picks: the least multiple of the hardware's own that holds all, up to its largest.

    r' = min(r, r0 ceil(m / r0)), never below r0. Source: nvidia_matmul_guide.

    >>> float(tile_height(20.0, 128.0, 16.0))
    32.0
    """
    return np.maximum(np.minimum(tile_rows, least_tile_rows * np.ceil(rows / least_tile_rows)), least_tile_rows)


@equation(unit="1", source="nvidia_matmul_guide")
def busy_waves(tiles: Real, compute_units: Real, wave_softness: Real) -> Real:
    """Waves of tiles over the compute units, an unfinished wave counted as whole by the share that is lost.

    w' = w + s (ceil(w) - w), w = tiles / units. Source: nvidia_matmul_guide.

    >>> float(busy_waves(150.0, 100.0, 1.0))
    2.0
    """
    waves = tiles / compute_units
    return waves + wave_softness * (np.ceil(waves) - waves)


@equation(unit="FLOP", source="nvidia_matmul_guide")
def tiled_matmul_flop(
    rows: Real,
    inner: Real,
    columns: Real,
    groups: Real,
    tile_rows: Real,
    least_tile_rows: Real,
    tile_columns: Real,
    compute_units: Real,
    wave_softness: Real,
    inner_ramp: Real,
    multiply_add_flop: Real,
) -> Real:
    """Arithmetic that a grouped matrix product occupies, padding to whole tiles and waves included.

    F = 2 (k + k0) w' u r' c, w' the busy waves of g ceil(m / r') ceil(n / c) tiles over u units.

    `rows` x `inner` times `inner` x `columns`, `groups` of them in one launch; `inner_ramp` k0 is how many steps of the
    inner loop the filling and draining of a tile costs; `multiply_add_flop` is 2 by definition.
    Holds for dense matrix units. Source: nvidia_matmul_guide.

    >>> flop = tiled_matmul_flop(128.0, 1024.0, 128.0, 1.0, 128.0, 16.0, 128.0, 1.0, 1.0, 0.0, 2.0)
    >>> float(flop) == 2.0 * 128 * 1024 * 128
    True
    """
    tall = tile_height(rows, tile_rows, least_tile_rows)
    tiles = groups * np.ceil(rows / tall) * np.ceil(columns / tile_columns)
    waves = busy_waves(tiles, compute_units, wave_softness)
    return multiply_add_flop * (inner + inner_ramp) * waves * compute_units * tall * tile_columns


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


@equation(unit="B", source="goto2008")
def packing_traffic_bytes(rows: Real, inner: Real, columns: Real, groups: Real, packed_bytes_per_element: Real) -> Real:
    """Bytes that a library moves to copy a weight into blocks before it multiplies: B = g k n p, nothing for one row.

    A product of one row by a matrix reads the matrix as it lies; more rows are worth a copy in the order of the inner
    loop. Holds for processors, whose libraries pack at every call. Source: goto2008.

    >>> [float(packing_traffic_bytes(rows, 10.0, 10.0, 1.0, 8.0)) for rows in (1.0, 16.0)]
    [0.0, 800.0]
    """
    return groups * inner * columns * packed_bytes_per_element * np.minimum(np.maximum(rows - 1, 0), 1)


@equation(unit="s", source="nvidia_matmul_guide")
def chain_seconds(steps: Real, root_step_seconds: Real) -> Real:
    """Time of the longest chain of dependent steps when a kernel splits it as well as it can.

    t = t1 sqrt(k): a chain of k steps of a each in s parts takes a k / s + b s, least at s = sqrt(a k / b),
    which gives 2 sqrt(a b k); `root_step_seconds` t1 stands for 2 sqrt(a b). Source: nvidia_matmul_guide.

    >>> float(chain_seconds(4096.0, 1e-7)) == 64e-7
    True
    """
    return root_step_seconds * np.sqrt(steps)


@equation(unit="s", source="williams2009")
def kernel_seconds(
    work_flop: Real,
    moved_bytes: Real,
    peak_flop_per_s: Real,
    memory_bytes_per_s: Real,
    ceiling_share: Real,
    memory_share: Real,
    overlap_sharpness: Real,
    fixed_seconds: Real,
) -> Real:
    """Time of one kernel: what is fixed, and the larger of arithmetic and traffic with a rounded corner between them.

    t = t0 + [(F / (c P))^q + (B / (h W))^q]^(1/q); q to infinity is the roofline, q = 1 no overlap.

    `ceiling_share` c and `memory_share` h are what long kernels reach of the peaks. Source: williams2009.

    >>> round(float(kernel_seconds(1e12, 1e6, 1e14, 1e12, 1.0, 1.0, 4.0, 0.0)), 6)
    0.01
    """
    arithmetic = work_flop / (peak_flop_per_s * ceiling_share)
    traffic = moved_bytes / (memory_bytes_per_s * memory_share)
    return fixed_seconds + (arithmetic**overlap_sharpness + traffic**overlap_sharpness) ** (1 / overlap_sharpness)


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
    attended: Real,
    heads: Real,
    kv_heads: Real,
    head_dims: Real,
    sequences: Real,
    tile_rows: Real,
    least_tile_rows: Real,
    compute_units: Real,
    wave_softness: Real,
    key_ramp: Real,
    softmax_dims: Real,
    products: Real,
    multiply_add_flop: Real,
) -> Real:
    """Arithmetic that a fused attention kernel occupies; queries that share a key-value head are packed into one tile.

    F = 2 p (k + k0) (d + d0) w' u r', w' the busy waves of n g ceil(q h / (g r')) tiles over u units.

    `attended` are the keys that a query attends to on average; `head_dims` d is the mean of query-key and value
    dimension; `products` p is 2 forward and 5 backward; `key_ramp` k0 is what starting and ending a tile costs in keys;
    `softmax_dims` d0 is what the exponentials cost in head dimensions. Source: dao2023.

    >>> flop = tiled_attention_flop(128.0, 64.0, 1.0, 1.0, 64.0, 1.0, 128.0, 16.0, 1.0, 1.0, 0.0, 0.0, 2.0, 2.0)
    >>> float(flop) == 4.0 * 128 * 64 * 64
    True
    """
    rows = queries * heads / kv_heads
    tall = tile_height(rows, tile_rows, least_tile_rows)
    waves = busy_waves(sequences * kv_heads * np.ceil(rows / tall), compute_units, wave_softness)
    width = head_dims + softmax_dims
    return multiply_add_flop * products * (attended + key_ramp) * width * waves * compute_units * tall


@equation(unit="B", source="williams2009")
def attention_traffic_bytes(
    queries: Real,
    keys: Real,
    heads: Real,
    query_dims: Real,
    cached_dims: Real,
    sequences: Real,
    activation_bytes_per_element: Real,
    kv_bytes_per_element: Real,
) -> Real:
    """Bytes of one fused attention: queries and result, and the cached elements of every key.

    B = n [q h d_q b_a + k d_c b_kv].

    `query_dims` is query-key plus value dimension of a head; `cached_dims` is the elements kept for a key, all
    key-value heads together. Source: williams2009.

    >>> float(attention_traffic_bytes(1.0, 100.0, 8.0, 128.0, 128.0, 1.0, 2.0, 2.0))
    27648.0
    """
    own = queries * heads * query_dims * activation_bytes_per_element
    return sequences * (own + keys * cached_dims * kv_bytes_per_element)


@equation(unit="s", source="dao2023")
def fused_attention_seconds(
    queries: Real,
    keys: Real,
    causal: Real,
    heads: Real,
    kv_heads: Real,
    query_dims: Real,
    cached_dims: Real,
    sequences: Real,
    products: Real,
    activation_bytes_per_element: Real,
    kv_bytes_per_element: Real,
    tile_rows: Real,
    least_tile_rows: Real,
    wave_softness: Real,
    key_ramp: Real,
    softmax_dims: Real,
    ceiling_share: Real,
    memory_share: Real,
    overlap_sharpness: Real,
    floor_seconds: Real,
    root_step_seconds: Real,
    peak_flop_per_s: Real,
    memory_bytes_per_s: Real,
    compute_units: Real,
    multiply_add_flop: Real,
) -> Real:
    """Time of one fused attention: the arithmetic of its tiles, its traffic, its floor and the chain of its keys.

    t = kernel_seconds(tiled_attention_flop, attention_traffic_bytes, t0 + chain_seconds(k)).

    `query_dims` is query-key plus value dimension of a head. Source: dao2023.

    >>> shape = (1.0, 100.0, 0.0, 8.0, 1.0, 128.0, 128.0, 1.0, 2.0, 2.0, 2.0)
    >>> kernel = (16.0, 16.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 1e-5, 0.0)
    >>> float(fused_attention_seconds(*shape, *kernel, 1e30, 27648.0, 1.0, 2.0))
    1.00001
    """
    work = tiled_attention_flop(
        queries, attended_keys(queries, keys, causal), heads, kv_heads, query_dims / 2, sequences, tile_rows,
        least_tile_rows, compute_units, wave_softness, key_ramp, softmax_dims, products, multiply_add_flop,
    )  # fmt: skip
    moved = attention_traffic_bytes(
        queries, keys, heads, query_dims, cached_dims, sequences, activation_bytes_per_element, kv_bytes_per_element
    )
    return kernel_seconds(
        work, moved, peak_flop_per_s, memory_bytes_per_s, ceiling_share, memory_share, overlap_sharpness,
        floor_seconds + chain_seconds(keys, root_step_seconds),
    )  # fmt: skip


@equation(unit="B", source="korthikanti2022")
def score_traffic_bytes(
    queries: Real, keys: Real, heads: Real, sequences: Real, passes: Real, score_bytes_per_element: Real
) -> Real:
    """Bytes that the score matrix moves where attention is not fused: B = n h q k passes b.

    `passes` counts each time the matrix is read or written. Source: korthikanti2022.

    >>> float(score_traffic_bytes(2.0, 2.0, 1.0, 1.0, 4.0, 2.0))
    32.0
    """
    return sequences * heads * queries * keys * passes * score_bytes_per_element


@equation(unit="s", source="williams2009")
def pass_seconds(moved_bytes: Real, memory_bytes_per_s: Real, memory_share: Real, floor_seconds: Real) -> Real:
    """Time of one element-wise pass over device memory: t = t0 + B / (h W).

    Source: williams2009.

    >>> float(pass_seconds(1e9, 1e12, 0.5, 0.0))
    0.002
    """
    return floor_seconds + moved_bytes / (memory_bytes_per_s * memory_share)


@equation(unit="1", source="williams2009")
def cached_share(moved_bytes: Real, cache_bytes: Real) -> Real:
    """Share of a pass that the last-level cache serves, where the same data pass again and again.

    s = 1 while B <= C, 2 - B / C beyond, 0 from 2 C on: of a cycle of B through a cache of C the part 2 C - B is still
    there when it is asked for again. A cache of nothing (C = 0) serves nothing. Source: williams2009.

    >>> [float(cached_share(size, 32.0)) for size in (8.0, 48.0, 100.0)]
    [1.0, 0.5, 0.0]
    """
    left = 2.0 - moved_bytes / np.maximum(cache_bytes, LEAST_CACHE_BYTES)
    return np.minimum(np.maximum(left, 0.0), 1.0) * np.minimum(cache_bytes / LEAST_CACHE_BYTES, 1.0)


@equation(unit="s", source="williams2009")
def cached_pass_seconds(
    moved_bytes: Real,
    single_bytes: Real,
    memory_bytes_per_s: Real,
    memory_share: Real,
    floor_seconds: Real,
    cache_bytes: Real,
    cache_share: Real,
) -> Real:
    """Time of element-wise passes of which a cache may serve a part: t = t0 + B [s / c + (1 - s) / h] / W.

    `moved_bytes` B is what all passes move, `single_bytes` what one of them does, whose `cached_share` is s;
    `cache_share` c and `memory_share` h are what passes inside the cache and beyond it reach, both as shares of the
    memory bandwidth W. Source: williams2009.

    >>> float(cached_pass_seconds(1e9, 1e9, 1e12, 0.5, 0.0, 0.0, 1.0))
    0.002
    """
    cached = cached_share(single_bytes, cache_bytes)
    beyond = pass_seconds((1.0 - cached) * moved_bytes, memory_bytes_per_s, memory_share, floor_seconds)
    return beyond + cached * moved_bytes / (memory_bytes_per_s * cache_share)


@equation(unit="1", source="aiconfigurator_core")
def expert_imbalance(ranks: Real, tokens_per_rank: Real, skew: Real, half_tokens: Real) -> Real:
    """Slowdown of the busiest expert rank against an even spread of tokens.

    f = 1 + s log2(n) T / (T + T0), T = n t.

    `skew` s is what each doubling of the ranks adds where there are many tokens; at `half_tokens` T0 in all half of it
    shows, since weights, not tokens, set the time of few. Source: aiconfigurator_core.

    >>> float(expert_imbalance(1.0, 1000.0, 0.4, 100.0))
    1.0
    """
    tokens = ranks * tokens_per_rank
    return 1 + skew * np.log2(ranks) * tokens / (tokens + half_tokens)
