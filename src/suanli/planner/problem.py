"""The buying problem of a scenario: candidates and performances as the solver reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

from suanli.domain.procurement import Choice, Demand, DemandKind, Limits, Problem
from suanli.domain.scenario import Scenario, ServingJob, TrainingJob, TuningJob, Workload
from suanli.equations import finance
from suanli.foundation.calendar import MONTHS_PER_YEAR, SECONDS_PER_MONTH, months_between
from suanli.planner.performance import Performance

Performances = Mapping[tuple[str, str], Performance]
"""Performances by (workload id, system id)."""


def cautious_rate(performance: Performance, confidence: float) -> float:
    """Return the rate of one system that is reached or beaten with the given confidence (rates are log-normal)."""
    return performance.rate_at(-NormalDist().inv_cdf(confidence) * performance.spread_log)


def state_problem(
    scenario: Scenario, choices: Sequence[Choice], performances: Performances, confidence: float
) -> Problem:
    """State what must be done, what may be had, and what may not be exceeded."""
    return Problem(
        periods=scenario.months,
        choices=tuple(choices),
        demands=tuple(_demand(scenario, job, choices, performances, confidence) for job in scenario.workloads),
        limits=_limits(scenario),
        discount=discount_factors(scenario.discount_rate_per_year, len(scenario.months)),
        currency=scenario.currency,
        fixed_cost=_fixed_cost(scenario),
    )


def discount_factors(rate_per_year: float, months: int) -> tuple[float, ...]:
    """Return the present value of one unit of money paid in each month."""
    monthly = finance.rate_of_period(rate_per_year, MONTHS_PER_YEAR)
    return tuple(float(finance.present_value(1.0, monthly, month)) for month in range(months))


def _demand(
    scenario: Scenario, job: Workload, choices: Sequence[Choice], performances: Performances, confidence: float
) -> Demand:
    able = {
        choice.id: performances[job.id, choice.system_id]
        for choice in choices
        if (job.id, choice.system_id) in performances
    }
    work = {choice_id: cautious_rate(performance, confidence) for choice_id, performance in able.items()}
    least = {choice_id: performance.least_systems for choice_id, performance in able.items()}
    most = {
        choice_id: float(performance.most_systems)
        for choice_id, performance in able.items()
        if performance.most_systems is not None
    }
    if isinstance(job, TrainingJob):
        return Demand(
            id=job.id,
            kind=DemandKind.FINISH,
            work_per_system={choice_id: rate * SECONDS_PER_MONTH for choice_id, rate in work.items()},
            amount=job.tokens,
            first=max(0, months_between(scenario.months[0], job.first_month)),
            last=months_between(scenario.months[0], job.deadline),
            least_systems=least,
            most_systems=most,
        )
    return Demand(
        id=job.id,
        kind=DemandKind.RATE,
        work_per_system=work,
        rate=asked_rate(scenario, job),
        last=len(scenario.months) - 1,
        steady=isinstance(job, ServingJob),
        least_systems=least,
        most_systems=most,
    )


def asked_rate(scenario: Scenario, job: TuningJob | ServingJob) -> tuple[float, ...]:
    """Return what must be held in each month: tokens per second of tuning, requests per second at the peak."""
    if isinstance(job, ServingJob):
        return tuple(rate * job.peak_to_mean for rate in job.requests_per_s)
    rate = job.tokens * job.runs_per_month / SECONDS_PER_MONTH
    return tuple(rate if job.first_month <= month <= job.last_month else 0.0 for month in scenario.months)


def _limits(scenario: Scenario) -> Limits:
    by_month = {limit.month: limit.at_most for limit in scenario.budget.by}
    ceilings = []
    for month in scenario.months:
        ahead = [at_most for until, at_most in by_month.items() if until >= month]
        ceilings.append(min([*ahead, math.inf if scenario.budget.total is None else scenario.budget.total]))
    return Limits(
        cash=tuple(None if math.isinf(ceiling) else ceiling for ceiling in ceilings),
        site_watts=scenario.site.power_watts,
        rack_units=scenario.site.rack_units,
        pue=scenario.site.pue,
    )


def _fixed_cost(scenario: Scenario) -> dict[str, tuple[float, ...]]:
    if scenario.staff is None:
        return {}
    return {"staff": (scenario.staff.people * scenario.staff.cost_per_person_month,) * len(scenario.months)}
