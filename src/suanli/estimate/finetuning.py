"""Fine-tuning estimates: full, LoRA and QLoRA; a tuning run is a training step whose weights may be frozen."""

from __future__ import annotations

from dataclasses import replace

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout
from suanli.domain.result import TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.tuning import LowRank
from suanli.domain.workload import TrainingSetup, TuningMethod
from suanli.estimate.adapters import target_names
from suanli.estimate.search import MEMORY_MARGIN, search
from suanli.estimate.software import load_training_calibration
from suanli.estimate.training import estimate_layout

DOUBLE_QUANTISED = "nf4-dq"
"""The format of frozen weights under QLoRA unless the setup names one: 4 bits, scales quantised once more."""


def tuned(setup: TrainingSetup, method: TuningMethod, calibration: TrainingCalibration) -> TrainingSetup:
    """Make the setup of a tuning run: its method, the adapters and their rank, the format of what stays frozen.

    Raises InputError where adapters stand beside nothing.
    """
    if method is TuningMethod.FULL:
        return replace(setup, tuning=method, adapters=None, frozen_format="")
    frozen = (setup.frozen_format or DOUBLE_QUANTISED) if method is TuningMethod.QLORA else ""
    adapters = setup.adapters or LowRank(rank=calibration.adapter_rank)
    if not adapters.rank:
        adapters = replace(adapters, rank=calibration.adapter_rank)
    target_names(setup.model, adapters.targets)
    return replace(setup, tuning=method, adapters=adapters, frozen_format=frozen)


def estimate_tuning(
    setup: TrainingSetup,
    method: TuningMethod,
    cluster: Cluster,
    layout: Layout,
    kernels: KernelTable,
    *,
    accelerators: int | None = None,
) -> TrainingEstimate:
    """Estimate one layout of a tuning run."""
    calibration = load_training_calibration()
    return estimate_layout(
        tuned(setup, method, calibration),
        cluster,
        layout,
        kernels,
        calibration=calibration,
        accelerators=accelerators,
    )


def search_tuning(
    setup: TrainingSetup,
    method: TuningMethod,
    cluster: Cluster,
    kernels: KernelTable,
    keep: int = 20,
    memory_margin: float = MEMORY_MARGIN,
) -> list[TrainingEstimate]:
    """Find the fastest layouts of a tuning run, best first.

    Raises InfeasibleError where none fits.
    """
    calibration = load_training_calibration()
    return search(tuned(setup, method, calibration), cluster, kernels, keep, memory_margin, calibration)
