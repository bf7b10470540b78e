"""From a steady step to the clock on the wall: slow nodes, checkpoints, failures, lost work, restarts, repairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from statistics import NormalDist

from suanli.catalogue.assumptions import assumption
from suanli.domain.hardware import System
from suanli.domain.plan import Assumed
from suanli.domain.result import TrainingEstimate
from suanli.domain.wall_clock import Recovery, RunTerms, Saving, Upkeep, WallClock
from suanli.equations import reliability
from suanli.equations.uncertainty import band_end, joint_log
from suanli.estimate.repairs import full_shares, waiting_seconds
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr

NODE_ACCELERATORS = 8
"""Published failure rates are of nodes of eight; larger systems count as several."""

DOMESTIC = "CN"
"""Where accelerators come from whose failure rate nobody has published."""

CAUSES = ("work", "stragglers", "jitter", "slow_nodes", "checkpoints", "lost_work", "restarts", "repairs")
BAND_DEVIATIONS = NormalDist().inv_cdf(0.9)
"""A band or range of 80 % ends so many standard deviations from its middle."""

QUANTILES = (0.5, 0.8, 0.95)
PACE = ("cluster.jitter", "cluster.slow_nodes", "cluster.slowdown", "cluster.unnoticed")
SAVING = ("checkpoint.bytes_per_parameter", "checkpoint.storage_per_node", "checkpoint.host_copy", "checkpoint.pause")
REPAIR = ("recovery.repair", "repair.hardware_share", "repair.most_waiting")
"""Whether spare nodes stand in for those in repair is a choice, so the ranges of these do not widen the quantiles."""

FLEET_FIGURES = (*PACE, *SAVING, *REPAIR)
"""Names of the figures that every run rests on, beside how often nodes fail and how long a restart takes."""

Values = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunJob:
    """A run to be put on the wall's clock: its best layout's step, how many of them, on which systems."""

    estimate: TrainingEstimate
    steps: float
    tokens: float
    parameters: float
    system: System
    systems: int
    upkeep: Upkeep

    @property
    def nodes(self) -> float:
        """How many nodes of eight the job occupies."""
        return nodes_of_eight(self.system, self.systems)


def nodes_of_eight(system: System, systems: int) -> float:
    """Count systems as nodes of eight accelerators, one at least."""
    return max(1.0, system.accelerators * systems / NODE_ACCELERATORS)


def rate_name(system: System, preset: str) -> str:
    """Name the failure rate of a system: the preset's, or a domestic accelerator's own where that is worse."""
    if system.accelerator.origin != DOMESTIC:
        return f"failures.{preset}"
    return max((f"failures.{preset}", "failures.domestic"), key=lambda name: assumption(name).value)


def names_of(job: RunJob) -> dict[str, str]:
    """Map each figure that a run rests on to the name it is kept under."""
    restart = "manual_restart" if job.upkeep.recovery is Recovery.MANUAL else "restart"
    own = {"failures": rate_name(job.system, job.upkeep.failures), "restart": f"recovery.{restart}"}
    unread = {"checkpoint.host_copy"} if job.upkeep.saving is Saving.BLOCKING else set()
    unread |= {"repair.most_waiting"} if job.upkeep.spares is not None else set()
    return own | {name: name for name in (*PACE, *SAVING, *REPAIR) if name not in unread}


def save_stalls(job: RunJob, values: Values) -> tuple[float, float]:
    """Return for how long a save holds the job up, and for how long it goes on behind its back."""
    saved = saved_bytes(job, values)
    stored = float(
        reliability.save_seconds(saved, job.nodes, values["checkpoint.storage_per_node"], values["checkpoint.pause"])
    )
    if job.upkeep.saving is Saving.BLOCKING:
        return stored, 0.0
    accelerators = float(job.system.accelerators * job.systems)
    copied = reliability.save_seconds(saved, accelerators, values["checkpoint.host_copy"], values["checkpoint.pause"])
    return min(float(copied), stored), stored


def saved_bytes(job: RunJob, values: Values) -> float:
    """Return the bytes of one checkpoint."""
    return job.parameters * values["checkpoint.bytes_per_parameter"]


def pace_shares(job: RunJob, values: Values) -> tuple[float, float]:
    """Return by which shares of the steady time jitter and slow nodes hold up a long run."""
    slow, slowdown, unnoticed = (values[name] for name in PACE[1:])
    return values[PACE[0]], float(reliability.slow_node_slowdown(job.nodes, slow, slowdown, unnoticed))


def spares_of(job: RunJob, values: Values, mtbf_seconds: float) -> int:
    """Return how many nodes stand by: as many as were given, else so many that the job hardly ever waits for one."""
    if job.upkeep.spares is not None:
        return job.upkeep.spares
    offered = values["repair.hardware_share"] * values["recovery.repair"] / mtbf_seconds
    shares = enumerate(full_shares(offered))
    return next(spares for spares, share in shares if spares and share <= values["repair.most_waiting"])


def terms_of(job: RunJob, values: Values) -> RunTerms:
    """Work out what a run is played by and added up from."""
    between = float(reliability.cluster_mtbf_seconds(job.nodes, values["failures"]))
    stall, background = save_stalls(job, values)
    best = float(reliability.checkpoint_interval_seconds(stall, between))
    return RunTerms(
        paced_seconds=steady_seconds(job) * (1 + sum(pace_shares(job, values))),
        mtbf_seconds=between,
        interval_seconds=max(best, background),
        stall_seconds=stall,
        background_seconds=background,
        restart_seconds=values["restart"],
        hardware_share=values["repair.hardware_share"],
        repair_seconds=values["recovery.repair"],
        spares=spares_of(job, values, between),
    )


def run_terms(job: RunJob) -> RunTerms:
    """Work out the terms of a run from the figures as they are kept."""
    return terms_of(job, {key: assumption(name).value for key, name in names_of(job).items()})


def drawn_terms(job: RunJob, plays: int, random: Random) -> list[RunTerms]:
    """Draw the terms of so many plays: the step from its band, the fleet's figures from their ranges.

    The spare nodes stay as many as are chosen for the figures as they are kept.
    """
    job = replace(job, upkeep=replace(job.upkeep, spares=run_terms(job).spares))
    names, deviation = names_of(job), step_log(job)
    drawn = []
    for _ in range(plays):
        step_seconds = job.estimate.step_seconds * float(band_end(deviation, random.gauss(0.0, 1.0)))
        play = replace(job, estimate=replace(job.estimate, step_seconds=step_seconds))
        values = {key: _drawn(key, assumption(name), random) for key, name in names.items()}
        drawn.append(terms_of(play, values))
    return drawn


def _drawn(key: str, figure: Figure, random: Random) -> float:
    """Draw a figure from its range, each side log-normal; no share is above the whole."""
    if key in REPAIR:
        return figure.value
    deviations = random.gauss(0.0, 1.0)
    end = figure.high if deviations > 0 else figure.low
    sigma = abs(math.log(end / figure.value)) / BAND_DEVIATIONS
    value = figure.value * float(band_end(sigma, deviations))
    return min(value, 1.0) if figure.unit == "1" else value


def step_log(job: RunJob) -> float:
    """Return one sigma of the log of a step's time."""
    band = job.estimate.band
    return math.log(band.high / band.low) / (2 * BAND_DEVIATIONS)


