"""The share of time that training makes progress: as the scenario says, or from how often nodes fail."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.hardware import System
from suanli.estimate.wall_clock import DOMESTIC, nodes_of_eight, progress_share
from suanli.planner.terms import Ground


@dataclass(frozen=True, kw_only=True, slots=True)
class Interruptions:
    """How often a node of eight is interrupted, and what one interruption costs; or a share that was given."""

    given: float | None
    failures_per_s: float
    domestic_failures_per_s: float
    checkpoint_seconds: float
    restart_seconds: float

    def goodput(self, system: System, systems: int) -> float:
        """Return the share of time that a job on so many systems makes progress."""
        if self.given is not None:
            return self.given
        domestic = system.accelerator.origin == DOMESTIC
        rate = self.domestic_failures_per_s if domestic else self.failures_per_s
        nodes = nodes_of_eight(system, systems)
        return progress_share(nodes, rate, self.checkpoint_seconds, self.restart_seconds)


def interruptions(ground: Ground) -> Interruptions:
    """Read what the scenario says of failures; where it is silent, a middling fleet stands in."""
    said = ground.scenario.reliability
    if said.training_goodput is not None:
        return Interruptions(
            given=said.training_goodput,
            failures_per_s=0.0,
            domestic_failures_per_s=0.0,
            checkpoint_seconds=0.0,
            restart_seconds=0.0,
        )
    preset = said.failures.value if said.failures is not None else "middle"
    rate = ground.value(f"failures.{preset}")
    return Interruptions(
        given=None,
        failures_per_s=rate,
        domestic_failures_per_s=max(rate, ground.value("failures.domestic")),
        checkpoint_seconds=ground.value("recovery.checkpoint_write"),
        restart_seconds=ground.value("recovery.restart"),
    )
