"""Figures of tuning with rollouts, read from data."""

from __future__ import annotations

import functools
from pathlib import Path

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.domain.posttraining import PostFigures
from suanli.foundation.errors import InputError

FILE = DATA / "calibration" / "posttraining.yaml"
UNITS = {
    "answer_spread": "1", "answer_limit": "1", "switch_seconds": "s", "sync_share": "1", "driver_seconds": "s",
    "trainer_slack": "1", "rollout_slack": "1",
}  # fmt: skip
"""Figures of the file and the units that they are read in."""


@functools.cache
def load_post_figures(path: Path = FILE) -> PostFigures:
    """Read the file. Raises InputError with every fault of its figures."""
    sheet = Sheet(document=read_plain(path), known_sources=sources())
    found = {name: sheet.figure(name, into=unit, needed=True) for name, unit in UNITS.items()}
    known = {name: figure for name, figure in found.items() if figure is not None}
    if sheet.faults:
        raise InputError(sheet.faults)
    return PostFigures(**known)
