"""Fits of kernel and collective families to measured tables, by the log of time, weighed on rows not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from kernel_tables import Tables, pooled
from measured_devices import DEVICES, Measured, accelerator_figures
from numpy.typing import NDArray
from scipy.optimize import least_squares

from suanli.catalogue.kernels import load_formats
from suanli.domain.kernel import AttentionKernel, CollectiveKernel, MatmulKernel
from suanli.equations.roofline import expert_imbalance
from suanli.measure.fit import Fit, best, fit_collective
from suanli.measure.rules import load_rules
from suanli.parts.devices.electronic import AttentionShape, Engine, time_attention, time_matmul
from suanli.parts.devices.fabric import PASSES

Column = NDArray[np.float64]
SAMPLE = 5000
LEAST_ROWS = 100
"""Shapes below which a family has no fit: half of them weigh it."""
LARGE = 512
"""Matrices below this size in either dimension are none that a language model has: they count less."""
SMALL_WEIGHT = 0.3
FORMATS = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "nvfp4", "int4_wo": "int4_weight",
           "int8_wo": "int8_weight", "sq": "int8", }  # fmt: skip
MX_WITH_FP4 = {"w4a8_mxfp4_mxfp8": "mxfp4"}
MX_WITHOUT_FP4 = {"w4a16_mxfp4": "mxfp4"}
"""What an mxfp4 matmul is: with hardware for four bits activations are mxfp8, else 16 bits."""

RULES = replace(load_rules().fit, hold=0.0)
"""Thousands of rows hold every figure by themselves."""


def engine_of(figures: Mapping[str, float], number_format: str, units: float) -> Engine:
    """Return what a kernel of a number format runs on."""
    precisions = load_formats()[number_format].precisions
    peak = next(figures[one.value] for one in precisions if one.value in figures)
    return Engine(peak_flop_per_s=peak, memory_bytes_per_s=figures["memory"], compute_units=units)


SMALL_FOOTPRINT_BYTES = 1e6
ROTATED_WEIGHTS = 6
"""The matmul tables were taken over several copies of the weights in turn, so that fewer fit a cache."""


def uncached(touched_bytes: Any, cache_bytes: float) -> Any:
    """Keep rows that a large cache cannot have served again and again: the small ones, and those beyond it."""
    return (touched_bytes < SMALL_FOOTPRINT_BYTES) | (touched_bytes > cache_bytes)


MATMUL_TILES = [
    {"tile_rows": rows, "least_tile_rows": 16.0, "tile_columns": columns, "packing_bytes": 0.0}
    for rows, columns in ((128.0, 128.0), (256.0, 128.0), (64.0, 64.0))
]


def fit_matmul(tables: Tables, one: Measured, figures: Mapping[str, float]) -> dict[str, Fit]:
    """Fit every number format of the plain matrix kernels."""
    frame = tables.newest("gemm_perf", one.table)
    if not len(frame):
        return {}
    out = {}
    for dtype, part in frame.groupby("gemm_dtype"):
        family = FORMATS[dtype]
        form, engine = load_formats()[family], engine_of(figures, family, one.units)
        fixed = [dict(tile) for tile in MATMUL_TILES]
        if family in ("bf16", "int4_weight", "int8_weight"):
            fixed = [{**tile, "dressing_bytes": 0.0} for tile in fixed]

        def time(kernel: MatmulKernel, f: Any, form: Any = form, engine: Engine = engine) -> Column:
            return np.asarray(
                time_matmul(kernel, engine, form, f.m.to_numpy(float), f.k.to_numpy(float), f.n.to_numpy(float), 1.0)
            )

        touched = (part.n * part.k + part.m * part.k + part.m * part.n) * form.weight_bytes
        rows = pooled(part[uncached(touched, one.cache_bytes / ROTATED_WEIGHTS)], ["m", "n", "k"], SAMPLE)
        if len(rows) < LEAST_ROWS:
            continue
        weight = np.where((rows.n >= LARGE) & (rows.k >= LARGE), 1.0, SMALL_WEIGHT)
        out[family] = best(one.table, family, MatmulKernel, fixed, time, rows, weight, RULES)
    return out


UNGATED_TOPK, UNGATED_INNER = (22,), (1856,)
"""Experts without a gate (squared ReLU), some on a latent width: their tables do not say so."""


def fit_experts(tables: Tables, one: Measured, figures: Mapping[str, float]) -> dict[str, Fit]:
    """Fit the grouped matrix kernels of experts: two launches, up (with its gate) and down, evenly spread tokens."""
    frame = tables.newest("moe_perf", one.table)
    if not len(frame):
        return {}
    even = (frame.distribution == "balanced") & (frame.moe_ep_size == 1)
    gated = (
        ~frame.kernel_source.str.contains("nongated")
        & ~frame.topk.isin(UNGATED_TOPK)
        & ~frame.inter_size.isin(UNGATED_INNER)
    )
    frame = frame[even & gated]
    out = {}
    shape = ["num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size"]
    for dtype, part in frame.groupby("moe_dtype"):
        family = {**FORMATS, **(MX_WITH_FP4 if "fp4" in figures else MX_WITHOUT_FP4)}.get(dtype)
        if family is None:
            continue
        form, engine = load_formats()[family], engine_of(figures, family, one.units)

        def time(kernel: MatmulKernel, f: Any, form: Any = form, engine: Engine = engine) -> Column:
            pairs = (f.num_tokens * f.topk).to_numpy(float)
            touched = np.minimum(f.num_experts.to_numpy(float), pairs)
            hidden, inner = f.hidden_size.to_numpy(float), (f.inter_size / f.moe_tp_size).to_numpy(float)
            rows = pairs / touched
            up = time_matmul(kernel, engine, form, rows, hidden, 2 * inner, touched)
            return np.asarray(up + time_matmul(kernel, engine, form, rows, inner, hidden, touched))

        rows = pooled(part, shape, SAMPLE, quickest=True)
        if len(rows) < LEAST_ROWS:
            continue
        fixed = [dict(tile) for tile in MATMUL_TILES]
        out[f"grouped_{family}"] = best(
            one.table, f"grouped_{family}", MatmulKernel, fixed, time, rows, np.ones(len(rows)), RULES
        )
    return out


def attention_time(engine: Engine, own_bytes: float, kv_bytes: float) -> Callable[[Any, Any], Column]:
    """Return the time of attention rows under a kernel."""

    def time(kernel: AttentionKernel, f: Any) -> Column:
        shape = AttentionShape(
            queries=f.isl.to_numpy(float), keys=f["keys"].to_numpy(float), heads=f.num_heads.to_numpy(float),
            kv_heads=f.kv_heads.to_numpy(float), qk_head_dim=f.qk.to_numpy(float), v_head_dim=f.v.to_numpy(float),
            cached_dims=f.cached.to_numpy(float), sequences=f.batch_size.to_numpy(float), causal=1.0,
        )  # fmt: skip
        return np.asarray(time_attention(kernel, engine, shape, 2.0, own_bytes, kv_bytes))

    return time


ATTENTION_SHAPE = ["batch_size", "isl", "keys", "num_heads", "kv_heads", "qk", "v", "cached"]
MODEL_HEAD_DIMS = (64, 128, 256)
FP8_HEAD_DIM = 128
"""The one head dimension that every device has an fp8 kernel for; others fall back to slow ones on some."""
MODEL_QUERIES_PER_KV_HEAD = 32
"""Rows of odd heads (dimension 192 or 512, more than this many queries for a key-value head) are no model's."""


