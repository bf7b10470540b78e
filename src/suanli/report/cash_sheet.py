"""The sheet of cash: a row a month, live from the sheets of orders, rents and inputs, down to the present value."""

from __future__ import annotations

import math
from collections.abc import Mapping

from suanli.domain.plan import Option, Plan
from suanli.foundation.language import tr
from suanli.report.sheets import Book, Sheet, column_letters, equal
from suanli.report.tables import cash_by_month
from suanli.report.words import word

PURCHASE, RENT = "purchase", "rent"
"""Categories whose amounts follow from the sheets of orders and of rents."""


def write_cash(book: Book, plan: Plan, inputs: Sheet, orders: Sheet, rents: Sheet) -> None:
    """Write the cash of each month by category, its sum so far, and what it is worth today."""
    sums = cash_by_month(plan.recommended)
    sheet = book.sheet(tr("Cash"), (12, *[16 for _ in sums], 18, 18, 14, 18))
    titles = [word(category) for category in sums]
    sheet.heading([tr("Month"), *titles, tr("Total"), tr("Spent so far"), tr("Discount factor"), tr("Value today")])
    sheet.mark_first()
    live = {
        PURCHASE: (f"SUMPRODUCT(({orders.span(0)}={{A}})*{orders.span(6)})", _purchases(plan)),
        RENT: (f"SUMPRODUCT(({rents.span(0)}<={{A}})*({rents.span(1)}>={{A}})*{rents.span(8)})", _monthly_rents(plan)),
    }
    rate, offset = tuple(inputs.places.values())[:2]
    spent = 0.0
    growth = 1 + plan.discount_rate_per_year
    offset_months = payment_offset(plan)
    for index, month in enumerate(plan.months):
        sheet.row([month])
        for column, (category, months) in enumerate(sums.items(), start=1):
            _write_category(sheet, column, live.get(category), month, months.get(month, 0.0))
        total = math.fsum(months.get(month, 0.0) for months in sums.values())
        spent += total
        factor = growth ** (-(index + offset_months) / 12)
        _write_sums(sheet, len(sums), index, (total, spent, factor), (rate, offset))
    _write_totals(sheet, plan, len(sums))


def _write_category(
    sheet: Sheet, column: int, live: tuple[str, Mapping[str, float]] | None, month: str, value: float
) -> None:
    """Write one category of one month: a formula where it follows from another sheet, else its number."""
    if live is None:
        sheet.next -= 1
        sheet.put(column, float(value), sheet.book.money)
        sheet.next += 1
        return
    formula, amounts = live
    sheet.amount(column, formula, amounts.get(month, 0.0), value)


def _write_sums(
    sheet: Sheet, categories: int, index: int, values: tuple[float, float, float], cells: tuple[str, str]
) -> None:
    """Write a month's total, the sum so far, its discount factor and its value today."""
    total, spent, factor = values
    rate, offset = cells
    row = sheet.next
    end, total_at, spent_at, factor_at = (column_letters(categories + shift) for shift in range(4))
    book = sheet.book
    summed = f"=SUM(B{row}:{end}{row})" if categories else "=0"
    before = f"{spent_at}{row - 1}+" if index else ""
    sheet.raw.write_formula(row - 1, categories + 1, summed, book.money, total)
    sheet.raw.write_formula(row - 1, categories + 2, f"={before}{total_at}{row}", book.money, spent)
    told = f"=(1+{rate})^(-({index}+{offset})/12)"
    sheet.raw.write_formula(row - 1, categories + 3, told, None, factor)
    worth = f"={total_at}{row}*{factor_at}{row}"
    sheet.raw.write_formula(row - 1, categories + 4, worth, book.money, total * factor)


def _write_totals(sheet: Sheet, plan: Plan, categories: int) -> None:
    """Write the sums of all columns, then the plan's own cost and how far the sheet is from it."""
    sums = [math.fsum(months.values()) for months in cash_by_month(plan.recommended).values()]
    cash = math.fsum(sums)
    worth = present_value(plan, plan.recommended, payment_offset(plan))
    sheet.total(tr("Total"), [*range(1, categories + 2), categories + 4], [*sums, cash, worth])
    total_row = sheet.next
    sheet.skip()
    at = column_letters(categories + 4)
    best = plan.recommended.cost
    sheet.row([tr("Cost in today's money, by this sheet")], bold_first=True)
    sheet.raw.write_formula(sheet.next - 1, categories + 4, f"={at}{total_row}", sheet.book.total, worth)
    sheet.row([tr("Cost in today's money, by the plan")], bold_first=True)
    sheet.raw.write_number(sheet.next - 1, categories + 4, best, sheet.book.money)
    sheet.row([tr("Difference")], bold_first=True)
    sheet.raw.write_formula(
        sheet.next - 1, categories + 4, f"={at}{sheet.next - 2}-{at}{sheet.next - 1}", sheet.book.money, worth - best
    )
    sheet.skip()
    sheet.row([tr("A constant at the end of a formula is a payment that orders and rents do not show.")])


def payment_offset(plan: Plan) -> float:
    """Find how many months payments lie behind the start of their month, so that cash discounts to the plan's cost."""
    best = plan.recommended
    for offset in (0.0, 1 / 2, 1.0):
        if equal(present_value(plan, best, offset), best.cost):
            return offset
    return 0.0


def present_value(plan: Plan, option: Option, offset_months: float) -> float:
    """Discount an option's cash: sum of amount x (1 + rate)^-((month + offset) / 12)."""
    growth = 1 + plan.discount_rate_per_year
    place = {month: index for index, month in enumerate(plan.months)}
    return math.fsum(line.amount * growth ** (-(place.get(line.month, 0) + offset_months) / 12) for line in option.cash)


def _purchases(plan: Plan) -> dict[str, float]:
    """Sum what the sheet of orders shows by month of order."""
    sums: dict[str, float] = {}
    for order in plan.recommended.orders:
        sums[order.month] = sums.get(order.month, 0.0) + order.amount
    return sums


def _monthly_rents(plan: Plan) -> dict[str, float]:
    """Sum what the sheet of rents shows by month of use."""
    return {
        month: math.fsum(
            rent.systems * rent.price_per_system_month
            for rent in plan.recommended.rents
            if rent.first_month <= month <= rent.last_month
        )
        for month in plan.months
    }
