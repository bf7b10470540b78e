"""A replica as compiled code plays it: seconds of a step by table and term, cache in blocks, rules of admission."""

from __future__ import annotations

import math

import numpy as np

from suanli.domain.kernel import NumberFormat
from suanli.domain.model import Core, CoreKind
from suanli.estimate.serving_memory import cache_capacity_tokens
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_steady import speculation
from suanli.estimate.serving_step import SCAN_TOKENS, STATE_BYTES, StepLoad, step_causes
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.foundation.language import tr
from suanli.parts.devices.electronic import PRODUCTS, attention_terms
from suanli.simulate.serving_state import Rules, StepTimes

BY_ROWS = ("matmul", "experts", "passes", "communication")
"""Causes of a step that its tokens alone decide."""
BLOCK_TOKENS = 16
"""Tokens of one block of a paged cache (the default of vLLM; others are smaller, which changes little)."""
ROW = 28
"""How many numbers one kind of attention takes."""
ENDLESS = 1e18
"""A reach that no context meets."""


def step_times(replica: Replica) -> StepTimes:
    """Write a replica's step as tables and terms, which add up to `step_seconds` of any load."""
    verified, accepted = speculation(replica)
    places = int(replica.engine.sequence_limit * replica.layout.attention_data)
    budget = int(replica.engine.token_budget * replica.layout.attention_data)
    rows = np.arange(budget + math.ceil(places * verified) + 1, dtype=float)
    sequences = np.arange(2 * places + 2, dtype=float)
    by_rows = _causes(replica, StepLoad(decoding=rows), BY_ROWS)
    by_sequences = _causes(replica, StepLoad(decoding=sequences), ("head", "engine"))
    floor, each = _state_terms(replica)
    return StepTimes(
        by_rows=by_rows,
        by_sequences=by_sequences,
        by_prompt=_scans(replica, np.arange(budget + 1, dtype=float)),
        state_floor_seconds=floor,
        state_seconds=each,
        scan_tokens=SCAN_TOKENS,
        decode=_kinds(replica, "decode"),
        prefill=_kinds(replica, "prefill"),
        ranks=float(replica.layout.attention_data),
        stages=float(replica.at_once),
        verified=float(verified),
        accepted=float(accepted),
    )


def _causes(replica: Replica, load: StepLoad, names: tuple[str, ...]) -> FloatArray:
    told = step_causes(replica, load)
    rows = np.asarray(load.rows)
    return np.asarray(sum((np.asarray(told[name]) for name in names), start=np.zeros(len(rows))) + 0.0 * rows)


def _cores(replica: Replica) -> list[tuple[float, Core]]:
    """List the mixing cores of a model, each with how many layers have it."""
    found: dict[Core, float] = {}
    for run in replica.setup.model.runs:
        found[run.layer.core] = found.get(run.layer.core, 0.0) + run.count
    return [(count, core) for core, count in found.items()]


def _pass_terms(replica: Replica) -> tuple[float, float]:
    """Seconds that a pass over memory takes at least, and those of each byte, by a pass that drowns the former."""
    nothing = float(replica.device.pass_seconds(0.0))
    return nothing, (float(replica.device.pass_seconds(ENDLESS)) - nothing) / ENDLESS


def _state_terms(replica: Replica) -> tuple[float, float]:
    """Seconds of visiting the recurrent states of all layers: what every step pays, and what each visit adds."""
    nothing, each_byte = _pass_terms(replica)
    floor = each = 0.0
    for count, core in _cores(replica):
        if core.kind not in (CoreKind.SOFTMAX, CoreKind.LATENT) and core.state_elements:
            floor += count * nothing
            each += count * 2 * core.state_elements * STATE_BYTES / replica.layout.tensor * each_byte
    slack = replica.engine.kernel_slack
    return slack * floor, slack * each


def _scans(replica: Replica, tokens: FloatArray) -> FloatArray:
    """Seconds of scanning prompt tokens through the recurrent layers; nothing without prompts."""
    spent, ranks = np.zeros(len(tokens)), replica.layout.attention_data
    for count, core in _cores(replica):
        if core.kind not in (CoreKind.SOFTMAX, CoreKind.LATENT) and core.state_elements:
            columns = core.state_elements * 2 / SCAN_TOKENS / replica.layout.tensor
            once = replica.device.matmul_seconds(np.maximum(tokens / ranks, 1.0), SCAN_TOKENS, columns, "bf16")
            spent = spent + count * np.where(tokens > 0, once, 0.0)
    return np.asarray(replica.engine.kernel_slack * spent)


def _kinds(replica: Replica, phase: str) -> FloatArray:
    """Write one row for each kind of attention, a sparse index as a kind of its own."""
    rows: list[list[float]] = []
    for count, core in _cores(replica):
        if core.kind in (CoreKind.SOFTMAX, CoreKind.LATENT):
            rows.append(_decode_row(replica, count, core) if phase == "decode" else _prefill_row(replica, count, core))
            if core.index_heads:
                rows.append(_index_row(replica, count, core, phase))
    return np.asarray(rows, dtype=float).reshape(len(rows), ROW)


