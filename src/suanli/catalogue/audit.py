"""The catalogue held against itself: every file read, every name leading somewhere, every figure of a sane size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from suanli.catalogue.assumptions import FILE as ASSUMPTIONS
from suanli.catalogue.assumptions import read_assumptions
from suanli.catalogue.figures import DATA
from suanli.catalogue.load import Catalogue, survey
from suanli.catalogue.plain_yaml import read_plain
from suanli.domain.hardware import Accelerator, System
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr

ALIASES = DATA / "aliases.yaml"
SANE = DATA / "sane_sizes.yaml"


def audit(paths: tuple[Path, ...] = ()) -> tuple[Catalogue, list[Fault]]:
    """Read the built-in catalogue and the user's files over it; return what could be read and every fault found."""
    found, faults = survey(paths)
    faults += read_assumptions(ASSUMPTIONS)[1]
    faults += _lost_names(found)
    sizes = _sane_sizes()
    items: list[Accelerator | System] = [*found.accelerators.values(), *found.systems.values()]
    for item in items:
        faults += _outsized(item, sizes)
    return found, faults


def check(paths: tuple[Path, ...] = ()) -> Catalogue:
    """Audit the catalogue. Raises InputError with every fault found."""
    found, faults = audit(paths)
    if faults:
        raise InputError(faults)
    return found


def named_figures(item: Accelerator | System) -> Iterator[tuple[str, Figure]]:
    """List every figure of an accelerator or a system by a name that ends in its unit."""
    from dataclasses import fields

    for field in fields(item):
        value = getattr(item, field.name)
        if isinstance(value, Figure):
            yield field.name, value
        elif isinstance(value, Mapping):
            for name, figure in value.items():
                yield f"{field.name}.{name}", figure
    if item.link.bytes_per_s is not None:
        yield "link.bytes_per_s", item.link.bytes_per_s


def _lost_names(found: Catalogue) -> Iterator[Fault]:
    """Fault names that lead nowhere: aliases, chassis and siblings of products that are not there."""
    document = read_plain(ALIASES)
    ids: Mapping[str, Mapping[str, object]] = {
        "accelerators": found.accelerators,
        "systems": found.systems,
        "chassis": found.systems,
    }
    for table, known in ids.items():
        for name, target in document.data[table].items():
            if target not in known:
                yield _lost(document.place((table, name)), str(target), known)
    for family, members in document.data["siblings"].items():
        for member in members:
            if member not in found.accelerators:
                yield _lost(document.place(("siblings", family)), str(member), found.accelerators)


def _lost(place: str, name: str, known: Mapping[str, object]) -> Fault:
    found = tr("unknown item '{item}'", item=name)
    return Fault(
        place=place, found=found, allowed=tr("an accelerator's or system's id"), hint=did_you_mean(name, known)
    )


def _sane_sizes() -> Mapping[str, tuple[float, float]]:
    said = read_plain(SANE).data
    return {name: (float(size["least"]), float(size["most"])) for name, size in said.items()}


def _outsized(item: Accelerator | System, sizes: Mapping[str, tuple[float, float]]) -> Iterator[Fault]:
    """Fault figures that are out by orders of magnitude, as a wrong unit makes them."""
    for name, figure in named_figures(item):
        least, most = sizes.get(name) or sizes.get(name.partition(".")[0], (0.0, float("inf")))
        if not least <= figure.value <= most:
            found = f"{figure.value:g} {figure.unit}"
            allowed = tr("{least:g} to {most:g} {unit}", least=least, most=most, unit=figure.unit)
            yield Fault(place=f"{item.id}: {name}", found=found, allowed=allowed, hint=tr("Is the unit right?"))
