"""`suanli train`: one layout's step, or the best layouts of a cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from suanli.api.compare import ComparisonQuestion, compare
from suanli.api.run_cost import MarketQuestion, RunCost, today, train_priced
from suanli.api.trace import WrittenTrace, check_trace_path, write_trace
from suanli.api.train import MemoryPeak, TrainingEstimate, TrainingQuestion, TrainingSearch, over_a_limit
from suanli.api.wall_clock import RunQuestion, WallClock
from suanli.api.words import layout_in_words, name_in_words
from suanli.cli.app import app
from suanli.cli.compare import tell_comparison
from suanli.cli.output import CalibrationOption, JsonFlag, LangOption, guarded, print_json
from suanli.cli.rejected import limit_words, rejected_table, searched_keys
from suanli.cli.run_options import (
    CheckpointsOption,
    FailuresOption,
    RecoveryOption,
    SparesOption,
    StepsOption,
    TokensOption,
    tell_cost,
    tell_run,
)
from suanli.cli.train_options import (
    AsOfOption,
    AttentionOption,
    BalancedOption,
    BatchOption,
    CapacityOption,
    ContextOption,
    CurrencyOption,
    DataOption,
    DateOption,
    DocumentOption,
    ExchangeOption,
    ExpertOption,
    FrameworkOption,
    InterleaveOption,
    KeepOption,
    MicroBatchOption,
    ModelOption,
    OffloadOption,
    OptimizerOption,
    PipelineOption,
    PrecisionOption,
    RecomputeOption,
    RegionOption,
    ScheduleOption,
    SearchFlag,
    SequenceOption,
    SequenceParallelOption,
    ShardingOption,
    ShardingRanksOption,
    SizesOption,
    SplitTensorFlag,
    SystemsOption,
    TensorOption,
    TraceOption,
)
from suanli.foundation.language import tr

GIB = 2**30
MEGA = 1e6
WORTH_SAYING = 1e-2
"""A play of the step that differs from the estimate by more than this share is pointed out."""


@app.command("train")
@guarded
def train_command(
    model: ModelOption,
    system: SystemsOption,
    nodes: SizesOption = None,
    seq_len: SequenceOption = None,
    global_batch: BatchOption = None,
    precision: PrecisionOption = "bf16",
    framework: FrameworkOption = "megatron",
    tp: TensorOption = None,
    pp: PipelineOption = None,
    dp: DataOption = None,
    cp: ContextOption = None,
    ep: ExpertOption = None,
    vp: InterleaveOption = None,
    micro_batch: MicroBatchOption = None,
    recompute: RecomputeOption = None,
    sharding: ShardingOption = None,
    sharding_ranks: ShardingRanksOption = None,
    sequence_parallel: SequenceParallelOption = None,
    schedule: ScheduleOption = None,
    offload: OffloadOption = None,
    optimizer: OptimizerOption = None,
    attention: AttentionOption = None,
    capacity: CapacityOption = None,
    balanced_experts: BalancedOption = False,
    split_tensor: SplitTensorFlag = False,
    context_exchange: ExchangeOption = None,
    document_tokens: DocumentOption = None,
    search: SearchFlag = False,
    keep: KeepOption = 20,
    software_date: DateOption = None,
    calibration: CalibrationOption = None,
    trace: TraceOption = None,
    tokens: TokensOption = None,
    steps: StepsOption = None,
    failures: FailuresOption = "middle",
    recovery: RecoveryOption = "automatic",
    checkpoints: CheckpointsOption = "asynchronous",
    spares: SparesOption = None,
    as_of: AsOfOption = "",
    region: RegionOption = "world",
    currency: CurrencyOption = "USD",
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Estimate a training step: seconds and memory by cause, with the 80 % band.

    A layout that is given and does not fit is told all the same, and ends in exit code 3. Several systems or node
    counts are answered by a comparison of the best layout of each; given --tokens or --steps, the whole run is told.
    """
    sizes = tuple(dict.fromkeys(nodes or [1]))
    question = TrainingQuestion(
        model=model, system=system[0], nodes=sizes[0], sequence_tokens=seq_len, global_batch=global_batch,
        precision=precision, framework=framework, tensor=tp, pipeline=pp, data=dp, context=cp, expert=ep,
        interleave=vp, micro_batch=micro_batch, recompute=recompute, sharding=sharding, search=search, keep=keep,
        software_date=software_date, calibration=calibration, schedule=schedule, offload=offload, optimizer=optimizer,
        sharding_ranks=sharding_ranks, sequence_parallel=sequence_parallel, attention=attention, capacity=capacity,
        balanced_experts=balanced_experts,
        split_tensor=split_tensor, context_exchange=context_exchange, document_tokens=document_tokens,
    )  # fmt: skip
    if trace is not None:
        check_trace_path(trace)
    systems = tuple(dict.fromkeys(system))
    run = RunQuestion(
        tokens=tokens, steps=steps, failures=failures, recovery=recovery, checkpoints=checkpoints, spares=spares
    )
    market = MarketQuestion(as_of=as_of or today(), region=region, currency=currency)
    if len(systems) * len(sizes) > 1:
        asked = ComparisonQuestion(
            job=question, systems=systems, nodes=sizes, run=run, market=market, traced=trace is not None
        )
        tell_comparison(compare(asked), json_output)
        return
    found, whole, cost = train_priced(question, run, market)
    refused = over_a_limit(found)
    written = write_trace(question, found.estimates[0], trace) if trace is not None and refused is None else None
    tell_search(found, json_output, whole, cost)
    if written is not None:
        tell_trace(written)
    if refused is not None:
        raise refused


