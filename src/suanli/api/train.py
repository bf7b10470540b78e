"""Training on a cluster: one layout, or the best ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.api.model import find_model
from suanli.domain.hardware import Cluster
from suanli.domain.layout import Layout, Offload, Recompute, Schedule, Sharding
from suanli.domain.result import Rejected, TrainingEstimate, TrainingSearch
from suanli.domain.timeline import MemoryPeak
from suanli.domain.workload import TrainingSetup, TuningMethod
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.kernel import KernelTable
    from suanli.domain.software import TrainingCalibration
    from suanli.estimate.space import Freedom

__all__ = [
    "MemoryPeak",
    "Rejected",
    "TrainingEstimate",
    "TrainingQuestion",
    "TrainingSearch",
    "find_model",
    "train",
    "train_told",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingQuestion:
    """What is asked, as people write it: names and numbers; None leaves the choice to the documented default.

    `tensor` to `recompute` describe one layout; where none of them is given the best layout is searched for.
    `schedule` is of pipelines (`any` lets a search choose), `offload` what lives on the host.
    `split_tensor` cuts products of tensor ranks into pieces that run beside each other's traffic.
    `software_date` is of when the framework is (its latest unless said), `calibration` a file of a user's own figures.
    """

    model: str
    system: str
    nodes: int = 1
    sequence_tokens: int | None = None
    global_batch: int | None = None
    precision: str = "bf16"
    framework: str = "megatron"
    tensor: int | None = None
    pipeline: int | None = None
    data: int | None = None
    context: int | None = None
    expert: int | None = None
    interleave: int | None = None
    micro_batch: int | None = None
    recompute: str | None = None
    sharding: str | None = None
    search: bool = False
    keep: int = 20
    method: str | None = None
    lora_rank: int | None = None
    software_date: str | None = None
    calibration: str | None = None
    schedule: str | None = None
    offload: str | None = None
    optimizer: str | None = None
    split_tensor: bool = False


COUNTS = (
    "nodes", "sequence_tokens", "global_batch", "tensor", "pipeline", "data", "context", "expert", "interleave",
    "micro_batch", "keep", "lora_rank",
)  # fmt: skip
MOST = 2**20
"""The most of any count: beyond every cluster, batch and degree that was ever built, and still searched in seconds."""
MOST_OF = {"sequence_tokens": 2**30}
OPTIONS = {
    "sequence_tokens": "--seq-len", "tensor": "--tp", "pipeline": "--pp", "data": "--dp", "context": "--cp",
    "expert": "--ep", "interleave": "--vp",
}  # fmt: skip
"""What people call a field of a question, where it is not its own name."""
DEGREES = ("tensor", "pipeline", "data", "context", "expert", "interleave", "micro_batch", "recompute", "sharding")
ANY = "any"
"""The word that lets a search choose among all schedules."""
DEFAULT_SEQUENCE = 4096
DEFAULT_BATCH = 1024


def train(question: TrainingQuestion) -> list[TrainingEstimate]:
    """Answer a training question: the asked layout alone, or the best layouts, best first.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    return list(train_told(question).estimates)


