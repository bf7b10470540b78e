"""The Pareto front: options that no other one beats in everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from suanli.foundation.equation import FloatArray

IntColumn = NDArray[np.int64]


def on_front(rows: Sequence[Sequence[float | None]]) -> list[bool]:
    """Say of each row whether none is at most as much in every column and less in one; what is not known is the most.

    >>> on_front([(1.0, 4.0), (2.0, 2.0), (3.0, 3.0), (1.0, None)])
    [True, True, False, False]
    """
    if not rows:
        return []
    told = np.array([[np.inf if value is None else value for value in row] for row in rows], dtype=np.float64)
    no_more = np.all(told[:, None, :] <= told[None, :, :], axis=2)
    less = np.any(told[:, None, :] < told[None, :, :], axis=2)
    return [bool(one) for one in ~np.any(no_more & less, axis=0)]


def front_of_two(first: FloatArray, second: FloatArray) -> IntColumn:
    """Return which rows no other row beats in two columns of which more is better, the most of the first ahead.

    Of equal rows the first alone is returned. Sorted once, so that columns may be long.

    >>> front_of_two(np.array([1.0, 2.0, 1.5]), np.array([4.0, 2.0, 1.0])).tolist()
    [1, 0]
    """
    if not len(first):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort((-second, -first))
    ordered = second[order]
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(ordered)[:-1]])
    return np.asarray(order[ordered > best_before], dtype=np.int64)
