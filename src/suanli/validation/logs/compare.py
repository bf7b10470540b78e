"""A run beside its prediction: values, the share that it reaches, causes in order, and when it will end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import Layout, Offload, Recompute
from suanli.domain.measured import ComparedValue
from suanli.domain.result import Band, TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.training_log import Cause, CauseKind, CausePart, LogComparison, MemoryKind, Pace, PauseKind, Progress
from suanli.domain.validation import PREDICTED
from suanli.domain.workload import Attention, TrainingSetup
from suanli.estimate.search import search_told
from suanli.estimate.space import Freedom
from suanli.estimate.training import estimate_layout
from suanli.foundation.errors import SuanliError
from suanli.foundation.language import tr
from suanli.validation.logs import causes_device, causes_model, causes_seen
from suanli.validation.logs.evidence import Evidence
from suanli.validation.logs.merge import RunLog, step_times
from suanli.validation.logs.rules import load_rules
from suanli.validation.logs.steady import implied_pauses, pace_of

UNSEEN: Mapping[MemoryKind, tuple[str, ...]] = {
    MemoryKind.ALLOCATED: ("fragmentation", "runtime"),
    MemoryKind.RESERVED: ("runtime",),
    MemoryKind.DEVICE: (),
}
"""Causes of memory that a printed peak does not count: the allocator knows of no context beside it."""
GIB = 2**30
LARGER = (2, 4)
COMPILED = {"torch_eager": "torch_compiled", "torch_eager_fused": "torch_compiled"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedJob:
    """What ran, as the model sees it, and what a search may choose."""

    setup: TrainingSetup
    cluster: Cluster
    layout: Layout
    freedom: Freedom
    calibration: TrainingCalibration
    kernels: KernelTable
    assumed: tuple[str, ...] = ()

    def estimate(self, setup: TrainingSetup | None = None, layout: Layout | None = None) -> TrainingEstimate:
        """Estimate the job, with another setup or layout where one is given."""
        return estimate_layout(
            setup or self.setup, self.cluster, layout or self.layout, self.kernels, calibration=self.calibration
        )


def compare_log(run: str, log: RunLog, job: LoggedJob, searched: bool) -> LogComparison:
    """Hold a run against its prediction; `searched` says whether other layouts are looked for."""
    estimate = job.estimate()
    tokens = float(job.setup.global_batch * job.setup.sequence_tokens)
    times = step_times(log.reports, tokens, float(job.setup.global_batch), job.layout.accelerators)
    pace = None
    if times is not None and len(times):
        log = replace(log, pauses=(*log.pauses, *implied_pauses(times, log.pauses, _periods(log))))
        pace = pace_of(times, log.pauses)
    best = _best(job) if searched else None
    causes: tuple[Cause, ...] = ()
    if pace is not None:
        causes = causes_of(_evidence(log, pace, job, estimate, best))
    faster = best if best is not None and best.step_seconds < estimate.step_seconds else None
    return LogComparison(
        run=run,
        tools=log.tools,
        model=job.setup.model.name,
        system=job.cluster.system.name,
        accelerators=job.layout.accelerators,
        layout=job.layout,
        rows=tuple(_rows(run, log, pace, job, estimate)),
        reached_share=None if pace is None else estimate.step_seconds / pace.step_seconds,
        inside_band=None if pace is None else estimate.band.low <= pace.step_seconds <= estimate.band.high,
        pace=pace,
        causes=causes,
        progress=progress_of(log, pace),
        devices=log.devices,
        best_layout=None if faster is None else faster.layout,
        best_step_seconds=None if faster is None else faster.step_seconds,
        settings={name: one for name, one in log.settings.items() if name not in INNER},
        skipped_steps=log.skipped_steps,
        assumed=(*job.assumed, *estimate.assumed),
        notes=(*log.notes, *_fit_notes(estimate)),
    )


PERIODS = {
    "save_every": PauseKind.CHECKPOINT, "evaluate_every": PauseKind.EVALUATION, "collect_every": PauseKind.COLLECTION,
}  # fmt: skip
"""Settings of after how many steps something is done, and what it is."""


def _periods(log: RunLog) -> dict[PauseKind, int]:
    """Return after how many steps what is done, as settings tell; once a step or two is no period that can be seen."""
    told = {kind: log.settings.get(name) for name, kind in PERIODS.items()}
    return {kind: int(one.value) for kind, one in told.items() if one is not None and int(one.value) > 2}


INNER = ("trains", "steps_done", "samples_a_step")
"""Settings that readers only note for this comparison."""


def _fit_notes(estimate: TrainingEstimate) -> tuple[str, ...]:
    """Say where a layout that ran is predicted not to fit: then a setting is not as the files tell it."""
    if not estimate.limit:
        return ()
    held, room = estimate.memory_bytes / GIB, estimate.capacity_bytes / GIB
    said = tr("The layout ran, yet is predicted to need {held:.1f} of {room:.1f} GiB", held=held, room=room)
    return (said + tr(": a setting may not be as told, such as what is computed again."),)


def _best(job: LoggedJob) -> TrainingEstimate | None:
    try:
        found = search_told(
            job.setup, job.cluster, job.kernels, keep=1, calibration=job.calibration, freedom=job.freedom
        )
    except SuanliError:
        return None
    return found.estimates[0]


def _evidence(
    log: RunLog, pace: Pace, job: LoggedJob, estimate: TrainingEstimate, best: TrainingEstimate | None
) -> Evidence:
    rated = job.cluster.system.accelerator.power_watts
    return Evidence(
        log=log, pace=pace, setup=job.setup, layout=job.layout, estimate=estimate, what_if=what_if(log, job), best=best,
        rated_watts=rated.value if rated else None, rules=load_rules(),
    )  # fmt: skip


def what_if(log: RunLog, job: LoggedJob) -> dict[str, TrainingEstimate]:
    """Estimate single changes of a job, and return those that keep every rule and fit."""
    layout, setup = job.layout, job.setup
    tried: dict[str, tuple[TrainingSetup, Layout]] = {}
    if layout.recompute is not Recompute.NONE:
        tried["recompute none"] = (setup, replace(layout, recompute=Recompute.NONE))
    if layout.recompute is Recompute.FULL:
        tried["recompute selective"] = (setup, replace(layout, recompute=Recompute.SELECTIVE))
    for times in LARGER:
        tried[f"micro-batch {times}"] = (setup, replace(layout, micro_batch=layout.micro_batch * times))
    if setup.attention is Attention.UNFUSED:
        tried["attention flash"] = (replace(setup, attention=Attention.FLASH), layout)
    if layout.offload is not Offload.NONE:
        tried["offload none"] = (setup, replace(layout, offload=Offload.NONE))
    compiled = log.settings.get("compiled")
    if compiled is not None and compiled.value is False and setup.framework in COMPILED:
        tried["compiled"] = (replace(setup, framework=COMPILED[setup.framework]), layout)
    told: dict[str, TrainingEstimate] = {}
    for name, (other_setup, other_layout) in tried.items():
        try:
            one = job.estimate(other_setup, other_layout)
        except SuanliError:
            continue
        if not one.limit and one.memory_bytes <= one.capacity_bytes:
            told[name] = one
    return told


def causes_of(one: Evidence) -> tuple[Cause, ...]:
    """Apply every rule, and put what they tell in order: what is seen first, the largest first, layouts last."""
    rules = (*causes_device.RULES, *causes_seen.RULES, *causes_model.RULES)
    told = [cause for cause in (rule(one) for rule in rules) if cause is not None]
    return tuple(sorted(_together(told), key=_place))


KINDS = tuple(CauseKind)


def _place(one: Cause) -> tuple[bool, int, float]:
    return one.part is CausePart.LAYOUT, KINDS.index(one.kind), -one.saved_seconds


def _together(causes: Iterable[Cause]) -> list[Cause]:
    """Put causes of one name together: the surest and largest speaks, with the evidence of those beside it."""
    by_name: dict[tuple[str, CausePart], list[Cause]] = {}
    for cause in causes:
        by_name.setdefault((cause.name, cause.part), []).append(cause)
    told = []
    for same in by_name.values():
        first, *rest = sorted(same, key=_place)
        more = (
            [] if first.part is CausePart.LAYOUT else [one.evidence for one in rest if one.evidence != first.evidence]
        )
        told.append(replace(first, evidence="; ".join([first.evidence, *more])))
    return told


def _rows(
    run: str, log: RunLog, pace: Pace | None, job: LoggedJob, estimate: TrainingEstimate
) -> Iterable[ComparedValue]:
    tool = ", ".join(log.tools)

    def row(quantity: str, statistic: str, measured: float, predicted: float, band: Band) -> ComparedValue:
        return ComparedValue(
            run=run, tool=tool, quantity=quantity, statistic=statistic, measured=measured, predicted=predicted,
            low=band.low, high=band.high, error=predicted / measured - 1, status=PREDICTED,
        )  # fmt: skip

    if pace is not None:
        yield row("step_seconds", "p50", pace.step_seconds, estimate.step_seconds, estimate.band)
        tokens = job.setup.global_batch * job.setup.sequence_tokens
        band = Band(low=tokens / estimate.band.high, high=tokens / estimate.band.low)
        yield row("tokens_per_s", "p50", tokens / pace.step_seconds, estimate.tokens_per_s, band)
    for kind, size in log.peaks.items():
        share = 1 - sum(estimate.bytes_by_cause[cause] for cause in UNSEEN[kind]) / estimate.memory_bytes
        band = Band(low=estimate.memory_band.low * share, high=estimate.memory_band.high * share)
        yield row("memory_bytes", kind.value, size, estimate.memory_bytes * share, band)


def progress_of(log: RunLog, pace: Pace | None) -> Progress:
    """Say how far a run is and when it ends at the pace that it had on the wall, pauses in it."""
    said = log.settings.get("total_steps")
    total = int(said.value) if said is not None else None
    done = total is not None and log.last_step >= total
    left = None
    if total is not None and pace is not None and not done:
        left = (total - log.last_step) * pace.wall_step_seconds
    clock = log.last_clock_seconds
    return Progress(
        last_step=log.last_step,
        total_steps=total,
        done_share=min(log.last_step / total, 1.0) if total else None,
        left_seconds=left,
        end_clock_seconds=clock + left if clock is not None and left is not None else None,
        ended=log.ended or done,
    )
