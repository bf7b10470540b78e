"""Weights on their way from the ranks that train to the engine that generates: on the same devices, or to others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.catalogue.posttraining import load_post_figures
from suanli.domain.layout import Layout, Sharding
from suanli.domain.posttraining import Generated, Rollout, Transport
from suanli.domain.workload import TrainingSetup
from suanli.equations.posttraining import weights_sent_seconds
from suanli.estimate.precision import BF16_BYTES
from suanli.estimate.shards import trained_parameters
from suanli.estimate.step import Machine
from suanli.parts.architectures.count import parameters


@dataclass(frozen=True, kw_only=True, slots=True)
class Sync:
    """Bytes of one copy of what the engine gets anew, the seconds until it has it, whether it is on other devices."""

    sent_bytes: float
    seconds: float
    apart: bool


def sent_bytes(setup: TrainingSetup) -> float:
    """Bytes that an engine gets after a step: all weights in 16 bits, or those of the adapters alone."""
    changed = trained_parameters(setup) if setup.frozen else float(parameters(setup.model))
    return changed * BF16_BYTES


def spread_ranks(layout: Layout) -> int:
    """Over how many ranks one copy of the weights is spread."""
    if layout.sharding is Sharding.FULL:
        shared = layout.sharding_ranks or layout.data * layout.context
    else:
        shared = min(layout.expert, layout.data * layout.context)
    return layout.tensor * layout.pipeline * shared


def gathered_seconds(machine: Machine, layout: Layout, moved_bytes: float) -> float:
    """Seconds in which every rank gathers a whole copy, from which it keeps the part that its engine needs."""
    ranks = spread_ranks(layout)
    if ranks < 2:
        return 0.0
    local = float(min(machine.node_accelerators, ranks))
    spent = machine.fabric.collective_seconds("all_gather", moved_bytes, float(ranks), local)
    return float(np.asarray(spent))


def sync_together(machine: Machine, setup: TrainingSetup, layout: Layout, generated: Generated) -> Sync:
    """Weights for an engine on the same devices: gathered from where training keeps them, and laid where it reads."""
    moved = sent_bytes(setup)
    laid = float(machine.device.pass_seconds(2 * moved / generated.layout.accelerators))
    return Sync(sent_bytes=moved, seconds=gathered_seconds(machine, layout, moved) + laid, apart=False)


def sync_apart(machine: Machine, setup: TrainingSetup, layout: Layout, generated: Generated, rollout: Rollout) -> Sync:
    """Weights for an engine on other devices, over the network.

    A broadcast leaves one rank, which has gathered a whole copy, and streams on from rank to rank. Direct fetching
    brings every replica one copy in parts, over the links of all ranks at once.
    """
    moved, direct = sent_bytes(setup), rollout.transport is Transport.DIRECT
    receivers = generated.replicas * generated.layout.accelerators
    sent = weights_sent_seconds(
        moved,
        float(generated.replicas if direct else 1),
        float(machine.accelerators if direct else 1),
        float(receivers if direct else 1),
        machine.fabric.network.link_bytes_per_s,
        load_post_figures().sync_share.value,
    )
    gathered = 0.0 if direct else gathered_seconds(machine, layout, moved)
    return Sync(sent_bytes=moved, seconds=max(float(np.asarray(sent)), gathered), apart=True)
