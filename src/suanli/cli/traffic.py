"""`suanli traffic`: what a trace of requests is like: rate, spread of gaps, lengths, shared beginnings."""

from __future__ import annotations

from typing import Annotated

import typer

from suanli.api.traffic import LengthStatistics, TrafficStatistics, describe_traffic
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.cli.serve_options import RequestsOption, SeedOption
from suanli.foundation.language import tr


@app.command("traffic")
@guarded
def traffic_command(
    traffic: Annotated[str, typer.Argument(help="A file of requests, or the name of traffic to generate.")],
    requests: RequestsOption = None,
    seed: SeedOption = 0,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Describe traffic: its rate, how uneven arrivals are, how long prompts and answers, what prompts share."""
    found = describe_traffic(traffic, requests, seed)
    if json_output:
        print_json(found)
        return
    _print(found)


def _print(found: TrafficStatistics) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=tr("{count} requests", count=f"{found.requests:,}"))
    for heading in (tr("Tokens"), tr("mean"), "P50", "P90", "P99", tr("most"), tr("variation, fitted")):
        table.add_column(heading, justify="left" if heading == tr("Tokens") else "right")
    table.add_row(tr("prompt"), *_row(found.inputs))
    table.add_row(tr("answer"), *_row(found.outputs))
    console.print(table)
    rate, uneven = f"{found.requests_per_s:,.3g}", f"{found.gap_variation:.2f}"
    console.print(
        tr("{rate} requests a second; coefficient of variation of the gaps {uneven}.", rate=rate, uneven=uneven)
    )
    if found.busiest_hour_per_s:
        console.print(tr("Busiest hour: {rate} requests a second.", rate=f"{found.busiest_hour_per_s:,.3g}"))
    if found.blocks:
        share = f"{found.endless_hit_share:.1%}"
        console.print(tr("{share} of prompt blocks begin as earlier prompts did.", share=share))


def _row(found: LengthStatistics) -> tuple[str, ...]:
    lengths = (found.mean, found.p50, found.p90, found.p99, found.most)
    return (*(f"{value:,.0f}" for value in lengths), f"{found.fitted_variation:.2f}")
