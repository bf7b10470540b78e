"""Options of a whole training run, which more than one command takes, and how the run is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from suanli.api.run_cost import RunCost
from suanli.api.wall_clock import WallClock
from suanli.api.words import assumed_in_words, name_in_words
from suanli.foundation.language import tr

DAY_SECONDS = 86400
"""Twenty-four hours of sixty minutes."""
JOULES_PER_MEGAWATT_HOUR = 3.6e9
JOULES_PER_KILOWATT_HOUR = 3.6e6
THOUSAND = 1000

TokensOption = Annotated[float | None, typer.Option("--tokens", help="Tokens of the whole run.", show_default=False)]
StepsOption = Annotated[float | None, typer.Option("--steps", help="Steps of the whole run.", show_default=False)]
FailuresOption = Annotated[str, typer.Option("--failures", help="How often nodes fail: good, middle, young.")]
RecoveryOption = Annotated[str, typer.Option("--recovery", help="Who restarts a stopped job: automatic, manual.")]
CheckpointsOption = Annotated[str, typer.Option("--checkpoints", help="asynchronous, blocking.")]
SparesOption = Annotated[
    int | None, typer.Option("--spares", help="Spare nodes; default the usual share.", show_default=False)
]


def days(seconds: float) -> str:
    """Say a time in days."""
    return f"{seconds / DAY_SECONDS:,.2f}"


def causes_table(seconds_by_cause: Mapping[str, float]) -> object:
    """Put what a run's time goes into in a table, the largest first."""
    from rich.table import Table

    table = Table(title=tr("What the run's time goes into"))
    table.add_column(tr("cause"))
    for heading in (tr("days"), "%"):
        table.add_column(heading, justify="right")
    whole = sum(seconds_by_cause.values())
    for cause, seconds in sorted(seconds_by_cause.items(), key=lambda item: -item[1]):
        if seconds > 0:
            table.add_row(name_in_words(cause), days(seconds), f"{seconds / whole:.2%}")
    return table


def tell_run(found: WallClock) -> None:
    """Print a whole run: its time by cause, how sure it is, what it rests on."""
    from rich.console import Console

    console = Console()
    console.print(causes_table(found.seconds_by_cause))
    told = {"wall": days(found.wall_seconds), "goodput": found.goodput, "p80": days(found.p80_seconds),
            "p95": days(found.p95_seconds)}  # fmt: skip
    console.print(
        tr("Whole run: {wall} days, P80 {p80}, P95 {p95}; goodput (work and stragglers) {goodput:.1%}.", **told)
    )
    stops = {"failures": found.failures, "hours": found.mtbf_seconds / 3600, "spares": found.spares,
             "minutes": found.checkpoint_interval_seconds / 60}  # fmt: skip
    console.print(
        tr(
            "{failures:,.1f} stops, one in {hours:,.1f} h; saved every {minutes:,.1f} min; {spares} spare nodes.",
            **stops,
        )
    )
    console.print("\n".join(assumed_in_words(found.assumed)), markup=False)


def rent_in_words(rent: float | None) -> str:
    """Say a rent in thousands of its currency."""
    return tr("no price known") if rent is None else f"{rent / THOUSAND:,.0f}"


def energy_in_words(energy_joules: float | None) -> str:
    """Say energy in MWh."""
    return tr("no power known") if energy_joules is None else f"{energy_joules / JOULES_PER_MEGAWATT_HOUR:,.1f}"


def tell_cost(found: RunCost) -> None:
    """Print what a whole run costs: rent and energy, and what they rest on."""
    from rich.console import Console

    console = Console()
    if found.rent is None:
        console.print(tr("Rent: no price known"), markup=False)
    elif found.rent < THOUSAND:
        told = {"rent": found.rent, "currency": found.currency, "basis": found.rent_basis}
        console.print(tr("Rent: {rent:,.2f} {currency} ({basis})", **told), markup=False)
    else:
        told = {"rent": rent_in_words(found.rent), "currency": found.currency, "basis": found.rent_basis}
        console.print(tr("Rent: {rent} thousand {currency} ({basis})", **told), markup=False)
    if found.system_watts is None:
        console.print(tr("Energy: no power known"), markup=False)
        return
    energy, kilowatts = energy_in_words(found.energy_joules), f"{found.system_watts / THOUSAND:,.1f}"
    if found.energy_joules is not None and found.energy_joules < JOULES_PER_MEGAWATT_HOUR:
        small = {"energy": found.energy_joules / JOULES_PER_KILOWATT_HOUR, "kilowatts": kilowatts}
        console.print(
            tr("Energy at the meter: {energy:,.2f} kWh; the systems draw {kilowatts} kW on average.", **small)
        )
        console.print("\n".join(assumed_in_words(found.assumed)), markup=False)
        return
    said = tr("Energy at the meter: {energy} MWh; the systems draw {kilowatts} kW on average.", energy=energy,
              kilowatts=kilowatts)  # fmt: skip
    console.print(said, markup=False)
    console.print("\n".join(assumed_in_words(found.assumed)), markup=False)
