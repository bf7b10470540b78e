"""A replica as compiled code plays it: seconds of a step by table and term, cache in blocks, rules of admission."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from suanli.domain.kernel import NumberFormat
from suanli.domain.model import Core, CoreKind
from suanli.estimate.serving_adapters import kernel_terms, narrow_products
from suanli.estimate.serving_context import earlier_terms, exchange_seconds, gather_seconds
from suanli.estimate.serving_launch import least_seconds
from suanli.estimate.serving_memory import BLOCK_TOKENS, cache_capacity_tokens
from suanli.estimate.serving_replica import Drafting, Replica, layers_of
from suanli.estimate.serving_steady import speculation
from suanli.estimate.serving_step import SCAN_TOKENS, STATE_BYTES, StepLoad, decode_heads, engine_seconds, step_causes
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.foundation.language import tr
from suanli.parts.devices.electronic import PRODUCTS, attention_terms
from suanli.simulate.serving_state import Rules, StepTimes

BY_ROWS = ("matmul", "experts", "passes", "communication")
"""Causes of a step that its tokens alone decide."""
ROW = 28
"""How many numbers one kind of attention takes."""
NARROW_ROW = 7
"""How many numbers one low-rank product takes."""
ENDLESS = 1e18
"""A reach that no context meets."""


def step_times(replica: Replica) -> StepTimes:
    """Write a replica's step as tables and terms, which add up to `step_seconds` of any load."""
    verified, _ = speculation(replica)
    layout = replica.layout
    places = int(replica.engine.sequence_limit * layout.attention_data)
    budget = int(replica.engine.token_budget * layout.attention_data)
    rows = np.arange(budget + math.ceil(places * verified) + 1, dtype=float)
    sequences = np.arange(2 * places + 2, dtype=float)
    headed = np.arange(math.ceil(places * verified) + places + 2, dtype=float)
    prompts = np.arange(budget + 1, dtype=float)
    floor, each = _state_terms(replica)
    narrow = replica.adapters
    gaps, work = engine_seconds(replica, sequences / layout.attention_data)
    host = gaps + np.asarray(work)
    times = StepTimes(
        by_rows=_causes(replica, StepLoad(decoding=rows), BY_ROWS),
        by_sequences=host if not replica.hides_host else 0.0 * host + gaps,
        by_head=_causes(replica, StepLoad(decoding=headed), ("head",)),
        by_decoding=_decoded(replica, sequences, verified),
        by_prompt=_scans(replica, prompts) + _gathered(replica, prompts),
        state_floor_seconds=floor,
        state_seconds=each,
        scan_tokens=SCAN_TOKENS,
        decode=_kinds(replica, "decode"),
        prefill=_kinds(replica, "prefill"),
        earlier=_earlier(replica),
        narrow=_narrow(replica),
        narrow_terms=_narrow_terms(replica),
        slots=0.0 if narrow is None else float(narrow.slots),
        ranks=float(layout.attention_data),
        stages=float(replica.at_once),
        context=float(layout.context),
        verified=float(verified),
        acceptance=float(replica.acceptance),
        least=np.maximum(host if replica.hides_host else 0.0 * host, least_seconds(replica)),
    )
    return times if replica.draft is None else with_drafts(replica, replica.draft, times, rows, sequences)


def with_drafts(
    replica: Replica, draft: Drafting, times: StepTimes, rows: FloatArray, sequences: FloatArray
) -> StepTimes:
    """Add what drafting takes to tables and terms: a first pass over all there is, later ones over a token each."""
    present = np.minimum(sequences, 1.0)
    host = draft.passes * draft.host_seconds + draft.sequence_seconds * sequences / replica.layout.attention_data
    inner = draft.replica
    if inner is None:
        return times._replace(by_decoding=times.by_decoding + present * host)
    once = StepLoad(decoding=sequences)
    later = _causes(inner, once, BY_ROWS) + _causes(inner, once, ("head",)) + _decoded(inner, sequences, 1.0)
    floor, each = _state_terms(inner)
    later = later + floor + each * sequences / inner.layout.attention_data
    launches = draft.passes * layers_of(inner.setup) * inner.engine.layer_seconds
    again = draft.passes - float(draft.reads_prompts)
    decode = _kinds(inner, "decode")
    decode[:, 0], decode[:, 1] = again * decode[:, 0], 1.0
    told = times._replace(
        by_decoding=times.by_decoding + present * (host + launches + again * later),
        decode=np.concatenate([times.decode, decode]),
    )
    if not draft.reads_prompts:
        return told
    prompts = np.arange(len(times.by_prompt), dtype=float)
    verified = times.verified
    return told._replace(
        by_rows=told.by_rows + _causes(inner, StepLoad(decoding=rows), BY_ROWS),
        by_sequences=told.by_sequences + _causes(inner, StepLoad(decoding=sequences), ("head",)),
        by_decoding=told.by_decoding + _decoded(inner, sequences, verified),
        by_prompt=told.by_prompt + _scans(inner, prompts) + _gathered(inner, prompts),
        state_floor_seconds=told.state_floor_seconds + floor,
        state_seconds=told.state_seconds + each,
        decode=np.concatenate([told.decode, _kinds(inner, "decode")]),
        prefill=np.concatenate([told.prefill, _kinds(inner, "prefill")]),
        earlier=np.concatenate([told.earlier, _earlier(inner)]),
    )


