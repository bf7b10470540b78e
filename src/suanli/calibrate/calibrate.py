"""The whole of a calibration: read runs, fit the free figures, ask what the fit does not know, write what moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suanli.calibrate.apply import predicted_seconds, values_of
from suanli.calibrate.errors import errors_of
from suanli.calibrate.figures import FreeFile, check_holders, load_free
from suanli.calibrate.fit import Fit, Problem, around, fit, moved_figures, optimisers
from suanli.calibrate.held_out import LeaveOut, groups_of, left_out_seconds
from suanli.calibrate.runs import Runs, read_runs, records_of
from suanli.calibrate.spread import fit_spread, residuals_of
from suanli.calibrate.write import Origin, calibration_text, write_calibration
from suanli.domain.calibration import CalibrationResult
from suanli.domain.software import Spread
from suanli.estimate.software import load_training_calibration
from suanli.foundation.equation import FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked: tables of runs, where to write, what to leave out, and whether to forget the shipped figures."""

    paths: tuple[Path, ...]
    out: Path | None = None
    leave_out: LeaveOut = LeaveOut.SOURCE
    from_scratch: bool = False
    date: str = ""


def calibrate(request: Request) -> CalibrationResult:
    """Fit the free figures to runs, and tell what that changes.

    Raises InputError where scipy is not installed, a table has wrong cells or no run can be used.
    """
    optimisers()
    known, free = load_training_calibration(), load_free()
    check_holders(free.figures, known)
    runs = read_runs(records_of(request.paths), known)
    figures = free.figures if request.from_scratch else around(free.figures, known)
    problem = Problem(runs=runs, known=known, figures=figures, rules=free.rules)
    found = fit(problem)
    left = _left_out(problem, request.leave_out, free)
    spread = _spread(problem, found, left, free) if request.from_scratch and left is not None else None
    return _told(request, problem, found, left, spread)


def _left_out(problem: Problem, by: LeaveOut, free: FreeFile) -> FloatArray | None:
    if by is LeaveOut.NONE:
        return None
    return left_out_seconds(problem, groups_of(problem.runs.sources, by, free.families))


def _spread(problem: Problem, found: Fit, left: FloatArray, free: FreeFile) -> Spread:
    runs = problem.runs
    residuals = residuals_of(runs, predicted_seconds(found.calibration, runs), left, free.rules)
    return fit_spread(problem.known.spread, runs, residuals, free.spread)


def _told(
    request: Request, problem: Problem, found: Fit, left: FloatArray | None, spread: Spread | None
) -> CalibrationResult:
    known, runs = problem.known, problem.runs
    moved = moved_figures(problem, found, values_of(known, problem.figures))
    now = spread or known.spread
    before, before_by_source = errors_of(runs, predicted_seconds(known, runs), known.spread)
    after, after_by_source = errors_of(runs, predicted_seconds(found.calibration, runs), now)
    left_out, left_out_by_source = (None, {}) if left is None else errors_of(runs, left, now)
    if request.out is not None:
        write_calibration(request.out, calibration_text(moved, _origin(request, runs), spread))
    return CalibrationResult(
        figures=moved,
        runs=len(runs),
        before=before,
        after=after,
        left_out=left_out,
        before_by_source=before_by_source,
        after_by_source=after_by_source,
        left_out_by_source=left_out_by_source,
        refused=runs.refused,
        written=str(request.out or ""),
    )


def _origin(request: Request, runs: Runs) -> Origin:
    return Origin(source=names_of(request.paths), date=request.date, rows=len(runs))


def names_of(paths: Sequence[Path]) -> str:
    """Name tables by their files."""
    return ", ".join(path.name for path in paths)
