"""Bytes that the fullest rank of each layout holds, by cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.domain.layout import LayoutTable
from suanli.domain.software import Software
from suanli.domain.workload import TrainingSetup, TuningMethod
from suanli.equations.memory import held_bytes, logits_bytes, state_bytes
from suanli.equations.pipeline import fullest_stage_layers, last_stage_layers, micro_batches
from suanli.estimate.adapters import adapted
from suanli.estimate.kept import activations, keeping_of, outer_position_bytes
from suanli.estimate.operators import layer_count, runs_of
from suanli.estimate.optimizers import beyond_adamw_bytes, layers_on_device
from suanli.estimate.precision import BF16_BYTES, FP32_BYTES, element_bytes
from suanli.estimate.schedules import copies_held, in_flight
from suanli.estimate.shards import StageParameters, stage_layers, stage_parameters, trained_layers
from suanli.estimate.updates import activations_away, optimizer_away
from suanli.foundation.equation import FloatArray, Real
from suanli.parts.architectures.targets import is_adaptable
from suanli.parts.axes.axis import Job, Rows, tokens_at_once
from suanli.parts.axes.expert import expert_copies
from suanli.parts.axes.pipeline import ends_joined
from suanli.parts.axes.sharding import FULL, GRADIENTS, OPTIMIZER, Parameters, group, shards

MEMORY_CAUSES = (
    "weights", "gradients", "optimizer", "activations", "logits", "buffers", "fragmentation", "runtime",
)  # fmt: skip
"""Stable names of what a rank's bytes are for; they sum to the whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryColumns:
    """Bytes by cause of the fullest rank, their sum, and what the same rank keeps in the host's memory."""

    causes: dict[str, FloatArray]
    memory_bytes: FloatArray
    host_bytes: FloatArray


def _kept(held: Parameters, element_bytes: float, dense_shards: Real, expert_shards: Real) -> Real:
    return state_bytes(held.dense, element_bytes, dense_shards) + state_bytes(held.expert, element_bytes, expert_shards)


