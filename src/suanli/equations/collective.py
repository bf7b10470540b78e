"""Time of one collective: bytes on the busiest link, latency by hops, and the two tiers of a cluster."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="thakur2005")
def traffic_share(ranks: Real, passes: Real) -> Real:
    """Share of the full buffer that each rank sends: p (n - 1) / n.

    `passes` is 2 for an all-reduce, 1 for all-gather, reduce-scatter and all-to-all. Source: thakur2005.

    >>> float(traffic_share(4.0, 2.0))
    1.5
    """
    return passes * (ranks - 1) / ranks


@equation(unit="s", source="thakur2005")
def tier_latency_seconds(ranks: Real, base_seconds: Real, hop_seconds: Real) -> Real:
    """Latency of one collective inside one tier: (t0 + t1 log2 n) where n > 1, else nothing.

    Source: thakur2005.

    >>> float(tier_latency_seconds(1.0, 1e-5, 1e-6))
    0.0
    """
    return np.minimum(ranks - 1, 1) * (base_seconds + hop_seconds * np.log2(np.maximum(ranks, 1)))


@equation(unit="s", source="nccl2026")
def ring_seconds(ranks: Real, nodes: Real, inside_step_seconds: Real, across_step_seconds: Real) -> Real:
    """Latency of a ring over many nodes: every chunk passes every rank, most steps inside nodes, some between them.

    t = (n - N) t_in + (N - 1) t_out for N > 1 nodes, else nothing.

    Gathering and scattering have no tree to shorten this way. Source: nccl2026.

    >>> ring_seconds(1024.0, 128.0, 3e-6, 14e-6) == 896 * 3e-6 + 127 * 14e-6
    True
    """
    return np.minimum(nodes - 1, 1) * (ranks - nodes) * inside_step_seconds + (nodes - 1) * across_step_seconds


@equation(unit="s", source="thakur2005")
def tier_transfer_seconds(
    sent_bytes: Real, link_bytes_per_s: Real, link_share: Real, half_bytes: Real, ramp_power: Real
) -> Real:
    """Time to send bytes over one tier whose bandwidth rises with the size of the message.

    t = B / (e W) * (1 + (B0 / B)^a)  written without a pole at B = 0: (B + B0^a B^(1 - a)) / (e W).

    `link_share` e is what large messages reach; at `half_bytes` B0 half of that is reached. Source: thakur2005.

    >>> float(tier_transfer_seconds(1e9, 1e9, 0.5, 0.0, 0.5))
    2.0
    """
    return (sent_bytes + half_bytes**ramp_power * sent_bytes ** (1 - ramp_power)) / (link_bytes_per_s * link_share)


@equation(unit="s", source="thakur2005")
def two_tier_seconds(
    inner_transfer_seconds: Real, outer_transfer_seconds: Real, inner_latency_seconds: Real, outer_latency_seconds: Real
) -> Real:
    """Time of a collective over two tiers: chunks stream through both, so the slower carries it; latencies add.

    t = max(T_in, T_out) + L_in + L_out. Source: thakur2005.

    >>> float(two_tier_seconds(2.0, 3.0, 0.5, 0.25))
    3.75
    """
    return np.maximum(inner_transfer_seconds, outer_transfer_seconds) + inner_latency_seconds + outer_latency_seconds
