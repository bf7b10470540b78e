"""The inverse questions of tuning: the largest rank, context, micro-batch or model that still fits a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suanli.api.finetune import finetune_told, tuning
from suanli.api.layouts import freedom_of, layout_of
from suanli.api.model import find_model
from suanli.api.train import TrainingQuestion, box_of, machine_of, over_a_limit, own_calibration, setup_of, sizes_of
from suanli.api.training_question import MOST_OF, faults_of, searches
from suanli.api.tuning_options import MOST_RANK
from suanli.domain.hardware import Cluster
from suanli.domain.result import TrainingEstimate
from suanli.domain.workload import TuningMethod
from suanli.foundation.errors import InfeasibleError, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.model import Model

ASKED = ("rank", "context", "batch", "model")
CONTEXT_STEP = 2**6
"""Tokens that lengths of a context are told to."""
MOST_MICRO_BATCH = 2**12
NEIGHBOURS = 2 + 2
"""Models above the largest one found by halving that are tried too: two of one size need not take the same bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LargestQuestion:
    """A tuning step, and what of it is to be as large as fits: rank, context, batch (micro-batch) or model."""

    step: TrainingQuestion
    asked: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Largest:
    """The largest that fits, its estimate, and what the next one breaks.

    `value` is a number, of tokens for a context, `model` the name of a model where that was asked. `bounded` says that
    nothing larger was tried, since the question itself ends there. `binds` is the cause of memory that grows most from
    what fits to what does not ("" where that is not known), `short_bytes` what the next one lacks of memory.
    """

    asked: str
    value: float
    model: str
    estimate: TrainingEstimate
    tried_next: str
    bounded: bool
    binds: str
    short_bytes: float | None
    frees: str


Rungs = Callable[[int], TrainingQuestion]


def largest(question: LargestQuestion) -> Largest:
    """Find the largest that fits by doubling and halving over the estimate itself.

    Raises InputError with every fault at once, InfeasibleError where even the smallest does not fit.
    """
    step = tuning(question.step)
    faults = faults_of(step)
    if question.asked not in ASKED:
        hint = did_you_mean(question.asked, ASKED)
        raise InputError.single(place="--largest", found=f"'{question.asked}'", allowed=", ".join(ASKED), hint=hint)
    if faults:
        raise InputError(faults)
    if question.asked == "rank" and step.method == TuningMethod.FULL:
        allowed = tr("method {allowed}", allowed="lora, qlora")
        raise InputError.single(place="--largest rank", found=tr("method {method}", method="full"), allowed=allowed)
    if question.asked == "model":
        return _largest_model(step)
    model = find_model(step.model)
    changed, most, unit = _ladder(step, question.asked, model)
    return _climb(question.asked, changed, most, unit)