def train_told(question: TrainingQuestion) -> TrainingSearch:
    """Answer as `train` does, and tell of a search why the other layouts were rejected.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    from suanli.catalogue.find import system
    from suanli.catalogue.kernels import load_kernels
    from suanli.estimate.memory_play import memory_peak
    from suanli.estimate.relief import layouts_that_fit
    from suanli.estimate.search import search_told
    from suanli.estimate.training import estimate_layout

    _check(question)
    kernels = load_kernels()
    calibration, told = own_calibration(question.calibration)
    cluster = Cluster(system=system(question.system, place="--system"), nodes=question.nodes)
    setup, assumed = setup_of(question, kernels, calibration)
    if _searches(question):
        found = search_told(
            setup, cluster, kernels, keep=question.keep, calibration=calibration, freedom=freedom_of(question)
        )
    else:
        layout = layout_of(question, cluster)
        one = estimate_layout(setup, cluster, layout, kernels, calibration=calibration)
        short = one.limit == "memory"
        relief = layouts_that_fit(setup, cluster, layout, kernels, calibration) if short else []
        found = TrainingSearch(estimates=(one,), fitting=int(not one.limit), relief=tuple(relief))
    said = tuple(replace(one, assumed=(*one.assumed, *assumed, *told)) for one in found.estimates)
    peak = memory_peak(setup, cluster, found.estimates[0], kernels, calibration)
    return replace(found, estimates=said, memory_peak=peak)


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


def _searches(question: TrainingQuestion) -> bool:
    """Say whether layouts are searched for: where that is asked, and where none is described."""
    return question.search or not any(getattr(question, name) is not None for name in DEGREES)


def freedom_of(question: TrainingQuestion) -> Freedom:
    """Say among which schedules a search may choose, and what lives on the host; gpipe never beats 1f1b."""
    from suanli.estimate.space import Freedom

    asked = list(Schedule)[1:] if question.schedule == ANY else [Schedule(question.schedule or Schedule.ONE_F_ONE_B)]
    return Freedom(schedules=tuple(asked), offloads=(Offload(question.offload or Offload.NONE),))


def option_of(name: str) -> str:
    """Return the option that sets a field of a question."""
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")


def _words(question: TrainingQuestion) -> Sequence[tuple[str, str | None, tuple[str, ...]]]:
    from suanli.estimate.optimizers import load_choices

    return (
        ("schedule", question.schedule, (*Schedule, ANY) if _searches(question) else tuple(Schedule)),
        ("offload", question.offload, tuple(Offload)),
        ("optimizer", question.optimizer, tuple(load_choices().optimizers)),
        ("recompute", question.recompute, tuple(Recompute)),
        ("sharding", question.sharding, tuple(Sharding)),
        ("method", question.method, tuple(TuningMethod)),
    )


def _check(question: TrainingQuestion) -> None:
    if faults := faults_of(question):
        raise InputError(faults)


def faults_of(question: TrainingQuestion) -> list[Fault]:
    """Name everything wrong in a training question that shows before anything is looked up."""
    from suanli.catalogue.dates import is_date

    faults = []
    for name in COUNTS:
        value, most = getattr(question, name), MOST_OF.get(name, MOST)
        if value is not None and not 1 <= value <= most:
            place = option_of(name)
            span = tr("a whole number from 1 to {most}", most=most)
            faults.append(Fault(place=place, found=str(value), allowed=span))
    for name, said, allowed in _words(question):
        if said is not None and said not in allowed:
            hint = did_you_mean(said, allowed)
            faults.append(Fault(place=f"--{name}", found=f"'{said}'", allowed=", ".join(allowed), hint=hint))
    if question.software_date is not None and not is_date(question.software_date):
        dates = tr("a date such as 2023, 2023-05 or 2023-05-16")
        faults.append(Fault(place="--software-date", found=f"'{question.software_date}'", allowed=dates))
    return faults


def setup_of(
    question: TrainingQuestion, kernels: KernelTable, calibration: TrainingCalibration
) -> tuple[TrainingSetup, tuple[str, ...]]:
    """Make the setup of a question, and say what it assumes."""
    from suanli.estimate.finetuning import tuned
    from suanli.estimate.software import find_software

    model, assumed = find_model(question.model), []
    if question.precision not in kernels.formats:
        raise InputError.single(
            place="--precision",
            found=f"'{question.precision}'",
            allowed=", ".join(kernels.formats),
            hint=did_you_mean(question.precision, kernels.formats),
        )
    sequence, batch = question.sequence_tokens, question.global_batch
    if sequence is None:
        sequence = min(model.max_positions or DEFAULT_SEQUENCE, DEFAULT_SEQUENCE)
        assumed.append(f"sequence_tokens = {sequence}")
    if batch is None:
        batch = DEFAULT_BATCH
        assumed.append(f"global_batch = {batch}")
    setup = TrainingSetup(
        model=model,
        sequence_tokens=sequence,
        global_batch=batch,
        precision=kernels.formats[question.precision].precisions[0],
        number_format=question.precision,
        framework=find_software(calibration, question.framework, question.software_date or "").id,
        lora_rank=question.lora_rank or 0,
        optimizer=question.optimizer or "adamw",
        split_tensor=question.split_tensor,
    )
    return (tuned(setup, TuningMethod(question.method), calibration) if question.method else setup), tuple(assumed)


def layout_of(question: TrainingQuestion, cluster: Cluster) -> Layout:
    """Make the layout that a question describes; the data degree takes what the others leave.

    Raises InputError where the degrees do not use every accelerator.
    """
    split = (question.tensor or 1) * (question.pipeline or 1) * (question.context or 1)
    whole = cluster.nodes * cluster.system.accelerators
    data = question.data or max(whole // split, 1)
    if data * split != whole:
        raise InputError.single(
            place="--tp, --pp, --dp, --cp",
            found=tr("{product} accelerators in use", product=data * split),
            allowed=tr("degrees whose product is {whole}", whole=whole),
        )
    return Layout(
        data=data,
        tensor=question.tensor or 1,
        pipeline=question.pipeline or 1,
        context=question.context or 1,
        expert=question.expert or 1,
        interleave=question.interleave or (2 if question.schedule == Schedule.ZB_V else 1),
        micro_batch=question.micro_batch or 1,
        sharding=Sharding(question.sharding or Sharding.OPTIMIZER),
        recompute=Recompute(question.recompute or Recompute.NONE),
        schedule=Schedule(question.schedule or Schedule.ONE_F_ONE_B),
        offload=Offload(question.offload or Offload.NONE),
    )
