"""What the turns of one layout's step consist of, and how they play: causes of an estimate as turns of stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from suanli.domain.layout import Layout, Schedule
from suanli.estimate.phases import Phases
from suanli.estimate.step import RawStep
from suanli.simulate.schedules import CHUNKED, Phase, Program, program
from suanli.simulate.step import Played, TurnSeconds, play

MOST_PLAYED = 2**20
"""Turns that are played, which takes seconds; a longer step goes on in the rhythm of its rounds."""
Parts = tuple[tuple[str, float], ...]
"""Causes and their seconds, in the order in which they are drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A step's work: the program, the layers at each position, and what each phase there consists of."""

    program: Program
    layers: tuple[float, ...]
    parts: Mapping[Phase, tuple[Parts, ...]]
    hop_seconds: float
    last_share: float

    def seconds(self) -> TurnSeconds:
        """Add up the parts of every phase and position."""
        sums = {phase: tuple(total(parts) for parts in places) for phase, places in self.parts.items()}
        return TurnSeconds(
            forward_seconds=sums[Phase.FORWARD],
            input_seconds=sums[Phase.INPUT],
            weight_seconds=sums[Phase.WEIGHT],
            hop_seconds=self.hop_seconds,
            last_share=self.last_share,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """A step as played; `skipped` micro-batches in its middle, from `middle_seconds` on, only count for their time."""

    work: Work
    played: Played
    skipped: int = 0
    middle_seconds: float = math.inf


def total(parts: Parts) -> float:
    """Add up the seconds of parts."""
    return sum(seconds for _, seconds in parts)


def stage_layers(raw: RawStep) -> tuple[int, ...]:
    """Return the layers of each stage: the last has what the formulas give it, the others share the rest evenly.

    Where that does not come out even the first ones, which also hold the embedding, have one less.
    """
    stages, last, layers = (int(column[0]) for column in (raw.pipeline, raw.last, raw.layer_count))
    if stages == 1:
        return (layers,)
    few, more = divmod(layers - last, stages - 1)
    return (*(few + (stage >= stages - 1 - more) for stage in range(stages - 1)), last)


def path_layers(schedule: Schedule, chunks: int, stages: tuple[int, ...]) -> tuple[float, ...]:
    """Return the layers at each position of the path.

    A stage with fewer layers than the fullest has them missing in its last chunks, beside the head; the stages before
    the last one in their first chunks, beside the embedding. Where the path turns back, the first stage is also the
    last: it has the fewest layers, half of them at each of its positions.
    """
    if schedule is Schedule.ZB_V and len(stages) > 1:
        halves = [layers / 2 for layers in reversed(stages)]
        return (*halves, *reversed(halves))
    full = max(stages) / chunks
    split = [filled(layers, chunks, full, early=stage + 1 == len(stages)) for stage, layers in enumerate(stages)]
    return tuple(split[stage][chunk] for chunk in range(chunks) for stage in range(len(stages)))


def filled(layers: int, chunks: int, full: float, early: bool) -> list[float]:
    """Fill a stage's chunks with layers, the early ones first or the late ones first."""
    found = [min(max(layers - chunk * full, 0.0), full) for chunk in range(chunks)]
    return found if early else found[::-1]


def _in_order(sums: Mapping[str, float]) -> Parts:
    """Put arithmetic first, then the traffic that nothing hides."""
    kept = [(cause, seconds) for cause, seconds in sums.items() if seconds > 0]
    return tuple(sorted(kept, key=lambda part: part[0].endswith("_exposed")))


def _parts(split: Phases, layers: float, phase: Phase, head: bool) -> Parts:
    """List what a phase takes at a position."""
    found = {cause: layers * seconds for cause, seconds in split.layer[phase].items()}
    return _in_order({**found, "head": split.head[phase] if head else 0.0})


def _together(one: Parts, other: Parts) -> Parts:
    """Add up two lists of parts, cause by cause."""
    sums = dict(one)
    for cause, seconds in other:
        sums[cause] = sums.get(cause, 0.0) + seconds
    return _in_order(sums)


def work_of(layout: Layout, raw: RawStep, split: Phases, micro_batches: float) -> Work:
    """Put together what some micro-batches of a layout consist of; the last of them may be a smaller one.

    Raises InputError where the schedule does not take the layout's stages.
    """
    schedule, whole = layout.schedule, math.ceil(micro_batches)
    chunks = layout.interleave if schedule in CHUNKED and layout.pipeline > 1 else 1
    turns = program(schedule, layout.pipeline, chunks, whole)
    layers = path_layers(schedule, chunks, stage_layers(raw))
    parts = {
        phase: tuple(_parts(split, count, phase, at + 1 == turns.length) for at, count in enumerate(layers))
        for phase in split.layer
    }
    parts[Phase.BACKWARD] = tuple(map(_together, parts[Phase.INPUT], parts[Phase.WEIGHT]))
    share = micro_batches - (whole - 1)
    return Work(program=turns, layers=layers, parts=parts, hop_seconds=split.hop_seconds, last_share=share)


def perform(layout: Layout, raw: RawStep, split: Phases, most: int = MOST_PLAYED) -> Performance:
    """Play a step; of one with more turns than `most` whole rounds in the middle are left out.

    Each of them counts for what one round more has taken: all that begins in the later half is put off by that.
    """
    work, rounds = float(raw.micro_batches[0]), 2 * layout.pipeline
    a_batch = layout.pipeline * max(layout.interleave, 2) * 2
    kept = max(most // a_batch, 2 * rounds)
    skipped = rounds * math.ceil((work - kept) / rounds) if work > kept else 0
    whole = work_of(layout, raw, split, work - skipped)
    played = play(whole.program, whole.seconds())
    if not skipped:
        return Performance(work=whole, played=played)
    less = work_of(layout, raw, split, work - skipped - rounds)
    shorter = play(less.program, less.seconds())
    gap = (played.step_seconds - shorter.step_seconds) * skipped / rounds
    middle = played.step_seconds / 2
    return Performance(work=whole, played=put_off(played, middle, gap), skipped=skipped, middle_seconds=middle)


def put_off(played: Played, middle_seconds: float, gap_seconds: float) -> Played:
    """Put off all that begins in the later half."""

    def later(moments: tuple[float, ...], begins: tuple[float, ...]) -> tuple[float, ...]:
        pairs = zip(moments, begins, strict=True)
        return tuple(moment + gap_seconds * (begin >= middle_seconds) for moment, begin in pairs)

    return replace(
        played,
        begins=tuple(map(later, played.begins, played.begins)),
        ends=tuple(map(later, played.ends, played.begins)),
    )


def shown(count: int, kept: int) -> tuple[range, range]:
    """Return the places of the turns that are drawn: all of them, or the first and the last ones."""
    if count <= kept:
        return range(count), range(0)
    return range(kept // 2), range(count - kept // 2, count)
