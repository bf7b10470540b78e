"""Kinds of replica that a serving search judges: layouts, formats and engine limits on a system, opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.model import Model
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_memory import short_bytes
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_search import layouts_on, legal_layouts
from suanli.estimate.serving_steady import Demand, demand_of
from suanli.parts.devices.special import find_chip

MOST_DOUBLINGS = 2
"""A replica may span up to four systems, where none fits into fewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One kind of replica that fits: opened, with what a request asks of it."""

    system: System
    replica: Replica
    demand: Demand

    @property
    def accelerators(self) -> int:
        """How many accelerators one of it occupies."""
        return self.replica.layout.accelerators


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortfall:
    """By how many bytes an accelerator of a system is short of one sequence beside the weights, at best."""

    system: System
    short_bytes: float


def layouts_of(model: Model, system: System, kernels: KernelTable, accelerators: int | None) -> Iterator[ServingLayout]:
    """Yield the layouts of one replica: those of a system, and for mixtures attention split by data over tensor groups.

    A mixture's experts may stand whole on every rank, be split by tensor or shared out over all ranks of a stage.
    """
    more = (
        ()
        if find_chip(system.accelerator, kernels.chips)
        else _mixture_layouts(model, accelerators or system.accelerators)
    )
    yield from dict.fromkeys((*layouts_on(model, system, kernels, accelerators), *more))


def _mixture_layouts(model: Model, accelerators: int) -> Iterator[ServingLayout]:
    if not any(run.layer.experts > 1 for run in model.runs):
        return
    for layout in tuple(legal_layouts(model, accelerators)):
        ranks = 2
        while layout.tensor * ranks <= accelerators and layout.pipeline == 1 and layout.attention_data == 1:
            yield ServingLayout(tensor=layout.tensor, attention_data=ranks, expert=layout.tensor * ranks)
            ranks *= 2


def open_units(
    setups: Sequence[ServingSetup], system: System, kernels: KernelTable, accelerators: int | None
) -> list[Unit] | Shortfall:
    """Open every kind of replica that fits a system, on more systems where none fits one; else say what is short.

    `accelerators` is how many there are at most (None: as many as a replica needs). Raises InputError where a format
    or an engine is not known.
    """
    short = float("inf")
    for doubling in range(MOST_DOUBLINGS + 1):
        room = system.accelerators * 2**doubling
        if accelerators is not None and accelerators < room:
            room = min(room, accelerators)
        units: list[Unit] = []
        for setup in setups:
            for layout in layouts_of(setup.model, system, kernels, room):
                replica = open_replica(setup, system, layout, kernels)
                demand = demand_of(replica)
                short = min(short, short_bytes(replica))
                if demand.resident >= 1:
                    units.append(Unit(system=system, replica=replica, demand=demand))
        if units or room == accelerators:
            break
    return units or Shortfall(system=system, short_bytes=short)
