"""Logs of training runs and exports of their devices beside the prediction for the very same job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from suanli.domain.training_log import (
    Cause,
    CauseKind,
    CausePart,
    DeviceUse,
    LogComparison,
    Pace,
    PauseKind,
    Progress,
    Setting,
)
from suanli.foundation.errors import Fault, InputError

__all__ = [
    "Cause", "CauseKind", "CausePart", "DeviceUse", "LogComparison", "Pace", "PauseKind", "Progress", "Setting",
    "compare_logs", "is_log", "is_text",
]  # fmt: skip


def is_log(path: str | Path) -> bool:
    """Say whether a file is a log of training or an export of devices, by what it holds."""
    from suanli.validation.logs.read import is_log as told

    return told(Path(path))


def is_text(path: str | Path) -> bool:
    """Say whether a file is text that is neither a table nor JSON."""
    from suanli.validation.logs.read import is_text as told

    return told(Path(path))


def compare_logs(paths: Sequence[str | Path], said: Mapping[str, Any], searched: bool = True) -> LogComparison:
    """Read the files of one run and hold it against the prediction for its layout.

    `said` holds what options tell, by the names of a training question's fields; it counts before what files tell.
    `searched` lets a search look for a better layout.

    Raises InputError with every fault of the files, and everything that neither they nor options tell.
    """
    from suanli.api.layouts import freedom_of, layout_of
    from suanli.api.log_question import asked_by
    from suanli.api.train import own_calibration, setup_of
    from suanli.api.training_question import TrainingQuestion, faults_of
    from suanli.catalogue.kernels import load_kernels
    from suanli.validation.logs.compare import LoggedJob, compare_log
    from suanli.validation.logs.read import names_of, read_logs

    files = [Path(path) for path in paths]
    log = read_logs(files)
    asked = asked_by(log, said)
    if faults := faults_of(asked.question):
        raise InputError([_placed(one, log.settings) for one in faults])
    kernels = load_kernels()
    calibration, own = own_calibration(asked.question.calibration)
    setup, assumed = setup_of(asked.question, kernels, calibration, asked.model)
    layout = layout_of(asked.question, setup, asked.cluster, kernels)
    job = LoggedJob(
        setup=setup,
        cluster=asked.cluster,
        layout=layout,
        freedom=freedom_of(TrainingQuestion(model="", system="", offload=asked.question.offload)),
        calibration=calibration,
        kernels=kernels,
        assumed=(*asked.assumed, *assumed, *own),
    )
    return compare_log(names_of(files), log, job, searched)


def _placed(fault: Fault, settings: Mapping[str, Setting]) -> Fault:
    """Say the file and line of a wrong setting where a file told it."""
    from suanli.api.training_question import option_of

    for name, one in settings.items():
        if option_of(name) == fault.place:
            return replace(fault, place=f"{one.place} ({fault.place})")
    return fault
