"""Reads the scaling laws of `data/scaling_laws.yaml`."""

from __future__ import annotations

import functools
from pathlib import Path

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.domain.scaling import ScalingLaw, ScalingLaws
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.figure import Figure

FILE = DATA / "scaling_laws.yaml"
UNITS = {"anchor_flop": "FLOP"}
"""The SI unit of a figure; others are pure numbers, numbers of parameters and of tokens among them."""


@functools.cache
def scaling_laws() -> ScalingLaws:
    """Read all laws. Raises InputError with every fault in the file."""
    found, faults = read_scaling_laws(FILE)
    if faults:
        raise InputError(faults)
    return found


def read_scaling_laws(path: Path) -> tuple[ScalingLaws, list[Fault]]:
    """Read a file of laws, with the faults found in it."""
    document = read_plain(path)
    sheet = Sheet(document=document, known_sources=sources())
    laws = {}
    for name, said in document.data["laws"].items():
        figures = _figures(sheet, ("laws", name), [key for key in said if key != "band"])
        laws[name] = ScalingLaw(id=name, in_band=sheet.text("laws", name, "band") == "yes", figures=figures)
    batch = _figures(sheet, ("batch",), list(document.data["batch"]))
    found = ScalingLaws(default=sheet.text("default", needed=True), laws=laws, batch=batch)
    return found, [*document.faults, *sheet.faults]


def _figures(sheet: Sheet, trail: tuple[str, ...], names: list[str]) -> dict[str, Figure]:
    read = {name: sheet.figure(*trail, name, into=UNITS.get(name, "1"), needed=True) for name in names}
    return {name: figure for name, figure in read.items() if figure is not None}


def find_law(name: str, place: str) -> ScalingLaw:
    """Return a law by id, the default for an empty one. Raises InputError naming the nearest."""
    known = scaling_laws()
    law = known.laws.get(name.strip().lower() or known.default)
    if law is None:
        allowed = ", ".join(known.laws)
        raise InputError.single(place=place, found=f"'{name}'", allowed=allowed, hint=did_you_mean(name, known.laws))
    return law
