"""The terms of holding a system in every month: price along its trend, what stands beside it, running costs, resale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.domain.hardware import System
from suanli.domain.plan import Assumed
from suanli.domain.scenario import Scenario
from suanli.equations import energy, finance
from suanli.foundation.calendar import MONTHS_PER_YEAR, SECONDS_PER_MONTH, months_between
from suanli.foundation.figure import Figure

Money = tuple[float, ...]
"""Money in every month of the plan."""

MONTH_TEXT = len("YYYY-MM")
RESALE_YEARS = (1, 2, 3, 4, 5)
"""The ages for which an assumed share of the price of a new system is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What all terms rest on: the scenario, the assumed figures in its currency, and which of them were used."""

    scenario: Scenario
    figures: Mapping[str, Figure]
    used: dict[str, Assumed]

    def value(self, name: str) -> float:
        """Return an assumed figure and note that the plan rests on it."""
        figure = self.figures[name]
        self.used[name] = Assumed(name=name, figure=figure)
        return figure.value

    @property
    def months(self) -> int:
        """How many months the plan has."""
        return len(self.scenario.months)


def price_path(ground: Ground, price: float, trend_per_month: float) -> Money:
    """Carry a price along its present trend for some months from the date of the market, then hold it."""
    carried = ground.value("market.carry") / SECONDS_PER_MONTH
    ages = [months_between(ground.scenario.as_of[:MONTH_TEXT], month) for month in ground.scenario.months]
    return tuple(float(finance.trended_price(price, trend_per_month, min(max(age, 0), carried))) for age in ages)


def beside(ground: Ground, prices: Money) -> dict[str, Money]:
    """Return what is paid beside the price of a bought system: network, storage, installation."""
    costs = ground.scenario.costs
    shares = {"network": costs.network_share, "storage": costs.storage_share, "installation": None}
    return {
        name: tuple(price * _given(ground, share, f"share_of_server_cost.{name}") for price in prices)
        for name, share in shares.items()
    }


def _given(ground: Ground, said: float | None, assumed: str) -> float:
    return ground.value(assumed) if said is None else said


def watts_of(ground: Ground, system: System) -> float:
    """Return the greatest power of one system; where nobody printed it, its accelerators' times the rest of the box."""
    if system.power_watts is not None:
        return system.power_watts.value
    power = system.accelerator.power_watts
    if power is None:
        return 0.0
    return float(energy.box_watts(power.value, system.accelerators, ground.value("host.power_of_accelerators")))


def rack_units_of(ground: Ground, system: System) -> float:
    """Return the room that one system takes, an assumed one where nobody printed it."""
    return system.rack_units.value if system.rack_units is not None else ground.value("host.rack_units")


def running_cost(ground: Ground, system: System, prices: Money, draw: str = "power_draw.training") -> dict[str, Money]:
    """Return what one system on site costs in every month: power, room, upkeep, and people where none are named.

    `draw` names the figure of how much of its greatest power it draws.
    """
    site, costs = ground.scenario.site, ground.scenario.costs
    watts = watts_of(ground, system)
    drawn = energy.facility_watts(watts * ground.value(draw), site.pue)
    joules = energy.energy_joules(drawn, SECONDS_PER_MONTH)
    paid = energy.energy_cost(joules, _given(ground, site.power_price_per_joule, "power_price"))
    monthly = {"power": float(paid)}
    if site.colocation_per_watt_month is not None:
        monthly["colocation"] = watts * site.colocation_per_watt_month
    if costs.maintenance_share_per_year:
        monthly["maintenance"] = prices[0] * costs.maintenance_share_per_year / MONTHS_PER_YEAR
    if ground.scenario.staff is None:
        monthly["staff"] = ground.value("staff") * SECONDS_PER_MONTH / ground.value("staffing.systems_per_operator")
    return {category: (cost,) * ground.months for category, cost in monthly.items()}


def resale(ground: Ground, prices: Money, lead_months: tuple[int, ...]) -> Money:
    """Return what a system ordered in each month fetches when the plan ends, as a share of a new one's price then."""
    loss = ground.scenario.costs.resale_loss_per_year
    ages = [(ground.months - order - lead) / MONTHS_PER_YEAR for order, lead in enumerate(lead_months)]
    if loss is not None:
        return tuple(float(finance.declining_value(prices[-1], loss, max(age, 0.0))) for age in ages)
    shares = [ground.value(f"resale.after_{year}_year{'s' if year > 1 else ''}") for year in RESALE_YEARS]
    return tuple(prices[-1] * share_at(age, shares) for age in ages)


def share_at(age_years: float, shares: list[float]) -> float:
    """Read a resale share between whole years; anything younger than a year counts as a year old, as used goods do."""
    if age_years <= RESALE_YEARS[0]:
        return shares[0]
    if age_years >= RESALE_YEARS[-1]:
        return shares[-1]
    year = int(age_years)
    part = age_years - year
    return shares[year - 1] * (1 - part) + shares[year] * part
