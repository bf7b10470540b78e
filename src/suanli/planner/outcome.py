"""What a solution means in the words of a plan: orders, rents, assignments, cash, power, workloads and their dates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from statistics import NormalDist

from suanli.domain.plan import Assignment, CashLine, Option, Order, PowerUse, Rent, SolverReport, WorkloadPlan
from suanli.domain.procurement import Choice, Problem, Solution, Tenure
from suanli.domain.scenario import Layer, Scenario, ServingJob, TrainingJob, Workload
from suanli.foundation.calendar import SECONDS_PER_MONTH, month_after
from suanli.foundation.language import tr
from suanli.planner.performance import Performance
from suanli.report import numbers

LEAST_SHOWN = 0.01
"""The least average of systems by the hour that tells one month from another."""

FINISH_CONFIDENCES = (0.5, 0.8, 0.95)
"""The chances with which finishing months are told: P50, P80, P95."""

Realised = Mapping[str, Performance]
"""The performance of each workload, by its id, on the pool and at the size that a solution gives it."""


def tell_option(name: str, scenario: Scenario, problem: Problem, solution: Solution, realised: Realised) -> Option:
    """Tell a solution as an option of the plan."""
    choices = {choice.id: choice for choice in problem.choices}
    workloads = tuple(_workload(scenario, job, choices, solution, realised) for job in scenario.workloads)
    finished = [workload.finish_p80 for workload in workloads if workload.finish_p80]
    return Option(
        name=name,
        cost=solution.objective,
        finish_month=max(finished, default=""),
        orders=_orders(problem, choices, solution),
        rents=_rents(problem, choices, solution),
        assignments=_assignments(problem, choices, solution),
        workloads=workloads,
        cash=_cash(problem, solution),
        power=_power(problem, solution),
        solver=SolverReport(
            status=solution.status,
            objective=solution.objective,
            bound=solution.bound,
            gap=solution.gap,
            seconds=solution.seconds,
        ),
    )


def _orders(problem: Problem, choices: Mapping[str, Choice], solution: Solution) -> tuple[Order, ...]:
    orders = []
    for (choice_id, period), systems in sorted(solution.orders.items(), key=lambda item: (item[0][1], item[0][0])):
        choice = choices[choice_id]
        month = problem.periods[period]
        orders.append(
            Order(
                month=month,
                delivery_month=month_after(month, choice.lead_periods[period]),
                system_id=choice.system_id,
                system_name=choice.system_name,
                systems=systems,
                unit_price=choice.price[period],
                amount=systems * choice.price[period],
                source=choice.price_source,
            )
        )
    return tuple(orders)


def _rents(problem: Problem, choices: Mapping[str, Choice], solution: Solution) -> tuple[Rent, ...]:
    rents = []
    for choice in choices.values():
        by_period = [solution.rents.get((choice.id, period), 0) for period in range(len(problem.periods))]
        shown = [_shown(choice, systems) for systems in by_period]
        for held, run in groupby(range(len(by_period)), key=shown.__getitem__):
            periods = list(run)
            if not held:
                continue
            systems = by_period[periods[0]]
            if choice.tenure is Tenure.RENTED_HOUR:
                systems = math.fsum(by_period[period] for period in periods) / len(periods)
            amount = math.fsum(by_period[period] * choice.price[period] for period in periods)
            rents.append(
                Rent(
                    first_month=problem.periods[periods[0]],
                    last_month=problem.periods[periods[-1]],
                    system_id=choice.system_id,
                    system_name=choice.system_name,
                    tenure=choice.tenure.value,
                    systems=systems,
                    price_per_system_month=amount / (systems * len(periods)),
                    amount=amount,
                    source=choice.price_source,
                )
            )
    return tuple(sorted(rents, key=lambda rent: (rent.first_month, rent.system_id)))


def _shown(choice: Choice, systems: int | float) -> int | float:
    """Return by what months of a rent are joined: its systems, by the hour to the hundredth, as they are shown."""
    if choice.tenure is not Tenure.RENTED_HOUR or not systems:
        return systems
    return max(round(systems, 2), LEAST_SHOWN)


def _assignments(problem: Problem, choices: Mapping[str, Choice], solution: Solution) -> tuple[Assignment, ...]:
    return tuple(
        Assignment(
            month=problem.periods[period],
            workload=demand_id,
            pool=pool_name(choices[choice_id]),
            system_id=choices[choice_id].system_id,
            systems=systems,
        )
        for (demand_id, choice_id, period), systems in sorted(solution.use.items(), key=lambda item: item[0][::-1])
    )


def pool_name(choice: Choice) -> str:
    """Name a pool for people: what it holds and how it is held."""
    words = {
        Tenure.OWNED: tr("owned"),
        Tenure.BOUGHT: tr("owned"),
        Tenure.RENTED_HOUR: tr("rented by the hour"),
        Tenure.RENTED_MONTH: tr("rented by the month"),
        Tenure.RENTED_RESERVED: tr("reserved"),
    }
    return f"{choice.system_name} ({words[choice.tenure]})"


def _cash(problem: Problem, solution: Solution) -> tuple[CashLine, ...]:
    return tuple(
        CashLine(month=problem.periods[period], category=category, amount=amount)
        for (category, period), amount in sorted(solution.cost_lines.items(), key=lambda item: (item[0][1], item[0][0]))
        if amount
    )


def _power(problem: Problem, solution: Solution) -> tuple[PowerUse, ...]:
    return tuple(
        PowerUse(month=month, watts=watts, limit_watts=problem.limits.site_watts)
        for month, watts in zip(problem.periods, solution.power_watts, strict=True)
    )


def main_choice(job_id: str, solution: Solution) -> str:
    """Return the choice that does most of a workload's work, or "" where nothing does."""
    work: dict[str, float] = {}
    for (demand_id, choice_id, _), systems in solution.use.items():
        if demand_id == job_id:
            work[choice_id] = work.get(choice_id, 0.0) + systems
    return max(work, key=work.__getitem__, default="")


