"""Training on a cluster: one layout, or the best ones."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.api.layouts import freedom_of, layout_of
from suanli.api.model import find_model
from suanli.api.training_question import (
    DEFAULT_BATCH,
    DEFAULT_SEQUENCE,
    TrainingQuestion,
    faults_of,
    searches,
)
from suanli.api.tuning_options import freezing, low_rank
from suanli.domain.hardware import Cluster
from suanli.domain.result import Rejected, TrainingEstimate, TrainingSearch
from suanli.domain.timeline import MemoryPeak
from suanli.domain.tuning import Freezing
from suanli.domain.workload import Attention, ContextExchange, TrainingSetup, TuningMethod
from suanli.foundation.errors import InfeasibleError, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.hardware import System
    from suanli.domain.kernel import KernelTable
    from suanli.domain.model import Model
    from suanli.domain.software import TrainingCalibration

__all__ = [
    "MemoryPeak", "Rejected", "TrainingEstimate", "TrainingQuestion", "TrainingSearch", "find_model", "over_a_limit",
    "train", "train_told",
]  # fmt: skip
GIB = 2**30


def train(question: TrainingQuestion) -> list[TrainingEstimate]:
    """Answer a training question: the asked layout alone, or the best layouts, best first.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    return list(train_told(question).estimates)


