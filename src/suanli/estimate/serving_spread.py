"""Layouts of a replica on special-purpose chips, and how many accelerators a model needs at least."""

from __future__ import annotations

import math
from collections.abc import Iterator

from suanli.domain.chip import ChipKind
from suanli.domain.hardware import System
from suanli.domain.kernel import KernelTable
from suanli.domain.model import Model
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.equations import chips
from suanli.estimate.serving_layout import attending
from suanli.estimate.serving_memory import cache_pool_bytes, sequence_cache_bytes, weight_bytes
from suanli.estimate.serving_open import open_replica
from suanli.foundation.errors import SuanliError
from suanli.parts.devices.special import find_chip

USUAL_TENSOR = 8
"""Over how many accelerators GPUs' products are split as a rule."""


def spread_layouts(model: Model, chip: ChipKind, accelerators: int) -> Iterator[ServingLayout]:
    """Yield the layouts of a model spread over the memories of many chips, on up to so many.

    Products are split over powers of two that divide the heads and that the chip's links bear; stages hold whole
    numbers of layers as far as there are layers enough.
    """
    layers = sum(run.count for run in model.runs)
    heads = [core.heads for core in attending(model)]
    tensor = 1
    while tensor <= chip.placement.most_tensor:
        if all(count % tensor == 0 for count in heads):
            most = min(accelerators // tensor, layers)
            for stages in sorted({most, *_stages(layers)} if chip.placement.cut_anywhere else _stages(layers)):
                if 1 <= stages <= most:
                    yield ServingLayout(tensor=tensor, pipeline=stages)
        tensor *= 2


def _stages(layers: int) -> list[int]:
    """List the numbers of stages that give the fullest stage 1, 2, 3 ... layers."""
    return [*{math.ceil(layers / each) for each in range(1, layers + 1)}]


def least_accelerators(setup: ServingSetup, system: System, kernels: KernelTable) -> int | None:
    """Return how many accelerators hold the weights and one request at least, None where none of them has room at all.

    Nothing is held twice, and what each keeps beside is that of a wide split; a layout that splits heads or layers
    unevenly needs more.
    """
    chip = find_chip(system.accelerator, kernels.chips)
    layout = ServingLayout(
        tensor=_widest(setup.model, chip.placement.most_tensor if chip else USUAL_TENSOR),
        pipeline=sum(run.count for run in setup.model.runs) if chip and chip.placement.cut_anywhere else 1,
    )
    try:
        replica = open_replica(setup, system, layout, kernels)
        weights = weight_bytes(replica)
        cache = float(sequence_cache_bytes(replica, setup.input_tokens + setup.output_tokens))
        free = cache_pool_bytes(replica) + weights
    except SuanliError:
        return None
    if free <= 0:
        return None
    return int(chips.chips_that_hold(weights * layout.accelerators, cache * layout.accelerators, free))


def _widest(model: Model, most: int) -> int:
    """Return the largest power of two, at most `most`, that splits the heads of every layer."""
    heads = [core.heads for core in attending(model)]
    tensor = 1
    while 2 * tensor <= most and all(count % (2 * tensor) == 0 for count in heads):
        tensor *= 2
    return tensor


def most_accelerators(system: System, chip: ChipKind | None, asked: int | None) -> int:
    """Return how many accelerators one replica may span: those asked for, one system's, or as far as links reach."""
    most = asked or system.accelerators
    return max(most, chip.placement.reach) if chip else most