def _ladder(step: TrainingQuestion, asked: str, model: Model) -> tuple[Rungs, int, int]:
    """Return what a rung makes of a question, how many rungs there are, and how much of what one rung is."""
    sequence, _ = sizes_of(step, model)
    if asked == "rank":
        return lambda rung: replace(step, lora_rank=rung), min(MOST_RANK, model.hidden), 1
    if asked == "context":
        reach = min(model.max_positions or MOST_OF["sequence_tokens"], MOST_OF["sequence_tokens"])
        return (
            lambda rung: replace(step, sequence_tokens=rung * CONTEXT_STEP),
            max(reach // CONTEXT_STEP, 1),
            CONTEXT_STEP,
        )
    cards = step.nodes * box_of(step).accelerators
    plain = replace(step, sequence_tokens=sequence)
    return (
        lambda rung: replace(
            plain, micro_batch=rung, global_batch=rung * (plain.data or cards), search=plain.tensor is None
        ),
        MOST_MICRO_BATCH,
        1,
    )


def _fitting(question: TrainingQuestion) -> TrainingEstimate | None:
    """Estimate a question: its layout, or the best one; None where it does not fit."""
    from suanli.estimate.search import best_that_fits
    from suanli.estimate.training import estimate_layout

    system, kernels = machine_of(question)
    calibration, _ = own_calibration(question.calibration)
    cluster = Cluster(system=system, nodes=question.nodes)
    setup, _ = setup_of(question, kernels, calibration)
    if searches(question):
        return best_that_fits(setup, cluster, kernels, calibration, freedom_of(question))
    layout = layout_of(question, setup, cluster, kernels)
    one = estimate_layout(setup, cluster, layout, kernels, calibration=calibration)
    return None if one.limit else one


def _failing(question: TrainingQuestion) -> tuple[TrainingEstimate | None, InfeasibleError, float | None]:
    """Say how a question fails: the given layout's estimate, what limit it breaks, what it is short of."""
    try:
        found = finetune_told(replace(question, keep=1))
    except InfeasibleError as error:
        return None, error, None
    refused = over_a_limit(found) or InfeasibleError(limit=tr("Nothing larger fits."), relief="")
    return found.estimates[0], refused, found.short_bytes


def _climb(asked: str, changed: Rungs, most: int, unit: int) -> Largest:
    """Double until a rung does not fit, then halve between the last that does and the first that does not."""
    first = _fitting(changed(1))
    if first is None:
        raise _failing(changed(1))[1]
    good, held, bad = 1, first, most + 1
    while good < most:
        rung = min(2 * good, most)
        found = _fitting(changed(rung))
        if found is None:
            bad = rung
            break
        good, held = rung, found
    while bad - good > 1:
        middle = (good + bad) // 2
        found = _fitting(changed(middle))
        good, held, bad = (good, held, middle) if found is None else (middle, found, bad)
    after = None if good == most else changed(bad)
    return _told(asked, float(good * unit), "", held, after, f"{bad * unit:,}")


def _told(
    asked: str, value: float, model: str, held: TrainingEstimate, after: TrainingQuestion | None, name: str
) -> Largest:
    """Put an answer together: what fits, what the next breaks, and the cause of memory that binds."""
    if after is None:
        return Largest(asked=asked, value=value, model=model, estimate=held, tried_next="", bounded=True, binds="",
                       short_bytes=None, frees="")  # fmt: skip
    failed, error, short = _failing(after)
    over = held.bytes_by_cause if failed is None else failed.bytes_by_cause
    growth = {cause: over[cause] - held.bytes_by_cause[cause] for cause in over}
    grown = max(growth, key=lambda cause: growth[cause])
    binds = grown if growth[grown] > 0 else max(over, key=lambda cause: over[cause])
    return Largest(
        asked=asked, value=value, model=model, estimate=held, tried_next=name, bounded=False, binds=binds,
        short_bytes=short, frees=error.relief,
    )  # fmt: skip


def _largest_model(step: TrainingQuestion) -> Largest:
    """Find the largest packaged model that fits: by halving over their sizes, then a few larger ones."""
    from suanli.parts.architectures.count import parameters
    from suanli.parts.architectures.read import known_models, named_model

    sized = sorted((parameters(named_model(name)), name) for name in known_models())

    def fitting(at: int) -> TrainingEstimate | None:
        try:
            return _fitting(replace(step, model=sized[at][1]))
        except InputError:
            return None  # a setting that this model cannot take, such as a target that it does not have

    low, high, held = -1, len(sized), None
    while high - low > 1:
        middle = (low + high) // 2
        found = fitting(middle)
        low, held, high = (low, held, middle) if found is None else (middle, found, high)
    for at in range(high + 1, min(high + 1 + NEIGHBOURS, len(sized))):
        found = fitting(at)
        if found is not None:
            low, held = at, found
    if held is None:
        raise _failing(replace(step, model=sized[0][1]))[1]
    size, name = sized[low]
    following = sized[low + 1][1] if low + 1 < len(sized) else ""
    after = replace(step, model=following) if following else None
    return _told("model", float(size), name, held, after, following)
