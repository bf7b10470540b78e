"""Software composes raw columns into a step: what it hides, what it adds, and what waits; seconds by cause."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.software import Software
from suanli.equations.pipeline import (
    bubble_seconds,
    exposed_seconds,
    launch_bound_seconds,
    lighter_end_seconds,
    lockstep_slowdown,
    slowest_stage_seconds,
    stage_hops,
    straggler_slowdown,
)
from suanli.estimate.operators import LayerColumns
from suanli.estimate.schedules import (
    Pipe,
    Split,
    chunks_meet,
    end_layers,
    head_share,
    hop_ends,
    idle_seconds,
    shown_share,
)
from suanli.estimate.step import RawStep
from suanli.estimate.updates import activation_seconds, update_seconds
from suanli.foundation.equation import FloatArray, Real
from suanli.parts.axes.pipeline import DUALPIPE, ONE_F_ONE_B

CAUSES = (
    "matmul", "attention", "memory_passes", "quantise", "recompute", "launch", "tensor_exposed", "context_exposed",
    "expert_exposed", "expert_imbalance", "sharding_exposed", "head", "pipeline_exposed", "bubble", "data_exposed",
    "optimizer", "offload_exposed", "stragglers",
)  # fmt: skip
"""Stable names of what a step's seconds are spent on; they sum to the step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepColumns:
    """Seconds by cause, and the whole step."""

    causes: dict[str, FloatArray]
    step_seconds: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layer:
    """One layer forward and backward, by cause; the two halves that transfers hide under, and the weight gradients."""

    causes: dict[str, Real]
    seconds: Real
    forward: Real
    backward: Real
    weights: Real


@dataclass(frozen=True, kw_only=True, slots=True)
class Wear:
    """What keeps kernels from their benchmark's rate: lasting power, ragged tiles, odd head dimensions, stragglers.

    `matmul`, `head` and `attention` are the shares of the layers' matrices, the head and attention that last.
    """

    matmul: Real = 1.0
    head: Real = 1.0
    attention: Real = 1.0
    misaligned_slowdown: Real = 1.0
    odd_head_slowdown: Real = 1.0
    straggler_per_doubling: Real = 0.0


def worn(raw: RawStep, software: Software, wear: Wear) -> LayerColumns:
    """Slow kernels down to what a long run gets of them."""
    one = raw.layers
    ragged, odd = wear.misaligned_slowdown - 1, wear.odd_head_slowdown - 1
    known = 1 - raw.hopper * (1 - software.hopper_share)
    dense, head = software.matmul_factor / (wear.matmul * known), software.matmul_factor / (wear.head * known)
    grouped = software.grouped_factor / (wear.matmul * known)
    lagging = 1 - raw.hopper * (1 - software.hopper_attention_share)
    lagging = lagging * (1 - raw.blackwell * (1 - software.blackwell_attention_share))
    core = software.attention_factor / (wear.attention * lagging)
    scan = software.scan_factor
    experts = [np.asarray(grouped * seconds) for seconds in (one.grouped_forward, one.grouped_backward)]
    forward = dense * (one.matmul_forward + ragged * one.misaligned_forward) + experts[0]
    backward = dense * (one.matmul_backward + ragged * one.misaligned_backward) + experts[1]
    return replace(
        one,
        matmul_forward=np.asarray(forward),
        matmul_backward=np.asarray(backward),
        grouped_forward=experts[0],
        grouped_backward=experts[1],
        core_forward=np.asarray(core * (one.core_forward + odd * one.odd_forward) + scan * one.scan_forward),
        core_backward=np.asarray(core * (one.core_backward + odd * one.odd_backward) + scan * one.scan_backward),
        head_forward=np.asarray(head * one.head_forward),
        head_backward=np.asarray(head * one.head_backward),
    )