def shaped(frame: Any, latent_dims: tuple[int, int, int] | None) -> Any:
    """Bring an attention table to one set of columns; latent tables say (query-key, value, cached) dimensions."""
    if not len(frame):
        return frame
    f = frame.copy()
    f["keys"] = f.isl + f.step
    if latent_dims:
        f["qk"], f["v"], cached = latent_dims
        f["kv_heads"] = 1 if latent_dims[0] > 512 else f.num_heads
        f["cached"] = cached * (f.kv_heads if latent_dims[0] <= 512 else 1)
        return f
    f["kv_heads"] = np.where(f.num_key_value_heads > 0, f.num_key_value_heads, f.num_heads)
    f["qk"] = f["v"] = f.head_dim
    f["cached"] = 2 * f.head_dim * f.kv_heads
    model = f.head_dim.isin(MODEL_HEAD_DIMS) & (f.num_heads <= MODEL_QUERIES_PER_KV_HEAD * f.kv_heads)
    whole = f.window_size.fillna(0) == 0 if "window_size" in f else True
    return f[model & whole]


def fit_attention(tables: Tables, one: Measured, figures: Mapping[str, float], phase: str) -> dict[str, Fit]:
    """Fit attention of a phase by number format: that of the arithmetic for prefill, of the cache for decode."""
    prefill = phase == "prefill"
    table = "context" if prefill else "generation"
    sets = [
        ("", shaped(tables.newest(f"{table}_attention_perf", one.table), None)),
        ("latent_", shaped(tables.newest(f"{table}_mla_perf", one.table),
                           (192, 128, 320) if prefill else (576, 512, 576))),
    ]  # fmt: skip
    out = {}
    grid = [{"tile_rows": rows, "least_tile_rows": least} for rows, least in
            (((128.0, 64.0), (64.0, 64.0)) if prefill else ((64.0, 16.0), (16.0, 16.0)))]  # fmt: skip
    for prefix, frame in sets:
        if not len(frame):
            continue
        arithmetic = "attn_dtype" if not prefix else "mla_dtype"
        for dtypes, part in frame.groupby([arithmetic, "kv_cache_dtype"]):
            own, kept = (FORMATS[dtype] for dtype in dtypes)
            if (own != kept and prefill) or (not prefill and own != "bf16"):
                continue
            family = prefix + (own if prefill else kept)
            time = attention_time(engine_of(figures, own, one.units), 2.0, 1.0 if kept == "fp8" else 2.0)
            touched = part.batch_size * part["keys"] * part.cached * (1 if kept == "fp8" else 2)
            if own == "fp8" and prefill:
                part = part[part.v == FP8_HEAD_DIM]
                touched = touched[part.index]
            part = part[uncached(touched, 0.0 if prefill else one.cache_bytes)]
            rows = pooled(part, ATTENTION_SHAPE, SAMPLE, quickest=bool(prefix))
            if len(rows) < LEAST_ROWS:
                continue
            out[family] = best(
                f"{one.table}", f"{phase} {family}", AttentionKernel, grid, time, rows, np.ones(len(rows)), RULES
            )
    return out


