"""One training step over time: what each pipeline stage does from when to when, and what it holds meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.domain.layout import Layout

GRADIENTS, OPTIMIZER, WEIGHTS, STRAGGLERS = "gradients", "optimizer", "weights", "stragglers"
"""What follows the pipeline: exchange of gradients, the optimizer, gathering of weights, waiting for slow nodes."""
NOT_DRAWN = "not drawn"
"""Stands for the turns in the middle of a step that has too many of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """A stretch of one stage's time: a turn of a micro-batch, or what comes once a step.

    `name` is the turn's phase (F, B, W, or BW for both gradients at once) or one of the names above. `parts` are the
    seconds by cause that it consists of, in the order in which they are drawn.
    """

    name: str
    begin_seconds: float
    seconds: float
    parts: tuple[tuple[str, float], ...]
    micro_batch: int | None = None
    chunk: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What a stage holds from a moment on, by cause of memory, until the next such moment."""

    moment_seconds: float
    bytes_by_cause: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPeak:
    """The fullest moment of a step: on which stage, when, and what for; `stage_bytes` is each stage's own fullest."""

    stage: int
    moment_seconds: float
    bytes_by_cause: Mapping[str, float]
    memory_bytes: float
    stage_bytes: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageTimeline:
    """The slices of one stage in their order, and what it holds from moment to moment while they are worked on."""

    stage: int
    slices: tuple[Slice, ...]
    held: tuple[Held, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """One step, stage by stage: as played (`step_seconds`) and as the closed formulas have it (`estimated_seconds`).

    `turns` counts the turns of all stages, `drawn` those that have slices.
    """

    model: str
    system: str
    layout: Layout
    step_seconds: float
    estimated_seconds: float
    micro_batches: float
    turns: int
    drawn: int
    stages: tuple[StageTimeline, ...]
    peak: MemoryPeak
