"""Plays one training step of a pipeline: every turn begins when its stage is free and what it needs has arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.simulate.schedules import Phase, Program, Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnSeconds:
    """Seconds of the phases of one micro-batch at each position of the path, and of handing on to another stage.

    A hop holds up the stage that hands on: it is the share of the transfer that nothing hides. `last_share` is how
    large the last micro-batch is.
    """

    forward_seconds: tuple[float, ...]
    input_seconds: tuple[float, ...]
    weight_seconds: tuple[float, ...]
    hop_seconds: float = 0.0
    last_share: float = 1.0

    def by_phase(self) -> Mapping[Phase, tuple[float, ...]]:
        """Return the seconds of each phase by position."""
        both = tuple(one + other for one, other in zip(self.input_seconds, self.weight_seconds, strict=True))
        return {
            Phase.FORWARD: self.forward_seconds,
            Phase.BACKWARD: both,
            Phase.INPUT: self.input_seconds,
            Phase.WEIGHT: self.weight_seconds,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """When each turn of each stage begins and ends, hop included, in the order of the program's turns."""

    begins: tuple[tuple[float, ...], ...]
    ends: tuple[tuple[float, ...], ...]

    @property
    def step_seconds(self) -> float:
        """After how long the same turns can begin again: the longest time from a stage's first turn to its last."""
        return max(ends[-1] - begins[0] for begins, ends in zip(self.begins, self.ends, strict=True))


class _Play:
    """What has happened so far: how far each stage is, what has arrived, who waits for what."""

    def __init__(self, program: Program, seconds: TurnSeconds) -> None:
        self.program = program
        self.seconds = seconds.by_phase()
        self.hop_seconds, self.last_share = seconds.hop_seconds, seconds.last_share
        self.begins: list[list[float]] = [[] for _ in program.turns]
        self.ends: list[list[float]] = [[] for _ in program.turns]
        self.arrived: dict[tuple[bool, int, int], float] = {}
        self.waiting: dict[tuple[bool, int, int], int] = {}

    def needed(self, phase: Phase, place: int, one: int) -> tuple[bool, int, int] | None:
        """Name what a turn waits for from elsewhere: the position before it, on the way back the one behind it."""
        if phase is Phase.FORWARD:
            return (True, place - 1, one) if place else None
        if phase is Phase.WEIGHT or place + 1 == self.program.length:
            return None
        return False, place + 1, one

    def hop_after(self, phase: Phase, place: int) -> float:
        """Return the seconds that handing the result of a turn on holds up its stage."""
        if phase is Phase.WEIGHT:
            return 0.0
        joint = place if phase is Phase.FORWARD else place - 1
        within = 0 <= joint < len(self.program.joints)
        return self.hop_seconds if within and self.program.joints[joint] else 0.0

    def work(self, stage: int, turns: tuple[Turn, ...], begin: float) -> list[int]:
        """Play turns that go together; return the stages that their results wake."""
        places, last, made = self.program.positions[stage], self.program.micro_batches - 1, []
        for phase, chunk, one in turns:
            place, size = places[chunk], self.last_share if one == last else 1.0
            self.begins[stage].append(begin)
            begin += size * (self.seconds[phase][place] + self.hop_after(phase, place))
            self.ends[stage].append(begin)
            if phase is not Phase.WEIGHT:
                made.append((phase is Phase.FORWARD, place, one))
        self.arrived.update(dict.fromkeys(made, begin))
        return [self.waiting.pop(result) for result in made if result in self.waiting]

    def advance(self, stage: int) -> list[int]:
        """Play a stage until it must wait; return the stages that this woke."""
        ends, woken = self.ends[stage], []
        places, turns = self.program.positions[stage], self.program.turns[stage]
        joined = self.program.joined[stage]
        while len(ends) < len(turns):
            group = turns[len(ends) : len(ends) + (2 if len(ends) in joined else 1)]
            needs = [need for phase, chunk, one in group if (need := self.needed(phase, places[chunk], one))]
            missing = [need for need in needs if need not in self.arrived]
            if missing:
                self.waiting[missing[0]] = stage
                break
            free = ends[-1] if ends else 0.0
            woken += self.work(stage, group, max([free, *(self.arrived[need] for need in needs)]))
        return woken


def play(program: Program, seconds: TurnSeconds) -> Played:
    """Play all turns of a program. Raises RuntimeError where stages wait for each other for ever."""
    played = _Play(program, seconds)
    able = list(range(len(program.turns)))
    while able:
        able += played.advance(able.pop())
    if any(len(ends) < len(turns) for ends, turns in zip(played.ends, program.turns, strict=True)):
        raise RuntimeError("the stages of this schedule wait for each other for ever")
    return Played(begins=tuple(map(tuple, played.begins)), ends=tuple(map(tuple, played.ends)))
