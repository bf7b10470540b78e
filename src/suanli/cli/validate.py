"""`suanli validate RUNS.csv`: predictions against measured runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from suanli.api.validate import Summary, ValidationResult, validate
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.language import tr

ROW_KEYS = ("id", "quantity", "measured", "predicted", "low", "high", "error", "status")


@app.command("validate")
@guarded
def validate_command(
    runs: Annotated[Path, typer.Argument(help="Table of measured runs (CSV, columns of the published tables).")],
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Predict measured runs at their layouts and show the errors by quantity, source and accelerator."""
    result = validate(runs)
    if json_output:
        print_json(
            {
                "rows": [{key: getattr(row, key) for key in ROW_KEYS} for row in result.rows],
                "summary": result.summary,
            }
        )
        return
    show(result)


def show(result: ValidationResult) -> None:
    """Print the three tables of errors, and why rows have no prediction."""
    from rich.console import Console

    console = Console()
    console.print(_table(tr("By quantity"), {(name, ""): one for name, one in result.summary.items()}, tr("Quantity")))
    console.print(_table(tr("By source"), result.by_source, tr("Source")))
    console.print(_table(tr("By accelerator"), result.by_accelerator, tr("Accelerator")))
    reasons: dict[str, int] = {}
    for row in result.rows:
        if row.error is None:
            reasons[row.status] = reasons.get(row.status, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        console.print(tr("{count} without a prediction: {reason}", count=count, reason=reason), markup=False)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _table(title: str, summaries: Mapping[tuple[str, str], Summary], what: str) -> object:
    from rich.table import Table

    table = Table(title=title)
    table.add_column(what, overflow="fold")
    errors = (tr("median error"), tr("mean error"), tr("90th percentile"))
    for heading in (tr("rows"), tr("predicted"), *errors, tr("band holds")):
        table.add_column(heading, justify="right")
    for (quantity, name), one in summaries.items():
        table.add_row(
            f"{quantity} · {name}" if name else quantity,
            str(one.rows),
            str(one.predicted_rows),
            _percent(one.median_abs_error),
            _percent(one.mape),
            _percent(one.p90_abs_error),
            _percent(one.band_coverage),
        )
    return table
