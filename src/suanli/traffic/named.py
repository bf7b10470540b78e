"""Traffic by name: mixes that stand for published traces, from the figures of their files."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.foundation.errors import InputError
from suanli.traffic.generate import Lengths, Mix

TRAFFIC_FILE = DATA / "traffic.yaml"


def variation_of(mean: float, median: float) -> float:
    """Coefficient of variation of a lognormal by its mean and median: sigma^2 = 2 log(mean / median)."""
    return math.sqrt(math.expm1(2 * math.log(mean / median)))


@functools.cache
def named_traffic(path: Path = TRAFFIC_FILE) -> Mapping[str, Mix]:
    """Read the mixes that have a name. Raises InputError with the faults in the file."""
    sheet = Sheet(document=read_plain(path), known_sources=sources())

    def number(name: str, what: str, unit: str = "1") -> float:
        found = sheet.figure("traffic", name, what, into=unit, needed=True)
        return found.value if found else 1.0

    def spread(name: str, what: str) -> Lengths:
        mean = number(name, f"{what}_mean")
        return Lengths(
            mean=mean,
            variation=variation_of(mean, number(name, f"{what}_median")),
            most=int(number(name, "most_tokens")),
        )

    mixes = {
        name: Mix(
            rate_per_s=number(name, "rate", "1/s"), gap_variation=number(name, "gap_variation"),
            inputs=spread(name, "input"), outputs=spread(name, "output"),
        )
        for name in sheet.document.data["traffic"]
    }  # fmt: skip
    if sheet.faults:
        raise InputError(sheet.faults)
    return mixes
