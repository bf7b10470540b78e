"""`suanli catalogue`: what hardware, offers and sources are known, with every figure's origin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanli.api import catalogue as api
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, plain, print_json
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from rich.table import Table

FIGURES = ("memory_bytes", "memory_bytes_per_s", "power_watts")
LISTS = ("accelerators", "systems", "offers")
BIG = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
Overlays = Annotated[list[Path] | None, typer.Option("--with", help="Your own hardware or price files, laid over.")]

commands = typer.Typer(help="Hardware, offers and sources (硬件、报价与来源).", no_args_is_help=True)
app.add_typer(commands, name="catalogue")


@commands.command("list")
@guarded
def list_command(
    what: Annotated[str, typer.Argument(help="accelerators, systems or offers.")] = "accelerators",
    origin: Annotated[str, typer.Option("--origin", help="Country of the accelerator, such as CN or US.")] = "",
    vendor: Annotated[str, typer.Option("--vendor", help="Part of the vendor's name.")] = "",
    item: Annotated[str, typer.Option("--item", help="Offers of this accelerator or system alone.")] = "",
    overlays: Overlays = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """List accelerators, systems or offers (列出加速卡、整机或报价)."""
    if what not in LISTS:
        raise InputError.single(
            place="list", found=f"'{what}'", allowed=", ".join(LISTS), hint=did_you_mean(what, LISTS)
        )
    over = tuple(overlays or ())
    if what == "offers":
        found: Sequence[object] = api.offers(item, over)
    else:
        found = api.accelerators(origin, vendor, over) if what == "accelerators" else api.systems(origin, vendor, over)
    if json_output:
        print_json({what: found})
        return
    tables: dict[str, Callable[[Any], Table]] = {"accelerators": _accelerators, "systems": _systems, "offers": _offers}
    _print(tables[what](plain(found)))


@commands.command("show")
@guarded
def show_command(
    name: Annotated[str, typer.Argument(help="Id of an accelerator or system, what people call it, or a profile.")],
    overlays: Overlays = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Show every figure of one accelerator or system: unit, range, kind, source, date (显示全部数据及来源)."""
    item = api.show(name, tuple(overlays or ()))
    if json_output:
        print_json(item)
        return
    if isinstance(item, api.MeasuredMachine):
        _show_item(item.accelerator)
        _show_item(item.system)
        _show_measurement(item)
    else:
        _show_item(item)
    print(tr("* no range printed by the source: the range of its kind"))


def _show_item(item: api.Accelerator | api.System) -> None:
    said = plain(item)
    texts = {key: str(value) for key, value in said.items() if isinstance(value, (str, int)) and str(value)}
    heads = (tr("Figure"), tr("Value"), tr("Range"), tr("Kind"), tr("Source"), tr("Date"))
    table = _table(f"{item.id}: {item.name}", *heads)
    for figure_name, figure in api.figures(item):
        ends = f"{sized(figure.low, '')} … {sized(figure.high, '')}" + ("" if figure.range_given else " *")
        table.add_row(
            figure_name, sized(figure.value, figure.unit), ends, figure.kind.value, figure.source, figure.date
        )
    link = item.link
    texts["link"] = f"{link.name}: {link.topology.value}, {link.domain}"
    for key, text in texts.items():
        print(f"{key}: {text}")
    _print(table)


def _show_measurement(item: api.MeasuredMachine) -> None:
    told = item.measurement
    print(tr("measured {date} by: {command}", date=told.date, command=told.command))
    print(", ".join(f"{name} {value}" for name, value in told.versions.items()))
    for warning in told.warnings:
        print(tr("Warning: {warning}", warning=warning))
    table = _table(tr("Errors of the fits"), tr("Family"), tr("shapes"), tr("median"), "p90", tr("spread of repeats"))
    for name, one in told.families.items():
        table.add_row(name, str(one.rows), *(f"{share:.1%}" for share in (one.median_error, one.p90_error, one.spread)))
    _print(table)


@commands.command("check")
@guarded
def check_command(
    paths: Annotated[list[Path] | None, typer.Argument(help="Your own files or folders, laid over.")] = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Audit the built-in catalogue and your own files; every fault with file and line (检查数据)."""
    counted = api.check(tuple(paths or ()))
    if json_output:
        print_json(counted | {"faults": 0})
        return
    said = tr(
        "No fault in {accelerators} accelerators, {systems} systems, {offers} offers, {sources} sources.", **counted
    )
    print(said)


@commands.command("sources")
@guarded
def sources_command(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """List every source with its licence, and the credits that licences ask for (来源与致谢)."""
    if markdown:
        sys.stdout.write(api.sources_page())
        return
    found = api.sources()
    if json_output:
        print_json({"sources": found})
        return
    table = _table(tr("Sources"), tr("Key"), tr("Title"), tr("Date"), tr("Licence"))
    for source in found:
        table.add_row(source.key, source.title, source.date, source.licence)
    _print(table)


def sized(value: float, unit: str) -> str:
    """Write a number in SI with the prefix that keeps it short: 312 TFLOP/s."""
    scale, prefix = next(((scale, prefix) for scale, prefix in BIG if abs(value) >= scale), (1.0, ""))
    plain_number = unit in ("1", "m", "m**2", "s")
    if plain_number:
        scale, prefix = 1.0, ""
    return f"{value / scale:.4g} {prefix}{unit if unit != '1' else ''}".strip()


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console().print(table)


def _told(figure: Any) -> str:
    return "" if figure is None else sized(figure["value"], figure["unit"])


def _accelerators(rows: Any) -> Table:
    heads = (tr("Name"), tr("Origin"), tr("Released"), tr("Dense BF16"), tr("Memory"), tr("Bandwidth"), tr("Power"))
    table = _table(tr("Accelerators"), "id", *heads)
    for row in rows:
        peaks = row["peak_flop_per_s"]
        figures = (peaks.get("bf16") or peaks.get("fp16"), *(row[key] for key in FIGURES))
        table.add_row(*(row[key] for key in ("id", "name", "origin", "released")), *map(_told, figures))
    return table


def _systems(rows: Any) -> Table:
    heads = (tr("Kind"), tr("Released"), tr("Accelerators"), tr("Link"), tr("Network"), tr("Power"))
    table = _table(tr("Systems"), "id", *heads)
    for row in rows:
        figures = (row["link"]["bytes_per_s"], row["scale_out_bytes_per_s"], row["power_watts"])
        inside = f"{row['accelerators']} x {row['accelerator']['id']}"
        table.add_row(*(row[key] for key in ("id", "system_kind", "released")), inside, *map(_told, figures))
    return table


def _offers(rows: Any) -> Table:
    heads = (tr("Date"), tr("Item"), tr("Kind"), tr("Amount"), tr("Per"), tr("Region"), tr("Source"))
    table = _table(tr("Offers"), "id", *heads)
    for row in rows:
        amount = row["amount"]
        told = f"{amount['value']:,.10g} {amount['unit']}"
        texts = (row[key] for key in ("id", "date", "item", "raw_kind"))
        table.add_row(*texts, told, row["per"], row["region"], amount["source"])
    return table