def up_seconds(terms: RunTerms) -> float:
    """Return the mean time of a run without waiting for repairs; infinite where it never ends."""
    share = float(
        reliability.goodput(
            terms.interval_seconds,
            terms.stall_seconds,
            terms.restart_seconds + terms.background_seconds,
            terms.mtbf_seconds,
        )
    )
    return terms.paced_seconds / share if share > 0 else math.inf


def stop_seconds(terms: RunTerms) -> dict[str, float]:
    """Return the mean seconds of a run beyond its paced work, by cause.

    Raises InfeasibleError where failures come so fast that the run never ends.
    """
    up = up_seconds(terms)
    if not math.isfinite(up):
        raise InfeasibleError(
            limit=tr("The run never ends: it fails every {seconds:.3g} s.", seconds=terms.mtbf_seconds),
            relief=tr("Restart it faster, keep more spare nodes, or take fewer nodes or ones that fail less often."),
        )
    stalls = terms.paced_seconds / terms.interval_seconds * terms.stall_seconds
    restarts = up * float(reliability.restarting_share(terms.restart_seconds, terms.mtbf_seconds))
    return {
        "checkpoints": stalls,
        "lost_work": max(up - terms.paced_seconds - stalls - restarts, 0.0),
        "restarts": restarts,
        "repairs": waiting_seconds(terms, up),
    }


