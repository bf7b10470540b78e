"""What stands beside the fitted classes of engines, read: drafts, adapters, settings, since when what is offered."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from suanli.catalogue.engines import version_numbers
from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.domain.serving import AdapterFigures, DraftFigures, DraftKind, EngineTraits, ServingFigures, Since
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure, Kind

FILE = DATA / "calibration" / "serving_choices.yaml"
NOTHING = Figure(value=0.0, unit="1", low=0.0, high=0.0, kind=Kind.ASSUMPTION, source="", date="")
"""What stands in for a figure at fault while the other faults of a file are gathered."""


def _figure(sheet: Sheet, *trail: str) -> Figure:
    """Read a figure whose name says its unit; launches are seconds too."""
    seconds = trail[-1].endswith("_seconds") or "launch" in trail
    return sheet.figure(*trail, into="s" if seconds else "1", needed=True) or NOTHING


def _draft(sheet: Sheet, kind: DraftKind) -> DraftFigures:
    figures = {
        name: _figure(sheet, "drafts", kind.value, name)
        for name in ("acceptance", "tokens", "host_seconds", "sequence_seconds")
    }
    return DraftFigures(kind=kind, name=sheet.text("drafts", kind.value, "name", needed=True), **figures)


def _adapters(sheet: Sheet) -> AdapterFigures:
    names = (
        "ceiling_share",
        "memory_share",
        "floor_seconds",
        "overlap_sharpness",
        "step_seconds",
        "slots",
        "link_share",
    )
    ranks: Any = sheet.get(("adapters", "ranks"))
    slack = {name: _figure(sheet, "adapters", "slack", name) for name in sheet.get(("adapters", "slack"))}
    return AdapterFigures(ranks=tuple(ranks), slack=slack, **{name: _figure(sheet, "adapters", name) for name in names})


def _since(sheet: Sheet, what: str) -> dict[str, Since]:
    told: dict[str, Since] = {}
    for engine in sheet.get(("since", what)):
        sheet.sources("since", what, engine, "sources")
        told[engine] = Since(
            version=sheet.text("since", what, engine, "version"), date=sheet.date("since", what, engine, "date")
        )
    return told


def _traits(sheet: Sheet) -> EngineTraits:
    kinds = {name: _figure(sheet, "settings", "launch", name) for name in sheet.get(("settings", "launch"))}
    return EngineTraits(
        launch_seconds={name: kinds[kind] for name, kind in sheet.get(("settings", "launch_of")).items()},
        overlaps=_since(sheet, "overlaps"),
        windows=_since(sheet, "windows"),
        state_prefixes=_since(sheet, "state_prefixes"),
        draft_overlaps=_since(sheet, "draft_overlaps"),
        draft_sequences={
            name: _figure(sheet, "settings", "draft_sequences", name)
            for name in sheet.get(("settings", "draft_sequences"))
        },
    )


@functools.cache
def load_serving_figures(path: Path = FILE) -> ServingFigures:
    """Read the file. Raises InputError with every fault of its figures."""
    sheet = Sheet(document=read_plain(path), known_sources=sources())
    found = ServingFigures(
        drafts={kind: _draft(sheet, kind) for kind in DraftKind},
        eagle_vocabulary=_figure(sheet, "eagle", "vocabulary"),
        eagle_widening=_figure(sheet, "eagle", "widening"),
        adapters=_adapters(sheet),
        traits=_traits(sheet),
    )
    if sheet.faults:
        raise InputError(sheet.faults)
    return found


def offered(since: Since | None, version: str, date: str) -> bool:
    """Say whether something that came with a version and date is there; with neither said, the latest is meant."""
    if since is None:
        return False
    if version_numbers(version) and since.version:
        return version_numbers(version) >= version_numbers(since.version)
    return not date or date >= since.date
