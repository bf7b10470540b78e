"""The engine file to nouns: classes of serving engines, their eras, weight schemes, constants of serving."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from suanli.catalogue.figures import in_si
from suanli.catalogue.plain_yaml import read_plain
from suanli.domain.engine import (
    Claim,
    EngineEra,
    EngineProfile,
    EngineTable,
    ServingConstants,
    WeightScheme,
    YoungStack,
)
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

ENGINE_FILE = Path(__file__).parent.parent / "data" / "calibration" / "engines.yaml"
PER_SECOND = "bytes_per_s"
WITH_UNIT = {"seconds": "s", "bytes": "B"}


def _figure(said: Any, unit: str, place: str) -> Any:
    """Read "120 us" as SI; what has no unit stands as it is."""
    if not unit:
        return said
    words = str(said).split(maxsplit=1)
    try:
        value = float(words[0])
    except (ValueError, IndexError):
        raise InputError.single(place=place, found=repr(said), allowed=tr("a number with its unit")) from None
    return in_si(value, words[1] if len(words) > 1 else "", unit, place)


def _profile(name: str, said: Mapping[str, Any], whole: Mapping[str, Any], place: str) -> EngineProfile:
    named = {"id": name, "source": whole["source"], "date": whole["date"], **said}
    read: dict[str, Any] = {}
    for field in fields(EngineProfile):
        if field.name not in named and field.default is not MISSING:
            continue
        if field.name not in named:
            raise InputError.single(place=place, found=tr("no '{name}'", name=field.name), allowed=field.name)
        unit = "B/s" if field.name.endswith(PER_SECOND) else WITH_UNIT.get(field.name.rsplit("_", 1)[-1], "")
        value = _figure(named[field.name], unit, f"{place}.{field.name}")
        read[field.name] = Claim(value) if field.name == "claim" else tuple(value) if isinstance(value, list) else value
    return EngineProfile(**read)


def _constants(said: Mapping[str, Any]) -> ServingConstants:
    read: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in said.items()}
    return ServingConstants(**read)


@functools.cache
def load_engines(path: Path = ENGINE_FILE) -> EngineTable:
    """Read the engine file. Raises InputError naming the entry at fault."""
    document = read_plain(path)
    if document.faults:
        raise InputError(document.faults)
    said = document.data
    profiles = {
        name: _profile(name, one, said, f"{path.name}: profiles.{name}") for name, one in said["profiles"].items()
    }
    return EngineTable(
        profiles=profiles,
        eras=tuple(EngineEra(**one) for one in said["eras"]),
        stacks=tuple(YoungStack(**one) for one in said["stacks"]),
        schemes={name: WeightScheme(name=name, **one) for name, one in said["schemes"].items()},
        constants=_constants(said["constants"]),
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: v0.5.12-cu130 is (0, 5, 12); () where it has none."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def _before(era: EngineEra, version: str, date: str) -> bool:
    """Say whether a version, or without one a date, lies before an era's end."""
    if not (era.until_date or era.until_version):
        return True
    if version_numbers(version) and era.until_version:
        return version_numbers(version) < version_numbers(era.until_version)
    return bool(date) and date < era.until_date


def find_engine(
    table: EngineTable, engine: str, version: str = "", date: str = "", accelerator_id: str = ""
) -> EngineProfile:
    """Return the class that an engine of a version or date belongs to on an accelerator; with neither, the latest.

    Raises InputError naming the nearest known engine.
    """
    name = engine.strip().lower().split(" ")[0]
    if name in table.profiles:
        return table.profiles[name]
    for era in table.eras:
        here = not era.accelerators or fnmatch(accelerator_id, era.accelerators)
        if era.engine == name and here and _before(era, version, date):
            return table.profiles[era.profile]
    known = sorted({era.engine for era in table.eras})
    raise InputError.single(
        place=tr("engine"), found=f"'{engine}'", allowed=", ".join(known), hint=did_you_mean(name, known)
    )
