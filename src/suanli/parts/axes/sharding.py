"""Sharding of states over replicas (ZeRO stages, FSDP): what is kept in parts, and what must travel for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.domain.layout import SHARDING_STAGES, LayoutTable
from suanli.domain.model import Layer
from suanli.foundation.equation import Real
from suanli.parts.axes.axis import AXES, Axis, Job, Rows, Transfer, divides, placed_together
from suanli.parts.axes.data import replicas, replicas_together
from suanli.parts.axes.expert import expert_copies

OPTIMIZER, GRADIENTS, FULL = (float(SHARDING_STAGES.index(stage)) for stage in SHARDING_STAGES[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """Parameters that travel together: dense ones, and those of experts, as one rank holds them unsharded."""

    dense: Real
    expert: Real


def group(table: LayoutTable) -> Real:
    """Over how many ranks dense states are shared out when they are."""
    return np.minimum(table.sharding_ranks, replicas(table))


def shards(table: LayoutTable, stage: float, ranks: Real) -> Real:
    """In how many parts a kind of state is kept: all of `ranks` from its stage on, else one."""
    return np.where(table.sharding >= stage, ranks, 1.0)


def _sync(op: str, message: Real, ranks: Real, local: Real, count: Real) -> Transfer:
    return Transfer(cause="data", op=op, message_bytes=message, ranks=ranks, ranks_per_node=local, count=count)


def _both(job: Job, table: LayoutTable, op: str, held: Parameters, element_bytes: float, count: Real) -> list[Transfer]:
    """Send dense parameters over the sharding group and expert ones over the copies of their experts."""
    ranks, copies = group(table), expert_copies(table)
    local = np.minimum(ranks, replicas_together(job, table))
    near = placed_together(copies, table.expert * np.where(table.expert > 1, 1.0, table.tensor), job.node_accelerators)
    return [
        _sync(op, held.dense * element_bytes, ranks, local, count),
        _sync(op, held.expert * element_bytes, copies, near, count),
    ]


def gradients(job: Job, table: LayoutTable, held: Parameters, element_bytes: float) -> tuple[Transfer, ...]:
    """Say what one exchange of gradients sends: all-reduced, or scattered from the optimizer stage on.

    A sharding group smaller than all replicas all-reduces its parts with the other groups.
    """
    sharded = np.where(table.sharding >= OPTIMIZER, 1.0, 0.0)
    rest = replicas(table) / group(table)
    across = np.where(rest > 1, sharded, 0.0)
    whole = [
        *_both(job, table, "reduce_scatter", held, element_bytes, sharded),
        _sync("all_reduce", held.dense * element_bytes, replicas(table), replicas_together(job, table), 1 - sharded),
        _sync("all_reduce", held.expert * element_bytes, expert_copies(table), 1.0, 1 - sharded),
    ]
    outer = _sync("all_reduce", held.dense * element_bytes / group(table), rest, 1.0, across)
    return (*whole, outer)


def weights(job: Job, table: LayoutTable, held: Parameters, element_bytes: float) -> tuple[Transfer, ...]:
    """Say what one gathering of sharded weights sends."""
    return tuple(_both(job, table, "all_gather", held, element_bytes, np.where(table.sharding >= OPTIMIZER, 1.0, 0.0)))


class ShardingAxis:
    """Shares optimizer state, then gradients, then weights between replicas."""

    name = "sharding"
    rule = "a sharding group must divide the replicas"

    def degrees(self, job: Job) -> tuple[int, ...]:
        """Stages 0 to 3, as positions in the list of stages."""
        return tuple(range(len(SHARDING_STAGES)))

    def legal(self, job: Job, table: LayoutTable) -> Rows:
        """Tell whether groups divide the replicas."""
        return divides(group(table), replicas(table))

    def transfers(self, job: Job, layer: Layer, table: LayoutTable, backward: bool) -> tuple[Transfer, ...]:
        """Nothing here: see `gradients` and `weights`, which need the parameters of a stage."""
        return ()


SHARDING: Axis = AXES.add("sharding", ShardingAxis())
