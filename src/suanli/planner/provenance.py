"""Where a plan's numbers come from, and what nobody could tell it."""

from __future__ import annotations

from collections.abc import Iterator

from suanli.catalogue.load import Catalogue
from suanli.catalogue.sources import source_of
from suanli.domain.plan import Source
from suanli.domain.scenario import Scenario, TrainingJob
from suanli.foundation.language import tr
from suanli.planner.candidates import Market
from suanli.planner.terms import Ground
from suanli.planner.weigh import Weighed


def sources_of(catalogue: Catalogue, market: Market, ground: Ground, scenario: Scenario) -> tuple[Source, ...]:
    """List every source that the plan draws on, in order of key; a user's own file is a source too."""
    keys = dict.fromkeys(_keys(market, ground, scenario))
    return tuple(source_of(key, catalogue.sources, scenario.as_of) for key in sorted(keys) if key)


def _keys(market: Market, ground: Ground, scenario: Scenario) -> Iterator[str]:
    for candidate in market.candidates:
        yield candidate.choice.price_source
        yield from (offer.amount.source for offer in candidate.evidence)
        yield from candidate.system.sources
        yield from candidate.system.accelerator.sources
        peaks = candidate.system.accelerator.peak_flop_per_s.values()
        yield from (peak.source for peak in peaks)
    yield from (assumed.figure.source for assumed in ground.used.values())
    yield from (assumed.figure.source for assumed in scenario.assumed)


def unknown_of(market: Market, weighed: Weighed, scenario: Scenario) -> tuple[str, ...]:
    """Say in words what is not known and what was therefore estimated, widened or passed over."""
    told = list(market.passed_over)
    for candidate in market.candidates:
        if candidate.estimated:
            told.append(
                tr(
                    "No offer of {system} itself was found: its price is estimated from like ones",
                    system=candidate.choice.system_name,
                )
            )
        if candidate.system.power_watts is None:
            told.append(tr("Power of {system} is not published: estimated", system=candidate.choice.system_name))
        if candidate.system.accelerator.matmul_ceiling_flop_per_s is None:
            told.append(
                tr(
                    "No measured matmul of {accelerator} is known: its class stands in, with a wider band",
                    accelerator=candidate.system.accelerator.name,
                )
            )
    told += [
        tr("{workload} cannot run on {system}: {reason}", workload=refusal.workload_id, system=refusal.system_id,
           reason=refusal.reason)
        for refusal in weighed.refusals
    ]  # fmt: skip
    if any(isinstance(job, TrainingJob) for job in scenario.workloads):
        told.append(tr("Failures of your own fleet are not measured: a published rate or your own figure stands in"))
    return tuple(dict.fromkeys(told))
