"""`suanli scaling`: with so much arithmetic, money, or so many chips until a deadline, what to train and on what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from suanli.api.scaling import Batch, ScalingAnswer, ScalingQuestion, scaling
from suanli.api.words import assumed_in_words, count_in_words
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.cli.run_options import FailuresOption, days
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from rich.table import Table

MILLION = 1e6
FlopOption = Annotated[float | None, typer.Option("--flop", help="Arithmetic of the training.", show_default=False)]
MoneyOption = Annotated[float | None, typer.Option("--money", help="Rent that may be spent.", show_default=False)]
CurrencyOption = Annotated[str, typer.Option("--currency", help="CNY, USD, EUR or JPY; default the region's.")]
SystemOption = Annotated[str, typer.Option("--system", help="System, accelerator or profile to train on.")]
NodesOption = Annotated[int | None, typer.Option("--nodes", help="How many systems there are.", show_default=False)]
DaysOption = Annotated[
    float | None, typer.Option("--deadline-days", "--days", help="Days until the end.", show_default=False)
]
ParametersOption = Annotated[float | None, typer.Option("--params", help="Fix the size.", show_default=False)]
TokensOption = Annotated[float | None, typer.Option("--tokens", help="Fix the text.", show_default=False)]
ServeOption = Annotated[
    float | None, typer.Option("--serve-tokens", help="Tokens to be served over its life.", show_default=False)
]
LawOption = Annotated[str, typer.Option("--law", help="Scaling law; default besiroglu_2024.")]
DateOption = Annotated[str, typer.Option("--as-of", help="Date of the rents: 2023-05-16, 2023-05, 2023.")]
RegionOption = Annotated[str, typer.Option("--region", help="China, US, Europe, world, or a city of theirs.")]


@app.command("scaling")
@guarded
def scaling_command(
    flop: FlopOption = None,
    money: MoneyOption = None,
    currency: CurrencyOption = "",
    system: SystemOption = "",
    nodes: NodesOption = None,
    deadline_days: DaysOption = None,
    params: ParametersOption = None,
    tokens: TokensOption = None,
    serve_tokens: ServeOption = None,
    law: LawOption = "",
    as_of: DateOption = "",
    region: RegionOption = "world",
    failures: FailuresOption = "middle",
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Say which model size, tokens and chips a budget is best spent on, and when more chips stop paying (规模定律)."""
    found = scaling(
        ScalingQuestion(
            flop=flop, money=money, currency=currency, system=system, nodes=nodes, days=deadline_days,
            parameters=params, tokens=tokens, serve_tokens=serve_tokens, law=law, as_of=as_of, region=region,
            failures=failures,
        )
    )  # fmt: skip
    if json_output:
        print_json(found)
    else:
        show(found)


def show(found: ScalingAnswer) -> None:
    """Print the split by law, the sizes, and what is advised."""
    from rich.console import Console

    console = Console()
    console.print(_laws(found))
    if found.sizes:
        console.print(_sizes(found))
    console.print("\n".join(_advice(found)), markup=False)
    if found.rent is not None:
        told = {"basis": found.rent.basis, "offers": len(found.rent.offers)}
        console.print(tr("Rents rest on {basis}, {offers} offers.", **told), markup=False)
    console.print("\n".join(assumed_in_words(found.assumed)), markup=False)


def _laws(found: ScalingAnswer) -> Table:
    from rich.table import Table

    table = Table(title=tr("{flop:.3g} FLOP by scaling law", flop=found.flop))
    table.add_column(tr("law"))
    for heading in (tr("parameters"), tr("tokens"), tr("loss"), tr("in the band")):
        table.add_column(heading, justify="right")
    for one in found.laws:
        loss = "" if one.loss_nats_per_token is None else f"{one.loss_nats_per_token:.3f}"
        counted = tr("yes") if one.in_band else tr("no")
        table.add_row(one.law, count_in_words(one.parameters), count_in_words(one.tokens), loss, counted)
    return table


