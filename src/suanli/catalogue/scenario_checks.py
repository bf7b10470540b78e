"""What the parts of a scenario must hold of each other: names known, dates in order, fields that belong together.

The checks read the raw data and pass over whatever is at fault in itself, so that all faults are told at once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from suanli.catalogue.quantity import Measure, QuantityError, read_money, shown
from suanli.catalogue.scenario_facts import (
    Facts,
    KnownNames,
    check_inside,
    check_name,
    check_order,
    check_systems,
    entries,
    is_file,
    month_of,
    section,
    whole,
)
from suanli.catalogue.scenario_fields import BUY_PRICE, MOST_MONTHS, RENT_PRICE, check_currency
from suanli.catalogue.scenario_shape import Finding
from suanli.catalogue.workload_checks import check_workloads
from suanli.catalogue.yaml_reader import Trail
from suanli.domain.scenario import QuoteTerms
from suanli.foundation.calendar import month_after
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr


def cross_findings(
    data: object, folder: Path, known: KnownNames, currencies: frozenset[str]
) -> tuple[tuple[Finding, ...], tuple[Fault, ...]]:
    """Check the parts of a scenario against each other and the outside; its faults, and those of the user's files."""
    if not isinstance(data, dict):
        return (), ()
    facts = Facts(data=data, folder=folder, known=known, currencies=currencies)
    find_horizon(facts)
    check_files(facts)
    for check in (check_empty, check_horizon, check_exchange, check_budget, check_fleet, check_market, check_goodput):
        check(facts)
    check_workloads(facts)
    return tuple(facts.findings), tuple(facts.file_faults)


def find_horizon(facts: Facts) -> None:
    """Find the first and the last month of the plan, where the data tells them."""
    as_of = month_of(facts.data.get("as_of"), days=True)
    facts.start = month_of(facts.data["start"]) if "start" in facts.data else as_of and month_after(as_of, 1)
    months = whole(facts.data.get("months"))
    if facts.start and months and 0 < months <= MOST_MONTHS:
        facts.last = month_after(facts.start, months - 1)


def check_horizon(facts: Facts) -> None:
    """Check that the plan starts no earlier than the month its market is of."""
    as_of = month_of(facts.data.get("as_of"), days=True)
    if as_of and facts.start and facts.start < as_of:
        facts.tell(("start",), f"'{facts.start}'", tr("the month of as_of ({as_of}) or a later one", as_of=as_of))
    check_region(facts, facts.data.get("region"))


def check_region(facts: Facts, region: Any) -> None:
    """Check that a word of the region is known: 'China', or 'Shanghai, China'."""
    if not isinstance(region, str):
        return
    words = [word.strip().lower() for word in re.split(r"[,/;()]", region)]
    if not facts.known.regions.isdisjoint(words):
        return
    check_name(facts, ("region",), region, facts.known.regions, tr("region"))


def check_empty(facts: Facts) -> None:
    """Tell keys without a value: they say nothing, and are no way to say 'none'."""
    todo: list[tuple[Trail, Any]] = [((), facts.data)]
    while todo:
        trail, part = todo.pop()
        if part is None and trail:
            facts.tell(trail, tr("nothing"), tr("a value, or no such line"))
        elif isinstance(part, dict):
            todo.extend(((*trail, key), value) for key, value in part.items() if key != "model" or value is None)
        elif isinstance(part, list):
            todo.extend(((*trail, index), value) for index, value in enumerate(part))


def check_exchange(facts: Facts) -> None:
    """Check that rates are of other currencies, told in the scenario's own."""
    own = facts.data.get("currency")
    for currency, rate in section(facts.data, "exchange").items():
        trail: Trail = ("exchange", currency)
        if currency == own:
            facts.tell(trail, tr("a rate of the scenario's own currency"), tr("other currencies"))
        try:
            money = read_money(rate, Measure(into="", example=f"6.95 {own}"))
        except QuantityError:
            continue
        if money.currency != own and isinstance(own, str):
            facts.tell(trail, f"'{shown(rate)}'", tr("an amount in {currency}", currency=own))


def check_budget(facts: Facts) -> None:
    """Check that limits lie inside the plan, in order of month."""
    before = ""
    for index, limit in entries(section(facts.data, "budget"), "by"):
        trail: Trail = ("budget", "by", index, "month")
        month = month_of(limit.get("month"))
        check_inside(facts, trail, month)
        if month and before and month <= before:
            facts.tell(trail, f"'{month}'", tr("a month after {before}", before=before))
        before = month or before


