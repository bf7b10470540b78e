"""Predicts published training runs at the layout that each row gives, with nothing tuned to the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from suanli.catalogue.load import Catalogue
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, Recompute
from suanli.domain.result import Band, TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.validation import PREDICTED, FitRow, MeasuredQuantity, Prediction, ValidationRow
from suanli.estimate.search import search
from suanli.estimate.training import estimate_layout
from suanli.estimate.uncertainty import band_without_layout
from suanli.foundation.errors import SuanliError
from suanli.validation.fits import fit_rows
from suanli.validation.reading import Reading
from suanli.validation.rows import Record, raise_faults
from suanli.validation.training import Run, measured_quantities, read_run


def estimate_run(run: Run, kernels: KernelTable, calibration: TrainingCalibration) -> TrainingEstimate:
    """Estimate a run at its layout, or at the fastest legal one where it gives none.

    A run that ran and leaves open what is computed again is taken to compute as much as makes it fit.
    """
    if run.layout is None:
        whole = run.accelerators
        best = search(run.setup, run.cluster, kernels, keep=1, calibration=calibration, accelerators=whole)[0]
        return slowed(best, calibration)
    estimate = _at_layout(run, run.layout, kernels, calibration)
    for level in heavier(run, calibration) if run.open_recompute and not run.out_of_memory else ():
        if estimate.limit != "memory":
            return estimate
        estimate = _at_layout(run, replace(run.layout, recompute=level), kernels, calibration)
    return estimate


def _at_layout(run: Run, layout: Layout, kernels: KernelTable, calibration: TrainingCalibration) -> TrainingEstimate:
    return estimate_layout(
        run.setup, run.cluster, layout, kernels, calibration=calibration, accelerators=run.accelerators
    )


def heavier(run: Run, calibration: TrainingCalibration) -> tuple[Recompute, ...]:
    """List what a run that does not fit and says nothing of it is taken to compute again, the lightest first.

    Compilers that shard fully compute whole layers again; other software single modules.
    """
    compiled = calibration.software[run.setup.framework].whole_recompute > 0
    return (Recompute.SELECTIVE, Recompute.FULL) if compiled else (Recompute.SELECTIVE,)


def slowed(estimate: TrainingEstimate, calibration: TrainingCalibration) -> TrainingEstimate:
    """Stretch the best layout's step to that of a layout somebody chose without knowing it is the best."""
    factor = calibration.unknown_layout_slowdown
    wide = band_without_layout(calibration, estimate.band, estimate.step_seconds)
    return replace(
        estimate,
        step_seconds=factor * estimate.step_seconds,
        expected_step_seconds=estimate.expected_step_seconds and factor * estimate.expected_step_seconds,
        tokens_per_s=estimate.tokens_per_s / factor,
        mfu=estimate.mfu / factor,
        seconds_by_cause={cause: factor * seconds for cause, seconds in estimate.seconds_by_cause.items()},
        band=Band(low=factor * wide.low, high=factor * wide.high),
    )


def estimate_row(
    record: Record,
    catalogue: Catalogue,
    kernels: KernelTable,
    calibration: TrainingCalibration,
    reading: Reading,
) -> tuple[Run, TrainingEstimate] | str:
    """Read a row and estimate its run, or say in words why there is no estimate."""
    run = read_run(record, catalogue, reading, calibration)
    if isinstance(run, str):
        return run
    try:
        return run, estimate_run(run, kernels, calibration)
    except SuanliError as error:
        return str(error)


def predictions_of(run: Run, estimate: TrainingEstimate) -> dict[str, Prediction]:
    """Say what an estimate predicts of each quantity that a row may measure."""
    band, assumed = estimate.band, assumed_of(run, estimate)
    seen = seen_share(run, estimate.bytes_by_cause)
    return {
        "step_seconds": Prediction(predicted=estimate.step_seconds, low=band.low, high=band.high, assumed=assumed),
        "peak_memory_bytes": Prediction(
            predicted=seen * estimate.memory_bytes,
            low=seen * estimate.memory_band.low,
            high=seen * estimate.memory_band.high,
            assumed=assumed,
        ),
    }


def seen_share(run: Run, bytes_by_cause: Mapping[str, float]) -> float:
    """Share of a run's memory that its printed peak shows."""
    return 1 - sum(bytes_by_cause[cause] for cause in run.unseen_causes) / sum(bytes_by_cause.values())


def assumed_of(run: Run, estimate: TrainingEstimate) -> tuple[str, ...]:
    """Tell what was assumed of a run: what is computed again as the estimate took it, not as it was first read."""
    if run.layout is None or estimate.layout.recompute is run.layout.recompute:
        return run.assumed
    taken = f"recompute = {estimate.layout.recompute.value}"
    return tuple(taken if word.startswith("recompute") else word for word in run.assumed)


def judge(measured: MeasuredQuantity, predicted: Prediction | None, status: str) -> ValidationRow:
    """Hold one measured quantity against its prediction."""
    if predicted is None:
        return ValidationRow(
            id=measured.id, quantity=measured.quantity, measured=measured.measured, predicted=None, low=None, high=None,
            error=None, status=status, source=measured.source, accelerator=measured.accelerator,
        )  # fmt: skip
    return ValidationRow(
        id=measured.id, quantity=measured.quantity, measured=measured.measured, predicted=predicted.predicted,
        low=predicted.low, high=predicted.high, error=predicted.predicted / measured.measured - 1, status=PREDICTED,
        source=measured.source, accelerator=measured.accelerator, assumed=predicted.assumed,
    )  # fmt: skip


def training_rows(
    records: Sequence[Record],
    catalogue: Catalogue,
    kernels: KernelTable,
    calibration: TrainingCalibration,
    reading: Reading,
) -> tuple[list[ValidationRow], list[FitRow]]:
    """Predict every quantity of every row, and whether it fits. Raises InputError with every wrong cell at once."""
    rows: list[ValidationRow] = []
    fits: list[FitRow] = []
    for record in records:
        found = estimate_row(record, catalogue, kernels, calibration, reading)
        told = found if isinstance(found, str) else predictions_of(*found)
        measured = measured_quantities(record)
        if isinstance(told, str):
            rows += [judge(one, None, told) for one in measured]
        else:
            rows += [judge(one, told[one.quantity], "") for one in measured]
        if not isinstance(found, str):
            fits += fit_rows(*found, ran=bool(measured))
    raise_faults(records)
    return rows, fits
