"""Updates of weights and what lives on the host: seconds of the optimizer, of the host's link, of the host itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.domain.layout import OFFLOADS, LayoutTable, Offload
from suanli.domain.software import Software
from suanli.domain.workload import TrainingSetup
from suanli.equations.optimizer import host_link_seconds, host_update_seconds
from suanli.equations.pipeline import exposed_seconds
from suanli.estimate.optimizers import beyond_adamw_moved, load_choices, orthogonal_seconds
from suanli.foundation.equation import FloatArray, Real
from suanli.parts.axes.axis import Job, Transfer, placed_together
from suanli.parts.axes.expert import expert_copies
from suanli.parts.axes.sharding import OPTIMIZER, Parameters, group, shards
from suanli.parts.devices.electronic import Device

NOWHERE, OPTIMIZER_AWAY, ACTIVATIONS_AWAY, BOTH_AWAY = (float(OFFLOADS.index(one)) for one in Offload)


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateColumns:
    """What an update takes beside AdamW's own bytes, and what travels to the host.

    `more_moved_bytes` is what one update moves more than AdamW's, `orthogonal_seconds` its matrix products;
    `activations_out` seconds of sending what one layer keeps of a micro-batch out; `weight_bytes` is what one
    parameter takes on its way back; rates are of one accelerator.
    """

    more_moved_bytes: FloatArray
    orthogonal_seconds: FloatArray
    optimizer_away: FloatArray
    activations_out: FloatArray
    weight_bytes: FloatArray
    host_bytes_per_s: FloatArray
    host_memory_bytes_per_s: FloatArray
    host_sharing: FloatArray


def optimizer_away(table: LayoutTable) -> Real:
    """Say where the optimizer's state lives on the host: 1 there, else 0."""
    return np.where((table.offload == OPTIMIZER_AWAY) | (table.offload == BOTH_AWAY), 1.0, 0.0)


def activations_away(table: LayoutTable) -> Real:
    """Say where activations live on the host between forward and backward: 1 there, else 0."""
    return np.where(table.offload >= ACTIVATIONS_AWAY, 1.0, 0.0)


def more_moved(setup: TrainingSetup, table: LayoutTable, kept: Real, tables: Real) -> Real:
    """Bytes that one update moves more than AdamW's; `tables` are whole, `kept` is what is left of all by sharding."""
    return beyond_adamw_moved(setup, kept, tables / shards(table, OPTIMIZER, group(table)))


def orthogonal_stage(setup: TrainingSetup, device: Device, table: LayoutTable, layers: Real) -> Real:
    """Seconds that a stage's matrices take to be made orthogonal, dealt out over the ranks that hold them."""
    ranks = Parameters(
        dense=table.tensor * shards(table, OPTIMIZER, group(table)),
        expert=shards(table, OPTIMIZER, expert_copies(table)),
    )
    held = Parameters(dense=1.0, expert=table.expert * np.where(table.expert > 1, 1.0, table.tensor))
    return layers * orthogonal_seconds(setup, device, held, ranks)


def whole_matrices(job: Job, table: LayoutTable, parameters: Real) -> tuple[Transfer, ...]:
    """Ask for what brings parts of matrices, which tensor ranks hold, to the rank that multiplies each, and back.

    Gradients go and updates return as wide as weights: two exchanges among tensor ranks of what optimizer shards hold.
    """
    message = parameters * job.activation_bytes / shards(table, OPTIMIZER, group(table))
    count = np.where(table.tensor > 1, 2.0, 0.0)
    local = placed_together(table.tensor, 1.0, job.node_accelerators)
    return (
        Transfer(
            cause="tensor", op="all_to_all", message_bytes=message, ranks=table.tensor, ranks_per_node=local,
            count=count,
        ),
    )  # fmt: skip


def update_seconds(
    update: UpdateColumns,
    software: Software,
    parameters: Real,
    update_bytes_per_s: Real,
    backward: tuple[Real, Real],
) -> tuple[Real, Real]:
    """Seconds of the optimizer, on the device or on the host, and of what shows of gradients out and weights back.

    Gradients leave under the last backward pass, beside their reduction: `backward` says how long the pass is and how
    much of the reduction shows. Weights come back when all is done.
    """
    away, moved = update.optimizer_away, software.optimizer_moved_bytes * parameters + update.more_moved_bytes
    there = moved / update_bytes_per_s
    if not np.any(away > 0):
        return there + update.orthogonal_seconds, 0.0 * away
    host = host_update_seconds(moved, update.host_memory_bytes_per_s, update.host_sharing)
    out = host_link_seconds(parameters * software.reduce_bytes, update.host_bytes_per_s)
    back = host_link_seconds(parameters * update.weight_bytes, update.host_bytes_per_s)
    return np.where(away > 0, host, there) + update.orthogonal_seconds, away * (shown_beside(out, *backward) + back)


def shown_beside(transfer_seconds: Real, cover_seconds: Real, shown_seconds: Real) -> Real:
    """Seconds that a transfer over the host's link adds to what shows of another transfer under the same work.

    The two go over different links at once: the longer wait counts.
    """
    hidden = load_choices().offloading.hidden_share.value
    return np.maximum(exposed_seconds(transfer_seconds, cover_seconds, hidden) - shown_seconds, 0.0)


def activation_seconds(update: UpdateColumns, cover: tuple[Real, Real], shown: tuple[Real, Real]) -> tuple[Real, Real]:
    """Seconds that show of sending one layer's activations out under its forward pass, and back under its backward.

    `cover` is what the two passes take, `shown` what shows of weights that are gathered beside them.
    """
    out = update.activations_out
    if not np.any(out > 0):
        return 0.0 * out, 0.0 * out
    return shown_beside(out, cover[0], shown[0]), shown_beside(out, cover[1], shown[1])
