"""The plan: what to order and rent, what runs where, cash, power, alternatives, and where every number comes from."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.result import ServingEstimate, TrainingEstimate
from suanli.foundation.figure import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """Systems that one has already, and from which month they can be used."""

    month: str
    system_id: str
    system_name: str
    systems: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A purchase: when it is placed and arrives, how many systems, at what price each."""

    month: str
    delivery_month: str
    system_id: str
    system_name: str
    systems: int
    unit_price: float
    amount: float
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rent:
    """A rent over whole months, `last_month` included; by the hour `systems` is an average, not whole."""

    first_month: str
    last_month: str
    system_id: str
    system_name: str
    tenure: str
    systems: int | float
    price_per_system_month: float
    amount: float
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Which pool runs which workload in one month, with how many systems (a fraction is a share of the month)."""

    month: str
    workload: str
    pool: str
    system_id: str
    systems: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadPlan:
    """One workload in the plan: where it runs, how it is split, when it is done, and the estimate behind it.

    `target_month` is the deadline; `finish_p50`, `finish_p80` and `finish_p95` are months ("" where it is a service).
    `demand_note` says in words what is asked (tokens to train, requests per second).
    """

    id: str
    layer: str
    model_name: str
    parameters: float
    system_id: str
    system_name: str
    accelerators: int
    training: TrainingEstimate | None
    serving: ServingEstimate | None
    replicas: int
    goodput: float
    start_month: str
    finish_p50: str
    finish_p80: str
    finish_p95: str
    target_month: str
    demand_note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CashLine:
    """Money in one month and category; costs are positive, resale negative. Not discounted."""

    month: str
    category: str
    amount: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerUse:
    """Watts at the meter in one month, PUE included, and the site's limit where it has one."""

    month: str
    watts: float
    limit_watts: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SolverReport:
    """How good the answer is: the incumbent, the bound that nothing can beat, their gap, the time it took."""

    status: str
    objective: float
    bound: float
    gap: float
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One whole answer: a set of orders, rents and assignments with what it costs (`cost` is the present value)."""

    name: str
    cost: float
    finish_month: str
    orders: tuple[Order, ...]
    rents: tuple[Rent, ...]
    assignments: tuple[Assignment, ...]
    workloads: tuple[WorkloadPlan, ...]
    cash: tuple[CashLine, ...]
    power: tuple[PowerUse, ...]
    solver: SolverReport


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """An answer that lost (or cannot be had), with the reason; `option` is None where it is infeasible."""

    name: str
    reason: str
    extra_cost: float | None
    option: Option | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Flip:
    """What would change the decision: a quantity, its value now, the value at which the decision flips, to what.

    `flips_at` is None where the decision held over the whole range tried (`tried_low` to `tried_high`).
    """

    quantity: str
    unit: str
    now: float
    flips_at: float | None
    becomes: str
    tried_low: float
    tried_high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumed:
    """A figure that the scenario did not give and the plan rests on."""

    name: str
    figure: Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A source that the plan draws on."""

    key: str
    title: str
    url: str
    date: str
    licence: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The answer to a scenario. Money is in `currency`; `pareto` holds (finish month, cost, name) of tried options."""

    scenario: str
    title: str
    as_of: str
    region: str
    currency: str
    months: tuple[str, ...]
    recommended: Option
    alternatives: tuple[Alternative, ...]
    flips: tuple[Flip, ...]
    pareto: tuple[tuple[str, float, str], ...]
    assumed: tuple[Assumed, ...]
    unknown: tuple[str, ...]
    sources: tuple[Source, ...]
    suanli_version: str
    discount_rate_per_year: float
    holdings: tuple[Holding, ...] = ()