def _causes(replica: Replica, load: StepLoad, names: tuple[str, ...]) -> FloatArray:
    """Add up causes of a step of decoding sequences, the replica's own alone."""
    told = step_causes(replace(replica, draft=None, adapters=None, launch_seconds=0.0), load)
    rows = np.asarray(load.rows)
    return np.asarray(sum((np.asarray(told[name]) for name in names), start=np.zeros(len(rows))) + 0.0 * rows)


def _decoded(replica: Replica, sequences: FloatArray, verified: float) -> FloatArray:
    """Seconds of what the shards of the cache send each other for decoding sequences, in all layers."""
    spent, ranks = np.zeros(len(sequences)), replica.layout.attention_data
    tokens = sequences * verified
    own = np.maximum(tokens / ranks, np.minimum(tokens, 1.0))
    for count, core in _cores(replica):
        spent = spent + count * exchange_seconds(replica, core, own)
    return np.asarray(replica.engine.kernel_slack * spent)


def _gathered(replica: Replica, tokens: FloatArray) -> FloatArray:
    """Seconds to gather the keys and values of prompt tokens over the context ranks, in all layers."""
    spent = np.zeros(len(tokens))
    for count, core in _cores(replica):
        spent = spent + count * gather_seconds(replica, core, tokens / replica.layout.attention_data)
    return np.asarray(replica.engine.kernel_slack * spent)


def _earlier(replica: Replica) -> FloatArray:
    """Write seconds of each cached position of a prompt that is gathered, and its reach, for each kind of attention."""
    rows = []
    for count, core in _cores(replica):
        each, reach = earlier_terms(replica, core)
        if each > 0:
            rows.append([count * replica.engine.kernel_slack * each, reach])
    return np.asarray(rows, dtype=float).reshape(len(rows), 2)


def _narrow(replica: Replica) -> FloatArray:
    """Write one row for each low-rank product of adapters: its weight, shape, experts and rows."""
    slack = replica.engine.kernel_slack * (1.0 if replica.adapters is None else replica.adapters.slack)
    rows = [
        [
            run.count * slack, one.row_elements, one.adapter_elements, one.copies, one.chosen,
            one.expert_ranks, one.row_share,
        ]
        for run in replica.setup.model.runs
        for one in narrow_products(replica, run.layer)
    ]  # fmt: skip
    return np.asarray(rows, dtype=float).reshape(len(rows), NARROW_ROW)


def _narrow_terms(replica: Replica) -> FloatArray:
    """Write what adapters cost a step beside their products, and the terms of their equation."""
    if replica.adapters is None:
        return np.zeros(0)
    load = replica.adapters
    bookkeeping = replica.engine.kernel_slack * load.slack * load.figures.step_seconds.value
    return np.asarray([bookkeeping, *kernel_terms(replica, load)], dtype=float)


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
        if not core.attends and core.state_elements:
            floor += count * nothing
            each += count * 2 * core.state_elements * STATE_BYTES / replica.layout.tensor * each_byte
    slack = replica.engine.kernel_slack
    return slack * floor, slack * each


def _scans(replica: Replica, tokens: FloatArray) -> FloatArray:
    """Seconds of scanning prompt tokens through the recurrent layers; nothing without prompts."""
    spent, ranks = np.zeros(len(tokens)), replica.layout.attention_data
    for count, core in _cores(replica):
        if not core.attends and core.state_elements:
            columns = core.state_elements * 2 / SCAN_TOKENS / replica.layout.tensor
            once = replica.device.matmul_seconds(np.maximum(tokens / ranks, 1.0), SCAN_TOKENS, columns, "bf16")
            spent = spent + count * np.where(tokens > 0, once, 0.0)
    return np.asarray(replica.engine.kernel_slack * spent)


def _kinds(replica: Replica, phase: str) -> FloatArray:
    """Write one row for each kind of attention, a sparse index as a kind of its own."""
    rows: list[list[float]] = []
    for count, core in _cores(replica):
        if core.attends:
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
    wide = core.attended_elements if latent else float(core.qk_head_dim)
    narrow = wide - (core.qk_head_dim - core.v_head_dim)
    kv_heads = 1.0 if latent else max(core.kv_heads / tensor, 1.0)
    reach = float(min((bound for bound in (core.window, core.selected) if bound is not None), default=ENDLESS))
    cached = kv_heads * (wide if latent else wide + narrow)
    shards = float(replica.layout.cache_shards)
    shape = (0.0, 1 / shards, reach / shards, 0.0, 0.0, decode_heads(replica, core), kv_heads, wide + narrow, cached)
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
    queries, scale = (1.0, 1.0 / replica.layout.cache_shards) if phase == "decode" else (0.0, 1 / 2)
    width = float(core.index_head_dim)
    shape = (queries, scale, ENDLESS, 0.0, 0.0, float(core.index_heads), 1.0, width, width)
    return _row(replica, count, "decode", shape, "fp8", "fp8")


def rules_of(replica: Replica, shared_tokens: int, swap_seconds: float = -1.0, seed: int = 0) -> Rules:
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
        seed=seed,
    )
