"""Low-rank adapters on a replica: room for them, time of their products, time to bring one from the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.model import Layer, Matrix, Role
from suanli.domain.serving import AdapterFigures, Adapters
from suanli.domain.workload import ServingSetup
from suanli.equations import adapters as low_rank
from suanli.equations import batching
from suanli.estimate.serving_replica import (
    DENSE_ROLES,
    EXPERT_ROLES,
    AdapterLoad,
    Replica,
    column_share,
    inner_share,
)
from suanli.foundation.equation import Real
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.parts.architectures.targets import named
from suanli.parts.devices.electronic import MULTIPLY_ADD_FLOP

ADAPTER_BYTES = 2.0
"""Bytes of an element of an adapter (16 bits by convention of all engines)."""
ADAPTER_FORMAT = "bf16"


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrow:
    """One low-rank product of a layer as one accelerator runs it: elements of a row and of an adapter.

    It is over `copies` experts, `chosen` by a token, spread over `expert_ranks`; `row_share` rows come for each row of
    the attention's own rank.
    """

    row_elements: float
    adapter_elements: float
    copies: float
    chosen: float
    expert_ranks: float
    row_share: float


def targets_of(setup: ServingSetup, said: Iterable[str]) -> frozenset[str]:
    """Return the names of the matrices that targets name in a model. Raises InputError where one names none."""
    return named((run.layer for run in setup.model.runs), said, "--lora-targets")


def open_adapters(
    setup: ServingSetup, asked: Adapters, figures: AdapterFigures, profile: str
) -> tuple[AdapterLoad, tuple[str, ...]]:
    """Say how a replica of a class of engines serves adapters, and what was assumed of it.

    Raises InputError where a target is not known, the rank has no room, or more slots are asked for than adapters.
    """
    faults, assumed = [], []
    fitting = [rank for rank in figures.ranks if rank >= asked.rank]
    room = asked.most_rank or (fitting[0] if fitting else 0)
    if room < asked.rank:
        allowed = tr("at least the adapters' rank {rank}", rank=asked.rank)
        if not asked.most_rank:
            allowed = tr("at most {rank}", rank=figures.ranks[-1])
        place, found = ("--lora-max-rank", room) if asked.most_rank else ("--lora-rank", asked.rank)
        faults.append(Fault(place=place, found=str(found), allowed=allowed))
    slots = asked.slots
    if slots is None:
        slots = min(asked.count, int(figures.slots.value))
        assumed.append(tr("{slots} adapters share a step and stand in device memory", slots=slots))
    if faults:
        raise InputError(faults)
    load = AdapterLoad(
        count=asked.count, slots=min(slots, asked.count), room_rank=room, targets=targets_of(setup, asked.targets),
        slack=figures.slack[profile].value if profile in figures.slack else 1.0, figures=figures,
    )  # fmt: skip
    return load, tuple(assumed)


def _targeted(load: AdapterLoad, layer: Layer) -> Iterator[tuple[Matrix, ...]]:
    """Yield the adapted matrices of a layer that engines run as one product: those of a role that read one input."""
    joined: dict[tuple[Role, int], list[Matrix]] = {}
    for matrix in layer.matrices:
        if matrix.name in load.targets:
            joined.setdefault((matrix.role, matrix.inputs), []).append(matrix)
    for matrices in joined.values():
        yield tuple(matrices)


def narrow_products(replica: Replica, layer: Layer) -> list[Narrow]:
    """List the low-rank products of a layer on one accelerator: into the rank and out of it, for each input."""
    load = replica.adapters
    found: list[Narrow] = []
    if load is None:
        return found
    for matrices in _targeted(load, layer):
        first, slices = matrices[0], float(len(matrices) * load.room_rank)
        inner = inner_share(replica, first)
        columns = sum(column_share(replica, layer, matrix) for matrix in matrices)
        ranks = float(replica.layout.expert) if first.role in EXPERT_ROLES else 1.0
        into = Narrow(
            row_elements=inner + slices, adapter_elements=inner * slices, copies=float(first.copies),
            chosen=float(first.active), expert_ranks=ranks, row_share=_row_share(replica, first),
        )  # fmt: skip
        found += [into, replace(into, row_elements=slices + 2 * columns, adapter_elements=load.room_rank * columns)]
    return found


def _row_share(replica: Replica, matrix: Matrix) -> float:
    """Rows that a matrix sees for each row of the attention's own rank."""
    layout = replica.layout
    if matrix.role in EXPERT_ROLES:
        return matrix.active * layout.attention_data * layout.context / layout.expert
    return float(layout.feed_forward) if matrix.role in DENSE_ROLES else 1.0


def adapter_bytes(replica: Replica) -> float:
    """Bytes of one adapter's slot on one accelerator, room for the rank included."""
    held = 0.0
    for run in replica.setup.model.runs:
        for product in narrow_products(replica, run.layer):
            held += run.count * product.adapter_elements * product.copies / product.expert_ranks
    return held * ADAPTER_BYTES / replica.layout.pipeline


def distinct_adapters(load: AdapterLoad, sequences: Real) -> Real:
    """Mean number of distinct adapters among so many requests of a step."""
    return batching.touched_experts(float(load.slots), 1.0, np.maximum(sequences, 1.0))


def adapter_seconds(replica: Replica, rows: Real, sequences: Real) -> Real:
    """Time of all low-rank products of a step with so many rows and requests on one attention-data rank."""
    load = replica.adapters
    if load is None:
        return 0.0
    spent: Real = load.figures.step_seconds.value * np.minimum(rows, 1.0)
    distinct, terms = distinct_adapters(load, sequences), kernel_terms(replica, load)
    for run in replica.setup.model.runs:
        for product in narrow_products(replica, run.layer):
            touched = batching.touched_experts(product.copies, product.chosen, np.maximum(rows / distinct, 1.0))
            groups = distinct * np.maximum(touched / product.expert_ranks, 1.0)
            once = low_rank.low_rank_seconds(
                rows * product.row_share, product.row_elements, product.adapter_elements, groups, *terms
            )
            spent = spent + run.count * np.minimum(rows, 1.0) * once
    return load.slack * spent


Terms = tuple[float, float, float, float, float, float, float, float]


def kernel_terms(replica: Replica, load: AdapterLoad) -> Terms:
    """Return the last terms of `low_rank_seconds`, in its order: those of the kernel and of what it runs on."""
    engine, figures = replica.device.engine(ADAPTER_FORMAT), load.figures
    return (
        ADAPTER_BYTES, engine.peak_flop_per_s, engine.memory_bytes_per_s, figures.ceiling_share.value,
        figures.memory_share.value, figures.overlap_sharpness.value, figures.floor_seconds.value, MULTIPLY_ADD_FLOP,
    )  # fmt: skip


def loading_seconds(replica: Replica) -> float:
    """Mean time that letting one request in waits for its adapter from the host, over those that are there already.

    Raises InputError where adapters have to be brought and the rate of the host's link is not known.
    """
    load = replica.adapters
    if load is None or load.present_share >= 1:
        return 0.0
    rate = replica.device.accelerator.host_bytes_per_s
    if rate is None:
        raise InputError.single(
            place="--lora-slots",
            found=tr("no rate of the host's link"),
            allowed=tr("an accelerator whose link is known"),
        )
    return (1 - load.present_share) * adapter_bytes(replica) / (rate.value * load.figures.link_share.value)
