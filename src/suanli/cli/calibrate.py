"""`suanli calibrate RUNS.csv ...`: figures of the training model fitted to measured runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from suanli.api.calibrate import CalibrationResult, MovedFigure, Summary, calibrate, holder_of
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.language import tr

Row = tuple[str, ...]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write the figures that moved to this file.", show_default=False)
]
LeaveOption = Annotated[str, typer.Option("--leave-out", help="What is left out together: run, source, family, none.")]
ScratchFlag = Annotated[bool, typer.Option("--from-scratch", help="Forget the shipped figures; fit the bands too.")]
MarkdownFlag = Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown, for documents.")]


@app.command("calibrate")
@guarded
def calibrate_command(
    runs: Annotated[list[Path], typer.Argument(help="Tables of measured training runs (CSV).")],
    out: OutOption = None,
    leave_out: LeaveOption = "source",
    from_scratch: ScratchFlag = False,
    markdown: MarkdownFlag = False,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Fit figures of the training model to measured runs; show what moved, and the errors on runs left out."""
    result = calibrate(runs, out, leave_out, from_scratch)
    if json_output:
        print_json(told(result))
    elif markdown:
        print("\n\n".join(_markdown(title, rows) for title, rows in tables(result)))
    else:
        show(result)


def told(result: CalibrationResult) -> dict[str, Any]:
    """Write a result under the keys that stay."""
    return {
        "figures": [_figure(one) for one in result.figures],
        "untouched": [f"{one.figure.name}: {holder_of(one.figure)}" for one in result.figures if not one.touched],
        "runs": result.runs,
        "errors": {"before": result.before, "after": result.after, "left_out": result.left_out},
        "errors_by_source": {
            "before": result.before_by_source,
            "after": result.after_by_source,
            "left_out": result.left_out_by_source,
        },
        "refused": result.refused,
        "written": result.written,
    }


def _figure(one: MovedFigure) -> dict[str, Any]:
    figure = one.figure
    return {
        "name": figure.name,
        "belongs_to": holder_of(figure),
        "unit": figure.unit,
        "meaning": figure.meaning,
        "before": one.before,
        "after": one.after,
        "width_before": figure.width,
        "width_after": one.width,
        "touched": one.touched,
    }


def tables(result: CalibrationResult) -> list[tuple[str, list[Row]]]:
    """Return the tables of an answer, each with its title and, as its first row, its headings."""
    made = [
        (tr("Figures that the runs moved"), _figure_rows(one for one in result.figures if one.touched)),
        (tr("Errors"), [_error_headings(tr("calibration")), *_whole_rows(result)]),
    ]
    if result.left_out is not None:
        by_source = [_cells(name, one) for name, one in result.left_out_by_source.items()]
        made.append((tr("Errors on sources that the fit did not see"), [_error_headings(tr("Source")), *by_source]))
    return made


def _figure_rows(figures: Iterable[MovedFigure]) -> list[Row]:
    headings = (tr("figure"), tr("of"), tr("unit"), tr("before"), tr("after"), tr("width left"))
    return [headings, *(_moved_row(one) for one in figures)]


def _moved_row(one: MovedFigure) -> Row:
    figure = one.figure
    share = f"{one.width / figure.width:.0%}"
    return figure.name, holder_of(figure), figure.unit, f"{one.before:.4g}", f"{one.after:.4g}", share


def _error_headings(what: str) -> Row:
    return what, tr("rows"), tr("median error"), tr("mean error"), tr("90th percentile"), tr("band holds")


def _whole_rows(result: CalibrationResult) -> list[Row]:
    named = ((tr("before"), result.before), (tr("after"), result.after), (tr("left out"), result.left_out))
    return [_cells(name, one) for name, one in named if one is not None]


def _cells(name: str, one: Summary) -> Row:
    shares = (one.median_abs_error, one.mape, one.p90_abs_error, one.band_coverage)
    return name, str(one.rows), *("" if share is None else f"{share:.1%}" for share in shares)


def show(result: CalibrationResult) -> None:
    """Print the tables, which figures no run touches, which runs were of no use, and what was written."""
    from rich.console import Console

    console = Console()
    for title, rows in tables(result):
        console.print(_table(title, rows))
    untouched = [f"{one.figure.name} ({holder_of(one.figure)})" for one in result.figures if not one.touched]
    if untouched:
        console.print(tr("No run depends on, so left as they were: {names}.", names="; ".join(untouched)), markup=False)
    reasons: dict[str, int] = {}
    for reason in result.refused.values():
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        console.print(tr("{count} runs not used: {reason}", count=count, reason=reason), markup=False)
    if result.written:
        console.print(tr("Written: {file}", file=result.written), markup=False)


def _table(title: str, rows: Sequence[Row]) -> object:
    from rich.table import Table

    table = Table(title=title)
    for place, heading in enumerate(rows[0]):
        text = not any(cell[:1].isdigit() for row in rows[1:] for cell in row[place : place + 1])
        table.add_column(heading, justify="left" if text else "right", overflow="fold")
    for row in rows[1:]:
        table.add_row(*row)
    return table


def _markdown(title: str, rows: Sequence[Row]) -> str:
    headings, *rest = rows
    lines = [f"## {title}", "", f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rest)])
