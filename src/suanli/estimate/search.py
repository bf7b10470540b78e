"""The search for layouts: goes through every legal one chunk by chunk and keeps the best of those that fit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, LayoutTable
from suanli.domain.result import Rejected, TrainingEstimate, TrainingSearch
from suanli.domain.software import TrainingCalibration
from suanli.domain.workload import TrainingSetup
from suanli.equations.uncertainty import shrunk_seconds, tie_factor
from suanli.estimate.evaluate import Question, ask, evaluate, fitting, weigh_memory, weigh_time
from suanli.estimate.software import load_training_calibration
from suanli.estimate.space import WHOLE, Chunk, Freedom, degrees_ruled_out, layout_chunks
from suanli.estimate.step import open_machine
from suanli.estimate.tables import join, layout_at, take, to_table
from suanli.estimate.training import MEMORY, at_row
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr

MEMORY_MARGIN = 0.05
"""Share of the memory that a plan leaves free unless the caller says otherwise."""

GIB = 2**30
MOST_DOUBLINGS = 2 + 2 + 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """Which layouts a search goes through: those worth trying or every one, and what else it may choose."""

    every: bool = False
    freedom: Freedom | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The best layouts seen so far, the fastest first and, of equals, the one seen first; and their seconds."""

    table: LayoutTable
    seconds: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """The field that the best were chosen from: how many layouts, the mean log of their seconds, squares about it."""

    layouts: int = 0
    mean_log: float = 0.0
    squares: float = 0.0

    @property
    def sigma_log(self) -> float:
        """One sigma of the log of seconds; 0 for a field of one."""
        return math.sqrt(self.squares / (self.layouts - 1)) if self.layouts > 1 else 0.0


