"""A training question as people write it, and what is wrong in it before anything is looked up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from suanli.api.tuning_options import TuningOptions, tuning_faults
from suanli.domain.layout import Offload, Recompute, Schedule, Sharding
from suanli.domain.workload import Attention, ContextExchange, TuningMethod
from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.language import tr


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingQuestion:
    """What is asked, as people write it: names and numbers; None leaves the choice to the documented default.

    `tensor` to `sequence_parallel` describe one layout; where none of them is given, or `search` is set, the best
    layout is searched for, and what is given stays as it is. `sharding_ranks` are the ranks of a sharding group (all
    replicas unless said; fewer: hierarchical). `schedule` is of pipelines (`any` lets a search choose), `offload` what
    lives on the host. `capacity` is the room of an expert in even shares of the tokens, `balanced_experts` spreads
    tokens evenly by force.
    `split_tensor` cuts products of tensor ranks into pieces that run beside each other's traffic.
    `context_exchange` is ring or ulysses, `document_tokens` the mean length of documents packed into a sequence.
    `accelerators` are those in use of one system (all unless said). `tuning` says of a tuning run what its adapters
    are and what stays as it is. `software_date` is of when the framework is (its latest unless said), `calibration` a
    file of a user's own figures.
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
    sharding_ranks: int | None = None
    sequence_parallel: bool | None = None
    search: bool = False
    keep: int = 20
    method: str | None = None
    lora_rank: int | None = None
    accelerators: int | None = None
    tuning: TuningOptions = field(default_factory=TuningOptions)
    software_date: str | None = None
    calibration: str | None = None
    schedule: str | None = None
    offload: str | None = None
    optimizer: str | None = None
    attention: str | None = None
    capacity: float | None = None
    balanced_experts: bool = False
    split_tensor: bool = False
    context_exchange: str | None = None
    document_tokens: int | None = None


COUNTS = (
    "nodes", "sequence_tokens", "global_batch", "tensor", "pipeline", "data", "context", "expert", "interleave",
    "micro_batch", "keep", "lora_rank", "accelerators", "sharding_ranks", "document_tokens",
)  # fmt: skip
MOST = 2**20
"""The most of any count: beyond every cluster, batch and degree that was ever built, and still searched in seconds."""
MOST_OF = {"sequence_tokens": 2**30, "document_tokens": 2**30}
OPTIONS = {
    "sequence_tokens": "--seq-len", "tensor": "--tp", "pipeline": "--pp", "data": "--dp", "context": "--cp",
    "expert": "--ep", "interleave": "--vp", "accelerators": "--cards",
}  # fmt: skip
"""What people call a field of a question, where it is not its own name."""
DEGREES = (
    "tensor", "pipeline", "data", "context", "expert", "interleave", "micro_batch", "recompute", "sharding",
    "sharding_ranks", "sequence_parallel",
)  # fmt: skip
MOST_CAPACITY = 2.0**10
"""More room than this holds every token of any batch in one expert."""
ANY = "any"
"""The word that lets a search choose among all schedules."""
DEFAULT_SEQUENCE = 4096
DEFAULT_BATCH = 1024


def searches(question: TrainingQuestion) -> bool:
    """Say whether layouts are searched for: where that is asked, and where none is described."""
    return question.search or not any(getattr(question, name) is not None for name in DEGREES)


def option_of(name: str) -> str:
    """Return the option that sets a field of a question."""
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")


def _words(question: TrainingQuestion) -> Sequence[tuple[str, str | None, tuple[str, ...]]]:
    from suanli.estimate.optimizers import load_choices

    return (
        ("schedule", question.schedule, (*Schedule, ANY) if searches(question) else tuple(Schedule)),
        ("offload", question.offload, tuple(Offload)),
        ("optimizer", question.optimizer, tuple(load_choices().optimizers)),
        ("recompute", question.recompute, tuple(Recompute)),
        ("sharding", question.sharding, tuple(Sharding)),
        ("attention", question.attention, tuple(Attention)),
        ("method", question.method, tuple(TuningMethod)),
        ("context-exchange", question.context_exchange, tuple(ContextExchange)),
    )


def faults_of(question: TrainingQuestion) -> list[Fault]:
    """Name everything wrong in a training question that shows before anything is looked up."""
    from suanli.catalogue.dates import is_date

    faults = tuning_faults(question.tuning, question.method)
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
    if question.capacity is not None and not (
        math.isfinite(question.capacity) and 0 < question.capacity <= MOST_CAPACITY
    ):
        room = tr("a number above 0, {most:g} at most", most=MOST_CAPACITY)
        faults.append(Fault(place="--capacity", found=f"{question.capacity:g}", allowed=room))
    if question.software_date is not None and not is_date(question.software_date):
        dates = tr("a date such as 2023, 2023-05 or 2023-05-16")
        faults.append(Fault(place="--software-date", found=f"'{question.software_date}'", allowed=dates))
    return faults
