"""Traffic replayed through an engine: requests of a file or generated, replicas, percentiles, goodput, money's hours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suanli.api.model import find_model
from suanli.domain.traffic import Fleet, Requests, Targets, TrafficResult
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayQuestion:
    """What is asked, as people write it: a model on a system under an engine, traffic, replicas, targets.

    `traffic` is a file of requests or the name of a stand-in; `rate_per_s` and `requests` scale it. With
    `decode_replicas` prefill and decode have replicas of their own, decode under the degree `decode_tensor`.
    """

    model: str
    system: str
    traffic: str
    requests: int | None = None
    rate_per_s: float | None = None
    seed: int = 0
    weight_format: str = "bf16"
    kv_format: str = "auto"
    engine: str = "vllm"
    engine_version: str = ""
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    attention_data: int = 1
    replicas: int = 1
    most_replicas: int | None = None
    flight_per_replica: float | None = None
    start_seconds: float = 0.0
    idle_seconds: float = 300.0
    routing: str = "least-loaded"
    swap: bool = False
    decode_replicas: int = 0
    decode_tensor: int | None = None
    ttft_limit_seconds: float | None = None
    tpot_limit_seconds: float | None = None


def replay(question: ReplayQuestion) -> TrafficResult:
    """Replay traffic through an engine.

    Raises InputError with every fault at once, and where numba is not installed.
    """
    _check(question)
    try:
        from suanli.estimate import serving_traffic
    except ModuleNotFoundError as error:
        raise InputError.single(
            place=tr("traffic"),
            found=tr("the package {name} is not installed", name="numba"),
            allowed="pip install 'suanli[compiled]'",
        ) from error
    requests = traffic_of(question)
    targets = Targets(ttft_seconds=question.ttft_limit_seconds, tpot_seconds=question.tpot_limit_seconds)
    pool = serving_traffic.Pool(
        replica=_open(question, requests, question.tensor), fleet=_fleet(question, question.replicas),
        swap_seconds=None,
    )  # fmt: skip
    if question.swap:
        pool = serving_traffic.swapping(pool)
    if not question.decode_replicas:
        return serving_traffic.play_traffic(pool, requests, targets)
    decode = serving_traffic.Pool(
        replica=_open(question, requests, question.decode_tensor or question.tensor),
        fleet=Fleet(
            least=question.decode_replicas, most=question.decode_replicas, routing="least-loaded",
        ),
    )  # fmt: skip
    return serving_traffic.play_apart(pool, decode, requests, targets)
