"""Files of chip kinds to nouns: one file for each kind of special-purpose chip, and who trains on what never."""

from __future__ import annotations

import functools
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from suanli.catalogue.section import Section, open_section
from suanli.domain.chip import (
    ChipKind,
    Design,
    Evidence,
    Latencies,
    Links,
    MatrixUnits,
    Mesh,
    Nature,
    Placement,
    ServingOnly,
    Streams,
)

CHIP_FOLDER = Path(__file__).parent.parent / "data" / "chips"
SERVING_ONLY = "serving_only.yaml"
Part = TypeVar("Part", MatrixUnits, Streams, Latencies, Links, Mesh, Design)


def _part(section: Section, noun: type[Part]) -> Part:
    """Read a group of figures, each with the unit that the end of its name says."""
    return noun(**section.figures(tuple(one.name for one in fields(noun))))


def _optional(section: Section, key: str, noun: type[Part]) -> Part | None:
    return _part(section.at(key), noun) if key in section.said else None


def _placement(section: Section) -> Placement:
    said: dict[str, Any] = {one.name: section.said.get(one.name) for one in fields(Placement)}
    stall = said["stage_stall"]
    return Placement(
        side_by_side=bool(said["side_by_side"]),
        cut_anywhere=bool(said["cut_anywhere"]),
        exact_memory=bool(said["exact_memory"]),
        most_tensor=int(section.number("most_tensor")),
        reach=int(section.number("reach")),
        stage_stall=None if stall is None else float(stall),
    )


def read_chip(path: Path) -> ChipKind:
    """Read one kind. Raises InputError naming file and entry at fault."""
    section = open_section(path)
    return ChipKind(
        id=section.text("id"),
        name=section.text("name"),
        nature=Nature(section.get("nature")),
        accelerators=section.texts("accelerators"),
        engine=section.text("engine"),
        engines=section.texts("engines"),
        matrix=_part(section.at("matrix"), MatrixUnits),
        streams=_part(section.at("streams"), Streams),
        latencies=_part(section.at("latencies"), Latencies),
        links=_part(section.at("links"), Links),
        placement=_placement(section.at("placement")),
        mesh=_optional(section, "mesh", Mesh),
        design=_optional(section, "design", Design),
        install_bytes_per_s=section.number("install", "B/s") if "install" in section.said else 0.0,
        evidence=Evidence(section.get("evidence")),
        spread_log=section.number("spread_log"),
        source=section.text("source"),
        date=section.text("date"),
        kind=section.text("kind"),
        notes=section.text("notes"),
        sources={name: str(key) for name, key in section.said.get("sources", {}).items()},
    )


@functools.cache
def load_chips(folder: Path = CHIP_FOLDER) -> tuple[ChipKind, ...]:
    """Read all kinds of chips. Raises InputError naming file and entry at fault."""
    return tuple(read_chip(path) for path in sorted(folder.glob("*.yaml")) if path.name != SERVING_ONLY)


@functools.cache
def load_serving_only(folder: Path = CHIP_FOLDER) -> tuple[ServingOnly, ...]:
    """Read which accelerators only serve, and why."""
    section = open_section(folder / SERVING_ONLY)
    return tuple(
        ServingOnly(accelerators=one.texts("accelerators"), reason=one.text("reason"), source=one.text("source"))
        for one in section.within("groups").values()
    )
