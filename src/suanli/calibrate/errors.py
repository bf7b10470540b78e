"""Sums up how far a calibration's predictions lie from measured runs, and how often its bands hold them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from suanli.calibrate.runs import Runs
from suanli.calibrate.spread import sigmas_of
from suanli.domain.software import Spread
from suanli.domain.validation import MeasuredQuantity, Prediction, Summary, ValidationRow
from suanli.estimate.uncertainty import band_around
from suanli.foundation.equation import FloatArray
from suanli.validation.predict import judge
from suanli.validation.summary import summarise

STEP = "step_seconds"


def judged(runs: Runs, seconds: FloatArray, spread: Spread) -> list[ValidationRow]:
    """Hold every run against a prediction and its band."""
    low, high = (np.asarray(end) for end in band_around(spread, seconds, sigmas_of(spread, runs)))
    rows = zip(runs.ids, runs.sources, runs.accelerators, runs.measured_seconds, seconds, low, high, strict=True)
    return [
        judge(
            MeasuredQuantity(id=name, quantity=STEP, measured=float(measured), source=source, accelerator=accelerator),
            Prediction(predicted=float(predicted), low=float(least), high=float(most)),
            "",
        )
        for name, source, accelerator, measured, predicted, least, most in rows
    ]


def errors_of(runs: Runs, seconds: FloatArray, spread: Spread) -> tuple[Summary, Mapping[str, Summary]]:
    """Sum up the errors of predictions: of all runs, and by source."""
    rows = judged(runs, seconds, spread)
    by_source: dict[str, list[ValidationRow]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    return summarise(rows), {source: summarise(some) for source, some in sorted(by_source.items())}
