"""One training step, played and written as a trace."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from suanli.api.train import TrainingEstimate, TrainingQuestion, own_calibration, setup_of
from suanli.domain.hardware import Cluster
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

__all__ = ["WrittenTrace", "check_trace_path", "write_trace"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenTrace:
    """A trace on disk: where, how large, the played step, the share by which it is off the estimate, what it shows."""

    path: Path
    size_bytes: int
    step_seconds: float
    difference: float
    turns: int
    drawn: int


def check_trace_path(path: Path) -> None:
    """Raise InputError where a file cannot be written, before anything is worked out for it."""
    try:
        found = _hindrance(path)
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
    if found:
        raise InputError.single(place=f"--trace {path}", found=found, allowed=tr("a place where files may be written"))


def _hindrance(path: Path) -> str:
    """Say what stands where a trace is to be written; nothing, or an older file, is no hindrance."""
    if path.is_dir():
        return tr("a folder")
    if path.exists() and not path.is_file():
        return tr("a device or a pipe")
    above = next((folder for folder in path.absolute().parents if folder.exists()), Path("/"))
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return tr("{folder}, where no file can be made", folder=above)
    return ""


def write_trace(question: TrainingQuestion, estimate: TrainingEstimate, path: Path) -> WrittenTrace:
    """Play the step of an answer to a training question, and write it whole or not at all.

    Raises InputError where it cannot be written or its schedule does not take the layout's stages.
    """
    from suanli.catalogue.profile import resolve
    from suanli.estimate.timeline import timeline
    from suanli.report.exporters.chrome_trace import TARGET
    from suanli.report.exporters.targets import TIMELINE_TARGETS
    from suanli.report.files import write_whole

    system, kernels = resolve(question.system)
    cluster = Cluster(system=system, nodes=question.nodes)
    calibration, _ = own_calibration(question.calibration)
    setup, _ = setup_of(question, kernels, calibration)
    told = timeline(setup, cluster, estimate, kernels, calibration=calibration)
    content = TIMELINE_TARGETS[TARGET](told)
    write_whole(path, content)
    return WrittenTrace(
        path=path,
        size_bytes=len(content),
        step_seconds=told.step_seconds,
        difference=told.step_seconds / told.estimated_seconds - 1,
        turns=told.turns,
        drawn=told.drawn,
    )
