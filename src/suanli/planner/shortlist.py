"""Which candidates the program is given: for each way to hold systems, those that do some work at the lowest cost."""

from __future__ import annotations

import math
from dataclasses import replace

from suanli.domain.procurement import Tenure
from suanli.domain.scenario import Scenario
from suanli.planner.alternatives import RENTED
from suanli.planner.candidates import Candidate, Market
from suanli.planner.terms import Ground
from suanli.planner.weigh import Weighed


def shortlist(ground: Ground, market: Market, weighed: Weighed) -> Market:
    """Keep what one has, and of each tenure the candidates nearest to the cheapest for one of the workloads."""
    keep = int(ground.value("planning.candidates"))
    kept: list[Candidate] = []
    for tenure in Tenure:
        able = [candidate for candidate in market.candidates if candidate.choice.tenure is tenure]
        held = [candidate for candidate in able if candidate.choice.held or _is_arriving(candidate)]
        rest = [candidate for candidate in able if candidate not in held]
        distances = {each.choice.id: _distance(each, able, weighed, ground.scenario) for each in rest}
        useful = [each for each in rest if distances[each.choice.id] < math.inf]
        kept += [*held, *sorted(useful, key=lambda each: distances[each.choice.id])[:keep]]
    return replace(market, candidates=tuple(kept))


def _is_arriving(candidate: Candidate) -> bool:
    return candidate.choice.id.endswith(":arriving")


def _distance(candidate: Candidate, rivals: list[Candidate], weighed: Weighed, scenario: Scenario) -> float:
    """Return the least ratio, over the workloads, of a candidate's cost of work to the cheapest; else infinity."""
    ratios = []
    for job in scenario.workloads:
        costs = {rival.choice.id: _cost_of_work(rival, job.id, weighed) for rival in rivals}
        own = costs[candidate.choice.id]
        if own is not None:
            ratios.append(own / min(cost for cost in costs.values() if cost is not None))
    return min(ratios, default=math.inf)


def _cost_of_work(candidate: Candidate, workload_id: str, weighed: Weighed) -> float | None:
    """Return what holding a system over the whole plan costs for its rate of work; None where it cannot do it."""
    performance = weighed.performances.get((workload_id, candidate.system.id))
    if performance is None:
        return None
    choice = candidate.choice
    once = choice.price[0] + sum(extra[0] for extra in choice.extra_cost.values()) - choice.resale[0]
    held = sum(choice.price) if choice.tenure in RENTED else once
    running = sum(sum(costs) for costs in choice.running_cost.values())
    return max(held + running, 1.0) / performance.rate_per_system
