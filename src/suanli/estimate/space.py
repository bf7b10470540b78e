"""Every legal layout of a job on a cluster, as tables of a bounded number of rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
from suanli.estimate.tables import CHUNK_ROWS, COLUMNS, FULL_RECOMPUTE, join, take
from suanli.parts.axes.axis import AXES, Job, Rows, divisors
from suanli.parts.axes.pipeline import CHUNKS_OF_A_V, ONE_F_ONE_B, PIPELINE_AXIS, ZB_V


def legal_rows(job: Job, table: LayoutTable) -> Rows:
    """Which rows keep the rule of every axis."""
    fits: Rows = np.ones(len(table), dtype=np.bool_)
    for axis in AXES.values():
        fits = fits & axis.legal(job, table)
    return fits


def broken_rules(job: Job, table: LayoutTable) -> list[tuple[str, ...]]:
    """Name, for each row, the axes whose rules it breaks, in the order in which they are looked at."""
    found: list[tuple[str, ...]] = [()] * len(table)
    for name, axis in AXES.items():
        for row in np.flatnonzero(~np.asarray(axis.legal(job, table))):
            found[row] = (*found[row], name)
    return found


def broken_rule(job: Job, table: LayoutTable) -> list[str]:
    """Name, for each row, the first axis whose rule it breaks ("" where it keeps them all)."""
    return [names[0] if names else "" for names in broken_rules(job, table)]


def _products(choices: dict[str, Sequence[float]]) -> Iterator[LayoutTable]:
    """All combinations of choices, the last column running fastest, in tables of at most `CHUNK_ROWS` rows."""
    shape = [len(choices[name]) for name in COLUMNS]
    values = [np.asarray(choices[name], dtype=np.float64) for name in COLUMNS]
    whole = math.prod(shape)
    for start in range(0, whole, CHUNK_ROWS):
        rows = np.unravel_index(np.arange(start, min(start + CHUNK_ROWS, whole)), shape)
        columns = [column[row] for column, row in zip(values, rows, strict=True)]
        yield LayoutTable(**dict(zip(COLUMNS, columns, strict=True)))


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


def _degrees(job: Job, every: bool, fixed: Mapping[str, float]) -> Iterator[tuple[int, int, int, int]]:
    """Tensor, pipeline, context and data degrees that use every accelerator, split the batch and are those fixed."""
    for split in AXES["tensor"].degrees(job):
        for stages in AXES["pipeline"].degrees(job):
            for parts in AXES["context"].degrees(job):
                wide = split > job.node_accelerators and "tensor" not in fixed
                torn = parts > 1 and job.sequence // parts < WORTH_SPLITTING and "context" not in fixed
                used = split * stages * parts
                if (wide or torn) and not every:
                    continue
                if job.accelerators % used or job.global_batch % (job.accelerators // used):
                    continue
                found = {"tensor": split, "pipeline": stages, "context": parts, "data": job.accelerators // used}
                if all(found[name] == fixed.get(name, found[name]) for name in found):
                    yield split, stages, parts, job.accelerators // used


def degrees_ruled_out(
    setup: TrainingSetup, machine: Machine, every: bool = False, freedom: Freedom | None = None
) -> dict[str, int]:
    """Count sets of degrees that use every accelerator but make no layout, by the first axis whose rule they break."""
    job = job_of(setup, machine)
    degrees = np.asarray(divisors(job.accelerators))
    split, stages, parts = (column.ravel() for column in np.meshgrid(degrees, degrees, degrees, indexing="ij"))
    used = split * stages * parts
    left = job.accelerators % used == 0
    found = {}
    chosen = {"tensor": split, "pipeline": stages, "context": parts}
    for name, column in chosen.items():
        still = left & np.isin(column, AXES[name].degrees(job))
        found[name], left = int((left & ~still).sum()), still
    replicas = job.accelerators // np.where(left, used, 1)
    still = left & (job.global_batch % replicas == 0)
    found["data"] = int((left & ~still).sum())
    found[NOT_TRIED] = int(still.sum()) - sum(1 for _ in _degrees(job, every, (freedom or PLAIN).fixed))
    return {name: count for name, count in found.items() if count}


NOT_TRIED = "not_tried"
WORTH_SPLITTING = 2**11
"""Parts of a sequence shorter than this no longer hide a ring's traffic; a plain search leaves them out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Freedom:
    """What a search may choose of the schedules of pipelines, and of what lives on the host.

    `fixed` are columns of a layout that are given, each at a number as in a table.
    """

    schedules: tuple[Schedule, ...] = (Schedule.ONE_F_ONE_B,)
    offloads: tuple[Offload, ...] = (Offload.NONE,)
    fixed: Mapping[str, float] = field(default_factory=dict)

    def choices(self, name: str, found: Sequence[float]) -> Sequence[float]:
        """Return what may be chosen for a column: the value it is fixed at, else what was found."""
        return (self.fixed[name],) if name in self.fixed else found


