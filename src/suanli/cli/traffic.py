"""`suanli traffic`: what traffic is like; read, generated or scaled, and written in our own form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suanli.api.traffic import LengthStatistics, TrafficQuestion, TrafficStatistics, describe_traffic, make_traffic
from suanli.api.words import seconds_said
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.cli.traffic_options import (
    GapOption,
    LikeFlag,
    RateOption,
    RequestsOption,
    SeedOption,
    SwingOption,
    SystemTokensOption,
    TurnsOption,
)
from suanli.foundation.language import tr

ThinkOption = Annotated[str, typer.Option("--think-time", help="Between an answer and the next turn: 30s.")]
ToolsOption = Annotated[
    int | None, typer.Option("--tools", help="Descriptions of tools that talks begin with one of.", show_default=False)
]
ToolTokensOption = Annotated[
    int | None, typer.Option("--tool-tokens", help="Tokens of one description of tools.", show_default=False)
]
FromOption = Annotated[str, typer.Option("--from", help="Keep what comes from this time on: 2h, 90min.")]
UntilOption = Annotated[str, typer.Option("--until", help="Keep what comes before this time.")]
ThinOption = Annotated[
    float | None, typer.Option("--thin-to", help="Keep so many requests a second, at random.", show_default=False)
]
CopiesOption = Annotated[int, typer.Option("--copies", help="Play every request so many times, spread over its gap.")]
StretchOption = Annotated[float, typer.Option("--stretch", help="Draw time out by this factor.")]
InputFactorOption = Annotated[float, typer.Option("--input-factor", help="Prompts so many times as long.")]
OutputFactorOption = Annotated[float, typer.Option("--output-factor", help="Answers so many times as long.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write the requests to this file, in our own form.", show_default=False)
]


@app.command("traffic")
@guarded
def traffic_command(
    traffic: Annotated[str, typer.Argument(help="A file of requests, or the name of traffic to generate.")],
    requests: RequestsOption = None,
    like: LikeFlag = False,
    rate: RateOption = None,
    gap_variation: GapOption = None,
    daily_swing: SwingOption = None,
    turns: TurnsOption = None,
    think_time: ThinkOption = "",
    system_tokens: SystemTokensOption = None,
    tools: ToolsOption = None,
    tool_tokens: ToolTokensOption = None,
    from_time: FromOption = "",
    until_time: UntilOption = "",
    thin_to: ThinOption = None,
    copies: CopiesOption = 1,
    stretch: StretchOption = 1.0,
    input_factor: InputFactorOption = 1.0,
    output_factor: OutputFactorOption = 1.0,
    seed: SeedOption = 0,
    out: OutOption = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Describe traffic: its rate, gaps, lengths, what prompts share. Or write it, generated, scaled or converted."""
    question = TrafficQuestion(
        traffic=traffic, requests=requests, seed=seed, like=like, rate_per_s=rate, gap_variation=gap_variation,
        daily_swing=daily_swing, turns=turns, think_seconds=seconds_said(think_time, "--think-time"),
        system_tokens=system_tokens, tools=tools, tool_tokens=tool_tokens,
        from_seconds=seconds_said(from_time, "--from"),
        until_seconds=seconds_said(until_time, "--until"), thin_to_per_s=thin_to, copies=copies, stretch=stretch,
        input_factor=input_factor, output_factor=output_factor,
    )  # fmt: skip
    if out is not None:
        written = make_traffic(question, out)
        question = TrafficQuestion(traffic=str(out))
    found = describe_traffic(question)
    if json_output:
        print_json(found)
        return
    _print(found)
    if out is not None:
        print(tr("{count} requests written to {path}.", count=f"{written:,}", path=out))


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
