"""The layout that a training question describes, whole or in part, and every rule that it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from suanli.api.training_question import ANY, TrainingQuestion
from suanli.domain.hardware import Cluster
from suanli.domain.layout import (
    RECOMPUTE_LEVELS,
    SHARDING_STAGES,
    Layout,
    Offload,
    Recompute,
    Schedule,
    Sharding,
)
from suanli.domain.workload import TrainingSetup
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.kernel import KernelTable
    from suanli.estimate.space import Freedom
    from suanli.parts.axes.axis import Job

NUMBERS = (
    "tensor", "pipeline", "data", "context", "expert", "interleave", "micro_batch", "sharding_ranks",
)  # fmt: skip
"""Columns of a layout that a question gives as numbers."""

PACE = "--global-batch, --micro-batch, --dp"
"""What together say how many micro-batches a replica works through."""
REPLICAS = ("--dp, --micro-batch, --global-batch", "--ep", "--sharding-ranks")
"""Places of rules that only say something where the number of replicas comes out."""


def freedom_of(question: TrainingQuestion) -> Freedom:
    """Say among which schedules a search may choose (gpipe never beats 1f1b), what lives on the host, what is fixed."""
    from suanli.estimate.space import Freedom

    asked = list(Schedule)[1:] if question.schedule == ANY else [Schedule(question.schedule or Schedule.ONE_F_ONE_B)]
    fixed = {name: float(getattr(question, name)) for name in NUMBERS if getattr(question, name) is not None}
    if question.recompute is not None:
        fixed["recompute"] = float(RECOMPUTE_LEVELS.index(Recompute(question.recompute)))
    if question.sharding is not None:
        fixed["sharding"] = float(SHARDING_STAGES.index(Sharding(question.sharding)))
    if question.sequence_parallel is not None:
        fixed["sequence_parallel"] = float(question.sequence_parallel)
    return Freedom(schedules=tuple(asked), offloads=(Offload(question.offload or Offload.NONE),), fixed=fixed)


def layout_of(question: TrainingQuestion, setup: TrainingSetup, cluster: Cluster, kernels: KernelTable) -> Layout:
    """Make the layout that a question describes; the data degree takes what the others leave.

    Raises InputError with every rule that it breaks: degrees that do not use every accelerator, heads, layers,
    sequences, experts, batches or sharding groups that do not divide.
    """
    split = (question.tensor or 1) * (question.pipeline or 1) * (question.context or 1)
    whole = cluster.nodes * cluster.system.accelerators
    data = question.data or max(whole // split, 1)
    layout = Layout(
        data=data,
        tensor=question.tensor or 1,
        pipeline=question.pipeline or 1,
        context=question.context or 1,
        expert=question.expert or 1,
        interleave=question.interleave or (2 if question.schedule == Schedule.ZB_V else 1),
        micro_batch=question.micro_batch or 1,
        sharding=Sharding(question.sharding or Sharding.OPTIMIZER),
        sharding_ranks=question.sharding_ranks,
        recompute=Recompute(question.recompute or Recompute.NONE),
        sequence_parallel=question.sequence_parallel is not False,
        schedule=Schedule(question.schedule or Schedule.ONE_F_ONE_B),
        offload=Offload(question.offload or Offload.NONE),
    )
    faults = []
    if data * split != whole:
        faults.append(
            Fault(
                place="--tp, --pp, --dp, --cp",
                found=tr("{product} accelerators in use", product=data * split),
                allowed=tr("degrees whose product is {whole}", whole=whole),
            )
        )
    uneven = bool(faults) and question.data is None
    unknown = (*REPLICAS, PACE) if uneven else ()
    faults += [fault for fault in _broken(setup, cluster, kernels, layout) if fault.place not in unknown]
    if faults:
        raise InputError(faults)
    return layout


def _broken(setup: TrainingSetup, cluster: Cluster, kernels: KernelTable, layout: Layout) -> Iterator[Fault]:
    """Say of every axis whose rule a layout breaks what was found and what is allowed."""
    from suanli.estimate.space import broken_rules
    from suanli.estimate.step import job_of, open_machine
    from suanli.estimate.tables import to_table

    job = job_of(setup, open_machine(cluster, kernels, layout.accelerators))
    for name in broken_rules(job, to_table([layout]))[0]:
        yield from _pipeline(job, layout) if name == "pipeline" else [_plain(name, job, layout)]


def _plain(name: str, job: Job, layout: Layout) -> Fault:
    """Say which rule of one line is broken, in the numbers of the job."""
    replicas = layout.data * layout.context
    heads = ", ".join(str(count) for count in sorted({run.layer.core.heads for run in job.model.runs}))
    experts = ", ".join(str(count) for count in sorted({run.layer.experts for run in job.model.runs} - {0})) or "1"
    told = {
        "data": (
            REPLICAS[0],
            tr(
                "{replicas} replicas, micro-batches of {size}, a global batch of {batch}",
                replicas=layout.data,
                size=layout.micro_batch,
                batch=job.global_batch,
            ),
            tr("a global batch that replicas times micro-batch divide"),
        ),
        "tensor": ("--tp", str(layout.tensor), tr("a divisor of the attention heads ({heads})", heads=heads)),
        "context": (
            "--cp",
            str(layout.context),
            _context_rule(job, heads),
        ),
        "expert": (
            "--ep",
            str(layout.expert),
            tr(
                "a divisor of the experts of every layer ({experts}) and of data x context x tensor ({ranks})",
                experts=experts,
                ranks=replicas * layout.tensor,
            ),
        ),
        "sharding": (
            "--sharding-ranks",
            str(layout.sharding_ranks),
            tr("a divisor of data x context ({ranks})", ranks=replicas),
        ),
    }
    place, found, allowed = told[name]
    return Fault(place=place, found=found, allowed=allowed)


def _context_rule(job: Job, heads: str) -> str:
    """Say which context degrees keep the rule: twice of them divide the sequence; under Ulysses they split heads."""
    halves = tr("a degree twice of which divides the sequence ({tokens} tokens)", tokens=job.sequence)
    if not job.ulysses:
        return halves
    return halves + tr(", and which times the tensor degree divides the heads ({heads})", heads=heads)


def _pipeline(job: Job, layout: Layout) -> Iterator[Fault]:
    """Say what of a pipeline's layers, chunks, micro-batches and schedule does not go together."""
    from suanli.parts.axes.pipeline import model_layers

    stages, chunks, schedule, layers = layout.pipeline, layout.interleave, layout.schedule, model_layers(job)
    work = job.global_batch / (layout.data * layout.micro_batch)
    if stages * chunks > layers:
        found = tr("{stages} stages of {chunks} chunks", stages=stages, chunks=chunks)
        yield Fault(place="--pp, --vp", found=found, allowed=tr("at most {layers} in all, one a layer", layers=layers))
    if stages == 1 and schedule in (Schedule.ZB_H1, Schedule.ZB_H2, Schedule.ZB_V, Schedule.DUALPIPE):
        yield Fault(
            place="--schedule", found=schedule.value, allowed=tr("several pipeline stages, or another schedule")
        )
    if schedule is Schedule.ZB_V:
        if chunks != 2:
            yield Fault(place="--vp", found=str(chunks), allowed=tr("2 chunks a stage under zb-v"))
    elif chunks > 1 and (stages == 1 or schedule is not Schedule.ONE_F_ONE_B):
        yield Fault(place="--vp", found=str(chunks), allowed=tr("1, or several pipeline stages under 1f1b"))
    elif chunks > 1 and work % stages:
        rounds = tr("a multiple of the {stages} stages where chunks interleave", stages=stages)
        yield Fault(place=PACE, found=tr("{work:g} micro-batches", work=work), allowed=rounds)
    if schedule is Schedule.DUALPIPE and stages > 1:
        if stages % 2:
            yield Fault(place="--pp", found=str(stages), allowed=tr("an even number of stages under dualpipe"))
        if work % 2 or work < 2 * stages:
            least = tr("an even number under dualpipe, {least} at least", least=2 * stages)
            yield Fault(place=PACE, found=tr("{work:g} micro-batches", work=work), allowed=least)
