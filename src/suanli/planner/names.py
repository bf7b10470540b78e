"""The names that a scenario may use, gathered from the catalogue, the models and the calibrations."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from suanli.catalogue.load import catalogue
from suanli.catalogue.scenario_facts import KnownNames
from suanli.parts.architectures.read import known_models


def known_names() -> KnownNames:
    """Gather the known names; systems include those of the user's own files."""
    return KnownNames(systems=_systems, models=known_models())


def _systems(files: tuple[str, ...]) -> Collection[str]:
    return catalogue(*(Path(file) for file in files)).systems.keys()
