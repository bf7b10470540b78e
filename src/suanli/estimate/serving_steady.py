"""Continuous batching in its steady state: requests in flight to rate, latencies and seconds by cause, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suanli.equations import batching
from suanli.estimate.serving_memory import cache_pool_bytes, sequence_cache_bytes
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_step import StepLoad, step_causes
from suanli.foundation.equation import Real

Column = NDArray[np.float64]
ROUNDS = 4
"""Rounds of the fixed point between sequences in decode and the time of a step, for every column alike."""
MOST_FLIGHT = 4096.0
"""Most requests in flight on one replica that are tried."""
LEAST = 1e-9
"""A stand-in for nothing where a quotient needs a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What one request asks of a replica, and what the replica can hold of them.

    `prompt` is what must be prefilled (hits of a prefix cache left out), `steps` how often a request takes part in a
    decode step, `verified` how many tokens it brings to each.
    """

    prompt: float
    inputs: float
    outputs: float
    steps: float
    verified: float
    resident: float
    budget: float

    @property
    def chunks(self) -> float:
        """Prefill steps that one prompt needs."""
        return float(np.ceil(max(self.prompt, 1.0) / self.budget))

    @property
    def chunk(self) -> float:
        """Prompt tokens of one chunk."""
        return self.prompt / self.chunks

    @property
    def prompt_context(self) -> float:
        """Keys at the end of a chunk, on average over a prompt's chunks."""
        return self.inputs - (self.prompt - self.chunk) / 2

    @property
    def context(self) -> float:
        """Cached positions of a decoding sequence, on average over its answer."""
        return self.inputs + self.outputs / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Steady:
    """Columns over requests in flight: rate, latencies, sequences resident and decoding, seconds by cause of a step."""

    concurrency: Column
    requests_per_s: Column
    ttft_seconds: Column
    tpot_seconds: Column
    resident: Column
    decoding: Column
    seconds_by_cause: dict[str, Column]


def demand_of(replica: Replica) -> Demand:
    """Say what one request asks of a replica, and how many the replica holds at once."""
    setup, engine, layout = replica.setup, replica.engine, replica.layout
    verified, accepted = speculation(replica)
    later = max(setup.outputs_after_first, LEAST)
    length = batching.sequence_cache_length(setup.input_tokens, setup.output_tokens, engine.reserved_share)
    pool = max(cache_pool_bytes(replica), 0.0)
    held = batching.cached_sequences(pool, sequence_cache_bytes(replica, length), engine.sequence_limit)
    return Demand(
        prompt=max(setup.input_tokens * (1 - setup.prefix_hit_share), 1.0),
        inputs=setup.input_tokens,
        outputs=setup.output_tokens,
        steps=later / accepted,
        verified=verified,
        resident=float(held) * layout.attention_data,
        budget=engine.token_budget * layout.attention_data,
    )


def speculation(replica: Replica) -> tuple[float, float]:
    """Return tokens verified and tokens accepted by a decode step; both 1 without speculation."""
    drafts = replica.setup.draft_tokens
    if drafts <= 0:
        return 1.0, 1.0
    return drafts + 1.0, float(batching.accepted_per_step(replica.acceptance, drafts))


def steady_state(replica: Replica, concurrency: Real) -> Steady:
    """Return the steady state of so many requests in flight, new ones starting as old ones end."""
    demand = demand_of(replica)
    flight = np.atleast_1d(np.asarray(concurrency, dtype=float))
    present = 1.0 if replica.adapters is None else replica.adapters.present_share
    resident = np.minimum(np.multiply(flight, present), max(demand.resident, LEAST))
    decoding = np.minimum(resident / (1 + demand.chunks / demand.steps), _budget_bound(replica, demand))
    for _ in range(ROUNDS):
        steps = _steps(replica, demand, decoding / replica.at_once, _others_share(resident))
        waiting = _prefill_wait(replica, resident, steps.own)
        first = waiting + steps.prefill + _heard(replica, resident) * steps.mean
        inside = batching.decoding_sequences(resident, demand.steps, first / steps.mean)
        sent = batching.decoding_sequences(flight, demand.steps, (first + replica.engine.request_seconds) / steps.mean)
        decoding = np.minimum(np.minimum(inside, sent), _budget_bound(replica, demand))
    rate = np.minimum(batching.requests_per_s(decoding, demand.steps * steps.mean), _most_rate(replica, demand))
    decoding = np.asarray(rate * demand.steps * steps.mean)
    decode = demand.steps * steps.mean
    return Steady(
        concurrency=flight,
        requests_per_s=rate,
        ttft_seconds=np.maximum(first + replica.engine.request_seconds, flight / rate - decode),
        tpot_seconds=decode / max(replica.setup.outputs_after_first, LEAST),
        resident=resident,
        decoding=decoding,
        seconds_by_cause=steps.mean_by_cause,
    )