def check_files(facts: Facts) -> None:
    """Check that the user's own files are there, and ask which systems are known with them."""
    paths = []
    files = section(facts.data, "market").get("files")
    for index, name in enumerate(files if isinstance(files, list) else []):
        if not isinstance(name, str) or not name:
            continue
        if is_file(facts.folder / name):
            paths.append(str(facts.folder / name))
        else:
            allowed = tr("a file that exists, as a path from the scenario's folder")
            facts.tell(("market", "files", index), f"'{shown(name)}'", allowed)
    try:
        facts.systems = facts.known.systems(tuple(paths)) if facts.known.systems else ()
    except InputError as error:
        facts.file_faults.extend(error.faults)


def check_fleet(facts: Facts) -> None:
    """Check that systems of the fleet are known, and there before the plan ends."""
    for index, entry in entries(facts.data, "fleet"):
        check_name(facts, ("fleet", index, "system"), entry.get("system"), facts.systems, tr("system"))
        month = month_of(entry.get("available"))
        if month and facts.last and month > facts.last:
            allowed = tr("a month up to the plan's last, {last}", last=facts.last)
            facts.tell(("fleet", index, "available"), f"'{month}'", allowed)


def check_market(facts: Facts) -> None:
    """Check that systems for sale are known, and that quotes fit their terms and are in order."""
    market = section(facts.data, "market")
    for way in ("buy", "rent", "reserved"):
        check_systems(facts, ("market", way), market.get(way))
    for index, quote in entries(market, "quotes"):
        trail: Trail = ("market", "quotes", index)
        check_name(facts, (*trail, "system"), quote.get("system"), facts.systems, tr("system"))
        check_quote(facts, trail, quote)
        check_order(facts, trail, quote, "start", "end")


def check_quote(facts: Facts, trail: Trail, quote: dict[str, Any]) -> None:
    """Check that a price and its range fit the terms, and that only rents have a shortest term."""
    terms = quote.get("terms", QuoteTerms.BUY)
    if terms not in list(QuoteTerms):
        return
    bought = terms == QuoteTerms.BUY
    price = quoted_amount(facts, (*trail, "price"), quote.get("price"), bought) if "price" in quote else None
    bounds = quote.get("range")
    if isinstance(bounds, list) and len(bounds) == 2:
        low, high = (quoted_amount(facts, (*trail, "range", i), bound, bought) for i, bound in enumerate(bounds))
        if None not in (low, high, price) and not low <= price <= high:  # type: ignore[operator]
            allowed = tr("a lowest and a highest price around {price}", price=shown(quote["price"]))
            facts.tell((*trail, "range"), f"{shown(bounds[0])}, {shown(bounds[1])}", allowed)
    if bought and "commit" in quote:
        facts.tell((*trail, "commit"), tr("a shortest term of a purchase"), tr("terms: rent or reserved"))
    if terms == QuoteTerms.HOUR:
        for name in {"commit", "lot"} & set(quote):
            facts.tell((*trail, name), shown(quote[name]), tr("terms: rent or reserved"))
        return
    if not bought and "lot" in quote and whole(quote["lot"]) == 0:
        facts.tell((*trail, "lot"), "0", tr("at least {bound}", bound=1))


def quoted_amount(facts: Facts, trail: Trail, found: object, bought: bool) -> float | None:
    """Read a quoted price by its terms, telling what is wrong with it; None where it cannot be read."""
    try:
        money = read_money(found, BUY_PRICE if bought else RENT_PRICE, accelerator_allowed=True)
        check_currency(money, facts.currencies)
    except QuantityError as error:
        facts.tell(trail, error.found, error.allowed, error.hint)
        return None
    except PydanticCustomError as error:
        told = error.context or {}
        facts.tell(trail, told["found"], told["allowed"], told["hint"])
        return None
    return money.amount


def check_goodput(facts: Facts) -> None:
    """Check that goodput is told in one way."""
    goodput = section(facts.data, "goodput")
    if {"training", "failures"} <= goodput.keys():
        facts.tell(("goodput",), tr("both training and failures"), tr("one of them"))
