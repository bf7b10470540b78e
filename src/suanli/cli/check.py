"""`suanli check`: real small steps on this machine beside their predictions."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from suanli.api.check import CheckedCase, CheckQuestion, CheckResult, Summary, check
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.cli.tables import Row, markdown_table, rich_table
from suanli.foundation.language import tr

MEBI = 2**20
MILLI = 1000
ProfileOption = Annotated[
    str, typer.Option("--system", help="Profile of this machine, as measure writes it; without: measured quickly.")
]
ShapeOption = Annotated[str, typer.Option("--model", help="In whose shape: a config.json or a name; without: several.")]
KindsOption = Annotated[str, typer.Option("--kinds", help="Steps to run: train, lora, prefill, decode, with commas.")]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, xpu, npu, mps; without: the best one here.")]
MostOption = Annotated[int | None, typer.Option("--most", help="Cases of each kind at most.", show_default=False)]
MarkdownFlag = Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown, for documents.")]


@app.command("check")
@guarded
def check_command(
    system: ProfileOption = "",
    model: ShapeOption = "",
    kinds: KindsOption = "train,lora,prefill,decode",
    device: DeviceOption = "",
    most: MostOption = None,
    markdown: MarkdownFlag = False,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Run real small steps here with plain PyTorch and print predicted against measured time and memory."""
    result = check(
        CheckQuestion(system=system, model=model, kinds=kinds, device=device, most=most), progress=_tell_progress
    )
    if json_output:
        print_json(result)
        return
    for title, headings, rows in _tables(result):
        if markdown:
            print(markdown_table(title, headings, rows) + "\n")
        else:
            from rich.console import Console

            Console().print(rich_table(title, headings, rows))
    for warning in result.warnings:
        print(warning)


def _tell_progress(name: str, place: int, count: int) -> None:
    print(f"[{place + 1}/{count}] {name}", file=sys.stderr, flush=True)


def _tables(result: CheckResult) -> tuple[tuple[str, Row, list[Row]], ...]:
    told = {"machine": result.machine, "ranks": result.ranks, "torch": result.torch, "profile": result.profile}
    title = tr("Real steps on {machine}, {ranks} device(s), PyTorch {torch}, profile {profile}", **told)
    headings = (
        tr("step (*: held out)"), tr("measured"), tr("predicted"), tr("error"), tr("peak"), tr("error"),
    )  # fmt: skip
    sums = (tr("cases"), tr("number"), tr("median error"), tr("90th percentile"), tr("in the band"))
    return (
        (title, headings, [_row(one) for one in result.cases]),
        (tr("Errors of the time of a step"), sums, _sums(result.seconds)),
        (tr("Errors of the peak of memory"), sums, _sums(result.peaks)),
    )


def _row(one: CheckedCase) -> Row:
    ends = f"{one.seconds_low * MILLI:,.1f}–{one.seconds_high * MILLI:,.1f}"
    return (
        one.name.replace(f" {one.shape_of} ", f" {one.shape_of.rsplit('/', 1)[-1]} ") + (" *" if one.held_out else ""),
        f"{one.measured_seconds * MILLI:,.1f} ms",
        f"{one.predicted_seconds * MILLI:,.1f} ({ends})",
        f"{one.seconds_error:+.1%}",
        f"{one.measured_peak_bytes / MEBI:,.0f} MiB",
        f"{one.peak_error:+.1%}",
    )


def _sums(told: Mapping[str, Summary]) -> list[Row]:
    names = {
        "all": tr("all"), "held_out": tr("held out"), "seen": tr("seen"), "train": tr("training"), "lora": "LoRA",
        "prefill": tr("prefill"), "decode": tr("decode"),
    }  # fmt: skip
    return [
        (names[name], str(one.rows), _share(one.median_abs_error), _share(one.p90_abs_error), _share(one.band_coverage))
        for name, one in told.items()
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
