"""`suanli replay`: traffic through an engine, every step played; latencies by percentile, goodput, fullness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from suanli.api.engine_options import EngineOptions
from suanli.api.replay import Quantiles, ReplayQuestion, TrafficResult, replay, write_requests
from suanli.api.trace import check_trace_path
from suanli.api.words import seconds_said
from suanli.cli.app import app
from suanli.cli.engine_options import USUAL, DraftTokensOption, takes_engine_options
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.cli.serve_options import (
    CacheOption,
    DataOption,
    EngineOption,
    ExpertOption,
    ModelOption,
    PipelineOption,
    SystemOption,
    TensorOption,
    TpotOption,
    TtftOption,
    VersionOption,
    WeightOption,
)
from suanli.cli.traffic_options import (
    GapOption,
    LikeFlag,
    RateOption,
    RequestsOption,
    SeedOption,
    SwingOption,
    SystemTokensOption,
    TrafficOption,
    TurnsOption,
)
from suanli.foundation.language import tr

MILLI = 1000
HOUR_SECONDS = 3600
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        "--concurrency", help="Requests on their way at most: the next is sent when one ends.", show_default=False
    ),
]
BudgetOption = Annotated[
    int | None,
    typer.Option("--token-budget", help="Tokens of a step; the engine's own if not given.", show_default=False),
]
SequencesOption = Annotated[
    int | None,
    typer.Option(
        "--max-sequences", help="Requests at once on a replica; the engine's own if not given.", show_default=False
    ),
]
ReplicasOption = Annotated[int, typer.Option("--replicas", help="Replicas that work from the start.")]
MostOption = Annotated[
    int | None, typer.Option("--max-replicas", help="Replicas at most, as requests come.", show_default=False)
]
FlightOption = Annotated[
    float | None,
    typer.Option("--flight", help="Requests in flight that ask for one replica each.", show_default=False),
]
StartOption = Annotated[str, typer.Option("--start-time", help="How long a new replica takes to come: 2min.")]
IdleOption = Annotated[str, typer.Option("--idle-time", help="How long one too many stays: 5min.")]
RoutingOption = Annotated[str, typer.Option("--routing", help="round-robin, least-loaded, prefix.")]
SwapFlag = Annotated[bool, typer.Option("--swap", help="Preempted requests wait on the host, not to be computed anew.")]
DecodeOption = Annotated[int, typer.Option("--decode-replicas", help="Replicas that only decode; others only prefill.")]
DecodeTensorOption = Annotated[
    int | None, typer.Option("--decode-tp", help="Tensor degree of those that decode.", show_default=False)
]

RequestTraceOption = Annotated[
    Path | None, typer.Option("--trace", help="Write requests as a trace for Perfetto.", show_default=False)
]


@app.command("replay")
@guarded
@takes_engine_options()
def replay_command(
    model: ModelOption,
    system: SystemOption,
    traffic: TrafficOption,
    requests: RequestsOption = None,
    like: LikeFlag = False,
    rate: RateOption = None,
    concurrency: ConcurrencyOption = None,
    gap_variation: GapOption = None,
    daily_swing: SwingOption = None,
    turns: TurnsOption = None,
    system_tokens: SystemTokensOption = None,
    seed: SeedOption = 0,
    weight_format: WeightOption = "bf16",
    kv_format: CacheOption = "auto",
    engine: EngineOption = "vllm",
    engine_version: VersionOption = "",
    token_budget: BudgetOption = None,
    max_sequences: SequencesOption = None,
    tp: TensorOption = None,
    pp: PipelineOption = None,
    ep: ExpertOption = None,
    dp: DataOption = None,
    replicas: ReplicasOption = 1,
    max_replicas: MostOption = None,
    flight: FlightOption = None,
    start_time: StartOption = "2min",
    idle_time: IdleOption = "5min",
    routing: RoutingOption = "least-loaded",
    swap: SwapFlag = False,
    decode_replicas: DecodeOption = 0,
    decode_tp: DecodeTensorOption = None,
    draft_tokens: DraftTokensOption = 0,
    options: EngineOptions = USUAL,
    ttft: TtftOption = "",
    tpot: TpotOption = "",
    trace: RequestTraceOption = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Replay requests through replicas of an engine, step by step: latencies by percentile, goodput, fullness."""
    question = ReplayQuestion(
        model=model, system=system, traffic=traffic, requests=requests, rate_per_s=rate, like=like,
        concurrency=concurrency, gap_variation=gap_variation, daily_swing=daily_swing, turns=turns,
        system_tokens=system_tokens, seed=seed, weight_format=weight_format, kv_format=kv_format, engine=engine,
        engine_version=engine_version, token_budget=token_budget, sequence_limit=max_sequences, tensor=tp or 1,
        pipeline=pp or 1, expert=ep or 1, attention_data=dp or 1, replicas=replicas, most_replicas=max_replicas,
        flight=flight,
        start_seconds=seconds_said(start_time, "--start-time") or 0.0,
        idle_seconds=seconds_said(idle_time, "--idle-time") or 0.0, routing=routing, swap=swap,
        decode_replicas=decode_replicas, decode_tensor=decode_tp,
        ttft_limit_seconds=seconds_said(ttft, "--ttft"), tpot_limit_seconds=seconds_said(tpot, "--tpot"),
        draft_tokens=draft_tokens,
        options=options,
    )  # fmt: skip
    if trace is not None:
        check_trace_path(trace)
    result = replay(question)
    if trace is not None:
        write_requests(result, trace)
    if json_output:
        print_json(told(result))
        return
    _print(result, targets=bool(ttft or tpot))


