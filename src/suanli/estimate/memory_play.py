"""What every stage holds while a step is played, cause by cause: the closed form's fullest rank over time.

- Weights, the optimizer's state, buffers and the runtime stay; so do gradients where software keeps a buffer for them.
  Software that shards in 32 bits (FSDP), or keeps none between steps, does not: they come with a chunk's first backward
  turn.
- Activations come as a forward turn begins and go as its last gradient ends. Logits and their gradient stand at the end
  of a forward turn with the head and are gone when the next turn begins; a backward turn holds a layer computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import LayoutTable, Schedule
from suanli.domain.result import TrainingEstimate
from suanli.domain.software import TrainingCalibration
from suanli.domain.timeline import Held, MemoryPeak
from suanli.domain.workload import TrainingSetup
from suanli.equations.memory import logits_bytes
from suanli.estimate.evaluate import Question, ask, frozen_bytes, paged_bytes
from suanli.estimate.kept import activations
from suanli.estimate.memory import MEMORY_CAUSES, Stage, stage_states
from suanli.estimate.optimizers import layers_on_device
from suanli.estimate.phases import phases
from suanli.estimate.shards import stage_parameters
from suanli.estimate.step import job_of, open_machine, raw_step
from suanli.estimate.tables import layout_at, to_table
from suanli.estimate.turns import Performance, perform, shown
from suanli.estimate.updates import activations_away, optimizer_away
from suanli.foundation.equation import Real
from suanli.foundation.errors import InputError
from suanli.parts.axes.axis import tokens_at_once
from suanli.parts.axes.sharding import Parameters
from suanli.simulate.schedules import Phase, Turn

MOST_PLAYED = 2**13
"""Turns that are played to find a peak, which the first rounds of a step reach."""
SHORT_LIVED = ("activations", "logits", "buffers")
"""Causes between whose tensors an allocator loses a share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What a stage holds over time, and for each moment the place of the turn that it belongs to."""

    held: tuple[Held, ...]
    turns: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """Bytes that moments are made of: what a layer keeps of a micro-batch, one computed again, logits, shares lost.

    `moving` are the layers of each place that train, which alone keep anything.
    """

    layer_bytes: float
    working_bytes: float
    logits_bytes: float
    most_layers: float
    fragmentation: float
    runtime_bytes: float
    gradients_come: bool
    moving: tuple[float, ...]


def memory_lines(question: Question, table: LayoutTable, performance: Performance) -> tuple[Line, ...]:
    """Play what each stage of the one layout of a table holds."""
    setup, software = question.setup, question.software
    job = job_of(setup, question.machine)
    kept, working = activations(setup, job, software, table)
    logits = logits_bytes(tokens_at_once(job, table), float(setup.model.vocabulary), table.tensor, software.logit_bytes)
    parts = _Parts(
        layer_bytes=_one(kept),
        working_bytes=_one(working),
        logits_bytes=_one(logits),
        most_layers=layers_on_device() if _one(activations_away(table)) else np.inf,
        fragmentation=software.fragmentation,
        runtime_bytes=software.reserved_bytes,
        gradients_come=software.sharded_master > 0 or software.pure_states > 0,
        moving=moving_layers(setup, performance.work.layers),
    )
    states = _states(question, table, performance)
    return tuple(_line(performance, stage, states[stage], parts) for stage in range(len(states)))


def memory_peak(
    setup: TrainingSetup,
    cluster: Cluster,
    estimate: TrainingEstimate,
    kernels: KernelTable,
    calibration: TrainingCalibration,
) -> MemoryPeak | None:
    """Say where and when the step of an estimate is fullest; None where its schedule does not take the stages."""
    layout = estimate.layout
    question = ask(setup, open_machine(cluster, kernels, layout.accelerators), calibration, 0.0)
    table = to_table([layout])
    raw = raw_step(question.setup, question.machine, question.software, table)
    try:
        performance = perform(layout, raw, phases(question, table), MOST_PLAYED)
    except InputError:
        return None
    return peak_of(memory_lines(question, table, performance))


def _one(column: Real) -> float:
    return float(np.asarray(column).reshape(-1)[0])


def _ends(first: float, last: float, schedule: Schedule, stages: int) -> list[float]:
    """Parameters of embedding and head on each stage: on both ends, on the first alone, or on each end both."""
    if stages == 1:
        return [last]
    between = [0.0] * (stages - 2)
    if schedule is Schedule.DUALPIPE:
        return [first, *between, first]
    return [first, *between, last]


def moving_layers(setup: TrainingSetup, layers: Sequence[float]) -> tuple[float, ...]:
    """Layers of each place that train, in the order of the model: the first ones may be frozen."""
    if setup.freezing.all_but_head:
        return (0.0,) * len(layers)
    found, passed = [], 0.0
    for held in layers:
        passed += held
        found.append(min(max(passed - setup.freezing.layers, 0.0), held))
    return tuple(found)


def _states(question: Question, table: LayoutTable, performance: Performance) -> list[dict[str, float]]:
    """Bytes of what stays on each stage: of the layers that it holds, and of tables on the ends."""
    setup, work = question.setup, performance.work
    held, moving = stage_parameters(setup, table), moving_layers(setup, work.layers)
    places, schedule = work.program.positions, layout_at(table, 0).schedule
    tables = _ends(_one(held.first_tables), _one(held.last_tables), schedule, len(places))
    trained = _ends(_one(held.trained_first_tables), _one(held.trained_last_tables), schedule, len(places))
    paged, found = _one(paged_bytes(question, table)), []
    for chunks, outer, changed in zip(places, tables, trained, strict=True):
        layers, train = (sum(one[place] for place in chunks) for one in (work.layers, moving))
        stage = Stage(
            held=Parameters(dense=layers * held.layer.dense + outer, expert=layers * held.layer.expert),
            tables=outer,
            trained=Parameters(
                dense=train * held.trained_layer.dense + changed, expert=train * held.trained_layer.expert
            ),
            trained_tables=changed,
        )
        states = stage_states(setup, question.software, table, stage, held, frozen_bytes(question))
        told = {name: _one(one) for name, one in states.items()}
        told["optimizer"] = max(told["optimizer"] * (1 - _one(optimizer_away(table))) - paged, 0.0)
        found.append(told)
    return found


def _line(performance: Performance, stage: int, states: Mapping[str, float], parts: _Parts) -> Line:
    """Follow a stage through its turns: two moments a turn, as it begins and as it ends."""
    played, turns = performance.played, performance.work.program.turns[stage]
    stood = _Stage(performance, stage, states, parts)
    moments, held, at = [], [], []
    for place, (turn, begin, end) in enumerate(zip(turns, played.begins[stage], played.ends[stage], strict=True)):
        for moment, now in ((begin, stood.begun(turn)), (end, stood.ended(turn))):
            moments.append(moment)
            held.append(now)
            at.append(place)
    told = tuple(Held(moment_seconds=one, bytes_by_cause=now) for one, now in zip(moments, held, strict=True))
    return Line(held=told, turns=tuple(at))


class _Stage:
    """One stage as its turns go by: layers held, which chunks have gradients, whether logits or a layer live."""

    def __init__(self, performance: Performance, stage: int, states: Mapping[str, float], parts: _Parts) -> None:
        self.work, self.states, self.parts = performance.work, states, parts
        self.places = self.work.program.positions[stage]
        self.layers = 0.0
        self.logits = 0.0
        self.working = 0.0
        self.chunks_done: set[int] = set()

    def size(self, turn: Turn) -> float:
        """How large the turn's micro-batch is: the last one may be smaller."""
        return self.work.last_share if turn[2] + 1 == self.work.program.micro_batches else 1.0

    def at_head(self, turn: Turn) -> bool:
        """Whether the turn's chunk ends in the head."""
        return self.places[turn[1]] + 1 == self.work.program.length

    def begun(self, turn: Turn) -> Mapping[str, float]:
        """Return what is held once a turn has begun."""
        phase, chunk, _ = turn
        self.logits = 0.0
        if phase is Phase.FORWARD:
            self.layers += self.size(turn) * self.parts.moving[self.places[chunk]]
        elif phase is not Phase.WEIGHT:
            self.working = self.size(turn)
            self.chunks_done.add(chunk)
        return self.now()

    def ended(self, turn: Turn) -> Mapping[str, float]:
        """Return what is held once a turn has ended."""
        phase, chunk, _ = turn
        self.working = 0.0
        if phase is Phase.FORWARD:
            self.logits = self.size(turn) if self.at_head(turn) else 0.0
        elif phase is not Phase.INPUT:
            self.layers -= self.size(turn) * self.parts.moving[self.places[chunk]]
        return self.now()

    def gradients(self) -> float:
        """Share of the stage's gradients that exists."""
        if not self.parts.gradients_come:
            return 1.0
        own = [self.work.layers[place] for place in self.places]
        return sum(own[chunk] for chunk in self.chunks_done) / sum(own)

    def now(self) -> Mapping[str, float]:
        """Add up what is held, by cause."""
        parts, states = self.parts, self.states
        live = parts.layer_bytes * min(max(self.layers, 0.0), parts.most_layers)
        told = {
            "weights": states["weights"],
            "gradients": self.gradients() * states["gradients"],
            "optimizer": states["optimizer"],
            "activations": live + self.working * parts.working_bytes,
            "logits": self.logits * parts.logits_bytes,
            "buffers": states["buffers"],
            "runtime": parts.runtime_bytes,
        }
        told["fragmentation"] = parts.fragmentation * sum(told[name] for name in SHORT_LIVED)
        return {name: told[name] for name in MEMORY_CAUSES}


def drawn_of(line: Line, turns: Sequence[Turn], kept: int) -> tuple[Held, ...]:
    """Return the moments of the turns that are drawn."""
    first, last = shown(len(turns), kept)
    seen = {*first, *last}
    return tuple(held for held, turn in zip(line.held, line.turns, strict=True) if turn in seen)


def peak_of(lines: Iterable[Line]) -> MemoryPeak:
    """Find the fullest moment of all stages, the earliest of equal ones."""
    told = [(stage, held, sum(held.bytes_by_cause.values())) for stage, line in enumerate(lines) for held in line.held]
    stages = max(stage for stage, _, _ in told) + 1
    most = [max(total for one, _, total in told if one == stage) for stage in range(stages)]
    stage, held, total = max(told, key=lambda one: one[2])
    return MemoryPeak(
        stage=stage,
        moment_seconds=held.moment_seconds,
        bytes_by_cause=held.bytes_by_cause,
        memory_bytes=total,
        stage_bytes=tuple(most),
    )
