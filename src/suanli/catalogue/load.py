"""The catalogue: every accelerator, system and offer as nouns, with a user's own files laid over them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.catalogue.figures import DATA
from suanli.catalogue.hardware_files import accelerator_of, system_of
from suanli.catalogue.offers import FOLDER as OFFERS
from suanli.catalogue.offers import OfferReader
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet, owner_of
from suanli.catalogue.sources import FOLDER as SOURCES
from suanli.catalogue.sources import read_sources
from suanli.catalogue.yaml_reader import YamlDocument
from suanli.domain.hardware import Accelerator, System
from suanli.domain.market import Offer
from suanli.domain.plan import Source
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

ACCELERATORS = DATA / "accelerators"
SYSTEMS = DATA / "systems"


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """All hardware and offers that are known, by id; a user's own stand in place of built-in ones of the same id."""

    accelerators: Mapping[str, Accelerator]
    systems: Mapping[str, System]
    offers: tuple[Offer, ...]
    sources: Mapping[str, Source]


@functools.cache
def catalogue(*overlays: Path) -> Catalogue:
    """Load the built-in catalogue with the user's files and folders laid over it, the last on top.

    Raises InputError with every fault of every file.
    """
    found, faults = survey(overlays)
    if faults:
        raise InputError(faults)
    return found


def survey(overlays: tuple[Path, ...] = ()) -> tuple[Catalogue, list[Fault]]:
    """Load the catalogue as far as it can be read, and list every fault on the way."""
    found, first = _built_in()
    faults = list(first)
    for overlay in overlays:
        found = _laid_over(found, overlay, faults)
    return found, faults


@functools.cache
def _built_in() -> tuple[Catalogue, tuple[Fault, ...]]:
    sources, faults = read_sources(sorted(SOURCES.glob("*.yaml")))
    accelerators: dict[str, Accelerator] = {}
    systems: dict[str, System] = {}
    for sheet, path in _sheets(sorted(ACCELERATORS.glob("*.yaml")), sources, faults):
        accelerator = accelerator_of(sheet, path.stem)
        faults += sheet.faults
        if accelerator is not None:
            accelerators[accelerator.id] = accelerator
    for sheet, path in _sheets(sorted(SYSTEMS.glob("*.yaml")), sources, faults):
        system = system_of(sheet, path.stem, accelerators)
        faults += sheet.faults
        if system is not None:
            systems[system.id] = system
    reader = OfferReader(items={*accelerators, *systems}, sources=sources)
    offers = [offer for path in sorted(OFFERS.glob("*.csv")) for offer in reader.read(path)]
    faults += reader.faults + _repeated(offers)
    made = Catalogue(accelerators=accelerators, systems=systems, offers=tuple(offers), sources=sources)
    return made, tuple(faults)


def _sheets(paths: list[Path], sources: Mapping[str, Source], faults: list[Fault]) -> list[tuple[Sheet, Path]]:
    sheets = []
    for path in paths:
        try:
            document = read_plain(path)
        except InputError as error:
            faults += error.faults
            continue
        faults += document.faults
        sheets.append((Sheet(document=document, known_sources=sources), path))
    return sheets


def _repeated(offers: list[Offer]) -> list[Fault]:
    seen: set[str] = set()
    faults = []
    for offer in offers:
        if offer.id in seen:
            allowed = tr("each id once over all tables of offers")
            faults.append(Fault(place=f"offers: {offer.id}", found=tr("id '{id}' twice", id=offer.id), allowed=allowed))
        seen.add(offer.id)
    return faults


