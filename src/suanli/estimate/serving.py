"""Serving estimates of one replica: rate, latencies, memory and capacity at a number of requests in flight."""

from __future__ import annotations

import math
from collections.abc import Mapping

from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.result import Band, ServingEstimate
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_bands import serving_band
from suanli.estimate.serving_gain import speculation_gain
from suanli.estimate.serving_memory import (
    cache_capacity_tokens,
    fixed_bytes,
    sequence_cache_bytes,
    short_bytes,
)
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_steady import Demand, Steady, demand_of, steady_state
from suanli.foundation.language import tr

BANDED = ("ttft_seconds", "tpot_seconds", "output_tokens_per_s", "total_tokens_per_s", "memory_bytes")


def estimate_serving(
    setup: ServingSetup, system: System, layout: ServingLayout, concurrency: float, kernels: KernelTable
) -> ServingEstimate:
    """Estimate one replica of a setup on a system with so many requests in flight.

    `limit` of the answer names the first limit that the layout breaks ("" where it fits).
    Raises InputError where setup, system and layout do not go together.
    """
    replica = open_replica(setup, system, layout, kernels)
    demand = demand_of(replica)
    steady = steady_state(replica, min(concurrency, demand.resident) if math.isinf(concurrency) else concurrency)
    return estimate_at(replica, demand, steady, 0)


def limit_of(replica: Replica, demand: Demand) -> str:
    """Name the limit that a replica breaks: memory, where not one sequence fits; "" where it breaks none."""
    if demand.resident < 1:
        short = round(max(short_bytes(replica), 0.0))
        return tr("memory: short of {bytes} bytes on each accelerator", bytes=short)
    return ""


def estimate_at(replica: Replica, demand: Demand, steady: Steady, index: int) -> ServingEstimate:
    """Tell one point of a steady state as an estimate, with bytes by cause and bands."""
    setup, resident = replica.setup, float(steady.resident[index])
    rate = float(steady.requests_per_s[index])
    bytes_by_cause = {
        **fixed_bytes(replica),
        "cache": resident / replica.layout.attention_data * float(sequence_cache_bytes(replica, demand.context)),
    }
    values = {
        "ttft_seconds": float(steady.ttft_seconds[index]),
        "tpot_seconds": float(steady.tpot_seconds[index]),
        "output_tokens_per_s": rate * setup.output_tokens,
        "total_tokens_per_s": rate * (setup.input_tokens + setup.output_tokens),
        "memory_bytes": sum(bytes_by_cause.values()),
    }
    return ServingEstimate(
        layout=replica.layout,
        concurrency=float(steady.concurrency[index]),
        **values,
        seconds_by_cause={cause: float(spent[index]) for cause, spent in steady.seconds_by_cause.items()},
        bytes_by_cause=bytes_by_cause,
        requests_per_s=rate,
        kv_capacity_tokens=cache_capacity_tokens(replica, setup.input_tokens + setup.output_tokens),
        bands=_bands(replica, values),
        limit=limit_of(replica, demand),
        assumed=replica.assumed,
        speculation=speculation_gain(replica, float(steady.concurrency[index])) if demand.resident >= 1 else None,
    )


def _bands(replica: Replica, values: Mapping[str, float]) -> dict[str, Band]:
    return {name: serving_band(replica, name, values[name]) for name in BANDED}
