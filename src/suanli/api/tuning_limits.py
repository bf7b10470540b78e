"""The inverse questions of tuning: the largest rank, context, micro-batch or model that still fits a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suanli.api.finetune import finetune_told, tuning
from suanli.api.model import find_model
from suanli.api.train import TrainingQuestion, sizes_of
from suanli.api.training_question import MOST_OF, faults_of
from suanli.api.tuning_options import MOST_RANK
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


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one try came to: an estimate where it fits, else how it fails."""

    estimate: TrainingEstimate | None
    failed: TrainingEstimate | None = None
    error: InfeasibleError | None = None
    short_bytes: float | None = None


Try = Callable[[int], _Tried]


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
    return _climb(question.asked, lambda rung: _try(changed(rung)), most, unit)


def _ladder(
    step: TrainingQuestion, asked: str, model: Model
) -> tuple[Callable[[int], TrainingQuestion], int, int]:
    """Return what a rung makes of a question, how many rungs there are, and how much of what one rung is."""
    from suanli.catalogue.find import system

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
    cards = step.nodes * system(step.system, place="--system").accelerators
    plain = replace(step, sequence_tokens=sequence)
    return (
        lambda rung: replace(
            plain, micro_batch=rung, global_batch=rung * (plain.data or cards), search=plain.tensor is None
        ),
        MOST_MICRO_BATCH,
        1,
    )


def _try(question: TrainingQuestion) -> _Tried:
    """Estimate a question: the best layout that fits, or how far the given one is off."""
    try:
        found = finetune_told(replace(question, keep=1))
    except InfeasibleError as error:
        return _Tried(None, error=error)
    best = found.estimates[0]
    if best.limit:
        error = InfeasibleError(limit=tr("The layout is over its memory."), relief=found.advice or _freeing(found.relief))
        return _Tried(None, failed=best, error=error, short_bytes=found.short_bytes)
    return _Tried(best)


def _freeing(relief: tuple[TrainingEstimate, ...]) -> str:
    from suanli.report.layouts import training_words

    return tr("It would fit as {layout}.", layout=training_words(relief[0].layout)) if relief else ""


def _climb(asked: str, attempt: Try, most: int, unit: int) -> Largest:
    """Double until a rung does not fit, then halve between the last that does and the first that does not."""
    first = attempt(1)
    if first.estimate is None:
        assert first.error is not None
        raise first.error
    good, held, bad, failed = 1, first.estimate, most + 1, _Tried(None)
    while good < most:
        rung = min(2 * good, most)
        tried = attempt(rung)
        if tried.estimate is None:
            bad, failed = rung, tried
            break
        good, held = rung, tried.estimate
    while bad - good > 1:
        middle = (good + bad) // 2
        tried = attempt(middle)
        if tried.estimate is None:
            bad, failed = middle, tried
        else:
            good, held = middle, tried.estimate
    return _told(asked, float(good * unit), "", held, failed, "" if good == most else f"{bad * unit}")


def _told(
    asked: str, value: float, model: str, held: TrainingEstimate, failed: _Tried, tried_next: str
) -> Largest:
    """Put an answer together: what fits, what the next breaks, and the cause of memory that binds."""
    over = failed.failed.bytes_by_cause if failed.failed is not None else held.bytes_by_cause
    growth = {cause: over[cause] - held.bytes_by_cause[cause] for cause in over}
    grown = max(growth, key=lambda cause: growth[cause])
    binds = grown if growth[grown] > 0 else max(over, key=lambda cause: over[cause])
    return Largest(
        asked=asked,
        value=value,
        model=model,
        estimate=held,
        tried_next=tried_next,
        bounded=not tried_next,
        binds=binds if tried_next else "",
        short_bytes=failed.short_bytes,
        frees=failed.error.relief if failed.error is not None else "",
    )


def _largest_model(step: TrainingQuestion) -> Largest:
    """Find the largest packaged model that fits: by halving over their sizes, then a few larger ones."""
    from suanli.parts.architectures.count import parameters
    from suanli.parts.architectures.read import known_models, named_model

    sized = sorted((parameters(named_model(name)), name) for name in known_models())

    def attempt(at: int) -> _Tried:
        try:
            return _try(replace(step, model=sized[at][1]))
        except InputError as error:
            # a setting that this model cannot take, such as a target that it does not have
            return _Tried(None, error=InfeasibleError(limit=str(error), relief=""))

    low, high, held, failed = -1, len(sized), None, _Tried(None)
    while high - low > 1:
        middle = (low + high) // 2
        tried = attempt(middle)
        if tried.estimate is None:
            high, failed = middle, tried
        else:
            low, held = middle, tried.estimate
    for at in range(high + 1, min(high + 1 + NEIGHBOURS, len(sized))):
        tried = attempt(at)
        if tried.estimate is not None:
            low, held = at, tried.estimate
    if held is None:
        assert failed.error is not None
        raise failed.error
    after = sized[low + 1][1] if low + 1 < len(sized) else ""
    return _told("model", float(sized[low][0]), sized[low][1], held, failed, after)