def joined_field(before: Field, seconds: FloatArray) -> Field:
    """Add a chunk to a field: means and squares of two parts make those of the whole."""
    logs = np.log(seconds)
    added, mean = len(logs), float(logs.mean())
    whole, step = before.layouts + added, mean - before.mean_log
    return Field(
        layouts=whole,
        mean_log=before.mean_log + step * added / whole,
        squares=before.squares + float(np.square(logs - mean).sum()) + step**2 * before.layouts * added / whole,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a walk through a space of layouts leaves: the best, the nearest to fitting of the others, and counts."""

    kept: Kept | None = None
    chosen_from: Field = Field()
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
    weighed = weigh_memory(question, chunk.table)
    held, fits = weighed.memory_bytes, fitting(question, weighed)
    good = int(np.count_nonzero(fits))
    kept, known, nearest, least = before.kept, before.chosen_from, before.nearest, before.nearest_bytes
    if good:
        table = take(chunk.table, fits)
        seconds = weigh_time(question, table).step_seconds
        kept, known = _best(kept, table, seconds, keep), joined_field(known, seconds)
    if good < len(held):
        over = np.where(fits, np.inf, held)
        row = int(np.argmin(over))
        if over[row] < least:
            nearest, least = layout_at(chunk.table, row), float(over[row])
    broken = {**chunk.broken, MEMORY: len(held) - good}
    return Sweep(
        kept=kept,
        chosen_from=known,
        looked_at=before.looked_at + chunk.looked_at,
        fitting=before.fitting + good,
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


def legal_rows(done: Sweep) -> int:
    """Count the layouts of a walk that kept the rule of every axis, whether they fit the memory or not."""
    return done.fitting + done.rejected.get(MEMORY, 0)


def search(
    setup: TrainingSetup,
    cluster: Cluster,
    kernels: KernelTable,
    keep: int = 20,
    memory_margin: float = MEMORY_MARGIN,
    calibration: TrainingCalibration | None = None,
    every: bool = False,
    freedom: Freedom | None = None,
    accelerators: int | None = None,
) -> list[TrainingEstimate]:
    """Weigh the legal layouts of a cluster and return the fastest that fit, best first.

    `every` widens the search from the layouts worth trying to all legal ones; `accelerators` may be fewer than the
    cluster's nodes hold.

    Raises InfeasibleError where none fits, naming the closest layout, what it is short of and what would free it.
    """
    machine = open_machine(cluster, kernels, accelerators)
    question = ask(setup, machine, calibration or load_training_calibration(), memory_margin)
    kept, done = _searched(question, cluster, kernels, keep, Space(every=every, freedom=freedom), thorough=False)
    return list(_told(question, kept, done.chosen_from))


def best_that_fits(
    setup: TrainingSetup,
    cluster: Cluster,
    kernels: KernelTable,
    calibration: TrainingCalibration,
    freedom: Freedom | None = None,
) -> TrainingEstimate | None:
    """Find the fastest layout that fits as `search` does, None where none does: nobody asks what would."""
    question = ask(setup, open_machine(cluster, kernels), calibration, MEMORY_MARGIN)
    done = sweep(question, layout_chunks(question.setup, question.machine, False, freedom), 1)
    return None if done.kept is None else _told(question, done.kept, done.chosen_from)[0]


def search_told(
    setup: TrainingSetup,
    cluster: Cluster,
    kernels: KernelTable,
    keep: int = 20,
    memory_margin: float = MEMORY_MARGIN,
    calibration: TrainingCalibration | None = None,
    every: bool = False,
    freedom: Freedom | None = None,
) -> TrainingSearch:
    """Search as `search` does, and tell what was looked at and why the others were rejected.

    Raises InfeasibleError where none fits, having tried what else would hold the job.
    """
    machine = open_machine(cluster, kernels)
    question = ask(setup, machine, calibration or load_training_calibration(), memory_margin)
    kept, done = _searched(question, cluster, kernels, keep, Space(every=every, freedom=freedom), thorough=True)
    return TrainingSearch(
        estimates=_told(question, kept, done.chosen_from),
        looked_at=done.looked_at,
        fitting=done.fitting,
        rejected=Rejected(
            by_limit={name: count for name, count in done.rejected.items() if count},
            degrees_by_limit=degrees_ruled_out(question.setup, machine, every, freedom),
            nearest=done.nearest,
            nearest_short_bytes=done.nearest_bytes - question.capacity_bytes if done.nearest else 0.0,
        ),
    )


def _searched(
    question: Question, cluster: Cluster, kernels: KernelTable, keep: int, space: Space, thorough: bool
) -> tuple[Kept, Sweep]:
    """Walk through the whole space and return the best. Raises InfeasibleError where none fits."""
    done = sweep(question, layout_chunks(question.setup, question.machine, space.every, space.freedom), keep)
    if done.kept is None:
        raise _infeasible(question, cluster, kernels, done, space, thorough)
    return done.kept, done


def _told(question: Question, kept: Kept, known: Field) -> tuple[TrainingEstimate, ...]:
    """Tell the best in full: what each is expected to take, being chosen, and which of them may well be the best."""
    found, own = evaluate(question, kept.table), question.calibration.layout_spread
    usual = math.exp(known.mean_log)
    expected = np.asarray(shrunk_seconds(kept.seconds, usual, known.sigma_log, own))
    within = tie_factor(question.calibration.tie_spread, question.calibration.tie_sigmas)
    tied = kept.seconds <= kept.seconds[0] * within
    return tuple(
        replace(
            at_row(question, found, row),
            expected_step_seconds=float(expected[row]),
            near_tie=bool(row > 0 and tied[row]),
        )
        for row in range(len(kept.seconds))
    )


def _infeasible(
    question: Question, cluster: Cluster, kernels: KernelTable, done: Sweep, space: Space, thorough: bool
) -> InfeasibleError:
    """Say which layout comes closest, how far it is off, and what would hold the job."""
    layout = done.nearest
    if layout is None and space.freedom is not None and space.freedom.fixed:
        return InfeasibleError(
            limit=tr("No layout with the degrees and settings that are fixed keeps every rule."),
            relief=tr(
                "Fix fewer of them, or ask for that layout without a search to be told each rule that it breaks."
            ),
        )
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
    if short <= 0:
        return _host_too_small(question, layout)
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
        relief=_relief(question, cluster, kernels, short, space, thorough),
    )


def _host_too_small(question: Question, layout: Layout) -> InfeasibleError:
    """Say by how much the host's memory is short of what a layout that fits the accelerator keeps there."""
    kept = float(weigh_memory(question, to_table([layout])).host_bytes[0])
    short = (kept - question.machine.host_memory_bytes) / GIB
    return InfeasibleError(
        limit=tr("No layout fits the host memory: the closest is short by {gib:.1f} GiB an accelerator.", gib=short),
        relief=tr("Offload less, take more nodes, or hosts with more memory."),
    )


def _relief(
    question: Question, cluster: Cluster, kernels: KernelTable, short: float, space: Space, thorough: bool
) -> str:
    """Try what could hold the job: more nodes and, thoroughly, layouts not worth trying else and a shorter sequence."""
    said = []
    if thorough and fits_somewhere(question, _widest(space)):
        said.append(tr("A search over every legal layout finds some that fit."))
    sequence = sequence_that_fits(question, space) if thorough else 0
    if sequence:
        said.append(tr("Sequences of {tokens} tokens would fit.", tokens=sequence))
    enough = nodes_that_fit(question, cluster, kernels, space)
    if enough:
        said.append(tr("{nodes} nodes would hold it.", nodes=enough))
    rest = tr("Take accelerators with {gib:.1f} GiB more memory, a shorter sequence or a smaller model.", gib=short)
    return " ".join(said) or rest


def _widest(space: Space) -> Space:
    """Return every legal layout that keeps what a space has fixed."""
    fixed = space.freedom.fixed if space.freedom is not None else {}
    return Space(every=True, freedom=replace(WHOLE, fixed=fixed))


def fits_somewhere(question: Question, space: Space) -> bool:
    """Tell whether any legal layout fits the memory; stops at the first chunk that holds one."""
    return any(
        bool(np.any(fitting(question, weigh_memory(question, chunk.table))))
        for chunk in layout_chunks(question.setup, question.machine, space.every, space.freedom)
    )


def sequence_that_fits(question: Question, space: Space) -> int:
    """Find by halving how long a sequence may be; 0 where even a small share of it is too long."""
    sequence = question.setup.sequence_tokens
    for _ in range(MOST_DOUBLINGS):
        sequence //= 2
        if sequence and fits_somewhere(
            replace(question, setup=replace(question.setup, sequence_tokens=sequence)), space
        ):
            return sequence
    return 0


def nodes_that_fit(question: Question, cluster: Cluster, kernels: KernelTable, space: Space) -> int:
    """Find by doubling how many nodes hold the job; 0 where even many times as many do not."""
    nodes = cluster.nodes
    for _ in range(MOST_DOUBLINGS):
        nodes *= 2
        if fits_somewhere(replace(question, machine=open_machine(replace(cluster, nodes=nodes), kernels)), space):
            return nodes
    return 0
