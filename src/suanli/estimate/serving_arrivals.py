"""Open arrivals: requests come at a rate of their own, whatever is in flight, and queue where they come unevenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.result import ServingEstimate
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.equations import batching
from suanli.estimate.serving import estimate_at
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_search import flight_grid, nothing_fits
from suanli.estimate.serving_steady import MOST_FLIGHT, demand_of, steady_state
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr


def estimate_arrivals(
    setup: ServingSetup,
    system: System,
    layout: ServingLayout,
    rate_per_s: float,
    kernels: KernelTable,
    arrival_variation: float = 1.0,
) -> ServingEstimate:
    """Estimate one replica under requests that arrive at a rate.

    `arrival_variation` is the squared coefficient of variation of the gaps (1: Poisson). The mean wait is that of a
    single server whose service is one request at the replica's full rate.
    Raises InfeasibleError where the rate is more than the replica can hold.
    """
    replica = open_replica(setup, system, layout, kernels)
    replica = replace(replica, engine=replace(replica.engine, burst_share=0.0))
    demand = demand_of(replica)
    if demand.resident < 1:
        raise nothing_fits(tr("not one sequence has room in the cache"))
    grid = flight_grid(min(demand.resident, MOST_FLIGHT))
    curve = steady_state(replica, grid).requests_per_s
    most = float(curve.max())
    if rate_per_s >= most:
        raise InfeasibleError(
            limit=tr("One replica holds {most} requests per second at most.", most=f"{most:.3g}"),
            relief=tr("Use {replicas} replicas or more.", replicas=int(np.ceil(rate_per_s / most)) + 1),
        )
    flight = float(np.interp(rate_per_s, np.maximum.accumulate(curve), grid, left=rate_per_s / curve[0]))
    steady = steady_state(replica, max(flight, 1.0))
    told = estimate_at(replica, demand, steady, 0)
    wait = float(batching.queue_wait_seconds(1 / most, rate_per_s / most, arrival_variation))
    return replace(
        told,
        concurrency=flight,
        ttft_seconds=told.ttft_seconds + wait,
        requests_per_s=rate_per_s,
        output_tokens_per_s=rate_per_s * setup.output_tokens,
        total_tokens_per_s=rate_per_s * (setup.input_tokens + setup.output_tokens),
    )