def tell_trace(written: WrittenTrace) -> None:
    """Say on standard error where a trace is and what is special about it."""
    told = {"path": written.path, "megabytes": written.size_bytes / MEGA, "seconds": written.step_seconds}
    lines = [tr("Trace of one step of {seconds:.3g} s: {path} ({megabytes:.1f} MB)", **told)]
    if written.drawn < written.turns:
        counts = {"turns": written.turns, "drawn": written.drawn}
        lines.append(tr("Of {turns} turns the first and the last are drawn, {drawn} in all.", **counts))
    if abs(written.difference) > WORTH_SAYING:
        told = {"share": written.difference}
        lines.append(tr("Played turn by turn the step takes {share:+.1%} against the estimate.", **told))
    print("\n".join(lines), file=sys.stderr)


def told(estimate: TrainingEstimate) -> dict[str, Any]:
    """Write an estimate under the keys that stay."""
    return {
        "step_seconds": estimate.step_seconds,
        "tokens_per_s": estimate.tokens_per_s,
        "mfu": estimate.mfu,
        "memory_bytes": estimate.memory_bytes,
        "capacity_bytes": estimate.capacity_bytes,
        "host_memory_bytes": estimate.host_memory_bytes,
        "breakdown": {"seconds": estimate.seconds_by_cause, "bytes": estimate.bytes_by_cause},
        "layout": estimate.layout,
        "band": estimate.band,
        "memory_band": estimate.memory_band,
        "limit": estimate.limit,
        "expected_step_seconds": estimate.expected_step_seconds,
        "near_tie": estimate.near_tie,
        "assumed": estimate.assumed,
    }


def tell_search(
    found: TrainingSearch, json_output: bool, whole: WallClock | None = None, cost: RunCost | None = None
) -> None:
    """Print the best estimate, of a search the others and why some were rejected, and the whole run if asked for."""
    best = found.estimates[0]
    if json_output:
        print_json(search_keys(found, whole, cost))
        return
    from rich.console import Console

    console = Console()
    console.print(_layouts(list(found.estimates)))
    console.print(_causes(best))
    if found.rejected is not None:
        nearest = found.rejected.nearest
        console.print(rejected_table(found, found.rejected, layout_in_words(nearest) if nearest else ""))
    if found.memory_peak is not None:
        console.print(peak_in_words(found.memory_peak), markup=False)
    if best.host_memory_bytes:
        gib = best.host_memory_bytes / GIB
        console.print(tr("Kept in the host's memory: {gib:.1f} GiB an accelerator", gib=gib), markup=False)
    if best.limit:
        console.print(
            tr("This layout breaks a limit: {limit}", limit=limit_words().get(best.limit, best.limit)), markup=False
        )
    for one in found.relief:
        words = {"layout": in_words(one), "seconds": one.step_seconds, "gib": one.memory_bytes / GIB}
        console.print(tr("It would fit as {layout}: {seconds:.3g} s, {gib:.1f} GiB", **words), markup=False)
    for said in best.assumed:
        console.print(tr("Assumed: {said}", said=said), markup=False)
    if whole is not None:
        tell_run(whole)
    if cost is not None:
        tell_cost(cost)


