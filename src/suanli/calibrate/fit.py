"""Fits free figures to measured runs: a robust loss on the log of predicted over measured, held by a prior."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suanli.calibrate.apply import calibrated, predicted_seconds, values_of
from suanli.calibrate.figures import FitRules
from suanli.calibrate.runs import Runs
from suanli.domain.calibration import FreeFigure, MovedFigure
from suanli.domain.software import TrainingCalibration
from suanli.foundation.equation import FloatArray
from suanli.foundation.extras import not_installed

INSIDE = 1e-6
"""How far inside its bounds a search starts, in sigmas of the prior."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """Where the figures ended: values, one sigma of each after the data, which any run depends on, the calibration."""

    values: FloatArray
    widths: FloatArray
    touched: NDArray[np.bool_]
    calibration: TrainingCalibration


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is fitted: the runs, the calibration that all else is taken from, the free figures and the fit's rules."""

    runs: Runs
    known: TrainingCalibration
    figures: tuple[FreeFigure, ...]
    rules: FitRules


def optimisers() -> Any:
    """Load scipy's optimisers. Raises InputError that says how to get them where they are not installed."""
    try:
        from scipy import optimize
    except ModuleNotFoundError as error:
        raise not_installed("calibrate", "scipy", "calibrate") from error
    return optimize


def around(figures: Sequence[FreeFigure], known: TrainingCalibration) -> tuple[FreeFigure, ...]:
    """Centre the prior of every figure on its value in a calibration, widening bounds that would leave it out."""
    return tuple(
        replace(figure, start=start, low=min(figure.low, start), high=max(figure.high, start))
        for figure, start in zip(figures, values_of(known, figures).tolist(), strict=True)
    )


def weights_of(sources: Sequence[str], rules: FitRules) -> FloatArray:
    """Weigh runs: one of a source of n counts n to minus a power, and all of them count a set weight in the mean."""
    count = Counter(sources)
    each = np.array([count[source] ** -rules.source_power for source in sources])
    weighed: FloatArray = each / each.mean() * rules.run_weight
    return weighed


def robust(sigmas: FloatArray, limit: float) -> FloatArray:
    """Residuals whose squares are Huber's loss: themselves up to a limit, growing with the root of their size beyond.

    r = e where |e| <= k, else sign(e) sqrt(2 k |e| - k^2)
    """
    size = np.abs(sigmas)
    beyond = np.sign(sigmas) * np.sqrt(np.maximum(2 * limit * size - limit**2, 0.0))
    return np.where(size <= limit, sigmas, beyond)


def touched_by(problem: Problem, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say of every figure whether the step of any of these runs changes when it moves over its whole range."""
    start = np.array([figure.start for figure in problem.figures])

    def seconds(at: int, value: float) -> FloatArray:
        moved = start.copy()
        moved[at] = value
        return predicted_seconds(calibrated(problem.known, problem.figures, moved), problem.runs)[rows]

    plain = [seconds(0, float(start[0]))] * len(start)
    ends = [(seconds(at, one.low), seconds(at, one.high)) for at, one in enumerate(problem.figures)]
    return np.array(
        [bool(np.any(low != at) or np.any(high != at)) for (low, high), at in zip(ends, plain, strict=True)]
    )


def fit(problem: Problem, left_out: NDArray[np.bool_] | None = None) -> Fit:
    """Fit the figures to the runs that are not left out; a figure that none of them depends on stays as it is.

    Raises InputError where scipy is not installed.
    """
    kept = np.ones(len(problem.runs), dtype=bool) if left_out is None else ~left_out
    start = np.array([figure.start for figure in problem.figures])
    width = np.array([figure.width for figure in problem.figures])
    touched = touched_by(problem, kept) if kept.any() else np.zeros(len(start), dtype=bool)
    values, widths = start.copy(), width.copy()
    if touched.any():
        found = _search(problem, kept, touched)
        ended = _at_bounds(start + _whole(found.x, touched) * width, problem.figures, problem.rules.step_sigmas)
        values[touched] = ended[touched]
        spread = np.linalg.inv(found.jac.T @ found.jac)
        widths[touched] = width[touched] * np.sqrt(np.diag(spread))
    moved = calibrated(problem.known, problem.figures, values)
    return Fit(values=values, widths=widths, touched=touched, calibration=moved)


def _whole(some: FloatArray, touched: NDArray[np.bool_]) -> FloatArray:
    """Spread the numbers of touched figures out over all figures, 0 for the others."""
    whole = np.zeros(len(touched))
    whole[touched] = some
    return whole


def _at_bounds(values: FloatArray, figures: Sequence[FreeFigure], step_sigmas: float) -> FloatArray:
    """Put values that a search left next to a bound, closer than its own steps, on that bound."""

    def held(value: float, one: FreeFigure) -> float:
        near = step_sigmas * one.width
        if value - one.low < near:
            return one.low
        return one.high if one.high - value < near else value

    return np.array([held(value, one) for value, one in zip(values.tolist(), figures, strict=True)])


def _search(problem: Problem, kept: NDArray[np.bool_], touched: NDArray[np.bool_]) -> Any:
    """Search in sigmas of the prior, over the touched figures only."""
    rules, measured = problem.rules, problem.runs.measured_seconds
    figures = [figure for figure, moves in zip(problem.figures, touched, strict=True) if moves]
    start, width, low, high = (
        np.array([getattr(figure, name) for figure in figures]) for name in ("start", "width", "low", "high")
    )
    kept_sources = [source for source, stays in zip(problem.runs.sources, kept, strict=True) if stays]
    root = np.sqrt(weights_of(kept_sources, rules))
    base = calibrated(problem.known, problem.figures, [figure.start for figure in problem.figures])
    bounds = ((low - start) / width, (high - start) / width)

    def residuals(sigmas: FloatArray) -> FloatArray:
        values = np.clip(start + sigmas * width, low, high)
        predicted = predicted_seconds(calibrated(base, figures, values), problem.runs)[kept]
        errors = np.log(predicted / measured[kept]) / rules.noise_log
        return np.concatenate([root * robust(errors, rules.huber_sigmas), sigmas])

    begin = np.clip(np.zeros(len(start)), bounds[0] + INSIDE, bounds[1] - INSIDE)
    return optimisers().least_squares(
        residuals, begin, bounds=bounds, diff_step=rules.step_sigmas, max_nfev=rules.most_rounds, ftol=rules.tolerance
    )


def moved_figures(problem: Problem, found: Fit, before: FloatArray) -> tuple[MovedFigure, ...]:
    """Tell every figure before and after a fit."""
    return tuple(
        MovedFigure(figure=figure, before=then, after=now, width=width, touched=touched)
        for figure, then, now, width, touched in zip(
            problem.figures, before.tolist(), found.values.tolist(), found.widths.tolist(), found.touched.tolist(),
            strict=True,
        )
    )  # fmt: skip
