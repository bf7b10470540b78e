"""A logged training run beside its prediction, as `suanli validate` prints it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanli.api.words import layout_in_words
from suanli.cli.output import print_json
from suanli.cli.tables import Row, markdown_table, rich_table
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.api.logs import Cause, DeviceUse, LogComparison, Pace
    from suanli.api.results import ComparedValue

NoSearchFlag = Annotated[bool, typer.Option("--no-search", help="Look for no better layout than the logged run's.")]
LoggedNodesOption = Annotated[
    int | None, typer.Option("--nodes", help="How many systems a logged run spans.", show_default=False)
]
LoggedFormatOption = Annotated[
    str | None, typer.Option("--precision", help="Number format of a logged run's products.", show_default=False)
]
LoggedFrameworkOption = Annotated[
    str | None, typer.Option("--framework", help="Framework of a logged run, or its class.", show_default=False)
]
MethodOption = Annotated[
    str | None, typer.Option("--method", help="How a logged run tunes: full, lora, qlora.", show_default=False)
]
GIB = 2**30
GIGA = 1e9
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TEXTS = 2
WHOLE = 0.9
"""A cause that explains more of the gap is told as explaining it."""
MOST_DEVICES = 16


def show_log(compared: LogComparison, json_output: bool, markdown: bool) -> None:
    """Print a logged run as one JSON document, as Markdown or as tables: values, verdict, causes, devices, the end."""
    if json_output:
        print_json(compared)
        return
    told = [(tr("Measured and predicted"), _headings(), [_row(one) for one in compared.rows], TEXTS)]
    if compared.devices:
        told.append(
            (tr("Devices at work"), _device_headings(), [_device(one) for one in _slowest(compared.devices)], 1)
        )
    if markdown:
        if compared.causes:
            names = (tr("likely cause"), tr("rests on"), tr("of a step"), tr("evidence"), tr("check, or mend"))
            told.insert(1, (_causes_title(), names, [_cause(one) for one in compared.causes], len(names)))
        print("\n\n".join(markdown_table(*one) for one in told))
    else:
        from rich.console import Console

        console = Console()
        for one in told:
            console.print(rich_table(*one))
        _print_causes(compared.causes)
    for line in sentences(compared):
        print(line)


def _print_causes(causes: Sequence[Cause]) -> None:
    """Print causes one below the other, each with what shows it and what to do."""
    if causes:
        print(_causes_title())
    for place, one in enumerate(causes, start=1):
        name, kind, share, evidence, check = _cause(one)
        words = {"share": share, "seconds": _seconds(one.saved_seconds)}
        size = tr("{share} of a step, {seconds}", **words) if one.saved_seconds else tr("nobody can say how much")
        head = {"place": place, "cause": name, "kind": kind, "size": size, "evidence": evidence}
        print("  " + tr("{place}. {cause} ({kind}; {size}): {evidence}.", **head))
        print("     " + tr("Check or mend: {check}.", check=check))


def _causes_title() -> str:
    return tr("Likely causes, the surest first")


def sentences(compared: LogComparison) -> list[str]:
    """Say what ran, how it does, when it ends, and what was assumed."""
    words = {
        "model": compared.model, "count": compared.accelerators, "system": compared.system,
        "layout": layout_in_words(compared.layout), "tools": ", ".join(compared.tools) or tr("devices alone"),
    }  # fmt: skip
    lines = [tr("{tools}: {model} on {count} accelerators of {system}, {layout}", **words), verdict(compared)]
    if compared.pace is not None:
        lines.append(_pace(compared.pace))
    lines += _progress(compared)
    lines += [tr("Assumed: {what}", what=one) for one in compared.assumed]
    return [line for line in (*lines, *compared.notes) if line]


def verdict(compared: LogComparison) -> str:
    """Say what share of its layout's prediction a run reaches, whether that is inside the band, and why not."""
    share = compared.reached_share
    if share is None:
        return tr("The files tell no step time: memory and devices alone are compared.")
    step = next(row for row in compared.rows if row.quantity == "step_seconds")
    band = {"low": _seconds(step.low or 0.0), "high": _seconds(step.high or 0.0), "share": share}
    if compared.inside_band:
        return tr(
            "The run is inside the 80 % band ({low} to {high}): {share:.0%} of what this layout should reach.", **band
        )
    if share > 1:
        return tr("The run is faster than the 80 % band ({low} to {high}): {share:.0%} of what was predicted.", **band)
    said = tr("You are at {share:.0%} of what this layout should reach (80 % band {low} to {high}).", **band)
    first = next((one for one in compared.causes if one.part.value == "step"), None)
    if first is None:
        more = tr("No file shows why: give the export of nvidia-smi or DCGM of the same time, or the log's timers.")
    else:
        words = {"cause": cause_words()[first.name], "evidence": first.evidence}
        more = tr("The likely cause is {cause}: {evidence}.", **words)
        gap = step.measured - (step.predicted or 0.0)
        if 0 < first.saved_seconds < WHOLE * gap:
            more += " " + tr("It explains {share:.0%} of what is missing.", share=first.saved_seconds / gap)
    return f"{said} {more}"