def causes_of(job: RunJob, terms: RunTerms, values: Values) -> dict[str, float]:
    """Return the mean seconds of a whole run by cause."""
    steady = steady_seconds(job)
    stragglers = job.steps * job.estimate.seconds_by_cause.get("stragglers", 0.0)
    jitter, slow = pace_shares(job, values)
    found = {
        "work": steady - stragglers,
        "stragglers": stragglers,
        "jitter": jitter * steady,
        "slow_nodes": slow * steady,
    }
    return found | stop_seconds(terms)


def steady_share(job: RunJob, values: Values) -> float:
    """Return the share of a whole run that is steady training. Raises InfeasibleError where the run never ends."""
    return steady_seconds(job) / sum(causes_of(job, terms_of(job, values), values).values())


def steady_seconds(job: RunJob) -> float:
    """Return what all steps take without anything going wrong."""
    return job.steps * job.estimate.step_seconds


def chance_log(terms: RunTerms, wall_seconds: float) -> float:
    """Return one sigma of the log of a run's time, of when failures happen to strike.

    Failures are Poisson, so their number deviates by its root; below one expected, most runs meet none, and the spread
    is no wider than the mean loss.
    """
    cost = reliability.lost_seconds(
        terms.interval_seconds, terms.stall_seconds, terms.restart_seconds + terms.background_seconds
    )
    expected = wall_seconds / terms.mtbf_seconds
    return float(cost) * min(math.sqrt(expected), expected) / wall_seconds


def figures_log(job: RunJob, names: Mapping[str, str], values: Values, spares: int) -> float:
    """Return one sigma of the log of a run's time, of the ranges of the fleet's figures, each moved alone.

    The spare nodes stay as many as were chosen.
    """
    job = replace(job, upkeep=replace(job.upkeep, spares=spares))
    squares = 0.0
    for key, name in names.items():
        if key in REPAIR:
            continue
        figure = assumption(name)
        ends = [dict(values) | {key: end} for end in (figure.low, figure.high)]
        try:
            totals = [sum(causes_of(job, terms_of(job, end), end).values()) for end in ends]
        except InfeasibleError:
            return math.inf
        squares += (math.log(totals[1] / totals[0]) / (2 * BAND_DEVIATIONS)) ** 2
    return math.sqrt(squares)


def wall_clock(job: RunJob) -> WallClock:
    """Put a whole run on the wall's clock. Raises InfeasibleError where it never ends."""
    names = names_of(job)
    values = {key: assumption(name).value for key, name in names.items()}
    terms = terms_of(job, values)
    causes = causes_of(job, terms, values)
    wall = sum(causes.values())
    steady = steady_seconds(job)
    sigma = float(joint_log(step_log(job), chance_log(terms, wall), figures_log(job, names, values, terms.spares)))
    p50, p80, p95 = (wall * float(band_end(sigma, NormalDist().inv_cdf(share))) for share in QUANTILES)
    return WallClock(
        tokens=job.tokens,
        steps=job.steps,
        steady_seconds=steady,
        wall_seconds=wall,
        seconds_by_cause=causes,
        goodput=steady / wall,
        p50_seconds=p50,
        p80_seconds=p80,
        p95_seconds=p95,
        failures=(wall - causes["repairs"]) / terms.mtbf_seconds,
        mtbf_seconds=terms.mtbf_seconds,
        checkpoint_bytes=saved_bytes(job, values),
        checkpoint_interval_seconds=terms.interval_seconds,
        spares=terms.spares,
        assumed=tuple(Assumed(name=name, figure=assumption(name)) for name in names.values()),
    )
