"""What a kind of system does for a service: the best replica within its latency targets, and how many one holds."""

from __future__ import annotations

import math
from statistics import NormalDist

from suanli.domain.hardware import System
from suanli.domain.model import Model
from suanli.domain.result import ServingEstimate
from suanli.domain.scenario import ServingJob
from suanli.domain.workload import ServingSetup
from suanli.estimate.serving_engine import runs_on
from suanli.estimate.serving_search import search
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr
from suanli.parts.architectures.count import parameters
from suanli.parts.devices.special import find_chip
from suanli.planner.performance import Performance, Refusal
from suanli.planner.weigh_training import Desk, spread_of

MOST_DOUBLINGS = 2
"""A replica may span up to four systems."""


def weigh_serving(job: ServingJob, model: Model, system: System, desk: Desk) -> Performance | Refusal:
    """Estimate the best replica on a kind of system, spanning several where one does not hold the model."""
    setup = ServingSetup(
        model=model,
        input_tokens=job.input_tokens,
        output_tokens=job.output_tokens,
        weight_format=job.weight_format,
        kv_format=job.kv_format,
        engine=job.engine,
        engine_date=desk.as_of,
    )
    if not runs_on(job.engine, find_chip(system.accelerator, desk.kernels.chips)):
        reason = tr("{engine} does not run on {accelerator}", engine=job.engine, accelerator=system.accelerator.id)
        return Refusal(workload_id=job.id, system_id=system.id, reason=reason)
    refusal = ""
    for doubling in range(MOST_DOUBLINGS + 1):
        try:
            best = search(
                setup,
                system,
                desk.kernels,
                ttft_limit_seconds=median_limit(
                    job.ttft_seconds, job.percentile, desk.assumptions["planning.ttft_deviation"].value
                ),
                tpot_limit_seconds=median_limit(
                    job.tpot_seconds, job.percentile, desk.assumptions["planning.tpot_deviation"].value
                ),
                accelerators=system.accelerators * 2**doubling,
                keep=1,
            )[0]
        except InfeasibleError as error:
            refusal = refusal or str(error)
            continue
        return performance_of(job, model, system, best, desk)
    return Refusal(workload_id=job.id, system_id=system.id, reason=refusal)


def median_limit(limit_seconds: float | None, percentile: float, deviation_log: float) -> float:
    """Return the limit on the median that keeps the asked percentile within its target (latencies are log-normal)."""
    if limit_seconds is None:
        return math.inf
    return limit_seconds * math.exp(-NormalDist().inv_cdf(percentile) * deviation_log)


def performance_of(job: ServingJob, model: Model, system: System, estimate: ServingEstimate, desk: Desk) -> Performance:
    """Put a replica's estimate into the buyer's terms: requests per second that one system is planned to hold."""
    used = estimate.layout.accelerators
    spanned = max(1, -(-used // system.accelerators))
    replicas_each = max(1, system.accelerators // used) / spanned
    rate = estimate.output_tokens_per_s / job.output_tokens * replicas_each
    return Performance(
        workload_id=job.id,
        system_id=system.id,
        systems=spanned,
        rate_per_system=rate * desk.assumptions["planning.serving_load"].value,
        spread_log=spread_of(estimate.bands["output_tokens_per_s"]),
        least_systems=max(job.least_systems or 1, spanned),
        most_systems=job.most_systems,
        goodput=1.0,
        parameters=float(parameters(model)),
        replicas_per_system=replicas_each,
        serving=estimate,
    )
