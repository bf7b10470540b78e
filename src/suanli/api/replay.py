"""Traffic replayed through an engine: requests of a trace or by name, replicas, percentiles, goodput."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from suanli.api.model import find_model
from suanli.domain.traffic import ROUTINGS, Fleet, Quantiles, Requests, Targets, TrafficResult
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.estimate.serving_traffic import Pool

__all__ = ["Quantiles", "ReplayQuestion", "TrafficResult", "replay", "requests_of", "write_requests"]

REQUESTS = 10_000
"""How many requests are generated where nobody says how many."""
MOST = 2**40


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayQuestion:
    """What is asked, as people write it: a model on a system under an engine, traffic, replicas, targets.

    `traffic` is a file of requests or the name of traffic to generate; `rate_per_s` brings its arrivals to a rate. Of
    `replicas` as many work as `most_replicas` allows where that is more: one for each `flight` requests in flight.
    With `decode_replicas` prefill and decode have replicas of their own, decode under `decode_tensor`. A step takes
    `token_budget` tokens, a replica `sequence_limit` requests at once; None leaves both to the engine.
    """

    model: str
    system: str
    traffic: str
    requests: int | None = None
    rate_per_s: float | None = None
    turns: float = 1.0
    system_tokens: int = 0
    seed: int = 0
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


FROM_ONE = (
    "requests", "token_budget", "sequence_limit", "tensor", "pipeline", "expert", "attention_data", "replicas",
    "most_replicas", "decode_tensor",
)  # fmt: skip
ABOVE_NOTHING = ("rate_per_s", "flight", "ttft_limit_seconds", "tpot_limit_seconds")
FROM_NOTHING = ("seed", "system_tokens", "start_seconds", "idle_seconds", "decode_replicas")
OPTIONS = {
    "ttft_limit_seconds": "--ttft", "tpot_limit_seconds": "--tpot", "rate_per_s": "--rate", "tensor": "--tp",
    "pipeline": "--pp", "expert": "--ep", "attention_data": "--dp", "decode_tensor": "--decode-tp",
    "sequence_limit": "--max-sequences", "most_replicas": "--max-replicas", "start_seconds": "--start-time", "idle_seconds": "--idle-time",
}  # fmt: skip
"""What people call a field of a question, where it is not its own name."""


def replay(question: ReplayQuestion) -> TrafficResult:
    """Replay traffic through an engine.

    Raises InputError with every fault at once, and where the compiled engine is not installed.
    """
    _check(question)
    plays = _plays()
    requests = requests_of(question)
    targets = Targets(ttft_seconds=question.ttft_limit_seconds, tpot_seconds=question.tpot_limit_seconds)
    pool = _pool(plays, question, requests, question.tensor, _fleet(question))
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
    from suanli.traffic.generate import generate, rescaled
    from suanli.traffic.named import named_traffic
    from suanli.traffic.read import first_of

    known = named_traffic()
    if question.traffic in known:
        mix = replace(known[question.traffic], turns=question.turns, system_tokens=question.system_tokens)
        mix = mix if question.rate_per_s is None else replace(mix, rate_per_s=question.rate_per_s)
        return generate(mix, question.requests or REQUESTS, question.seed)
    path = Path(question.traffic)
    if not path.is_file():
        raise InputError.single(
            place="--traffic",
            found=f"'{question.traffic}'",
            allowed=tr("a file of requests, or {names}", names=", ".join(known)),
            hint=did_you_mean(question.traffic, known),
        )
    found = first_of(path, question.requests)
    return found if question.rate_per_s is None else rescaled(found, question.rate_per_s)


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
    from suanli.catalogue.find import system as find_system
    from suanli.catalogue.kernels import load_kernels
    from suanli.estimate.serving_open import open_replica

    setup = ServingSetup(
        model=find_model(question.model),
        input_tokens=float(requests.input_tokens.mean()),
        output_tokens=float(requests.output_tokens.mean()),
        weight_format=question.weight_format,
        kv_format=question.kv_format,
        engine=question.engine,
        engine_version=question.engine_version,
        token_budget=question.token_budget,
        sequence_limit=question.sequence_limit,
    )
    layout = ServingLayout(
        tensor=tensor, pipeline=question.pipeline, expert=question.expert, attention_data=question.attention_data
    )
    replica = open_replica(setup, find_system(question.system, place="--system"), layout, load_kernels())
    pool: Pool = plays.Pool(
        replica=replica, fleet=fleet, swap_seconds=plays.swap_block_seconds(replica) if question.swap else None
    )
    return pool


def _check(question: ReplayQuestion) -> None:
    """Raise InputError with every number that is out of range, and words that are not known."""
    faults = []
    for names, least, allowed in (
        (FROM_ONE, 1.0, tr("a number from 1 to {most}", most=MOST)),
        (ABOVE_NOTHING, math.ulp(0.0), tr("above 0, at most {most}", most=MOST)),
        (FROM_NOTHING, 0.0, tr("a number from 0 to {most}", most=MOST)),
        (("turns",), 1.0, tr("a number from 1 to {most}", most=MOST)),
    ):
        for name in names:
            value = getattr(question, name)
            if value is not None and not least <= value <= MOST:
                place = OPTIONS.get(name, f"--{name.replace('_', '-')}")
                faults.append(Fault(place=place, found=f"{value:g}", allowed=allowed))
    if question.routing not in ROUTINGS:
        hint = did_you_mean(question.routing, ROUTINGS)
        faults.append(Fault(place="--routing", found=f"'{question.routing}'", allowed=", ".join(ROUTINGS), hint=hint))
    if faults:
        raise InputError(faults)
