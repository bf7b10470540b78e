"""Serving on a system: one setting of a replica, or the best ones under latency targets, and replicas for a rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.domain.result import Band, ServingEstimate
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.model import Model

HEADROOM = 0.2
"""Share of a replica's capacity kept free for peaks where a user names none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingQuestion:
    """What is asked, as people write it; None leaves the choice to the search or the documented default.

    With `concurrency` or any degree given, that setting is told; else the best one is searched for.
    """

    model: str
    system: str
    input_tokens: float = 1024.0
    output_tokens: float = 256.0
    ttft_limit_seconds: float | None = None
    tpot_limit_seconds: float | None = None
    rate_per_s: float | None = None
    weight_format: str = "bf16"
    kv_format: str = "auto"
    engine: str = "vllm"
    engine_version: str = ""
    tensor: int | None = None
    pipeline: int | None = None
    expert: int | None = None
    attention_data: int | None = None
    concurrency: float | None = None
    prefix_hit_share: float = 0.0
    draft_tokens: float = 0.0
    headroom: float = HEADROOM
    keep: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingAnswer:
    """The best setting (or the one asked for), replicas for the rate, and what came next."""

    model: str
    system: str
    ttft_seconds: float
    tpot_seconds: float
    output_tokens_per_s: float
    total_tokens_per_s: float
    requests_per_s: float
    replicas: int
    accelerators: int
    concurrency: float
    layout: ServingLayout
    band: Mapping[str, Band]
    memory_bytes: float
    bytes_by_cause: Mapping[str, float]
    seconds_by_cause: Mapping[str, float]
    kv_capacity_tokens: float
    assumed: tuple[str, ...]
    others: tuple[ServingEstimate, ...]


def find_model(name: str) -> Model:
    """Find a model by the path of its config.json or by a packaged name. Raises InputError where there is none."""
    from suanli.parts.architectures.read import named_model, read_model_file

    return read_model_file(name) if Path(name).exists() else named_model(name)


def serve(question: ServingQuestion) -> ServingAnswer:
    """Answer a serving question.

    Raises InputError with every fault at once, InfeasibleError where nothing fits or meets the targets.
    """
    from suanli.catalogue.find import system as find_system
    from suanli.catalogue.kernels import load_kernels
    from suanli.estimate.serving import estimate_serving
    from suanli.estimate.serving_search import nothing_fits, replicas_for, search

    _check(question)
    kernels, system, setup = load_kernels(), find_system(question.system, place="--system"), _setup(question)
    if _asked(question):
        one = estimate_serving(setup, system, _layout(question), question.concurrency or 1.0, kernels)
        if one.limit:
            raise nothing_fits(one.limit)
        found = [one]
    else:
        found = search(
            setup,
            system,
            kernels,
            math.inf if question.ttft_limit_seconds is None else question.ttft_limit_seconds,
            math.inf if question.tpot_limit_seconds is None else question.tpot_limit_seconds,
            keep=question.keep,
        )
    best = found[0]
    replicas = 1 if question.rate_per_s is None else replicas_for(question.rate_per_s, best, question.headroom)
    return ServingAnswer(
        model=setup.model.name,
        system=system.id,
        ttft_seconds=best.ttft_seconds,
        tpot_seconds=best.tpot_seconds,
        output_tokens_per_s=best.output_tokens_per_s,
        total_tokens_per_s=best.total_tokens_per_s,
        requests_per_s=best.requests_per_s,
        replicas=replicas,
        accelerators=replicas * best.layout.accelerators,
        concurrency=best.concurrency,
        layout=best.layout,
        band=best.bands,
        memory_bytes=best.memory_bytes,
        bytes_by_cause=best.bytes_by_cause,
        seconds_by_cause=best.seconds_by_cause,
        kv_capacity_tokens=best.kv_capacity_tokens,
        assumed=best.assumed,
        others=tuple(found[1:]),
    )


def _asked(question: ServingQuestion) -> bool:
    degrees = (question.tensor, question.pipeline, question.expert, question.attention_data, question.concurrency)
    return any(degree is not None for degree in degrees)


def _layout(question: ServingQuestion) -> ServingLayout:
    return ServingLayout(
        tensor=question.tensor or 1,
        pipeline=question.pipeline or 1,
        expert=question.expert or 1,
        attention_data=question.attention_data or 1,
    )


def _setup(question: ServingQuestion) -> ServingSetup:
    return ServingSetup(
        model=find_model(question.model),
        input_tokens=question.input_tokens,
        output_tokens=question.output_tokens,
        weight_format=question.weight_format,
        kv_format=question.kv_format,
        engine=question.engine,
        engine_version=question.engine_version,
        prefix_hit_share=question.prefix_hit_share,
        draft_tokens=question.draft_tokens,
    )


ABOVE_NOTHING = (
    "input_tokens", "output_tokens", "ttft_limit_seconds", "tpot_limit_seconds", "rate_per_s", "tensor", "pipeline",
    "expert", "attention_data", "concurrency", "keep",
)  # fmt: skip
SHARES = ("prefix_hit_share", "headroom")


def _check(question: ServingQuestion) -> None:
    """Raise InputError with every number that is out of range."""
    faults = []
    for name in ABOVE_NOTHING:
        value = getattr(question, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            faults.append(_fault(name, value, tr("a finite number above 0")))
    for name in SHARES:
        value = getattr(question, name)
        if not 0 <= value < 1:
            faults.append(_fault(name, value, tr("from 0 to below 1")))
    if not (math.isfinite(question.draft_tokens) and question.draft_tokens >= 0):
        faults.append(_fault("draft_tokens", question.draft_tokens, tr("a finite number from 0")))
    if faults:
        raise InputError(faults)


def _fault(name: str, value: float, allowed: str) -> Fault:
    return Fault(place=f"--{name.replace('_', '-')}", found=str(value), allowed=allowed)
