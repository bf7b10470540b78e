"""Options of a training step, which more than one command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = "A config.json, its folder, or a packaged model's name."
ModelOption = Annotated[str, typer.Option("--model", help=MODEL_HELP)]
SystemOption = Annotated[str, typer.Option("--system", help="System or accelerator, or a profile (YAML).")]
NodesOption = Annotated[int, typer.Option("--nodes", help="How many systems the job spans.")]
SequenceOption = Annotated[int | None, typer.Option("--seq-len", help="Tokens of a sequence.", show_default=False)]
BatchOption = Annotated[int | None, typer.Option("--global-batch", help="Sequences in a step.", show_default=False)]
PrecisionOption = Annotated[str, typer.Option("--precision", help="Number format of the matrix products.")]
FrameworkOption = Annotated[str, typer.Option("--framework", help="Framework, or its class.")]
DateOption = Annotated[
    str | None, typer.Option("--software-date", help="Of when the framework is: 2026-03.", show_default=False)
]
TensorOption = Annotated[int | None, typer.Option("--tp", help="Tensor degree.", show_default=False)]
PipelineOption = Annotated[int | None, typer.Option("--pp", help="Pipeline stages.", show_default=False)]
DataOption = Annotated[int | None, typer.Option("--dp", help="Replicas.", show_default=False)]
ContextOption = Annotated[int | None, typer.Option("--cp", help="Parts of a sequence.", show_default=False)]
ExpertOption = Annotated[int | None, typer.Option("--ep", help="Ranks that share out experts.", show_default=False)]
InterleaveOption = Annotated[int | None, typer.Option("--vp", help="Chunks a stage.", show_default=False)]
MicroBatchOption = Annotated[int | None, typer.Option("--micro-batch", help="Sequences at once.", show_default=False)]
RecomputeOption = Annotated[str | None, typer.Option("--recompute", help="none, selective, full.", show_default=False)]
ShardingOption = Annotated[
    str | None, typer.Option("--sharding", help="none, optimizer, gradients, full.", show_default=False)
]
ShardingRanksOption = Annotated[
    int | None,
    typer.Option("--sharding-ranks", help="Ranks of a sharding group; fewer than all: HSDP.", show_default=False),
]
SequenceParallelOption = Annotated[
    bool | None,
    typer.Option(
        "--sequence-parallel/--no-sequence-parallel",
        help="Whether tensor ranks share out what they do not split.",
        show_default=False,
    ),
]
AttentionOption = Annotated[
    str | None, typer.Option("--attention", help="Kernel of attention: flash, unfused.", show_default=False)
]
CapacityOption = Annotated[
    float | None,
    typer.Option("--capacity", help="Room of an expert, in even shares of the tokens.", show_default=False),
]
BalancedOption = Annotated[bool, typer.Option("--balanced-experts", help="Spread tokens evenly over experts by force.")]
ScheduleOption = Annotated[
    str | None,
    typer.Option("--schedule", help="gpipe, 1f1b, zb-h1, zb-h2, zb-v, dualpipe; any in a search.", show_default=False),
]
OffloadOption = Annotated[
    str | None,
    typer.Option("--offload", help="On the host: none, optimizer, activations, both.", show_default=False),
]
SplitTensorFlag = Annotated[
    bool,
    typer.Option("--split-tensor", help="Run tensor ranks' products piece by piece beside traffic (async TP, MC2)."),
]
ExchangeOption = Annotated[
    str | None,
    typer.Option("--context-exchange", help="Between context ranks: ring, ulysses.", show_default=False),
]
DocumentOption = Annotated[
    int | None,
    typer.Option("--document-tokens", help="Mean tokens of documents packed into a sequence.", show_default=False),
]
OptimizerOption = Annotated[
    str | None,
    typer.Option("--optimizer", help="adamw, adamw-8bit, muon, adafactor, lion, sgd.", show_default=False),
]
SystemsOption = Annotated[
    list[str], typer.Option("--system", help="System, accelerator or profile; may be given again.")
]
SizesOption = Annotated[
    list[int] | None, typer.Option("--nodes", help="How many systems (1); may be given again.", show_default=False)
]
AsOfOption = Annotated[str, typer.Option("--as-of", help="Date of the rents; today unless said.", show_default=False)]
RegionOption = Annotated[str, typer.Option("--region", help="Market of the rents.")]
CurrencyOption = Annotated[str, typer.Option("--currency", help="CNY, USD, EUR or JPY.")]
SearchFlag = Annotated[bool, typer.Option("--search", help="Find the best layouts.")]
KeepOption = Annotated[int, typer.Option("--keep", help="How many layouts a search returns.")]
TraceOption = Annotated[
    Path | None,
    typer.Option("--trace", help="Write one step of the best layout as a Chrome trace.", show_default=False),
]
