"""What speculative decoding gains over the same replica without it, and up to how many requests in flight it does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from suanli.domain.result import SpeculationGain
from suanli.equations import batching
from suanli.estimate.serving_replica import Drafting, Replica
from suanli.estimate.serving_steady import MOST_FLIGHT, demand_of, steady_state

POINTS_A_DOUBLING = 4


def without_drafts(replica: Replica) -> Replica:
    """Return the same replica where nobody drafts."""
    if replica.draft is None:
        return replica
    setup = replace(replica.setup, draft_tokens=0.0, drafting=None, draft_model=None, acceptance=None)
    return replace(
        replica, setup=setup, draft=None, engine=replica.draft.plain_engine, hides_host=replica.draft.plain_hides_host
    )


def at_acceptance(replica: Replica, draft: Drafting, acceptance: float) -> Replica:
    """Return a replica whose drafts are accepted with another chance."""
    return replace(replica, draft=replace(draft, acceptance=acceptance))


def speculation_gain(replica: Replica, concurrency: float) -> SpeculationGain | None:
    """Compare a replica that drafts with itself without drafts; None where nobody drafts."""
    draft = replica.draft
    if draft is None:
        return None
    plain = without_drafts(replica)
    most = max(min(max(demand_of(plain).resident, 1.0), MOST_FLIGHT), concurrency)
    grid = np.unique(np.geomspace(1.0, max(most, 1.0), int(math.log2(max(most, 2.0)) * POINTS_A_DOUBLING) + 1))
    known = steady_state(plain, np.append(grid, concurrency))
    low, middle, high = (
        steady_state(at_acceptance(replica, draft, chance), np.append(grid, concurrency)).requests_per_s
        for chance in (draft.acceptance_low, draft.acceptance, draft.acceptance_high)
    )
    gains = [float(rate[-1] / known.requests_per_s[-1]) for rate in (low, middle, high)]
    return SpeculationGain(
        drafting=draft.kind.value,
        draft_tokens=replica.setup.draft_tokens,
        acceptance=draft.acceptance,
        acceptance_low=draft.acceptance_low,
        acceptance_high=draft.acceptance_high,
        tokens_per_step=float(batching.accepted_per_step(draft.acceptance, replica.setup.draft_tokens)),
        plain_tpot_seconds=float(known.tpot_seconds[-1]),
        plain_output_tokens_per_s=float(known.requests_per_s[-1]) * replica.setup.output_tokens,
        gain=gains[1],
        gain_low=min(gains),
        gain_high=max(gains),
        pays_until_concurrency=_pays_until(grid, middle[:-1] / known.requests_per_s[:-1]),
    )


def _pays_until(flights: np.ndarray, gains: np.ndarray) -> float | None:
    """Return the requests in flight from which on drafts lower the rate: 0 where they always do, None where never."""
    paying = np.flatnonzero(gains >= 1)
    if len(paying) == 0:
        return 0.0
    last = int(paying[-1])
    if last == len(flights) - 1:
        return None
    over, under = gains[last] - 1, 1 - gains[last + 1]
    share = over / (over + under)
    return float(flights[last] * (flights[last + 1] / flights[last]) ** share)
