"""`suanli plan SCENARIO.yaml`: the main job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.language import tr


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Show on standard error what is being done; silent where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=1.0)

        def say(message: str, done: float) -> None:
            bar.update(task, description=message, completed=done)

        yield say


@app.command("plan")
@guarded
def plan(
    scenario: Annotated[Path, typer.Argument(help="The scenario file (YAML).")],
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one HTML file.")] = None,
    excel: Annotated[Path | None, typer.Option("--excel", help="Write a workbook with live formulas.")] = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """From a scenario and the market of its date to orders, rents, assignments, cash and power over months."""
    from suanli.api import plan as api

    with progress() as say:
        made = api.make_plan(scenario, say)
    if html is not None:
        api.write_page(made, html)
        print(tr("Report written: {path}", path=html), file=sys.stderr)
    if excel is not None:
        api.write_workbook(made, excel)
        print(tr("Workbook written: {path}", path=excel), file=sys.stderr)
    if json_output:
        print_json(api.plan_document(made))
    else:
        api.print_plan(made)
