"""A plan as an Excel workbook: inputs in one sheet, amounts and totals as live formulas that give the plan's numbers.

Every text is written as text whatever it begins with; formulas are our own alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suanli.domain.plan import Order, Plan, Rent
from suanli.foundation.language import tell, tr
from suanli.report import numbers, tables
from suanli.report.cash_sheet import payment_offset, write_cash
from suanli.report.files import needed, write_whole
from suanli.report.layouts import layout_words
from suanli.report.sheets import Book, Sheet, Value
from suanli.report.tables import Table
from suanli.report.words import readable, word


def write(plan: Plan, path: Path) -> Path:
    """Write the workbook of a plan and return its path."""
    write_whole(Path(path), content(plan))
    return Path(path)


def content(plan: Plan) -> bytes:
    """Return the workbook of a plan as bytes, in the language in force."""
    xlsxwriter = needed("xlsxwriter")
    memory = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    file = xlsxwriter.Workbook(memory, {**options, "nan_inf_to_errors": True})
    book = Book(file)
    inputs = _write_inputs(book, plan)
    orders = _write_orders(book, plan.recommended.orders)
    rents = _write_rents(book, plan.recommended.rents)
    write_cash(book, plan, inputs, orders, rents)
    _write_power(book, plan)
    _write_workloads(book, plan)
    _write_alternatives(book, plan)
    _write_table(book, tr("Sources"), _with_addresses(plan))
    file.set_properties({"title": plan.title, "comments": f"suanli {plan.suanli_version}"})
    file.close()
    return memory.getvalue()


def _write_inputs(book: Book, plan: Plan) -> Sheet:
    """Write what the plan rests on; the discount rate and the payment offset are read by the cash sheet."""
    sheet = book.sheet(tr("Inputs"), (34, 18, 14, 18, 18, 14, 12, 44, 44))
    facts: Sequence[tuple[str, str | float]] = (
        (tr("Title"), plan.title),
        (tr("Scenario"), plan.scenario),
        (tr("As of"), plan.as_of),
        (tr("Region"), plan.region),
        (tr("Currency"), plan.currency),
        (tr("Made by"), f"suanli {plan.suanli_version}"),
        (tr("Discount rate a year"), float(plan.discount_rate_per_year)),
        (tr("Months from the start to a payment of the first month"), payment_offset(plan)),
    )
    for label, value in facts:
        sheet.row([label, value], bold_first=True)
        if isinstance(value, float):
            sheet.remember(label, 1)
    sheet.skip()
    sheet.heading(
        [
            tr("Assumed"),
            tr("Value (SI)"),
            tr("Unit"),
            tr("Low"),
            tr("High"),
            tr("Kind"),
            tr("Date"),
            tr("Source"),
            tr("Note"),
        ]
    )
    for item in plan.assumed:
        figure = item.figure
        source = next((one.title for one in plan.sources if one.key == figure.source), figure.source)
        kind = word(str(figure.kind))
        sheet.row(
            [
                tell(readable(item.name)),
                figure.value,
                figure.unit,
                figure.low,
                figure.high,
                kind,
                figure.date,
                tell(source),
                tell(figure.note),
            ]
        )
    sheet.skip()
    sheet.heading([tr("Not known")])
    for text in plan.unknown:
        sheet.row([text])
    return sheet


def _write_orders(book: Book, orders: Sequence[Order]) -> Sheet:
    sheet = book.sheet(tr("Orders"), (12, 12, 20, 34, 10, 18, 18, 40))
    sheet.heading(
        [
            tr("Order in"),
            tr("Delivered"),
            tr("System"),
            tr("Name"),
            tr("Number"),
            tr("Price each"),
            tr("Amount"),
            tr("Source"),
        ]
    )
    sheet.mark_first()
    for order in orders:
        row: list[Value] = [
            order.month,
            order.delivery_month,
            order.system_id,
            order.system_name,
            order.systems,
            order.unit_price,
        ]
        sheet.row([*row, None, order.source])
        sheet.amount(6, "{E}*{F}", order.systems * order.unit_price, order.amount)
    sheet.total(tr("Total"), (6,), [math.fsum(order.amount for order in orders)])
    return sheet


def _write_rents(book: Book, rents: Sequence[Rent]) -> Sheet:
    sheet = book.sheet(tr("Rents"), (12, 12, 20, 34, 20, 10, 20, 10, 18, 18, 40))
    sheet.heading(
        [
            tr("From"),
            tr("To"),
            tr("System"),
            tr("Name"),
            tr("Tenure"),
            tr("Number"),
            tr("Per system and month"),
            tr("Months"),
            tr("Per month"),
            tr("Amount"),
            tr("Source"),
        ]
    )
    sheet.mark_first()
    for rent in rents:
        months = months_between(rent.first_month, rent.last_month)
        head: list[Value] = [
            rent.first_month,
            rent.last_month,
            rent.system_id,
            rent.system_name,
            word(rent.tenure),
            rent.systems,
        ]
        sheet.row([*head, rent.price_per_system_month, None, None, None, rent.source])
        span = "(VALUE(LEFT({B},4))-VALUE(LEFT({A},4)))*12+VALUE(RIGHT({B},2))-VALUE(RIGHT({A},2))+1"
        sheet.amount(7, span, months, months, money=False)
        monthly = rent.systems * rent.price_per_system_month
        sheet.amount(8, "{F}*{G}", monthly, monthly)
        sheet.amount(9, "{H}*{I}", monthly * months, rent.amount)
    sheet.total(tr("Total"), (9,), [math.fsum(rent.amount for rent in rents)])
    return sheet


def months_between(first: str, last: str) -> int:
    """Count the months from one to another, both included."""
    (year, month), (last_year, last_month) = ((int(part) for part in text.split("-")) for text in (first, last))
    return (last_year - year) * 12 + last_month - month + 1


def _write_power(book: Book, plan: Plan) -> None:
    sheet = book.sheet(tr("Power"), (12, 18, 18, 14))
    sheet.heading([tr("Month"), tr("Watts at the meter"), tr("Limit in watts"), tr("Share of limit")])
    for use in plan.recommended.power:
        sheet.row([use.month, use.watts, use.limit_watts])
        if use.limit_watts:
            share = use.watts / use.limit_watts
            sheet.amount(3, "{B}/{C}", share, share, money=False)


def _write_workloads(book: Book, plan: Plan) -> None:
    sheet = book.sheet(tr("Workloads"), (20, 20, 24, 16, 34, 14, 40, 14, 14, 14, 18, 14, 14, 14, 14, 14))
    sheet.heading(
        [
            tr("Workload"),
            tr("Layer"),
            tr("Model"),
            tr("Parameters"),
            tr("System"),
            tr("Accelerators"),
            tr("Layout"),
            tr("Step or token, seconds"),
            tr("Low"),
            tr("High"),
            tr("Memory of one chip, bytes"),
            tr("Starts"),
            tr("Done (50 %)"),
            tr("Done (80 %)"),
            tr("Done (95 %)"),
            tr("Deadline"),
        ]
    )
    for work in plan.recommended.workloads:
        seconds, low, high, memory = speed_of(work.training, work.serving)
        head: list[Value] = [
            work.id,
            word(work.layer),
            work.model_name,
            work.parameters,
            work.system_name,
            work.accelerators,
        ]
        ends = [work.finish_p50, work.finish_p80, work.finish_p95, work.target_month]
        sheet.row([*head, layout_words(work), seconds, low, high, memory, work.start_month, *ends])


def speed_of(training: Any, serving: Any) -> tuple[float | None, float | None, float | None, float | None]:
    """Read seconds with their band and bytes from whichever estimate there is."""
    if training is not None:
        return training.step_seconds, training.band.low, training.band.high, training.memory_bytes
    if serving is None:
        return None, None, None, None
    band = serving.bands.get("tpot_seconds")
    return serving.tpot_seconds, band.low if band else None, band.high if band else None, serving.memory_bytes


def _write_alternatives(book: Book, plan: Plan) -> None:
    sheet = book.sheet(tr("Alternatives"), (28, 20, 20, 14, 80))
    sheet.heading([tr("Plan"), tr("Cost"), tr("More than the plan"), tr("Done in"), tr("Why it lost")])
    sheet.row([word("recommended"), plan.recommended.cost, 0.0, plan.recommended.finish_month, ""])
    for other in plan.alternatives:
        option = other.option
        month = option.finish_month if option else ""
        sheet.row([word(other.name), option.cost if option else None, other.extra_cost, month, other.reason])
    sheet.skip()
    sheet.heading(
        [tr("What would change the plan"), tr("Now"), tr("The plan changes at"), tr("Unit"), tr("It becomes")]
    )
    for flip in plan.flips:
        sheet.row(
            [flip.quantity, flip.now, flip.flips_at, flip.unit, word(flip.becomes) if flip.becomes else numbers.ABSENT]
        )


def _with_addresses(plan: Plan) -> Table:
    made = tables.sources(plan)
    address = tables.Column(title=tr("Address"))
    rows = tuple((*row, tables.Cell(text=source.url)) for row, source in zip(made.rows, plan.sources, strict=True))
    return tables.Table(title=made.title, columns=(*made.columns, address), rows=rows)


def _write_table(book: Book, name: str, table: Table) -> None:
    sheet = book.sheet(name, (24, 60, 14, 24, 60))
    sheet.heading([column.title for column in table.columns])
    for row in table.rows:
        sheet.row([cell.text for cell in row])
