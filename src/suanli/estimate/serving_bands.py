"""The 80 % band around a serving estimate: kernels' spread of the device, and what engines add to it."""

from __future__ import annotations

import math

from suanli.domain.result import Band
from suanli.estimate.serving_replica import Replica

TAIL_SIGMAS = 1.2815515655446004
"""Standard deviations that hold 80 % of a normal distribution on both sides (its 90th percentile)."""
LATENCIES = {"ttft_seconds": "ttft", "tpot_seconds": "tpot"}


def serving_band(replica: Replica, quantity: str, value: float) -> Band:
    """Return the 80 % band around a value: log-normal, the device's and the engine's spreads in quadrature."""
    spreads = replica.constants.spreads_log
    if quantity.endswith("_bytes") or quantity == "kv_capacity_tokens":
        spread = spreads["memory"]
    else:
        spread = math.hypot(spreads[LATENCIES.get(quantity, "throughput")], replica.device.spread_log)
    reach = math.exp(TAIL_SIGMAS * spread)
    return Band(low=value / reach, high=value * reach)
