"""`suanli simulate`: a training run played many times, with failures, checkpoints, repairs and spare nodes."""

from __future__ import annotations

from typing import Annotated

import typer

from suanli.api.simulate import PlayedRun, play_training
from suanli.api.train import TrainingQuestion
from suanli.api.wall_clock import RunQuestion
from suanli.cli.app import app
from suanli.cli.output import CalibrationOption, JsonFlag, LangOption, guarded, print_json
from suanli.cli.run_options import (
    CheckpointsOption,
    FailuresOption,
    RecoveryOption,
    SparesOption,
    StepsOption,
    TokensOption,
    causes_table,
    days,
)
from suanli.cli.train_options import (
    BatchOption,
    DateOption,
    FrameworkOption,
    ModelOption,
    NodesOption,
    PrecisionOption,
    SequenceOption,
    SystemOption,
)
from suanli.foundation.language import tr

RunsOption = Annotated[int, typer.Option("--runs", help="How often the run is played.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed plays the same runs.")]


@app.command("simulate")
@guarded
def simulate_command(
    model: ModelOption,
    system: SystemOption,
    nodes: NodesOption = 1,
    tokens: TokensOption = None,
    steps: StepsOption = None,
    seq_len: SequenceOption = None,
    global_batch: BatchOption = None,
    precision: PrecisionOption = "bf16",
    framework: FrameworkOption = "megatron",
    failures: FailuresOption = "middle",
    recovery: RecoveryOption = "automatic",
    checkpoints: CheckpointsOption = "asynchronous",
    spares: SparesOption = None,
    runs: RunsOption = 1000,
    seed: SeedOption = 0,
    software_date: DateOption = None,
    calibration: CalibrationOption = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Play a training run in its best layout, failures included: P50, P90 and P99 of its time (训练推演)."""
    question = TrainingQuestion(
        model=model, system=system, nodes=nodes, sequence_tokens=seq_len, global_batch=global_batch,
        precision=precision, framework=framework, software_date=software_date, calibration=calibration, keep=1,
    )  # fmt: skip
    run = RunQuestion(
        tokens=tokens, steps=steps, failures=failures, recovery=recovery, checkpoints=checkpoints, spares=spares
    )
    found = play_training(question, run, runs, seed)
    if json_output:
        print_json(found)
    else:
        show(found)


def show(found: PlayedRun) -> None:
    """Print the quantiles of the plays, what their time goes into, and how far the closed form is off."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=tr("{runs} plays of the run", runs=found.runs))
    for heading in ("", tr("days"), tr("stops")):
        table.add_column(heading, justify="right" if heading else "left")
    for name, quantile in (("P50", found.p50), ("P90", found.p90), ("P99", found.p99)):
        table.add_row(name, days(quantile.wall_seconds), f"{quantile.failures:,.0f}")
    console.print(table)
    console.print(causes_table(found.seconds_by_cause))
    off = found.mean_wall_seconds / found.predicted.wall_seconds - 1
    said = {"goodput": found.goodput, "mean": days(found.mean_wall_seconds), "off": off}
    console.print(tr("Mean {mean} days, {goodput:.1%} of it is work; {off:+.2%} against the closed form.", **said))
