"""Every legal layout of a job on a cluster, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from suanli.domain.layout import (
    OFFLOADS,
    RECOMPUTE_LEVELS,
    SCHEDULES,
    SHARDING_STAGES,
    LayoutTable,
    Offload,
    Recompute,
    Schedule,
)
from suanli.domain.workload import Attention, TrainingSetup
from suanli.estimate.schedules import weights_wait
from suanli.estimate.step import Machine, job_of
from suanli.estimate.tables import COLUMNS, FULL_RECOMPUTE, join, take
from suanli.foundation.equation import FloatArray
from suanli.parts.axes.axis import AXES, Job, Rows, divisors
from suanli.parts.axes.pipeline import CHUNKS_OF_A_V, ONE_F_ONE_B, PIPELINE_AXIS, ZB_V


def legal_rows(job: Job, table: LayoutTable) -> Rows:
    """Which rows keep the rule of every axis."""
    fits: Rows = np.ones(len(table), dtype=np.bool_)
    for axis in AXES.values():
        fits = fits & axis.legal(job, table)
    return fits


def broken_rule(job: Job, table: LayoutTable) -> list[str]:
    """Name, for each row, the first axis whose rule it breaks ("" where it keeps them all)."""
    found = [""] * len(table)
    for name, axis in AXES.items():
        for row in np.flatnonzero(~np.asarray(axis.legal(job, table))):
            found[row] = found[row] or name
    return found


def _products(choices: dict[str, Sequence[float]]) -> LayoutTable:
    columns: list[FloatArray] = [
        column.ravel() for column in np.meshgrid(*(np.asarray(choices[name], float) for name in COLUMNS), indexing="ij")
    ]
    return LayoutTable(**dict(zip(COLUMNS, columns, strict=True)))


def _recompute(setup: TrainingSetup) -> tuple[float, ...]:
    """Levels worth trying: with a fused kernel, selective recomputation has nothing left to save."""
    unfused = setup.attention is Attention.UNFUSED
    levels = [level for level in RECOMPUTE_LEVELS if unfused or level is not Recompute.SELECTIVE]
    return tuple(float(RECOMPUTE_LEVELS.index(level)) for level in levels)


def _groups(job: Job, replicas: int, split: int, every: bool) -> tuple[float, ...]:
    """Sharding groups: all replicas and those of one node, or every divisor of the replicas."""
    if every:
        return tuple(float(ranks) for ranks in divisors(replicas) if ranks > 1 or replicas == 1)
    near = max(job.node_accelerators // split, 1)
    return tuple({float(replicas), float(near if replicas % near == 0 and near > 1 else replicas)})


def _stages(replicas: int, stages: int, every: bool) -> Sequence[float]:
    """Sharding stages: none alone where there is one replica, all without a pipeline."""
    if replicas == 1:
        return (0,)
    return range(len(SHARDING_STAGES)) if every or stages == 1 else (0, 1)


def _degrees(job: Job, every: bool) -> Iterator[tuple[int, int, int, int]]:
    """Tensor, pipeline, context and data degrees that use every accelerator and split the batch."""
    for split in AXES["tensor"].degrees(job):
        for stages in AXES["pipeline"].degrees(job):
            for parts in AXES["context"].degrees(job):
                torn = parts > 1 and job.sequence // parts < WORTH_SPLITTING
                if not every and (split > job.node_accelerators or torn):
                    continue
                used = split * stages * parts
                if job.accelerators % used == 0 and job.global_batch % (job.accelerators // used) == 0:
                    yield split, stages, parts, job.accelerators // used


WORTH_SPLITTING = 2**11
"""Parts of a sequence shorter than this no longer hide a ring's traffic; a plain search leaves them out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Freedom:
    """What a search may choose of the schedules of pipelines, and of what lives on the host."""

    schedules: tuple[Schedule, ...] = (Schedule.ONE_F_ONE_B,)
    offloads: tuple[Offload, ...] = (Offload.NONE,)


PLAIN = Freedom()
WHOLE = Freedom(schedules=tuple(Schedule), offloads=tuple(Offload))


def _useful(table: LayoutTable, chunks: Sequence[float]) -> Rows:
    """Leave out uneven interleaving, and recomputing all where weight gradients wait for what was computed again."""
    even = (table.schedule == ZB_V) | np.isin(table.interleave, np.asarray(chunks, dtype=np.float64))
    return np.asarray(even & ((table.recompute != FULL_RECOMPUTE) | (weights_wait(table) == 0)))


def layouts(setup: TrainingSetup, machine: Machine, every: bool = False, freedom: Freedom | None = None) -> LayoutTable:
    """Make the legal layouts for a model, a batch and a cluster: those worth trying, or every one.

    Worth trying is: tensor ranks in one link domain, sequence parallelism wherever there are any, parts of sequences
    that hide their traffic, gradients and weights whole under a pipeline, sharding groups of a node or of all.
    Loops run over degrees only; chunks, micro-batches, sharding and recomputation are products of columns. `freedom` is
    1F1B with nothing on the host unless given, and all there is for every layout; one stage has no schedule to choose.
    """
    free = freedom or (WHOLE if every else PLAIN)
    scheduled = [float(SCHEDULES.index(one)) for one in free.schedules]
    job = job_of(setup, machine)
    experts = AXES["expert"].degrees(job)
    tables = []
    for split, stages, parts, replicas in _degrees(job, every):
        ranks, chunks = replicas * parts * split, PIPELINE_AXIS.chunks(job, stages)
        own = scheduled if stages > 1 else [ONE_F_ONE_B]
        choices: dict[str, Sequence[float]] = {
            "data": (replicas,),
            "tensor": (split,),
            "pipeline": (stages,),
            "context": (parts,),
            "expert": [degree for degree in experts if ranks % degree == 0],
            "interleave": sorted({*chunks, CHUNKS_OF_A_V} if ZB_V in own else chunks),
            "micro_batch": divisors(job.global_batch // replicas),
            "sharding": _stages(replicas * parts, stages, every),
            "sharding_ranks": _groups(job, replicas * parts, split, every),
            "recompute": _recompute(setup),
            "sequence_parallel": (0, 1) if split > 1 and every else (1,),
            "schedule": own,
            "offload": [float(OFFLOADS.index(one)) for one in free.offloads],
        }
        table = _products(choices)
        plain = (table.sharding > 0) | (table.sharding_ranks == replicas * parts)
        tables.append(take(table, legal_rows(job, table) & plain & _useful(table, chunks)))
    if not tables:
        return take(_products(dict.fromkeys(COLUMNS, (1.0,))), slice(0, 0))
    return join(tables)
