"""From a scenario to a plan: load, find, weigh, buy, read again, tie a hand, find the flips, say why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from suanli.catalogue.load import Catalogue
from suanli.domain.kernel import KernelTable
from suanli.domain.model import Model
from suanli.domain.plan import Alternative, Holding, Option, Plan
from suanli.domain.procurement import Problem, Solution
from suanli.domain.scenario import FleetItem, Scenario, TrainingJob
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.language import language, tr
from suanli.planner.alternatives import TiedHand, tied_hands
from suanli.planner.candidates import Candidate, Market, find_candidates
from suanli.planner.flips import find_flips
from suanli.planner.goodput import interruptions
from suanli.planner.ground import lay_ground
from suanli.planner.models import read_models
from suanli.planner.outcome import main_choice, systems_in_use, tell_option
from suanli.planner.performance import Performance
from suanli.planner.problem import state_problem
from suanli.planner.provenance import sources_of, unknown_of
from suanli.planner.shortlist import shortlist
from suanli.planner.terms import Ground
from suanli.planner.weigh import Weighed, weigh
from suanli.planner.weigh_training import Desk, weigh_at
from suanli.procure.solve import INFEASIBLE, NO_INCUMBENT, OPTIMAL, TIME_LIMIT, solve

Say = Callable[[str, float], None]
"""Told what is being done, and the share of the whole that is done."""

SAME_RATE = 0.02
"""A rate that moves by less than this share when read again leaves the program as it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How hard the solver tries: the gap and time of the main answer, and of each side answer."""

    gap: float = 0.005
    seconds: float = 4.0
    side_gap: float = 0.02
    side_seconds: float = 0.35


def plan(
    scenario: Scenario,
    catalogue: Catalogue,
    kernels: KernelTable,
    version: str,
    say: Say = lambda message, done: None,
    effort: Effort | None = None,
) -> Plan:
    """Answer a scenario.

    Raises InfeasibleError naming the limits that bind, InputError where a model cannot be read.
    """
    effort = effort or Effort()
    say(tr("Reading models and the market"), 0.0)
    ground = lay_ground(scenario)
    models = read_models(scenario)
    market = find_candidates(ground, catalogue)
    desk = Desk(kernels=kernels, assumptions=ground.figures, interruptions=interruptions(ground), as_of=scenario.as_of)
    say(tr("Estimating {count} workloads", count=len(scenario.workloads)), 0.1)
    weighed = weigh(scenario, models, [candidate.system for candidate in _one_each(market)], desk)
    market = shortlist(ground, market, weighed)
    say(tr("Buying over {count} months", count=len(scenario.months)), 0.4)
    problem, solution = _answer(ground, market, weighed, effort)
    problem, solution, weighed = _read_again(ground, market, weighed, models, desk, problem, solution, effort)
    say(tr("Trying the alternatives"), 0.6)
    tried = _try_hands(ground, problem, solution, effort)
    solution = _best_of(solution, tried)
    realised = _realise(scenario, market, weighed, models, desk, solution)
    best = tell_option(tr("Recommended"), scenario, problem, solution, realised)
    alternatives = tuple(_told(one, scenario, weighed, best, effort.side_gap) for one in tried)
    say(tr("Looking for what would change the decision"), 0.8)
    rivals = [one.solution for one in tried if one.answered]
    flips, moved = find_flips(ground, problem, solution, rivals, effort.side_gap, effort.side_seconds)
    say(tr("Done"), 1.0)
    options = [best, *(alternative.option for alternative in alternatives if alternative.option is not None)]
    return Plan(
        scenario=scenario.path,
        title=(language() == "zh" and scenario.title_zh) or scenario.title,
        as_of=scenario.as_of,
        region=scenario.region,
        currency=scenario.currency,
        months=scenario.months,
        recommended=best,
        alternatives=alternatives,
        flips=flips,
        pareto=tuple((option.finish_month, option.cost, option.name) for option in options) + moved,
        assumed=(*scenario.assumed, *ground.used.values()),
        unknown=unknown_of(market, weighed, scenario),
        sources=sources_of(catalogue, market, ground, scenario),
        suanli_version=version,
        discount_rate_per_year=scenario.discount_rate_per_year,
        holdings=tuple(_holding(item, catalogue) for item in scenario.fleet),
    )


def _holding(item: FleetItem, catalogue: Catalogue) -> Holding:
    return Holding(
        month=item.available_month,
        system_id=item.system_id,
        system_name=catalogue.systems[item.system_id].name,
        systems=item.systems,
    )


def _one_each(market: Market) -> list[Candidate]:
    """Return one candidate for each kind of system, since how it is held does not change what it does."""
    return list({candidate.system.id: candidate for candidate in market.candidates}.values())


def _answer(ground: Ground, market: Market, weighed: Weighed, effort: Effort) -> tuple[Problem, Solution]:
    """State the problem and solve it; raise where it has no answer."""
    choices = [candidate.choice for candidate in market.candidates]
    _refuse_what_nothing_runs(ground.scenario, choices, weighed)
    confidence = ground.value("planning.confidence")
    problem = state_problem(ground.scenario, choices, weighed.performances, confidence)
    solution = solve(problem, gap=effort.gap, seconds=effort.seconds)
    if solution.status in (INFEASIBLE, NO_INCUMBENT):
        raise InfeasibleError(limit="; ".join(solution.binding), relief="; ".join(solution.relief))
    return problem, solution


def _refuse_what_nothing_runs(scenario: Scenario, choices: Sequence[object], weighed: Weighed) -> None:
    """Raise where a workload runs on nothing that may be had, with every reason."""
    able = {workload for workload, _ in weighed.performances}
    stuck = [job.id for job in scenario.workloads if job.id not in able]
    if not stuck:
        return
    reasons = [f"{refusal.system_id}: {refusal.reason}" for refusal in weighed.refusals if refusal.workload_id in stuck]
    if not choices:
        reasons = [tr("Nothing that the scenario allows could be had on {date}.", date=scenario.as_of)]
    raise InfeasibleError(
        limit=tr("No system that may be had runs {workloads}.", workloads=", ".join(stuck)),
        relief=" ".join(dict.fromkeys(reasons)) or tr("Let more systems be bought or rented."),
    )


def _read_again(
    ground: Ground,
    market: Market,
    weighed: Weighed,
    models: Mapping[str, Model],
    desk: Desk,
    problem: Problem,
    solution: Solution,
    effort: Effort,
) -> tuple[Problem, Solution, Weighed]:
    """Estimate each workload at the size the program chose; solve once more where that slows it."""
    realised = _realise(ground.scenario, market, weighed, models, desk, solution)
    performances = dict(weighed.performances)
    moved = False
    for performance in realised.values():
        key = (performance.workload_id, performance.system_id)
        before = performances[key].rate_per_system
        moved = moved or performance.rate_per_system < before * (1 - SAME_RATE)
        performances[key] = performance
    if not moved:
        return problem, solution, weighed
    again = replace(weighed, performances=performances)
    problem, solution = _answer(ground, market, again, effort)
    return problem, solution, again


def _realise(
    scenario: Scenario,
    market: Market,
    weighed: Weighed,
    models: Mapping[str, Model],
    desk: Desk,
    solution: Solution,
) -> dict[str, Performance]:
    """Return each workload's performance on the pool that does most of its work, at the size it has there."""
    systems = {candidate.choice.id: candidate.system for candidate in market.candidates}
    found: dict[str, Performance] = {}
    for job in scenario.workloads:
        choice_id = main_choice(job.id, solution)
        if not choice_id:
            continue
        performance = weighed.performances[job.id, systems[choice_id].id]
        if isinstance(job, TrainingJob):
            used = int(max(systems_in_use(job.id, choice_id, solution).values()) + SAME_RATE)
            exact = weigh_at(job, models[job.id], systems[choice_id], used, performance.least_systems, desk)
            performance = exact or performance
        found[job.id] = performance
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A problem with one hand tied, and its solution."""

    hand: TiedHand
    problem: Problem
    solution: Solution

    @property
    def answered(self) -> bool:
        """Say whether an answer was found."""
        return self.solution.status not in (INFEASIBLE, NO_INCUMBENT)


def _try_hands(ground: Ground, problem: Problem, solution: Solution, effort: Effort) -> list[Tried]:
    """Solve the problem with each hand tied."""
    systems = {choice.id: choice.system_id for choice in problem.choices}
    main = frozenset(systems[choice_id] for choice_id, _ in (*solution.orders, *solution.rents))
    wait = int(ground.value("planning.wait_months"))
    tried = []
    for hand in tied_hands(problem, main, wait):
        tied = hand.change(problem)
        found = solve(tied, gap=effort.side_gap, seconds=effort.side_seconds, known=solution)
        tried.append(Tried(hand=hand, problem=tied, solution=found))
    return tried


def _best_of(solution: Solution, tried: Sequence[Tried]) -> Solution:
    """Return the cheapest solution: what a tied hand finds is open to free hands too, under the bound of the whole."""
    cheapest = min((one.solution for one in tried if one.answered), key=lambda one: one.objective, default=solution)
    if cheapest.objective >= solution.objective:
        return solution
    gap = (cheapest.objective - solution.bound) / max(abs(cheapest.objective), 1.0)
    status = OPTIMAL if gap <= Effort().gap else TIME_LIMIT
    return replace(cheapest, bound=solution.bound, gap=gap, seconds=solution.seconds, status=status)


def _told(tried: Tried, scenario: Scenario, weighed: Weighed, best: Option, gap: float) -> Alternative:
    """Tell an alternative with the reason why it lost."""
    hand, solution = tried.hand, tried.solution
    if not tried.answered:
        reason = "; ".join(solution.binding) or tr("no answer was found in time")
        return Alternative(name=hand.name, reason=reason, extra_cost=None, option=None)
    systems = {choice.id: choice.system_id for choice in tried.problem.choices}
    realised = {
        job.id: weighed.performances[job.id, systems[choice_id]]
        for job in scenario.workloads
        if (choice_id := main_choice(job.id, solution))
    }
    option = tell_option(hand.name, scenario, tried.problem, solution, realised)
    extra = option.cost - best.cost
    if (option.orders, option.rents) == (best.orders, best.rents):
        reason = tr("it is the recommended plan")
    elif abs(extra) <= gap * abs(best.cost):
        reason = tr("as good as the recommended one within the gap")
    else:
        reason = tr("costs {share:.0%} more", share=extra / abs(best.cost))
    return Alternative(name=hand.name, reason=reason, extra_cost=extra, option=option)
