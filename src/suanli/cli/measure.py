"""`suanli measure`: this machine's own kernels, timed, fitted and written as a profile for `--system`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from suanli.api.measure import Measured, measure
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.language import tr

Row = tuple[str, ...]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write the profile to this YAML file.", show_default=False)
]
QuickFlag = Annotated[bool, typer.Option("--quick", help="Under a minute: fewer shapes, wider errors.")]
DeviceOption = Annotated[
    str, typer.Option("--device", help="cuda, rocm, npu, xpu, mps or cpu; default the best here.", show_default=False)
]
DtypesOption = Annotated[
    str, typer.Option("--dtypes", help="Number formats to time, by commas; default all.", show_default=False)
]
CollectivesFlag = Annotated[
    bool, typer.Option("--collectives", help="On a CPU time collectives too, between two processes.")
]
ForceFlag = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


@contextmanager
def progress() -> Iterator[Callable[[str, float, float], None]]:
    """Show on standard error what is timed and how long it takes still; silent where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=1.0, left="")

        def say(message: str, done: float, left_seconds: float) -> None:
            left = tr("{seconds:.0f} s left", seconds=left_seconds)
            bar.update(task, description=message, completed=done, left=left)

        yield say


@app.command("measure")
@guarded
def measure_command(
    out: OutOption = None,
    quick: QuickFlag = False,
    device: DeviceOption = "",
    dtypes: DtypesOption = "",
    collectives: CollectivesFlag = False,
    force: ForceFlag = False,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Time this machine's own kernels and write a profile that every command takes as --system."""
    with progress() as say:
        found = measure(
            out or "",
            quick=quick,
            device=device,
            dtypes=tuple(name.strip() for name in dtypes.split(",") if name.strip()),
            collectives=collectives,
            force=force,
            command=" ".join(["suanli", *sys.argv[1:]]),
            say=say,
        )
    for warning in found.machine.measurement.warnings:
        print(tr("Warning: {warning}", warning=warning), file=sys.stderr)
    if json_output:
        print_json(found)
        return
    show(found)


def sized(value: float, unit: str) -> str:
    """Write a rate with the prefix that keeps it short."""
    scales = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))
    scale, prefix = next(((scale, prefix) for scale, prefix in scales if value >= scale), (1.0, ""))
    return f"{value / scale:.4g} {prefix}{unit}"


def show(found: Measured) -> None:
    """Print what was reached, floors and links, and how well every family is fitted."""
    from rich.console import Console

    console = Console()
    machine, told = found.machine, found.machine.measurement
    versions = ", ".join(f"{name} {value}" for name, value in told.versions.items())
    console.print(f"{machine.accelerator.name}: {told.device}, {versions}", markup=False)
    console.print(_table(tr("Rates and floors"), rate_rows(found)))
    console.print(_table(tr("Errors of the fits, on the half of the shapes that they did not see"), error_rows(found)))
    if found.written:
        said = tr("Written: {file}; use it as --system {file} in any command.", file=found.written)
        console.print(said, markup=False)


def rate_rows(found: Measured) -> list[Row]:
    """Return the rates, floors and links, each beside the datasheet's figure where the product is known."""
    printed = {one.name: one for one in found.shares}

    def row(name: str, label: str, said: str, unit: str = "") -> Row:
        one = printed.get(name)
        return label, said, "" if one is None else f"{sized(one.printed, unit)} ({one.measured / one.printed:.0%})"

    rows: list[Row] = [(tr("Figure"), tr("Measured"), tr("Datasheet (share reached)"))]
    best = {one.name: one.measured for one in found.shares}
    for precision, figure in found.machine.accelerator.peak_flop_per_s.items():
        label = tr("best product in {format}", format=precision.value)
        if found.product and precision.value not in best:
            continue
        rows.append(row(precision.value, label, sized(best.get(precision.value, figure.value), "FLOP/s"), "FLOP/s"))
    rows.append(row("memory_bandwidth", tr("memory bandwidth"), sized(found.memory_bytes_per_s, "B/s"), "B/s"))
    for label, seconds in (
        (tr("shortest kernel"), found.floor_seconds),
        (tr("host, for one operator"), found.launch_seconds),
    ):
        rows.append((label, f"{seconds * 1e6:.3g} us", ""))
    for label, rate in (
        (tr("host to device"), found.host_to_device_bytes_per_s),
        (tr("device to host"), found.device_to_host_bytes_per_s),
        (tr("disk, written and flushed"), found.disk_write_bytes_per_s),
        (tr("disk, read"), found.disk_read_bytes_per_s),
    ):
        if rate is not None:
            rows.append((label, sized(rate, "B/s"), ""))
    return rows


def error_rows(found: Measured) -> list[Row]:
    """Return the errors of every family."""
    heads = (tr("Family"), tr("shapes"), tr("median"), "p90", tr("spread of repeats"))
    return [
        heads,
        *(
            (name, str(one.rows), f"{one.median_error:.1%}", f"{one.p90_error:.1%}", f"{one.spread:.1%}")
            for name, one in found.machine.measurement.families.items()
        ),
    ]


def _table(title: str, rows: Sequence[Row]) -> object:
    from rich.table import Table

    table = Table(title=title)
    for place, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    for row in rows[1:]:
        table.add_row(*row)
    return table
