"""What the plan says in words: the decision, the few figures that matter, and the steps month by month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from suanli.domain.plan import Option, Plan
from suanli.foundation.language import tr
from suanli.report import numbers, provenance

HOURLY = "rented_hour"
"""The tenure whose systems are an average over each month."""
MOST_KINDS = 3
"""How many kinds of systems the decision names one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One figure that matters: label, value, tip, and a short note below it."""

    label: str
    value: str
    tip: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing to do or to see happen, in a month."""

    month: str
    text: str
    tip: str = ""


def decision(plan: Plan) -> str:
    """Say in one sentence what to buy and rent, for how much, and when all training is done."""
    best = plan.recommended
    deeds = []
    if plan.holdings:
        own = _kinds((one.system_name, one.systems) for one in plan.holdings)
        deeds.append(tr("use the {what} you have", what=own))
    if best.orders:
        deeds.append(tr("buy {what}", what=_kinds((order.system_name, order.systems) for order in best.orders)))
    if best.rents:
        deeds.append(tr("rent up to {what}", what=_kinds(_most_rented(best, plan.months).items())))
    if not best.orders and not best.rents:
        deeds.append(tr("buy and rent nothing: what you have is enough"))
    said = tr("; ").join(deeds)
    said = said[:1].upper() + said[1:]
    cost = numbers.money(best.cost, plan.currency)
    if best.finish_month:
        return tr(
            "{deeds}: {cost} in today's money, training done in {month}.",
            deeds=said,
            cost=cost,
            month=best.finish_month,
        )
    return tr("{deeds}: {cost} in today's money.", deeds=said, cost=cost)


def _kinds(counted: Iterable[tuple[str, int | float]]) -> str:
    """List how many systems of each kind, the most first; many kinds are told as how many systems in all."""
    sums: dict[str, int | float] = {}
    for name, systems in counted:
        sums[name] = sums.get(name, 0) + systems
    if len(sums) > MOST_KINDS:
        return tr("{count} systems of {kinds} kinds", count=numbers.systems(sum(sums.values())), kinds=len(sums))
    most = sorted(sums.items(), key=lambda kind: -kind[1])
    return tr(" and ").join(f"{numbers.systems(systems)} × {name}" for name, systems in most)


def _most_rented(option: Option, months: Sequence[str]) -> dict[str, int | float]:
    """Count the systems of each kind in the month that rents the most of them."""
    most: dict[str, int | float] = {}
    for month in months:
        sums: dict[str, int | float] = {}
        for rent in option.rents:
            if rent.first_month <= month <= rent.last_month:
                sums[rent.system_name] = sums.get(rent.system_name, 0) + rent.systems
        for name, systems in sums.items():
            most[name] = max(most.get(name, 0), systems)
    return most


def facts(plan: Plan) -> tuple[Fact, ...]:
    """Choose the figures that stand beside the decision."""
    made = [_cost(plan), _cash(plan), _peak_cash(plan)]
    if plan.recommended.power:
        made.append(_power(plan))
    made += [_finish(plan), _gap(plan)]
    return tuple(fact for fact in made if fact is not None)


def _cost(plan: Plan) -> Fact:
    rate = numbers.percent(plan.discount_rate_per_year)
    return Fact(
        label=tr("Cost in today's money"),
        value=numbers.money(plan.recommended.cost, plan.currency),
        tip=provenance.of_sum(tr("cash discounted at {rate} a year", rate=rate)),
        note=tr("discounted at {rate} a year", rate=rate),
    )


def _cash(plan: Plan) -> Fact:
    total = sum(line.amount for line in plan.recommended.cash)
    exact = numbers.exact_money(total, plan.currency)
    return Fact(
        label=tr("Cash over the plan"),
        value=numbers.money(total, plan.currency),
        tip=provenance.of_sum(tr("sum of the cash table = {exact}", exact=exact)),
        note=tr("{count} months, resale included", count=len(plan.months)),
    )


