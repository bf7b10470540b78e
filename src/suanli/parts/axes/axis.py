"""What an axis of parallelism answers: which degrees are legal, which layouts break its rule, what it must send."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from suanli.domain.layout import LayoutTable
from suanli.domain.model import Layer, Model
from suanli.foundation.equation import Real
from suanli.foundation.registry import Registry

Rows = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What the axes split: a model, its sequences and batch, on so many accelerators, so many of them to a node.

    `activation_bytes` is what one activation element takes on the wire, `expert_rows` how many tokens an expert works
    on for each one of its even share. `ulysses` says that context ranks trade heads for sequence around attention.
    """

    model: Model
    sequence: int
    global_batch: int
    accelerators: int
    node_accelerators: int
    activation_bytes: float
    expert_rows: float = 1.0
    ulysses: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """A collective that an axis asks for: its full buffer, over how many ranks, how many of them share a node.

    `count` is how often, for one layer and micro-batch. `across_share` is what share of the buffer meant for other
    nodes travels there, where copies for one node travel once.
    """

    cause: str
    op: str
    message_bytes: Real
    ranks: Real
    ranks_per_node: Real
    count: Real
    across_share: Real = 1.0


class Axis(Protocol):
    """One way to split a job. Degree 1 is neutral: it sends nothing, splits nothing and is always legal."""

    name: str
    rule: str

    def degrees(self, job: Job) -> tuple[int, ...]:
        """Degrees worth looking at for a job, ascending, 1 first."""

    def legal(self, job: Job, table: LayoutTable) -> Rows:
        """Which rows of a table keep the axis' rule."""

    def transfers(self, job: Job, layer: Layer, table: LayoutTable, backward: bool) -> tuple[Transfer, ...]:
        """Say what one layer sends for one micro-batch, forward or backward."""


AXES: Registry[Axis] = Registry("axis")


@functools.cache
def divisors(number: int) -> tuple[int, ...]:
    """All divisors of a number, ascending."""
    return tuple(degree for degree in range(1, number + 1) if number % degree == 0)


def divides(part: Real, whole: Real) -> Rows:
    """Where a degree divides a number evenly."""
    return np.asarray(np.mod(whole, part) == 0)


def placed_together(ranks: Real, inside: Real, node_accelerators: float) -> Real:
    """Say how many of a group's ranks share a node when `inside` neighbours of each belong to groups laid out first."""
    return np.minimum(ranks, np.maximum(np.floor(node_accelerators / inside), 1))


def tokens_at_once(job: Job, table: LayoutTable) -> Real:
    """Tokens of one micro-batch that a rank holds: sequences times its part of each."""
    return table.micro_batch * job.sequence / table.context
