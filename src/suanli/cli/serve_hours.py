"""Tells the smallest fleet for a traffic curve: as JSON, or hour by hour with what it costs."""

from __future__ import annotations

from typing import Any

from suanli.api.serving_hours import CurveAnswer
from suanli.api.words import pools_in_words, tenure_in_words
from suanli.cli.output import print_json
from suanli.cli.serve_fleet import MILLION, api_lines, told_plan
from suanli.foundation.language import tr

HOUR_SECONDS = 3600
DAY_HOURS = 24


def told_curve(plan: Any) -> dict[str, Any]:
    """Write a fleet for a curve under the keys that stay."""
    names = (
        "hours", "mean_requests_per_s", "peak_requests_per_s", "base_systems", "peak_systems", "top_system_seconds",
        "base_tenure", "base_amount", "top_amount", "all_base_amount", "used_share", "cost", "api",
    )  # fmt: skip
    return {"peak": told_plan(plan.peak), **{name: getattr(plan, name) for name in names}}


def tell_hours(found: CurveAnswer, json_output: bool) -> None:
    """Print the fleet for a curve."""
    if json_output:
        others = [told_curve(one) for one in found.others]
        rest = {"others": others, "why": found.why, "assumed": found.assumed}
        print_json({"model": found.model, **told_curve(found.plan), **rest})
        return
    from rich.console import Console

    console, plan = Console(), found.plan
    console.print(_table(found))
    for line in curve_lines(found):
        console.print(line, markup=False)
    for other in found.others:
        more = f"{other.cost.month_amount / plan.cost.month_amount - 1:.1%}"
        fleet = (
            f"{other.peak.system} {other.peak.weight_format} {pools_in_words(other.peak.prefill, other.peak.decode)}"
        )
        console.print(tr("{fleet}: {more} more a month.", fleet=fleet, more=more), markup=False)
    for assumed in found.assumed:
        console.print(tr("Assumed: {what}", what=assumed), markup=False)


def curve_lines(found: CurveAnswer) -> tuple[str, ...]:
    """Say what the cheapest fleet is at the peak, how it is paid, why, and how an API compares."""
    return (*_lines(found), *found.why, *api_lines(found.plan))


def _table(found: CurveAnswer) -> object:
    """Show a day: every hour's mean rate and most replicas over all days of the curve."""
    from rich.table import Table

    table = Table(title=tr("Replicas by the hour, the most of all days"))
    for heading in (tr("hour"), tr("requests/s"), tr("prefill"), tr("replicas"), tr("systems")):
        table.add_column(heading, justify="right")
    hours = found.plan.hours
    for hour in range(min(DAY_HOURS, len(hours))):
        same = hours[hour::DAY_HOURS]
        prefills = max(one.prefills for one in same)
        table.add_row(
            f"{hour}", f"{max(one.requests_per_s for one in same):,.3g}", f"{prefills}" if prefills else "",
            f"{max(one.replicas for one in same)}", f"{max(one.systems for one in same)}",
        )  # fmt: skip
    return table


def _lines(found: CurveAnswer) -> list[str]:
    plan, cost = found.plan, found.plan.cost
    peak = pools_in_words(plan.peak.prefill, plan.peak.decode)
    return [
        tr(
            "At the peak: {system} {weights} {fleet}; {systems} systems.", system=plan.peak.system,
            weights=plan.peak.weight_format, fleet=peak, systems=plan.peak_systems,
        ),
        tr(
            "{base} systems {tenure} for {amount} a month, {hours} system hours by the hour for {top}: {currency} {all}"
            " a month.",
            base=plan.base_systems, tenure=tenure_in_words(plan.base_tenure), amount=f"{plan.base_amount:,.0f}",
            hours=f"{plan.top_system_seconds / HOUR_SECONDS:,.0f}", top=f"{plan.top_amount:,.0f}",
            currency=cost.currency, all=f"{cost.month_amount:,.0f}",
        ),
        tr(
            "{share} of what is paid is used: {currency} {input} for a million tokens of prompts, {output} of answers.",
            share=f"{plan.used_share:.0%}", currency=cost.currency,
            input=f"{cost.input_amount_per_token * MILLION:,.4g}",
            output=f"{cost.output_amount_per_token * MILLION:,.4g}",
        ),
    ]  # fmt: skip