def _peak_cash(plan: Plan) -> Fact | None:
    sums: dict[str, float] = {}
    for line in plan.recommended.cash:
        sums[line.month] = sums.get(line.month, 0.0) + line.amount
    if not sums:
        return None
    month = max(sums, key=lambda key: sums[key])
    return Fact(
        label=tr("Dearest month"),
        value=numbers.money(sums[month], plan.currency),
        tip=provenance.of_sum(tr("sum of the cash table in {month}", month=month)),
        note=month,
    )


def _power(plan: Plan) -> Fact:
    peak = max(plan.recommended.power, key=lambda use: use.watts)
    limit = peak.limit_watts
    return Fact(
        label=tr("Most power at the meter"),
        value=numbers.watts(peak.watts),
        tip=provenance.of_sum(tr("systems in use, PUE included, in {month}", month=peak.month)),
        note=tr("of {limit} allowed", limit=numbers.watts(limit)) if limit is not None else tr("no limit given"),
    )


def _finish(plan: Plan) -> Fact | None:
    ends = [work for work in plan.recommended.workloads if work.finish_p80]
    if not ends:
        return None
    last = max(ends, key=lambda work: work.finish_p80)
    span = numbers.band(last.finish_p50, last.finish_p95)
    return Fact(
        label=tr("Last training done (80 % sure)"),
        value=last.finish_p80,
        tip=provenance.of_sum(tr("work, speed and its band, share of time that makes progress")),
        note=tr("{workload}: {span}", workload=last.id, span=span),
    )


def _gap(plan: Plan) -> Fact:
    solver = plan.recommended.solver
    bound = numbers.money(solver.bound, plan.currency)
    return Fact(
        label=tr("Gap to the bound"),
        value=numbers.percent(solver.gap),
        tip=provenance.of_sum(tr("the solver proved that no plan costs less than {bound}", bound=bound)),
        note=tr("solved in {seconds}", seconds=numbers.seconds(solver.seconds)),
    )


def steps(plan: Plan) -> tuple[Step, ...]:
    """List what to do and what happens, in order of month."""
    made = [*_buying(plan), *_renting(plan), *_running(plan)]
    return tuple(sorted(made, key=lambda step: step.month))


def _buying(plan: Plan) -> list[Step]:
    made = []
    for order in plan.recommended.orders:
        what = {"count": order.systems, "system": order.system_name}
        tip = provenance.of_price(plan, order.source)
        amount = numbers.money(order.amount, plan.currency)
        made.append(
            Step(month=order.month, text=tr("Order {count} × {system} for {amount}.", amount=amount, **what), tip=tip)
        )
        made.append(Step(month=order.delivery_month, text=tr("{count} × {system} are delivered.", **what), tip=tip))
    return made


def _renting(plan: Plan) -> list[Step]:
    made = []
    for rent in plan.recommended.rents:
        what = {"count": numbers.systems(rent.systems), "system": rent.system_name, "month": rent.last_month}
        price = numbers.money(rent.price_per_system_month, plan.currency)
        text = tr("Rent {count} × {system} until {month}, {price} each a month.", price=price, **what)
        if rent.tenure == HOURLY:
            text = tr(
                "Rent {system} by the hour until {month}: {count} at work on average, {price} each for a whole month.",
                price=price,
                **what,
            )
        made.append(Step(month=rent.first_month, text=text, tip=provenance.of_price(plan, rent.source)))
    return made


def _running(plan: Plan) -> list[Step]:
    made = []
    for work in plan.recommended.workloads:
        what = {"workload": work.id, "system": work.system_name, "count": work.accelerators}
        text = tr("{workload} starts on {count} accelerators of {system}.", **what)
        made.append(Step(month=work.start_month, text=text))
        if work.finish_p80:
            span = numbers.band(work.finish_p50, work.finish_p95)
            made.append(
                Step(month=work.finish_p80, text=tr("{workload} is done (80 % sure; {span}).", span=span, **what))
            )
    return [step for step in made if step.month]
