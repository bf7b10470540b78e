"""The search for layouts: goes through every legal one chunk by chunk and keeps the best of those that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, LayoutTable
from suanli.domain.result import Rejected, TrainingEstimate, TrainingSearch
from suanli.domain.software import TrainingCalibration
from suanli.domain.workload import TrainingSetup
from suanli.estimate.evaluate import Question, ask, evaluate, weigh_memory, weigh_time
from suanli.estimate.software import load_training_calibration
from suanli.estimate.space import Chunk, layout_chunks
from suanli.estimate.step import open_machine
from suanli.estimate.tables import join, layout_at, take
from suanli.estimate.training import at_row
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr

MEMORY_MARGIN = 0.05
"""Share of the memory that a plan leaves free unless the caller says otherwise."""

GIB = 2**30
MOST_DOUBLINGS = 2 + 2 + 2
MEMORY = "memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The best layouts seen so far, the fastest first and, of equals, the one seen first; and their seconds."""

    table: LayoutTable
    seconds: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a walk through a space of layouts leaves: the best, the nearest to fitting of the others, and counts."""

    kept: Kept | None = None
    looked_at: int = 0
    fitting: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    nearest: Layout | None = None
    nearest_bytes: float = np.inf


def _best(kept: Kept | None, table: LayoutTable, seconds: FloatArray, keep: int) -> Kept:
    """Merge a chunk into what was kept; where seconds are equal, what was seen first stays first."""
    if kept is not None:
        worth = np.flatnonzero(seconds < kept.seconds[-1]) if len(kept.seconds) == keep else np.arange(len(seconds))
        table = join([kept.table, take(table, worth)])
        seconds = np.concatenate([kept.seconds, seconds[worth]])
    order = np.argsort(seconds, kind="stable")[:keep]
    return Kept(table=take(table, order), seconds=seconds[order])


def _swept(question: Question, before: Sweep, chunk: Chunk, keep: int) -> Sweep:
    """Take one chunk in: count what breaks a rule or the memory, time the rest, keep the best."""
    held = weigh_memory(question, chunk.table).memory_bytes
    fits = held <= question.capacity_bytes
    fitting = int(np.count_nonzero(fits))
    kept, nearest, least = before.kept, before.nearest, before.nearest_bytes
    if fitting:
        table = take(chunk.table, fits)
        kept = _best(kept, table, weigh_time(question, table).step_seconds, keep)
    if fitting < len(held):
        over = np.where(fits, np.inf, held)
        row = int(np.argmin(over))
        if over[row] < least:
            nearest, least = layout_at(chunk.table, row), float(over[row])
    broken = {**chunk.broken, MEMORY: len(held) - fitting}
    return Sweep(
        kept=kept,
        looked_at=before.looked_at + chunk.looked_at,
        fitting=before.fitting + fitting,
        rejected={name: before.rejected.get(name, 0) + count for name, count in broken.items()},
        nearest=nearest,
        nearest_bytes=least,
    )


def sweep(question: Question, chunks: Iterable[Chunk], keep: int) -> Sweep:
    """Walk through a space chunk by chunk: memory first, then the time of what fits. Holds one chunk at a time."""
    done = Sweep()
    for chunk in chunks:
        done = _swept(question, done, chunk, keep)
    return done


def search(
    setup: TrainingSetup,
    cluster: Cluster,
    kernels: KernelTable,
    keep: int = 20,
    memory_margin: float = MEMORY_MARGIN,
    calibration: TrainingCalibration | None = None,
    every: bool = False,
) -> list[TrainingEstimate]:
    """Weigh the legal layouts of a cluster and return the fastest that fit, best first.

    `every` widens the search from the layouts worth trying to all legal ones.

    Raises InfeasibleError where none fits, naming the closest layout, what it is short of and what would free it.
    """
    return list(search_told(setup, cluster, kernels, keep, memory_margin, calibration, every).estimates)


def search_told(
    setup: TrainingSetup,
    cluster: Cluster,
    kernels: KernelTable,
    keep: int = 20,
    memory_margin: float = MEMORY_MARGIN,
    calibration: TrainingCalibration | None = None,
    every: bool = False,
) -> TrainingSearch:
    """Search as `search` does, and tell what was looked at and why the others were rejected.

    Raises InfeasibleError where none fits.
    """
    machine = open_machine(cluster, kernels)
    question = ask(setup, machine, calibration or load_training_calibration(), memory_margin)
    done = sweep(question, layout_chunks(question.setup, machine, every), keep)
    if done.kept is None:
        raise _infeasible(question, cluster, kernels, done)
    found = evaluate(question, done.kept.table)
    return TrainingSearch(
        estimates=tuple(at_row(question, found, row) for row in range(len(found.table))),
        looked_at=done.looked_at,
        fitting=done.fitting,
        rejected=Rejected(
            by_limit={name: count for name, count in done.rejected.items() if count},
            nearest=done.nearest,
            nearest_short_bytes=done.nearest_bytes - question.capacity_bytes if done.nearest else 0.0,
        ),
    )


def _infeasible(question: Question, cluster: Cluster, kernels: KernelTable, done: Sweep) -> InfeasibleError:
    """Say which layout comes closest, how far it is off, and what would hold the job."""
    layout = done.nearest
    if layout is None:
        return InfeasibleError(
            limit=tr(
                "No layout splits a batch of {batch} over {accelerators} accelerators.",
                batch=question.setup.global_batch,
                accelerators=question.machine.accelerators,
            ),
            relief=tr("Choose a global batch that shares more divisors with the number of accelerators."),
        )
    short = (done.nearest_bytes - question.capacity_bytes) / GIB
    return InfeasibleError(
        limit=tr(
            "No layout fits the memory: closest is data {data}, tensor {tensor}, pipeline {pipeline}, "
            "context {context}, expert {expert}, micro-batch {micro_batch}, recompute {recompute}, "
            "short by {gib:.1f} GiB an accelerator.",
            data=layout.data,
            tensor=layout.tensor,
            pipeline=layout.pipeline,
            context=layout.context,
            expert=layout.expert,
            micro_batch=layout.micro_batch,
            recompute=layout.recompute.value,
            gib=short,
        ),
        relief=_relief(question, cluster, kernels, short),
    )


def _relief(question: Question, cluster: Cluster, kernels: KernelTable, short: float) -> str:
    """Try what could hold the job: layouts beyond those worth trying, a shorter sequence, more nodes."""
    said = []
    if least_bytes(question, every=True) <= question.capacity_bytes:
        said.append(tr("A search over every legal layout finds some that fit."))
    sequence = sequence_that_fits(question)
    if sequence:
        said.append(tr("Sequences of {tokens} tokens would fit.", tokens=sequence))
    enough = nodes_that_fit(question, cluster, kernels)
    if enough:
        said.append(tr("{nodes} nodes would hold it.", nodes=enough))
    rest = tr("Take accelerators with {gib:.1f} GiB more memory, a shorter sequence or a smaller model.", gib=short)
    return " ".join(said) or rest


def least_bytes(question: Question, every: bool = False) -> float:
    """Return the memory of the legal layout that takes the least of it; infinite where no layout is legal."""
    least = np.inf
    for chunk in layout_chunks(question.setup, question.machine, every):
        if len(chunk.table):
            least = min(least, float(weigh_memory(question, chunk.table).memory_bytes.min()))
    return float(least)


def sequence_that_fits(question: Question) -> int:
    """Find by halving how long a sequence may be; 0 where even a small share of it is too long."""
    sequence = question.setup.sequence_tokens
    for _ in range(MOST_DOUBLINGS):
        sequence //= 2
        shorter = replace(question, setup=replace(question.setup, sequence_tokens=sequence))
        if sequence and least_bytes(shorter) <= question.capacity_bytes:
            return sequence
    return 0


def nodes_that_fit(question: Question, cluster: Cluster, kernels: KernelTable) -> int:
    """Find by doubling how many nodes hold the job; 0 where even many times as many do not."""
    nodes = cluster.nodes
    for _ in range(MOST_DOUBLINGS):
        nodes *= 2
        more = replace(question, machine=open_machine(replace(cluster, nodes=nodes), kernels))
        if least_bytes(more) <= question.capacity_bytes:
            return nodes
    return 0
