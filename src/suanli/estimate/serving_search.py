"""Search for the serving settings of most tokens per accelerator under latency targets, and the replicas for a rate."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.model import CoreKind, Model
from suanli.domain.result import ServingEstimate
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.equations import batching
from suanli.estimate.serving import estimate_at
from suanli.estimate.serving_layout import attending
from suanli.estimate.serving_memory import short_bytes
from suanli.estimate.serving_open import open_replica
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_spread import least_accelerators, most_accelerators, spread_layouts
from suanli.estimate.serving_steady import MOST_FLIGHT, demand_of, steady_state
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.foundation.language import tr
from suanli.parts.devices.special import find_chip

POINTS_PER_DOUBLING = 4
"""How many concurrencies are tried between one number and its double."""


def legal_layouts(model: Model, accelerators: int) -> Iterator[ServingLayout]:
    """Yield the layouts of one replica that a model allows on up to so many accelerators.

    Tensor degrees are powers of two that split the heads; mixtures may spread experts over all ranks, latent attention
    may run data parallel.
    """
    cores = attending(model)
    latent = any(core.kind is CoreKind.LATENT for core in cores)
    sparse = any(run.layer.experts for run in model.runs)
    for group in _powers(accelerators):
        if all(core.heads % group == 0 for core in cores):
            yield from _split_layouts(model, group, accelerators // group, sparse)
        if sparse and latent and group > 1:
            yield ServingLayout(attention_data=group, expert=group)


def _split_layouts(model: Model, tensor: int, stages: int, sparse: bool) -> Iterator[ServingLayout]:
    """Yield the layouts of one tensor degree: pipelines of up to so many stages, experts over all the ranks."""
    for pipeline in _powers(min(stages, sum(run.count for run in model.runs))):
        yield ServingLayout(tensor=tensor, pipeline=pipeline)
    if sparse and tensor > 1:
        yield ServingLayout(tensor=tensor, expert=tensor)


def _powers(most: int) -> Iterator[int]:
    """Yield 1, 2, 4 ... up to the most."""
    number = 1
    while number <= most:
        yield number
        number *= 2


def flight_grid(most: float, per_doubling: int = POINTS_PER_DOUBLING) -> np.ndarray:
    """Return the concurrencies that a search tries: whole numbers, evenly spread by their logarithm."""
    count = int(math.log2(max(most, 1.0)) * per_doubling) + 1
    grid = np.round(np.geomspace(1.0, max(most, 1.0), count))
    return grid[np.diff(grid, prepend=0.0) > 0]


def search(
    setup: ServingSetup,
    system: System,
    kernels: KernelTable,
    ttft_limit_seconds: float = math.inf,
    tpot_limit_seconds: float = math.inf,
    accelerators: int | None = None,
    keep: int = 5,
) -> list[ServingEstimate]:
    """Return the best settings of one replica, most output tokens per accelerator first.

    Every legal layout on up to `accelerators` (None: one system's) is tried at every concurrency of a grid.
    Raises InfeasibleError with the closest setting and what would free it.
    """
    found: list[tuple[float, ServingEstimate]] = []
    missed: list[ServingEstimate] = []
    shortest = math.inf
    for layout in layouts_on(setup.model, system, kernels, accelerators):
        replica = open_replica(setup, system, layout, kernels)
        shortest = min(shortest, short_bytes(replica))
        best, nearest = _best_of(replica, ttft_limit_seconds, tpot_limit_seconds)
        if best is not None:
            found.append((best.output_tokens_per_s / layout.accelerators, best))
        elif nearest is not None:
            missed.append(nearest)
    if not found:
        least = least_accelerators(setup, system, kernels)
        most = most_accelerators(system, find_chip(system.accelerator, kernels.chips), accelerators)
        raise _nothing(missed, shortest, (ttft_limit_seconds, tpot_limit_seconds), system, least, most)
    found.sort(key=lambda one: -one[0])
    return [estimate for _, estimate in found[:keep]]


def layouts_on(model: Model, system: System, kernels: KernelTable, accelerators: int | None) -> Iterator[ServingLayout]:
    """Yield the layouts to try: those of GPUs, or those of a special-purpose chip as far as its links reach."""
    chip = find_chip(system.accelerator, kernels.chips)
    most = most_accelerators(system, chip, accelerators)
    if chip is None:
        return legal_layouts(model, most)
    if chip.placement.reach:
        return spread_layouts(model, chip, most)
    return (layout for layout in legal_layouts(model, most) if layout.tensor <= chip.placement.most_tensor)


def _best_of(
    replica: Replica, ttft_limit_seconds: float, tpot_limit_seconds: float
) -> tuple[ServingEstimate | None, ServingEstimate | None]:
    """Return a layout's best setting within the targets, else the nearest one; neither where it does not fit."""
    demand = demand_of(replica)
    if demand.resident < 1:
        return None, None
    steady = steady_state(replica, flight_grid(min(demand.resident, MOST_FLIGHT)))
    within = (steady.ttft_seconds <= ttft_limit_seconds) & (steady.tpot_seconds <= tpot_limit_seconds)
    if within.any():
        index = int(np.argmax(np.where(within, steady.requests_per_s, -1.0)))
        return estimate_at(replica, demand, steady, index), None
    over = np.maximum(steady.ttft_seconds / ttft_limit_seconds, steady.tpot_seconds / tpot_limit_seconds)
    return None, estimate_at(replica, demand, steady, int(np.argmin(over)))


def _nothing(
    missed: list[ServingEstimate],
    shortest: float,
    limits: tuple[float, float],
    system: System,
    least: int | None,
    most: int,
) -> InfeasibleError:
    """Say which limit binds and what would free it."""
    ttft_limit, tpot_limit = limits
    if not missed:
        named = {"system": system.name or system.id, "bytes": round(shortest)}
        limit = tr("No layout on one {system} fits: short of memory by {bytes} bytes on each accelerator.", **named)
        if most > system.accelerators:
            limit = tr("No layout on up to {count} accelerators ({system}) fits: each is short of {bytes} bytes.",
                       count=most, **named)  # fmt: skip
        return InfeasibleError(limit=limit, relief=relief_of(least))
    nearest = min(missed, key=lambda one: max(one.ttft_seconds / ttft_limit, one.tpot_seconds / tpot_limit))
    layout = nearest.layout
    return InfeasibleError(
        limit=tr(
            "No setting meets the latency targets: closest is tensor {tensor}, pipeline {pipeline} at {flight} in"
            " flight with {ttft} s to the first token and {tpot} s for each further one.",
            tensor=layout.tensor * layout.attention_data, pipeline=layout.pipeline, flight=round(nearest.concurrency),
            ttft=f"{nearest.ttft_seconds:.3g}", tpot=f"{nearest.tpot_seconds:.3g}",
        ),
        relief=tr(
            "Allow {ttft} s and {tpot} s, or use faster accelerators, more of them, or a smaller weight format.",
            ttft=f"{max(nearest.ttft_seconds, 0.0):.3g}", tpot=f"{nearest.tpot_seconds:.3g}",
        ),
    )  # fmt: skip


def nothing_fits(limit: str, least: int | None = None) -> InfeasibleError:
    """Say that one setting breaks a limit, and what would free it."""
    return InfeasibleError(limit=tr("The setting does not fit: {limit}.", limit=limit), relief=relief_of(least))


def relief_of(least: int | None) -> str:
    """Say what lets a model fit: how many accelerators hold it at least, where that is known."""
    ways = tr("Use more accelerators for one replica, a smaller weight or cache format, or shorter requests.")
    if least is None:
        return ways
    return tr("At least {count} accelerators hold weights and one request.", count=least) + " " + ways


def replicas_for(rate_requests_per_s: float, estimate: ServingEstimate, headroom: float = 0.2) -> int:
    """Return how many replicas hold a rate of requests, with a share of their capacity kept free.

    Raises InputError where the headroom leaves nothing.
    """
    if not 0 <= headroom < 1:
        raise InputError.single(place=tr("headroom"), found=str(headroom), allowed=tr("from 0 to below 1"))
    needed = batching.replicas_needed(rate_requests_per_s, estimate.requests_per_s, headroom)
    return max(int(needed), 1)
