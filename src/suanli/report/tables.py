"""The tables of a plan, said once: the terminal, the page and the workbook's reader see the same words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from suanli.domain.plan import Alternative, Flip, Option, Order, Plan, Rent, WorkloadPlan
from suanli.foundation.language import tell, tr
from suanli.report import numbers, provenance
from suanli.report.layouts import layout_words
from suanli.report.words import listed, readable, word


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What one cell says (in brief: where room is short), where its number comes from, and a link where it has one."""

    text: str
    tip: str = ""
    link: str = ""
    note: str = ""
    brief: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column's heading, and whether it holds numbers (set flush right)."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A titled table; `empty` is said in its place where it has no rows."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""


def _columns(*titles: str) -> tuple[Column, ...]:
    """Make columns; a title that begins with # is of numbers."""
    return tuple(Column(title=title.removeprefix("#"), numeric=title.startswith("#")) for title in titles)


def _rows(rows: Iterable[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(rows)


def cell(text: str, tip: str = "", note: str = "") -> Cell:
    """Make a cell of a text and its tip."""
    return Cell(text=text, tip=tip, note=note)


def orders(plan: Plan) -> Table:
    """List what is bought and when."""
    columns = _columns(
        tr("Order in"), tr("Delivered"), tr("System"), "#" + tr("Number"), "#" + tr("Price each"), "#" + tr("Amount")
    )
    made = _rows(_order_row(plan, order) for order in plan.recommended.orders)
    return Table(title=tr("Orders"), columns=columns, rows=made, empty=tr("Nothing is bought."))


def _order_row(plan: Plan, order: Order) -> tuple[Cell, ...]:
    price = provenance.of_price(plan, order.source)
    exact = numbers.exact_money(order.amount, plan.currency)
    amount = provenance.of_sum(tr("number times price = {exact}", exact=exact))
    return (
        cell(order.month, provenance.of_sum(tr("chosen by the solver"))),
        cell(order.delivery_month, provenance.of_sum(tr("order month and lead time"))),
        cell(order.system_name, order.system_id),
        cell(numbers.systems(order.systems), provenance.of_sum(tr("chosen by the solver"))),
        cell(numbers.money(order.unit_price, plan.currency), price),
        cell(numbers.money(order.amount, plan.currency), amount),
    )


def rents(plan: Plan) -> Table:
    """List what is rented, from when to when."""
    columns = _columns(
        tr("From"),
        tr("To"),
        tr("System"),
        tr("Tenure"),
        "#" + tr("Number"),
        "#" + tr("Per system and month"),
        "#" + tr("Amount"),
    )
    made = _rows(_rent_row(plan, rent) for rent in plan.recommended.rents)
    return Table(title=tr("Rents"), columns=columns, rows=made, empty=tr("Nothing is rented."))


def _rent_row(plan: Plan, rent: Rent) -> tuple[Cell, ...]:
    exact = numbers.exact_money(rent.amount, plan.currency)
    return (
        cell(rent.first_month, provenance.of_sum(tr("chosen by the solver"))),
        cell(rent.last_month, tr("This month is included.")),
        cell(rent.system_name, rent.system_id),
        cell(word(rent.tenure)),
        cell(numbers.systems(rent.systems), provenance.of_sum(tr("chosen by the solver"))),
        cell(numbers.money(rent.price_per_system_month, plan.currency), provenance.of_price(plan, rent.source)),
        cell(
            numbers.money(rent.amount, plan.currency),
            provenance.of_sum(tr("number, months and price = {exact}", exact=exact)),
        ),
    )


def workloads(plan: Plan) -> Table:
    """List what runs where, how it is split, how fast it is and when it is done."""
    columns = _columns(
        tr("Workload"),
        tr("Model"),
        tr("Runs on"),
        tr("Layout"),
        "#" + tr("Speed"),
        "#" + tr("Memory of one chip"),
        tr("Done by (50 / 80 / 95 %)"),
        tr("Deadline"),
    )
    made = _rows(_workload_row(work) for work in plan.recommended.workloads)
    return Table(
        title=tr("Where each runs, and how fast"), columns=columns, rows=made, empty=tr("No workload is asked for.")
    )


def _workload_row(work: WorkloadPlan) -> tuple[Cell, ...]:
    share = tr("{share} of the time makes progress", share=numbers.percent(work.goodput))
    count = tr("{count} accelerators", count=numbers.digits(work.accelerators, 9))
    late = work.target_month and work.finish_p80 > work.target_month
    return (
        cell(
            work.id,
            word(work.layer),
            note=listed((word(work.layer), work.demand_note)),
        ),
        cell(work.model_name, note=tr("{count} parameters", count=numbers.count(work.parameters))),
        cell(work.system_name, work.system_id, note=count),
        cell(layout_words(work), note=tr("{count} replicas", count=work.replicas) if work.replicas > 1 else ""),
        speed(work),
        memory(work),
        cell(finish(work), share, note=tr("later than the deadline at 80 %") if late else ""),
        cell(work.target_month or numbers.ABSENT),
    )


def finish(work: WorkloadPlan) -> str:
    """Say the months in which a workload is done, or that it goes on."""
    months = [month for month in (work.finish_p50, work.finish_p80, work.finish_p95) if month]
    return " / ".join(months) if months else tr("goes on")


def speed(work: WorkloadPlan) -> Cell:
    """Say how fast a workload runs: a training step, or a service's time for a token."""
    if work.training is not None:
        rate = tr("{rate} tokens/s", rate=numbers.count(work.training.tokens_per_s))
        mfu = tr("{share} of peak", share=numbers.percent(work.training.mfu))
        tip = provenance.of_estimate(tr("step time by cause"), work.training.band, "s")
        return cell(
            tr("{seconds} a step", seconds=numbers.seconds(work.training.step_seconds)), tip, listed((rate, mfu))
        )
    if work.serving is not None:
        first = tr("first token after {seconds}", seconds=numbers.seconds(work.serving.ttft_seconds))
        rate = tr("{rate} tokens/s a replica", rate=numbers.count(work.serving.output_tokens_per_s))
        tip = provenance.of_estimate(tr("decode step by cause"), work.serving.bands.get("tpot_seconds"), "s")
        return cell(
            tr("{seconds} a token", seconds=numbers.seconds(work.serving.tpot_seconds)), tip, listed((first, rate))
        )
    return cell(numbers.ABSENT)


def memory(work: WorkloadPlan) -> Cell:
    """Say how much memory of one accelerator a workload fills."""
    if work.training is not None:
        tip = provenance.of_estimate(tr("memory by cause"), work.training.memory_band, "B")
        return cell(numbers.gibibytes(work.training.memory_bytes), tip)
    if work.serving is not None:
        tip = provenance.of_estimate(tr("memory by cause"), work.serving.bands.get("memory_bytes"), "B")
        return cell(numbers.gibibytes(work.serving.memory_bytes), tip)
    return cell(numbers.ABSENT)


def alternatives(plan: Plan) -> Table:
    """List the answers that lost, what they cost more, and why."""
    columns = _columns(
        tr("Alternative"), "#" + tr("Cost"), "#" + tr("More than the plan"), tr("Done in"), tr("Why it lost")
    )
    made = _rows(_alternative_row(plan, other) for other in plan.alternatives)
    return Table(title=tr("Alternatives that lost"), columns=columns, rows=made, empty=tr("No alternative was tried."))


def _alternative_row(plan: Plan, other: Alternative) -> tuple[Cell, ...]:
    tip = provenance.of_sum(tr("present value of its cash"))
    cost = numbers.money(other.option.cost, plan.currency) if other.option else tr("cannot be had")
    extra = numbers.ABSENT
    if other.extra_cost is not None:
        extra = _signed(numbers.money(other.extra_cost, plan.currency), other.extra_cost)
    return (
        cell(word(other.name)),
        cell(cost, tip),
        cell(extra, tip),
        cell((other.option.finish_month if other.option else "") or numbers.ABSENT),
        cell(other.reason),
    )


def _signed(text: str, value: float) -> str:
    return f"+{text}" if value > 0 else text


def flips(plan: Plan) -> Table:
    """List what would change the decision, and at which value."""
    columns = _columns(tr("What"), "#" + tr("Now"), "#" + tr("The plan changes at"), tr("It becomes"), tr("Tried"))
    made = _rows(_flip_row(flip) for flip in plan.flips)
    return Table(
        title=tr("What would change the plan"), columns=columns, rows=made, empty=tr("No sensitivity was asked for.")
    )


def _flip_row(flip: Flip) -> tuple[Cell, ...]:
    tip = provenance.of_sum(tr("solved again with this one quantity changed"))
    held = tr("it holds over all that was tried")
    low, high = numbers.quantity(flip.tried_low, flip.unit), numbers.quantity(flip.tried_high, flip.unit)
    return (
        cell(readable(flip.quantity)),
        cell(numbers.quantity(flip.now, flip.unit), tip),
        cell(held if flip.flips_at is None else numbers.quantity(flip.flips_at, flip.unit), tip),
        cell(word(flip.becomes) if flip.becomes else numbers.ABSENT),
        cell(numbers.band(low, high), tip),
    )


def assumed(plan: Plan) -> Table:
    """List the figures that the scenario did not give, each with where it comes from."""
    columns = _columns(tr("What"), "#" + tr("Value"), "#" + tr("Range"), tr("Kind"), tr("Source"))
    made = []
    for item in plan.assumed:
        figure = item.figure
        span = numbers.band(numbers.quantity(figure.low, figure.unit), numbers.quantity(figure.high, figure.unit))
        made.append(
            (
                cell(tell(readable(item.name)), note=tell(figure.note)),
                cell(numbers.quantity(figure.value, figure.unit), provenance.of_figure(plan, figure)),
                cell(span, "" if figure.range_given else tr("the default range of its kind")),
                cell(word(str(figure.kind))),
                Cell(text=provenance.source_text(plan, figure.source), tip=figure.date, brief=figure.source),
            )
        )
    return Table(
        title=tr("Assumed"), columns=columns, rows=tuple(made), empty=tr("Nothing: the scenario gave every figure.")
    )


def sources(plan: Plan) -> Table:
    """List the sources that the plan draws on, with date, licence and address."""
    columns = _columns(tr("Key"), tr("Source"), tr("Date"), tr("Licence"))
    made = _rows(
        (
            cell(item.key),
            Cell(text=tell(item.title) or item.key, link=safe_link(item.url)),
            cell(item.date),
            cell(item.licence),
        )
        for item in plan.sources
    )
    return Table(title=tr("Sources"), columns=columns, rows=made, empty=tr("No source is named."))


def safe_link(url: str) -> str:
    """Pass on an address of the web, and nothing that could run."""
    return url if url.startswith(("https://", "http://")) else ""


def cash_by_month(option: Option) -> dict[str, dict[str, float]]:
    """Sum an option's cash by category and month, categories in order of how much they move."""
    sums: dict[str, dict[str, float]] = {}
    for line in option.cash:
        months = sums.setdefault(line.category, {})
        months[line.month] = months.get(line.month, 0.0) + line.amount
    return dict(sorted(sums.items(), key=lambda item: -sum(abs(amount) for amount in item[1].values())))