def cause_words() -> dict[str, str]:
    """Return what every cause is called."""
    return {
        "input_pipeline": tr("the input pipeline or the host"),
        "throttling": tr("slowed clocks"),
        "straggler": tr("one slow rank"),
        "network": tr("the network"),
        "memory_pressure": tr("memory that is nearly full"),
        "synchronous_timers": tr("timers that wait"),
        "slowing_down": tr("a step that grows"),
        "checkpoint": tr("checkpoints"),
        "evaluation": tr("evaluation"),
        "garbage_collection": tr("garbage collection"),
        "skipped_steps": tr("skipped steps"),
        "recomputation": tr("recomputation"),
        "unfused_attention": tr("attention without a fused kernel"),
        "small_micro_batch": tr("a small micro-batch"),
        "not_compiled": tr("no compiler"),
        "offloading": tr("states on the host"),
        "unfused_optimizer": tr("an optimizer of many kernels"),
        "launch_bound": tr("launches"),
        "padding": tr("padding"),
        "layout": tr("another layout"),
    }


def _headings() -> Row:
    return tr("quantity"), tr("statistic"), tr("measured"), tr("predicted"), tr("80 % band"), tr("error")


def _row(row: ComparedValue) -> Row:
    names = {
        "step_seconds": tr("step"), "tokens_per_s": tr("tokens per second"), "memory_bytes": tr("peak memory"),
    }  # fmt: skip
    words = {
        "p50": tr("median"), "allocated": tr("allocated"), "reserved": tr("reserved"), "device": tr("of the device"),
    }  # fmt: skip
    band = f"{_value(row.quantity, row.low)} - {_value(row.quantity, row.high)}"
    error = "" if row.error is None else f"{row.error:+.1%}"
    return (
        names[row.quantity], words[row.statistic], _value(row.quantity, row.measured),
        _value(row.quantity, row.predicted), band, error,
    )  # fmt: skip


def _value(quantity: str, value: float | None) -> str:
    if value is None:
        return ""
    if quantity == "memory_bytes":
        return f"{value / GIB:.1f} GiB"
    return _seconds(value) if quantity == "step_seconds" else f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 10**3:.3g} ms"


def _cause(one: Cause) -> Row:
    kinds = {"seen": tr("seen"), "setting": tr("a setting"), "possible": tr("sums alone")}
    share = f"{one.saved_share:.1%}" if one.saved_seconds else "?"
    return cause_words()[one.name], kinds[one.kind.value], share, one.evidence, one.check


def _device_headings() -> Row:
    return (
        tr("device"), tr("busy"), tr("clock, GHz"), tr("power, W"), tr("limit, W"), tr("hottest, C"), tr("memory, GiB"),
        tr("slowed by heat"),
    )  # fmt: skip


def _slowest(devices: Sequence[DeviceUse]) -> list[DeviceUse]:
    """Return the devices that a table has room for: of many those with the lowest clocks."""
    if len(devices) <= MOST_DEVICES:
        return list(devices)
    return sorted(devices, key=lambda one: one.clock_hertz if math.isfinite(one.clock_hertz) else math.inf)[
        :MOST_DEVICES
    ]


def _device(one: DeviceUse) -> Row:
    return (
        one.name, _told(one.busy_share, "{:.0%}"), _told(one.clock_hertz / GIGA, "{:.2f}"),
        _told(one.power_watts, "{:.0f}"), _told(one.power_limit_watts, "{:.0f}"),
        _told(one.temperature_celsius, "{:.0f}"), _told(one.memory_bytes / GIB, "{:.1f}"),
        _told(one.heat_slowed_share, "{:.0%}"),
    )  # fmt: skip


def _told(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else ""


def _pace(pace: Pace) -> str:
    words = {
        "reports": pace.reports, "steady": pace.steady_reports, "warm": pace.warm_up_steps, "stalls": pace.stalls,
        "spread": pace.spread, "wall": _seconds(pace.wall_step_seconds),
    }  # fmt: skip
    return tr(
        "Steady in {steady} of {reports} reports ({warm} steps of warm-up, {stalls} stalls), spread {spread:.1%}; "
        "{wall} a step on the wall, pauses in it",
        **words,
    )


def _progress(compared: LogComparison) -> list[str]:
    one = compared.progress
    if one.ended or one.done_share is None or one.left_seconds is None:
        return []
    words = {"done": one.done_share, "last": one.last_step, "total": one.total_steps, "left": _span(one.left_seconds)}
    said = tr("{done:.0%} done (step {last} of {total}), {left} left at this pace", **words)
    if one.end_clock_seconds is None:
        return [said]
    when = datetime.fromtimestamp(one.end_clock_seconds, UTC).strftime("%Y-%m-%d %H:%M")
    return [tr("{said}: until {when} by the log's own clock", said=said, when=when)]


def _span(seconds: float) -> str:
    if seconds >= 2 * DAY:
        return tr("{days:.1f} days", days=seconds / DAY)
    if seconds >= 2 * HOUR:
        return tr("{hours:.1f} hours", hours=seconds / HOUR)
    return tr("{minutes:.0f} minutes", minutes=max(seconds / MINUTE, 1))


def said_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the options that were given."""
    return {name: value for name, value in options.items() if value not in (None, "", False)}
