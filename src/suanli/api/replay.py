"""Traffic replayed through an engine: requests of a trace or by name, replicas, percentiles, goodput."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from suanli.api.engine_options import EngineOptions, option_faults, spread, with_options
from suanli.api.model import find_model
from suanli.api.traffic import MOST, TrafficQuestion, number_faults, open_traffic
from suanli.domain.traffic import ROUTINGS, Fleet, Quantiles, Requests, Targets, TrafficResult
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.estimate.serving_traffic import Pool

__all__ = ["Quantiles", "ReplayQuestion", "TrafficResult", "replay", "requests_of", "write_requests"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayQuestion:
    """What is asked, as people write it: a model on a system under an engine, traffic, replicas, targets.

    `traffic` is a file of requests or the name of traffic to generate; `rate_per_s` brings its arrivals to a rate. Of
    `replicas` as many work as `most_replicas` allows where that is more: one for each `flight` requests in flight.
    With `decode_replicas` prefill and decode have replicas of their own, decode under `decode_tensor`. A step takes
    `token_budget` tokens, a replica `sequence_limit` requests at once; None leaves both to the engine. With
    `concurrency` no more than so many requests are on their way: the next is sent when one ends, at once where no rate
    is given. `options` are of drafts, adapters and settings of the engine; which of `draft_tokens` are accepted is
    drawn from the seed.
    """

    model: str
    system: str
    traffic: str
    requests: int | None = None
    rate_per_s: float | None = None
    like: bool = False
    gap_variation: float | None = None
    daily_swing: float | None = None
    turns: float | None = None
    system_tokens: int | None = None
    seed: int = 0
    concurrency: int | None = None
    weight_format: str = "bf16"
    kv_format: str = "auto"
    engine: str = "vllm"
    engine_version: str = ""
    token_budget: int | None = None
    sequence_limit: int | None = None
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    attention_data: int = 1
    replicas: int = 1
    most_replicas: int | None = None
    flight: float | None = None
    start_seconds: float = 120.0
    idle_seconds: float = 300.0
    routing: str = "least-loaded"
    swap: bool = False
    decode_replicas: int = 0
    decode_tensor: int | None = None
    ttft_limit_seconds: float | None = None
    tpot_limit_seconds: float | None = None
    draft_tokens: int = 0
    options: EngineOptions = field(default_factory=EngineOptions)


FROM_ONE = (
    "concurrency", "token_budget", "sequence_limit", "tensor", "pipeline", "expert", "attention_data", "replicas",
    "most_replicas", "decode_tensor",
)  # fmt: skip
ABOVE_NOTHING = ("flight", "ttft_limit_seconds", "tpot_limit_seconds")
FROM_NOTHING = ("start_seconds", "idle_seconds", "decode_replicas", "draft_tokens")
OPTIONS = {
    "ttft_limit_seconds": "--ttft", "tpot_limit_seconds": "--tpot", "tensor": "--tp", "pipeline": "--pp",
    "expert": "--ep", "attention_data": "--dp", "decode_tensor": "--decode-tp", "sequence_limit": "--max-sequences",
    "most_replicas": "--max-replicas", "start_seconds": "--start-time", "idle_seconds": "--idle-time",
}  # fmt: skip
"""What people call a field of a question, where it is not its own name."""


def replay(question: ReplayQuestion) -> TrafficResult:
    """Replay traffic through an engine.

    Raises InputError with every fault at once, and where the compiled engine is not installed.
    """
    _check(question)
    plays = _plays()
    requests = requests_of(question)
    if question.concurrency is not None and question.rate_per_s is None:
        requests = replace(requests, arrival_seconds=requests.arrival_seconds * 0.0)
    targets = Targets(ttft_seconds=question.ttft_limit_seconds, tpot_seconds=question.tpot_limit_seconds)
    pool = _pool(plays, question, requests, question.tensor, _fleet(question))
    if question.concurrency is not None:
        closed: TrafficResult = plays.play_in_flight(pool, requests, question.concurrency, targets)
        return closed
    if not question.decode_replicas:
        told: TrafficResult = plays.play_traffic(pool, requests, targets)
        return told
    fleet = Fleet(least=question.decode_replicas, most=question.decode_replicas, routing="least-loaded")
    decode = _pool(plays, question, requests, question.decode_tensor or question.tensor, fleet)
    apart: TrafficResult = plays.play_apart(pool, decode, requests, targets)
    return apart


def write_requests(result: TrafficResult, path: Path) -> None:
    """Write what became of requests as a trace, whole or not at all. Raises InputError where it cannot be written."""
    from suanli.report.exporters.request_trace import request_trace
    from suanli.report.files import write_whole

    write_whole(path, request_trace(result))


def _plays() -> ModuleType:
    try:
        from suanli.estimate import serving_traffic
    except ModuleNotFoundError as error:
        raise InputError.single(
            place="replay",
            found=tr("the package {name} is not installed", name="numba"),
            allowed="pip install 'suanli[compiled]'",
        ) from error
    return serving_traffic


def requests_of(question: ReplayQuestion) -> Requests:
    """Read the requests of a file, or generate them by the name of their like.

    Raises InputError where it is neither, or a file has wrong lines.
    """
    from suanli.traffic.read import joined

    return joined(list(open_traffic(_traffic(question))))


def _traffic(question: ReplayQuestion) -> TrafficQuestion:
    asked = (
        "traffic", "requests", "seed", "like", "gap_variation", "daily_swing", "turns", "system_tokens", "rate_per_s",
    )  # fmt: skip
    return TrafficQuestion(**{name: getattr(question, name) for name in asked})


def _fleet(question: ReplayQuestion) -> Fleet:
    return Fleet(
        least=question.replicas,
        most=max(question.most_replicas or 0, question.replicas),
        routing=question.routing,
        flight=question.flight or 0.0,
        start_seconds=question.start_seconds,
        idle_seconds=question.idle_seconds,
    )


def _pool(plays: ModuleType, question: ReplayQuestion, requests: Requests, tensor: int, fleet: Fleet) -> Pool:
    from suanli.catalogue.profile import resolve
    from suanli.estimate.serving_open import open_replica

    setup = ServingSetup(
        model=find_model(question.model),
        input_tokens=float(requests.input_tokens.mean()),
        output_tokens=float(requests.output_tokens.mean()),
        weight_format=question.weight_format,
        kv_format=question.kv_format,
        engine=question.engine,
        engine_version=question.engine_version,
        draft_tokens=float(question.draft_tokens),
        token_budget=question.token_budget,
        sequence_limit=question.sequence_limit,
    )
    setup = with_options(setup, question.options)
    layout = ServingLayout(
        tensor=tensor, pipeline=question.pipeline, expert=question.expert, attention_data=question.attention_data
    )
    layout = spread(layout, question.options)
    system, kernels = resolve(question.system)
    replica = open_replica(setup, system, layout, kernels)
    pool: Pool = plays.Pool(
        replica=replica,
        fleet=fleet,
        swap_seconds=plays.swap_block_seconds(replica) if question.swap else None,
        seed=question.seed,
    )
    return pool


def _check(question: ReplayQuestion) -> None:
    """Raise InputError with every number that is out of range, and words that are not known."""
    faults = [*option_faults(question.options), *number_faults(_traffic(question))]
    for names, least, allowed in (
        (FROM_ONE, 1.0, tr("a number from 1 to {most}", most=MOST)),
        (ABOVE_NOTHING, math.ulp(0.0), tr("above 0, at most {most}", most=MOST)),
        (FROM_NOTHING, 0.0, tr("a number from 0 to {most}", most=MOST)),
    ):
        for name in names:
            value = getattr(question, name)
            if value is not None and not least <= value <= MOST:
                place = OPTIONS.get(name, f"--{name.replace('_', '-')}")
                faults.append(Fault(place=place, found=f"{value:g}", allowed=allowed))
    if question.routing not in ROUTINGS:
        hint = did_you_mean(question.routing, ROUTINGS)
        faults.append(Fault(place="--routing", found=f"'{question.routing}'", allowed=", ".join(ROUTINGS), hint=hint))
    if question.concurrency is not None and (
        question.decode_replicas or (question.most_replicas or question.replicas) > 1
    ):
        alone = tr("one replica that prefills and decodes")
        faults.append(Fault(place="--concurrency", found=tr("several replicas"), allowed=alone))
    if faults:
        raise InputError(faults)
