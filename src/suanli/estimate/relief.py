"""What would make a given layout fit: small changes of it, each weighed before it is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.result import TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.workload import TrainingSetup
from suanli.estimate.training import estimate_layout
from suanli.parts.axes.axis import divisors


def changed(layout: Layout) -> Iterator[Layout]:
    """Layouts on the same degrees that hold less: recomputed, in smaller micro-batches, sharded, then all of these."""
    smaller = [micro for micro in divisors(layout.micro_batch) if micro < layout.micro_batch][::-1]
    yield replace(layout, recompute=Recompute.FULL)
    yield from (replace(layout, micro_batch=micro) for micro in smaller)
    yield replace(layout, sharding=Sharding.FULL, sharding_ranks=None)
    least = replace(layout, recompute=Recompute.FULL, micro_batch=1)
    yield least
    yield replace(least, sharding=Sharding.FULL, sharding_ranks=None)


def layouts_that_fit(
    setup: TrainingSetup, cluster: Cluster, layout: Layout, kernels: KernelTable, calibration: TrainingCalibration
) -> list[TrainingEstimate]:
    """Weigh the changes of a layout that does not fit and return those that break no limit, the fastest first."""
    tried = dict.fromkeys(other for other in changed(layout) if other != layout)
    told = [estimate_layout(setup, cluster, other, kernels, calibration=calibration) for other in tried]
    return sorted((one for one in told if not one.limit), key=lambda one: one.step_seconds)
