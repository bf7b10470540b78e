"""Traffic by name: mixes that stand for published traces, from the figures of their files."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.foundation.errors import InputError
from suanli.traffic.draw import Lengths, Mix

TRAFFIC_FILE = DATA / "traffic.yaml"
THINK_SECONDS = 30.0
"""Between an answer and the next turn, where a mix tells none."""


def variation_of(mean: float, median: float) -> float:
    """Coefficient of variation of a lognormal by its mean and median: sigma^2 = 2 log(mean / median)."""
    return math.sqrt(math.expm1(2 * math.log(mean / median)))


@functools.cache
def named_traffic(path: Path = TRAFFIC_FILE) -> Mapping[str, Mix]:
    """Read the mixes that have a name. Raises InputError with the faults in the file."""
    sheet = Sheet(document=read_plain(path), known_sources=sources())
    mixes = {name: _mix(sheet, name) for name in sheet.document.data["traffic"]}
    if sheet.faults:
        raise InputError(sheet.faults)
    return mixes


def _mix(sheet: Sheet, name: str) -> Mix:
    return Mix(
        rate_per_s=_number(sheet, name, "rate", "1/s"),
        gap_variation=_number(sheet, name, "gap_variation"),
        inputs=_lengths(sheet, name, "input"),
        outputs=_lengths(sheet, name, "output"),
        turns=_number(sheet, name, "turns", default=1.0),
        think_seconds=_number(sheet, name, "think", "s", default=THINK_SECONDS),
        system_tokens=int(_number(sheet, name, "system_tokens", default=0.0)),
        tools=int(_number(sheet, name, "tools", default=0.0)),
        tool_tokens=int(_number(sheet, name, "tool_tokens", default=0.0)),
        shared_share=_number(sheet, name, "shared_share", default=0.0),
        follow_requests=_number(sheet, name, "follow_requests", default=0.0),
        block_tokens=int(_number(sheet, name, "block_tokens", default=0.0)),
    )


def _number(sheet: Sheet, name: str, what: str, unit: str = "1", default: float | None = None) -> float:
    """Read a figure; one with a default may be left out."""
    found = sheet.figure("traffic", name, what, into=unit, needed=default is None)
    if found is None:
        return 1.0 if default is None else default
    return found.value


def _lengths(sheet: Sheet, name: str, what: str) -> Lengths:
    """Read lengths: their mean with their median, or with the quantiles at the shares of the file."""
    mean, most = _number(sheet, name, f"{what}_mean"), int(_number(sheet, name, "most_tokens"))
    quantiles = sheet.get(("traffic", name, f"{what}_quantiles"))
    if quantiles is None:
        median = _number(sheet, name, f"{what}_median")
        return Lengths(mean=mean, variation=variation_of(mean, median), most=most)
    table = tuple(zip(map(float, sheet.document.data["shares"]), map(float, quantiles), strict=True))
    return Lengths(mean=mean, variation=spread_of(table) / mean_of(table), most=most, table=table)


def mean_of(table: tuple[tuple[float, float], ...]) -> float:
    """Mean of lengths that are spread evenly between the quantiles of a table."""
    shares, tokens = np.asarray(table, dtype=float).T
    return float(np.trapezoid(tokens, shares))


def spread_of(table: tuple[tuple[float, float], ...]) -> float:
    """Give the standard deviation of such lengths: the mean square between a and b is (a^2 + a b + b^2) / 3."""
    shares, tokens = np.asarray(table, dtype=float).T
    low, high = tokens[:-1], tokens[1:]
    squares = float((np.diff(shares) * (low**2 + low * high + high**2)).sum() / 3)
    return math.sqrt(max(squares - mean_of(table) ** 2, 0.0))
