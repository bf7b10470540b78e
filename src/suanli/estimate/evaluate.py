"""Weighs a table of layouts: seconds, bytes, and the first limit that each row breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suanli.domain.layout import LayoutTable
from suanli.domain.model import LayerRun, Model, Role
from suanli.domain.software import Software, Sustained, TrainingCalibration
from suanli.domain.workload import TrainingSetup
from suanli.equations.optimizer import host_link_seconds
from suanli.estimate.compose import CAUSES, StepColumns, Wear, compose
from suanli.estimate.memory import MEMORY_CAUSES, MemoryColumns, memory_columns
from suanli.estimate.optimizers import find_optimizer
from suanli.estimate.precision import BF16_BYTES, element_bytes
from suanli.estimate.software import find_software, in_width, software_for, sustained_shares
from suanli.estimate.step import Machine, job_of, raw_step
from suanli.estimate.tables import CHUNK_ROWS, take
from suanli.foundation.equation import FloatArray, Real
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """A table with what each layout takes; `fits` is False where memory, or the host's, is the first limit broken."""

    table: LayoutTable
    step: StepColumns
    memory: MemoryColumns
    fits: NDArray[np.bool_]
    capacity_bytes: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is weighed: the setup, the opened cluster, its software and calibration, and what memory may be used."""

    setup: TrainingSetup
    machine: Machine
    software: Software
    calibration: TrainingCalibration
    capacity_bytes: float


DENSE_ROLES = {Role.EXPERT_IN: Role.MLP_IN, Role.EXPERT_OUT: Role.MLP_OUT}


def single_experts_dense(model: Model) -> Model:
    """Read a layer of one expert as what it is: a dense layer, to which no token travels."""

    def dense(run: LayerRun) -> LayerRun:
        if run.layer.experts != 1:
            return run
        kept = tuple(
            replace(matrix, role=DENSE_ROLES.get(matrix.role, matrix.role))
            for matrix in run.layer.matrices
            if matrix.role is not Role.ROUTER
        )
        return replace(run, layer=replace(run.layer, matrices=kept, experts=0, experts_per_token=0))

    if all(run.layer.experts != 1 for run in (*model.runs, *model.draft_runs)):
        return model
    return replace(model, runs=tuple(map(dense, model.runs)), draft_runs=tuple(map(dense, model.draft_runs)))


def ask(setup: TrainingSetup, machine: Machine, calibration: TrainingCalibration, memory_margin: float) -> Question:
    """Put a question together. Raises InputError where the accelerator's memory is not known."""
    memory = machine.device.accelerator.memory_bytes
    if memory is None:
        raise InputError.single(
            place=machine.device.accelerator.id,
            found=tr("no memory size"),
            allowed=tr("an accelerator whose memory is known"),
        )
    shown = calibration.hbm_share if machine.device.accelerator.memory_kind.startswith("HBM") else 1.0
    software = software_for(
        calibration,
        find_software(calibration, setup.framework),
        setup.model,
        setup.number_format,
        machine.device.accelerator.id,
    )
    software = in_width(software, setup)
    launch_seconds = machine.device.kernels.launch_seconds
    return Question(
        setup=replace(setup, model=single_experts_dense(setup.model)),
        machine=machine,
        software=software if launch_seconds is None else replace(software, launch_seconds=launch_seconds),
        calibration=calibration,
        capacity_bytes=memory.value * shown * (1 - memory_margin),
    )


def chunks(rows: int) -> Iterator[slice]:
    """Cut a number of rows into slices that fit the cache."""
    for start in range(0, rows, CHUNK_ROWS):
        yield slice(start, min(start + CHUNK_ROWS, rows))


def frozen_bytes(question: Question) -> float:
    """Bytes of one parameter that training leaves as it is. Raises InputError where its format is not known."""
    name, known = question.setup.frozen_format, question.calibration.frozen_bytes
    if not name:
        return element_bytes(question.setup.number_format)
    if name not in known:
        raise InputError.single(
            place=tr("format of frozen weights"),
            found=f"'{name}'",
            allowed=", ".join(known),
            hint=did_you_mean(name, known),
        )
    return known[name]


