"""Turns the checked entries of a scenario file into nouns: SI, the scenario's currency, months spelled out."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

from suanli.catalogue.quantity import CURRENCIES, Measure, Money, read_money, read_quantity
from suanli.catalogue.scenario_fields import BUY_PRICE, RENT_PRICE
from suanli.catalogue.scenario_schema import (
    QuoteEntry,
    RequestsEntry,
    ScenarioEntry,
    ServingEntry,
    TrainingEntry,
    TuningEntry,
    WorkloadEntry,
)
from suanli.catalogue.workload_checks import is_path
from suanli.catalogue.yaml_reader import read_yaml
from suanli.domain.plan import Assumed
from suanli.domain.scenario import (
    Budget,
    CashLimit,
    Costs,
    FleetItem,
    Layer,
    MarketRules,
    ModelReference,
    Quote,
    QuoteTerms,
    Reliability,
    Scenario,
    ServingJob,
    Site,
    Staff,
    TrainingJob,
    TuningJob,
    Workload,
)
from suanli.domain.tuning import Freezing, LowRank
from suanli.domain.workload import TuningMethod
from suanli.equations.demand import grown_requests_per_s
from suanli.foundation.calendar import month_after, month_span, months_between
from suanli.foundation.figure import Figure, Kind

DEFAULTS_FILE = Path(__file__).parent.parent / "data" / "scenario_defaults.yaml"


@functools.cache
def default_figures() -> dict[str, Figure]:
    """Read what is assumed where a scenario is silent, by the name of the field."""
    data = read_yaml(DEFAULTS_FILE).data
    number = Measure(into="", example="8 %", bare=True)
    return {
        name: Figure(
            value=read_quantity(each["value"], number),
            unit="",
            low=read_quantity(each["low"], number),
            high=read_quantity(each["high"], number),
            kind=Kind(data["kind"]),
            source=data["source"],
            date=data["date"],
            range_given=True,
            note=each["note"],
        )
        for name, each in data["figures"].items()
    }


def exchange_rates(entry: ScenarioEntry) -> dict[str, float]:
    """Return what one unit of each currency costs in the scenario's own."""
    return {entry.currency: 1.0} | {currency: rate.amount for currency, rate in entry.exchange.items()}


def build_scenario(entry: ScenarioEntry, path: Path) -> Scenario:
    """Turn a checked entry into the noun."""
    start = entry.start or month_after(entry.as_of[: len("YYYY-MM")], 1)
    builder = _Builder(months=month_span(start, entry.months), rates=exchange_rates(entry), folder=path.parent)
    discount_rate = builder.assume("discount_rate", entry.discount_rate, "discount_rate")
    site = builder.site(entry)
    workloads = tuple(builder.workload(each) for each in entry.workloads)
    return Scenario(
        path=str(path),
        title=entry.title,
        title_zh=entry.title_zh or "",
        as_of=entry.as_of,
        months=builder.months,
        region=entry.region,
        currency=entry.currency,
        discount_rate_per_year=discount_rate,
        budget=builder.budget(entry),
        site=site,
        market=builder.market(entry),
        reliability=Reliability(training_goodput=entry.goodput.training, failures=entry.goodput.failures),
        costs=Costs(
            network_share=entry.costs.network,
            storage_share=entry.costs.storage,
            maintenance_share_per_year=entry.costs.maintenance,
            resale_loss_per_year=entry.costs.resale_loss,
        ),
        workloads=workloads,
        fleet=builder.fleet(entry),
        staff=builder.staff(entry),
        exchange=builder.rates,
        assumed=tuple(builder.assumed),
    )