def search_keys(found: TrainingSearch, whole: WallClock | None, cost: RunCost | None) -> dict[str, Any]:
    """Write a whole answer under the keys that stay."""
    best, rest = found.estimates[0], found.estimates[1:]
    return {
        **told(best),
        "memory_peak": found.memory_peak,
        **({"wall_clock": whole, "run_cost": cost} if whole is not None else {}),
        "alternatives": [told(estimate) for estimate in rest],
        "relief": [told(estimate) for estimate in found.relief],
        **({"short_bytes": found.short_bytes, "advice": found.advice} if best.limit else {}),
        **({} if found.rejected is None else searched_keys(found, found.rejected)),
    }


def peak_in_words(peak: MemoryPeak) -> str:
    """Say where and when a step is fullest, of what, and how full the stages are."""
    said = ", ".join(f"{name_in_words(cause)} {size / GIB:.1f}" for cause, size in _largest(peak.bytes_by_cause))
    told = {"gib": peak.memory_bytes / GIB, "seconds": peak.moment_seconds, "causes": said}
    if len(peak.stage_bytes) == 1:
        return tr("Fullest after {seconds:.3g} s of a step: {gib:.1f} GiB ({causes})", **told)
    least, most = min(peak.stage_bytes) / GIB, max(peak.stage_bytes) / GIB
    words = {**told, "stage": peak.stage, "stages": len(peak.stage_bytes), "least": least, "most": most}
    return tr(
        "Fullest is stage {stage} of {stages}, after {seconds:.3g} s of a step: {gib:.1f} GiB ({causes}); "
        "stages hold {least:.1f} to {most:.1f} GiB",
        **words,
    )


def _layouts(estimates: list[TrainingEstimate]) -> object:
    from rich.table import Table

    searched = estimates[0].expected_step_seconds is not None
    ties = tr("~: so near the best that it may well be the faster") if any(one.near_tie for one in estimates) else None
    table = Table(title=tr("Training layouts"), caption=ties)
    table.add_column(tr("layout"))
    headings = [tr("step, s"), tr("80 % band"), tr("tokens/s"), "MFU", "GiB"]
    for heading in (*headings[:1], tr("expected, s"), *headings[1:]) if searched else headings:
        table.add_column(heading, justify="right")
    for one in estimates:
        table.add_row(
            f"{in_words(one)} ~" if one.near_tie else in_words(one),
            f"{one.step_seconds:.3g}",
            *([f"{one.expected_step_seconds:.3g}"] if one.expected_step_seconds is not None else []),
            f"{one.band.low:.3g}-{one.band.high:.3g}",
            f"{one.tokens_per_s:,.0f}",
            f"{one.mfu:.1%}",
            f"{one.memory_bytes / GIB:.1f}",
        )
    return table


def in_words(estimate: TrainingEstimate) -> str:
    """Say an estimate's layout in a few words."""
    return layout_in_words(estimate.layout)


def _causes(estimate: TrainingEstimate) -> object:
    from rich.table import Table

    table = Table(title=tr("What the best layout's step and memory are spent on"))
    for heading in (tr("seconds by cause"), "s", "%", tr("bytes by cause"), "GiB"):
        table.add_column(heading, justify="left" if " " in heading else "right")
    seconds = _largest(estimate.seconds_by_cause)
    held = _largest(estimate.bytes_by_cause)
    for row in range(max(len(seconds), len(held))):
        cause, spent = seconds[row] if row < len(seconds) else ("", 0.0)
        kind, size = held[row] if row < len(held) else ("", 0.0)
        share = spent / estimate.step_seconds
        table.add_row(
            name_in_words(cause), f"{spent:.4f}" if cause else "", f"{share:.1%}" if cause else "", name_in_words(kind),
            f"{size / GIB:.2f}" if kind else "",
        )  # fmt: skip
    return table


def _largest(causes: Mapping[str, float]) -> list[tuple[str, float]]:
    """Sort what is not nothing, the largest first."""
    return sorted(((cause, amount) for cause, amount in causes.items() if amount > 0), key=lambda item: -item[1])
