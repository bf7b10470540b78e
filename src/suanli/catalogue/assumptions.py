"""Figures that a plan needs and a scenario may leave out, each with its source; in SI, money in its own currency."""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Mapping
from pathlib import Path

from suanli.catalogue.dates import first_day
from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet
from suanli.catalogue.sources import sources
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.figure import Figure, Kind
from suanli.foundation.language import tr

FILE = DATA / "assumptions.yaml"
CURRENCIES = ("CNY", "USD", "EUR", "JPY")
UNITS: Mapping[str, str] = {
    "exchange": "", "power_price": "J", "colocation": "W/s", "staff": "s", "depreciation": "s", "failures": "1/s",
    "recovery": "s", "lead_time": "s",
}  # fmt: skip
"""The SI unit of a group's figures; what money is paid for, where the group is of prices; other groups are numbers."""

MONEY = ("power_price", "colocation", "staff")
OWN_UNITS: Mapping[str, str] = {
    "host.scale_out_per_accelerator": "B/s", "host.memory": "B", "market.window": "s", "market.trend_window": "s",
    "market.half_life": "s", "market.lead_time_half_life": "s", "market.carry": "s",
    "checkpoint.bytes_per_parameter": "B", "checkpoint.storage_per_node": "B/s", "checkpoint.host_copy": "B/s",
    "checkpoint.pause": "s", "sizing.deadline": "s", "planning.replica_start": "s",
}  # fmt: skip


@functools.cache
def assumptions() -> Mapping[str, Figure]:
    """Read all assumed figures by group.name. Raises InputError with every fault in them."""
    found, faults = read_assumptions(FILE)
    if faults:
        raise InputError(faults)
    return found


def assumption(name: str) -> Figure:
    """Return one assumed figure, such as `pue.china`. Raises InputError naming the nearest where there is none."""
    known = assumptions()
    if name not in known:
        found, allowed = tr("unknown figure '{name}'", name=name), tr("a name in data/assumptions.yaml")
        raise InputError.single(place="assumptions", found=found, allowed=allowed, hint=did_you_mean(name, known))
    return known[name]


def regional(group: str, region: str) -> Figure:
    """Return the figure of a group for a region, or the world's where the region has none."""
    known = assumptions()
    name = f"{group}.{region.lower().replace(' ', '_')}"
    return known[name] if name in known else assumption(f"{group}.world")


def read_assumptions(path: Path) -> tuple[dict[str, Figure], list[Fault]]:
    """Read a file of assumed figures, with the faults found in it."""
    document = read_plain(path)
    sheet = Sheet(document=document, known_sources=sources())
    found: dict[str, Figure] = {}
    for group, figures in document.data.items():
        for name, said in figures.items():
            unit = str(said.get("unit", "")) if isinstance(said, dict) else ""
            into = _unit_of(group, f"{group}.{name}", unit)
            figure = sheet.figure(group, name, into=into)
            if figure is not None:
                found[f"{group}.{name}"] = figure
    return found, [*document.faults, *sheet.faults]


def _unit_of(group: str, name: str, unit: str) -> str:
    """Say in which SI unit a figure is kept; money stays in its currency, by what it is paid for."""
    if group == "exchange":
        return unit
    if group in MONEY:
        return f"{unit.partition('/')[0]}/{UNITS[group]}"
    return OWN_UNITS.get(name) or UNITS.get(group, "1")


@functools.cache
def exchange_rate(paid: str, wanted: str, as_of: datetime.date) -> Figure:
    """Return how much of one currency another buys, by the newest rate dated before `as_of`.

    Raises InputError where no rate between the two is known then.
    """
    if paid == wanted:
        return Figure(value=1.0, unit=f"{wanted}/{paid}", low=1.0, high=1.0, kind=Kind.DERIVED, source="", date="")
    direct = _rate(paid, wanted, as_of)
    if direct is not None:
        return direct
    for middle in CURRENCIES:
        first, second = _rate(paid, middle, as_of), _rate(middle, wanted, as_of)
        if first is not None and second is not None:
            return _product(first, second, f"{wanted}/{paid}")
    allowed = tr("a rate among {currencies} that was known then", currencies=", ".join(CURRENCIES))
    raise InputError.single(place=str(as_of), found=f"{paid} -> {wanted}", allowed=allowed)


def _rate(paid: str, wanted: str, as_of: datetime.date) -> Figure | None:
    """Return the newest rate between two currencies that began before a day, turned round where it is the other way."""
    known = [
        figure
        for name, figure in assumptions().items()
        if name.startswith("exchange.") and figure.unit in (f"{wanted}/{paid}", f"{paid}/{wanted}")
    ]
    past = [figure for figure in known if first_day(figure.date) <= as_of]
    if not past:
        return None
    newest = max(past, key=lambda figure: first_day(figure.date))
    return newest if newest.unit == f"{wanted}/{paid}" else _inverse(newest, f"{wanted}/{paid}")


def _inverse(figure: Figure, unit: str) -> Figure:
    return Figure(value=1 / figure.value, unit=unit, low=1 / figure.high, high=1 / figure.low, kind=figure.kind,
                  source=figure.source, date=figure.date, range_given=figure.range_given)  # fmt: skip


def _product(first: Figure, second: Figure, unit: str) -> Figure:
    value = first.value * second.value
    apart = math.hypot(math.log(first.high / first.low), math.log(second.high / second.low)) / 2
    return Figure(value=value, unit=unit, low=value * math.exp(-apart), high=value * math.exp(apart), kind=Kind.DERIVED,
                  source=second.source, date=max(first.date, second.date))  # fmt: skip
