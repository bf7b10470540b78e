"""A table of texts, for the terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

Row = tuple[str, ...]


def rich_table(title: str, headings: Row, rows: Sequence[Row], texts: int = 1) -> object:
    """Return a table for the terminal; the first columns are texts, the others numbers."""
    from rich.table import Table

    table = Table(title=title)
    for place, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", justify="left" if place < texts else "right")
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(title: str, headings: Row, rows: Sequence[Row], texts: int = 1) -> str:
    """Return a table as Markdown, under its title."""
    rule = "|---" * texts + "|---:" * (len(headings) - texts) + "|"
    lines = [f"## {title}", "", f"| {' | '.join(headings)} |", rule]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
