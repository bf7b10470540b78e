"""A plan told in a terminal: the decision first, then tables and bars that fit any width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from suanli.domain.plan import Plan
from suanli.foundation.language import tr
from suanli.report import numbers, story, tables
from suanli.report.tables import Cell, Table
from suanli.report.words import word

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

COLUMN_COLUMNS = 11
"""A table is told as one block for each row where a column of it would have less than this of the terminal."""
WIDEST_COLUMNS = 160
"""Bars grow no longer on a wider terminal."""
AMOUNT_COLUMNS, LABEL_COLUMNS, LEAST_BAR_COLUMNS = 15, 36, 4
"""Room for an amount, for months and amount beside a bar, and the shortest bar of the greatest month."""
CELLS_OF_BAR = " ▏▎▍▌▋▊▉█"
"""A terminal's cell filled by none to eight eighths."""


def print_plan(plan: Plan, console: Console) -> None:
    """Print a plan: what to do, what it costs and when it is done; then all that it rests on."""
    _head(plan, console)
    for table in (tables.orders(plan), tables.rents(plan), tables.workloads(plan)):
        _print_table(table, console)
    _print_cash(plan, console)
    _print_power(plan, console)
    for table in (tables.alternatives(plan), tables.flips(plan)):
        _print_table(table, console)
    _print_solver(plan, console)
    _print_table(tables.assumed(plan), console)
    _print_unknown(plan, console)
    _print_table(tables.sources(plan), console)


def clean(text: str) -> str:
    """Leave out control and direction marks, which could rewrite what stands on the screen."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _say(console: Console, text: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(clean(text), style=style))


def _heading(console: Console, text: str) -> None:
    console.print()
    _say(console, text, "bold")


def _head(plan: Plan, console: Console) -> None:
    as_of = tr("as of {date}", date=plan.as_of)
    _say(console, f"{plan.title} · {as_of} · {word(plan.region)}", "dim")
    _say(console, story.decision(plan), "bold cyan")
    console.print()
    width = max((_width(fact.label) for fact in story.facts(plan)), default=0)
    for fact in story.facts(plan):
        gap = " " * (width - _width(fact.label))
        _say(console, f"  {fact.label}{gap}  {fact.value}" + (f"  ({fact.note})" if fact.note else ""))
    _heading(console, tr("What to do, month by month"))
    for step in story.steps(plan):
        _say(console, f"  {step.month}  {step.text}")


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _print_table(table: Table, console: Console) -> None:
    _heading(console, table.title)
    if not table.rows:
        _say(console, f"  {table.empty}", "dim")
    elif console.width < COLUMN_COLUMNS * len(table.columns):
        _print_blocks(table, console)
    else:
        _print_grid(table, console)


def _print_grid(table: Table, console: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for column in table.columns:
        grid.add_column(Text(column.title), justify="right" if column.numeric else "left", overflow="fold")
    for row in table.rows:
        cells: list[RenderableType] = [_rich(cell) for cell in row]
        grid.add_row(*cells)
    console.print(grid)


def _rich(cell: Cell) -> RenderableType:
    from rich.text import Text

    text = Text(clean(cell.brief or cell.text))
    return text.append(f"\n{clean(cell.note)}", style="dim") if cell.note else text


def _print_blocks(table: Table, console: Console) -> None:
    for row in table.rows:
        for index, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            text = cell.brief or cell.text
            said = f"{text} ({cell.note})" if cell.note else text
            _say(console, f"{'- ' if index == 0 else '  '}{column.title}: {said}")


def bar(share: float, columns: int) -> str:
    """Draw a share of one as a bar of at most so many terminal cells, to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * columns * (len(CELLS_OF_BAR) - 1))
    whole, part = divmod(eighths, len(CELLS_OF_BAR) - 1)
    return CELLS_OF_BAR[-1] * whole + (CELLS_OF_BAR[part] if part else "")


def _bar_columns(console: Console) -> int:
    return max(LEAST_BAR_COLUMNS, min(console.width, WIDEST_COLUMNS) - LABEL_COLUMNS)


def _print_cash(plan: Plan, console: Console) -> None:
    sums = dict.fromkeys(plan.months, 0.0)
    for line in plan.recommended.cash:
        sums[line.month] = sums.get(line.month, 0.0) + line.amount
    greatest = max((abs(amount) for amount in sums.values()), default=0.0)
    if greatest == 0:
        return
    _heading(console, tr("Cash each month"))
    for first, last, amount in spans(sums):
        drawn = bar(abs(amount) / greatest, _bar_columns(console))
        _say(console, f"{_months(first, last)}{_right(numbers.money(amount, plan.currency))}  {drawn}", _style(amount))
    total = numbers.money(sum(sums.values()), plan.currency)
    _say(console, "  " + tr("In all {total}.", total=total), "dim")
    shares = [
        f"{word(category)} {numbers.money(sum(months.values()), plan.currency)}"
        for category, months in tables.cash_by_month(plan.recommended).items()
    ]
    _say(console, "  " + " · ".join(shares), "dim")


def spans(amounts: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Join months in a row that have the same amount: first month, last month, the amount of each."""
    joined: list[tuple[str, str, float]] = []
    for month, amount in amounts.items():
        if joined and joined[-1][2] == amount:
            joined[-1] = (joined[-1][0], month, amount)
        else:
            joined.append((month, month, amount))
    return joined


def _months(first: str, last: str) -> str:
    return f"  {first}         " if first == last else f"  {first}–{last} "


def _style(amount: float) -> str:
    return "green" if amount < 0 else ""


def _right(text: str) -> str:
    """Set a text flush right in the room of an amount."""
    return " " * max(0, AMOUNT_COLUMNS - _width(text)) + text


def _print_power(plan: Plan, console: Console) -> None:
    use = plan.recommended.power
    limits = [month.limit_watts for month in use if month.limit_watts is not None]
    greatest = max([*(month.watts for month in use), *limits], default=0.0)
    if greatest <= 0:
        return
    _heading(console, tr("Power at the meter"))
    for first, last, watts in spans({month.month: month.watts for month in use}):
        drawn = bar(watts / greatest, _bar_columns(console))
        _say(console, f"{_months(first, last)}{_right(numbers.watts(watts))}  {drawn}")
    if limits:
        _say(console, "  " + tr("The site allows {limit}.", limit=numbers.watts(min(limits))), "dim")


def _print_solver(plan: Plan, console: Console) -> None:
    solver = plan.recommended.solver
    _heading(console, tr("How sure this is"))
    status = word(solver.status)
    gap = numbers.percent(solver.gap)
    said = tr("Solver: {status}; {gap} between this plan and the bound that no plan can beat.", status=status, gap=gap)
    _say(console, f"  {said}")


def _print_unknown(plan: Plan, console: Console) -> None:
    _heading(console, tr("Not known"))
    for text in plan.unknown or (tr("Nothing that the plan asked for was missing."),):
        _say(console, f"  - {text}")
