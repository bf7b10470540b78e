"""Measured and predicted values of result files side by side, as `suanli validate` prints them."""

from __future__ import annotations

from typing import Annotated

import typer

from suanli.api.results import ComparedValue, Comparison
from suanli.cli.output import print_json
from suanli.cli.tables import Row, markdown_table, rich_table
from suanli.foundation.language import tr

ServedOption = Annotated[str, typer.Option("--model", help="Model that served, or was trained; files mostly tell it.")]
BoxOption = Annotated[str, typer.Option("--system", help="System, accelerator or profile that served or trained.")]
RanOption = Annotated[str, typer.Option("--engine", help="Engine that served: vllm, sglang, trt-llm ...")]
SentOption = Annotated[
    float | None,
    typer.Option("--rate", help="Requests per second, where a result file does not tell.", show_default=False),
]
MILLI = 1000
TEXTS = 3
SECONDS = "seconds"


def show_comparison(compared: Comparison, json_output: bool, markdown: bool) -> None:
    """Print a comparison as one JSON document, as Markdown or as a table, with what was assumed."""
    if json_output:
        print_json(compared)
        return
    headings = (
        tr("run"), tr("quantity"), tr("statistic"), tr("measured"), tr("predicted"), tr("80 % band"), tr("error"),
    )  # fmt: skip
    rows = [_row(row) for row in compared.rows]
    title = tr("Measured and predicted")
    if markdown:
        print(markdown_table(title, headings, rows, TEXTS))
    else:
        from rich.console import Console

        Console().print(rich_table(title, headings, rows, TEXTS))
    for row in {row.status: row for row in compared.rows if row.error is None}.values():
        count = sum(other.status == row.status for other in compared.rows)
        print(tr("{count} without a prediction: {reason}", count=count, reason=row.status))
    for assumed in compared.assumed:
        print(tr("Assumed: {what}", what=assumed))


def _row(row: ComparedValue) -> Row:
    names = {
        "ttft_seconds": tr("time to the first token"),
        "tpot_seconds": tr("time between tokens, by request"),
        "itl_seconds": tr("time between tokens, by token"),
        "finish_seconds": tr("whole request"),
        "requests_per_s": tr("requests per second"),
        "output_tokens_per_s": tr("output tokens per second"),
        "total_tokens_per_s": tr("tokens per second"),
    }
    seconds = row.quantity.endswith(SECONDS)
    band = "" if row.low is None or row.high is None else f"{_told(row.low, seconds)} - {_told(row.high, seconds)}"
    word = tr("mean") if row.statistic == "mean" else row.statistic.upper()
    predicted = "" if row.predicted is None else _told(row.predicted, seconds)
    error = "" if row.error is None else f"{row.error:+.1%}"
    return row.run, names[row.quantity], word, _told(row.measured, seconds), predicted, band, error


def _told(value: float, seconds: bool) -> str:
    """Write a time in ms or s, or a rate."""
    if not seconds:
        return f"{value:,.4g}" if value < MILLI else f"{value:,.0f}"
    return f"{value:,.2f} s" if value >= 1 else f"{value * MILLI:,.1f} ms"
