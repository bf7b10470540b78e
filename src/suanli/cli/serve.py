"""`suanli serve`: fleets under latency targets, the smallest one for a traffic curve, or one setting in full."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suanli.api.engine_options import EngineOptions
from suanli.api.market_question import MarketQuestion, today
from suanli.api.serve import HEADROOM, ServingAnswer, ServingQuestion, SpeculationGain, is_told, serve
from suanli.api.serving_question import FleetQuestion
from suanli.api.words import name_in_words, seconds_said, serving_layout_in_words
from suanli.cli.app import app
from suanli.cli.engine_options import USUAL, takes_engine_options
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.cli.serve_options import (
    AcceleratorsOption,
    ApiInputOption,
    ApiOutputOption,
    ArrangementOption,
    BudgetsOption,
    CachesOption,
    CurveOption,
    DataOption,
    DaySwingOption,
    DraftTokensOption,
    EngineOption,
    ExpertOption,
    FlightOption,
    HeadroomOption,
    HoldOption,
    InputOption,
    KeepOption,
    ModelOption,
    ObjectiveOption,
    OutputOption,
    PageOption,
    PercentileOption,
    PipelineOption,
    PlayedOption,
    PrefixOption,
    RateOption,
    SequencesOption,
    SystemsOption,
    TensorOption,
    TpotOption,
    TtftOption,
    VersionOption,
    WeightsOption,
)
from suanli.cli.traffic_options import RequestsOption, SeedOption
from suanli.cli.train_options import AsOfOption, CurrencyOption, RegionOption
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

GIB = 2**30
MILLI = 1000
KILO = 1000
FINE_BELOW = 10
"""Milliseconds below which a second decimal is shown."""


@app.command("serve")
@guarded
@takes_engine_options()
def serve_command(
    model: ModelOption,
    system: SystemsOption,
    input_tokens: InputOption = 1024.0,
    output_tokens: OutputOption = 256.0,
    ttft: TtftOption = "",
    tpot: TpotOption = "",
    percentile: PercentileOption = None,
    rate: RateOption = None,
    weight_format: WeightsOption = None,
    kv_format: CachesOption = None,
    engine: EngineOption = "vllm",
    engine_version: VersionOption = "",
    token_budget: BudgetsOption = None,
    max_sequences: SequencesOption = None,
    tp: TensorOption = None,
    pp: PipelineOption = None,
    ep: ExpertOption = None,
    dp: DataOption = None,
    concurrency: FlightOption = None,
    arrangement: ArrangementOption = "both",
    accelerators: AcceleratorsOption = None,
    objective: ObjectiveOption = "throughput",
    prefix_hits: PrefixOption = 0.0,
    draft_tokens: DraftTokensOption = 0.0,
    options: EngineOptions = USUAL,
    headroom: HeadroomOption = HEADROOM,
    keep: KeepOption = 5,
    traffic: PlayedOption = "",
    requests: RequestsOption = None,
    seed: SeedOption = 0,
    curve: CurveOption = None,
    daily_swing: DaySwingOption = None,
    hold: HoldOption = "",
    as_of: AsOfOption = "",
    region: RegionOption = "world",
    currency: CurrencyOption = "USD",
    api_price_in: ApiInputOption = None,
    api_price_out: ApiOutputOption = None,
    html: PageOption = None,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Find the best fleets under latency targets, the smallest for a traffic curve, or tell one setting in full.

    Given degrees or --concurrency one setting is told. Else systems, formats, layouts, requests in flight, and prefill
    and decode together or apart are searched; --curve or --daily-swing size the fleet hour by hour.
    """
    systems, weights, caches = (tuple(dict.fromkeys(said or ())) for said in (system, weight_format, kv_format))
    job = ServingQuestion(
        model=model, system=systems[0], input_tokens=input_tokens, output_tokens=output_tokens,
        ttft_limit_seconds=seconds_said(ttft, "--ttft"), tpot_limit_seconds=seconds_said(tpot, "--tpot"),
        rate_per_s=rate, weight_format=(weights or ("bf16",))[0], kv_format=(caches or ("auto",))[0], engine=engine,
        engine_version=engine_version, tensor=tp, pipeline=pp, expert=ep, attention_data=dp, concurrency=concurrency,
        prefix_hit_share=prefix_hits, draft_tokens=draft_tokens, headroom=headroom, keep=keep,
        options=options,
    )  # fmt: skip
    question = FleetQuestion(
        job=job, systems=systems, weight_formats=weights or ("bf16",), kv_formats=caches or ("auto",),
        token_budgets=tuple(map(float, token_budget or ())), sequence_limits=tuple(map(float, max_sequences or ())),
        arrangement=arrangement, accelerators=accelerators, objective=objective, percentile=percentile, traffic=traffic,
        requests=requests, seed=seed, hold=hold,
        market=MarketQuestion(as_of=as_of or today(), region=region, currency=currency),
        api_input_price=api_price_in, api_output_price=api_price_out,
    )  # fmt: skip
    if is_told(job):
        _check_told(question, curve is not None or daily_swing is not None, html)
        tell(serve(job), json_output)
        return
    if curve is not None or daily_swing is not None:
        _answer_curve(question, curve, daily_swing, html, json_output)
    else:
        _answer_fleet(question, html, json_output)
    if html is not None:
        print(tr("Report written: {path}", path=html), file=sys.stderr)


