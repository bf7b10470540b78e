"""Nodes in repair and nodes that stand by: how often all are taken, and how long a run waits for one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import cast

import numpy as np

from suanli.domain.wall_clock import RunTerms
from suanli.equations import reliability
from suanli.foundation.equation import Real
from suanli.foundation.laplace import Complexes, inverse_laplace


def full_shares(offered: float) -> Iterator[float]:
    """Yield the share of time that one place of repair, two, three ... are all taken, long after the start."""
    share = 1.0
    for places in itertools.count(1):
        share = float(reliability.one_more_place(share, offered, float(places)))
        yield share


def waiting_seconds(terms: RunTerms, up_seconds: float) -> float:
    """Return the mean time that a run stands still because more nodes are in repair than there are spares.

    While the run is up, the nodes in repair are a loss system of as many places as there are spares: with all of them
    taken, a further failure is waited for until one is free. A run begins with no node in repair, which a long one
    forgets and a short one never does.
    """
    offered = terms.hardware_share * terms.repair_seconds / terms.mtbf_seconds
    repairs = up_seconds / terms.repair_seconds
    full = inverse_laplace(lambda frequency: full_time(frequency, offered, terms.spares), repairs) if repairs else 0.0
    waited = float(reliability.waited_per_full_second(offered, float(terms.spares)))
    return max(full, 0.0) * terms.repair_seconds * waited


def full_time(frequency: Complexes, offered: float, places: int) -> Complexes:
    """Return the transform of the time that so many places of repair were all taken, in times of a repair.

    It is the way up to the last place, then the share of the time spent there between the ways back to it.
    """
    at = cast("Real", frequency)  # the algebra is that of real numbers
    passage, reached = cast("Real", np.zeros_like(frequency)), cast("Real", np.ones_like(frequency))
    for taken in range(places):
        passage = reliability.passage_transform(offered, float(taken), 1 - passage, at)
        reached = reached * passage
        if not np.any(reached):
            break
    return cast("Complexes", reached / (at * (at + places * (1 - passage))))
