"""What a training run draws: systems at work, under traffic alone and at rest, and what the site adds to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.catalogue.access import part_of_world
from suanli.catalogue.assumptions import assumption, assumptions
from suanli.domain.hardware import System
from suanli.domain.plan import Assumed
from suanli.domain.wall_clock import WallClock
from suanli.equations.energy import box_watts, drawn_watts, energy_joules, facility_watts

TRAFFIC = "_exposed"
"""How names of causes end in which accelerators wait for traffic."""
AT_REST = ("bubble", "launch", "expert_imbalance", "stragglers")
"""Causes of a step in which most accelerators wait for others or for the host."""
LIKE_STEPS = ("work", "lost_work")
"""Causes of a run in which steps are worked through; in all others the systems stand and wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """Shares of a time in which accelerators compute, and in which they wait for traffic; the rest is idle."""

    working: float
    sending: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Energy of a run at the meter, the mean power of all its systems without the site's share, what it rests on."""

    energy_joules: float
    system_watts: float
    assumed: tuple[Assumed, ...]


def step_activity(seconds_by_cause: Mapping[str, float]) -> Activity:
    """Share a step out by its causes, stragglers left out: a whole run counts them apart."""
    whole = sum(seconds_by_cause.values()) - seconds_by_cause.get("stragglers", 0.0)
    sending = sum(seconds for cause, seconds in seconds_by_cause.items() if cause.endswith(TRAFFIC))
    resting = sum(seconds_by_cause.get(cause, 0.0) for cause in AT_REST if cause != "stragglers")
    return Activity(working=(whole - sending - resting) / whole, sending=sending / whole)


def run_activity(step: Activity, clock: WallClock) -> Activity:
    """Share a whole run out: as its steps are while they go on, idle while it is saved, restarted or held up."""
    share = sum(clock.seconds_by_cause[cause] for cause in LIKE_STEPS) / clock.wall_seconds
    return Activity(working=share * step.working, sending=share * step.sending)


def greatest_watts(system: System) -> tuple[float, tuple[str, ...]] | None:
    """Return the greatest power of a system and the names of what was assumed for it; None where nothing is known."""
    if system.power_watts is not None:
        return system.power_watts.value, ()
    power = system.accelerator.power_watts
    if power is None:
        return None
    name = "host.power_of_accelerators"
    return float(box_watts(power.value, system.accelerators, assumption(name).value)), (name,)


def pue_of(region: str) -> Assumed:
    """Return what sites of a region draw for each watt of their systems, of its part of the world where it has none."""
    name = f"pue.{region.lower().replace(' ', '_')}"
    if name not in assumptions():
        name = f"pue.{part_of_world(region)}"
    if name not in assumptions():
        name = "pue.world"
    return Assumed(name=name, figure=assumption(name))


def drawn_by(
    system: System, nodes: int, seconds_by_cause: Mapping[str, float], clock: WallClock, region: str
) -> Drawn | None:
    """Return what a run draws on so many nodes, from the causes of one step and of the whole run.

    None where neither the system's nor its accelerator's power is known.
    """
    if (known := greatest_watts(system)) is None:
        return None
    watts, names = known
    figures = {name: assumption(name) for name in ("power_draw.idle", "power_draw.traffic", *names)}
    cooling = pue_of(region)
    activity = run_activity(step_activity(seconds_by_cause), clock)
    mean = nodes * float(
        drawn_watts(
            watts,
            figures["power_draw.idle"].value,
            figures["power_draw.traffic"].value,
            activity.working,
            activity.sending,
        )
    )
    assumed = (*(Assumed(name=name, figure=figure) for name, figure in figures.items()),)
    return Drawn(
        energy_joules=float(energy_joules(facility_watts(mean, cooling.figure.value), clock.wall_seconds)),
        system_watts=mean,
        assumed=(*assumed, cooling),
    )