def _layer(raw: RawStep, software: Software, one: LayerColumns) -> _Layer:
    again = raw.full
    forward_pass = software.pass_factor * one.pass_forward + software.expert_pass_factor * one.routed_forward
    forward_pass = forward_pass + software.bias_passes * one.bias_forward
    accumulate = software.accumulate_moved_bytes * raw.accumulate_parameters / raw.pass_bytes_per_s
    backward_pass = software.pass_factor * one.pass_backward + software.expert_pass_factor * one.routed_backward
    backward_pass = backward_pass + accumulate + software.bias_passes * one.bias_backward
    casts = np.where(raw.block_scaled > 0, software.block_quantise_factor, software.quantise_factor)
    quantise = casts * one.quantise
    hidden = np.where(raw.split_tensor > 0, software.tensor_hidden_split, software.tensor_hidden)
    shown = 1 - hidden * raw.tensor_inside
    context = [
        exposed_seconds(sent, cover, software.context_hidden * raw.ring)
        for sent, cover in ((one.context_forward, one.core_forward), (one.context_backward, one.core_backward))
    ]
    seen: Real = 1 - np.where(raw.expert_inside > 0, software.expert_hidden, software.expert_hidden_across)
    uneven = (raw.imbalance - 1) * raw.routed
    beside = [software.pass_factor * seconds for seconds in (one.beside_forward, one.beside_backward)]
    computed = one.matmul_forward + one.core_forward + forward_pass + beside[0]
    cover = computed + one.matmul_backward + one.core_backward + backward_pass + beside[1]
    meet = chunks_meet(pipe_of(raw), software.pairs_chunks)
    seen = shown_share(meet, seen, one.expert_forward + one.expert_backward, cover)
    repeated = again * (computed + quantise / 2 + shown * one.tensor_forward + seen * one.expert_forward)
    causes: dict[str, Real] = {
        "matmul": one.matmul_forward + one.matmul_backward,
        "attention": one.core_forward + one.core_backward,
        "memory_passes": forward_pass + backward_pass + beside[0] + beside[1],
        "quantise": quantise,
        "recompute": repeated + raw.scores * one.core_forward + raw.modules * forward_pass,
        "tensor_exposed": shown * (one.tensor_forward + one.tensor_backward),
        "context_exposed": context[0] + context[1],
        "expert_exposed": seen * (one.expert_forward + one.expert_backward),
        "expert_imbalance": uneven * (one.grouped_forward * (1 + again) + one.grouped_backward),
    }
    busy = sum(causes.values(), start=0.0 * one.matmul_forward)
    early = computed + quantise / 2 + shown * one.tensor_forward + context[0] + seen * one.expert_forward
    early = early + uneven * one.grouped_forward
    waits = _launches(raw, software, early, busy - early)
    causes["launch"] = waits[0] + waits[1]
    products = one.matmul_backward + uneven * one.grouped_backward
    return _Layer(
        causes=causes,
        seconds=busy + causes["launch"],
        forward=early + waits[0],
        backward=busy - early + waits[1],
        weights=raw.weight_share * (products + waits[1]) + accumulate,
    )


def _launches(raw: RawStep, software: Software, forward: Real, backward: Real) -> tuple[Real, Real]:
    """Seconds that the device waits for the host, forward and backward: each half takes the longer of the two."""
    routing = raw.routed * software.launches_expert + software.launches_local_expert * raw.local_experts
    waiting = lockstep_slowdown(raw.tensor, raw.node_accelerators, software.lockstep_launch)
    early, late = waiting * (software.launches_forward + routing), waiting * (software.launches_backward + routing)
    late = raw.returns * late
    return (
        launch_bound_seconds(early, software.launch_seconds, forward),
        launch_bound_seconds(late + raw.full * early, software.launch_seconds, backward),
    )


def _sharding(raw: RawStep, software: Software, layer: _Layer) -> tuple[Real, Real]:
    """Exposed seconds of one layer under full sharding: gathering weights, and again with scattering its gradients."""
    hidden = software.gather_hidden
    forward = exposed_seconds(raw.gather_layer, layer.forward, hidden)
    backward = exposed_seconds(raw.gather_layer + raw.scatter_layer, layer.backward, hidden)
    return forward, raw.returns * backward


def pipe_of(raw: RawStep) -> Pipe:
    """Read the pipeline of every layout."""
    return Pipe(
        schedule=raw.schedule, pipeline=raw.pipeline, interleave=raw.interleave, micro_batches=raw.micro_batches
    )


def shown_hop_seconds(raw: RawStep, software: Software) -> Real:
    """Seconds of handing one micro-batch's activations on once that no work hides; a chunk the other way hides all."""
    return (1 - software.pipeline_hidden) * raw.hop_seconds * np.where(raw.schedule == DUALPIPE, 0.0, 1.0)


def _phases(layer: _Layer, shown: Real) -> Split:
    """Split one layer into phases; what shows of sharding and of the host's link comes forward and backward alike."""
    return Split(
        forward=layer.forward + shown / 2,
        inputs=layer.backward - layer.weights + shown / 2,
        weights=layer.weights,
    )


