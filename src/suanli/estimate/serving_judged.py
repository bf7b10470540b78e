"""Judges every setting of a serving search: kinds of replica of every system and format, together and apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.workload import ServingSetup
from suanli.estimate.serving_columns import NONE, Columns, Size, apart_columns, joined, together_columns
from suanli.estimate.serving_units import Shortfall, Unit, open_units

TOGETHER, APART, BOTH = "together", "apart", "both"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """All settings that were judged, the kinds of replica that they number, and systems that hold not one request."""

    units: tuple[Unit, ...]
    columns: Columns
    shortfalls: tuple[Shortfall, ...]


def judge(
    groups: Sequence[Sequence[ServingSetup]], systems: Sequence[System], kernels: KernelTable, size: Size,
    arrangement: str = BOTH,
) -> Judged:  # fmt: skip
    """Judge groups of setups on systems. A group is one model in one weight and cache format under several limits.

    Pools apart are judged under the first limits of their group: a prompt has a prefill replica to itself, and a decode
    replica admits what its cache holds.
    """
    units: list[Unit] = []
    parts: list[Columns] = []
    shortfalls: list[Shortfall] = []
    for system in systems:
        seen: set[tuple[str, str]] = set()
        for group in groups:
            found = open_units(group, system, kernels, size.accelerators)
            if isinstance(found, Shortfall):
                shortfalls.append(found)
                continue
            if (kept := (found[0].replica.scheme.name, found[0].replica.kv_format)) in seen:
                continue
            seen.add(kept)
            parts += [_numbered(columns, len(units)) for columns in _judged(group, found, size, arrangement)]
            units += found
    columns = joined(parts) if parts else _nothing()
    return Judged(units=tuple(units), columns=columns, shortfalls=tuple(shortfalls))


def _judged(group: Sequence[ServingSetup], units: Sequence[Unit], size: Size, arrangement: str) -> list[Columns]:
    found = []
    if arrangement in (TOGETHER, BOTH):
        found.append(together_columns(units, size))
    if arrangement in (APART, BOTH):
        found.append(apart_columns([unit for unit in units if unit.replica.setup == group[0]], size))
    return found


def _numbered(columns: Columns, first: int) -> Columns:
    """Give the units of a part their numbers, from `first` on."""
    return replace(
        columns,
        prefill=np.where(columns.prefill == NONE, NONE, columns.prefill + first),
        unit=columns.unit + first,
    )


def _nothing() -> Columns:
    none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    return Columns(
        prefill=whole, unit=whole, flight=none, prefills=none, replicas=none, ttft_seconds=none, tpot_seconds=none,
        requests_per_s=none, accelerators=none, systems=none,
    )  # fmt: skip
