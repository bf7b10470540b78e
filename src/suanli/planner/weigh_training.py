"""What a kind of system does for a training or tuning job: size first, then the best layout at that size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from suanli.domain.hardware import Cluster, Precision, System
from suanli.domain.kernel import KernelTable
from suanli.domain.model import Model
from suanli.domain.result import Band, TrainingEstimate
from suanli.domain.scenario import TrainingJob, TuningJob
from suanli.domain.workload import TrainingSetup
from suanli.estimate.finetuning import tuned
from suanli.estimate.search import search
from suanli.estimate.software import find_software, load_training_calibration
from suanli.estimate.wall_clock import RunJob
from suanli.foundation.calendar import SECONDS_PER_MONTH, months_between
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr
from suanli.parts.architectures.count import active_parameters, parameters
from suanli.planner.goodput import Interruptions
from suanli.planner.performance import Performance, Refusal

FLOP_PER_PARAMETER_AND_TOKEN = 2 + 2 * 2
"""A multiply-add forward, two backward, for each parameter that a token passes through."""

BAND_WIDTH_IN_DEVIATIONS = 2 * 1.2815515655446004
"""An 80 % band is this many standard deviations of the logarithm wide: twice the 90 % quantile of the normal."""

MOST_TIMES = 2**7
"""A job that does not fit the systems its window asks for is tried on up to so many times as many."""

Job = TrainingJob | TuningJob
Assumptions = Mapping[str, Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What every weighing needs: kernel calibrations, the planner's figures, how often the fleet is interrupted.

    `as_of` is the date whose training software and serving engines are planned with ("": the latest).
    """

    kernels: KernelTable
    assumptions: Assumptions
    interruptions: Interruptions
    as_of: str = ""


def spread_of(band: Band) -> float:
    """Read the standard deviation of the logarithm from an 80 % band."""
    return math.log(band.high / band.low) / BAND_WIDTH_IN_DEVIATIONS


def setup_of(job: Job, model: Model, desk: Desk) -> TrainingSetup:
    """Describe the job as an estimate asks for it; an open global batch is filled from the planner's figures."""
    kind = "tuning" if isinstance(job, TuningJob) else "pretrain"
    batch_tokens = desk.assumptions[f"planning.{kind}_batch_tokens"].value
    fallback = 2 ** round(math.log2(max(1.0, batch_tokens / job.sequence_tokens)))
    calibration = load_training_calibration()
    setup = TrainingSetup(
        model=model,
        sequence_tokens=job.sequence_tokens,
        global_batch=job.global_batch or fallback,
        precision=job.precision,
        number_format=job.precision.value,
        framework=find_software(calibration, job.framework, desk.as_of).id,
    )
    if not isinstance(job, TuningJob):
        return setup
    own = replace(
        setup,
        adapters=job.adapters,
        freezing=job.freezing,
        optimizer=job.optimizer,
        document_tokens=job.document_tokens,
    )
    return tuned(own, job.method, calibration)


def weigh_training(job: Job, model: Model, system: System, desk: Desk) -> Performance | Refusal:
    """Estimate a job on the smallest number of systems that promises to finish in time, or say why it cannot run."""
    setup = setup_of(job, model, desk)
    if not _has_peak(system, setup.precision):
        reason = tr("{system} has no arithmetic in {format}", system=system.name, format=setup.precision.value)
        return Refusal(workload_id=job.id, system_id=system.id, reason=reason)
    wanted = _size(job, model, system, setup, desk)
    found = _first_that_fits(setup, system, wanted, job.most_systems or wanted * MOST_TIMES, desk)
    if isinstance(found, str):
        return Refusal(workload_id=job.id, system_id=system.id, reason=found)
    systems, estimate = found
    least = max(job.least_systems or 1, _least(setup, system, systems, desk))
    try:
        return performance_of(job, model, system, systems, estimate, least, desk)
    except InfeasibleError as error:
        return Refusal(workload_id=job.id, system_id=system.id, reason=error.limit)


def performance_of(
    job: Job, model: Model, system: System, systems: int, estimate: TrainingEstimate, least: int, desk: Desk
) -> Performance:
    """Put an estimate into the buyer's terms. Raises InfeasibleError where failures never let the run end."""
    size = float(parameters(model))
    goodput = 1.0
    if isinstance(job, TrainingJob):
        steps = job.tokens / (estimate.tokens_per_s * estimate.step_seconds)
        run = RunJob(estimate=estimate, steps=steps, tokens=job.tokens, parameters=size, system=system, systems=systems,
                     upkeep=desk.interruptions.upkeep)  # fmt: skip
        goodput = desk.interruptions.goodput(run)
    return Performance(
        workload_id=job.id,
        system_id=system.id,
        systems=systems,
        rate_per_system=estimate.tokens_per_s / systems * goodput,
        spread_log=spread_of(estimate.band),
        least_systems=least,
        most_systems=job.most_systems,
        goodput=goodput,
        parameters=size,
        training=estimate,
    )


def weigh_at(job: Job, model: Model, system: System, systems: int, least: int, desk: Desk) -> Performance | None:
    """Estimate a job on as many systems as are there, or on the most below that which a layout can use."""
    setup = setup_of(job, model, desk)
    for used in range(systems, max(least, 1) - 1, -1):
        try:
            estimate = search(setup, Cluster(system=system, nodes=used), desk.kernels, keep=1)[0]
            return performance_of(job, model, system, used, estimate, least, desk)
        except InfeasibleError:
            continue
    return None


def _has_peak(system: System, precision: Precision) -> bool:
    peaks = system.accelerator.peak_flop_per_s
    return precision in peaks or (precision is Precision.BF16 and Precision.FP16 in peaks)


def _size(job: Job, model: Model, system: System, setup: TrainingSetup, desk: Desk) -> int:
    """Choose how many systems to estimate for: a power of two that fills the job's window at the sizing utilisation."""
    peaks = system.accelerator.peak_flop_per_s
    peak = (peaks.get(setup.precision) or peaks[Precision.FP16]).value * system.accelerators
    rate = peak * desk.assumptions["planning.sizing_utilisation"].value
    flop = job.tokens * active_parameters(model) * FLOP_PER_PARAMETER_AND_TOKEN
    if isinstance(job, TrainingJob):
        window = (months_between(job.first_month, job.deadline) + 1) * SECONDS_PER_MONTH
    else:
        window = SECONDS_PER_MONTH / job.runs_per_month
    needed = flop / rate / (window * desk.assumptions["planning.sizing_window_share"].value)
    systems = 1 << max(0, math.ceil(math.log2(max(needed, 1.0))))
    return min(max(systems, job.least_systems or 1), job.most_systems or systems)


def _first_that_fits(
    setup: TrainingSetup, system: System, systems: int, most: int, desk: Desk
) -> tuple[int, TrainingEstimate] | str:
    """Double the number of systems until a layout fits, to the most there may be; the last refusal where none does."""
    while True:
        try:
            return systems, search(setup, Cluster(system=system, nodes=systems), desk.kernels, keep=1)[0]
        except InfeasibleError as error:
            refusal = str(error)
        if systems >= most:
            return refusal
        systems = min(systems * 2, most)


def _least(setup: TrainingSetup, system: System, systems: int, desk: Desk) -> int:
    """Halve the number of systems while a layout still fits."""
    while systems > 1:
        try:
            search(setup, Cluster(system=system, nodes=systems // 2), desk.kernels, keep=1)
        except InfeasibleError:
            break
        systems //= 2
    return systems