def systems_in_use(job_id: str, choice_id: str, solution: Solution) -> dict[int, float]:
    """Return the systems at work on a workload by period, on one choice."""
    return {
        period: systems
        for (demand_id, used_choice, period), systems in solution.use.items()
        if demand_id == job_id and used_choice == choice_id
    }


def _workload(
    scenario: Scenario, job: Workload, choices: Mapping[str, Choice], solution: Solution, realised: Realised
) -> WorkloadPlan:
    """Tell one workload; where nothing runs it, everything but its name and what it asks stays empty."""
    told = WorkloadPlan(
        id=job.id,
        layer=_layer(job),
        model_name=job.model.name,
        parameters=0.0,
        system_id="",
        system_name="",
        accelerators=0,
        training=None,
        serving=None,
        replicas=0,
        goodput=1.0,
        start_month="",
        finish_p50="",
        finish_p80="",
        finish_p95="",
        target_month=job.deadline if isinstance(job, TrainingJob) else job.last_month,
        demand_note=demand_note(job),
    )
    performance, choice_id = realised.get(job.id), main_choice(job.id, solution)
    if choice_id:
        choice = choices[choice_id]
        start = _start(scenario, job.id, solution)
        told = replace(told, system_id=choice.system_id, system_name=choice.system_name, start_month=start)
    if performance is None:
        return told
    return _estimated(told, scenario, job, systems_in_use(job.id, choice_id, solution), performance)


def _layer(job: Workload) -> str:
    """Name the layer of work that a workload belongs to."""
    if isinstance(job, TrainingJob):
        return job.layer.value
    return Layer.SERVE.value if isinstance(job, ServingJob) else Layer.FINETUNE.value


def _estimated(
    told: WorkloadPlan, scenario: Scenario, job: Workload, use: Mapping[int, float], performance: Performance
) -> WorkloadPlan:
    """Add to a workload what is estimated of it: layout and speed, replicas, finishing months."""
    dates = ["", "", ""]
    if isinstance(job, TrainingJob):
        dates = [_finish(scenario.months, job, use, performance, sure) for sure in FINISH_CONFIDENCES]
    estimate = performance.training or performance.serving
    return replace(
        told,
        parameters=performance.parameters,
        accelerators=estimate.layout.accelerators if estimate else 0,
        training=performance.training,
        serving=performance.serving,
        replicas=_replicas(use, performance),
        goodput=performance.goodput,
        finish_p50=dates[0],
        finish_p80=dates[1],
        finish_p95=dates[2],
    )


def _replicas(use: Mapping[int, float], performance: Performance) -> int:
    """Count the replicas of a service in its busiest month; 1 for any other workload."""
    if performance.serving is None:
        return 1
    return max(1, math.ceil(max(use.values(), default=0.0) * performance.replicas_per_system - ROUNDING))


def _start(scenario: Scenario, job_id: str, solution: Solution) -> str:
    """Return the first month in which anything works on a workload, "" where nothing does."""
    periods = [period for demand_id, _, period in solution.use if demand_id == job_id]
    return scenario.months[min(periods)] if periods else ""


def _finish(
    months: Sequence[str], job: TrainingJob, use: Mapping[int, float], performance: Performance, sure: float
) -> str:
    """Find the month in which the work is done with the given chance, going on as in the last month where needed."""
    if not use:
        return ""
    slowdown = NormalDist().inv_cdf(sure) * performance.spread_log
    rate = performance.rate_at(-slowdown) * SECONDS_PER_MONTH
    left = job.tokens
    for period in sorted(use):
        left -= rate * use[period]
        if left <= job.tokens * ROUNDING:
            return months[period]
    last = max(use)
    pace = rate * max(use.values())
    return month_after(months[last], int(-(-left // pace)))


ROUNDING = 1e-6
"""The share of a job's work that the solver's own tolerance may leave open."""


def demand_note(job: Workload) -> str:
    """Say in words what a workload asks."""
    if isinstance(job, ServingJob):
        return tr(
            "{mean} requests/s in the busiest month, {peak} at peak, {input} tokens in, {output} out",
            mean=numbers.count(max(job.requests_per_s)),
            peak=numbers.count(max(job.requests_per_s) * job.peak_to_mean),
            input=numbers.count(job.input_tokens),
            output=numbers.count(job.output_tokens),
        )
    if isinstance(job, TrainingJob):
        return tr("{tokens} tokens", tokens=numbers.count(job.tokens))
    return tr(
        "{runs} runs a month of {tokens} tokens ({method})",
        runs=numbers.count(job.runs_per_month),
        tokens=numbers.count(job.tokens),
        method=job.method.value,
    )
