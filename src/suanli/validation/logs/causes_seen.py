"""Causes that a training log shows itself: modes, stalls, pauses, drift, slow ranks, skipped steps, flushed caches."""

from __future__ import annotations

from suanli.domain.training_log import Cause, CauseKind, CausePart, PauseKind
from suanli.foundation.language import tr
from suanli.validation.logs.evidence import Evidence, Rule

LOADING = ("batch-generator", "data-loading")
"""Timers of making the next batch."""
OWN_WORK = ("forward-compute", "backward-compute")
"""Timers of a rank's own kernels, in which it does not wait for others."""


def loading(one: Evidence) -> Cause | None:
    """Read what making a batch takes of a step, by the log's own timer."""
    told = [one.log.timers[name][1] for name in LOADING if name in one.log.timers]
    if not told:
        return None
    return one.cause(
        "input_pipeline", CausePart.STEP, CauseKind.SEEN, max(told),
        tr("making the next batch takes {seconds:.3g} s of a step by the log's own timer", seconds=max(told)),
        tr("more workers that load, data on local disks, tokens made ahead"),
    )  # fmt: skip


def modes(one: Evidence) -> Cause | None:
    """Tell two speeds of steps: something else than the step's own work decides."""
    pace = one.pace
    if not pace.slow_mode_share:
        return None
    told = {"fast": pace.fast_mode_seconds, "slow": pace.slow_mode_seconds, "share": pace.slow_mode_share}
    idle = _idle(one)
    return one.cause(
        "input_pipeline", CausePart.STEP, CauseKind.SEEN if idle else CauseKind.POSSIBLE,
        pace.slow_mode_share * (pace.slow_mode_seconds - pace.fast_mode_seconds),
        tr("steps have two speeds: {fast:.3g} s, and {slow:.3g} s in {share:.0%} of them", **told),
        tr("time the loader alone; train on batches made once: if one speed is left, it was the input"),
    )  # fmt: skip


def _idle(one: Evidence) -> bool:
    busy = one.middle("busy_share")
    return busy is not None and 1 - busy >= one.rules.idle_share


def stalls(one: Evidence) -> Cause | None:
    """Tell single steps that take far longer, of which no pause is known."""
    pace = one.pace
    if not pace.stalls:
        return None
    told = {"count": pace.stalls, "reports": pace.reports, "every": pace.stall_every}
    check = tr("time the loader alone; look for what else runs on the hosts at those steps")
    kind = CauseKind.SEEN if _idle(one) else CauseKind.POSSIBLE
    said = (
        tr("{count} of {reports} reports stand far above the others, every {every} steps", **told)
        if pace.stall_every
        else tr("{count} of {reports} reports stand far above the others, at no fixed distance", **told)
    )
    return one.cause("input_pipeline", CausePart.BETWEEN, kind, pace.stall_seconds, said, check)


def checks() -> dict[str, str]:
    """Return what mends a pause of each kind."""
    return {
        "checkpoint": tr("save less often, or asynchronously; write to local disks first"),
        "evaluation": tr("evaluate less often, or on fewer batches"),
        "garbage_collection": tr("collect less often, on all ranks at one step (torchtitan: gc_freq)"),
    }


def pauses(kind: PauseKind) -> Rule:
    """Return the rule of one kind of pause: told in the log or by its period, and timed."""
    name = kind.value.replace(" ", "_")

    def rule(one: Evidence) -> Cause | None:
        seconds = one.pace.pause_seconds.get(kind, 0.0)
        known = [pause for pause in one.log.pauses if pause.kind is kind]
        if not known:
            return None
        words = {"count": len(known), "seconds": seconds * max(one.log.last_step, 1) / len(known)}
        said = (
            tr("{count} pauses of {seconds:.3g} s each, told in the log", **words)
            if known[0].told
            else tr("{count} steps stand out by {seconds:.3g} s each, at the setting's own period", **words)
        )
        return one.cause(name, CausePart.BETWEEN, CauseKind.SEEN, seconds, said, checks()[name])

    return rule


def drift(one: Evidence) -> Cause | None:
    """Tell a step that grows over the log, beyond what its own spread makes of it."""
    change = one.pace.drift
    if change < max(one.rules.drift_share, one.pace.spread):
        return None
    hot = one.middle("temperature_celsius")
    said = tr("the step grew by {change:.1%} over the log", change=change)
    more = "" if hot is None else tr(", devices reached {celsius:.0f} degrees", celsius=hot)
    return one.cause(
        "slowing_down", CausePart.STEP, CauseKind.SEEN, change / (1 + change) * one.step, said + more,
        tr("clocks and temperature over time; memory of the hosts; growing lists in the loader"),
    )  # fmt: skip


def slow_rank(one: Evidence) -> Cause | None:
    """Tell a rank whose own work takes longer, for which all wait. Stages of a pipeline differ anyway."""
    if one.layout.pipeline > 1:
        return None
    told = [one.log.timers[name] for name in OWN_WORK if name in one.log.timers]
    least, most = (sum(pair[place] for pair in told) for place in (0, 1))
    if not told or most < least * (1 + one.rules.slow_rank_share):
        return None
    return one.cause(
        "straggler", CausePart.STEP, CauseKind.SEEN, (most - least) / 2,
        tr("the slowest rank works {most:.3g} s of a step, the fastest {least:.3g} s", most=most, least=least),
        tr("clocks, heat and errors of that rank's device; leave its node out once"),
    )  # fmt: skip


def skipped(one: Evidence) -> Cause | None:
    """Count steps that were computed and thrown away: the loss scale overflowed, or a gradient was no number."""
    if not one.log.skipped_steps or not one.log.last_step:
        return None
    share = min(one.log.skipped_steps / one.log.last_step, 1.0)
    return one.cause(
        "skipped_steps", CausePart.BETWEEN, CauseKind.SEEN, share * one.step,
        tr("{count} of {steps} steps were thrown away", count=one.log.skipped_steps, steps=one.log.last_step),
        tr("bf16 instead of fp16; a smaller first loss scale"),
    )  # fmt: skip


def flushes(one: Evidence) -> Cause | None:
    """Count how often the allocator gave its cache back and asked anew, the device standing still."""
    if not one.log.allocator_flushes:
        return None
    return one.cause(
        "memory_pressure", CausePart.STEP, CauseKind.SEEN, 0.0,
        tr("the allocator flushed its cache {count} times", count=one.log.allocator_flushes),
        tr("a smaller micro-batch or more recomputation; expandable segments of the allocator"), always=True,
    )  # fmt: skip


def timers(one: Evidence) -> Cause | None:
    """Tell timers that wait for the device at every part of a step: no work runs beside work."""
    if one.said("sync_timers") is not True or not one.slow:
        return None
    return one.cause(
        "synchronous_timers", CausePart.STEP, CauseKind.SETTING, 0.0,
        tr("the run times every part of a step, for which it waits each time"),
        tr("turn the breakdown off (wall_clock_breakdown, barrier-with-L1-time) and compare"), always=True,
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    loading, modes, stalls, *(pauses(kind) for kind in PauseKind), drift, slow_rank, skipped, flushes, timers,
)  # fmt: skip
