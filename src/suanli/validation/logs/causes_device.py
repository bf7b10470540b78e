"""Causes that exports of devices show: idle time, heat, a lowered power limit, one slow device, kernels that wait."""

from __future__ import annotations

import math
from statistics import median

from suanli.domain.training_log import Cause, CauseKind, CausePart
from suanli.foundation.language import tr
from suanli.validation.logs.evidence import EXPOSED, PRODUCTS, Evidence, Rule

GIGA = 1e9
MOSTLY = 0.5
"""More of the predicted step than this is work that draws power."""
BUSY = 0.9


def idle(one: Evidence) -> Cause | None:
    """Find time without a kernel; collectives that wait are kernels, so it is the host that is late."""
    busy = one.middle("busy_share")
    if busy is None:
        return None
    wall = max(one.pace.wall_step_seconds, one.step)
    known = sum(one.pace.pause_seconds.values()) / wall + one.share("launch") * one.estimate.step_seconds / wall
    share = 1 - busy - known
    if share < one.rules.idle_share:
        return None
    told = {"share": 1 - busy, "known": known}
    return one.cause(
        "input_pipeline", CausePart.STEP, CauseKind.SEEN, share * one.step,
        tr("devices run no kernel for {share:.0%} of the time; pauses and launches explain {known:.0%}", **told),
        tr("time the loader alone; a profile shows what the host does while the device waits"),
    )  # fmt: skip


def _slowed(one: Evidence, clock: float, reference: float) -> float:
    """Return the seconds that products lose at a clock below another."""
    return one.step * min(one.share(*PRODUCTS), 1.0) * max(1 - clock / reference, 0.0)


def heat(one: Evidence) -> Cause | None:
    """Find devices that heat, or the hardware's own brake, slowed under load."""
    told = [use for use in one.log.devices if use.heat_slowed_share >= one.rules.heat_share]
    if not told:
        return None
    worst = max(told, key=lambda use: use.heat_slowed_share)
    cool = [use.clock_hertz for use in one.log.devices if use not in told and math.isfinite(use.clock_hertz)]
    reference = median(cool) if cool else max(one.devices("most_clock_hertz"), default=math.nan)
    clocks = [use.clock_hertz for use in told if math.isfinite(use.clock_hertz)]
    seconds = _slowed(one, min(clocks), reference) if clocks and math.isfinite(reference) else 0.0
    said = tr(
        "{count} of {devices} devices were slowed by heat, {name} for {share:.0%} of its work",
        count=len(told), devices=len(one.log.devices), name=worst.name, share=worst.heat_slowed_share,
    )  # fmt: skip
    more = (
        ""
        if math.isnan(worst.temperature_celsius)
        else tr(", at {celsius:.0f} degrees", celsius=worst.temperature_celsius)
    )
    return one.cause(
        "throttling", CausePart.STEP, CauseKind.SEEN, seconds, said + more,
        tr("fans, filters and the air before the racks; nvidia-smi -q -d PERFORMANCE"), always=True,
    )  # fmt: skip


def power_limit(one: Evidence) -> Cause | None:
    """Find a power limit below the maker's that the devices run into."""
    limit, capped = one.middle("power_limit_watts"), one.middle("power_capped_share")
    clock, most = one.middle("clock_hertz"), one.middle("most_clock_hertz")
    if limit is None or one.rated_watts is None or limit > one.rated_watts * (1 - one.rules.clock_share):
        return None
    if capped is not None and capped < MOSTLY:
        return None
    seconds = _slowed(one, clock, most) if clock and most else 0.0
    return one.cause(
        "throttling", CausePart.STEP, CauseKind.SEEN, seconds,
        tr("the power limit is {limit:.0f} W, the maker's {rated:.0f} W", limit=limit, rated=one.rated_watts),
        tr("nvidia-smi -q -d POWER; raise the limit where cooling and supply allow"), always=True,
    )  # fmt: skip


def slow_device(one: Evidence) -> Cause | None:
    """Find a device whose clock under load lies below its peers': in step with it, all others wait."""
    told = [use for use in one.log.devices if math.isfinite(use.clock_hertz)]
    if len(told) < 2:
        return None
    slowest = min(told, key=lambda use: use.clock_hertz)
    middle = median(use.clock_hertz for use in told)
    if slowest.clock_hertz > middle * (1 - one.rules.clock_share):
        return None
    words = {"name": slowest.name, "clock": slowest.clock_hertz / GIGA, "middle": middle / GIGA}
    return one.cause(
        "straggler", CausePart.STEP, CauseKind.SEEN, _slowed(one, slowest.clock_hertz, middle),
        tr("{name} works at {clock:.2f} GHz, its peers at {middle:.2f} GHz", **words),
        tr("its temperature, power limit and errors; leave its node out once"),
    )  # fmt: skip


def waiting(one: Evidence) -> Cause | None:
    """Find kernels that run all the time at little power: they wait for one another, in collectives."""
    watts, limit, busy = (one.middle(name) for name in ("power_watts", "power_limit_watts", "busy_share"))
    rated = limit or one.rated_watts
    exposed = one.share(*EXPOSED)
    if watts is None or not rated or not one.slow or not exposed or one.share(*PRODUCTS) < MOSTLY:
        return None
    if watts > one.rules.waiting_power_share * rated or (busy is not None and busy < BUSY):
        return None
    words = {"watts": watts, "rated": rated}
    return one.cause(
        "network", CausePart.STEP, CauseKind.SEEN, one.gap,
        tr("devices are never idle, yet draw {watts:.0f} W of {rated:.0f} W: their kernels wait", **words),
        tr("nccl-tests over the same ranks; counters of the network's ports; NCCL_DEBUG=INFO for the paths taken"),
    )  # fmt: skip


RULES: tuple[Rule, ...] = (idle, heat, power_limit, slow_device, waiting)
