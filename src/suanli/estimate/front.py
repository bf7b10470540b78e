"""The Pareto front: options that no other one beats in everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
