"""Calibration: figures of the training model fitted to measured runs, published or a user's own."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from suanli.domain.calibration import CalibrationResult, FreeFigure, MovedFigure
from suanli.domain.validation import Summary
from suanli.foundation.errors import InputError, did_you_mean

__all__ = ["CalibrationResult", "FreeFigure", "MovedFigure", "Summary", "calibrate", "holder_of", "listed_figures"]

LEAVE_OUT = ("run", "source", "family", "none")


def calibrate(
    paths: Sequence[str | Path],
    out: str | Path | None = None,
    leave_out: str = "source",
    from_scratch: bool = False,
) -> CalibrationResult:
    """Fit the free figures to tables of training runs and, with `out`, write those that moved as a calibration file.

    The fit starts from the shipped figures and stays near them where the runs say little; `from_scratch` forgets
    them and fits the bands too. `leave_out` says what is left out together to ask what the fit does not know: one run,
    the runs of one source or of one family of sources, or none.

    Raises InputError where scipy is not installed or a table is at fault, with every wrong cell at once.
    """
    if leave_out not in LEAVE_OUT:
        hint = did_you_mean(leave_out, LEAVE_OUT)
        raise InputError.single(place="--leave-out", found=f"'{leave_out}'", allowed=", ".join(LEAVE_OUT), hint=hint)
    from suanli.calibrate.calibrate import Request
    from suanli.calibrate.calibrate import calibrate as calibrate_runs
    from suanli.calibrate.held_out import LeaveOut

    return calibrate_runs(
        Request(
            paths=tuple(Path(path) for path in paths),
            out=None if out is None else Path(out),
            leave_out=LeaveOut(leave_out),
            from_scratch=from_scratch,
            date=datetime.date.today().isoformat(),
        )
    )


def listed_figures() -> tuple[FreeFigure, ...]:
    """List the figures that a fit may move, as they are thought of before any run."""
    from suanli.calibrate.figures import load_free

    return load_free().figures


def holder_of(figure: FreeFigure) -> str:
    """Say in stable words what a figure belongs to: classes of software, patterns of hardware, or the cluster."""
    return ", ".join((*figure.software, *figure.hardware)) or "cluster"