OPS = {
    "all_reduce": "all_reduce",
    "all_gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "alltoall": "all_to_all",
}


def fit_ranks(table: str, name: str, passes: float, frame: Any, link: float) -> Fit:
    """Fit one collective within a tier to a table of messages by ranks."""
    ranks, sizes, seconds = (frame[column].to_numpy(float) for column in ("num_gpus", "message_bytes", "seconds"))
    return fit_collective(table, name, passes, ranks, sizes, seconds, link, RULES.loss_scale)


def fallen_off(fit: Fit, like: CollectiveKernel) -> Fit:
    """Give a collective measured on two ranks the fall-off with more ranks of a like device."""
    both = fit.kernel.base_seconds + fit.kernel.hop_seconds
    hop = both * like.hop_seconds / (like.base_seconds + like.hop_seconds)
    shares = tuple(fit.kernel.link_shares[0] * share / like.link_shares[0] for share in like.link_shares)
    kernel = replace(
        fit.kernel, base_seconds=both - hop, hop_seconds=hop, share_ranks=like.share_ranks, link_shares=shares
    )
    return replace(fit, kernel=kernel)


def fit_collectives(tables: Tables, one: Measured, figures: Mapping[str, float]) -> dict[str, Fit]:
    """Fit NCCL (or oneCCL) for each operation, and the serving engines' own all-reduce."""
    ranks = [2] if one.fall_off_like else [2, 4, 8, 16]
    out = {}
    library = pd.concat([tables.newest("nccl_perf", one.table), tables.newest("oneccl_perf", one.table)])
    for op, part in library[library.num_gpus.isin(ranks)].groupby("op_name"):
        half = part[part.nccl_dtype.isin(["half", "bfloat16", "fp16"])]
        rows = pooled(half, ["num_gpus", "message_size"], SAMPLE)
        rows["message_bytes"] = rows.message_size * 2
        out[OPS[op]] = fit_ranks(one.table, OPS[op], PASSES[OPS[op]], rows, figures["link"])
    if one.fall_off_like:
        like = next(other for other in DEVICES if other.table == one.fall_off_like)
        others = fit_collectives(tables, like, accelerator_figures(like))
        return {op: fallen_off(fit, others[op].kernel) for op, fit in out.items()}
    custom = tables.newest("custom_allreduce_perf", one.table)
    captured = ~custom.kernel_source.str.contains("eager")
    custom = custom[custom.num_gpus.isin(ranks) & (captured | ~captured.any())]
    rows = pooled(custom, ["num_gpus", "message_size"], SAMPLE)
    rows["message_bytes"] = rows.message_size * 2
    out["one_shot"] = fit_ranks(one.table, "one_shot", PASSES["all_reduce"], rows, figures["link"])
    return out