def told(result: TrafficResult) -> dict[str, Any]:
    """Write a result as a document: everything but the requests one by one."""
    latencies = {
        "ttft_seconds": result.ttft, "tpot_seconds": result.tpot, "itl_seconds": result.itl,
        "finish_seconds": result.finish, "queue_seconds": result.queue,
    }  # fmt: skip
    plain = (
        "requests", "completed", "refused", "preempted", "span_seconds", "prompt_tokens", "computed_tokens",
        "output_tokens", "hit_share", "requests_per_s", "output_tokens_per_s", "good_share", "goodput_per_s",
        "busy_share", "replica_seconds", "replicas", "steps", "assumed",
    )  # fmt: skip
    names = ("seconds", "running", "waiting", "cache_share")
    samples = [dict(zip(names, row, strict=True)) for row in result.samples.tolist()]
    return {**{name: getattr(result, name) for name in plain}, **latencies, "samples": samples}


def _print(result: TrafficResult, targets: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=tr("{count} requests", count=f"{result.requests:,}"))
    for heading in (tr("Latency"), tr("mean"), "P50", "P90", "P95", "P99"):
        table.add_column(heading, justify="left" if heading == tr("Latency") else "right")
    for name, found in (
        (tr("time to the first token"), result.ttft),
        (tr("time between tokens, by request"), result.tpot),
        (tr("time between tokens, by token"), result.itl),
        (tr("whole request"), result.finish),
        (tr("wait in the queue"), result.queue),
    ):
        table.add_row(name, *_row(found))
    console.print(table)
    rate, tokens = _rate(result.requests_per_s), f"{result.output_tokens_per_s:,.0f}"
    console.print(tr("{rate} requests and {tokens} tokens a second.", rate=rate, tokens=tokens))
    if targets:
        good, goodput = f"{result.good_share:.1%}", _rate(result.goodput_per_s)
        console.print(tr("{share} within the targets ({rate} a second).", share=good, rate=goodput))
    console.print(
        tr(
            "{hits} of prompt tokens found in a cache, {preempted} preemptions, {refused} turned away.",
            hits=f"{result.hit_share:.1%}",
            preempted=f"{result.preempted:,}",
            refused=f"{result.refused:,}",
        )
    )
    console.print(
        tr(
            "Replicas busy for {share} of {hours} hours.",
            share=f"{result.busy_share:.1%}",
            hours=f"{result.replica_seconds / HOUR_SECONDS:,.2f}",
        )
    )
    for assumed in result.assumed:
        console.print(tr("Assumed: {what}", what=assumed))


def _rate(per_s: float) -> str:
    return f"{per_s:,.3g}"


def _row(found: Quantiles) -> tuple[str, ...]:
    return tuple(_told(value) for value in (found.mean, found.p50, found.p90, found.p95, found.p99))


def _told(value: float) -> str:
    return f"{value:,.2f} s" if value >= 1 else f"{value * MILLI:,.1f} ms"
