"""Sums up many held-out predictions: median, mean and 90th percentile of the error, and how often the band held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from suanli.domain.validation import FitRow, Summary, ValidationResult, ValidationRow
from suanli.validation.fits import fit_summary, wrong_fits

NINETIETH_PERCENT = 90
"""The percentile that tells of the tail."""


def summarise(rows: Sequence[ValidationRow]) -> Summary:
    """Sum up rows of one quantity; rows without a prediction count in `rows` only."""
    told = [row for row in rows if row.error is not None]
    errors = np.abs(np.array([row.error for row in told], dtype=np.float64))
    inside = [row.low is not None and row.high is not None and row.low <= row.measured <= row.high for row in told]
    return Summary(
        rows=len(rows),
        predicted_rows=len(told),
        median_abs_error=float(np.median(errors)) if told else None,
        mape=float(np.mean(errors)) if told else None,
        p90_abs_error=float(np.percentile(errors, NINETIETH_PERCENT)) if told else None,
        band_coverage=float(np.mean(inside)) if told else None,
    )


def _grouped(
    rows: Iterable[ValidationRow], key: Callable[[ValidationRow], tuple[str, str]]
) -> dict[tuple[str, str], Summary]:
    groups: dict[tuple[str, str], list[ValidationRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {name: summarise(group) for name, group in sorted(groups.items())}


def result_of(rows: Sequence[ValidationRow], fits: Sequence[FitRow] = ()) -> ValidationResult:
    """Put all rows together with their sums by quantity, source and accelerator, and with verdicts on memory."""
    by_quantity = _grouped(rows, lambda row: (row.quantity, ""))
    return ValidationResult(
        rows=tuple(rows),
        summary={quantity: summary for (quantity, _), summary in by_quantity.items()},
        by_source=_grouped(rows, lambda row: (row.quantity, row.source)),
        by_accelerator=_grouped(rows, lambda row: (row.quantity, row.accelerator)),
        fits=fit_summary(fits) if fits else None,
        wrong_fits=wrong_fits(fits),
    )