def _row(
    replica: Replica, count: float, phase: str, shape: tuple[float, ...], form: str, kept: str, latent: bool = False
) -> list[float]:
    """Write the weight, shape and kernel of one kind; `shape` is queries, scale and reach of keys, causal, heads ..."""
    device = replica.device
    number, cache = device.number_format(form), device.number_format(kept)
    kernel, engine = device.attention_kernel(phase, number, cache, latent), device.engine(form)
    fused = phase == "decode" or replica.engine.fused_attention
    return [
        count * replica.engine.kernel_slack, *shape, PRODUCTS[phase], number.output_bytes, cache.activation_bytes,
        *attention_terms(kernel, engine), *_score_terms(replica, number, phase, fused),
    ]  # fmt: skip


def _score_terms(replica: Replica, number: NumberFormat, phase: str, fused: bool) -> tuple[float, float]:
    """Seconds of scores in memory where attention is not fused: of each element, and what a pass pays at least."""
    if fused:
        return 0.0, 0.0
    nothing, each_byte = _pass_terms(replica)
    return replica.device.score_passes[phase] * number.output_bytes * each_byte, nothing


def _decode_row(replica: Replica, count: float, core: Core) -> list[float]:
    tensor, latent = replica.layout.tensor, core.kind is CoreKind.LATENT
    wide = core.cached_elements if latent else float(core.qk_head_dim)
    narrow = wide - (core.qk_head_dim - core.v_head_dim)
    kv_heads = 1.0 if latent else max(core.kv_heads / tensor, 1.0)
    reach = float(min((bound for bound in (core.window, core.selected) if bound is not None), default=ENDLESS))
    cached = kv_heads * (wide if latent else wide + narrow)
    shape = (0.0, 1.0, reach, 0.0, 0.0, max(core.heads / tensor, 1.0), kv_heads, wide + narrow, cached)
    return _row(replica, count, "decode", shape, "bf16", replica.kv_format, latent)


def _prefill_row(replica: Replica, count: float, core: Core) -> list[float]:
    tensor = replica.layout.tensor
    bounds = [float(bound) for bound in (core.window, core.selected) if bound is not None]
    kv_heads = max((core.heads if core.kind is CoreKind.LATENT else core.kv_heads) / tensor, 1.0)
    dims = float(core.qk_head_dim + core.v_head_dim)
    reach, grows = (min(bounds), 1.0) if bounds else (ENDLESS, 0.0)
    causal = float(replica.engine.fused_attention)
    shape = (0.0, 1.0, reach, grows, causal, max(core.heads / tensor, 1.0), kv_heads, dims, kv_heads * dims)
    return _row(replica, count, "prefill", shape, "bf16", "bf16")


def _index_row(replica: Replica, count: float, core: Core, phase: str) -> list[float]:
    """Write a sparse index as a kind: it scores every cached position, half of them on average under a prompt."""
    queries, scale = (1.0, 1.0) if phase == "decode" else (0.0, 1 / 2)
    width = float(core.index_head_dim)
    shape = (queries, scale, ENDLESS, 0.0, 0.0, float(core.index_heads), 1.0, width, width)
    return _row(replica, count, "decode", shape, "fp8", "fp8")


def rules_of(replica: Replica, shared_tokens: int, swap_seconds: float = -1.0) -> Rules:
    """Write how a replica's engine admits requests, with a cache counted in blocks of its mean sequence's bytes.

    `shared_tokens` is how many tokens one shared block of the traffic has (0 without). Raises InfeasibleError where
    the cache holds nothing, InputError where shared blocks are no multiple of the engine's own.
    """
    if shared_tokens % BLOCK_TOKENS:
        raise InputError.single(
            place=tr("shared blocks"),
            found=tr("{tokens} tokens", tokens=shared_tokens),
            allowed=tr("a multiple of {tokens} tokens", tokens=BLOCK_TOKENS),
        )
    setup, engine, ranks = replica.setup, replica.engine, replica.layout.attention_data
    tokens = cache_capacity_tokens(replica, setup.input_tokens + setup.output_tokens)
    if tokens < 1:
        raise InfeasibleError(
            limit=tr("Beside the weights there is no room for a cache."),
            relief=tr("Split the model over more accelerators (--tp), or narrow its weights (--weight-format)."),
        )
    return Rules(
        token_budget=int(engine.token_budget * ranks),
        sequence_limit=int(engine.sequence_limit * ranks),
        pool_blocks=int(min(tokens, ENDLESS / BLOCK_TOKENS) // BLOCK_TOKENS),
        block_tokens=BLOCK_TOKENS,
        shared_blocks=max(shared_tokens // BLOCK_TOKENS, 1),
        reserved_share=float(max(2 * engine.reserved_share - 1, 0.0)),
        mixes=engine.mixes,
        front_seconds=engine.front_seconds,
        swap_seconds=swap_seconds,
    )
