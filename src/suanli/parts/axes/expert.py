"""Expert parallelism: experts live on different ranks, tokens travel to theirs and back."""

from __future__ import annotations

import numpy as np

from suanli.domain.layout import LayoutTable
from suanli.domain.model import Layer, Role
from suanli.equations.topology import routed_places
from suanli.foundation.equation import Real
from suanli.parts.axes.axis import AXES, Axis, Job, Rows, Transfer, divides, divisors, placed_together, tokens_at_once


def expert_tensor(table: LayoutTable) -> Real:
    """Tensor degree inside one expert: whole experts once they are spread out, else the layer's own degree."""
    return np.where(table.expert > 1, 1.0, table.tensor)


def expert_copies(table: LayoutTable) -> Real:
    """How many ranks of one stage hold the same expert parameters: the rest of data x context x tensor."""
    return np.maximum(table.data * table.context * table.tensor / (table.expert * expert_tensor(table)), 1)


def _experts(job: Job) -> list[int]:
    return [run.layer.experts for run in job.model.runs if run.layer.experts > 1]


class ExpertAxis:
    """Spreads the experts of each layer over the ranks of one stage."""

    name = "expert"
    rule = "expert must divide the experts of every layer and the ranks of a stage (data x context x tensor)"

    def degrees(self, job: Job) -> tuple[int, ...]:
        """Find the common divisors of the numbers of experts; 1 alone for a dense model."""
        experts = _experts(job)
        if not experts:
            return (1,)
        return tuple(
            degree
            for degree in divisors(min(experts))
            if degree <= job.accelerators and all(count % degree == 0 for count in experts)
        )

    def legal(self, job: Job, table: LayoutTable) -> Rows:
        """Experts divide, and so do the ranks of a stage."""
        fits = divides(table.expert, table.data * table.context * table.tensor)
        for count in _experts(job) or [1]:
            fits = fits & divides(table.expert, count)
        return fits

    def transfers(self, job: Job, layer: Layer, table: LayoutTable, backward: bool) -> tuple[Transfer, ...]:
        """Tokens go out to their experts and come back: two all-to-all each way, once to each rank and to each node."""
        routed = [matrix for matrix in layer.matrices if matrix.role is Role.EXPERT_IN]
        if not routed:
            return ()
        chosen = float(max(layer.experts_per_token, 1))
        copies = routed_places(chosen, table.expert)
        message = (
            tokens_at_once(job, table)
            / table.tensor
            * copies
            * routed[0].inputs
            * job.activation_bytes
            * job.expert_rows
        )
        local = placed_together(table.expert, 1.0, job.node_accelerators)
        return (
            Transfer(
                cause="expert",
                op="all_to_all",
                message_bytes=message,
                ranks=table.expert,
                ranks_per_node=local,
                count=np.where(table.expert > 1, 2.0, 0.0),
                across_share=routed_places(chosen, np.maximum(table.expert / local, 1)) / copies,
            ),
        )


EXPERT: Axis = AXES.add("expert", ExpertAxis())
