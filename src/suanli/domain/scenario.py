"""The scenario: what is asked, what one has, what one may spend, as of which date. Money is in `Scenario.currency`.

Months are text, "YYYY-MM"; rents and running costs are per month (a twelfth of a year); everything else is SI.
`None` says that the scenario is silent: the planner fills the gap from the market or an assumption, and reports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from suanli.domain.hardware import Precision
from suanli.domain.plan import Assumed
from suanli.domain.tuning import NOTHING_FROZEN, Freezing, LowRank
from suanli.domain.workload import TuningMethod


class Layer(StrEnum):
    """The layers of work on a language model, from raw text to customers."""

    PRETRAIN = "pretrain"
    CONTINUE = "continue"
    FINETUNE = "finetune"
    SERVE = "serve"


class QuoteTerms(StrEnum):
    """What a quote of one's own sells."""

    BUY = "buy"
    HOUR = "hour"
    RENT = "rent"
    RESERVED = "reserved"


class FailurePreset(StrEnum):
    """How often nodes of the fleet fail: a well-run fleet, a middling one, a young or mixed one."""

    GOOD = "good"
    MIDDLE = "middle"
    YOUNG = "young"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReference:
    """Which model is meant: a config.json (`path`), a name such as Qwen/Qwen3-32B, or a config written in place.

    Exactly one of `path` and `config` is set, or neither where only the `name` is known.
    """

    name: str
    path: str = ""
    config: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CashLimit:
    """Cash spent from the start of the plan to the end of a month may be this much at most."""

    month: str
    at_most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What may be spent: over the whole plan (None: no limit), and by the end of named months (in order of month)."""

    total: float | None = None
    by: tuple[CashLimit, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where own systems stand. `power_watts` is what the site gives at the meter, PUE included.

    `power_price_per_joule` is money for a joule at the meter; `colocation_per_watt_month` is rent of the room for a
    watt of IT load and a month. `pue` is the watts at the meter for a watt of IT load.
    """

    pue: float
    power_watts: float | None = None
    rack_units: float | None = None
    power_price_per_joule: float | None = None
    colocation_per_watt_month: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Staff:
    """People who run own systems, and what one of them costs in a month."""

    people: float
    cost_per_person_month: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What owning adds to a system's price: shares of it, once or per year (None: the scenario is silent).

    `network_share` and `storage_share` are paid once with the system, `maintenance_share_per_year` every year it
    stands; `resale_loss_per_year` is the share of its value that a system loses in a year.
    """

    network_share: float | None = None
    storage_share: float | None = None
    maintenance_share_per_year: float | None = None
    resale_loss_per_year: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetItem:
    """Systems that one has, from which month they can be used, and what one of them had cost (None: not told)."""

    system_id: str
    systems: int
    available_month: str
    paid: float | None = None
    on_site: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A price of one's own, laid over the market.

    `price` is money for one system (or, where `per_accelerator`, for one accelerator): once for `terms` buy, per
    month for rents. `price_low` and `price_high` hold the range where one is given. `trend_per_month` is the growth of
    the price in a month (0.03: 3 %). `supply_per_month` caps the systems to be had in a month; `commit_months` is the
    shortest term.
    """

    system_id: str
    terms: QuoteTerms
    price: float
    price_low: float | None = None
    price_high: float | None = None
    per_accelerator: bool = False
    trend_per_month: float | None = None
    lead_seconds: float | None = None
    lot: int = 1
    supply_per_month: float | None = None
    commit_months: int = 1
    from_month: str = ""
    until_month: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketRules:
    """What may be bought and rented: tuples of system ids, () for nothing, None for anything on the market.

    `files` are paths of the user's own hardware (YAML) and price (CSV) files, laid over the catalogue.
    """

    buy: tuple[str, ...] | None = None
    rent: tuple[str, ...] | None = None
    reserved: tuple[str, ...] | None = None
    domestic_only: bool = False
    quotes: tuple[Quote, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """Either the share of time that training makes progress (`training_goodput`), or how often nodes fail."""

    training_goodput: float | None = None
    failures: FailurePreset | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJob:
    """A model trained on `tokens`, from scratch or going on, not before `first_month`, done by the end of `deadline`.

    `systems` are the ids it may run on (None: any); `least_systems` and `most_systems` bound how many work at once.
    `global_batch` counts sequences (None: to be chosen).
    """

    id: str
    title: str
    layer: Layer
    model: ModelReference
    tokens: float
    sequence_tokens: int
    first_month: str
    deadline: str
    global_batch: int | None = None
    precision: Precision = Precision.BF16
    framework: str = "megatron"
    systems: tuple[str, ...] | None = None
    least_systems: int | None = None
    most_systems: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningJob:
    """A fine-tune of `tokens` (one run, all epochs counted) done `runs_per_month` times in each of its months.

    `document_tokens` is the mean length of examples that are packed into a sequence (None: a sequence is one).
    """

    id: str
    title: str
    model: ModelReference
    method: TuningMethod
    tokens: float
    runs_per_month: float
    first_month: str
    last_month: str
    sequence_tokens: int
    global_batch: int | None = None
    adapters: LowRank | None = None
    freezing: Freezing = NOTHING_FROZEN
    optimizer: str = "adamw"
    document_tokens: float | None = None
    precision: Precision = Precision.BF16
    framework: str = "megatron"
    systems: tuple[str, ...] | None = None
    least_systems: int | None = None
    most_systems: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingJob:
    """A service. `requests_per_s` is the mean rate of each month of the scenario (0 where it is not on).

    The rate to be held is the mean times `peak_to_mean`. `ttft_seconds` (to the first token) and `tpot_seconds` (a
    further one) must hold for the share `percentile` of requests (0.9: nine of ten).
    """

    id: str
    title: str
    model: ModelReference
    requests_per_s: tuple[float, ...]
    input_tokens: float
    output_tokens: float
    peak_to_mean: float
    percentile: float
    first_month: str
    last_month: str
    ttft_seconds: float | None = None
    tpot_seconds: float | None = None
    weight_format: str = "bf16"
    kv_format: str = "bf16"
    engine: str = "vllm"
    systems: tuple[str, ...] | None = None
    least_systems: int | None = None
    most_systems: int | None = None


Workload = TrainingJob | TuningJob | ServingJob
"""Anything a scenario asks to be computed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A whole scenario, read and checked. `months` is the horizon; `as_of` (month or day) bounds the evidence used.

    `exchange` is what one unit of another currency costs in `currency` (1.0 for `currency` itself). `assumed` lists
    the figures that the file did not give and that the reader filled in.
    """

    path: str
    title: str
    title_zh: str
    as_of: str
    months: tuple[str, ...]
    region: str
    currency: str
    discount_rate_per_year: float
    budget: Budget
    site: Site
    market: MarketRules
    reliability: Reliability
    costs: Costs
    workloads: tuple[Workload, ...]
    fleet: tuple[FleetItem, ...] = ()
    staff: Staff | None = None
    exchange: Mapping[str, float] = field(default_factory=dict)
    assumed: tuple[Assumed, ...] = ()
