"""Low-rank adapters beside frozen weights in training: which matrices have one, its parameters, what a rank trains."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from suanli.domain.model import Layer, Matrix, Model, Role
from suanli.domain.tuning import ExpertAdapters, LowRank
from suanli.domain.workload import TrainingSetup
from suanli.parts.architectures.targets import EXPERTS, is_adaptable, joined, named

PLACE = "--lora-targets"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """Parameters that training changes of the mean layer (dense ones and experts'), of the tables and of the head."""

    dense: float
    expert: float
    tables: float
    head: float


@functools.cache
def target_names(model: Model, targets: tuple[str, ...]) -> frozenset[str]:
    """Return the names of the matrices, and the roles of the tables, that adapters stand beside.

    Raises InputError where a target names none.
    """
    runs = (*model.runs, *model.draft_runs)
    return named((run.layer for run in runs), targets, PLACE, tables=True)


def _beside(model: Model, adapters: LowRank, layer: Layer) -> tuple[Matrix, ...]:
    names = target_names(model, adapters.targets)
    chosen = [matrix for matrix in layer.matrices if matrix.name in names and is_adaptable(matrix)]
    return joined(chosen, model.family)


def adapted(setup: TrainingSetup, layer: Layer) -> tuple[Matrix, ...]:
    """Return the matrices of a layer that have an adapter, those joined that share one; none without adapters."""
    if setup.adapters is None or not setup.frozen:
        return ()
    return _beside(setup.model, setup.adapters, layer)


def adapter_copies(adapters: LowRank, matrix: Matrix) -> int:
    """How many adapters stand beside the copies of a matrix: one each, or one that all experts share."""
    return 1 if adapters.experts is ExpertAdapters.SHARED and matrix.role in EXPERTS else matrix.copies


def one_adapter(adapters: LowRank, matrix: Matrix) -> float:
    """Parameters of one adapter: down to the rank and up from it, and a magnitude for each output under DoRA."""
    magnitudes = matrix.outputs if adapters.dora else 0
    return float(adapters.rank * (matrix.inputs + matrix.outputs) + magnitudes)


def layer_adapters(setup: TrainingSetup, layer: Layer) -> tuple[float, float]:
    """Parameters of the adapters of a layer: those that every rank of experts holds, and those of experts' own."""
    dense, expert = 0.0, 0.0
    for matrix in adapted(setup, layer):
        assert setup.adapters is not None
        copies = adapter_copies(setup.adapters, matrix)
        count = copies * one_adapter(setup.adapters, matrix)
        if matrix.role in EXPERTS and copies == matrix.copies:
            expert += count
        else:
            dense += count
    return dense, expert


def table_adapters(setup: TrainingSetup) -> tuple[float, float]:
    """Parameters of adapters beside the token table and beside the head; a tied head is adapted with its table."""
    if setup.adapters is None or not setup.frozen:
        return 0.0, 0.0
    model, names = setup.model, target_names(setup.model, setup.adapters.targets)
    table = replace(_TABLE, inputs=model.vocabulary, outputs=model.embedding_width or model.hidden)
    head = replace(_TABLE, inputs=model.hidden, outputs=model.vocabulary)
    sizes = [one_adapter(setup.adapters, one) for one in (table, head)]
    return sizes[0] * (Role.EMBEDDING in names), sizes[1] * (Role.HEAD in names)


_TABLE = Matrix(name="table", role=Role.EMBEDDING, inputs=1, outputs=1)
