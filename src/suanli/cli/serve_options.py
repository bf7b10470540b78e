"""What `suanli serve` and `suanli replay` may be told, each option with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[str, typer.Option("--model", help="A config.json, its folder, or a packaged model's name.")]
SystemOption = Annotated[str, typer.Option("--system", help="System or accelerator, or a profile (YAML).")]
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
DraftTokensOption = Annotated[float, typer.Option("--draft-tokens", help="Tokens that a speculative step drafts.")]
HeadroomOption = Annotated[float, typer.Option("--headroom", help="Share of capacity kept free.")]
KeepOption = Annotated[int, typer.Option("--keep", help="How many settings a search returns.")]
SystemsOption = Annotated[
    list[str], typer.Option("--system", help="System, accelerator or profile (YAML); repeatable.")
]
WeightsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--weight-format", help="bf16, fp8, int8, int4_weight, nvfp4, mxfp4 ...; repeatable.", show_default="bf16"
    ),
]
CachesOption = Annotated[
    list[str] | None, typer.Option("--kv-format", help="auto, bf16, fp8; repeatable.", show_default="auto")
]
BudgetsOption = Annotated[
    list[int] | None,
    typer.Option("--token-budget", help="Tokens of a step at most; repeatable.", show_default="the engine's"),
]
SequencesOption = Annotated[
    list[int] | None,
    typer.Option("--max-sequences", help="Requests in a step at most; repeatable.", show_default="the engine's"),
]
ArrangementOption = Annotated[str, typer.Option("--arrangement", help="Prefill and decode together, apart, or both.")]
AcceleratorsOption = Annotated[
    int | None,
    typer.Option("--accelerators", help="How many there are, to fill or to stay below.", show_default="one system"),
]
ObjectiveOption = Annotated[
    str, typer.Option("--objective", help="throughput (of an accelerator), token (cheapest), month (cheapest).")
]
PercentileOption = Annotated[
    float | None,
    typer.Option("--percentile", help="Percent of requests that keep the targets, as played.", show_default="medians"),
]
PlayedOption = Annotated[
    str,
    typer.Option(
        "--traffic", help="Trace or named traffic whose lengths count and which a percentile plays.", show_default=False
    ),
]
HoldOption = Annotated[
    str, typer.Option("--hold", help="Pay systems as: reserved, month, buy, cheapest.", show_default=False)
]
ApiInputOption = Annotated[
    float | None, typer.Option("--api-price-in", help="An API's price for a million prompt tokens.", show_default=False)
]
ApiOutputOption = Annotated[
    float | None, typer.Option("--api-price-out", help="And for a million answer tokens.", show_default=False)
]
CurveOption = Annotated[
    Path | None,
    typer.Option("--curve", help="Rates by the hour (requests_per_s), or a trace.", show_default=False),
]
DaySwingOption = Annotated[
    float | None,
    typer.Option("--daily-swing", help="A day swings by this share around --rate.", show_default=False),
]
PageOption = Annotated[
    Path | None, typer.Option("--html", help="Write what a search found as one HTML file.", show_default=False)
]
