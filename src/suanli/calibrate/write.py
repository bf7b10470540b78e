"""Writes what a fit moved as a calibration file, which commands lay over the shipped figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suanli.calibrate.apply import changes_of
from suanli.domain.calibration import MovedFigure
from suanli.domain.software import Spread
from suanli.estimate.overlay import SPREAD_MAPS, SPREAD_NUMBERS
from suanli.estimate.software import unit_of
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Kind
from suanli.foundation.language import tr


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where the figures of a file come from: which tables, of when, how many runs."""

    source: str
    date: str
    rows: int


def printed(value: float) -> str:
    """Write a figure to four digits."""
    return f"{value:.4g}"


def as_written(value: float) -> float:
    """Return a figure as a file would give it back."""
    return float(printed(value))


def changed(figures: Iterable[MovedFigure]) -> list[MovedFigure]:
    """Return the figures that a file need name: those that came out otherwise than they were."""
    return [one for one in figures if one.touched and printed(one.after) != printed(one.before)]


def _with_unit(name: str, value: float) -> str:
    return f"{printed(value)} {unit_of(name)}".rstrip()


def _holders(title: str, holders: Mapping[str, Mapping[str, float]]) -> list[str]:
    lines = [f"{title}:"] if holders else []
    for holder, figures in holders.items():
        lines.append(f"  {json.dumps(holder)}:")
        lines += [f"    {name}: {_with_unit(name, value)}" for name, value in figures.items()]
    return lines


def _spread_lines(spread: Spread) -> list[str]:
    lines = _holders("spread", {name: getattr(spread, name) for name in SPREAD_MAPS})
    return [*lines, *(f"  {name}: {printed(getattr(spread, name))}" for name in SPREAD_NUMBERS)]


def calibration_text(figures: Sequence[MovedFigure], origin: Origin, spread: Spread | None = None) -> str:
    """Write the file: where it comes from, and the figures that moved; the spread where it was fitted too."""
    told = changed(figures)
    software, hardware, cluster = changes_of([one.figure for one in told], [one.after for one in told])
    lines = [
        f"source: {json.dumps(origin.source, ensure_ascii=False)}",
        f'date: "{origin.date}"',
        f"kind: {Kind.DERIVED.value}",
        f"rows: {origin.rows}",
        *_holders("software", software),
        *(["cluster:"] if cluster else []),
        *(f"  {name}: {_with_unit(name, value)}" for name, value in cluster.items()),
        *_holders("sustained", hardware),
        *(_spread_lines(spread) if spread else []),
    ]
    return "\n".join(lines) + "\n"


def write_calibration(path: Path, text: str) -> None:
    """Write a calibration file. Raises InputError where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        allowed = tr("a place where files may be written")
        raise InputError.single(place=str(path), found=error.strerror or str(error), allowed=allowed) from error