def train_told(question: TrainingQuestion) -> TrainingSearch:
    """Answer as `train` does, and tell of a search why the other layouts were rejected.

    A given layout that fits no memory is an answer too: `over_a_limit` makes the error of it.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    from suanli.estimate.memory_play import memory_peak
    from suanli.estimate.relief import given_layout
    from suanli.estimate.search import search_told

    _check(question)
    calibration, told = own_calibration(question.calibration)
    system, kernels = machine_of(question)
    cluster = Cluster(system=system, nodes=question.nodes)
    setup, assumed = setup_of(question, kernels, calibration)
    if searches(question):
        found = search_told(
            setup, cluster, kernels, keep=question.keep, calibration=calibration, freedom=freedom_of(question)
        )
    else:
        layout = layout_of(question, setup, cluster, kernels)
        found = given_layout(setup, cluster, layout, kernels, calibration)
    said = tuple(replace(one, assumed=(*one.assumed, *assumed, *told)) for one in found.estimates)
    peak = memory_peak(setup, cluster, found.estimates[0], kernels, calibration)
    return replace(found, estimates=said, memory_peak=peak)


def over_a_limit(found: TrainingSearch) -> InfeasibleError | None:
    """Say which limit a given layout breaks, by how much and what would free it; None where it fits."""
    from suanli.report.layouts import training_words

    if not found.estimates[0].limit:
        return None
    short = found.short_bytes / GIB
    if found.estimates[0].limit == "memory":
        limit = tr("The layout is over the memory by {gib:.1f} GiB an accelerator.", gib=short)
    else:
        limit = tr("The layout is over the host's memory by {gib:.1f} GiB an accelerator.", gib=short)
    if not found.relief:
        return InfeasibleError(limit=limit, relief=found.advice)
    best = found.relief[0]
    told = {"layout": training_words(best.layout), "seconds": best.step_seconds, "gib": best.memory_bytes / GIB}
    return InfeasibleError(limit=limit, relief=tr("It would fit as {layout}: {seconds:.3g} s, {gib:.1f} GiB", **told))


def own_calibration(file: str | Path | None) -> tuple[TrainingCalibration, tuple[str, ...]]:
    """Return the shipped calibration, a user's file laid over it where there is one, and what that file says of itself.

    Raises InputError with every fault of the file at once.
    """
    from suanli.estimate.overlay import read_overlay
    from suanli.estimate.software import load_training_calibration

    shipped = load_training_calibration()
    if file is None:
        return shipped, ()
    own = read_overlay(Path(file), shipped)
    return own.calibration, (
        tr(
            "figures of {file}: {source}, {date}, {rows} runs",
            file=file,
            source=own.source,
            date=own.date,
            rows=own.rows,
        ),
    )


def machine_of(question: TrainingQuestion) -> tuple[System, KernelTable]:
    """Find the system of a question, with as many of its accelerators as are in use, and what it is timed by."""
    from suanli.catalogue.find import part_of
    from suanli.catalogue.profile import resolve

    if question.accelerators is not None and question.nodes > 1:
        allowed = tr("one node, or all accelerators of several")
        raise InputError.single(place="--cards", found=tr("{nodes} nodes", nodes=question.nodes), allowed=allowed)
    system, kernels = resolve(question.system)
    return part_of(system, question.accelerators, "--cards"), kernels


def box_of(question: TrainingQuestion) -> System:
    """Find the system of a question, with as many of its accelerators as are in use."""
    return machine_of(question)[0]


def _check(question: TrainingQuestion) -> None:
    if faults := faults_of(question):
        raise InputError(faults)


def setup_of(
    question: TrainingQuestion, kernels: KernelTable, calibration: TrainingCalibration, known: Model | None = None
) -> tuple[TrainingSetup, tuple[str, ...]]:
    """Make the setup of a question, and say what it assumes; a model that is `known` is not looked up by its name."""
    from suanli.estimate.finetuning import tuned
    from suanli.estimate.software import find_software

    model, assumed = known or find_model(question.model), []
    routed = any(run.layer.experts > 1 for run in model.runs)
    for place, asked in (
        ("--capacity", question.capacity is not None),
        ("--balanced-experts", question.balanced_experts),
    ):
        if asked and not routed:
            found, allowed = tr("{model}, a dense model", model=model.name), tr("a model with experts")
            raise InputError.single(place=place, found=found, allowed=allowed)
    if question.precision not in kernels.formats:
        raise InputError.single(
            place="--precision",
            found=f"'{question.precision}'",
            allowed=", ".join(kernels.formats),
            hint=did_you_mean(question.precision, kernels.formats),
        )
    sequence, batch = sizes_of(question, model)
    if question.sequence_tokens is None:
        assumed.append(f"sequence_tokens = {sequence}")
    if question.global_batch is None:
        assumed.append(f"global_batch = {batch}")
    setup = TrainingSetup(
        model=model,
        sequence_tokens=sequence,
        global_batch=batch,
        precision=kernels.formats[question.precision].precisions[0],
        number_format=question.precision,
        framework=find_software(calibration, question.framework, question.software_date or "").id,
        adapters=low_rank(question.tuning, question.lora_rank),
        freezing=_freezing(question, model),
        frozen_format=question.tuning.frozen_format or "",
        optimizer=question.optimizer or "adamw",
        attention=Attention(question.attention or Attention.FLASH),
        capacity=question.capacity,
        balanced_experts=question.balanced_experts,
        split_tensor=question.split_tensor,
        context_exchange=ContextExchange(question.context_exchange or ContextExchange.RING),
        document_tokens=question.document_tokens,
    )
    if question.method is None:
        return replace(setup, adapters=None), tuple(assumed)
    return tuned(setup, TuningMethod(question.method), calibration), tuple(assumed)


def sizes_of(question: TrainingQuestion, model: Model) -> tuple[int, int]:
    """Return the tokens of a sequence and the sequences of a step, as asked for or by default."""
    usual = min(model.max_positions or DEFAULT_SEQUENCE, DEFAULT_SEQUENCE)
    sequence = usual if question.sequence_tokens is None else question.sequence_tokens
    plain = DEFAULT_BATCH if question.method is None else tuning_batch(sequence)
    return sequence, plain if question.global_batch is None else question.global_batch


def tuning_batch(sequence_tokens: int) -> int:
    """Return how many sequences a step of a tuning run has where nobody says: a power of two of them."""
    from suanli.planner.ground import planning_figures

    tokens = planning_figures()["planning.tuning_batch_tokens"].value
    return int(2 ** max(round(math.log2(tokens / sequence_tokens)), 0))


def _freezing(question: TrainingQuestion, model: Model) -> Freezing:
    """Say what stays as it is. Raises InputError where more layers do than the model has."""
    asked, layers = freezing(question.tuning), sum(run.count for run in (*model.runs, *model.draft_runs))
    if asked.layers > layers:
        allowed = tr("at most the {layers} layers of {model}", layers=layers, model=model.name)
        raise InputError.single(place="--freeze-layers", found=str(asked.layers), allowed=allowed)
    return asked
