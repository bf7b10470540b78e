"""The figures that a plan may rest on, gathered once: assumed ones by name, regional ones for the scenario's region."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from suanli.catalogue.assumptions import assumptions, exchange_rate, read_assumptions, regional
from suanli.catalogue.dates import last_day
from suanli.catalogue.figures import DATA
from suanli.domain.scenario import Scenario
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure
from suanli.planner.terms import Ground

PLANNING = DATA / "planning.yaml"


def planning_figures() -> Mapping[str, Figure]:
    """Return what the planner itself assumes. Raises InputError with every fault in its file."""
    planning, faults = read_assumptions(PLANNING)
    if faults:
        raise InputError(faults)
    return planning


def lay_ground(scenario: Scenario) -> Ground:
    """Gather the figures of a scenario's region and currency."""
    planning = planning_figures()
    day = last_day(scenario.as_of, "as_of")
    local = {
        "power_price": _in_currency(regional("power_price", scenario.region), scenario, day),
        "staff": _in_currency(_staff(scenario.region), scenario, day),
    }
    return Ground(scenario=scenario, figures={**assumptions(), **planning, **local}, used={})


def _staff(region: str) -> Figure:
    known = assumptions()
    name = f"staff.operator_{region.lower()}"
    return known[name] if name in known else known["staff.operator_world"]


def _in_currency(figure: Figure, scenario: Scenario, day: datetime.date) -> Figure:
    """Convert money per something into the scenario's currency, at its own rate or the newest known one."""
    paid, _, per = figure.unit.partition("/")
    if paid == scenario.currency:
        return figure
    rate = scenario.exchange.get(paid) or exchange_rate(paid, scenario.currency, day).value
    return Figure(
        value=figure.value * rate,
        unit=f"{scenario.currency}/{per}",
        low=figure.low * rate,
        high=figure.high * rate,
        kind=figure.kind,
        source=figure.source,
        date=figure.date,
        range_given=figure.range_given,
        note=figure.note,
    )