def _unpaged(question: Question, table: LayoutTable) -> MemoryColumns:
    """Count the bytes of every row, whatever of them may go to the host page by page."""
    setup, machine = question.setup, question.machine
    frozen = frozen_bytes(question)
    job = job_of(setup, machine)
    parts = [memory_columns(setup, job, question.software, take(table, rows), frozen) for rows in chunks(len(table))]
    return MemoryColumns(
        causes={name: _joined([part.causes[name] for part in parts]) for name in MEMORY_CAUSES},
        memory_bytes=_joined([part.memory_bytes for part in parts]),
        host_bytes=_joined([part.host_bytes for part in parts]),
    )


def paged_bytes(question: Question, table: LayoutTable) -> FloatArray:
    """Bytes of the optimizer's state that go to the host page by page: what memory is short of, if state is paged."""
    if not find_optimizer(question.setup.optimizer).paged:
        return np.zeros(len(table))
    return _short(question, _unpaged(question, table))


def _short(question: Question, held: MemoryColumns) -> FloatArray:
    live = held.memory_bytes - held.causes["fragmentation"]
    return np.clip(live - question.capacity_bytes, 0.0, held.causes["optimizer"])


def weigh_memory(question: Question, table: LayoutTable) -> MemoryColumns:
    """Count the bytes of every row."""
    held = _unpaged(question, table)
    if not find_optimizer(question.setup.optimizer).paged:
        return held
    away = _short(question, held)
    return MemoryColumns(
        causes={**held.causes, "optimizer": held.causes["optimizer"] - away},
        memory_bytes=held.memory_bytes - away,
        host_bytes=held.host_bytes + away,
    )


def fitting(question: Question, held: MemoryColumns) -> NDArray[np.bool_]:
    """Say which rows fit the accelerator's memory, and the host's where its size is known.

    An allocator gives back what it holds between tensors before it gives up, so fragmentation keeps nothing out.
    """
    live = held.memory_bytes - held.causes["fragmentation"]
    on_device = live <= question.capacity_bytes
    return np.asarray(on_device & (held.host_bytes <= question.machine.host_memory_bytes))


def _joined(parts: list[FloatArray]) -> FloatArray:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0)


def wear_of(question: Question) -> Wear:
    """Read from the calibration what keeps this cluster's kernels from their benchmark's rate."""
    known = question.calibration
    shares = sustained_shares(known, question.machine.device.accelerator.id)
    form = question.machine.device.number_format(question.setup.number_format)
    return wear_under(known, shares, float(form.activation_bytes < BF16_BYTES))


def wear_under(known: TrainingCalibration, shares: Sustained, narrow: Real) -> Wear:
    """Put wear together: of an accelerator's lasting shares, and whether (1, or 0) matrices are below 16 bits."""
    return Wear(
        matmul=shares.power * (narrow * shares.narrow + (1 - narrow) * shares.matmul),
        head=shares.power * shares.matmul,
        attention=shares.power * shares.attention,
        misaligned_slowdown=known.misaligned_slowdown,
        odd_head_slowdown=known.odd_head_slowdown,
        straggler_per_doubling=known.straggler_per_doubling,
    )


def weigh_time(question: Question, table: LayoutTable) -> StepColumns:
    """Count the seconds of every row."""
    wear = wear_of(question)
    parts = [
        compose(
            raw_step(question.setup, question.machine, question.software, take(table, rows)),
            question.software,
            wear,
        )
        for rows in chunks(len(table))
    ]
    causes = {name: _joined([part.causes[name] for part in parts]) for name in CAUSES}
    seconds = _joined([part.step_seconds for part in parts])
    if find_optimizer(question.setup.optimizer).paged:
        # pages come for the update and go again, which nothing hides
        moved = 2 * paged_bytes(question, table)
        travelled = np.asarray(host_link_seconds(moved, question.machine.host_bytes_per_s))
        causes, seconds = {**causes, "offload_exposed": causes["offload_exposed"] + travelled}, seconds + travelled
    return StepColumns(causes=causes, step_seconds=seconds)


def evaluate(question: Question, table: LayoutTable) -> Evaluation:
    """Weigh every row of a table, whether it fits or not."""
    memory = weigh_memory(question, table)
    return Evaluation(
        table=table,
        step=weigh_time(question, table),
        memory=memory,
        fits=fitting(question, memory),
        capacity_bytes=question.capacity_bytes,
    )
