"""Fleets of replicas that serve a model: pools, what they do, what they cost, and what a search of them found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.domain.plan import Assumed
from suanli.domain.result import Band, ServingEstimate
from suanli.domain.traffic import Quantiles
from suanli.domain.workload import ServingLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """One way to hold a system and what a month of it costs, used or not: rent by its term, or bought and written off.

    `amount_by_cause` adds up to `month_amount`. `basis` says in words what the price rests on and from which offers.
    """

    tenure: str
    month_amount: float
    amount_by_cause: Mapping[str, float]
    basis: str
    estimated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingCost:
    """What a fleet costs, paid for whole systems whether used or not, and what that makes a token.

    `planned_requests_per_s` is the rate that the tokens are counted at. `input_share` of the month is paid for
    prompts, the rest for answers, by the time that each occupies the accelerators.
    """

    currency: str
    tenure: str
    month_amount: float
    planned_requests_per_s: float
    input_share: float
    input_amount_per_token: float
    output_amount_per_token: float
    amount_per_token: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiComparison:
    """An API's prices beside a fleet's month: what the same tokens cost there, and from where on the fleet is cheaper.

    Above `break_even_load` of what the fleet can do (1: all of it) its tokens are the cheaper ones; more than 1 says
    that it never is. The fleet costs the same whether it is used or not, the API by the token.
    """

    input_amount_per_token: float
    output_amount_per_token: float
    month_amount: float
    break_even_requests_per_s: float
    break_even_tokens_per_day: float
    break_even_load: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Tails:
    """Latencies of a fleet under arrivals, every step played: by percentile, and the replicas that hold the targets.

    `requests` were played at `requests_per_s`. `held` says whether the asked percentile is within the targets.
    """

    requests: int
    requests_per_s: float
    ttft_seconds: Quantiles
    tpot_seconds: Quantiles
    finish_seconds: Quantiles
    good_share: float
    held: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolPlan:
    """Replicas of one kind: their layout, how many stand, requests in flight on each."""

    layout: ServingLayout
    replicas: int
    concurrency: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingPlan:
    """A fleet: replicas that do both, or pools that prefill and decode apart (`prefill` None where they do both).

    `requests_per_s` and `output_tokens_per_s` is what it does at most within its latencies, `load` the share of it
    that the asked rate takes (None where no rate was asked). `worse` is by which share its objective is worse than
    the best one's.
    """

    system: str
    weight_format: str
    kv_format: str
    token_budget: float
    sequence_limit: float
    prefill: PoolPlan | None
    decode: PoolPlan
    ttft_seconds: float
    tpot_seconds: float
    requests_per_s: float
    output_tokens_per_s: float
    output_tokens_per_s_per_accelerator: float
    tokens_per_s_per_user: float
    accelerators: int
    systems: int
    load: float | None
    cost: ServingCost | None
    band: Mapping[str, Band]
    api: ApiComparison | None = None
    worse: float = 0.0
    tails: Tails | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontPoint:
    """A point that no setting beats in both speed for a user and throughput of an accelerator."""

    tokens_per_s_per_user: float
    output_tokens_per_s_per_accelerator: float
    ttft_seconds: float
    system: str
    weight_format: str
    prefill: PoolPlan | None
    decode: PoolPlan
    within_targets: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """How much a search judged, and how long its arithmetic took."""

    settings: int
    layouts: int
    within_targets: int
    search_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingPlans:
    """What a search found: fleets by objective, the best first; the front; why; what it rests on.

    `replica` is one replica of the best fleet by cause of time and memory, where its replicas do both.
    """

    model: str
    objective: str
    plans: tuple[ServingPlan, ...]
    front: tuple[FrontPoint, ...]
    holdings: Mapping[str, tuple[Holding, ...]]
    searched: Searched
    why: tuple[str, ...]
    assumed: tuple[str, ...]
    figures: tuple[Assumed, ...] = ()
    replica: ServingEstimate | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HourPlan:
    """One hour of a traffic curve: its rate, the replicas that hold it, and the systems that they occupy."""

    start_seconds: float
    requests_per_s: float
    prefills: int
    replicas: int
    systems: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvePlan:
    """The smallest fleet for a traffic curve: replicas hour by hour, a base held all month, a top by the hour.

    `peak` is the fleet of the busiest hour. `base_systems` are held for the month, `top_system_seconds` is how long
    others are rented by the hour; the mix is the cheapest. `used_share` is what is served of what the paid systems
    could; prices of a token are at the tokens really served.
    """

    peak: ServingPlan
    hours: tuple[HourPlan, ...]
    mean_requests_per_s: float
    peak_requests_per_s: float
    base_systems: int
    peak_systems: int
    top_system_seconds: float
    base_tenure: str
    base_amount: float
    top_amount: float
    cost: ServingCost
    all_base_amount: float
    used_share: float
    api: ApiComparison | None = None
