"""`suanli validate RUNS.csv`: predictions against measured runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from suanli.api.logs import compare_logs, is_log, is_text
from suanli.api.results import ResultQuestion, compare_results, is_result
from suanli.api.validate import Summary, ValidationResult, validate
from suanli.cli.app import app
from suanli.cli.logs import (
    LoggedFormatOption,
    LoggedFrameworkOption,
    LoggedNodesOption,
    MethodOption,
    NoSearchFlag,
    said_of,
    show_log,
)
from suanli.cli.output import CalibrationOption, JsonFlag, LangOption, guarded, print_json
from suanli.cli.replay import BudgetOption, SequencesOption
from suanli.cli.results import BoxOption, RanOption, SentOption, ServedOption, show_comparison
from suanli.cli.serve_options import (
    CacheOption,
    DataOption,
    ExpertOption,
    FlightOption,
    PipelineOption,
    TensorOption,
    VersionOption,
    WeightOption,
)
from suanli.cli.tables import Row, markdown_table, rich_table
from suanli.cli.train_options import (
    AttentionOption,
    BatchOption,
    ContextOption,
    DateOption,
    DocumentOption,
    InterleaveOption,
    MicroBatchOption,
    OffloadOption,
    OptimizerOption,
    RecomputeOption,
    ScheduleOption,
    SequenceOption,
    SequenceParallelOption,
    ShardingOption,
    ShardingRanksOption,
)
from suanli.cli.tuning_options import RankOption
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

GIGA = 1e9
ROW_KEYS = ("id", "quantity", "measured", "predicted", "low", "high", "error", "status")


@app.command("validate")
@guarded
def validate_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="A table of measured runs (CSV), result files of load generators, or the logs of one training run.",
            metavar="FILE...",
        ),
    ],
    model: ServedOption = "",
    system: BoxOption = "",
    engine: RanOption = "",
    engine_version: VersionOption = "",
    weight_format: WeightOption = "bf16",
    kv_format: CacheOption = "auto",
    tp: TensorOption = None,
    pp: PipelineOption = None,
    ep: ExpertOption = None,
    dp: DataOption = None,
    token_budget: BudgetOption = None,
    max_sequences: SequencesOption = None,
    concurrency: FlightOption = None,
    rate: SentOption = None,
    nodes: LoggedNodesOption = None,
    seq_len: SequenceOption = None,
    global_batch: BatchOption = None,
    micro_batch: MicroBatchOption = None,
    precision: LoggedFormatOption = None,
    framework: LoggedFrameworkOption = None,
    software_date: DateOption = None,
    cp: ContextOption = None,
    vp: InterleaveOption = None,
    recompute: RecomputeOption = None,
    sharding: ShardingOption = None,
    sharding_ranks: ShardingRanksOption = None,
    sequence_parallel: SequenceParallelOption = None,
    schedule: ScheduleOption = None,
    offload: OffloadOption = None,
    optimizer: OptimizerOption = None,
    attention: AttentionOption = None,
    document_tokens: DocumentOption = None,
    method: MethodOption = None,
    lora_rank: RankOption = None,
    no_search: NoSearchFlag = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown, for documents.")] = False,
    calibration: CalibrationOption = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Predict measured runs at their layouts and show the errors; load tests and training logs side by side.

    Logs of one training run, with its configuration and exports of its devices, are told by what they hold.
    """
    if any(is_log(file) for file in files) or (len(files) > 0 and all(is_text(file) for file in files)):
        said = said_of({
            "model": model, "system": system, "nodes": nodes, "sequence_tokens": seq_len, "global_batch": global_batch,
            "micro_batch": micro_batch, "precision": precision, "framework": framework, "tensor": tp, "pipeline": pp,
            "expert": ep, "data": dp, "context": cp, "interleave": vp, "recompute": recompute, "sharding": sharding,
            "sharding_ranks": sharding_ranks, "schedule": schedule, "offload": offload, "optimizer": optimizer,
            "attention": attention, "document_tokens": document_tokens, "method": method, "lora_rank": lora_rank,
            "software_date": software_date, "calibration": calibration,
        })  # fmt: skip
        if sequence_parallel is not None:
            said["sequence_parallel"] = sequence_parallel
        show_log(compare_logs(files, said, searched=not no_search), json_output, markdown)
        return
    if any(is_result(file) for file in files):
        compared = compare_results(
            files,
            ResultQuestion(
                model=model, system=system, weight_format=weight_format, kv_format=kv_format, engine=engine,
                engine_version=engine_version, tensor=tp or 1, pipeline=pp or 1, expert=ep or 1, attention_data=dp or 1,
                token_budget=token_budget, sequence_limit=max_sequences, concurrency=concurrency, rate_per_s=rate,
            ),
        )  # fmt: skip
        show_comparison(compared, json_output, markdown)
        return
    if len(files) > 1:
        raise InputError.single(place="FILE", found=tr("several tables"), allowed=tr("one table, or result files"))
    result = validate(files[0], calibration)
    if json_output:
        print_json(
            {
                "rows": [{key: getattr(row, key) for key in ROW_KEYS} for row in result.rows],
                "summary": result.summary,
                "fits": result.fits,
                "wrong_fits": result.wrong_fits,
            }
        )
        return
    if markdown:
        parts = [markdown_table(title, _headings(what), _error_rows(rows)) for title, rows, what in tables(result)]
        parts += [markdown_table(*table) for table in fit_tables(result)]
        print("\n\n".join(parts))
        return
    show(result)