def _sizes(found: ScalingAnswer) -> Table:
    from rich.table import Table

    cost = found.sizes[0].cost
    table = Table(title=tr("The run on {system}", system=found.sizes[0].system))
    headings = [
        tr("nodes"),
        tr("accelerators"),
        "MFU",
        tr("goodput"),
        tr("days, P50"),
        tr("days, P80"),
        tr("time saved"),
    ]
    headings += [] if cost is None else [tr("rent, million {currency}", currency=cost.currency)]
    for heading in headings:
        table.add_column(heading, justify="right")
    for size in found.sizes:
        wall = size.wall_clock
        saved = "" if size.gain is None else f"{size.gain:.0%}"
        row = [f"{size.nodes:,}", f"{size.accelerators:,}", f"{size.mfu:.1%}", f"{wall.goodput:.1%}",
               days(wall.p50_seconds), days(wall.p80_seconds), saved]  # fmt: skip
        table.add_row(*row, *([] if size.cost is None else [f"{size.cost.amount / MILLION:,.2f}"]))
    return table


def _advice(found: ScalingAnswer) -> list[str]:
    """Say in sentences what is advised."""
    told = {"law": found.law, "parameters": count_in_words(found.parameters),
            "tokens": count_in_words(found.tokens), "flop": found.flop,
            "loss": found.loss_nats_per_token or 0.0, "ratio": found.tokens_per_parameter}  # fmt: skip
    lines = [tr("By {law}: {parameters} parameters on {tokens} tokens ({ratio:.3g} a parameter).", **told)]
    if found.loss_nats_per_token is not None:
        lines.append(tr("Loss expected: {loss:.3f} nats a token of the law's own text.", **told))
    if spans := _spans(found):
        lines.append(tr("Over the laws in the band: {spans}.", spans="; ".join(spans)))
    if found.batch is not None:
        lines += _batch(found.batch)
    if found.serving is not None:
        saved = {"share": found.serving.saved_share, "total": found.serving.total_flop}
        said = tr("Serving counted in: {total:.3g} FLOP over its life, {share:.1%} less than the best split.", **saved)
        lines.append(said)
    return [*lines, *_chosen(found)]


def _batch(batch: Batch) -> list[str]:
    """Say how large a batch is taken, beyond which more is waste, and what DeepSeek found best at the budget."""
    tokens = {"batch": batch.batch_tokens, "critical": batch.critical_tokens, "low": batch.critical_low_tokens,
              "high": batch.critical_high_tokens, "best": batch.best_tokens}  # fmt: skip
    told = {name: count_in_words(value) for name, value in tokens.items()} | {"rate": f"{batch.best_learning_rate:.2g}"}
    return [
        tr("Global batch: {batch} tokens, critical {critical} ({low} to {high}).", **told),
        tr("DeepSeek's best at this budget: {best} tokens a batch, learning rate {rate}.", **told),
    ]


def _spans(found: ScalingAnswer) -> list[str]:
    """Say what the laws differ in; what was fixed does not differ."""
    names = {"parameters": tr("parameters"), "tokens": tr("tokens"), "loss_nats_per_token": tr("loss")}
    return [
        f"{names[name]} {count_in_words(band.low)} - {count_in_words(band.high)}"
        for name, band in found.band.items()
        if band.high > band.low
    ]


def _chosen(found: ScalingAnswer) -> list[str]:
    if found.chosen is None or found.stops_paying is None:
        return []
    wall = found.chosen.wall_clock
    told = {"nodes": found.chosen.nodes, "accelerators": found.chosen.accelerators, "p50": days(wall.p50_seconds),
            "p80": days(wall.p80_seconds), "system": found.chosen.system}  # fmt: skip
    lines = [tr("Advised: {nodes} x {system} ({accelerators} accelerators), {p50} days, P80 {p80}.", **told)]
    if found.chosen.cost is not None:
        money = {"amount": found.chosen.cost.amount, "currency": found.chosen.cost.currency}
        lines.append(tr("Rent until P80: {amount:,.0f} {currency}.", **money))
    stop = {"nodes": found.stops_paying.nodes}
    lines.append(
        tr("More than {nodes} nodes stop paying: twice as many save too little time.", **stop)
        if found.stops_paying.reason == "gain"
        else tr("More than {nodes} nodes find no work: the batch is all shared out.", **stop)
    )
    return lines