PLAIN = Freedom()
WHOLE = Freedom(schedules=tuple(Schedule), offloads=tuple(Offload))


def _useful(table: LayoutTable, chunks: Sequence[float]) -> Rows:
    """Leave out uneven interleaving, and recomputing all where weight gradients wait for what was computed again."""
    even = (table.schedule == ZB_V) | np.isin(table.interleave, np.asarray(chunks, dtype=np.float64))
    return np.asarray(even & ((table.recompute != FULL_RECOMPUTE) | (weights_wait(table) == 0)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """At most `CHUNK_ROWS` layouts looked at: the legal ones, and how many broke each axis' rule first."""

    table: LayoutTable
    looked_at: int
    broken: Mapping[str, int]


def _candidates(setup: TrainingSetup, job: Job, every: bool, free: Freedom) -> Iterator[LayoutTable]:
    """Products of what each pair of degrees leaves to choose, as small tables; one stage has no schedule to choose."""
    scheduled = [float(SCHEDULES.index(one)) for one in free.schedules]
    experts = AXES["expert"].degrees(job)
    for split, stages, parts, replicas in _degrees(job, every, free.fixed):
        ranks, chunks = replicas * parts * split, PIPELINE_AXIS.chunks(job, stages)
        own = scheduled if stages > 1 else [ONE_F_ONE_B]
        found: dict[str, Sequence[float]] = {
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
        products = _products({name: free.choices(name, choices) for name, choices in found.items()})
        for table in products:
            useful = _useful(table, chunks)
            yield table if useful.all() else take(table, useful)


def _gathered(tables: Iterable[LayoutTable]) -> Iterator[LayoutTable]:
    """Put small tables together as long as they stay within `CHUNK_ROWS`."""
    waiting: list[LayoutTable] = []
    rows = 0
    for table in tables:
        if waiting and rows + len(table) > CHUNK_ROWS:
            yield join(waiting)
            waiting, rows = [], 0
        waiting.append(table)
        rows += len(table)
    if waiting:
        yield join(waiting)


def _sifted(job: Job, table: LayoutTable) -> Chunk:
    """Keep the legal rows of a table, and count the others by the first rule that they break.

    Without sharding the size of its group means nothing: such rows are told once, under the group of all replicas.
    """
    kept: Rows = (table.sharding > 0) | (table.sharding_ranks == table.data * table.context)
    looked_at, broken = int(np.count_nonzero(kept)), {}
    for name, axis in AXES.items():
        still = kept & axis.legal(job, table)
        broken[name] = int(np.count_nonzero(kept)) - int(np.count_nonzero(still))
        kept = still
    return Chunk(table=table if kept.all() else take(table, kept), looked_at=looked_at, broken=broken)


def layout_chunks(
    setup: TrainingSetup, machine: Machine, every: bool = False, freedom: Freedom | None = None
) -> Iterator[Chunk]:
    """Make the legal layouts for a model, a batch and a cluster chunk by chunk: those worth trying, or every one.

    Worth trying is: tensor ranks in one link domain, sequence parallelism wherever there are any, parts of sequences
    that hide their traffic, gradients and weights whole under a pipeline, sharding groups of a node or of all.
    Loops run over degrees only; chunks, micro-batches, sharding and recomputation are products of columns. Whatever
    the size of the space, no more than one chunk of it is held. `freedom` is 1F1B with nothing on the host unless
    given, and all there is for every layout.
    """
    job, free = job_of(setup, machine), freedom or (WHOLE if every else PLAIN)
    for table in _gathered(_candidates(setup, job, every, free)):
        yield _sifted(job, table)


def layouts(setup: TrainingSetup, machine: Machine, every: bool = False, freedom: Freedom | None = None) -> LayoutTable:
    """Put all chunks of `layout_chunks` into one table: for spaces that fit memory."""
    tables = [chunk.table for chunk in layout_chunks(setup, machine, every, freedom)]
    return join(tables) if tables else LayoutTable(**{name: np.zeros(0) for name in COLUMNS})
