"""Draws an estimated step over time: turns of stages become slices, and what a stage holds a line over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.result import TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.timeline import (
    GRADIENTS,
    NOT_DRAWN,
    OPTIMIZER,
    STRAGGLERS,
    WEIGHTS,
    Slice,
    StageTimeline,
    Timeline,
)
from suanli.domain.workload import TrainingSetup
from suanli.estimate.evaluate import ask
from suanli.estimate.memory_play import drawn_of, memory_lines, peak_of
from suanli.estimate.phases import Phases, phases
from suanli.estimate.software import load_training_calibration
from suanli.estimate.step import RawStep, open_machine, raw_step
from suanli.estimate.tables import to_table
from suanli.estimate.turns import Performance, perform, shown
from suanli.simulate.schedules import Phase

MOST_DRAWN = 2**15
"""Turns that get slices, about ten events each: a file that a browser still opens at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class After:
    """What a stage does after its turns: causes and seconds, and what waiting for slow nodes adds to all of it."""

    once: tuple[tuple[str, str, float], ...]
    straggler_share: float

    @property
    def seconds(self) -> float:
        """Sum of what is done once a step."""
        return sum(seconds for _, _, seconds in self.once)


def after_turns(estimate: TrainingEstimate, raw: RawStep, split: Phases) -> After:
    """Read from an estimate what comes once a step; exposed traffic is of gradients and of weights as they are sent.

    Of what travels to the host the turns hold the layers' part, and the optimizer's is what is left.
    """
    spent = estimate.seconds_by_cause
    sent, gathered = float(raw.reduce_stage[0]), float(raw.gather_stage[0])
    share = sent / (sent + gathered) if sent + gathered else 0.0
    stragglers = spent["stragglers"]
    products, stored = (sum(part[cause] for part in split.layer.values()) for cause in ("matmul", "offload_exposed"))
    layers = spent["matmul"] / products if products else 0.0
    return After(
        once=(
            (GRADIENTS, "data_exposed", share * spent["data_exposed"]),
            (OPTIMIZER, "optimizer", spent["optimizer"]),
            (OPTIMIZER, "offload_exposed", max(spent["offload_exposed"] - layers * stored, 0.0)),
            (WEIGHTS, "data_exposed", (1 - share) * spent["data_exposed"]),
        ),
        straggler_share=stragglers / (estimate.step_seconds - stragglers),
    )


def timeline(
    setup: TrainingSetup,
    cluster: Cluster,
    estimate: TrainingEstimate,
    kernels: KernelTable,
    *,
    calibration: TrainingCalibration | None = None,
    accelerators: int | None = None,
    most_drawn: int = MOST_DRAWN,
) -> Timeline:
    """Play the step of an estimate, made with the same arguments, turn by turn.

    The step's seconds are those of the play: after them the same turns can begin again. Raises InputError where the
    schedule does not take the layout's stages.
    """
    layout = estimate.layout
    machine = open_machine(cluster, kernels, accelerators or layout.accelerators)
    question = ask(setup, machine, calibration or load_training_calibration(), 0.0)
    table = to_table([layout])
    raw = raw_step(question.setup, machine, question.software, table)
    split = phases(question, table)
    performance, after = perform(layout, raw, split), after_turns(estimate, raw, split)
    turns, work = performance.work.program.turns, float(raw.micro_batches[0])
    kept = max(most_drawn // len(turns), 2)
    busy_seconds = performance.played.step_seconds + after.seconds
    waited = after.straggler_share * busy_seconds
    lines = memory_lines(question, table, performance)
    stages = tuple(
        StageTimeline(
            stage=stage,
            slices=(*_drawn(performance, stage, kept), *_afterwards(after, performance.played.ends[stage][-1], waited)),
            held=drawn_of(lines[stage], turns[stage], kept),
        )
        for stage in range(len(turns))
    )
    return Timeline(
        model=setup.model.name,
        system=cluster.system.name,
        layout=layout,
        step_seconds=busy_seconds + waited,
        estimated_seconds=estimate.step_seconds,
        micro_batches=work,
        turns=round(sum(map(len, turns)) * work / (work - performance.skipped)),
        drawn=sum(one.micro_batch is not None for stage in stages for one in stage.slices),
        stages=stages,
        peak=peak_of(lines),
    )


def _drawn(performance: Performance, stage: int, kept: int) -> Iterator[Slice]:
    """Make the slices of a stage's turns; one slice stands for those in the middle that are not drawn."""
    played = performance.played
    begins, ends = played.begins[stage], played.ends[stage]
    first, last = shown(len(ends), kept)
    yield from (_slice(performance, stage, at) for at in first)
    if last:
        begin = ends[first[-1]]
        yield Slice(name=NOT_DRAWN, begin_seconds=begin, seconds=begins[last[0]] - begin, parts=())
        yield from (_slice(performance, stage, at) for at in last)


def _slice(performance: Performance, stage: int, at: int) -> Slice:
    work, played = performance.work, performance.played
    phase, chunk, one = work.program.turns[stage][at]
    place, begin = work.program.positions[stage][chunk], played.begins[stage][at]
    seconds = played.ends[stage][at] - begin
    parts = work.parts[phase][place]
    size = work.last_share if one + 1 == work.program.micro_batches else 1.0
    scaled = tuple((cause, size * spent) for cause, spent in parts) if size < 1 else parts
    handed = seconds - sum(spent for _, spent in scaled)
    if phase is not Phase.WEIGHT and work.hop_seconds and handed > size * work.hop_seconds / 2:
        scaled = (*scaled, ("pipeline_exposed", handed))
    number = one + performance.skipped * (begin >= performance.middle_seconds)
    return Slice(name=phase.value, begin_seconds=begin, seconds=seconds, parts=scaled, micro_batch=number, chunk=chunk)


def _afterwards(after: After, begin: float, waited: float) -> Iterator[Slice]:
    """Make the slices of what follows a stage's turns."""
    for name, cause, seconds in (*after.once, (STRAGGLERS, "stragglers", waited)):
        if seconds > 0:
            yield Slice(name=name, begin_seconds=begin, seconds=seconds, parts=((cause, seconds),))
            begin += seconds
