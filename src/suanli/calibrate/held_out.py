"""What a fit does not know: every run predicted by a fit that its source, or family of sources, was left out of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from suanli.calibrate.apply import predicted_seconds
from suanli.calibrate.fit import Problem, fit
from suanli.foundation.equation import FloatArray


class LeaveOut(StrEnum):
    """What is left out together."""

    RUN = "run"
    SOURCE = "source"
    FAMILY = "family"
    NONE = "none"


def family_of(source: str, families: Mapping[str, str]) -> str:
    """Return the family of a source, its first word: releases of one page hold near-copies of each other's runs."""
    first = source.split(" ", maxsplit=1)[0].split("_", maxsplit=1)[0].rstrip(":")
    return families.get(first, first)


def groups_of(sources: Sequence[str], by: LeaveOut, families: Mapping[str, str]) -> tuple[str, ...]:
    """Return the name of what every run is left out with."""
    if by is LeaveOut.RUN:
        return tuple(f"{row}" for row in range(len(sources)))
    return tuple(family_of(source, families) if by is LeaveOut.FAMILY else source for source in sources)


def left_out_seconds(problem: Problem, groups: Sequence[str]) -> FloatArray:
    """Predict every run by a fit to the runs of all other groups."""
    names = np.array(groups)
    told: FloatArray = np.zeros(len(problem.runs))
    for group in dict.fromkeys(groups):
        left = names == group
        told[left] = predicted_seconds(fit(problem, left).calibration, problem.runs)[left]
    return told