@dataclass(slots=True)
class _Builder:
    """What every section needs on its way to a noun: the months, the rates, the folder, and what was assumed so far."""

    months: tuple[str, ...]
    rates: dict[str, float]
    folder: Path
    assumed: list[Assumed] = field(default_factory=list)

    @overload
    def own(self, money: Money) -> float: ...
    @overload
    def own(self, money: Money | None) -> float | None: ...
    def own(self, money: Money | None) -> float | None:
        """Turn money into the scenario's currency."""
        return None if money is None else money.amount * self.rates[money.currency]

    def assume(self, name: str, given: float | None, default: str) -> float:
        """Take what was given, or the default, which is then noted as assumed."""
        if given is not None:
            return given
        figure = default_figures()[default]
        self.assumed.append(Assumed(name=name, figure=figure))
        return figure.value

    def budget(self, entry: ScenarioEntry) -> Budget:
        limits = tuple(CashLimit(month=each.month, at_most=self.own(each.at_most)) for each in entry.budget.by)
        return Budget(total=self.own(entry.budget.total), by=limits)

    def site(self, entry: ScenarioEntry) -> Site:
        site = entry.site
        return Site(
            pue=self.assume("site.pue", site.pue, "pue"),
            power_watts=site.power,
            rack_units=site.rack_units,
            power_price_per_joule=self.own(site.power_price),
            colocation_per_watt_month=self.own(site.colocation),
        )

    def staff(self, entry: ScenarioEntry) -> Staff | None:
        if entry.staff is None:
            return None
        return Staff(people=entry.staff.people, cost_per_person_month=self.own(entry.staff.cost))

    def fleet(self, entry: ScenarioEntry) -> tuple[FleetItem, ...]:
        return tuple(
            FleetItem(
                system_id=each.system,
                systems=each.count,
                available_month=each.available or self.months[0],
                paid=self.own(each.paid),
                on_site=each.on_site,
            )
            for each in entry.fleet
        )

    def market(self, entry: ScenarioEntry) -> MarketRules:
        market = entry.market
        return MarketRules(
            buy=market.buy,
            rent=market.rent,
            reserved=market.reserved,
            domestic_only=market.domestic_only,
            quotes=tuple(self.quote(each) for each in market.quotes),
            files=tuple(str(self.folder / name) for name in market.files),
        )

    def quote(self, entry: QuoteEntry) -> Quote:
        measure = BUY_PRICE if entry.terms is QuoteTerms.BUY else RENT_PRICE
        price, *bounds = (
            read_money(text, measure, accelerator_allowed=True) for text in (entry.price, *(entry.range or ()))
        )
        low, high = (self.own(bound) for bound in bounds) if bounds else (None, None)
        return Quote(
            system_id=entry.system,
            terms=entry.terms,
            price=self.own(price),
            price_low=low,
            price_high=high,
            per_accelerator=price.per_accelerator,
            trend_per_month=entry.trend,
            lead_seconds=entry.lead_time,
            lot=entry.lot,
            supply_per_month=entry.supply,
            commit_months=entry.commit or 1,
            from_month=entry.start or "",
            until_month=entry.end or "",
            source=entry.source or "",
        )

    def model(self, entry: WorkloadEntry) -> ModelReference:
        if isinstance(entry.model, dict):
            return ModelReference(name=entry.id, config=entry.model)
        if not is_path(entry.model):
            return ModelReference(name=entry.model)
        path = self.folder / entry.model
        name = path.parent.name if path.name == "config.json" else path.stem
        return ModelReference(name=name, path=str(path))

    def workload(self, entry: WorkloadEntry) -> Workload:
        if isinstance(entry, TrainingEntry):
            return self.training(entry)
        if isinstance(entry, TuningEntry):
            return self.tuning(entry)
        assert isinstance(entry, ServingEntry)
        return self.serving(entry)

    def training(self, entry: TrainingEntry) -> TrainingJob:
        return TrainingJob(
            id=entry.id,
            title=entry.title or entry.id,
            layer=Layer(entry.layer),
            model=self.model(entry),
            tokens=entry.tokens,
            sequence_tokens=entry.sequence_length,
            first_month=entry.start or self.months[0],
            deadline=entry.deadline or self.months[-1],
            global_batch=entry.global_batch,
            precision=entry.precision,
            framework=entry.framework,
            systems=entry.systems,
            least_systems=entry.least_systems,
            most_systems=entry.most_systems,
        )

    def tuning(self, entry: TuningEntry) -> TuningJob:
        sequence = self.assume(f"{entry.id}.sequence_length", entry.sequence_length, "sequence_length")
        return TuningJob(
            id=entry.id,
            title=entry.title or entry.id,
            model=self.model(entry),
            method=entry.method,
            tokens=entry.tokens,
            runs_per_month=entry.runs_per_month,
            first_month=entry.start or self.months[0],
            last_month=entry.end or self.months[-1],
            sequence_tokens=int(sequence),
            global_batch=entry.global_batch,
            adapters=_adapters(entry),
            freezing=Freezing(layers=entry.freeze_layers, embeddings=entry.freeze_embeddings),
            optimizer=entry.optimizer,
            document_tokens=entry.example_tokens,
            precision=entry.precision,
            framework=entry.framework,
            systems=entry.systems,
            least_systems=entry.least_systems,
            most_systems=entry.most_systems,
        )

    def serving(self, entry: ServingEntry) -> ServingJob:
        first, last = entry.start or self.months[0], entry.end or self.months[-1]
        return ServingJob(
            id=entry.id,
            title=entry.title or entry.id,
            model=self.model(entry),
            requests_per_s=tuple(
                _rate(entry.requests, first, month) if first <= month <= last else 0.0 for month in self.months
            ),
            input_tokens=entry.input_tokens,
            output_tokens=entry.output_tokens,
            peak_to_mean=self.assume(f"{entry.id}.peak_to_mean", entry.peak_to_mean, "peak_to_mean"),
            percentile=self.assume(f"{entry.id}.percentile", entry.percentile, "percentile"),
            first_month=first,
            last_month=last,
            ttft_seconds=entry.ttft,
            tpot_seconds=entry.tpot,
            weight_format=entry.weight_format,
            kv_format=entry.kv_format,
            engine=entry.engine,
            systems=entry.systems,
            least_systems=entry.least_systems,
            most_systems=entry.most_systems,
        )


def _adapters(entry: TuningEntry) -> LowRank | None:
    """Adapters as a scenario asks for them; those that it leaves open are filled where the job is weighed."""
    if entry.method is TuningMethod.FULL:
        return None
    plain = LowRank(rank=entry.rank or 0, dora=entry.dora, experts=entry.expert_adapters)
    return replace(plain, targets=tuple(entry.targets)) if entry.targets else plain


def _rate(requests: RequestsEntry, first: str, month: str) -> float:
    """Mean request rate of a month: grown from the start, or the latest step that holds."""
    if requests.by_month is not None:
        return next((step.rate for step in reversed(requests.by_month) if step.month <= month), 0.0)
    most = math.inf if requests.at_most is None else requests.at_most
    return float(
        grown_requests_per_s(requests.start or 0.0, requests.growth or 0.0, float(months_between(first, month)), most)
    )


def known_currencies(currency: object, exchange: object) -> frozenset[str]:
    """Return the currencies that a scenario's raw data can turn into its own; none where its own cannot be read."""
    if not isinstance(currency, str) or currency not in CURRENCIES:
        return frozenset()
    others = [word for word in exchange if isinstance(word, str)] if isinstance(exchange, dict) else []
    return frozenset(CURRENCIES[word] for word in (currency, *others) if word in CURRENCIES)
