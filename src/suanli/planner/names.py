"""The names that a scenario may use, gathered from the catalogue, the models and the calibrations."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from suanli.catalogue.access import region_names
from suanli.catalogue.engines import load_engines
from suanli.catalogue.load import catalogue
from suanli.catalogue.scenario_facts import KnownNames
from suanli.estimate.optimizers import load_choices
from suanli.estimate.software import load_training_calibration
from suanli.parts.architectures.read import known_models
from suanli.parts.architectures.targets import GROUPS, NAMES, TABLES


def known_names() -> KnownNames:
    """Gather the known names; systems include those of the user's own files."""
    engines, training = load_engines(), load_training_calibration()
    return KnownNames(
        systems=_systems,
        models=known_models(),
        frameworks={*training.software, *training.aliases},
        engines={*engines.profiles, *(era.engine for era in engines.eras)},
        number_formats={*engines.schemes, *CACHE_FORMATS},
        optimizers=load_choices().optimizers,
        targets={*GROUPS, *NAMES, *TABLES},
        regions=region_names(),
    )


CACHE_FORMATS = ("bf16", "fp16", "fp8", "int8")
"""What a cache may be kept in."""


def _systems(files: tuple[str, ...]) -> Collection[str]:
    return catalogue(*(Path(file) for file in files)).systems.keys()
