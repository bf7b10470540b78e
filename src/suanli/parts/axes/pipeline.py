"""Pipeline parallelism: layers in stages, activations handed on; the schedule says how chunks and stages take turns."""

from __future__ import annotations

import numpy as np

from suanli.domain.layout import SCHEDULES, LayoutTable, Schedule
from suanli.domain.model import Layer
from suanli.foundation.equation import Real
from suanli.parts.axes.axis import AXES, Axis, Job, Rows, Transfer, divides, divisors, tokens_at_once

ONE_F_ONE_B, ZB_H1, ZB_H2, ZB_V, DUALPIPE = (
    float(SCHEDULES.index(one))
    for one in (Schedule.ONE_F_ONE_B, Schedule.ZB_H1, Schedule.ZB_H2, Schedule.ZB_V, Schedule.DUALPIPE)
)
CHUNKS_OF_A_V = 2.0
"""Chunks of a stage where the path turns back at the last stage and comes by every stage twice."""


def model_layers(job: Job) -> int:
    """Layers that stages share out, layers for multi-token prediction included."""
    return sum(run.count for run in (*job.model.runs, *job.model.draft_runs))


def hop(job: Job, table: LayoutTable) -> Transfer:
    """Say what a stage hands on for one micro-batch and chunk, one way: tensor ranks share the message out."""
    inside = table.data * table.tensor * table.context * table.pipeline <= job.node_accelerators
    return Transfer(
        cause="pipeline",
        op="send",
        message_bytes=tokens_at_once(job, table) * job.model.hidden * job.activation_bytes / table.tensor,
        ranks=np.minimum(table.pipeline, 2),
        ranks_per_node=np.where(inside, 2.0, 1.0),
        count=hops(table),
    )


def hops(table: LayoutTable) -> Real:
    """How often a stage hands something on for one micro-batch: forward and backward, for each chunk."""
    return np.where(table.pipeline > 1, 2 * table.interleave, 0.0)


def ends_joined(table: LayoutTable) -> Rows:
    """Where one stage holds the first and the last layers: one alone, or the ends of zb-v and dualpipe."""
    return np.asarray((table.pipeline == 1) | (table.schedule >= ZB_V))


class PipelineAxis:
    """Puts layers in stages, whole chunks of them, and micro-batches in rounds where chunks interleave."""

    name = "pipeline"
    rule = (
        "every stage needs a layer for each chunk; interleaving needs 1f1b, pipeline > 1 and rounds of whole "
        "micro-batches; zb-h1, zb-h2, zb-v and dualpipe need pipeline > 1, zb-v two chunks, dualpipe an even pipeline "
        "and an even number of micro-batches, two for each stage at least"
    )

    def degrees(self, job: Job) -> tuple[int, ...]:
        """Divisors of the accelerators up to the layers."""
        return tuple(degree for degree in divisors(job.accelerators) if degree <= model_layers(job))

    def chunks(self, job: Job, pipeline: int) -> tuple[int, ...]:
        """Chunks a stage that split the layers evenly, 1 first."""
        if pipeline == 1 or model_layers(job) % pipeline:
            return (1,)
        return divisors(model_layers(job) // pipeline)

    def legal(self, job: Job, table: LayoutTable) -> Rows:
        """Stages are not empty, and micro-batches come in the numbers that chunks and schedule ask for."""
        work = job.global_batch / (table.data * table.micro_batch)
        several, schedule = table.pipeline > 1, table.schedule
        rounds = several & divides(table.pipeline, work) & (schedule == ONE_F_ONE_B)
        chunked = np.where(schedule == ZB_V, table.interleave == CHUNKS_OF_A_V, (table.interleave == 1) | rounds)
        paired = divides(2.0, table.pipeline) & divides(2.0, work) & (work >= 2 * table.pipeline)
        filled = (schedule <= ONE_F_ONE_B) | (several & ((schedule != DUALPIPE) | paired))
        return np.asarray(chunked & filled & (table.pipeline * table.interleave <= model_layers(job)))

    def transfers(self, job: Job, layer: Layer, table: LayoutTable, backward: bool) -> tuple[Transfer, ...]:
        """Nothing inside a layer: stages hand on whole micro-batches, see `hop`."""
        return ()


PIPELINE_AXIS = PipelineAxis()
PIPELINE: Axis = AXES.add("pipeline", PIPELINE_AXIS)
