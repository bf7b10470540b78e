"""What rules of causes look at: the run, its pace, its prediction, and what other settings are predicted to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from suanli.domain.layout import Layout
from suanli.domain.result import TrainingEstimate
from suanli.domain.training_log import Cause, CauseKind, CausePart, Pace
from suanli.domain.workload import TrainingSetup
from suanli.validation.logs.merge import RunLog
from suanli.validation.logs.rules import Rules

EXPOSED = (
    "tensor_exposed", "context_exposed", "expert_exposed", "sharding_exposed", "pipeline_exposed", "data_exposed",
)  # fmt: skip
"""Causes of a predicted step that are traffic nothing hides."""
PRODUCTS = ("matmul", "attention", "head")
"""Causes of a predicted step that go with the clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One run as rules see it. `what_if` holds predicted steps of single changes by name, those that fit alone.

    `rated_watts` is what the accelerator draws at most by its maker; None where nobody knows.
    """

    log: RunLog
    pace: Pace
    setup: TrainingSetup
    layout: Layout
    estimate: TrainingEstimate
    what_if: Mapping[str, TrainingEstimate]
    best: TrainingEstimate | None
    rated_watts: float | None
    rules: Rules

    @property
    def step(self) -> float:
        """Return the measured steady step in seconds."""
        return self.pace.step_seconds

    @property
    def gap(self) -> float:
        """Return the seconds of a step above the prediction; 0 where the run is faster."""
        return max(self.step - self.estimate.step_seconds, 0.0)

    @property
    def slow(self) -> bool:
        """Say whether the run is slower than the band says."""
        return self.step > self.estimate.band.high

    def share(self, *causes: str) -> float:
        """Return the share of the predicted step that some causes take."""
        return sum(self.estimate.seconds_by_cause[cause] for cause in causes) / self.estimate.step_seconds

    def gain(self, other: TrainingEstimate) -> float:
        """Return the seconds of a measured step that another estimate's setting is predicted to save."""
        return self.step * (1 - other.step_seconds / self.estimate.step_seconds)

    def said(self, name: str) -> object:
        """Return a setting's value, None where no file tells it."""
        setting = self.log.settings.get(name)
        return None if setting is None else setting.value

    def devices(self, name: str) -> list[float]:
        """Return what each device tells of one thing, those left out that do not."""
        told = (float(getattr(use, name)) for use in self.log.devices)
        return [value for value in told if math.isfinite(value)]

    def middle(self, name: str) -> float | None:
        """Return the median over devices of one thing; None where none tells it."""
        told = self.devices(name)
        return median(told) if told else None

    def cause(
        self,
        name: str,
        part: CausePart,
        kind: CauseKind,
        seconds: float,
        evidence: str,
        check: str,
        always: bool = False,
    ) -> Cause | None:
        """Make a cause; None where it takes less of a step than is worth saying, unless it is told `always`."""
        seconds = max(seconds, 0.0)
        if seconds < self.rules.worth_saying * self.step and not always:
            return None
        return Cause(
            name=name, part=part, kind=kind, saved_seconds=seconds, saved_share=seconds / self.step, evidence=evidence,
            check=check,
        )  # fmt: skip


Rule = Callable[[Evidence], Cause | None]
