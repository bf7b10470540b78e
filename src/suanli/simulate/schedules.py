"""What each pipeline stage works on, turn by turn, under every schedule: which chunk of which micro-batch comes next.

A micro-batch passes a path of positions. A stage holds one or more chunks, each at a position of the path: stage s of p
holds positions s, s + p, ... of interleaved chunks; s and 2p - 1 - s where the path turns back (zb-v); s on the way
down and p - 1 - s on the way up where micro-batches enter at both ends (dualpipe).
Sources: arXiv 2104.04473 (gpipe, 1f1b, interleaved), 2401.10241 (zb-h1, zb-h2, zb-v), 2412.19437 (dualpipe).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.layout import Schedule
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr


class Phase(StrEnum):
    """What a stage does with a chunk: `BACKWARD` is both gradients together, `INPUT` and `WEIGHT` one of them each."""

    FORWARD = "F"
    BACKWARD = "BW"
    INPUT = "B"
    WEIGHT = "W"


F, BW, B, W = Phase.FORWARD, Phase.BACKWARD, Phase.INPUT, Phase.WEIGHT
Turn = tuple[Phase, int, int]
"""Phase, chunk and micro-batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """The work of all stages: their turns in order, and where on the path each of their chunks lies.

    `joined` holds the places of turns that a stage works on together with the turn behind them: both begin when both
    can, and both results leave when all is done. `joints` says for each position of the path but the last whether the
    next one is on another stage.
    """

    turns: tuple[tuple[Turn, ...], ...]
    joined: tuple[frozenset[int], ...]
    positions: tuple[tuple[int, ...], ...]
    joints: tuple[bool, ...]
    micro_batches: int

    @property
    def length(self) -> int:
        """How many positions a micro-batch passes."""
        return len(self.joints) + 1


def gpipe(stages: int, stage: int, chunks: int, work: int) -> Iterator[Turn]:
    """All forward passes, then all backward passes; chunk by chunk where there are several."""
    for chunk in range(chunks):
        yield from ((F, chunk, one) for one in range(work))
    for chunk in reversed(range(chunks)):
        yield from ((BW, chunk, one) for one in range(work))


