"""From chips and a deadline, or money, to what can be trained: the size of a model and its speed settle each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

from suanli.catalogue.assumptions import assumption
from suanli.domain.hardware import Precision, System
from suanli.domain.kernel import KernelTable
from suanli.domain.scaling import Batch, ScalingLaw, Serving, Size, Split
from suanli.domain.wall_clock import Upkeep
from suanli.domain.workload import TrainingSetup
from suanli.estimate import scaling
from suanli.estimate.shape import model_of_size
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import tr
from suanli.planner.ground import planning_figures
from suanli.planner.run_sizes import Proposal, nodes_below, size_at

ROUNDS = 2**4
CLOSE = 0.005
"""A budget is aimed at this share below the time there is, and has settled where it ends no more than twice as early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is asked of a run whatever its budget: law, what is fixed, tokens to serve, and the ground it stands on."""

    law: ScalingLaw
    parameters: float | None
    tokens: float | None
    serve_tokens: float | None
    upkeep: Upkeep
    system: System | None = None
    kernels: KernelTable | None = None
    price_per_s: float | None = None
    currency: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """A budget split by the wish's law, with the batch that its loss allows."""

    split: Split
    serving: Serving | None
    flop: float
    batch: Batch


def advise(wish: Wish, flop: float) -> Advice:
    """Split a budget; where tokens are to be served, the same loss with less arithmetic over the model's life."""
    split, serving = scaling.split_of(wish.law, flop, wish.parameters, wish.tokens), None
    if wish.serve_tokens:
        split, serving = scaling.served(wish.law, split, wish.serve_tokens)
    loss = split.loss
    if loss is None:
        loss = scaling.loss_of(scaling.default_law(), split.parameters, split.tokens)
    sequence = int(assumption("shape.sequence").value)
    spent = serving.training_flop if serving is not None else flop
    accelerators = wish.system.accelerators if wish.system is not None else 1
    return Advice(
        split=split, serving=serving, flop=spent, batch=scaling.batch_of(loss or 1.0, spent, sequence, accelerators)
    )


def proposal_of(wish: Wish, advice: Advice, system: System, kernels: KernelTable) -> Proposal:
    """Shape the model of a split and put it up for weighing."""
    sequence = int(assumption("shape.sequence").value)
    setup = TrainingSetup(
        model=model_of_size(advice.split.parameters),
        sequence_tokens=sequence,
        global_batch=max(1, round(advice.batch.batch_tokens / sequence)),
    )
    return Proposal(
        setup=setup, tokens=advice.split.tokens, system=system, kernels=kernels, upkeep=wish.upkeep,
        price_per_s=wish.price_per_s, currency=wish.currency,
    )  # fmt: skip


def peak_flop(system: System, nodes: int, seconds: float) -> float:
    """Return the arithmetic of so many systems at their peak over a time."""
    peaks = system.accelerator.peak_flop_per_s
    peak = peaks.get(Precision.BF16) or peaks.get(Precision.FP16)
    if peak is None:
        raise InfeasibleError(
            limit=tr("{system} has no arithmetic in 16 bits.", system=system.name),
            relief=tr("Choose another system."),
        )
    return peak.value * system.accelerators * nodes * seconds


def budget_of_chips(wish: Wish, system: System, kernels: KernelTable, nodes: int, seconds: float) -> float:
    """Return the arithmetic that ends within a time on so many nodes with 80 % chance.

    Raises InfeasibleError where the model that such a budget asks for does not fit them.
    """
    flop = peak_flop(system, nodes, seconds) * planning_figures()["planning.sizing_utilisation"].value
    for settling in range(2 * ROUNDS):
        size = weigh(wish, system, kernels, nodes, flop)
        if size is None:
            raise _too_small(advise(wish, flop), system, nodes)
        room = seconds / size.wall_clock.p80_seconds
        if 1 <= room < 1 + 2 * CLOSE or (room >= 1 and settling > ROUNDS):
            break
        flop *= room * (1 - CLOSE)
    return flop


def weigh(wish: Wish, system: System, kernels: KernelTable, nodes: int, flop: float) -> Size | None:
    """Weigh on so many nodes what a budget is advised to train."""
    return size_at(proposal_of(wish, advise(wish, flop), system, kernels), nodes)


def _too_small(advice: Advice, system: System, nodes: int) -> InfeasibleError:
    told = {"parameters": advice.split.parameters, "nodes": nodes, "system": system.name}
    return InfeasibleError(
        limit=tr("The memory binds: {parameters:.3g} parameters do not fit {nodes} x {system}.", **told),
        relief=tr("Take more nodes for a shorter time, or fix a smaller model with --params."),
    )


def budget_of_money(
    wish: Wish, system: System, kernels: KernelTable, money: float, seconds: float
) -> tuple[float, int]:
    """Return the arithmetic that money rents within a time, and on how many nodes.

    Raises InfeasibleError where it rents too little for any model, or for one that fits.
    """
    rent = (wish.price_per_s or 0.0) * system.accelerators
    most = money / (rent * seconds)
    refusal: InfeasibleError | None = None
    for nodes in nodes_below(most) or [1]:
        try:
            flop = budget_of_chips(wish, system, kernels, nodes, min(seconds, money / (rent * nodes)))
        except InfeasibleError as error:
            refusal = refusal or error
            continue
        return flop, nodes
    raise refusal or InfeasibleError(limit=tr("The money binds."), relief="")


def refuse_trifles(wish: Wish, advice: Advice) -> None:
    """Raise InfeasibleError where a budget makes too small a model, with the budget that makes one large enough."""
    least = assumption("sizing.least_parameters").value
    if wish.parameters is not None or wish.tokens is not None or advice.split.parameters >= least:
        return
    low, high = math.log(advice.flop), math.log(advice.flop * (least / advice.split.parameters) ** ROUNDS)
    for _ in range(ROUNDS * 2):
        middle = (low + high) / 2
        short = scaling.parameters_of(wish.law, math.exp(middle)) < least
        low, high = (middle, high) if short else (low, middle)
    told = {"parameters": advice.split.parameters, "least": least, "flop": math.exp(high)}
    raise InfeasibleError(
        limit=tr("The budget binds: it makes a model of {parameters:.2g} parameters, below {least:.2g}.", **told),
        relief=tr("Allow {flop:.2g} FLOP, {times:.3g} times as much.", **told, times=math.exp(high) / advice.flop),
    )
