"""What a month of one system costs in each way to hold it, used or not: rents as dated offers tell them, or bought."""

from __future__ import annotations

from suanli.catalogue.dates import last_day
from suanli.catalogue.market import purchase_quote, rent_quote
from suanli.catalogue.scenario_builder import default_figures
from suanli.domain.hardware import System
from suanli.domain.market import Access, PurchaseQuote, RentQuote
from suanli.domain.plan import Assumed
from suanli.domain.scenario import Budget, Costs, MarketRules, Reliability, Scenario, Site
from suanli.domain.serving_plan import Holding
from suanli.equations import finance
from suanli.estimate.energy import pue_of
from suanli.foundation.calendar import MONTHS_PER_YEAR, SECONDS_PER_MONTH, month_span
from suanli.foundation.language import tr
from suanli.planner import terms
from suanli.planner.candidates import ASKED_FOR
from suanli.planner.ground import lay_ground
from suanli.planner.terms import MONTH_TEXT, Ground

RENTS = {"reserved": "reserved", "month": "month"}
BUY = "buy"
LIFE = "depreciation.middle"
DISCOUNT = "discount_rate"


def holdings(system: System, as_of: str, region: str, currency: str) -> tuple[tuple[Holding, ...], tuple[Assumed, ...]]:
    """Price a month of a system reserved, rented by the month, and bought, with the figures that this rests on.

    A bought system is written off over its life: price and what stands beside it, less what it then fetches, as equal
    monthly payments at the discount rate, and its running costs. Ways of which no price is known, or that are closed
    to the region at the date, are left out. Raises InputError on a wrong date or currency.
    """
    ground, found = _ground(as_of, region, currency), []
    for tenure, asked in RENTS.items():
        rent = rent_quote(system.id, asked, as_of, region, currency)
        if rent is not None and rent.availability.access in ASKED_FOR:
            found.append(_rented(tenure, rent))
    sale = purchase_quote(system.id, as_of, region, currency)
    if sale is None or sale.availability.access not in ASKED_FOR:
        return tuple(found), ()
    bought = _bought(ground, system, sale)
    cooling, rate = pue_of(region), Assumed(name=DISCOUNT, figure=default_figures()[DISCOUNT])
    return (*found, bought), (*ground.used.values(), cooling, rate)


def _ground(as_of: str, region: str, currency: str) -> Ground:
    """Lay the ground of a plan that says nothing of its own: as long as a system's life, all costs as assumed."""
    day = last_day(as_of, "as_of").isoformat()
    scenario = Scenario(
        path="", title="", title_zh="", as_of=day, months=(day[:MONTH_TEXT],), region=region, currency=currency,
        discount_rate_per_year=default_figures()[DISCOUNT].value, budget=Budget(),
        site=Site(pue=pue_of(region).figure.value), market=MarketRules(), reliability=Reliability(), costs=Costs(),
        workloads=(),
    )  # fmt: skip
    ground = lay_ground(scenario)
    return Ground(scenario=_over_life(ground), figures=ground.figures, used=ground.used)


def _over_life(ground: Ground) -> Scenario:
    import dataclasses

    months = round(ground.value(LIFE) / SECONDS_PER_MONTH)
    return dataclasses.replace(ground.scenario, months=month_span(ground.scenario.months[0], months))


def _rented(tenure: str, quote: RentQuote) -> Holding:
    amount = quote.price_per_system_month.value
    return Holding(
        tenure=tenure,
        month_amount=amount,
        amount_by_cause={"rent": amount},
        basis=_basis(quote),
        estimated=quote.estimated,
    )


def _bought(ground: Ground, system: System, quote: PurchaseQuote) -> Holding:
    prices = terms.price_path(ground, quote.price.value, quote.trend_per_month.value)
    rate = finance.rate_of_period(ground.scenario.discount_rate_per_year, MONTHS_PER_YEAR)
    fetched = finance.present_value(terms.resale(ground, prices, (0,) * ground.months)[0], rate, ground.months)
    paid = {"purchase": prices[0], **{name: line[0] for name, line in terms.beside(ground, prices).items()}}
    causes = {name: float(finance.annuity(sum_, rate, ground.months)) for name, sum_ in paid.items()}
    causes["resale"] = -float(finance.annuity(fetched, rate, ground.months))
    causes |= {name: line[0] for name, line in terms.running_cost(ground, system, prices, "power_draw.serving").items()}
    return Holding(
        tenure=BUY,
        month_amount=sum(causes.values()),
        amount_by_cause=causes,
        basis=tr("{basis}; written off over {months} months", basis=_basis(quote), months=ground.months),
        estimated=quote.estimated,
    )


def _basis(quote: RentQuote | PurchaseQuote) -> str:
    """Say on what a price rests, and why a product may not be had freely where it may not."""
    said = tr("{basis}, {count} offers by {date}", basis=quote.basis, count=len(quote.evidence), date=quote.as_of)
    return said if quote.availability.access is Access.FREE else f"{said}; {quote.availability.reason}"
