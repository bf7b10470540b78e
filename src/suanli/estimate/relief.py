"""A given layout, and what would make it fit where it does not: changes of it, else the best one on other degrees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, Offload, Recompute, Sharding
from suanli.domain.result import TrainingEstimate, TrainingSearch
from suanli.domain.software import TrainingCalibration
from suanli.domain.workload import TrainingSetup
from suanli.estimate.evaluate import ask
from suanli.estimate.search import search_told
from suanli.estimate.step import open_machine
from suanli.estimate.training import MEMORY, estimate_layout
from suanli.foundation.errors import InfeasibleError
from suanli.parts.axes.axis import divisors


def changed(layout: Layout) -> Iterator[Layout]:
    """Layouts on the same degrees that hold less: recomputed, in smaller micro-batches, sharded, then all of these.

    What lives on the host comes back first, then the optimizer goes there.
    """
    smaller = [micro for micro in divisors(layout.micro_batch) if micro < layout.micro_batch][::-1]
    yield replace(layout, offload=Offload.NONE)
    yield replace(layout, recompute=Recompute.FULL)
    yield from (replace(layout, micro_batch=micro) for micro in smaller)
    yield replace(layout, sharding=Sharding.FULL, sharding_ranks=None)
    least = replace(layout, recompute=Recompute.FULL, micro_batch=1)
    yield least
    yield replace(least, sharding=Sharding.FULL, sharding_ranks=None)
    if layout.offload is Offload.NONE:
        yield replace(layout, offload=Offload.OPTIMIZER)


def layouts_that_fit(
    setup: TrainingSetup, cluster: Cluster, layout: Layout, kernels: KernelTable, calibration: TrainingCalibration
) -> list[TrainingEstimate]:
    """Weigh the changes of a layout that does not fit and return those that break no limit, the fastest first."""
    tried = dict.fromkeys(other for other in changed(layout) if other != layout)
    told = [estimate_layout(setup, cluster, other, kernels, calibration=calibration) for other in tried]
    return sorted((one for one in told if not one.limit), key=lambda one: one.step_seconds)


def given_layout(
    setup: TrainingSetup, cluster: Cluster, layout: Layout, kernels: KernelTable, calibration: TrainingCalibration
) -> TrainingSearch:
    """Estimate one layout that keeps every rule; where it does not fit, say by how much and find what does."""
    one = estimate_layout(setup, cluster, layout, kernels, calibration=calibration)
    if not one.limit:
        return TrainingSearch(estimates=(one,))
    machine = open_machine(cluster, kernels)
    live = one.memory_bytes - one.bytes_by_cause["fragmentation"]
    over_host = one.host_memory_bytes - machine.host_memory_bytes
    short = live - ask(setup, machine, calibration, 0.0).capacity_bytes if one.limit == MEMORY else over_host
    relief, advice = layouts_that_fit(setup, cluster, layout, kernels, calibration), ""
    if not relief:
        try:
            relief = list(search_told(setup, cluster, kernels, keep=1, calibration=calibration).estimates)
        except InfeasibleError as error:
            advice = error.relief
    return TrainingSearch(estimates=(one,), fitting=0, relief=tuple(relief), short_bytes=short, advice=advice)
