"""Reads which figures a fit may move, how far they may be off, and how the fit weighs runs."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from suanli.catalogue.yaml_reader import YamlDocument, read_yaml
from suanli.domain.calibration import FreeFigure
from suanli.domain.software import Software, Sustained, TrainingCalibration
from suanli.estimate.overlay import CLUSTER
from suanli.estimate.software import read_number
from suanli.foundation.errors import Fault, InputError, did_you_mean

FREE_FILE = Path(__file__).parent.parent / "data" / "calibration" / "free.yaml"
NUMBERS = ("start", "width", "low", "high")


@dataclass(frozen=True, kw_only=True, slots=True)
class FitRules:
    """How a fit weighs: the noise of a run, where residuals stop to count by their square, how runs share a weight."""

    noise_log: float
    huber_sigmas: float
    source_power: float
    run_weight: float
    most_rounds: int
    step_sigmas: float
    tolerance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SpreadRules:
    """What is thought of the spreads before any run is seen, how sure that is, and how a fit of them weighs.

    `left_out_share` is the weight of residuals of runs that a fit did not see against those it saw, `tail` the share
    of them beyond each end of a band.
    """

    software: float
    generation: float
    datasheet: float
    experts: float
    attention: float
    unknown_layout: float
    width_log: float
    left_out_share: float
    tail: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeFile:
    """The free figures, the rules of the fits, and which sources are one family though they begin differently."""

    figures: tuple[FreeFigure, ...]
    rules: FitRules
    spread: SpreadRules
    families: Mapping[str, str]


def _numbers(said: Mapping[str, Any], unit: str, place: str) -> dict[str, float]:
    return {name: read_number(said.get(name, ""), unit, f"{place}.{name}") for name in NUMBERS}


def _free(document: YamlDocument, row: int) -> FreeFigure:
    said = document.data["free"][row]
    name, place = said["figure"], document.place(("free", row))
    if name not in document.data["meanings"]:
        known = document.data["meanings"]
        raise InputError.single(
            place=place, found=f"'{name}'", allowed=", ".join(known), hint=did_you_mean(name, known)
        )
    meaning = document.data["meanings"][name]
    unit = "" if meaning["unit"] == "1" else meaning["unit"]
    return FreeFigure(
        name=name,
        unit=unit,
        meaning=meaning["meaning"],
        software=tuple(said.get("software", ())),
        hardware=tuple(said.get("hardware", ())),
        also=tuple(said.get("also", ())),
        **_numbers(said, unit, place),
    )


@functools.cache
def load_free(path: Path = FREE_FILE) -> FreeFile:
    """Read the file of free figures. Raises InputError naming the row at fault."""
    document = read_yaml(path)
    return FreeFile(
        figures=tuple(_free(document, row) for row in range(len(document.data["free"]))),
        rules=FitRules(**document.data["fit"]),
        spread=SpreadRules(**document.data["spread"]),
        families=dict(document.data["families"]),
    )


def holder_of(figure: FreeFigure) -> str:
    """Say in stable words what a figure belongs to: classes of software, patterns of hardware, or the cluster."""
    return ", ".join((*figure.software, *figure.hardware)) or "cluster"


def _unknown(place: str, found: Iterable[str], known: Iterable[str]) -> list[Fault]:
    allowed = list(known)
    return [
        Fault(place=place, found=f"'{name}'", allowed=", ".join(allowed), hint=did_you_mean(name, allowed))
        for name in found
        if name not in allowed
    ]


def check_holders(figures: Iterable[FreeFigure], known: TrainingCalibration) -> None:
    """Raise InputError with every free figure, class or pattern that a calibration does not have."""
    faults: list[Fault] = []
    for one in figures:
        noun = Software if one.software else Sustained
        names = [field.name for field in fields(noun)] if one.software or one.hardware else CLUSTER
        place = f"{one.name}, {holder_of(one)}"
        faults += _unknown(place, (one.name, *one.also), names)
        faults += _unknown(place, one.software, known.software)
        faults += _unknown(place, one.hardware, known.sustained)
    if faults:
        raise InputError(faults)
