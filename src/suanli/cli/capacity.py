"""`suanli capacity`: what a replica holds, what binds, and the smallest setting that holds what is wanted."""

from __future__ import annotations

from typing import Annotated

import typer

from suanli.api.capacity import Bound, CapacityAnswer, CapacityQuestion, Held, capacity
from suanli.api.engine_options import EngineOptions
from suanli.api.words import name_in_words, serving_layout_in_words
from suanli.cli.app import app
from suanli.cli.engine_options import USUAL, DraftTokensOption, takes_engine_options
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.cli.serve_options import (
    CacheOption,
    DataOption,
    EngineOption,
    ExpertOption,
    InputOption,
    ModelOption,
    OutputOption,
    PipelineOption,
    SystemOption,
    TensorOption,
    VersionOption,
    WeightOption,
)
from suanli.foundation.language import tr

MIB = 2**20
GIB = 2**30
UsersOption = Annotated[int, typer.Option("--users", help="Sequences to hold at once.")]
LengthOption = Annotated[
    int | None,
    typer.Option("--context", help="Tokens of each in the cache; default prompt and answer.", show_default=False),
]
NodesOption = Annotated[int, typer.Option("--nodes", help="Systems that one replica may span.")]


@app.command("capacity")
@guarded
@takes_engine_options(without=("eager", "overlap"))
def capacity_command(
    model: ModelOption,
    system: SystemOption,
    users: UsersOption = 1,
    context: LengthOption = None,
    input_tokens: InputOption = 1024.0,
    output_tokens: OutputOption = 256.0,
    nodes: NodesOption = 1,
    weight_format: WeightOption = "bf16",
    kv_format: CacheOption = "auto",
    engine: EngineOption = "vllm",
    engine_version: VersionOption = "",
    tp: TensorOption = None,
    pp: PipelineOption = None,
    ep: ExpertOption = None,
    dp: DataOption = None,
    draft_tokens: DraftTokensOption = 0,
    options: EngineOptions = USUAL,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Tell what fits: weights, cache blocks, users, the longest context; or find the smallest setting that does."""
    answer = capacity(
        CapacityQuestion(
            model=model, system=system, users=users, context_tokens=context, input_tokens=input_tokens,
            output_tokens=output_tokens, nodes=nodes, weight_format=weight_format, kv_format=kv_format, engine=engine,
            engine_version=engine_version, tensor=tp, pipeline=pp, expert=ep, attention_data=dp,
            draft_tokens=draft_tokens,
            options=options,
        )
    )  # fmt: skip
    print_json(answer) if json_output else show(answer)


def show(answer: CapacityAnswer) -> None:
    """Print an answer as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=tr("{model} on {system}", model=answer.model, system=answer.system), show_header=False)
    for name, value in facts(answer):
        table.add_row(name, value)
    console.print(table)
    console.print(_bound_words(answer))
    for change in answer.frees:
        console.print(
            tr(
                "With {change}: {sequences} such sequences, or {tokens} tokens each for the users asked for.",
                change=change.change, sequences=f"{change.sequences:,}", tokens=f"{change.longest_context_tokens:,}",
            )
        )  # fmt: skip
    if answer.smallest:
        console.print(_formats_table(answer))
    for assumed in answer.assumed:
        console.print(tr("Assumed: {what}", what=assumed))


def facts(answer: CapacityAnswer) -> list[tuple[str, str]]:
    """Return the rows of the table: what is told, and its value with its unit."""
    causes = sorted(answer.bytes_by_cause.items(), key=lambda cause: -cause[1])
    return [
        (tr("layout of a replica"), serving_layout_in_words(answer.layout)),
        (tr("accelerators"), str(answer.accelerators)),
        (tr("formats of weights and cache"), f"{answer.weight_format}, {answer.kv_format}"),
        (tr("memory of an accelerator"), f"{answer.memory_bytes / GIB:.1f} GiB"),
        *((name_in_words(cause), f"{held / GIB:.2f} GiB") for cause, held in causes),
        (
            tr("left for the cache"),
            tr(
                "{bytes} GiB: {blocks} blocks of {tokens} tokens ({each} MiB)",
                bytes=f"{answer.kv_pool_bytes / GIB:.2f}", blocks=f"{answer.kv_blocks:,}",
                tokens=answer.kv_block_tokens, each=f"{answer.kv_block_bytes / MIB:.3f}",
            ),
        ),
        (
            tr("sequences of {tokens} tokens", tokens=f"{answer.context_tokens:,}"),
            tr("{count} at once", count=f"{answer.sequences:,}"),
        ),
        (tr("requests of mean length"), tr("{count} at once", count=f"{answer.mean_sequences:,}")),
        (
            tr("longest context of {users} users", users=f"{answer.users:,}"),
            tr("{tokens} tokens", tokens=f"{answer.longest_context_tokens:,}"),
        ),
    ]  # fmt: skip


def _bound_words(answer: CapacityAnswer) -> str:
    """Say what keeps more from fitting."""
    return {
        Bound.WEIGHTS: tr("What binds: the weights leave next to nothing for a cache."),
        Bound.CACHE: tr("What binds: memory for the cache."),
        Bound.PLACES: tr("What binds: the requests that the engine admits at once."),
        Bound.POSITIONS: tr("What binds: the model's longest context."),
    }[answer.binds]


def _formats_table(answer: CapacityAnswer) -> object:
    """Make the table of the smallest setting of every format."""
    from rich.table import Table

    table = Table(
        title=tr(
            "Smallest settings that hold {users} x {tokens} tokens", users=f"{answer.users:,}",
            tokens=f"{answer.context_tokens:,}",
        )
    )  # fmt: skip
    for heading in (
        tr("weights"),
        tr("cache"),
        tr("accelerators"),
        tr("layout"),
        tr("sequences"),
        tr("longest context"),
    ):
        table.add_column(heading)
    for held in answer.smallest:
        table.add_row(*_row(held))
    return table


def _row(held: Held) -> tuple[str, ...]:
    return (
        held.weight_format, held.kv_format, str(held.layout.accelerators), serving_layout_in_words(held.layout),
        f"{held.sequences:,}", f"{held.longest_tokens:,}",
    )  # fmt: skip
