"""`suanli validate RUNS.csv`: predictions against measured runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from suanli.api.validate import Summary, ValidationResult, validate
from suanli.cli.app import app
from suanli.cli.output import CalibrationOption, JsonFlag, LangOption, guarded, print_json
from suanli.foundation.language import tr

ROW_KEYS = ("id", "quantity", "measured", "predicted", "low", "high", "error", "status")


@app.command("validate")
@guarded
def validate_command(
    runs: Annotated[Path, typer.Argument(help="Table of measured runs (CSV, columns of the published tables).")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown, for documents.")] = False,
    calibration: CalibrationOption = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Predict measured runs at their layouts and show the errors by quantity, source and accelerator."""
    result = validate(runs, calibration)
    if json_output:
        print_json(
            {
                "rows": [{key: getattr(row, key) for key in ROW_KEYS} for row in result.rows],
                "summary": result.summary,
            }
        )
        return
    if markdown:
        print("\n\n".join(_markdown(title, summaries, what) for title, summaries, what in tables(result)))
        return
    show(result)


Summaries = Mapping[tuple[str, str], Summary]


def tables(result: ValidationResult) -> tuple[tuple[str, Summaries, str], ...]:
    """Return the three tables of errors, each with its title and the heading of its first column."""
    whole = {(name, ""): one for name, one in result.summary.items()}
    return (
        (tr("By quantity"), whole, tr("Quantity")),
        (tr("By source"), result.by_source, tr("Source")),
        (tr("By accelerator"), result.by_accelerator, tr("Accelerator")),
    )


def show(result: ValidationResult) -> None:
    """Print the three tables of errors, and why rows have no prediction."""
    from rich.console import Console

    console = Console()
    for title, summaries, what in tables(result):
        console.print(_table(title, summaries, what))
    reasons: dict[str, int] = {}
    for row in result.rows:
        if row.error is None:
            reasons[row.status] = reasons.get(row.status, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        console.print(tr("{count} without a prediction: {reason}", count=count, reason=reason), markup=False)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _headings(what: str) -> tuple[str, ...]:
    errors = (tr("median error"), tr("mean error"), tr("90th percentile"))
    return what, tr("rows"), tr("predicted"), *errors, tr("band holds")


def _cells(quantity: str, name: str, one: Summary) -> tuple[str, ...]:
    shares = (one.median_abs_error, one.mape, one.p90_abs_error, one.band_coverage)
    said = f"{quantity} · {name}" if name else quantity
    return said, str(one.rows), str(one.predicted_rows), *(_percent(share) for share in shares)


def _table(title: str, summaries: Summaries, what: str) -> object:
    from rich.table import Table

    table = Table(title=title)
    first, *rest = _headings(what)
    table.add_column(first, overflow="fold")
    for heading in rest:
        table.add_column(heading, justify="right")
    for (quantity, name), one in summaries.items():
        table.add_row(*_cells(quantity, name, one))
    return table


def _markdown(title: str, summaries: Summaries, what: str) -> str:
    headings = _headings(what)
    lines = [f"## {title}", "", f"| {' | '.join(headings)} |", "|---" + "|---:" * (len(headings) - 1) + "|"]
    lines += [f"| {' | '.join(_cells(quantity, name, one))} |" for (quantity, name), one in summaries.items()]
    return "\n".join(lines)
