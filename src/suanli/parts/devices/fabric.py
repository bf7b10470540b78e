"""The fabric between accelerators: collectives over the links of a node or rack and the network between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from suanli.domain.hardware import System, Topology
from suanli.domain.kernel import CollectiveKernel, KernelCalibration, KernelTable
from suanli.equations import collective
from suanli.foundation.equation import Real
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

PASSES = {"all_reduce": 2.0, "all_gather": 1.0, "reduce_scatter": 1.0, "all_to_all": 1.0, "send": 1.0}
"""How often the buffer crosses the links: an all-reduce is a reduce-scatter and an all-gather."""

RING_ONLY = ("all_gather", "reduce_scatter")
"""Collectives that libraries run as rings whatever the number of nodes."""

WHOLE_CLUSTER = "cluster"
"""The kind of a system that is listed as a whole: its link domains are its nodes, and the network joins them."""


def time_transfer(kernel: CollectiveKernel, sent_bytes: Real, ranks: Real, link_bytes_per_s: float) -> Real:
    """Time to move what each rank sends over one tier of so many ranks."""
    share = np.interp(np.log2(ranks), np.log2(kernel.share_ranks), kernel.link_shares)
    return collective.tier_transfer_seconds(sent_bytes, link_bytes_per_s, share, kernel.half_bytes, kernel.ramp_power)


def time_tier(
    kernel: CollectiveKernel, passes: float, message_bytes: Real, ranks: Real, link_bytes_per_s: float
) -> Real:
    """Time of one collective within a single tier: latency and transfer."""
    sent = message_bytes * collective.traffic_share(ranks, passes)
    delay = collective.tier_latency_seconds(ranks, kernel.base_seconds, kernel.hop_seconds)
    return delay + time_transfer(kernel, sent, ranks, link_bytes_per_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """Links of one kind: collectives over them, bytes per second in one direction, share that one pair gets."""

    kernels: Mapping[str, CollectiveKernel]
    link_bytes_per_s: float
    pair_share: float

    def transfer_seconds(self, op: str, sent_bytes: Real, ranks: Real) -> Real:
        """Time to move what each rank sends."""
        link = self.link_bytes_per_s * (self.pair_share if op == "send" else 1.0)
        return time_transfer(self.kernels[op], sent_bytes, ranks, link)

    def latency_seconds(self, op: str, ranks: Real) -> Real:
        """Latency of a collective over so many ranks."""
        kernel = self.kernels[op]
        return collective.tier_latency_seconds(ranks, kernel.base_seconds, kernel.hop_seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fabric:
    """Links inside a node or rack, the way through the host where links do not reach, and the network between nodes.

    `linked` is how many accelerators the links join; `node` how many one node holds; `ring_steps` the seconds of one
    step of a ring inside a node and between two.
    """

    system: System
    links: Tier
    host: Tier
    network: Tier
    one_shot: CollectiveKernel | None
    linked: float
    node: float
    calibrated: bool
    spread_log: float
    ring_steps: tuple[float, float] = (0.0, 0.0)

    def collective_seconds(
        self,
        op: str,
        message_bytes: Real,
        ranks: Real,
        ranks_per_node: Real,
        one_shot: bool = False,
        across_share: Real = 1.0,
    ) -> Real:
        """Time of one collective over `ranks`, of which `ranks_per_node` share a node (or rack with one link domain).

        `message_bytes` is the full buffer as the NCCL tests count it: for all-reduce what each rank holds, for
        all-gather and reduce-scatter the whole, for all-to-all and send what one rank sends. `one_shot` lets
        all-reduces within a node take the serving engines' own kernel where that is faster. `across_share` is what
        share of the traffic between nodes really travels.
        Raises InputError where there is no collective of that name.
        """
        if op not in PASSES:
            raise InputError.single(
                place=tr("collective"), found=f"'{op}'", allowed=", ".join(PASSES), hint=did_you_mean(op, PASSES)
            )
        local = np.maximum(np.minimum(np.minimum(ranks, ranks_per_node), self.node), 1)
        nodes = np.maximum(ranks / local, 1)
        inside = self._inside_seconds(op, message_bytes, local, nodes, one_shot)
        sent = _sent_across(op, message_bytes, local, nodes) * across_share
        across = self.network.transfer_seconds(op, sent, nodes)
        delay = np.where(np.asarray(sent) > 0, self.network.latency_seconds(op, nodes), 0.0)[()]
        if op in RING_ONLY:
            delay = delay + collective.ring_seconds(ranks, nodes, *self.ring_steps)
        return collective.two_tier_seconds(inside[0], across, inside[1], delay)

    def _inside_seconds(self, op: str, message: Real, local: Real, nodes: Real, one_shot: bool) -> tuple[Real, Real]:
        """Transfer and latency within a node: over links as far as they reach, else through the host."""
        sent = _sent_inside(op, message, local, nodes)
        moved, delay = self.links.transfer_seconds(op, sent, local), self.links.latency_seconds(op, local)
        if one_shot and op == "all_reduce" and self.one_shot is not None:
            quick = Tier(kernels={op: self.one_shot}, link_bytes_per_s=self.links.link_bytes_per_s, pair_share=1.0)
            quick_moved, quick_delay = quick.transfer_seconds(op, sent, local), quick.latency_seconds(op, local)
            better = quick_moved + quick_delay < moved + delay
            moved, delay = np.where(better, quick_moved, moved)[()], np.where(better, quick_delay, delay)[()]
        if np.any(np.asarray(local) > self.linked):
            beyond = np.asarray(local) > self.linked
            moved = np.where(beyond, self.host.transfer_seconds(op, sent, local), moved)[()]
            delay = np.where(beyond, self.host.latency_seconds(op, local), delay)[()]
        return moved, delay


def _sent_inside(op: str, message: Real, local: Real, nodes: Real) -> Real:
    """Bytes that each rank sends within its node."""
    if op == "send":
        return message * np.minimum(local - 1, 1)
    if op == "all_to_all":
        return message * (local - 1) / (local * nodes)
    return message * collective.traffic_share(local, PASSES[op])


def _sent_across(op: str, message: Real, local: Real, nodes: Real) -> Real:
    """Bytes that each rank sends to other nodes: its shard of the buffer, or all that is meant for them."""
    if op == "send":
        crosses: Real = np.minimum(nodes - 1, 1) * (1 - np.minimum(local - 1, 1))
        return message * crosses
    shard = message if op == "all_to_all" else message / local
    return shard * collective.traffic_share(nodes, PASSES[op])


def join_fabric(system: System, found: KernelCalibration, kernels: KernelTable) -> Fabric:
    """Join a system's links and network with what its kind of device makes of them."""
    accelerator = system.accelerator
    link = system.link if system.link.bytes_per_s is not None else accelerator.link
    joined = link.bytes_per_s is not None and link.domain > 1 and link.topology is not Topology.PCIE
    host_rate = accelerator.host_bytes_per_s.value if accelerator.host_bytes_per_s else kernels.host_bytes_per_s
    network = system.scale_out_bytes_per_s
    pair = kernels.wiring[link.topology.value]
    host = Tier(kernels=kernels.host_collectives, link_bytes_per_s=host_rate, pair_share=1.0)
    links = Tier(
        kernels=found.collectives,
        link_bytes_per_s=link.bytes_per_s.value if link.bytes_per_s else host_rate,
        pair_share=pair if pair > 0 else 1 / max(link.domain - 1, 1),
    )
    inside = link.domain if joined else 1
    built_of_nodes = joined and system.system_kind == WHOLE_CLUSTER
    return Fabric(
        system=system,
        links=links if joined else host,
        host=host,
        network=Tier(
            kernels=kernels.scale_out,
            link_bytes_per_s=network.value if network else kernels.network_bytes_per_s,
            pair_share=1.0,
        ),
        one_shot=found.one_shot if joined else None,
        linked=float(link.domain if joined else system.accelerators),
        node=float(inside if built_of_nodes else max(inside, system.accelerators)),
        calibrated=found.calibrated,
        spread_log=found.spread_log,
        ring_steps=kernels.ring_steps,
    )
