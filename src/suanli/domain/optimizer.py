"""Optimizers and offloading as the training model sees them: bytes of a parameter, what is moved, what hides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.foundation.figure import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimizer:
    """What an optimizer keeps of one parameter beside its master copy, of layers' matrices and of tables.

    `more_moved` is what it moves beyond its moments and what every optimizer moves. `factor` is what it keeps of every
    row and column of a matrix (None: nothing), `iterations` how often it multiplies a matrix to make it orthogonal.
    `paged` state goes to the host page by page where the device's memory is short, and comes back for the update.
    """

    id: str
    name: str
    matrix_moments: Figure
    table_moments: Figure
    more_moved: Figure
    factor: Figure | None = None
    iterations: Figure | None = None
    paged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Offloading:
    """What moving state to the host costs: the share that hides, the host's memory rate of a node, layers that stay."""

    hidden_share: Figure
    host_memory_rate: Figure
    layers_on_device: Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """Figures of what a training run may choose: optimizers by name, offloading, and schedules that meet.

    `traffic_units` is the share of an accelerator's compute units that send and receive while chunks go both ways.
    """

    optimizers: Mapping[str, Optimizer]
    offloading: Offloading
    traffic_units: Figure
