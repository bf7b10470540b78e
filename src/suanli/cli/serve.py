"""`suanli serve`: the best serving settings under latency targets, or one setting told in full."""

from __future__ import annotations

from typing import Annotated

import typer

from suanli.api.serve import HEADROOM, ServingAnswer, ServingQuestion, serve
from suanli.api.words import name_in_words, seconds_said
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.language import tr

GIB = 2**30
MILLI = 1000
ModelOption = Annotated[str, typer.Option("--model", help="A config.json, its folder, or a packaged model's name.")]
SystemOption = Annotated[str, typer.Option("--system", help="System or accelerator, by id or name.")]
InputOption = Annotated[float, typer.Option("--input-tokens", help="Mean tokens of a prompt.")]
OutputOption = Annotated[float, typer.Option("--output-tokens", help="Mean tokens of an answer.")]
TtftOption = Annotated[str, typer.Option("--ttft", help="Longest wait for the first token: 2s, 500ms.")]
TpotOption = Annotated[str, typer.Option("--tpot", help="Longest time for each further token: 50ms.")]
RateOption = Annotated[float | None, typer.Option("--rate", help="Requests per second to hold.", show_default=False)]
WeightOption = Annotated[str, typer.Option("--weight-format", help="bf16, fp8, int8, int4_weight, nvfp4, mxfp4 ...")]
CacheOption = Annotated[str, typer.Option("--kv-format", help="auto, bf16, fp8.")]
EngineOption = Annotated[str, typer.Option("--engine", help="vllm, sglang, trt-llm, llama.cpp, mindie ...")]
VersionOption = Annotated[
    str, typer.Option("--engine-version", help="Version of the engine; default the latest known.")
]
TensorOption = Annotated[int | None, typer.Option("--tp", help="Tensor degree.", show_default=False)]
PipelineOption = Annotated[int | None, typer.Option("--pp", help="Pipeline stages.", show_default=False)]
ExpertOption = Annotated[int | None, typer.Option("--ep", help="Ranks that share out experts.", show_default=False)]
DataOption = Annotated[int | None, typer.Option("--dp", help="Data ranks of attention.", show_default=False)]
FlightOption = Annotated[
    float | None, typer.Option("--concurrency", help="Requests in flight on one replica.", show_default=False)
]
PrefixOption = Annotated[float, typer.Option("--prefix-hits", help="Share of prompt tokens found in a prefix cache.")]
DraftOption = Annotated[float, typer.Option("--draft-tokens", help="Tokens that a speculative step drafts.")]
HeadroomOption = Annotated[float, typer.Option("--headroom", help="Share of capacity kept free.")]
KeepOption = Annotated[int, typer.Option("--keep", help="How many settings a search returns.")]


@app.command("serve")
@guarded
def serve_command(
    model: ModelOption,
    system: SystemOption,
    input_tokens: InputOption = 1024.0,
    output_tokens: OutputOption = 256.0,
    ttft: TtftOption = "",
    tpot: TpotOption = "",
    rate: RateOption = None,
    weight_format: WeightOption = "bf16",
    kv_format: CacheOption = "auto",
    engine: EngineOption = "vllm",
    engine_version: VersionOption = "",
    tp: TensorOption = None,
    pp: PipelineOption = None,
    ep: ExpertOption = None,
    dp: DataOption = None,
    concurrency: FlightOption = None,
    prefix_hits: PrefixOption = 0.0,
    draft_tokens: DraftOption = 0.0,
    headroom: HeadroomOption = HEADROOM,
    keep: KeepOption = 5,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Find the best serving settings under a latency target, or tell one setting in full."""
    answer = serve(
        ServingQuestion(
            model=model, system=system, input_tokens=input_tokens, output_tokens=output_tokens,
            ttft_limit_seconds=seconds_said(ttft, "--ttft"), tpot_limit_seconds=seconds_said(tpot, "--tpot"), rate_per_s=rate,
            weight_format=weight_format, kv_format=kv_format, engine=engine, engine_version=engine_version, tensor=tp,
            pipeline=pp, expert=ep, attention_data=dp, concurrency=concurrency, prefix_hit_share=prefix_hits,
            draft_tokens=draft_tokens, headroom=headroom, keep=keep,
        )
    )  # fmt: skip
    if json_output:
        print_json(answer)
    else:
        show(answer)


def layout_words(answer: ServingAnswer) -> str:
    """Write a layout in a few words."""
    layout = answer.layout
    degrees = (
        (tr("tensor"), layout.tensor), (tr("pipeline"), layout.pipeline), (tr("expert"), layout.expert),
        (tr("attention data"), layout.attention_data),
    )  # fmt: skip
    return ", ".join(f"{name} {degree}" for name, degree in degrees if degree > 1) or tr("one accelerator")


def show(answer: ServingAnswer) -> None:
    """Print an answer as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=tr("{model} on {system}", model=answer.model, system=answer.system), show_header=True)
    for heading in (tr("What"), tr("Value"), tr("80 % band")):
        table.add_column(heading)
    rows = (
        (tr("layout of a replica"), layout_words(answer), ""),
        (tr("replicas"), f"{answer.replicas} ({tr('{count} accelerators', count=answer.accelerators)})", ""),
        (tr("requests in flight on a replica"), f"{answer.concurrency:.0f}", ""),
        (tr("time to first token"), _milli(answer.ttft_seconds), _range(answer, "ttft_seconds", MILLI, "ms")),
        (tr("time for each further token"), _milli(answer.tpot_seconds), _range(answer, "tpot_seconds", MILLI, "ms")),
        (
            tr("output tokens per second"),
            f"{answer.output_tokens_per_s:,.0f}",
            _range(answer, "output_tokens_per_s", 1, ""),
        ),
        (tr("memory of an accelerator"), f"{answer.memory_bytes / GIB:.1f} GiB", ""),
        (tr("cache holds"), tr("{tokens} tokens", tokens=f"{answer.kv_capacity_tokens:,.0f}"), ""),
    )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    total = sum(answer.seconds_by_cause.values())
    causes = sorted(answer.seconds_by_cause.items(), key=lambda cause: -cause[1])
    told = ", ".join(f"{name_in_words(name)} {spent / total:.0%}" for name, spent in causes if spent > 0)
    console.print(tr("A step's time by cause: {causes}", causes=told))
    for assumed in answer.assumed:
        console.print(tr("Assumed: {what}", what=assumed))


def _milli(value: float) -> str:
    return f"{value * MILLI:,.1f} ms"


def _range(answer: ServingAnswer, name: str, factor: float, unit: str) -> str:
    band = answer.band[name]
    return f"{band.low * factor:,.0f} – {band.high * factor:,.0f} {unit}".strip()
