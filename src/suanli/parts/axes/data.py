"""Data parallelism: replicas work on their own sequences and share gradients once a step."""

from __future__ import annotations

import numpy as np

from suanli.domain.layout import LayoutTable
from suanli.domain.model import Layer
from suanli.foundation.equation import Real
from suanli.parts.axes.axis import AXES, Axis, Job, Rows, Transfer, divides, divisors, placed_together


def replicas(table: LayoutTable) -> Real:
    """Ranks that hold the same dense parameters: data x context."""
    return table.data * table.context


def replicas_together(job: Job, table: LayoutTable) -> Real:
    """How many of those ranks share a node."""
    return placed_together(replicas(table), table.tensor, job.node_accelerators)


class DataAxis:
    """Splits the batch."""

    name = "data"
    rule = "data x micro-batch must divide the global batch"

    def degrees(self, job: Job) -> tuple[int, ...]:
        """Divisors of the accelerators that also divide the batch."""
        return tuple(degree for degree in divisors(job.accelerators) if job.global_batch % degree == 0)

    def legal(self, job: Job, table: LayoutTable) -> Rows:
        """Whole micro-batches for each replica, and every accelerator in use."""
        used = table.data * table.tensor * table.pipeline * table.context
        return np.asarray((used == job.accelerators) & divides(table.data * table.micro_batch, job.global_batch))

    def transfers(self, job: Job, layer: Layer, table: LayoutTable, backward: bool) -> tuple[Transfer, ...]:
        """Nothing inside a layer: gradients travel once a step, see the sharding axis."""
        return ()


DATA: Axis = AXES.add("data", DataAxis())
