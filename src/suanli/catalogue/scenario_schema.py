"""The shape of a scenario file: its sections and fields, from which the published JSON Schema is made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from suanli.catalogue.scenario_fields import (
    Amount,
    Count,
    Currency,
    Duration,
    EnergyPrice,
    ExchangeRate,
    Growth,
    LeadTime,
    Lengths,
    ModelText,
    Month,
    MonthlyCost,
    MonthlyCount,
    MonthOrDay,
    Months,
    Number,
    Overhead,
    Power,
    Price,
    Ratio,
    RequestRate,
    RoomPrice,
    Selection,
    Share,
    Tokens,
    Version,
    Word,
)
from suanli.domain.hardware import Precision
from suanli.domain.scenario import FailurePreset, QuoteTerms
from suanli.domain.tuning import ExpertAdapters
from suanli.domain.workload import TuningMethod


class Entry(BaseModel):
    """What all sections share: unknown keys are refused, types are strict, numbers are finite, nothing changes."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class BudgetLimit(Entry):
    """A limit on the cash spent from the start of the plan to the end of a month."""

    month: Month
    """The month by whose end the limit holds."""
    at_most: Amount
    """The most that may have been spent by then."""


class BudgetEntry(Entry):
    """What may be spent."""

    total: Amount | None = None
    """The most that may be spent over the whole plan. Without it there is no limit."""
    by: list[BudgetLimit] = Field(default_factory=list)
    """Limits on the cash spent so far, each by the end of a month, in order."""


class SiteEntry(Entry):
    """Where own systems stand."""

    power: Power | None = None
    """What the site can give at the meter, PUE included, such as '200 kW'. Without it there is no limit."""
    rack_units: Count | None = None
    """How many rack units are free for systems. Without it there is no limit."""
    pue: Overhead | None = None
    """Power at the meter over power into the systems, such as 1.42. Without it the default is assumed."""
    power_price: EnergyPrice | None = None
    """Price of energy at the meter, such as '0.65 CNY/kWh'. Without it the market's is used."""
    colocation: RoomPrice | None = None
    """Rent of the room for a kilowatt of systems and a month, power not included, such as '1200 CNY/kW/month'."""


class StaffEntry(Entry):
    """People who run own systems."""

    people: Number
    """How many people (a fraction is part of one's time)."""
    cost: MonthlyCost
    """What one person costs in a month, such as '60 k CNY/month'."""


class CostsEntry(Entry):
    """What owning adds to the price of systems, as shares of it. Where one is left out, an assumption is reported."""

    network: Share | None = None
    """Switches, cables and optics, once, such as '12 %' of the systems' price."""
    storage: Share | None = None
    """Storage, once, such as '7 %' of the systems' price."""
    maintenance: Share | None = None
    """Repair and support in a year, such as '5 %' of the systems' price."""
    resale_loss: Share | None = None
    """Share of its value that a system loses in a year, such as '30 %'."""


class FleetEntry(Entry):
    """Systems that one has."""

    system: Word
    """Id of the system in the catalogue."""
    count: Count
    """How many of them."""
    available: Month | None = None
    """First month in which they can be used. Without it: from the start."""
    paid: Amount | None = None
    """What one of them had cost. It is spent already: it counts for resale only."""
    on_site: bool = True
    """Whether they stand on the site (and use its power and racks) or elsewhere."""


class QuoteEntry(Entry):
    """A price of one's own, laid over the market."""

    system: Word
    """Id of the system in the catalogue."""
    terms: Annotated[QuoteTerms, Field(strict=False)] = QuoteTerms.BUY
    """Whether the price buys, rents for the hours in use, rents for whole months, or reserves for a term."""
    price: Price
    """Money for one system when bought ('2.4 M CNY'); for a system or accelerator and time when rented
    ('12 CNY/GPU/h', '70 k CNY/month')."""
    range: list[Price] | None = Field(default=None, min_length=2, max_length=2)
    """The lowest and the highest price that one heard of."""
    trend: Growth | None = None
    """How the price moves, such as '3 %/month'. Without it the market's trend is used."""
    lead_time: LeadTime | None = None
    """From order to use, such as '13 weeks'. Without it the market's is used."""
    lot: Count = 1
    """The least number of systems in one order."""
    supply: MonthlyCount | None = None
    """How many systems can be had, such as '4 per month' (by the hour: at once). Without it there is no limit, but an
    assumed one by the hour."""
    commit: Months | None = None
    """For rents: the shortest term in months."""
    start: Month | None = None
    """First month in which the quote holds. Without it: from the start."""
    end: Month | None = None
    """Last month in which the quote holds. Without it: to the end."""
    source: Word | None = None
    """Who quoted it, and when; it stands in the report."""


