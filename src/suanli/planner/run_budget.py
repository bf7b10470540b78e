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
from suanli.parts.architectures.count import parameters
from suanli.planner.ground import planning_figures
from suanli.planner.run_sizes import QUARTERS, Proposal, nodes_around, weigh_size

ROUNDS = 2**4
CLOSE = 0.005
"""A budget is aimed at this share below the time there is, and has settled where it ends at most twice as early."""


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
    loss = split.loss_nats_per_token
    if loss is None:
        loss = scaling.loss_of(scaling.default_law(), split.parameters, split.tokens)
    sequence = int(assumption("shape.sequence").value)
    spent = serving.training_flop if serving is not None else flop
    accelerators = wish.system.accelerators if wish.system is not None else 1
    return Advice(
        split=split, serving=serving, flop=spent, batch=scaling.batch_of(loss or 1.0, spent, sequence, accelerators)
    )


def proposal_of(wish: Wish, advice: Advice, system: System, kernels: KernelTable) -> Proposal:
    """Shape the model of a split and put it up for weighing; it spends the same budget as the split does."""
    sequence = int(assumption("shape.sequence").value)
    model = model_of_size(advice.split.parameters)
    setup = TrainingSetup(
        model=model,
        sequence_tokens=sequence,
        global_batch=max(1, round(advice.batch.batch_tokens / sequence)),
    )
    return Proposal(
        setup=setup,
        tokens=advice.split.tokens * advice.split.parameters / parameters(model),
        system=system,
        kernels=kernels,
        upkeep=wish.upkeep,
        price_per_s=wish.price_per_s,
        currency=wish.currency,
    )


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

    A larger budget makes another model and batch, so its speed jumps: what ends in time and what does not are closed in
    upon. Raises InfeasibleError where the model that such a budget asks for does not fit the nodes.
    """
    flop = peak_flop(system, nodes, seconds) * planning_figures()["planning.sizing_utilisation"].value
    enough, too_much = 0.0, math.inf
    for _ in range(2 * ROUNDS):
        room = seconds / _size(wish, system, kernels, nodes, flop).wall_clock.p80_seconds
        enough, too_much = (max(enough, flop), too_much) if room >= 1 else (enough, min(too_much, flop))
        if enough == flop and (room < 1 + 2 * CLOSE or too_much / enough < 1 + CLOSE):
            break
        flop *= room * (1 - CLOSE)
        if enough and not enough * (1 + CLOSE) < flop < too_much:
            flop = enough * (1 + CLOSE) if too_much == math.inf else math.sqrt(enough * too_much)
        if too_much / max(enough, 1.0) < 1 + CLOSE:
            break
    return enough or flop


def _size(wish: Wish, system: System, kernels: KernelTable, nodes: int, flop: float) -> Size:
    """Weigh on so many nodes what a budget is advised to train. Raises InfeasibleError where that is nothing."""
    advice = advise(wish, flop)
    refuse_trifles(wish, advice)
    try:
        return weigh_size(proposal_of(wish, advice, system, kernels), nodes)
    except InfeasibleError as error:
        raise _unfit(advice, system, nodes, error) from error


def _unfit(advice: Advice, system: System, nodes: int, error: InfeasibleError) -> InfeasibleError:
    told = {"parameters": advice.split.parameters, "nodes": nodes, "system": system.name, "why": error.limit}
    return InfeasibleError(
        limit=tr("{parameters:.3g} parameters do not go on {nodes} x {system}. {why}", **told),
        relief=tr("Take another number of nodes for another time, or fix the size with --params."),
    )


def budget_of_money(
    wish: Wish, system: System, kernels: KernelTable, money: float, seconds: float
) -> tuple[float, int]:
    """Return the most arithmetic that money rents within a time, and on how many nodes.

    From a few more nodes than it rents for all of the time, which then end sooner, on downwards, until a whole doubling
    fewer bring no more. Raises InfeasibleError where it rents too little for any model, or for one that fits.
    """
    rent = (wish.price_per_s or 0.0) * system.accelerators
    tried: list[tuple[float, int]] = []
    refusals: list[InfeasibleError] = []
    for nodes in nodes_around(money / (rent * seconds)):
        try:
            flop = budget_of_chips(wish, system, kernels, nodes, min(seconds, money / (rent * nodes)))
        except InfeasibleError as error:
            refusals.append(error)
            continue
        tried.append((flop, nodes))
        if len(tried) - tried.index(max(tried)) > len(QUARTERS):
            break
    if not tried:
        raise refusals[0]
    return max(tried)


def refuse_trifles(wish: Wish, advice: Advice) -> None:
    """Raise InfeasibleError where a budget makes too small a model, or not one step, with the budget that is enough."""
    least = assumption("sizing.least_parameters").value
    size, batch = advice.split.parameters, advice.batch.batch_tokens
    if wish.parameters is None and wish.tokens is None and size < least:
        enough = _enough(wish.law, advice.flop, least)
        limit = tr("it makes a model of {parameters:.2g} parameters, below {least:.2g}", parameters=size, least=least)
    elif advice.split.tokens < batch:
        enough = advice.flop * batch / advice.split.tokens
        limit = tr("it does not pay for one step of {batch:.2g} tokens", batch=batch)
    else:
        return
    told = {"flop": enough, "times": enough / advice.flop}
    raise InfeasibleError(
        limit=tr("The budget binds: {limit}.", limit=limit),
        relief=tr("Allow {flop:.2g} FLOP, {times:.3g} times as much.", **told),
    )


def _enough(law: ScalingLaw, flop: float, least: float) -> float:
    """Find by halving the least budget that a law makes a model of so many parameters of."""
    low, high = math.log(flop), math.log(flop) + ROUNDS
    while scaling.parameters_of(law, math.exp(high)) < least:
        high += ROUNDS
    for _ in range(2 * ROUNDS):
        middle = (low + high) / 2
        short = scaling.parameters_of(law, math.exp(middle)) < least
        low, high = (middle, high) if short else (low, middle)
    return math.exp(high)
