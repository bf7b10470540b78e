"""Values of free figures to a calibration and back, and every run's step under a calibration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from suanli.calibrate.runs import Runs
from suanli.domain.calibration import FreeFigure
from suanli.domain.software import Software, Sustained, TrainingCalibration
from suanli.estimate.compose import StepColumns, compose
from suanli.estimate.evaluate import wear_under
from suanli.foundation.equation import FloatArray

WORDS = ("id", "name")
"""The fields of a class of software that are no figures."""


def value_of(known: TrainingCalibration, figure: FreeFigure) -> float:
    """Read a free figure from a calibration: that of its first holder."""
    if figure.software:
        return float(getattr(known.software[figure.software[0]], figure.name))
    if figure.hardware:
        return float(getattr(known.sustained[figure.hardware[0]], figure.name))
    return float(getattr(known, figure.name))


def values_of(known: TrainingCalibration, figures: Sequence[FreeFigure]) -> FloatArray:
    """Read all free figures from a calibration."""
    return np.array([value_of(known, figure) for figure in figures])


Changes = dict[str, dict[str, float]]
"""New values by holder and by figure."""


def changes_of(figures: Iterable[FreeFigure], values: Iterable[float]) -> tuple[Changes, Changes, dict[str, float]]:
    """Sort new values by what they belong to: classes of software, patterns of hardware, the cluster."""
    software: Changes = {}
    hardware: Changes = {}
    cluster: dict[str, float] = {}
    for figure, value in zip(figures, values, strict=True):
        told = dict.fromkeys((figure.name, *figure.also), float(value))
        for name in figure.software:
            software.setdefault(name, {}).update(told)
        for name in figure.hardware:
            hardware.setdefault(name, {}).update(told)
        if not figure.software and not figure.hardware:
            cluster.update(told)
    return software, hardware, cluster


def calibrated(
    known: TrainingCalibration, figures: Sequence[FreeFigure], values: Iterable[float]
) -> TrainingCalibration:
    """Return the same calibration with free figures at new values."""
    software, hardware, cluster = changes_of(figures, values)
    fresh: dict[str, Any] = {**cluster}
    return replace(
        known,
        software={name: _moved(one, software.get(name, {})) for name, one in known.software.items()},
        sustained={name: _worn(one, hardware.get(name, {})) for name, one in known.sustained.items()},
        **fresh,
    )


def _moved(one: Software, told: Mapping[str, float]) -> Software:
    fresh: dict[str, Any] = {**told}
    return replace(one, **fresh) if told else one


def _worn(one: Sustained, told: Mapping[str, float]) -> Sustained:
    return replace(one, **told) if told else one


def software_columns(known: TrainingCalibration, runs: Runs) -> Software:
    """Write every run's class of software as columns: each figure of it one number a run."""
    classes = [known.software[name] for name in runs.classes]
    columns: dict[str, Any] = {
        field.name: np.array([getattr(one, field.name) for one in classes])[runs.class_rows]
        for field in fields(Software)
        if field.name not in WORDS
    }
    return Software(id="", name="", **columns)


def lasting_columns(known: TrainingCalibration, runs: Runs) -> Sustained:
    """Write what long training keeps of every run's accelerator as columns."""
    shares = [known.sustained.get(pattern, Sustained()) for pattern in runs.patterns]
    columns: dict[str, Any] = {
        field.name: np.array([getattr(one, field.name) for one in shares])[runs.pattern_rows]
        for field in fields(Sustained)
    }
    return Sustained(**columns)


def step_columns(known: TrainingCalibration, runs: Runs) -> StepColumns:
    """Compose every run's step under a calibration, at the layout it was read with."""
    wear = wear_under(known, lasting_columns(known, runs), runs.narrow)
    return compose(runs.raw, software_columns(known, runs), wear)


def predicted_seconds(known: TrainingCalibration, runs: Runs) -> FloatArray:
    """Predict every run's step; a layout that was searched for is slowed as people's choices are."""
    slowed = np.where(runs.searched, known.unknown_layout_slowdown, 1.0)
    return step_columns(known, runs).step_seconds * slowed
