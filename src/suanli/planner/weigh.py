"""Every workload on every kind of system that may be had: performances, and refusals with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suanli.domain.hardware import System
from suanli.domain.model import Model
from suanli.domain.scenario import Scenario, ServingJob, Workload
from suanli.planner.performance import Performance, Refusal
from suanli.planner.weigh_serving import weigh_serving
from suanli.planner.weigh_training import Desk, weigh_training


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """What can run where: performances by (workload id, system id), and why the rest cannot."""

    performances: Mapping[tuple[str, str], Performance]
    refusals: tuple[Refusal, ...]


def weigh(scenario: Scenario, models: Mapping[str, Model], systems: Sequence[System], desk: Desk) -> Weighed:
    """Estimate every workload on every kind of system that the scenario lets it run on."""
    performances: dict[tuple[str, str], Performance] = {}
    refusals: list[Refusal] = []
    for job in scenario.workloads:
        for system in systems:
            if job.systems is not None and system.id not in job.systems:
                continue
            found = weigh_one(job, models[job.id], system, desk)
            if isinstance(found, Refusal):
                refusals.append(found)
            else:
                performances[job.id, system.id] = found
    return Weighed(performances=performances, refusals=tuple(refusals))


def weigh_one(job: Workload, model: Model, system: System, desk: Desk) -> Performance | Refusal:
    """Estimate one workload on one kind of system."""
    if isinstance(job, ServingJob):
        return weigh_serving(job, model, system, desk)
    return weigh_training(job, model, system, desk)
