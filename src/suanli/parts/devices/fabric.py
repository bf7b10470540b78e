"""The fabric between accelerators: collectives over the links of a node or rack and the network between them."""

from __future__ import annotations

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Fabric:
    """Two tiers: links inside a node or rack, network between them; bandwidths for one direction and accelerator."""

    system: System
    inner: dict[str, CollectiveKernel]
    one_shot: CollectiveKernel | None
    outer: dict[str, CollectiveKernel]
    link_bytes_per_s: float
    pair_share: float
    domain: float
    network_bytes_per_s: float
    calibrated: bool
    spread_log: float

    def collective_seconds(
        self, op: str, message_bytes: Real, ranks: Real, ranks_per_node: Real, one_shot: bool = False
    ) -> Real:
        """Time of one collective over `ranks`, of which `ranks_per_node` share a node (or rack with one link domain).

        `message_bytes` is the full buffer as the NCCL tests count it: for all-reduce what each rank holds, for
        all-gather and reduce-scatter the whole, for all-to-all and send what one rank sends. `one_shot` lets small
        all-reduces take the serving engines' own kernel where that is faster.
        """
        inner, outer = self._kernels(op)
        local = np.maximum(np.minimum(np.minimum(ranks, ranks_per_node), self.domain), 1)
        nodes = np.maximum(ranks / local, 1)
        within = self._inner_seconds(op, inner, message_bytes, local, ranks)
        across = self._outer_seconds(op, outer, message_bytes, local, nodes)
        delay = collective.tier_latency_seconds(local, inner.base_seconds, inner.hop_seconds)
        far = collective.tier_latency_seconds(nodes, outer.base_seconds, outer.hop_seconds)
        seconds = collective.two_tier_seconds(within, across, delay, far)
        if one_shot and op == "all_reduce" and self.one_shot is not None:
            quick = self._one_shot_seconds(self.one_shot, message_bytes, local)
            return np.where(nodes > 1, seconds, np.minimum(seconds, quick))
        return seconds

    def _kernels(self, op: str) -> tuple[CollectiveKernel, CollectiveKernel]:
        if op not in PASSES:
            raise InputError.single(
                place=tr("collective"), found=f"'{op}'", allowed=", ".join(PASSES), hint=did_you_mean(op, PASSES)
            )
        return self.inner[op], self.outer[op]

    def _inner_seconds(self, op: str, kernel: CollectiveKernel, message: Real, local: Real, ranks: Real) -> Real:
        share = np.interp(np.log2(local), np.log2(kernel.share_ranks), kernel.link_shares)
        if op == "send":
            sent = message * np.minimum(local - 1, 1)
            return collective.tier_transfer_seconds(
                sent, self.link_bytes_per_s * self.pair_share, share, kernel.half_bytes, kernel.ramp_power
            )
        sent = message * collective.traffic_share(local, PASSES[op])
        if op == "all_to_all":
            sent = message * (local - 1) / ranks
        return collective.tier_transfer_seconds(
            sent, self.link_bytes_per_s, share, kernel.half_bytes, kernel.ramp_power
        )

    def _outer_seconds(self, op: str, kernel: CollectiveKernel, message: Real, local: Real, nodes: Real) -> Real:
        share = np.interp(np.log2(nodes), np.log2(kernel.share_ranks), kernel.link_shares)
        each = message if op in ("all_to_all", "send") else message / local
        if op == "send":
            sent = each * np.where(local > 1, 0.0, np.minimum(nodes - 1, 1))
        else:
            sent = each * collective.traffic_share(nodes, PASSES[op])
        return collective.tier_transfer_seconds(
            sent, self.network_bytes_per_s, share, kernel.half_bytes, kernel.ramp_power
        )

    def _one_shot_seconds(self, kernel: CollectiveKernel, message: Real, local: Real) -> Real:
        share = np.interp(np.log2(local), np.log2(kernel.share_ranks), kernel.link_shares)
        sent = message * (local - 1)
        moved = collective.tier_transfer_seconds(
            sent, self.link_bytes_per_s, share, kernel.half_bytes, kernel.ramp_power
        )
        return moved + collective.tier_latency_seconds(local, kernel.base_seconds, kernel.hop_seconds)


def join_fabric(system: System, found: KernelCalibration, kernels: KernelTable) -> Fabric:
    """Join a system's links and network with what its kind of device makes of them."""
    accelerator = system.accelerator
    link = system.link if system.link.bytes_per_s is not None else accelerator.link
    linked = link.bytes_per_s is not None and link.domain > 1 and link.topology is not Topology.PCIE
    host = accelerator.host_bytes_per_s.value if accelerator.host_bytes_per_s else kernels.host_bytes_per_s
    network = system.scale_out_bytes_per_s
    pair = kernels.wiring[link.topology.value]
    return Fabric(
        system=system,
        inner=dict(found.collectives),
        one_shot=found.one_shot if linked else None,
        outer=dict(kernels.scale_out),
        link_bytes_per_s=link.bytes_per_s.value if linked and link.bytes_per_s else host,
        pair_share=pair if pair > 0 else 1 / max(link.domain - 1, 1),
        domain=float(max(link.domain if linked else 1, system.accelerators)),
        network_bytes_per_s=network.value if network else kernels.network_bytes_per_s,
        calibrated=found.calibrated,
        spread_log=found.spread_log,
    )
