"""Plans drawn at random: any money, months, numbers and names that the nouns allow."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st

from suanli.domain.plan import (
    Alternative,
    Assignment,
    Assumed,
    CashLine,
    Flip,
    Option,
    Order,
    Plan,
    PowerUse,
    Rent,
    SolverReport,
    Source,
)
from suanli.foundation.figure import Figure, Kind

MONEY = st.floats(min_value=0.01, max_value=1e10, allow_nan=False)
NAMES = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() != "")
SYSTEMS = st.integers(min_value=1, max_value=5000)
TENURES = st.sampled_from(["rented_month", "rented_reserved"])
CATEGORIES = st.sampled_from(["purchase", "rent", "power", "staff", "resale", "something_new"])


def months_from(first: int, count: int) -> tuple[str, ...]:
    """Name so many months from a month counted from 2023-01."""
    return tuple(f"{2023 + index // 12}-{index % 12 + 1:02d}" for index in range(first, first + count))


@st.composite
def orders(draw: st.DrawFn, months: tuple[str, ...]) -> Order:
    index = draw(st.integers(0, len(months) - 1))
    lead = draw(st.integers(0, 14))
    systems, price = draw(SYSTEMS), draw(MONEY)
    return Order(
        month=months[index], delivery_month=months_from(_number(months[index]) + lead, 1)[0], system_id=draw(NAMES),
        system_name=draw(NAMES), systems=systems, unit_price=price, amount=systems * price, source=draw(NAMES),
    )  # fmt: skip


@st.composite
def rents(draw: st.DrawFn, months: tuple[str, ...]) -> Rent:
    first = draw(st.integers(0, len(months) - 1))
    last = draw(st.integers(first, len(months) - 1))
    systems, price = draw(SYSTEMS), draw(MONEY)
    return Rent(
        first_month=months[first], last_month=months[last], system_id=draw(NAMES), system_name=draw(NAMES),
        tenure=draw(TENURES), systems=systems, price_per_system_month=price,
        amount=systems * price * (last - first + 1), source=draw(NAMES),
    )  # fmt: skip


@st.composite
def cash_lines(draw: st.DrawFn, months: tuple[str, ...]) -> CashLine:
    category = draw(CATEGORIES)
    sign = -1.0 if category == "resale" else 1.0
    return CashLine(month=draw(st.sampled_from(months)), category=category, amount=sign * draw(MONEY))


@st.composite
def assignments(draw: st.DrawFn, months: tuple[str, ...]) -> Assignment:
    return Assignment(
        month=draw(st.sampled_from(months)), workload=draw(NAMES), pool=draw(NAMES), system_id=draw(NAMES),
        systems=draw(st.floats(0, 1000)),
    )  # fmt: skip


@st.composite
def flips(draw: st.DrawFn) -> Flip:
    return Flip(
        quantity=draw(NAMES), unit=draw(st.sampled_from(["×", "CNY", "month", "s", "W", "1", ""])), now=draw(MONEY),
        flips_at=draw(st.none() | MONEY), becomes=draw(NAMES), tried_low=draw(MONEY), tried_high=draw(MONEY),
    )  # fmt: skip


@st.composite
def assumptions(draw: st.DrawFn) -> Assumed:
    value = draw(MONEY)
    figure = Figure(
        value=value, unit=draw(st.sampled_from(["CNY/J", "s", "1", "", "B/s", "CNY"])), low=value / 2, high=value * 2,
        kind=draw(st.sampled_from([*Kind])), source=draw(NAMES), date="2023-05", range_given=draw(st.booleans()),
        note=draw(st.text(max_size=20)),
    )  # fmt: skip
    return Assumed(name=draw(NAMES), figure=figure)


def _number(month: str) -> int:
    year, number = month.split("-")
    return (int(year) - 2023) * 12 + int(number) - 1


@st.composite
def plans(draw: st.DrawFn, sample: Plan) -> Plan:
    """Draw a plan; its workloads are the sample's, for their estimates are no matter of chance."""
    months = months_from(draw(st.integers(0, 11)), draw(st.integers(1, 30)))
    rate = draw(st.floats(0, 0.5))
    cash = tuple(draw(st.lists(cash_lines(months), max_size=10)))
    worth = sum(line.amount * (1 + rate) ** (-months.index(line.month) / 12) for line in cash)
    option = Option(
        name="recommended",
        cost=worth,
        finish_month=draw(st.sampled_from(["", *months])),
        orders=tuple(draw(st.lists(orders(months), max_size=4))),
        rents=tuple(draw(st.lists(rents(months), max_size=4))),
        assignments=tuple(draw(st.lists(assignments(months), max_size=6))),
        workloads=sample.recommended.workloads,
        cash=cash,
        power=tuple(
            PowerUse(month=month, watts=draw(st.floats(0, 1e9)), limit_watts=draw(st.none() | st.floats(1, 1e9)))
            for month in months
        ),
        solver=SolverReport(
            status=draw(st.sampled_from(["optimal_within_gap", "time_limit"])), objective=worth, bound=worth, gap=0.0,
            seconds=draw(st.floats(0, 100)),
        ),
    )  # fmt: skip
    other = Alternative(name=draw(NAMES), reason=draw(NAMES), extra_cost=draw(st.none() | MONEY), option=option)
    return dataclasses.replace(
        sample,
        title=draw(NAMES),
        months=months,
        recommended=option,
        alternatives=(other,),
        flips=tuple(draw(st.lists(flips(), max_size=3))),
        pareto=((months[-1], worth, draw(NAMES)),),
        assumed=tuple(draw(st.lists(assumptions(), max_size=4))),
        unknown=tuple(draw(st.lists(NAMES, max_size=2))),
        sources=(Source(key=draw(NAMES), title=draw(NAMES), url=draw(NAMES), date="2023", licence=draw(NAMES)),),
        discount_rate_per_year=rate,
    )
