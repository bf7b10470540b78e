"""What one layer and the head take in each phase of a micro-batch: forward, gradient of inputs, gradient of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from suanli.domain.layout import LayoutTable
from suanli.estimate.compose import CAUSES, compose, shown_hop_seconds
from suanli.estimate.evaluate import Question, wear_of
from suanli.estimate.operators import LayerColumns
from suanli.estimate.step import RawStep, raw_step
from suanli.foundation.equation import FloatArray
from suanli.parts.axes.pipeline import ONE_F_ONE_B
from suanli.simulate.schedules import Phase

PRODUCTS = ("matmul_backward", "misaligned_backward", "grouped_backward", "head_backward")
"""Columns whose backward seconds are two products of equal size: gradient of the input, gradient of the weights."""
UNDIRECTED = ("quantise", "head_pass")
"""Columns that count forward and backward in one: half is each."""
SHARED = ("expert_exposed", "recompute", "launch", "sharding_exposed", "offload_exposed", "head", "pipeline_exposed")
"""Causes of a micro-batch that are split between phases by a rule of their own."""
ONCE = ("bubble", "data_exposed", "optimizer", "stragglers")
"""Causes that come once a step, or when nothing is done."""
PARTS = (Phase.FORWARD, Phase.INPUT, Phase.WEIGHT)
Seconds = dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Phases:
    """Seconds by cause of one layer, seconds of the head, and of handing on once, for one micro-batch."""

    layer: Mapping[Phase, Mapping[str, float]]
    head: Mapping[Phase, float]
    hop_seconds: float


def single(raw: RawStep) -> RawStep:
    """Cut a step down to one layer and the head, one micro-batch, one stage and one node, without handing on.

    Where chunks interleave there stay two stages of two chunks: chunks that meet still hide each other's traffic.
    """
    one = np.ones(len(raw.micro_batches))
    turns = one + ((raw.schedule == ONE_F_ONE_B) & (raw.interleave > 1) & (raw.pipeline > 1))
    return replace(
        raw,
        micro_batches=one,
        hop_seconds=0 * one,
        pipeline=turns,
        interleave=turns,
        fullest=one,
        last=one,
        layer_count=one,
        nodes=one,
        update=replace(raw.update, optimizer_away=0 * one),
    )


def scaled(raw: RawStep, factors: Mapping[str, float]) -> RawStep:
    """Scale columns of a layer; names that it does not have are passed over."""
    known = {field.name for field in fields(LayerColumns)}
    changed: dict[str, FloatArray] = {
        name: getattr(raw.layers, name) * factor for name, factor in factors.items() if name in known
    }
    return replace(raw, layers=replace(raw.layers, **changed))


def without_weights(raw: RawStep, frozen: bool) -> RawStep:
    """Leave the gradients of weights out: half of each backward product, and adding up what they give."""
    kept = 1.0 if frozen else 1 / 2
    none = 0.0 * raw.accumulate_parameters
    return replace(scaled(raw, dict.fromkeys(PRODUCTS, kept)), accumulate_parameters=none)


def forward_only(raw: RawStep) -> RawStep:
    """Leave the backward pass out, and all that is computed again for it."""
    none = 0.0 * raw.full
    back = {field.name: 0.0 for field in fields(LayerColumns) if field.name.endswith("_backward")}
    halves = dict.fromkeys(UNDIRECTED, 1 / 2)
    return replace(scaled(raw, {**back, **halves}), accumulate_parameters=none, full=none, scores=none, modules=none)


def phases(question: Question, table: LayoutTable) -> Phases:
    """Split the seconds of a layout (a table of one row) into phases.

    The whole is read three times through the same formulas: as it is, without gradients of weights, and forward only;
    what a reading lacks is the phase left out, so that the phases sum to the whole. What is computed again comes before
    gradients of inputs; expert traffic that work hides is shared out as it is sent, since each reading has other work.
    """
    step = raw_step(question.setup, question.machine, question.software, table)
    raw = single(step)
    frozen = question.setup.frozen
    kinds = (raw, without_weights(raw, frozen), forward_only(raw))
    whole, fewer, ahead = (_causes(question, kind) for kind in kinds)
    causes = [cause for cause in CAUSES if cause not in (*SHARED, *ONCE)]
    layer: dict[Phase, Seconds] = {
        Phase.FORWARD: {cause: ahead[cause] for cause in causes},
        Phase.INPUT: {cause: fewer[cause] - ahead[cause] for cause in causes},
        Phase.WEIGHT: {cause: whole[cause] - fewer[cause] for cause in causes},
    }
    sent, brought = float(raw.layers.expert_forward[0]), float(raw.layers.expert_backward[0])
    _share_out(layer, "expert_exposed", whole["expert_exposed"], (sent, brought, 0.0))
    _share_out(layer, "recompute", whole["recompute"], (0.0, 1.0, 0.0))
    _share_out(layer, "launch", whole["launch"], _busy(layer))
    gather, scatter = float(raw.gather_layer[0]), float(raw.scatter_layer[0])
    _share_out(layer, "sharding_exposed", whole["sharding_exposed"], (gather, gather + scatter, 0.0))
    _share_out(layer, "offload_exposed", whole["offload_exposed"], (1.0, 1.0, 0.0))
    handed = float(np.asarray(shown_hop_seconds(step, question.software))[0])
    head = (ahead["head"], fewer["head"] - ahead["head"], whole["head"] - fewer["head"])
    return Phases(layer=layer, head=dict(zip(PARTS, head, strict=True)), hop_seconds=handed)


def _causes(question: Question, raw: RawStep) -> Seconds:
    step = compose(raw, question.software, wear_of(question))
    return {cause: float(seconds[0]) for cause, seconds in step.causes.items()}


def _busy(layer: Mapping[Phase, Seconds]) -> tuple[float, ...]:
    return tuple(sum(layer[phase].values()) for phase in PARTS)


def _share_out(layer: Mapping[Phase, Seconds], cause: str, seconds: float, weights: tuple[float, ...]) -> None:
    """Give each phase its share of a cause."""
    whole = sum(weights)
    for phase, weight in zip(PARTS, weights, strict=True):
        layer[phase][cause] = seconds * weight / whole if whole else 0.0
