"""Context parallelism: each rank holds a part of every sequence.

Keys and values go round in a ring (arXiv 2310.01889), or ranks trade their parts of the sequence for parts of the heads
around attention, all to all (DeepSpeed-Ulysses, arXiv 2309.14509).
"""

from __future__ import annotations

import numpy as np

from suanli.domain.layout import LayoutTable
from suanli.domain.model import Core, CoreKind, Layer
from suanli.parts.axes.axis import AXES, Axis, Job, Rows, Transfer, divides, placed_together, tokens_at_once

PASSES_FORWARD = 1.0
PASSES_BACKWARD = 2.0
"""Keys and values go round once forward, and once more with their gradients backward."""


class ContextAxis:
    """Splits sequences; two balanced halves a rank keep causal work even."""

    name = "context"
    rule = "context must split the sequence into two equal parts for each rank, and under Ulysses every layer's heads"

    def degrees(self, job: Job) -> tuple[int, ...]:
        """Powers of two that leave each rank two parts of the sequence, and a few tiles of attention in all."""
        found = [1]
        while job.sequence % (4 * found[-1]) == 0 and job.accelerators % (2 * found[-1]) == 0:
            found.append(2 * found[-1])
        return tuple(degree for degree in found if degree == 1 or job.sequence // degree >= SHORTEST_PART)

    def legal(self, job: Job, table: LayoutTable) -> Rows:
        """Two parts for each rank."""
        fits = np.asarray((table.context == 1) | divides(2 * table.context, job.sequence))
        for heads in _heads(job) if job.ulysses else ():
            fits = fits & ((table.context == 1) | divides(table.context * table.tensor, heads))
        return fits

    def transfers(self, job: Job, layer: Layer, table: LayoutTable, backward: bool) -> tuple[Transfer, ...]:
        """Keys and values of the whole sequence reach every rank of the ring."""
        core = layer.core
        if not core.attends:
            return ()
        if job.ulysses:
            return _traded(job, core, table)
        kept = core.kv_heads * (core.qk_head_dim + core.v_head_dim) / np.minimum(table.tensor, max(core.kv_heads, 1))
        message = table.micro_batch * job.sequence * kept * job.activation_bytes
        count = np.where(table.context > 1, PASSES_BACKWARD if backward else PASSES_FORWARD, 0.0)
        local = placed_together(table.context, table.tensor, job.node_accelerators)
        return (
            Transfer(cause="context", op="all_gather", message_bytes=message, ranks=table.context,
                     ranks_per_node=local, count=count),
        )  # fmt: skip


def _heads(job: Job) -> set[int]:
    """Tell apart how many heads the attention layers have."""
    kinds = (CoreKind.SOFTMAX, CoreKind.LATENT)
    return {run.layer.core.heads for run in job.model.runs if run.layer.core.kind in kinds}


def _traded(job: Job, core: Core, table: LayoutTable) -> tuple[Transfer, ...]:
    """Send queries, keys and values all to all before attention, its result after; backward the same in reverse."""
    tokens, split = tokens_at_once(job, table), table.tensor * table.context
    kv_heads = core.heads if core.kind is CoreKind.LATENT else np.maximum(core.kv_heads, split)
    before = (core.heads * core.qk_head_dim + kv_heads * (core.qk_head_dim + core.v_head_dim)) / table.tensor
    after = core.heads * core.v_head_dim / table.tensor
    local = placed_together(table.context, table.tensor, job.node_accelerators)
    return tuple(
        Transfer(
            cause="context", op="all_to_all", message_bytes=tokens * elements * job.activation_bytes,
            ranks=table.context, ranks_per_node=local, count=np.where(table.context > 1, 1.0, 0.0),
        )
        for elements in (before, after)
    )  # fmt: skip


SHORTEST_PART = 2**8
"""Two tiles of 128 queries: shorter parts of a sequence leave an attention kernel nothing to work on."""

CONTEXT: Axis = AXES.add("context", ContextAxis())
