"""What a pipeline's schedule changes: idle time, the stage that holds the ends, what is held at once, what hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.domain.layout import LayoutTable
from suanli.equations.memory import dualpipe_in_flight, first_stage_in_flight, put_off_in_flight
from suanli.equations.pipeline import (
    dualpipe_bubble_seconds,
    paired_exposed_seconds,
    v_bubble_seconds,
    zero_bubble_seconds,
)
from suanli.estimate.optimizers import load_choices
from suanli.foundation.equation import Real
from suanli.parts.axes.pipeline import DUALPIPE, ONE_F_ONE_B, ZB_H1, ZB_H2, ZB_V


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Seconds of one micro-batch by phase: forward, gradients of inputs, gradients of weights."""

    forward: Real
    inputs: Real
    weights: Real

    def minus(self, other: Split) -> Split:
        """Take another split away, and never more than there is."""
        return Split(
            forward=np.maximum(self.forward - other.forward, 0),
            inputs=np.maximum(self.inputs - other.inputs, 0),
            weights=np.maximum(self.weights - other.weights, 0),
        )

    def times(self, count: Real, extra: Split, extras: Real, hop: Real) -> Split:
        """Take it so many times, with so many times an extra, and handing on once each way."""
        return Split(
            forward=count * self.forward + extras * extra.forward + hop / 2,
            inputs=count * self.inputs + extras * extra.inputs + hop / 2,
            weights=count * self.weights + extras * extra.weights,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipe:
    """A pipeline as its schedule sees it: which one, stages, chunks of a stage, micro-batches of a replica."""

    schedule: Real
    pipeline: Real
    interleave: Real
    micro_batches: Real


def put_off(schedule: Real) -> Real:
    """How many micro-batches later each stage takes its weight gradients than the stage before (zb-h1, zb-h2)."""
    return np.where(schedule == ZB_H2, 2.0, 1.0)


def idle_seconds(pipe: Pipe, plain: Real, others: Split, own: Split, middle: Split) -> Real:
    """Idle time of the fill and drain: `plain` is that of gpipe and 1f1b.

    `others` is one micro-batch on all stages but the slowest, phase by phase, `own` on the slowest, `middle` on a full
    stage between the ends.
    """
    waits = (others.forward, others.inputs, own.forward, own.weights, pipe.pipeline, pipe.micro_batches)
    put, turned = zero_bubble_seconds(*waits, put_off(pipe.schedule)), v_bubble_seconds(*waits)
    whole, turn = own.forward + own.inputs + own.weights, own.forward + 2 * own.inputs - own.weights
    paired = dualpipe_bubble_seconds(middle.forward, middle.inputs, middle.weights, whole, turn, pipe.pipeline)
    return np.select(
        [pipe.schedule == ZB_V, pipe.schedule == DUALPIPE, pipe.schedule > ONE_F_ONE_B], [turned, paired, put], plain
    )


def at_both_ends(pipe: Pipe) -> Real:
    """Say where micro-batches enter at both ends: 1 under dualpipe with several stages, else 0."""
    return np.where((pipe.schedule == DUALPIPE) & (pipe.pipeline > 1), 1.0, 0.0)


def end_layers(pipe: Pipe, fullest: Real, last: Real) -> Real:
    """Layers that one micro-batch passes on a stage with the head; where both ends are heads, the mean of the ends."""
    return last + at_both_ends(pipe) * (fullest - last) / 2


def head_share(pipe: Pipe) -> Real:
    """How much of the head one micro-batch costs the stage that holds it: half of them pass it at the other end."""
    return 1 - at_both_ends(pipe) / 2


def hop_ends(pipe: Pipe) -> Real:
    """How often less the stage with the head hands on: at its last layers, and under zb-v at its first ones too."""
    return np.where(pipe.schedule == ZB_V, pipe.interleave, 1.0)


def chunks_meet(pipe: Pipe, pairs_chunks: Real) -> Real:
    """Say where a chunk goes forward while another goes backward: 1 there, else 0.

    Always under dualpipe; under interleaved 1F1B where software pairs the two halves of a turn (`pairs_chunks`).
    """
    turns = (pipe.schedule == ONE_F_ONE_B) & (pipe.interleave > 1) & (pipe.pipeline > 1)
    return np.where(pipe.schedule == DUALPIPE, 1.0, np.where(turns, pairs_chunks, 0.0))


def shown_share(meet: Real, shown: Real, transfer_seconds: Real, cover_seconds: Real) -> Real:
    """Share of expert traffic that nothing hides: what software shows, or what a chunk the other way leaves of it.

    Where chunks meet (1, else 0), all of one's work can hide the other's traffic, at the price of the compute units
    that send and receive.
    """
    paired = np.asarray(meet) > 0
    if not np.any(paired):
        return shown
    left = paired_exposed_seconds(transfer_seconds, cover_seconds, load_choices().traffic_units.value)
    least = np.minimum(shown, left / np.maximum(transfer_seconds, np.finfo(np.float64).tiny))
    return np.where(paired, least, shown)


@dataclass(frozen=True, kw_only=True, slots=True)
class InFlight:
    """Micro-batches whose activations a stage holds at once: the first stage, and the last."""

    first: Real
    last: Real


def in_flight(table: LayoutTable, work: Real) -> InFlight:
    """Count what stages hold at once; only 1F1B's last stage is done with a micro-batch before the next comes."""
    schedule, stages = table.schedule, table.pipeline
    first, one = first_stage_in_flight(work, stages, table.interleave), np.ones(len(table))
    if not np.any(schedule != ONE_F_ONE_B):
        return InFlight(first=first, last=one)
    kinds = [schedule == ONE_F_ONE_B, (schedule == ZB_H1) | (schedule == ZB_H2), schedule == ZB_V, schedule == DUALPIPE]
    whole = first_stage_in_flight(work, stages, 1.0)
    paired = np.where(stages > 1, dualpipe_in_flight(work, stages), 1.0)
    same = [put_off_in_flight(work, stages, put_off(schedule)), whole, paired]
    forward_first = np.where(stages > 1, np.maximum(work, 1), 1.0)
    return InFlight(
        first=np.select(kinds, [first, *same], forward_first), last=np.select(kinds, [one, *same], forward_first)
    )


def weights_wait(table: LayoutTable) -> Real:
    """Say where weight gradients wait, and with them what full recomputation made again: 1 there, else 0."""
    return np.where((table.schedule >= ZB_H1) & (table.schedule <= ZB_V) & (table.pipeline > 1), 1.0, 0.0)


def copies_held(table: LayoutTable) -> Real:
    """How many stages' parameters one rank holds: two where micro-batches enter at both ends, else one."""
    return np.where((table.schedule == DUALPIPE) & (table.pipeline > 1), 2.0, 1.0)
