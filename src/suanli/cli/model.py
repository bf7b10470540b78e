"""`suanli model`: what a model is, from its config.json or its name."""

from __future__ import annotations

from typing import Annotated

import typer

from suanli.api.model import DEFAULT_BATCH, DEFAULT_SEQUENCE_TOKENS, ModelAnswer, describe_model, list_models
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

ModelArgument = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A config.json, its folder, or a packaged model's name.")
]
SequenceOption = Annotated[int, typer.Option("--seq-len", help="Tokens of a sequence.")]
BatchOption = Annotated[int, typer.Option("--batch", help="Sequences in a pass.")]
KvOption = Annotated[
    str | None, typer.Option("--kv-format", help="Number format of the cache: bf16, fp8, ...", show_default=False)
]
ListFlag = Annotated[bool, typer.Option("--list", help="Only name the packaged models.")]

GIGA = 1e9
KILO = 1e3
TERA = 1e12


@app.command("model")
@guarded
def model_command(
    config: ModelArgument = "",
    seq_len: SequenceOption = DEFAULT_SEQUENCE_TOKENS,
    batch: BatchOption = DEFAULT_BATCH,
    kv_format: KvOption = None,
    list_known: ListFlag = False,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Tell what a model is: exact parameters, operations of a pass, cache and weight bytes."""
    if list_known:
        names = list_models()
        print_json({"models": names}) if json_output else print("\n".join(names))
        return
    if not config:
        raise InputError.single(
            place="CONFIG",
            found=tr("nothing"),
            allowed=tr("a config.json, its folder, or a packaged model's name (see --list)"),
        )
    answer = describe_model(config, seq_len, batch, kv_format)
    print_json(answer) if json_output else show(answer)


def facts(answer: ModelAnswer) -> list[tuple[str, str]]:
    """Return the rows of the table: what is told, and its value with its unit."""
    rows = [
        (tr("Family"), answer.family),
        (tr("Parameters"), f"{answer.parameters:,}  ({answer.parameters / GIGA:,.2f} B)"),
        (tr("Active for a token"), f"{answer.active_parameters:,}  ({answer.active_parameters / GIGA:,.2f} B)"),
        (tr("Layers, width, vocabulary"), f"{answer.layers}, {answer.hidden:,}, {answer.vocabulary:,}"),
        (tr("Weights as stored"), f"{answer.weight_bytes / GIGA:,.1f} GB  ({answer.quantisation or answer.dtype})"),
        (tr("Cache for a token"), f"{answer.kv_bytes_per_token:,.0f} B  ({answer.kv_format})"),
        (
            tr("Cache for {tokens} tokens", tokens=f"{answer.sequence_tokens:,}"),
            f"{answer.kv_bytes_per_sequence / GIGA:,.3f} GB",
        ),
        (
            tr("Forward pass"),
            tr(
                "{flop} TFLOP; {causal} TFLOP under the causal mask  ({batch} x {tokens} tokens)",
                flop=f"{answer.forward_flop / TERA:,.2f}",
                causal=f"{answer.causal_forward_flop / TERA:,.2f}",
                batch=answer.batch,
                tokens=f"{answer.sequence_tokens:,}",
            ),
        ),
    ]
    if answer.draft_parameters:
        rows.insert(3, (tr("Draft layers, beside these"), f"{answer.draft_parameters:,}"))
    if answer.state_bytes_per_sequence:
        rows.append((tr("State for a sequence"), f"{answer.state_bytes_per_sequence / GIGA:,.3f} GB"))
    if answer.source:
        rows.append((tr("Source"), answer.source))
    return rows


def show(answer: ModelAnswer) -> None:
    """Print the answer as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=answer.name, show_header=False)
    for name, value in facts(answer):
        table.add_row(name, value)
    console.print(table)
    layers = Table(title=tr("Layers"))
    for heading in (tr("kind"), tr("layers"), tr("parameters each"), tr("cached a token"), tr("window"), tr("experts")):
        layers.add_column(heading)
    for layer in answer.layer_kinds:
        experts = f"{layer.experts_per_token} / {layer.experts}" if layer.experts else "-"
        window = f"{layer.window_tokens:,}" if layer.window_tokens else "-"
        cached = f"{layer.cached_elements_per_token:,g}"
        layers.add_row(layer.name, str(layer.count), f"{layer.parameters:,}", cached, window, experts)
    console.print(layers)
    for note in answer.notes:
        console.print(tr("Note: {note}", note=note))