def spread_bytes(setup: TrainingSetup, table: LayoutTable) -> Real:
    """Bytes of the largest matrix in 16 bits, once where it is unpacked for its product, twice more for DoRA's norm.

    The norm stands on the product of the adapter, and on the sum of that and the weight.
    """
    adapters, model = setup.adapters, setup.model
    if adapters is None:
        return 0.0 * table.tensor
    copies = float(setup.tuning is TuningMethod.QLORA) + 2 * float(adapters.dora)
    matrices = [matrix for run in runs_of(model) for matrix in adapted(setup, run.layer)] if adapters.dora else []
    if setup.tuning is TuningMethod.QLORA:
        matrices = [matrix for run in runs_of(model) for matrix in run.layer.matrices if is_adaptable(matrix)]
    largest = max((float(matrix.inputs * matrix.outputs) for matrix in matrices), default=0.0)
    return copies * largest * BF16_BYTES / table.tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One end of a pipeline: what it holds, which of that is embedding and head, and what of both trains."""

    held: Parameters
    tables: Real
    trained: Parameters
    trained_tables: Real


def first_stage(held: StageParameters) -> Stage:
    """Return the stage that the tables are on."""
    return Stage(
        held=held.first,
        tables=held.first_tables,
        trained=held.trained_first,
        trained_tables=held.trained_first_tables,
    )


def last_stage(held: StageParameters) -> Stage:
    """Return the stage that the head is on."""
    return Stage(
        held=held.last, tables=held.last_tables, trained=held.trained_last, trained_tables=held.trained_last_tables
    )


def stage_states(
    setup: TrainingSetup,
    software: Software,
    table: LayoutTable,
    stage: Stage,
    held: StageParameters,
    frozen: float,
) -> dict[str, Real]:
    """Bytes of weights, gradients, optimizer state and gathering buffers of one stage.

    Software that gathers frozen weights lets none of them go before the backward pass ends, and makes gradients of a
    layer as if all of it were trained.
    """
    ranks, copies = group(table), expert_copies(table)
    whole = np.where(table.sharding == FULL, 1.0, 0.0)
    parameters, tables, trained, tuned = stage.held, stage.tables, stage.trained, setup.frozen
    master = software.sharded_master * whole * (0.0 if tuned else 1.0)
    width = element_bytes(setup.number_format)
    stored = frozen + (FP32_BYTES - frozen) * master
    over = (shards(table, FULL, ranks), shards(table, FULL, copies))
    weights = _kept(parameters, 1.0, *over) * stored + tables * (width - frozen) / over[0]
    if tuned:
        adapter = width if software.pure_states else FP32_BYTES
        weights = weights + _kept(trained, adapter + software.adapter_copy_bytes, *over)
    split = (shards(table, GRADIENTS, ranks), shards(table, GRADIENTS, copies))
    gradients = _kept(trained, software.gradient_bytes, *split)
    kept_in = shards(table, OPTIMIZER, ranks)
    moments = _kept(trained, 1.0, kept_in, shards(table, OPTIMIZER, copies))
    one, moving = (part.dense + part.expert for part in (held.layer, held.trained_layer))
    gathered = (software.gathered_layers * (one + moving) + tables + stage.trained_tables) * width
    if tuned and software.gathers_frozen:
        gathered = (parameters.dense + parameters.expert + software.gathered_layers * one) * width
    return {
        "weights": weights,
        "gradients": gradients,
        "optimizer": moments * software.optimizer_bytes
        + beyond_adamw_bytes(setup, moments, stage.trained_tables / kept_in),
        "buffers": whole * gathered * np.where(ranks > 1, 1.0, 0.0) + spread_bytes(setup, table),
    }


def live_layers(setup: TrainingSetup, table: LayoutTable) -> tuple[Real, Real]:
    """Layers that one micro-batch passes on the first and on the last stage, which an uneven split relieves.

    Where both ends lie on one stage, the first is relieved and the last stands for the full stages between.
    """
    layers = float(layer_count(setup.model))
    fullest = fullest_stage_layers(layers, table.pipeline, table.interleave)
    last = last_stage_layers(layers, table.pipeline, table.interleave)
    ends = ends_joined(table) & (table.pipeline > 1)
    if not np.any(ends):
        return fullest, last
    held, _ = stage_layers(setup, table)
    return np.where(ends, held / copies_held(table), fullest), np.where(ends, fullest, last)


def _come_and_go(causes: dict[str, Real], outer: Real, summed: Real, once: Rows) -> None:
    """Follow gradients that come with the backward pass and go with the update: a step is fullest at its loss or end.

    `once` says where one micro-batch on one rank makes them all: there are none at the loss then, and nothing else is
    left at the end but what is summed up there. Those of earlier micro-batches, and buckets of several ranks, stand all
    the time.
    """
    causes["activations"] = causes["activations"] + outer
    short = causes["activations"] + causes["logits"]
    at_end = once & (causes["gradients"] + summed > short)
    at_loss = once & ~at_end
    causes["gradients"] = np.where(at_loss, 0.0, causes["gradients"] + np.where(at_end, summed, 0.0))
    for name in ("activations", "logits"):
        causes[name] = np.where(at_end, 0.0, causes[name])


def memory_columns(
    setup: TrainingSetup, job: Job, software: Software, table: LayoutTable, frozen_bytes: float = BF16_BYTES
) -> MemoryColumns:
    """Count the bytes of the first and the last stage, and keep the fuller of the two.

    The logits are gone before the first layer is computed again: a stage is fullest in one of the two moments.
    `frozen_bytes` is what one parameter of the model takes where training leaves it as it is.
    """
    held = stage_parameters(setup, table)
    kept, working = activations(setup, job, software, table)
    work = micro_batches(float(setup.global_batch), table.data, table.micro_batch)
    first_layers, last_layers = live_layers(setup, table)
    flying = in_flight(table, work)
    gated = setup.model.runs[-1].layer.gated
    tokens, joined = tokens_at_once(job, table), np.where(ends_joined(table), 1.0, 0.0)
    apart = np.where(table.pipeline > 1, 1 - joined, 1.0)
    logits = logits_bytes(tokens, float(setup.model.vocabulary), table.tensor, software.logit_bytes)
    outer = tokens * outer_position_bytes(setup.model.hidden, gated, keeping_of(setup, software))
    stages, offloads = [], bool(np.any(table.offload > 0))
    first_layers, last_layers = trained_layers(setup, first_layers, np.maximum(last_layers, 1.0))
    ends = (
        (first_stage(held), first_layers * flying.first, joined),
        (last_stage(held), last_layers * flying.last, apart),
    )
    for stage, live, out in ends:
        causes = stage_states(setup, software, table, stage, held, frozen_bytes)
        stays, host = live, 0.0 * live
        if offloads:
            stays = np.where(activations_away(table) > 0, np.minimum(live, layers_on_device()), live)
            host = kept * (live - stays) + optimizer_away(table) * causes["optimizer"]
            causes["optimizer"] = causes["optimizer"] * (1 - optimizer_away(table))
        at_loss = logits * out >= working
        causes["activations"] = kept * stays + np.where(at_loss, 0.0, working)
        causes["logits"] = np.where(at_loss, logits * out, 0.0)
        if software.pure_states:
            twice = 2 * setup.model.tied_head * stage.trained_tables * software.gradient_bytes
            _come_and_go(causes, outer * out, twice, (work <= 1) & (table.data <= 1))
        settled = causes["weights"] + causes["gradients"] + causes["optimizer"]
        short = causes["activations"] + causes["logits"] + causes["buffers"]
        taken = held_bytes(settled, short, software.reserved_bytes, software.fragmentation)
        causes["fragmentation"] = software.fragmentation * short
        causes["runtime"] = software.reserved_bytes + 0.0 * short
        stages.append((causes, taken, host))
    (first, first_total, first_host), (end, end_total, end_host) = stages
    fuller = np.asarray(first_total >= end_total)
    whole: FloatArray = np.ones(len(table))
    kinds: dict[str, FloatArray] = {
        name: np.asarray(np.where(fuller, first[name], end[name]), dtype=np.float64) * whole for name in MEMORY_CAUSES
    }
    total: FloatArray = np.zeros(len(table))
    for held_for in kinds.values():
        total = total + held_for
    away: FloatArray = np.asarray(np.where(fuller, first_host, end_host)) * whole
    return MemoryColumns(causes=kinds, memory_bytes=total, host_bytes=away)
