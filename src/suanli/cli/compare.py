"""Tells a comparison of systems and sizes: as JSON, or as one table."""

from __future__ import annotations

from typing import Any

from suanli.api.compare import TrainingComparison, TrainingOption
from suanli.api.words import assumed_in_words, layout_in_words
from suanli.cli.output import print_json
from suanli.cli.run_options import days, energy_in_words, rent_in_words
from suanli.foundation.language import tr


def told_option(one: TrainingOption) -> dict[str, Any]:
    """Write an option under the keys that stay."""
    best = one.estimate
    return {
        "system": one.system_id,
        "nodes": one.nodes,
        "accelerators": one.accelerators,
        "step_seconds": best and best.step_seconds,
        "expected_step_seconds": best and best.expected_step_seconds,
        "tokens_per_s": best and best.tokens_per_s,
        "band": best and best.band,
        "layout": best and best.layout,
        "run_seconds": one.run_seconds,
        "goodput": one.goodput,
        "rent": one.rent,
        "rent_basis": one.rent_basis,
        "energy_joules": one.energy_joules,
        "system_watts": one.system_watts,
        "on_front": one.on_front,
        "reason": one.reason,
    }


def tell_comparison(found: TrainingComparison, json_output: bool) -> None:
    """Print the options side by side, those on the Pareto front marked."""
    if json_output:
        print_json(
            {
                "options": [told_option(one) for one in found.options],
                "total_tokens": found.total_tokens,
                "currency": found.currency,
                "assumed": found.assumed,
                "figures": found.figures,
            }
        )
        return
    from rich.console import Console

    console = Console()
    console.print(_table(found))
    for one in found.options:
        if one.reason:
            console.print(f"{one.system_id} x {one.nodes}: {one.reason}", markup=False)
    for said in found.assumed:
        console.print(tr("Assumed: {said}", said=said), markup=False)
    for line in assumed_in_words(found.figures):
        console.print(line, markup=False)


def _table(found: TrainingComparison) -> object:
    from rich.table import Table

    priced = found.total_tokens is not None
    caption = tr("*: no other option is as good in time, rent and energy, and better in one") if priced else None
    table = Table(title=tr("Systems and sizes"), caption=caption)
    table.add_column(tr("system x nodes"), no_wrap=True)
    table.add_column(tr("best layout"), overflow="fold")
    run = (tr("days"), tr("rent, thousand {currency}", currency=found.currency), "MWh") if priced else ()
    for heading in (tr("step, s"), tr("tokens/s"), *run):
        table.add_column(heading, justify="right")
    for one in found.options:
        table.add_row(f"{one.system_id} x {one.nodes}{' *' if one.on_front else ''}", *_cells(one, priced))
    return table


def _cells(one: TrainingOption, priced: bool) -> list[str]:
    if one.estimate is None:
        return [tr("does not fit")]
    shown = [
        layout_in_words(one.estimate.layout),
        f"{one.estimate.step_seconds:.3g}",
        f"{one.estimate.tokens_per_s:,.0f}",
    ]
    if not priced:
        return shown
    time = "" if one.run_seconds is None else days(one.run_seconds)
    return [*shown, time, rent_in_words(one.rent), energy_in_words(one.energy_joules)]