class MarketEntry(Entry):
    """What may be bought and rented."""

    buy: Selection = None
    """Systems that may be bought: any, none, or a list of ids."""
    rent: Selection = None
    """Systems that may be rented by the hour or month: any, none, or a list of ids."""
    reserved: Selection = None
    """Systems that may be rented for a longer term: any, none, or a list of ids."""
    domestic_only: bool = False
    """Whether only accelerators made in the scenario's region may be bought and rented."""
    quotes: list[QuoteEntry] = Field(default_factory=list)
    """Prices of one's own; they go before the catalogue's."""
    files: list[Word] = Field(default_factory=list)
    """Own hardware (YAML) and prices (CSV), as paths from the scenario's folder; they overlay the catalogue."""


class GoodputEntry(Entry):
    """How much of its time a training job makes progress: told outright, or from how often nodes fail."""

    training: Share | None = None
    """Share of time in which training makes progress, such as 0.85."""
    failures: Annotated[FailurePreset | None, Field(strict=False)] = None
    """How often nodes fail: good (a well-run fleet), middle, young (a new or mixed fleet)."""


class WorkloadEntry(Entry):
    """What all workloads share."""

    id: Word
    """A short name, once in the file; the report calls the workload by it."""
    title: Word | None = None
    """What the workload is, in a few words."""
    model: ModelText
    """The model: path of a config.json (from the scenario's folder), a name such as Qwen/Qwen3-32B, or the config."""
    systems: Selection = None
    """Systems it may run on: any, or a list of ids."""
    least_systems: Count | None = None
    """The fewest systems that may work on it at once."""
    most_systems: Count | None = None
    """The most systems that may work on it at once."""
    start: Month | None = None
    """First month in which it may run. Without it: the first month of the plan."""


class LearningEntry(WorkloadEntry):
    """What training and fine-tuning share."""

    global_batch: Count | None = None
    """Sequences in one optimizer step. Without it, it is chosen and reported."""
    precision: Annotated[Precision, Field(strict=False)] = Precision.BF16
    """Number format of the matrix products."""
    framework: Word = "megatron"
    """The training framework, a key of the framework table."""


class TrainingEntry(LearningEntry):
    """A model trained from scratch (pretrain), or a trained one that goes on with a corpus of one's own (continue)."""

    layer: Literal["pretrain", "continue"]
    """pretrain: from scratch; continue: from a published or an own checkpoint."""
    tokens: Tokens
    """How many tokens are trained on, all epochs counted, such as '100 B tokens'."""
    sequence_length: Count
    """Tokens in one training sequence."""
    deadline: Month | None = None
    """The month by whose end it must be done. Without it: the last month of the plan."""


class TuningEntry(LearningEntry):
    """A fine-tune, done again and again."""

    layer: Literal["finetune"]
    """finetune: on examples of a task."""
    method: Annotated[TuningMethod, Field(strict=False)]
    """full: all weights; lora: adapters beside frozen weights; qlora: beside frozen 4-bit weights."""
    rank: Count | None = None
    """Rank of the adapters, for lora and qlora."""
    targets: list[str] | None = Field(default=None, min_length=1)
    """Matrices that have adapters, as their files name them (q_proj), or groups of them: mlp, all-linear ..."""
    dora: bool = False
    """Whether adapters scale each output by a trained magnitude (DoRA)."""
    expert_adapters: Annotated[ExpertAdapters, Field(strict=False)] = ExpertAdapters.EACH
    """each: every expert has its own adapters; shared: experts of a layer share them."""
    freeze_layers: Annotated[int, Field(ge=0)] = 0
    """How many of the first layers stay as they are."""
    freeze_embeddings: bool = False
    """Whether the token table stays as it is, under full."""
    optimizer: str = "adamw"
    """The optimizer: adamw, adamw-8bit, paged-adamw, paged-adamw-8bit, muon, adafactor, lion, sgd."""
    example_tokens: Number | None = None
    """Mean tokens of an example where examples are packed into sequences. Without it: a sequence is one."""
    tokens: Tokens
    """How many tokens one run trains on, all epochs counted, such as '50 M tokens'."""
    runs_per_month: Number
    """How many runs in each month."""
    sequence_length: Count | None = None
    """Tokens in one sequence. Without it the default is assumed."""
    end: Month | None = None
    """Last month with runs. Without it: the last month of the plan."""