Summaries = Mapping[tuple[str, str], Summary]


def tables(result: ValidationResult) -> tuple[tuple[str, Summaries, str], ...]:
    """Return the three tables of errors, each with its title and the heading of its first column."""
    whole = {(name, ""): one for name, one in result.summary.items()}
    return (
        (tr("By quantity"), whole, tr("Quantity")),
        (tr("By source"), result.by_source, tr("Source")),
        (tr("By accelerator"), result.by_accelerator, tr("Accelerator")),
    )


def fit_tables(result: ValidationResult) -> tuple[tuple[str, Row, list[Row]], ...]:
    """Return the tables of what fits, each with title, headings and rows: verdicts, and the runs told wrongly."""
    if result.fits is None:
        return ()
    one = result.fits
    counts: list[Row] = [
        (tr("ran, told to fit"), str(one.ran), str(one.ran_told_to_fit), _share(one.ran_told_to_fit, one.ran)),
        (
            tr("published out of memory, told so"),
            str(one.out_of_memory),
            str(one.out_of_memory_told_so),
            _share(one.out_of_memory_told_so, one.out_of_memory),
        ),
        (
            tr("ran, fits only with more computed again than the row tells"),
            str(one.ran),
            str(one.ran_with_recompute_assumed),
            _share(one.ran_with_recompute_assumed, one.ran),
        ),
    ]
    wrong: list[Row] = [
        (row.id, tr("ran") if row.ran else tr("out of memory"), f"{row.over_bytes / GIGA:+.1f}", row.source)
        for row in result.wrong_fits
    ]
    verdicts = (tr("Does it fit?"), (tr("runs"), tr("number"), tr("so many"), tr("share")), counts)
    if not wrong:
        return (verdicts,)
    headings = (tr("run"), tr("published"), tr("GB above the memory"), tr("Source"))
    return verdicts, (tr("Told wrongly whether they fit"), headings, wrong)


def show(result: ValidationResult) -> None:
    """Print the tables of errors and of what fits, and why rows have no prediction."""
    from rich.console import Console

    console = Console()
    for title, summaries, what in tables(result):
        console.print(rich_table(title, _headings(what), _error_rows(summaries)))
    for title, headings, rows in fit_tables(result):
        console.print(rich_table(title, headings, rows))
    reasons: dict[str, int] = {}
    for row in result.rows:
        if row.error is None:
            reasons[row.status] = reasons.get(row.status, 0) + 1
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        console.print(tr("{count} without a prediction: {reason}", count=count, reason=reason), markup=False)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _headings(what: str) -> Row:
    errors = (tr("median error"), tr("mean error"), tr("90th percentile"))
    return what, tr("rows"), tr("predicted"), *errors, tr("band holds")


def _cells(quantity: str, name: str, one: Summary) -> Row:
    shares = (one.median_abs_error, one.mape, one.p90_abs_error, one.band_coverage)
    said = f"{quantity} · {name}" if name else quantity
    return said, str(one.rows), str(one.predicted_rows), *(_percent(share) for share in shares)


def _share(part: int, whole: int) -> str:
    return _percent(part / whole) if whole else ""


def _error_rows(summaries: Summaries) -> list[Row]:
    return [_cells(quantity, name, one) for (quantity, name), one in summaries.items()]
