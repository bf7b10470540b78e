"""The 80 % band around a serving estimate: kernels' spread of the device, and what engines add to it."""

from __future__ import annotations

import math

from suanli.domain.result import Band
from suanli.equations import batching
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
    reach = TAIL_SIGMAS * spread
    down, up = acceptance_logs(replica, quantity)
    return Band(low=value / math.exp(math.hypot(reach, down)), high=value * math.exp(math.hypot(reach, up)))


def acceptance_logs(replica: Replica, quantity: str) -> tuple[float, float]:
    """Return how far the range of drafts' acceptance reaches down and up from a value, as logs of ratios."""
    draft = replica.draft
    if draft is None or quantity == "ttft_seconds" or quantity.endswith("_bytes") or quantity == "kv_capacity_tokens":
        return 0.0, 0.0
    least, middle, most = (
        float(batching.accepted_per_step(chance, replica.setup.draft_tokens))
        for chance in (draft.acceptance_low, draft.acceptance, draft.acceptance_high)
    )
    fewer, more = math.log(middle / least), math.log(most / middle)
    return (more, fewer) if quantity in LATENCIES else (fewer, more)
