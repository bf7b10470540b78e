"""Tensor parallelism (with sequence parallelism): matrices split by columns then rows, activations joined between."""

from __future__ import annotations

import numpy as np

from suanli.domain.layout import LayoutTable
from suanli.domain.model import Layer, Role
from suanli.foundation.equation import Real
from suanli.parts.axes.axis import AXES, Axis, Job, Rows, Transfer, divides, divisors, placed_together, tokens_at_once
from suanli.parts.axes.expert import expert_tensor

COLUMN_ROLES = (Role.ATTENTION_IN, Role.MLP_IN, Role.SHARED_IN)
ROW_ROLES = (Role.ATTENTION_OUT, Role.MLP_OUT, Role.SHARED_OUT)


def splits_columns(role: Role, inputs: int, hidden: int) -> bool | None:
    """Say how tensor parallelism splits a dense matrix: by columns, by rows (False), or not at all (None)."""
    if role in COLUMN_ROLES:
        return True
    if role in ROW_ROLES:
        return False
    if role is Role.MIXER:
        return inputs == hidden
    return None


def joins(layer: Layer, hidden: int, split_experts: Real) -> Real:
    """How often one layer must join its split activations in a forward pass; 0 or 1 for a parallel block."""
    mixing = any(
        matrix.role is Role.ATTENTION_OUT or (matrix.role is Role.MIXER and matrix.outputs == hidden)
        for matrix in layer.matrices
    )
    feeding = any(matrix.role in (Role.MLP_OUT, Role.SHARED_OUT) for matrix in layer.matrices)
    routed = any(matrix.role is Role.EXPERT_OUT for matrix in layer.matrices)
    fed = np.maximum(float(feeding), float(routed) * split_experts)
    return np.minimum(mixing + fed, 1) if layer.parallel else mixing + fed


def _heads(job: Job) -> list[int]:
    cores = [run.layer.core for run in job.model.runs]
    return [core.heads for core in cores if core.attends and core.heads]


class TensorAxis:
    """Splits heads, MLP columns and vocabulary over neighbours, best over those that a fast link joins."""

    name = "tensor"
    rule = "tensor must divide the attention heads"

    def degrees(self, job: Job) -> tuple[int, ...]:
        """Divisors of the accelerators that divide the heads of every layer."""
        heads = _heads(job)
        most = min(heads, default=job.node_accelerators)
        return tuple(
            degree
            for degree in divisors(job.accelerators)
            if degree <= most and all(count % degree == 0 for count in heads)
        )

    def legal(self, job: Job, table: LayoutTable) -> Rows:
        """Tell whether the heads divide."""
        fits: Rows = np.ones(len(table), dtype=np.bool_)
        for heads in _heads(job):
            fits = fits & divides(table.tensor, heads)
        return fits

    def transfers(self, job: Job, layer: Layer, table: LayoutTable, backward: bool) -> tuple[Transfer, ...]:
        """Ask for an all-reduce for each join, or a reduce-scatter and an all-gather under sequence parallelism."""
        split_experts = np.where(expert_tensor(table) > 1, 1.0, 0.0)
        count = joins(layer, job.model.hidden, split_experts) * np.where(table.tensor > 1, 1.0, 0.0)
        message = tokens_at_once(job, table) * job.model.hidden * job.activation_bytes
        local = placed_together(table.tensor, 1.0, job.node_accelerators)
        parted = np.where(table.sequence_parallel > 0, 1.0, 0.0)
        return (
            Transfer(cause="tensor", op="all_reduce", message_bytes=message, ranks=table.tensor, ranks_per_node=local,
                     count=count * (1 - parted)),
            Transfer(cause="tensor", op="all_gather", message_bytes=message, ranks=table.tensor, ranks_per_node=local,
                     count=count * parted),
            Transfer(cause="tensor", op="reduce_scatter", message_bytes=message, ranks=table.tensor,
                     ranks_per_node=local, count=count * parted),
        )  # fmt: skip


TENSOR: Axis = AXES.add("tensor", TensorAxis())
