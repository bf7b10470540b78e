"""Which parameters a rank holds: by layer, on its fullest stage, with embedding and head where they live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.domain.layout import Layout, LayoutTable
from suanli.domain.model import Layer, Matrix, Model
from suanli.domain.workload import TrainingSetup
from suanli.equations.pipeline import fullest_stage_layers, last_stage_layers
from suanli.estimate.adapters import layer_adapters, table_adapters
from suanli.estimate.operators import EXPERT_ROLES, layer_count, runs_of
from suanli.estimate.precision import NARROW_ROLES
from suanli.estimate.schedules import copies_held
from suanli.estimate.tables import to_table
from suanli.foundation.equation import Real
from suanli.parts.axes.expert import expert_tensor
from suanli.parts.axes.pipeline import DUALPIPE, ends_joined
from suanli.parts.axes.sharding import Parameters
from suanli.parts.axes.tensor import splits_columns


def matrix_parameters(matrix: Matrix) -> int:
    """Parameters of all copies of a matrix, biases included."""
    return (matrix.inputs * matrix.outputs + matrix.bias) * matrix.copies


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerParameters:
    """Parameters of the mean layer by how they are split: by tensor, by expert, or on every rank whole."""

    split: float
    expert: float
    whole: float


def layer_parameters(layer: Layer, hidden: int) -> tuple[int, int, int]:
    """Count a layer's parameters that tensor parallelism splits, that experts hold, and that stay whole."""
    split = expert = whole = 0
    for matrix in layer.matrices:
        count = matrix_parameters(matrix)
        if matrix.role in EXPERT_ROLES:
            expert += count
        elif matrix.role in NARROW_ROLES or splits_columns(matrix.role, matrix.inputs, hidden) is None:
            whole += count
        else:
            split += count
    return split, expert, whole + layer.vector_parameters


def mean_layer(model: Model) -> LayerParameters:
    """Average the parameters of all layers."""
    total = float(layer_count(model))
    counted = [(run.count, *layer_parameters(run.layer, model.hidden)) for run in runs_of(model)]
    split, expert, whole = (sum(row[0] * row[at] for row in counted) / total for at in (1, 2, 3))
    return LayerParameters(split=split, expert=expert, whole=whole)


def embedding_parameters(model: Model) -> float:
    """Parameters of the tables and what stands between them and the first layer."""
    outer = sum(matrix_parameters(matrix) for matrix in model.outer_matrices)
    return float(model.embedding_parameters + outer)


def head_parameters(model: Model) -> float:
    """Parameters that the head reads, tied or not."""
    return float(model.hidden * model.vocabulary + model.head_bias)


@dataclass(frozen=True, kw_only=True, slots=True)
class StageParameters:
    """Parameters that one rank holds unsharded: one layer, first stage, last stage; and which of them train.

    The tables are what of a stage's dense parameters is embedding and head, which no quantisation touches. The mean
    layer trains `trained_layer`; where the first layers are frozen that is of those that train.
    """

    layer: Parameters
    first: Parameters
    last: Parameters
    first_tables: Real
    last_tables: Real
    trained_layer: Parameters
    trained_first: Parameters
    trained_last: Parameters
    trained_first_tables: Real
    trained_last_tables: Real


def on_rank(layer: LayerParameters, table: LayoutTable) -> Parameters:
    """Parameters of the mean layer on one rank."""
    return Parameters(
        dense=layer.split / table.tensor + layer.whole,
        expert=layer.expert / (table.expert * expert_tensor(table)),
    )


def trained_on_rank(setup: TrainingSetup, table: LayoutTable) -> Parameters:
    """Parameters that training changes of a mean layer that it reaches, on one rank: all, or its adapters."""
    if setup.freezing.all_but_head:
        return Parameters(dense=0.0, expert=0.0)
    if not setup.frozen:
        return on_rank(mean_layer(setup.model), table)
    total = float(layer_count(setup.model))
    counted = [(run.count, *layer_adapters(setup, run.layer)) for run in runs_of(setup.model)]
    dense, expert = (sum(row[0] * row[at] for row in counted) / total for at in (1, 2))
    return on_rank(LayerParameters(split=dense, expert=expert, whole=0.0), table)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedTables:
    """Parameters that training changes of the tables, of the head, of a tied head's copy on a last stage, of norms."""

    tables: float
    head: float
    copied: float
    norms: float


