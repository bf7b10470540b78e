"""The share of time that training makes progress: as the scenario says, or as the wall clock of a run says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.domain.scenario import FailurePreset
from suanli.domain.wall_clock import Upkeep
from suanli.estimate.wall_clock import FLEET_FIGURES, RunJob, names_of, steady_share
from suanli.planner.terms import Ground


@dataclass(frozen=True, kw_only=True, slots=True)
class Interruptions:
    """A share that was given; or how the fleet is kept, and the figures that its runs rest on, by name, in SI."""

    given: float | None
    upkeep: Upkeep
    values: Mapping[str, float]

    def goodput(self, run: RunJob) -> float:
        """Return the share of its time on the wall that a run trains steadily, by the terms that `suanli train` tells.

        Raises InfeasibleError where the run never ends.
        """
        if self.given is not None:
            return self.given
        return steady_share(run, {key: self.values[name] for key, name in names_of(run).items()})


def interruptions(ground: Ground) -> Interruptions:
    """Read what the scenario says of failures; where it is silent, a middling fleet stands in."""
    said = ground.scenario.reliability
    if said.training_goodput is not None:
        return Interruptions(given=said.training_goodput, upkeep=Upkeep(), values={})
    preset = said.failures or FailurePreset.MIDDLE
    names = (f"failures.{preset.value}", "failures.domestic", "recovery.restart", *FLEET_FIGURES)
    upkeep = Upkeep(failures=preset.value)
    return Interruptions(given=None, upkeep=upkeep, values={name: ground.value(name) for name in names})
