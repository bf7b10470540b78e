"""What a calibration is made of: free figures, where the data moved them, and the errors before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suanli.domain.validation import Summary


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeFigure:
    """A figure that measured runs may move: of classes of software, of hardware patterns, or (neither) of a cluster.

    `start` is what is thought of it before any run, `width` one sigma of that, `low` and `high` what is possible;
    `also` names figures of the same holders that always have its value.
    """

    name: str
    start: float
    width: float
    low: float
    high: float
    unit: str
    meaning: str
    software: tuple[str, ...] = ()
    hardware: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedFigure:
    """A free figure before and after a fit; `width` is one sigma after it, `touched` whether any run depends on it."""

    figure: FreeFigure
    before: float
    after: float
    width: float
    touched: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationResult:
    """What `calibrate` tells: the figures, and summed-up errors before and after the fit and on runs left out.

    `left_out` is None where nothing was left out; the mappings are by source. `refused` says of each run that could
    not be used why.
    """

    figures: tuple[MovedFigure, ...]
    runs: int
    before: Summary
    after: Summary
    left_out: Summary | None
    before_by_source: Mapping[str, Summary]
    after_by_source: Mapping[str, Summary]
    left_out_by_source: Mapping[str, Summary] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    written: str = ""
