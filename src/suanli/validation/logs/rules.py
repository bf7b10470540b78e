"""The figures that say when something in a log counts as a cause."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.foundation.errors import InputError

RULES_FILE = DATA / "calibration" / "log_rules.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The file's figures, all pure numbers; each says there what it rests on."""

    worth_saying: float
    outlying_sigmas: float
    outlying_share: float
    mode_distance: float
    mode_share: float
    period_share: float
    drift_share: float
    idle_share: float
    heat_share: float
    clock_share: float
    slow_rank_share: float
    waiting_power_share: float
    launch_share: float
    exposed_share: float
    slowest_network: float
    padding_share: float
    search_share: float
    unfused_passes: float


@functools.cache
def load_rules(path: Path = RULES_FILE) -> Rules:
    """Read the file. Raises InputError with its faults."""
    sheet = Sheet(document=read_plain(path), known_sources=sources())
    told: dict[str, float] = {}
    for field in fields(Rules):
        figure = sheet.figure("rules", field.name, into="1", needed=True)
        if figure is not None:
            told[field.name] = figure.value
    if sheet.faults:
        raise InputError(sheet.faults)
    return Rules(**told)
