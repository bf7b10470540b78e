"""`suanli market`: what was known and offered at a date, nothing later."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanli.api.market import Market, MarketLine, market
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from rich.table import Table

WEEK_SECONDS = 604800.0
"""Seven days of 86,400 s."""
WORLD = "world"
SCALES = ((1e6, " M"), (1e3, " k"))
SHOWN_OFFERS = 40
"""How many offers the terminal shows; --json has all."""


@app.command("market")
@guarded
def market_command(
    as_of: Annotated[str, typer.Option("--as-of", help="A day, month or year: 2023-05-16, 2023-05, 2023.")],
    region: Annotated[str, typer.Option("--region", help="China, US, Europe, world, or a city of theirs.")] = "world",
    item: Annotated[str, typer.Option("--item", help="One system or accelerator, by id or by name.")] = "",
    currency: Annotated[str, typer.Option("--currency", help="CNY, USD, EUR or JPY; default the region's.")] = "",
    overlays: Annotated[list[Path] | None, typer.Option("--with", help="Your own price files, laid over.")] = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Show what was known and offered at a date: prices, rents, waits, export rules (某日市场)."""
    found = market(as_of, region, item, currency, tuple(overlays or ()))
    if found.part_of_world == WORLD and region.strip().lower() != WORLD:
        print(tr("No market of '{region}' is known: this is the whole world's.", region=region), file=sys.stderr)
    if json_output:
        print_json(found)
        return
    _show(found)


def _show(found: Market) -> None:
    from rich.console import Console

    console = Console()
    console.print(_systems(found))
    for line in found.systems if len(found.systems) == 1 else ():
        _explain(line)
    console.print(_offers(found))
    hidden = len(found.offers) - SHOWN_OFFERS
    if hidden > 0:
        print(tr("{count} more offers were known; --json lists all.", count=hidden))
    print(tr("~ estimated: no offer of this system itself was known in the region."))


def _explain(line: MarketLine) -> None:
    print(tr("Access: {access}, {reason}", access=line.availability.access.value, reason=line.availability.reason))
    print(tr("Wait: {basis}", basis=line.lead_time.basis))
    if line.purchase is not None:
        print(tr("Price: {basis}", basis=line.purchase.basis))
    if line.rent_month is not None:
        print(tr("Rent: {basis}", basis=line.rent_month.basis))


def _ranged(figure: Figure, estimated: bool) -> str:
    """Write a sum of money with its range, in thousands or millions where it is large."""
    mark = "~" if estimated else ""
    scale, word = next(((scale, word) for scale, word in SCALES if figure.value >= scale), (1.0, ""))
    low, middle, high = (f"{end / scale:.4g}" for end in (figure.low, figure.value, figure.high))
    return f"{mark}{middle}{word}\n({low} … {high})"


def _systems(found: Market) -> Table:
    from rich.table import Table

    title = tr("Systems as of {as_of} in {region}, {currency}", as_of=found.as_of, region=found.region,
               currency=found.currency)  # fmt: skip
    table = Table(title=title)
    for column in (tr("System"), tr("Access"), tr("To buy, each"), tr("A month"), tr("Wait, weeks"),
                   tr("Rent, accelerator-hour"), tr("Reserved")):  # fmt: skip
        table.add_column(column, overflow="fold")
    for line in found.systems:
        bought, wait = line.purchase, line.lead_time.seconds
        rents = [
            "" if rent is None else _ranged(rent.price_per_accelerator_hour, rent.estimated)
            for rent in (line.rent_month, line.rent_reserved)
        ]
        table.add_row(
            line.system_id,
            line.availability.access.value,
            "" if bought is None else _ranged(bought.price, bought.estimated),
            "" if bought is None else f"{bought.trend_per_month.value:+.1%}",
            f"{wait.value / WEEK_SECONDS:.0f} ({wait.low / WEEK_SECONDS:.0f} … {wait.high / WEEK_SECONDS:.0f})",
            *rents,
        )
    return table


def _offers(found: Market) -> Table:
    from rich.table import Table

    table = Table(title=tr("Offers known then, newest first"))
    for column in ("id", tr("Date"), tr("Item"), tr("Kind"), tr("Amount"), tr("Per"), tr("Region"), tr("Source")):
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for known in found.offers[:SHOWN_OFFERS]:
        offer, amount = known.offer, known.offer.amount
        scale, unit = (WEEK_SECONDS, tr("weeks")) if amount.unit == "s" else (1.0, amount.unit)
        low, middle, high = (f"{end / scale:,.10g}" for end in (amount.low, amount.value, amount.high))
        ends = f"{low} … {high}" if amount.range_given else middle
        place = offer.region if known.own_region else tr("{region} (world)", region=offer.region or "?")
        table.add_row(offer.id, offer.date, offer.item, offer.raw_kind, f"{ends} {unit}", offer.per, place,
                      amount.source)  # fmt: skip
    return table
