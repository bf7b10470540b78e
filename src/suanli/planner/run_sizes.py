"""On how many nodes to train: each doubling weighed, where more stop paying, and the least that meet a deadline."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from suanli.catalogue.assumptions import assumption
from suanli.domain.hardware import Cluster, System
from suanli.domain.kernel import KernelTable
from suanli.domain.scaling import Money, Size, StopsPaying
from suanli.domain.wall_clock import Upkeep
from suanli.domain.workload import TrainingSetup
from suanli.estimate.search import search
from suanli.estimate.wall_clock import RunJob, wall_clock
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr
from suanli.parts.architectures.count import parameters

MOST_DOUBLINGS = 20
"""Beyond a million nodes no batch is left to share out."""

QUARTERS = (2 + 2, 2 + 2 + 1, 2 + 2 + 2, 2 + 2 + 2 + 1)
"""Between two doublings sizes are tried by quarters of the lower one."""

DAY_SECONDS = 86400.0
"""Twenty-four hours of sixty minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A run to be put on nodes: its model and batch, its tokens, the system, and what an accelerator costs a second."""

    setup: TrainingSetup
    tokens: float
    system: System
    kernels: KernelTable
    upkeep: Upkeep
    price_per_s: float | None = None
    currency: str = ""


def size_at(run: Proposal, nodes: int) -> Size | None:
    """Weigh a run on so many nodes in its best layout; None where no layout holds it or it never ends."""
    try:
        return weigh_size(run, nodes)
    except InfeasibleError:
        return None


def weigh_size(run: Proposal, nodes: int) -> Size:
    """Weigh a run on so many nodes in its best layout. Raises InfeasibleError where none holds it or it never ends."""
    best = search(run.setup, Cluster(system=run.system, nodes=nodes), run.kernels, keep=1)[0]
    wall = wall_clock(
        RunJob(
            estimate=best,
            steps=run.tokens / (run.setup.global_batch * run.setup.sequence_tokens),
            tokens=run.tokens,
            parameters=float(parameters(run.setup.model)),
            system=run.system,
            systems=nodes,
            upkeep=run.upkeep,
        )
    )
    accelerators = nodes * run.system.accelerators
    return Size(
        system=run.system.id,
        nodes=nodes,
        accelerators=accelerators,
        tokens_per_s=best.tokens_per_s,
        mfu=best.mfu,
        wall_clock=wall,
        gain=None,
        cost=_cost(run, accelerators * wall.p80_seconds),
    )


def _cost(run: Proposal, accelerator_seconds: float) -> Money | None:
    if run.price_per_s is None:
        return None
    return Money(amount=accelerator_seconds * run.price_per_s, currency=run.currency)


def doublings(run: Proposal) -> tuple[Size, ...]:
    """Weigh one node, two, four ... until the batch has nothing left to share out or more nodes take longer.

    Raises InfeasibleError where no number of nodes holds the model.
    """
    sizes: list[Size] = []
    for power in range(MOST_DOUBLINGS):
        size = size_at(run, 2**power)
        if size is None:
            if sizes:
                break
            continue
        if sizes and sizes[-1].nodes * 2 == size.nodes:
            size = replace(size, gain=1 - size.wall_clock.wall_seconds / sizes[-1].wall_clock.wall_seconds)
        sizes.append(size)
        if size.gain is not None and size.gain <= 0:
            break
    if not sizes:
        raise InfeasibleError(
            limit=tr("No number of nodes holds a model of {parameters:.3g} parameters.", parameters=_held(run)),
            relief=tr("Choose accelerators with more memory, or fix a smaller model with --params."),
        )
    return tuple(sizes)


def _held(run: Proposal) -> float:
    return float(parameters(run.setup.model))


def stops_paying(sizes: Sequence[Size]) -> StopsPaying:
    """Find the size whose doubling saves too little time, or the last where the batch is all shared out."""
    least = assumption("sizing.least_gain").value
    for size, twice in itertools.pairwise(sizes):
        if twice.gain is not None and twice.gain < least:
            return StopsPaying(nodes=size.nodes, reason="gain")
    return StopsPaying(nodes=sizes[-1].nodes, reason="batch")


def at_stop(sizes: Sequence[Size], stop: StopsPaying) -> Size:
    """Return the size at which more nodes stop paying."""
    return next(size for size in sizes if size.nodes == stop.nodes)


def meet(run: Proposal, sizes: Sequence[Size], deadline_seconds: float) -> Size:
    """Return the least size that ends by a deadline with 80 % chance, to a quarter of a doubling.

    Raises InfeasibleError where none does, with the fastest there is.
    """
    enough = [size for size in sizes if size.wall_clock.p80_seconds <= deadline_seconds]
    if not enough:
        raise _too_late(min(sizes, key=lambda size: size.wall_clock.p80_seconds), run, deadline_seconds)
    first = min(enough, key=lambda size: size.nodes)
    half = first.nodes // 2
    for quarters in QUARTERS[1:]:
        nodes, rest = divmod(half * quarters, QUARTERS[0])
        size = size_at(run, nodes) if nodes and not rest else None
        if size is not None and size.wall_clock.p80_seconds <= deadline_seconds:
            return size
    return first


def _too_late(fastest: Size, run: Proposal, deadline_seconds: float) -> InfeasibleError:
    takes = fastest.wall_clock.p80_seconds
    told = {
        "days": deadline_seconds / DAY_SECONDS,
        "nodes": fastest.nodes,
        "takes": takes / DAY_SECONDS,
        "batch": float(run.setup.global_batch * run.setup.sequence_tokens),
        "share": deadline_seconds / takes,
    }
    return InfeasibleError(
        limit=tr(
            "The deadline of {days:.3g} days binds: on {nodes} nodes, the fastest that share out a batch of "
            "{batch:.3g} tokens, the run takes {takes:.3g} days (P80).",
            **told,
        ),
        relief=tr("Allow {takes:.3g} days, take faster accelerators, or {share:.0%} of the tokens.", **told),
    )


def nodes_around(count: float) -> list[int]:
    """List the sizes to try for a count, from the largest on: the next doubling, the next quarter, all sizes below."""
    above = [nodes for nodes in nodes_below(2 * 2 * max(count, 1.0)) if nodes > count]
    doubled = min(nodes for nodes in above if nodes.bit_count() == 1)
    return [*sorted({doubled, above[-1]}, reverse=True), *nodes_below(count)]


def nodes_below(count: float) -> list[int]:
    """List the sizes up to a count, from the largest on: quarters of doublings."""
    top = math.floor(math.log2(max(count, 1.0)))
    found = {
        2**power * quarters // QUARTERS[0]
        for power in range(top + 1)
        for quarters in QUARTERS
        if not 2**power * quarters % QUARTERS[0]
    }
    return sorted((nodes for nodes in found if nodes <= count), reverse=True)