def trained_tables(setup: TrainingSetup) -> TrainedTables:
    """Say what training changes outside the layers; a tied head is trained with the table that it is."""
    model, freezing, own = setup.model, setup.freezing, head_parameters(setup.model)
    if setup.frozen:
        table, head = table_adapters(setup)
        return TrainedTables(tables=table, head=head, copied=0.0, norms=0.0)
    head = 0.0 if model.tied_head else own
    if freezing.all_but_head:
        return TrainedTables(tables=own - head, head=head, copied=own - head, norms=0.0)
    norms = float(model.final_vector_parameters)
    if freezing.embeddings:
        return TrainedTables(tables=0.0, head=head, copied=0.0, norms=norms)
    return TrainedTables(tables=embedding_parameters(model), head=head, copied=own - head, norms=norms)


def trained_head_share(setup: TrainingSetup) -> float:
    """Share that training changes of what passes between ranks of the head, and of a table of its own."""
    changed, model = trained_tables(setup), setup.model
    whole = head_parameters(model) * (2.0 - model.tied_head)
    head = changed.copied if model.tied_head else changed.head
    return min(head + (0.0 if model.tied_head else changed.tables), whole) / whole


def trained_layers(setup: TrainingSetup, first: Real, last: Real) -> tuple[Real, Real]:
    """Layers that train on the first and on the last stage, of those that they hold."""
    frozen, layers = float(setup.freezing.layers), float(layer_count(setup.model))
    if setup.freezing.all_but_head:
        return 0.0 * first, 0.0 * last
    return np.maximum(first - frozen, 0.0), np.minimum(last, max(layers - frozen, 0.0))


def stage_parameters(setup: TrainingSetup, table: LayoutTable) -> StageParameters:
    """Parameters of the first and the last stage: a full stage of layers with the tables, and with the head.

    Where the schedule joins both ends on one stage, that one is the first, relieved as the last one is else, and the
    last stands for the full stages between, without tables.
    """
    model, one = setup.model, on_rank(mean_layer(setup.model), table)
    first_layers, last_layers = stage_layers(setup, table)
    table_share = embedding_parameters(model) / table.tensor
    own_head = head_parameters(model) / table.tensor
    joined = np.where(ends_joined(table), 1.0, 0.0)
    alone, apart = np.where(table.pipeline > 1, 0.0, 1.0), np.where(table.pipeline > 1, 1 - joined, 1.0)
    head = own_head * (1 - joined) if model.tied_head else own_head
    first_tables = table_share + joined * (head + model.final_vector_parameters)
    last_tables = apart * (model.final_vector_parameters + head + alone * table_share)
    changed, outside = trained_on_rank(setup, table), trained_tables(setup)
    split = 1 / table.tensor
    first_trained = outside.tables * split + joined * (outside.head * split + outside.norms)
    ends = outside.head + outside.copied * (1 - joined) + alone * outside.tables
    last_trained = apart * (outside.norms + ends * split)
    moving = trained_layers(setup, first_layers, last_layers)
    return StageParameters(
        layer=one,
        first=Parameters(dense=first_layers * one.dense + first_tables, expert=first_layers * one.expert),
        last=Parameters(dense=last_layers * one.dense + last_tables, expert=last_layers * one.expert),
        first_tables=first_tables,
        last_tables=last_tables,
        trained_layer=changed,
        trained_first=Parameters(dense=moving[0] * changed.dense + first_trained, expert=moving[0] * changed.expert),
        trained_last=Parameters(dense=moving[1] * changed.dense + last_trained, expert=moving[1] * changed.expert),
        trained_first_tables=first_trained,
        trained_last_tables=last_trained,
    )  # fmt: skip


def stage_layers(setup: TrainingSetup, table: LayoutTable) -> tuple[Real, Real]:
    """Layers whose parameters the first and the last stage hold, those of both ends where micro-batches enter at both.

    Full stages, but for one that holds both ends: it is relieved as far as the layers do not come out even.
    """
    layers = float(layer_count(setup.model))
    fullest = fullest_stage_layers(layers, table.pipeline, table.interleave)
    ends = ends_joined(table) & (table.pipeline > 1)
    if not np.any(ends):
        return fullest, fullest
    last, copies = last_stage_layers(layers, table.pipeline, table.interleave), copies_held(table)
    relieved = np.where(table.schedule == DUALPIPE, fullest + last, last)
    return np.where(ends, relieved, fullest), copies * fullest


def trained_parameters(setup: TrainingSetup) -> float:
    """Parameters that training changes, on all ranks together."""
    held = stage_parameters(setup, to_table([Layout()])).trained_last
    return float(np.ravel(held.dense + held.expert)[0])