def one_f_one_b(stages: int, stage: int, chunks: int, work: int) -> Iterator[Turn]:
    """Forward passes until the first gradient can be back, then one of each in turn, then the backward passes left.

    Chunks interleave in rounds of p micro-batches: a round passes chunk after chunk, backward in reverse.
    """
    whole = -(-work // stages) * stages if chunks > 1 else work
    rounds = [range(start, min(start + stages, whole)) for start in range(0, whole, stages)]
    ahead = [(F, chunk, one) for members in rounds for chunk in range(chunks) for one in members]
    back = [(BW, chunk, one) for members in rounds for chunk in reversed(range(chunks)) for one in members]
    lead = stages - stage - 1
    if chunks > 1:
        lead = 2 * lead + (chunks - 1) * stages
    yield from _alternate(ahead, back, lead)


def _alternate(ahead: list[Turn], back: list[Turn], lead: int) -> Iterator[Turn]:
    """Take `lead` turns ahead, then one ahead and one back each, then those back that are left."""
    lead = min(lead, len(ahead))
    yield from ahead[:lead]
    for at, turn in enumerate(back):
        if lead + at < len(ahead):
            yield ahead[lead + at]
        yield turn


def _weights_later(depth: int) -> Callable[[int, int, int, int], Iterator[Turn]]:
    """Make the schedule that runs `depth` forward passes ahead for each later stage, and puts weight gradients off.

    Stage s puts them off by `depth` s micro-batches, so that all stages hold as many micro-batches as the first.
    """

    def order(stages: int, stage: int, chunks: int, work: int) -> Iterator[Turn]:
        lead, late = min(depth * (stages - stage - 1), work), depth * stage
        yield from ((F, 0, one) for one in range(lead))
        for one in range(work):
            if lead + one < work:
                yield F, 0, lead + one
            yield B, 0, one
            if one >= late:
                yield W, 0, one - late
        yield from ((W, 0, one) for one in range(max(work - late, 0), work))

    return order


class _Line:
    """Hands out turns, counting for itself which micro-batch of each phase and chunk comes next."""

    def __init__(self) -> None:
        self.count: dict[tuple[Phase, int], int] = {}
        self.turns: list[Turn] = []

    def add(self, *steps: tuple[Phase, int]) -> None:
        """Append the next turn of each phase and chunk."""
        for phase, chunk in steps:
            one = self.count.get((phase, chunk), 0)
            self.count[phase, chunk] = one + 1
            self.turns.append((phase, chunk, one))

    def done(self, phase: Phase, chunk: int) -> int:
        """How many turns of a phase and chunk were handed out."""
        return self.count.get((phase, chunk), 0)


def zb_v(stages: int, stage: int, chunks: int, work: int) -> Iterator[Turn]:
    """Two chunks a stage on a path that turns back at the last stage; weight gradients fill what would be idle.

    No stage holds more than 1F1B's first one does, and nothing idles where F, B and W take equally long.
    """
    work, line = max(work, 2 * stages - 1), _Line()
    line.add(*[(F, 0)] * (2 * (stages - stage) - 1))
    line.add(*[(F, 1), (F, 0)] * stage)
    line.add(*[(F, 1), (B, 1), (W, 1)] * (stages - stage))
    while line.done(F, 1) < work:
        if line.done(F, 0) < work:
            line.add((F, 0))
        line.add((B, 0), (W, 0), (F, 1), (B, 1), (W, 1))
    line.add(*[(B, 0), (B, 1)] * stage)
    line.add(*[(B, 0), (W, 0)] * (stages - stage))
    line.add(*[(W, 1)] * (line.done(B, 1) - line.done(W, 1)))
    line.add(*[(W, 0)] * (line.done(B, 0) - line.done(W, 0)))
    yield from line.turns


class _Pair(_Line):
    """A line in which a backward turn either takes both gradients, or owes that of the weights for later."""

    def __init__(self) -> None:
        super().__init__()
        self.backs = [0, 0]
        self.owed: list[tuple[int, int]] = []

    def back(self, way: int, split: bool) -> None:
        """Append the next backward turn of a way."""
        one, self.backs[way] = self.backs[way], self.backs[way] + 1
        self.turns.append((B if split else BW, way, one))
        if split:
            self.owed.append((way, one))

    def weight(self) -> None:
        """Append the weight gradient that has been owed longest."""
        way, one = self.owed.pop(0)
        self.turns.append((W, way, one))


def dualpipe(stages: int, stage: int, chunks: int, work: int) -> Iterator[Turn]:
    """Micro-batches enter at both ends and pass each other; forward of one way joins backward of the other.

    Way 0 here is the one on which the stage lies in the first half of the path. Micro-batches of the way down have
    even numbers, those of the way up odd ones.
    """
    near, half = min(stage, stages - 1 - stage), stages // 2
    each, line, rest = max(-(-work // 2), stages), _Pair(), half - near - 1
    line.add(*[(F, 0)] * (2 * rest))
    line.add(*[(F, 0), (F, 1)] * (near + 1))
    for _ in range(rest):
        line.back(1, True)
        line.weight()
        line.add((F, 1))
    for _ in range(each - stages + near + 1):
        for way in (0, 1):
            line.add((F, way))
            line.back(1 - way, False)
    for _ in range(rest):
        line.back(1, False)
        line.add((F, 1))
        line.back(0, False)
    for at in range(2 * (near + 1)):
        line.back(1 - at % 2, at > near)
    for _ in range(rest):
        line.weight()
        line.back(0, True)
    for _ in range(near + 1):
        line.weight()
    turned = int(stage >= half)
    for phase, way, one in line.turns:
        chunk = way ^ turned
        yield phase, chunk, 2 * one + chunk


ORDERS: dict[Schedule, Callable[[int, int, int, int], Iterator[Turn]]] = {
    Schedule.GPIPE: gpipe,
    Schedule.ONE_F_ONE_B: one_f_one_b,
    Schedule.ZB_H1: _weights_later(1),
    Schedule.ZB_H2: _weights_later(2),
    Schedule.ZB_V: zb_v,
    Schedule.DUALPIPE: dualpipe,
}
"""For each schedule the turns of one stage, from stages, stage, chunks and micro-batches."""
CHUNKED = (Schedule.GPIPE, Schedule.ONE_F_ONE_B)
"""Schedules that take any number of chunks a stage; zb-v has two by nature, the others one a way."""


def positions(schedule: Schedule, stages: int, chunks: int) -> tuple[tuple[int, ...], ...]:
    """Return where on the path each stage's chunks lie."""
    if schedule is Schedule.ZB_V:
        return tuple((stage, 2 * stages - 1 - stage) for stage in range(stages))
    if schedule is Schedule.DUALPIPE and stages > 1:
        return tuple((stage, stages - 1 - stage) for stage in range(stages))
    return tuple(tuple(chunk * stages + stage for chunk in range(chunks)) for stage in range(stages))


def program(schedule: Schedule, stages: int, chunks: int, micro_batches: int) -> Program:
    """Write the turns of all stages. One stage has nothing to schedule: its micro-batches follow each other.

    Orders that need more micro-batches than there are, or whole rounds, are written for those and struck of the turns
    that stand for none. Raises InputError where a schedule does not take the stages or chunks.
    """
    _check(schedule, stages, chunks)
    if stages == 1:
        schedule, chunks = Schedule.ONE_F_ONE_B, 1
    order, together = ORDERS[schedule], schedule is Schedule.DUALPIPE
    found = [
        _struck(list(order(stages, stage, chunks, micro_batches)), micro_batches, together) for stage in range(stages)
    ]
    length = stages * chunks * (2 if schedule is Schedule.ZB_V else 1)
    back = stages - 1 if schedule is Schedule.ZB_V else -1
    joints = tuple(at != back for at in range(length - 1))
    return Program(
        turns=tuple(turns for turns, _ in found),
        joined=tuple(joined for _, joined in found),
        positions=positions(schedule, stages, chunks),
        joints=joints,
        micro_batches=micro_batches,
    )


def _check(schedule: Schedule, stages: int, chunks: int) -> None:
    place, faults = tr("schedule {name}", name=schedule.value), []
    if chunks > 1 and schedule not in CHUNKED:
        faults.append(Fault(place=place, found=tr("{chunks} chunks a stage", chunks=chunks), allowed="1"))
    if schedule is Schedule.DUALPIPE and stages > 1 and stages % 2:
        found, allowed = tr("{stages} stages", stages=stages), tr("an even number of stages")
        faults.append(Fault(place=place, found=found, allowed=allowed))
    if faults:
        raise InputError(faults)


def _struck(turns: list[Turn], micro_batches: int, together: bool) -> tuple[tuple[Turn, ...], frozenset[int]]:
    """Strike turns of micro-batches that there are none of; say which of those left are joined with the next one."""
    kept: list[Turn] = []
    joined: set[int] = set()
    for turn, behind in zip(turns, [*turns[1:], None], strict=True):
        if turn[2] >= micro_batches:
            continue
        if together and turn[0] is F and behind and behind[0] is BW and behind[2] < micro_batches:
            joined.add(len(kept))
        kept.append(turn)
    return tuple(kept), frozenset(joined)