def _heard(replica: Replica, resident: Column) -> Column:
    """Return the steps until the scheduler sees a request: half of one, or of those in which it does not look."""
    return np.asarray(1.0 + (replica.engine.receive_steps - 1.0) * _others_share(resident)) / 2


def _budget_bound(replica: Replica, demand: Demand) -> float:
    """Return how many decoding sequences fill a step's token budget (none do where prompts have steps of their own)."""
    if not replica.engine.mixes:
        return np.inf
    return float(replica.at_once * demand.budget / (demand.verified + demand.prompt / demand.steps))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Steps:
    """Columns of step times: mean between two tokens of a sequence, a prompt's prefill, its own share of it, causes."""

    mean: Column
    prefill: Column
    own: Column
    mean_by_cause: dict[str, Column]


def _most_rate(replica: Replica, demand: Demand) -> float:
    """Return the requests per second of steps that are full by their token budget, without end where none are."""
    bound = _budget_bound(replica, demand)
    if not np.isfinite(bound):
        return np.inf
    full = _steps(replica, demand, np.asarray([bound / replica.at_once]), np.ones(1))
    return float(batching.requests_per_s(bound, demand.steps * full.mean[0]))


def _others_share(resident: Column) -> Column:
    """Share of the resident requests that are others to one of them: a request decodes beside their prompts alone."""
    return np.asarray(np.maximum(resident - 1.0, 0.0) / np.maximum(resident, 1.0))


def _steps(replica: Replica, demand: Demand, decoding: Column, others: Column) -> _Steps:
    """Time a decode step and one with a prompt chunk, and mean them by how often a chunk is needed."""
    needed = others * batching.prefill_per_step(decoding, demand.prompt, demand.steps)
    chunk = np.asarray(np.clip(needed, demand.chunk, demand.budget))
    share, prompts, mixes = np.asarray(needed / chunk), chunk / demand.chunk, replica.engine.mixes
    nothing = np.zeros_like(decoding)
    both = StepLoad(
        decoding=np.stack([decoding, decoding if mixes else nothing]),
        context=demand.context,
        verified=demand.verified,
        prompt_tokens=np.stack([nothing, chunk]),
        prompts=np.stack([nothing, prompts]),
        prompt_context=demand.prompt_context,
    )
    causes = {
        cause: np.broadcast_to(spent, (2, *decoding.shape)) for cause, spent in step_causes(replica, both).items()
    }
    admitted = np.stack([nothing, prompts * replica.engine.front_seconds])
    causes["engine"] = causes["engine"] + admitted
    alone, with_chunk = np.sum(list(causes.values()), axis=0)
    spread = 1 + (demand.chunks - 1) / replica.at_once
    told, kept = (np.minimum(share, 1.0), 1 - np.minimum(share, 1.0)) if mixes else (share, np.ones_like(share))
    return _Steps(
        mean=kept * alone + told * with_chunk,
        prefill=with_chunk * spread,
        own=(with_chunk - alone if mixes else with_chunk) / prompts * demand.chunks,
        mean_by_cause={cause: kept * spent[0] + told * spent[1] for cause, spent in causes.items()},
    )


def _prefill_wait(replica: Replica, resident: Column, own: Column) -> Column:
    """Mean wait of a prompt behind those that came with it."""
    together = 1 + replica.engine.burst_share * (resident / replica.at_once) ** replica.constants.burst_power
    return np.asarray(batching.burst_wait_seconds(own, together))