class RateStep(Entry):
    """A mean request rate that holds from a month on."""

    month: Month
    """First month of the rate."""
    rate: RequestRate
    """Mean rate, such as '2 per s'."""


class RequestsEntry(Entry):
    """How many requests come in: a start and its growth, or rates by month. Means over the month, not peaks."""

    start: RequestRate | None = None
    """Mean rate of the first month, such as '2 per s' or '5 M per day'."""
    growth: Growth | None = None
    """Growth from month to month, such as '10 %/month'. Without it the rate stays."""
    at_most: RequestRate | None = None
    """Where growth ends."""
    by_month: list[RateStep] | None = Field(default=None, min_length=1)
    """Rates by month, each holding until the next one, in order."""


class ServingEntry(WorkloadEntry):
    """A service that answers requests within latency targets."""

    layer: Literal["serve"]
    """serve: answer requests."""
    requests: RequestsEntry
    """How many requests come in."""
    input_tokens: Lengths
    """Mean tokens of a request's input."""
    output_tokens: Lengths
    """Mean tokens of an answer."""
    ttft: Duration | None = None
    """Longest time to the first token, such as '2 s'."""
    tpot: Duration | None = None
    """Longest time for each further token, such as '60 ms'."""
    percentile: Share | None = None
    """Share of requests that must meet the targets, such as '90 %'. Without it the default is assumed."""
    peak_to_mean: Ratio | None = None
    """Rate at the peak over the mean rate of the month, such as 2.5. Without it the default is assumed."""
    weight_format: Word = "bf16"
    """Number format of the weights, a key of the format table."""
    kv_format: Word = "bf16"
    """Number format of the cached keys and values, a key of the format table."""
    engine: Word = "vllm"
    """The serving engine, a key of the engine table."""
    end: Month | None = None
    """Last month of service. Without it: the last month of the plan."""


AnyWorkload = Annotated[TrainingEntry | TuningEntry | ServingEntry, Field(discriminator="layer")]


class ScenarioEntry(Entry):
    """A Suanli scenario: what is asked, what one has, what one may spend, as of which date.

    Quantities are text with a unit, as people write them: '2.0 M CNY', '200 万元', '200 kW', '0.65 CNY/kWh', '8 %',
    '13 weeks', '100 B tokens', '2 s', '50 ms'. Months are 'YYYY-MM'.
    """

    suanli: Version
    """Version of this schema."""
    title: Word
    """What the scenario is, in English."""
    title_zh: Word | None = None
    """The same in Chinese."""
    as_of: MonthOrDay
    """Date of the market: evidence up to it is used, nothing later."""
    start: Month | None = None
    """First month of the plan. Without it: the month after as_of."""
    months: Months
    """How many months are planned."""
    region: Word
    """Where one buys, rents and runs, such as China or US; decides which offers and export rules apply."""
    currency: Currency
    """The currency of the plan."""
    exchange: dict[Currency, ExchangeRate] = Field(default_factory=dict)
    """What one unit of another currency costs, such as 'USD: 6.95 CNY'."""
    discount_rate: Share | None = None
    """Yearly rate at which later money counts less, such as '8 %'. Without it the default is assumed."""
    budget: BudgetEntry = BudgetEntry()
    """What may be spent."""
    site: SiteEntry = SiteEntry()
    """Where own systems stand."""
    staff: StaffEntry | None = None
    """People who run own systems. Without it an assumption is reported."""
    costs: CostsEntry = CostsEntry()
    """What owning adds to the price of systems."""
    fleet: list[FleetEntry] = Field(default_factory=list)
    """Systems that one has."""
    market: MarketEntry = MarketEntry()
    """What may be bought and rented."""
    goodput: GoodputEntry = GoodputEntry()
    """How much of its time a training job makes progress. Without it an assumption is reported."""
    workloads: list[AnyWorkload] = Field(min_length=1)
    """What is to be trained, tuned and served."""


WORKLOAD_ENTRIES: dict[str, type[WorkloadEntry]] = {
    "pretrain": TrainingEntry,
    "continue": TrainingEntry,
    "finetune": TuningEntry,
    "serve": ServingEntry,
}
"""Which entry a workload's layer asks for."""
