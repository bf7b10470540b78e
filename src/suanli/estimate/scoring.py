"""Forward passes of a model that is not trained in them: scores, values, log-probabilities, a teacher's logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.layout import Layout, LayoutTable
from suanli.domain.result import TrainingEstimate
from suanli.equations.memory import state_bytes
from suanli.estimate.compose import compose
from suanli.estimate.evaluate import Question, wear_of
from suanli.estimate.phases import forward_only, scaled
from suanli.estimate.precision import BF16_BYTES
from suanli.estimate.shards import head_parameters, stage_parameters
from suanli.estimate.space import layout_chunks
from suanli.estimate.step import RawStep, raw_step
from suanli.estimate.tables import layout_at, to_table
from suanli.foundation.equation import FloatArray, Real
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr
from suanli.parts.axes.expert import expert_copies
from suanli.parts.axes.sharding import FULL, Parameters, group, shards

HEAD = ("head_forward", "head_backward", "head_pass")
"""Columns of the product over the vocabulary; a model that gives one number for a token has none of them."""
STATES = ("weights", "gradients", "optimizer")
"""Causes of bytes that stay between steps."""
WORK = ("activations", "logits", "buffers", "fragmentation")
"""Causes of bytes that one pass needs and gives back."""
GIB = 2**30


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """Forward passes over a batch under a layout: seconds, and bytes of the weights on the fullest accelerator."""

    layout: Layout
    seconds: float
    weight_bytes: float


def no_backward(raw: RawStep) -> RawStep:
    """Leave everything but the forward pass out of a step: no gradients to send, no update, nothing kept."""
    ahead, none = forward_only(raw), 0.0 * raw.micro_batches
    return replace(
        ahead,
        returns=none,
        scatter_layer=none,
        reduce_stage=none,
        gather_stage=none,
        parts=none + 1,
        optimizer_parameters=none,
        update=replace(
            raw.update, more_moved_bytes=none, orthogonal_seconds=none, optimizer_away=none, activations_out=none
        ),
    )


def without_head(raw: RawStep) -> RawStep:
    """Leave the product over the vocabulary out: values and rewards are one number for a token."""
    return scaled(raw, dict.fromkeys(HEAD, 0.0))


def forward_seconds(question: Question, table: LayoutTable, scalar: bool = False) -> FloatArray:
    """Seconds of the forward passes over one batch, for every layout of a table."""
    raw = no_backward(raw_step(question.setup, question.machine, question.software, table))
    return compose(without_head(raw) if scalar else raw, question.software, wear_of(question)).step_seconds


def copy_bytes(question: Question, table: LayoutTable, scalar: bool = False) -> FloatArray:
    """Bytes of a copy of the weights that nobody trains, on the fullest rank; `scalar` models have no head."""
    setup = question.setup
    held = stage_parameters(replace(setup, tuning=None), table)
    ranks, copies = shards(table, FULL, group(table)), shards(table, FULL, expert_copies(table))

    def kept(stage: Parameters) -> Real:
        return state_bytes(stage.dense, BF16_BYTES, ranks) + state_bytes(stage.expert, BF16_BYTES, copies)

    last = kept(held.last)
    if scalar and not setup.model.tied_head:
        last = last - BF16_BYTES * head_parameters(setup.model) / table.tensor / ranks
    first = kept(held.first)
    return np.asarray(np.where(table.pipeline > 1, np.maximum(first, last), last), dtype=np.float64)


def scoring_at(question: Question, layout: Layout, scalar: bool = False) -> Scoring:
    """Score one batch under a given layout."""
    table = to_table([layout])
    return Scoring(
        layout=layout,
        seconds=float(forward_seconds(question, table, scalar)[0]),
        weight_bytes=float(copy_bytes(question, table, scalar)[0]),
    )


def best_scoring(question: Question, room_bytes: float, scalar: bool = False) -> Scoring:
    """Find the layout in which a model scores fastest with its weights in so many bytes.

    Raises InfeasibleError where no layout holds the weights there.
    """
    best: Scoring | None = None
    least = np.inf
    for chunk in layout_chunks(question.setup, question.machine):
        if not len(chunk.table):
            continue
        held, spent = copy_bytes(question, chunk.table, scalar), forward_seconds(question, chunk.table, scalar)
        least = min(least, float(held.min()))
        spent = np.where(held <= room_bytes, spent, np.inf)
        row = int(np.argmin(spent))
        if np.isfinite(spent[row]) and (best is None or spent[row] < best.seconds):
            best = Scoring(layout=layout_at(chunk.table, row), seconds=float(spent[row]), weight_bytes=float(held[row]))
    if best is None:
        told = {"model": question.setup.model.name, "gib": max(least - room_bytes, 0.0) / GIB}
        raise InfeasibleError(
            limit=tr("{model} finds no room beside the model that is trained: short by {gib:.1f} GiB.", **told),
            relief=tr("Take more nodes, a smaller model, or cached log-probabilities."),
        )
    return best


def states_of(held: Mapping[str, float]) -> float:
    """Bytes that stay between steps, of bytes by cause."""
    return sum(held[cause] for cause in STATES)


def work_of(held: Mapping[str, float]) -> float:
    """Bytes that one pass needs and gives back, of bytes by cause."""
    return sum(held[cause] for cause in WORK)


def scalar_training(question: Question, estimate: TrainingEstimate) -> TrainingEstimate:
    """Read an estimate of training anew for a model that gives one number for a token: no head, no logits."""
    table = to_table([estimate.layout])
    raw = without_head(raw_step(question.setup, question.machine, question.software, table))
    step = compose(raw, question.software, wear_of(question))
    seconds = float(step.step_seconds[0])
    held = {**estimate.bytes_by_cause, "logits": 0.0}
    ratio = seconds / estimate.step_seconds
    return replace(
        estimate,
        step_seconds=seconds,
        tokens_per_s=estimate.tokens_per_s / ratio,
        mfu=estimate.mfu / ratio,
        seconds_by_cause={cause: float(spent[0]) for cause, spent in step.causes.items()},
        bytes_by_cause=held,
        memory_bytes=sum(held.values()),
        band=replace(estimate.band, low=estimate.band.low * ratio, high=estimate.band.high * ratio),
    )