def _answer_curve(
    fleet: FleetQuestion, curve: Path | None, swing: float | None, html: Path | None, json_output: bool
) -> None:
    """Answer for a traffic curve; write the page where one is asked for."""
    from suanli.api.serving_hours import CurveQuestion, plan_hours
    from suanli.cli.serve_hours import curve_lines, tell_hours

    question = CurveQuestion(fleet=fleet, curve=curve, swing=swing)
    found = plan_hours(question)
    if html is not None:
        from suanli.api.serving_page import write_curve_page

        write_curve_page(question, found, curve_lines(found), found.assumed, html)
    tell_hours(found, json_output)


def _answer_fleet(question: FleetQuestion, html: Path | None, json_output: bool) -> None:
    """Answer with the best fleets; write the page where one is asked for."""
    from suanli.api.serving_fleet import plan_fleet
    from suanli.cli.serve_fleet import bought_lines, fleet_lines, tell_fleet

    found = plan_fleet(question)
    if html is not None:
        from suanli.api.serving_page import write_fleet_page

        write_fleet_page(question, found, fleet_lines(found), (*found.assumed, *bought_lines(found)), html)
    tell_fleet(found, json_output)


def _check_told(question: FleetQuestion, curved: bool, html: Path | None) -> None:
    """Raise InputError with what only a search can answer, where one setting is told."""
    searched: dict[str, Any] = {
        "--system": len(question.systems) > 1, "--weight-format": len(question.weight_formats) > 1,
        "--kv-format": len(question.kv_formats) > 1, "--token-budget": question.token_budgets,
        "--max-sequences": question.sequence_limits, "--accelerators": question.accelerators,
        "--percentile": question.percentile, "--traffic": question.traffic, "--curve": curved,
        "--hold": question.priced, "--arrangement": question.arrangement != "both",
        "--html": html,
    }  # fmt: skip
    faults = [
        Fault(place=place, found=tr("one setting (--tp, --pp, --ep, --dp or --concurrency)"), allowed=tr("a search"))
        for place, said in searched.items()
        if said
    ]
    if faults:
        raise InputError(faults)


def tell(answer: ServingAnswer, json_output: bool) -> None:
    """Print one setting as JSON or as tables."""
    if json_output:
        print_json(answer)
    else:
        show(answer)


def show(answer: ServingAnswer) -> None:
    """Print an answer as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=tr("{model} on {system}", model=answer.model, system=answer.system), show_header=True)
    for heading in (tr("What"), tr("Value"), tr("80 % band")):
        table.add_column(heading)
    rows = (
        (tr("layout of a replica"), serving_layout_in_words(answer.layout), ""),
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
        *_known_of_chips(answer),
    )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    total = sum(answer.seconds_by_cause.values())
    causes = sorted(answer.seconds_by_cause.items(), key=lambda cause: -cause[1])
    told = ", ".join(f"{name_in_words(name)} {spent / total:.0%}" for name, spent in causes if spent > 0)
    console.print(tr("A step's time by cause: {causes}", causes=told))
    if answer.speculation is not None:
        for line in speculation_words(answer.speculation):
            console.print(line)
    for assumed in answer.assumed:
        console.print(tr("Assumed: {what}", what=assumed))


def speculation_words(gain: SpeculationGain) -> list[str]:
    """Say what drafts gain, and up to which load."""
    lines = [
        tr(
            "Drafts: {tokens} tokens a step; {gain} times the rate without them ({low} to {high} by what is accepted).",
            tokens=f"{gain.tokens_per_step:.2f}", gain=f"{gain.gain:.2f}", low=f"{gain.gain_low:.2f}",
            high=f"{gain.gain_high:.2f}",
        )
    ]  # fmt: skip
    if gain.pays_until_concurrency is None:
        return [*lines, tr("They raise the rate at every load that the replica holds.")]
    if gain.pays_until_concurrency == 0:
        return [*lines, tr("They lower the rate at every load.")]
    flight = f"{gain.pays_until_concurrency:.0f}"
    return [*lines, tr("From {flight} requests in flight on they lower the rate.", flight=flight)]


def _known_of_chips(answer: ServingAnswer) -> Iterator[tuple[str, str, str]]:
    """Yield what the catalogue knows beyond times and bytes: power, and how long another model takes to come."""
    if answer.power_watts is not None:
        yield tr("power of the accelerators, as printed"), f"{answer.power_watts / KILO:,.1f} kW", ""
    if answer.switch_seconds is not None:
        yield tr("switching to another such model"), _milli(answer.switch_seconds), ""


def _milli(value: float) -> str:
    """Write a time in milliseconds; chips with memory of their own answer in fractions of one."""
    told = value * MILLI
    return f"{told:,.1f} ms" if told >= FINE_BELOW else f"{told:,.2f} ms"


def _range(answer: ServingAnswer, name: str, factor: float, unit: str) -> str:
    band = answer.band[name]
    low, high = band.low * factor, band.high * factor
    digits = 0 if low >= FINE_BELOW else 2
    return f"{low:,.{digits}f} – {high:,.{digits}f} {unit}".strip()
