"""Capacity of a replica and its inverse questions: what fits, what binds, the smallest setting that holds a wish."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from suanli.domain.capacity import Bound, Capacity, Held, Wanted
from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_layout import attending, layout_faults
from suanli.estimate.serving_memory import (
    BLOCK_TOKENS,
    cache_pool_bytes,
    fixed_bytes,
    sequence_cache_bytes,
    visible_memory_bytes,
)
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica, cache_ways
from suanli.estimate.serving_search import legal_layouts
from suanli.estimate.serving_steady import demand_of
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.foundation.language import tr

ENDLESS_TOKENS = 2**31
"""A context that no model has: where nothing grows with positions and the model names no bound."""
WEIGHT_FORMATS = ("bf16", "fp8", "int8", "int4_weight", "nvfp4", "mxfp4")
CACHE_FORMATS = ("bf16", "fp8")
"""Formats that are tried where a wish asks which would fit."""


def held_by(replica: Replica, wanted: Wanted) -> Held:
    """Say what a replica holds, and what keeps it from holding more."""
    pool, each = cache_pool_bytes(replica), block_bytes(replica, wanted.context_tokens)
    positions = replica.setup.model.max_positions
    sequences = sequences_of(replica, wanted.context_tokens)
    needed = math.ceil(wanted.users / replica.layout.attention_data)
    short = max(needed * _sequence_bytes(replica, wanted.context_tokens) - max(pool, 0.0), 0.0) + max(-pool, 0.0)
    too_far = positions is not None and wanted.context_tokens > positions
    return Held(
        layout=replica.layout,
        weight_format=replica.scheme.name,
        kv_format=replica.kv_format,
        memory_bytes=visible_memory_bytes(replica),
        bytes_by_cause=fixed_bytes(replica),
        pool_bytes=max(pool, 0.0),
        kv_block_tokens=BLOCK_TOKENS,
        kv_block_bytes=each,
        kv_blocks=int(max(pool, 0.0) // each) if each > 0 else 0,
        sequences=sequences,
        mean_sequences=int(demand_of(replica).resident),
        longest_tokens=longest_context(replica, wanted.users),
        bound=_bound(replica, wanted, pool),
        fits=sequences >= wanted.users and not too_far,
        short_bytes=short,
        assumed=replica.assumed,
    )


def block_bytes(replica: Replica, length: int) -> float:
    """Bytes of one block on one accelerator, in sequences of a length (a window's part of it grows no further)."""
    return float(sequence_cache_bytes(replica, float(length))) / length * BLOCK_TOKENS


def _sequence_bytes(replica: Replica, length: int) -> float:
    """Bytes of a sequence of a length, its last block whole."""
    return float(sequence_cache_bytes(replica, float(math.ceil(length / BLOCK_TOKENS) * BLOCK_TOKENS)))


def sequences_of(replica: Replica, length: int) -> int:
    """Count the sequences of a length that are held at once: by memory, at most what the engine admits."""
    pool, each = cache_pool_bytes(replica), _sequence_bytes(replica, length)
    places = int(replica.engine.sequence_limit)
    held = places if each <= 0 else min(int(max(pool, 0.0) // each), places)
    return 0 if pool < 0 else held * replica.layout.attention_data


def longest_context(replica: Replica, users: int) -> int:
    """Return the longest context that so many users may have at once; 0 where none fits."""
    most = replica.setup.model.max_positions or ENDLESS_TOKENS
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sequences_of(replica, middle) >= users else (low, middle - 1)
    return low


def _bound(replica: Replica, wanted: Wanted, pool: float) -> Bound:
    """Say what keeps a replica from holding one more user of the wanted context."""
    positions = replica.setup.model.max_positions
    if pool <= _sequence_bytes(replica, BLOCK_TOKENS):
        return Bound.WEIGHTS
    if positions is not None and wanted.context_tokens > positions:
        return Bound.POSITIONS
    held = sequences_of(replica, wanted.context_tokens)
    places = int(replica.engine.sequence_limit) * replica.layout.attention_data
    return Bound.PLACES if held >= places else Bound.CACHE


def layouts_to_hold(setup: ServingSetup, accelerators: int) -> Iterator[ServingLayout]:
    """Yield layouts of up to so many accelerators, the fewest first; a cache held twice is cut by positions too."""
    found: dict[ServingLayout, None] = {}
    for layout in legal_layouts(setup.model, accelerators):
        found[layout] = None
        ways = max((cache_ways(core, layout.tensor) for core in attending(setup.model)), default=0.0)
        if ways and layout.tensor > ways:
            found[replace(layout, decode_context=int(layout.tensor / ways))] = None
    for layout in sorted(found, key=lambda one: (one.accelerators, one.pipeline, one.decode_context)):
        if not list(layout_faults(setup, layout)):
            yield layout


def smallest(
    setup: ServingSetup, system: System, accelerators: int, wanted: Wanted, kernels: KernelTable
) -> tuple[Held | None, Held | None]:
    """Return the setting of fewest accelerators that holds what is wanted, and the one that came nearest."""
    nearest: Held | None = None
    for layout in layouts_to_hold(setup, accelerators):
        held = held_by(open_replica(setup, system, layout, kernels), wanted)
        if held.fits:
            return held, held
        if nearest is None or held.short_bytes < nearest.short_bytes:
            nearest = held
    return None, nearest


def of_every_format(
    setup: ServingSetup, system: System, accelerators: int, wanted: Wanted, kernels: KernelTable
) -> Iterator[Held]:
    """Yield the smallest setting of every pair of formats that holds what is wanted; what changes nothing once."""
    seen: set[tuple[float, str]] = set()
    for weights in WEIGHT_FORMATS:
        for cache in CACHE_FORMATS:
            asked = replace(setup, weight_format=weights, kv_format=cache)
            found, _ = smallest(asked, system, accelerators, wanted, kernels)
            if found is None or (found.bytes_by_cause["weights"], found.kv_format) in seen:
                continue
            seen.add((found.bytes_by_cause["weights"], found.kv_format))
            yield found


def changes_of(
    setup: ServingSetup, system: System, layout: ServingLayout, wanted: Wanted, kernels: KernelTable
) -> Iterator[tuple[str, Held]]:
    """Yield changes of one setting that hold more of what is wanted, each in words, with what it then holds."""
    before = held_by(open_replica(setup, system, layout, kernels), wanted)
    tried: list[tuple[str, ServingSetup, ServingLayout]] = [
        (tr("cache in {format}", format="fp8"), replace(setup, kv_format="fp8"), layout),
        (tr("weights in {format}", format="fp8"), replace(setup, weight_format="fp8"), layout),
        (tr("weights in {format}", format="int4_weight"), replace(setup, weight_format="int4_weight"), layout),
    ]
    twice = 2 * layout.accelerators
    wider, longer = replace(layout, tensor=2 * layout.tensor), replace(layout, pipeline=2 * layout.pipeline)
    tried.append((tr("tensor {degree} on {count} accelerators", degree=wider.tensor, count=twice), setup, wider))
    tried.append((tr("pipeline {degree} on {count} accelerators", degree=longer.pipeline, count=twice), setup, longer))
    ways = max((cache_ways(core, layout.tensor) for core in attending(setup.model)), default=0.0)
    if ways and layout.tensor > ways * layout.decode_context:
        degree = int(layout.tensor / ways)
        tried.append((f"--dcp {degree}", setup, replace(layout, decode_context=degree)))
    for words, asked, spread in tried:
        try:
            after = held_by(open_replica(asked, system, spread, kernels), wanted)
        except InputError:
            continue
        if (after.sequences, after.longest_tokens) > (before.sequences, before.longest_tokens):
            yield words, after


def capacity(
    setup: ServingSetup, system: System, layout: ServingLayout | None, accelerators: int, wanted: Wanted,
    kernels: KernelTable,
) -> Capacity:  # fmt: skip
    """Answer what a layout holds, or which smallest one holds what is wanted (layout None).

    Raises InfeasibleError with what binds and what would free it, InputError where setup and layout do not go together.
    """
    if layout is None:
        found, nearest = smallest(setup, system, accelerators, wanted, kernels)
    else:
        nearest = held_by(open_replica(setup, system, layout, kernels), wanted)
        found = nearest if nearest.fits else None
    if nearest is None:
        raise InfeasibleError(
            limit=tr(
                "No layout of {model} on {count} accelerators is allowed.", model=setup.model.name, count=accelerators
            ),
            relief=tr("Use more accelerators for one replica."),
        )
    changes = tuple(changes_of(setup, system, nearest.layout, wanted, kernels))
    every = tuple(of_every_format(setup, system, accelerators, wanted, kernels))
    if found is None:
        raise _nothing(nearest, wanted, changes, every)
    return Capacity(held=found, changes=changes, smallest=every)


def _nothing(
    nearest: Held, wanted: Wanted, changes: tuple[tuple[str, Held], ...], every: tuple[Held, ...]
) -> InfeasibleError:
    """Say what binds, and which changes would hold what is wanted."""
    users, tokens = f"{wanted.users:,}", f"{wanted.context_tokens:,}"
    limits = {
        Bound.WEIGHTS: tr(
            "The weights alone leave no room for a cache; for what is asked each accelerator lacks {bytes} bytes.",
            bytes=f"{nearest.short_bytes:,.0f}",
        ),
        Bound.CACHE: tr(
            "The cache holds {held} of {users} sequences of {tokens} tokens: short of {bytes} bytes an accelerator.",
            held=f"{nearest.sequences:,}", users=users, tokens=tokens, bytes=f"{nearest.short_bytes:,.0f}",
        ),
        Bound.PLACES: tr(
            "The engine admits {held} requests at once, not {users}.", held=f"{nearest.sequences:,}", users=users
        ),
        Bound.POSITIONS: tr("The model's positions end before {tokens} tokens.", tokens=tokens),
    }  # fmt: skip
    holding = [words for words, held in changes if held.fits]
    alike: dict[tuple[str, int], list[str]] = {}
    for held in every:
        alike.setdefault((held.kv_format, held.layout.accelerators), []).append(held.weight_format)
    holding += [
        tr("weights in {weights} and cache in {cache} on {count} accelerators", weights=", ".join(weights),
           cache=cache, count=count)
        for (cache, count), weights in alike.items()
    ]  # fmt: skip
    relief = tr("What would hold it: {changes}.", changes="; ".join(dict.fromkeys(holding)))
    if not holding:
        users, tokens = f"{nearest.sequences:,}", f"{nearest.longest_tokens:,}"
        relief = tr("Use more accelerators for one replica.")
        if nearest.sequences:
            relief = tr("Ask for fewer users (up to {users}), or use more accelerators.", users=users)
        if nearest.longest_tokens:
            relief = tr("Ask for shorter contexts (up to {tokens} tokens), or use more accelerators.", tokens=tokens)
        if nearest.sequences and nearest.longest_tokens:
            relief = tr(
                "Ask for fewer users (up to {users}) or shorter contexts (up to {tokens} tokens), or use more"
                " accelerators.", users=users, tokens=tokens,
            )  # fmt: skip
    return InfeasibleError(limit=limits[nearest.bound], relief=relief)
