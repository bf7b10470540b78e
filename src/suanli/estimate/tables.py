"""Layouts as tables and back: one layout is a table of one row, so a scalar reading and a column are the same code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from suanli.domain.layout import OFFLOADS, RECOMPUTE_LEVELS, SCHEDULES, SHARDING_STAGES, Layout, LayoutTable, Recompute
from suanli.foundation.equation import FloatArray

COLUMNS = (
    "data", "tensor", "pipeline", "context", "expert", "interleave", "micro_batch", "sharding", "sharding_ranks",
    "recompute", "sequence_parallel", "schedule", "offload",
)  # fmt: skip
DEGREES = COLUMNS[:7]
FULL_RECOMPUTE = float(RECOMPUTE_LEVELS.index(Recompute.FULL))
NO_RECOMPUTE = float(RECOMPUTE_LEVELS.index(Recompute.NONE))
CHUNK_ROWS = 2**15
"""Rows worked on at once: about forty columns of float64, which stay in the caches of one core."""
SPARSEST = 2**4
"""Up to so many possible combinations a row, looking up beats sorting."""


def to_row(layout: Layout) -> tuple[float, ...]:
    """Write a layout as numbers in the order of `COLUMNS`."""
    ranks = layout.sharding_ranks or layout.data * layout.context
    return (
        *(float(getattr(layout, name)) for name in DEGREES),
        float(SHARDING_STAGES.index(layout.sharding)),
        float(ranks),
        float(RECOMPUTE_LEVELS.index(layout.recompute)),
        float(layout.sequence_parallel),
        float(SCHEDULES.index(layout.schedule)),
        float(OFFLOADS.index(layout.offload)),
    )


def to_table(layouts: Sequence[Layout]) -> LayoutTable:
    """Write layouts as a table."""
    rows = np.array([to_row(layout) for layout in layouts], dtype=np.float64)
    return LayoutTable(**{name: np.ascontiguousarray(rows[:, at]) for at, name in enumerate(COLUMNS)})


def layout_at(table: LayoutTable, row: int) -> Layout:
    """Read one row of a table back as a layout."""
    ranks = int(table.sharding_ranks[row])
    whole = int(table.data[row] * table.context[row])
    return Layout(
        **{name: int(getattr(table, name)[row]) for name in DEGREES},
        sharding=SHARDING_STAGES[int(table.sharding[row])],
        sharding_ranks=None if ranks == whole else ranks,
        recompute=RECOMPUTE_LEVELS[int(table.recompute[row])],
        sequence_parallel=bool(table.sequence_parallel[row]),
        schedule=SCHEDULES[int(table.schedule[row])],
        offload=OFFLOADS[int(table.offload[row])],
    )


def take(table: LayoutTable, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> LayoutTable:
    """Take some rows of a table."""
    return LayoutTable(**{name: getattr(table, name)[rows] for name in COLUMNS})


def _places(column: FloatArray) -> tuple[int, FloatArray]:
    """Count the distinct values of a column of whole numbers, and say which of them, ascending, each row holds."""
    highest = int(column.max())
    if highest > CHUNK_ROWS:
        values, place = np.unique(column, return_inverse=True)
        return len(values), place.astype(np.float64)
    rows = column.astype(np.intp)
    there = np.zeros(highest + 1, dtype=np.intp)
    there[rows] = 1
    return int(there.sum()), (np.cumsum(there) - 1)[rows].astype(np.float64)


def distinct(table: LayoutTable, names: Sequence[str]) -> tuple[LayoutTable, NDArray[np.intp]]:
    """Find the rows that differ in the named columns: one of each, and which of them every row is like.

    Columns are whole numbers, so values are looked up where they would be sorted otherwise.
    """
    code: FloatArray = np.zeros(len(table))
    span = 1
    for name in names:
        column = getattr(table, name)
        if column.min() == column.max():
            continue
        count, place = _places(column)
        code, span = code * count + place, span * count
    if span > SPARSEST * len(table):
        _, first, back = np.unique(code, return_index=True, return_inverse=True)
        return take(table, first), back
    rows = code.astype(np.intp)
    first_row = np.full(span, -1, dtype=np.intp)
    first_row[rows[::-1]] = np.arange(len(rows) - 1, -1, -1)
    there = first_row >= 0
    return take(table, first_row[there]), (np.cumsum(there) - 1)[rows]


def join(tables: Sequence[LayoutTable]) -> LayoutTable:
    """Put tables one under the other."""
    return LayoutTable(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in COLUMNS})