def _head_phases(raw: RawStep, software: Software, one: LayerColumns) -> Split:
    """Split the head into phases; half of the loss comes forward."""
    passes, weights = software.pass_factor * one.head_pass / 2, raw.weight_share * one.head_backward
    return Split(forward=one.head_forward + passes, inputs=one.head_backward - weights + passes, weights=weights)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pace:
    """The stage that sets the pace: its layers, what shows of handing on, all of it, and what it idles in a step."""

    layers: Real
    hop: Real
    slowest: Real
    idle: Real


def _pace(raw: RawStep, layer: Split, head: Split, whole: tuple[Real, Real], shown_hop: Real) -> _Pace:
    """Find the slowest stage and what it idles; `whole` are the seconds of a layer and of the head, all phases."""
    pipe, (per_layer, all_head) = pipe_of(raw), whole
    share, last = head_share(pipe), end_layers(pipe, raw.fullest, raw.last)
    alone = np.where(raw.pipeline > 1, 0.0, all_head)
    end = shown_hop * stage_hops(raw.pipeline, raw.interleave, hop_ends(pipe))
    middle = shown_hop * stage_hops(raw.pipeline, raw.interleave, np.where(raw.pipeline > 2, 0.0, 1.0))
    slowest = slowest_stage_seconds(per_layer, raw.fullest, last, alone + middle, share * all_head + end)
    ending = last * per_layer + share * all_head + end >= raw.fullest * per_layer + alone + middle
    layers, hop = np.where(ending, last, raw.fullest), np.where(ending, end, middle)
    passing = np.maximum(raw.pipeline - 2, 0) * middle + np.minimum(raw.pipeline - 1, 1) * 2 * end
    idle = bubble_seconds(raw.layer_count * per_layer + all_head + passing, slowest, raw.interleave)
    ahead = (raw.schedule == ONE_F_ONE_B) & (raw.interleave == 1) & (raw.pipeline > 1)
    full = layer.times(raw.fullest, head, 0.0, middle)
    longer = np.maximum(full.forward, full.inputs + full.weights)
    saved = lighter_end_seconds(slowest, last * per_layer + all_head + end, longer, raw.micro_batches)
    idle = idle - np.where(ahead, saved, 0.0)
    if np.any(raw.schedule > ONE_F_ONE_B):
        own = layer.times(layers, head, np.where(ending, share, 0.0), hop)
        others = layer.times(raw.layer_count, head, 1.0, passing).minus(own)
        idle = idle_seconds(pipe, idle, others, own, full)
    return _Pace(layers=layers, hop=hop, slowest=slowest, idle=idle)


def compose(raw: RawStep, software: Software, wear: Wear) -> StepColumns:
    """Put a step together from its raw columns."""
    one = worn(raw, software, wear)
    layer = _layer(raw, software, one)
    gathered = _sharding(raw, software, layer)
    sharding = gathered[0] + gathered[1]
    sent, brought = activation_seconds(raw.update, (layer.forward, layer.backward), gathered)
    stored, forward, backward = sent + brought, layer.forward + sent, layer.backward + brought
    per_layer = layer.seconds + sharding + stored
    head = one.head_forward + one.head_backward + software.pass_factor * one.head_pass
    split = _phases(layer, sharding + stored)
    pace = _pace(raw, split, _head_phases(raw, software, one), (per_layer, head), shown_hop_seconds(raw, software))
    work, layers = raw.micro_batches, pace.layers
    causes: dict[str, Real] = {cause: work * layers * seconds for cause, seconds in layer.causes.items()}
    causes["sharding_exposed"] = work * layers * sharding
    causes["head"] = work * (pace.slowest - layers * per_layer - pace.hop)
    causes["pipeline_exposed"] = work * pace.hop
    causes["bubble"] = pace.idle
    once = np.minimum(1, work)
    reduce = exposed_seconds(raw.reduce_stage, once * layers * backward, software.gradient_hidden)
    gather = exposed_seconds(raw.gather_stage, once * layers * forward, software.gradient_hidden)
    causes["data_exposed"] = reduce + gather + software.part_seconds * (raw.parts - 1)
    causes["optimizer"], travelled = update_seconds(
        raw.update, software, raw.optimizer_parameters, raw.update_bytes_per_s, (once * layers * backward, reduce)
    )
    causes["offload_exposed"] = travelled + work * layers * stored
    busy = sum(causes.values(), start=0.0 * work)
    causes["stragglers"] = busy * (straggler_slowdown(raw.nodes, wear.straggler_per_doubling) - 1)
    told: dict[str, FloatArray] = {cause: np.asarray(causes[cause], dtype=np.float64) for cause in CAUSES}
    total: FloatArray = np.zeros(len(work))
    for seconds in told.values():
        total = total + seconds
    return StepColumns(causes=told, step_seconds=total)