def _laid_over(below: Catalogue, overlay: Path, faults: list[Fault]) -> Catalogue:
    """Lay a user's file or folder over a catalogue: its hardware replaces by id, its offers stand beside."""
    documents = _user_documents(overlay, faults)
    accelerators, systems = dict(below.accelerators), dict(below.systems)
    for document in documents:
        for part in _parts(document, "accelerator"):
            sheet = Sheet(document=part, known_sources=below.sources, owner=owner_of(Path(document.file)))
            accelerator = accelerator_of(sheet, "")
            faults += sheet.faults
            if accelerator is not None:
                accelerators[accelerator.id] = accelerator
    for document in documents:
        for part in _parts(document, "system"):
            sheet = Sheet(document=part, known_sources=below.sources, owner=owner_of(Path(document.file)))
            system = system_of(sheet, "", accelerators)
            faults += sheet.faults
            if system is not None:
                systems[system.id] = system
    items = {*accelerators, *systems}
    offers: list[Offer] = []
    for path in _files(overlay, ".csv"):
        reader = OfferReader(items=items, sources=below.sources, owner=owner_of(path))
        offers += reader.read(path)
        faults += reader.faults
    for document in documents:
        offers += _listed_offers(document, items, faults)
    return Catalogue(accelerators=accelerators, systems=_with_new_accelerators(systems, accelerators),
                     offers=(*below.offers, *offers), sources=below.sources)  # fmt: skip


def _with_new_accelerators(systems: Mapping[str, System], accelerators: Mapping[str, Accelerator]) -> dict[str, System]:
    import dataclasses

    return {
        name: system
        if accelerators[system.accelerator.id] is system.accelerator
        else dataclasses.replace(system, accelerator=accelerators[system.accelerator.id])
        for name, system in systems.items()
    }


def _files(overlay: Path, ending: str) -> list[Path]:
    if overlay.is_dir():
        return sorted(path for path in overlay.rglob(f"*{ending}") if path.is_file())
    return [overlay] if overlay.suffix == ending else []


def _user_documents(overlay: Path, faults: list[Fault]) -> list[YamlDocument]:
    paths = _files(overlay, ".yaml") + _files(overlay, ".yml")
    if not paths and not _files(overlay, ".csv"):
        found = tr("no such file") if not overlay.exists() else tr("nothing to read")
        faults.append(Fault(place=str(overlay), found=found, allowed=tr("YAML of hardware, CSV or YAML of offers")))
    documents = []
    for path in paths:
        try:
            document = read_plain(path)
        except InputError as error:
            faults += error.faults
            continue
        faults += document.faults
        if not isinstance(document.data, dict) or not _kinds_of(document.data):
            allowed = tr("an accelerator (with 'device_class'), a system (with 'system_kind'), or a list 'offers'")
            faults.append(Fault(place=f"{document.file}:1", found=tr("neither"), allowed=allowed))
            continue
        documents.append(document)
    return documents


def _kinds_of(data: Mapping[str, Any]) -> list[str]:
    """Say what a user's document holds, by the keys that only one kind has."""
    marks = {"system": ("system_kind", "accelerator", "accelerators"), "offers": ("offers",),
             "accelerator": ("device_class", "peak", "memory_bandwidth")}  # fmt: skip
    return [kind for kind, keys in marks.items() if any(key in data for key in keys)][:1]


def _parts(document: YamlDocument, kind: str) -> list[YamlDocument]:
    return [document] if kind in _kinds_of(document.data) else []


def _listed_offers(document: YamlDocument, items: set[str], faults: list[Fault]) -> list[Offer]:
    if "offers" not in _kinds_of(document.data):
        return []
    reader = OfferReader(items=items, sources=(), owner=owner_of(Path(document.file)))
    listed = document.data["offers"]
    if not isinstance(listed, list) or len(document.data) > 1:
        reader.fault(document.place(("offers",)), str(type(listed).__name__), tr("only a list 'offers' of mappings"))
        listed = []
    made = []
    for index, row in enumerate(listed):
        place = document.place(("offers", index))
        unknown = sorted(set(row) - set(_columns())) if isinstance(row, dict) else [str(row)]
        for name in unknown:
            reader.fault(place, tr("unknown key '{key}'", key=name), ", ".join(_columns()))
        if not unknown:
            texts = {key: "" if value is None else str(value) for key, value in row.items()}
            made.append(reader.offer(texts, place, f"{Path(document.file).stem}-{index + 1}"))
    faults += reader.faults
    return [offer for offer in made if offer is not None]


def _columns() -> tuple[str, ...]:
    from suanli.catalogue.offers import COLUMNS

    return COLUMNS