def fit_pass(tables: Tables, one: Measured, figures: Mapping[str, float]) -> tuple[float, float] | None:
    """Fit an element-wise pass on the quantising ones: share of the memory bandwidth, floor in seconds."""
    frame = tables.newest("scale_matrix_perf", one.table)
    if not len(frame):
        return None
    rows = pooled(frame, ["m", "k"], SAMPLE)
    moved = (3.0 * rows.m * rows.k).to_numpy()
    large = moved > LARGE_PASS_BYTES
    share = float(np.median(moved[large] / rows.seconds[large]) / figures["memory"])
    return share, float(np.quantile(rows.seconds[moved < SMALL_PASS_BYTES], 0.5))


LARGE_PASS_BYTES = 1e9
SMALL_PASS_BYTES = 1e6


def fit_skew(tables: Tables) -> tuple[float, float]:
    """Fit how much slower the busiest expert rank is under power-law loads, over all devices at once."""
    shape = ["engine", "moe_dtype", "kernel_source", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size",
             "moe_ep_size", "num_tokens"]  # fmt: skip
    found = []
    for one in DEVICES:
        frame = tables.newest("moe_perf", one.table)
        if not len(frame):
            continue
        wide = frame[frame.moe_ep_size > 1].groupby([*shape, "distribution"]).latency.median().unstack()
        rows = wide.dropna(subset=["balanced"]).reset_index()
        rows["ratio"] = rows.drop(columns=[*shape, "balanced"]).mean(axis=1) / rows.balanced
        found.append(rows.dropna(subset=["ratio"]).sample(frac=1.0, random_state=0).head(SAMPLE))
    rows = pd.concat(found)
    ranks, tokens, ratio = (rows[name].to_numpy(float) for name in ("moe_ep_size", "num_tokens", "ratio"))

    def residual(vector: Column) -> Column:
        skew, half = np.exp(vector)
        return np.asarray(expert_imbalance(ranks, tokens / ranks, skew, half)) - ratio

    solved = least_squares(residual, np.log(SKEW_START), loss="soft_l1", f_scale=RULES.loss_scale,
                           bounds=(np.log([0.01, 1.0]), np.log([1.0, MOST_HALF_TOKENS])))  # fmt: skip
    return float(np.exp(solved.x[0])), float(np.exp(solved.x[1]))


SKEW_START = (0.13, 2000.0)
MOST_HALF_TOKENS = 4096.0
"""The tables end at 16,384 tokens: a half beyond a quarter of that would be extrapolated, not seen."""
