"""Serving on a system: one setting of a replica, or the best ones under latency targets, and replicas for a rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from suanli.api.engine_options import EngineOptions, option_faults, spread, with_options
from suanli.api.model import find_model
from suanli.domain.result import Band, ServingEstimate, SpeculationGain
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

__all__ = ["HEADROOM", "ServingAnswer", "ServingLayout", "ServingQuestion", "SpeculationGain", "serve"]

HEADROOM = 0.2
"""Share of a replica's capacity kept free for peaks where a user names none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingQuestion:
    """What is asked, as people write it; None leaves the choice to the search or the documented default.

    With `concurrency` or any degree given, that setting is told; else the best one is searched for. `options` are of
    drafts, adapters and settings of the engine.
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
    options: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingAnswer:
    """The best setting (or the one asked for), replicas for the rate, and what came next.

    `speculation` says what drafts gain (None: nobody drafts). `power_watts` is what the makers print for all the
    accelerators, `switch_seconds` how long a replica takes to bring another model like this one from the memory behind
    its accelerators; None where the catalogue knows neither.
    """

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
    power_watts: float | None
    switch_seconds: float | None
    assumed: tuple[str, ...]
    others: tuple[ServingEstimate, ...]
    speculation: SpeculationGain | None = None


def serve(question: ServingQuestion) -> ServingAnswer:
    """Answer a serving question.

    Raises InputError with every fault at once, InfeasibleError where nothing fits or meets the targets.
    """
    from suanli.catalogue.profile import resolve
    from suanli.estimate.serving import estimate_serving
    from suanli.estimate.serving_search import nothing_fits, replicas_for, search
    from suanli.estimate.serving_spread import least_accelerators
    from suanli.parts.devices.special import model_switch_seconds, power_watts

    _check(question)
    (system, kernels), setup = resolve(question.system), setup_of(question)
    if is_told(question):
        one = estimate_serving(setup, system, _layout(question), question.concurrency or 1.0, kernels)
        if one.limit:
            raise nothing_fits(one.limit, least_accelerators(setup, system, kernels))
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
        power_watts=power_watts(system, replicas * best.layout.accelerators),
        switch_seconds=model_switch_seconds(system.accelerator, best.bytes_by_cause["weights"]),
        assumed=best.assumed,
        others=tuple(found[1:]),
        speculation=best.speculation,
    )


def is_told(question: ServingQuestion) -> bool:
    """Say whether a question tells one setting, so that nothing is searched for."""
    degrees = (question.tensor, question.pipeline, question.expert, question.attention_data, question.concurrency)
    return question.options.asks_for_layout or any(degree is not None for degree in degrees)


def _layout(question: ServingQuestion) -> ServingLayout:
    layout = ServingLayout(
        tensor=question.tensor or 1,
        pipeline=question.pipeline or 1,
        expert=question.expert or 1,
        attention_data=question.attention_data or 1,
    )
    return spread(layout, question.options)


def setup_of(question: ServingQuestion) -> ServingSetup:
    """Open the model and put what is served into the estimate's terms. Raises InputError on an unknown model."""
    setup = ServingSetup(
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
    return with_options(setup, question.options)


MOST = 2**40
"""The most of any number asked: beyond every prompt, rate and cluster, and still far from what a float cannot hold."""
MOST_DRAFTED = 2**10
FROM_ONE = ("input_tokens", "output_tokens", "tensor", "pipeline", "expert", "attention_data", "keep")
ABOVE_NOTHING = ("ttft_limit_seconds", "tpot_limit_seconds", "rate_per_s", "concurrency")
SHARES = ("prefix_hit_share", "headroom")
OPTIONS = {
    "ttft_limit_seconds": "--ttft", "tpot_limit_seconds": "--tpot", "rate_per_s": "--rate", "tensor": "--tp",
    "pipeline": "--pp", "expert": "--ep", "attention_data": "--dp", "prefix_hit_share": "--prefix-hits",
}  # fmt: skip
"""What people call a field of a question, where it is not its own name."""


def _check(question: ServingQuestion) -> None:
    if faults := faults_of(question):
        raise InputError(faults)


def faults_of(question: ServingQuestion) -> list[Fault]:
    """Name every number of a question that is out of range."""
    faults = [*option_faults(question.options)]
    for name in (*FROM_ONE, *ABOVE_NOTHING):
        value, least = getattr(question, name), name in FROM_ONE
        if value is not None and not (least <= value <= MOST and value > 0):
            allowed = tr("a number from 1 to {most}", most=MOST) if least else tr("above 0, at most {most}", most=MOST)
            faults.append(_fault(name, value, allowed))
    for name in SHARES:
        value = getattr(question, name)
        if not 0 <= value < 1:
            faults.append(_fault(name, value, tr("from 0 to below 1")))
    drafts = question.draft_tokens
    if not (0 <= drafts <= MOST_DRAFTED and drafts == int(drafts)):
        faults.append(_fault("draft_tokens", drafts, tr("a whole number from 0 to {most}", most=MOST_DRAFTED)))
    return faults


def _fault(name: str, value: float, allowed: str) -> Fault:
    return Fault(place=OPTIONS.get(name, f"--{name.replace('_', '-')}"), found=str(value), allowed=allowed)
