"""Continuous batching in its steady state: requests in flight to rate, latencies and seconds by cause, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suanli.equations import batching
from suanli.estimate.serving_memory import cache_pool_bytes, sequence_cache_bytes
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_step import StepLoad, step_causes, step_seconds
from suanli.foundation.equation import Real

Column = NDArray[np.float64]
ROUNDS = 4
"""Rounds of the fixed point between sequences in decode and the time of a step; it contracts fast."""
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
    return drafts + 1.0, float(batching.accepted_per_step(replica.constants.acceptance, drafts))


def steady_state(replica: Replica, concurrency: Real) -> Steady:
    """Return the steady state of so many requests in flight, new ones starting as old ones end."""
    demand = demand_of(replica)
    flight = np.atleast_1d(np.asarray(concurrency, dtype=float))
    resident = np.minimum(flight, max(demand.resident, LEAST))
    stages = replica.at_once
    decoding = resident / (1 + demand.chunks / demand.steps)
    for _ in range(ROUNDS):
        decoding = np.minimum(decoding, _budget_bound(replica, demand))
        mean, prefill, own = _step_times(replica, demand, decoding / stages)
        waiting = _prefill_wait(replica, resident, own)
        stay = (prefill + waiting) / mean
        decoding = batching.decoding_sequences(resident, demand.steps, stay)
    decoding = np.minimum(decoding, _budget_bound(replica, demand))
    rate = batching.requests_per_s(decoding, demand.steps * mean)
    rate = np.minimum(rate, 1 / max(replica.engine.front_seconds, LEAST))
    first = replica.engine.request_seconds + waiting + prefill + mean / 2
    queued = np.maximum(flight / rate - resident / rate, 0.0) + np.maximum(
        resident / rate - first - demand.steps * mean, 0
    )
    tpot = mean * demand.steps / max(replica.setup.outputs_after_first, LEAST)
    return Steady(
        concurrency=flight,
        requests_per_s=np.broadcast_to(rate, flight.shape),
        ttft_seconds=first + queued,
        tpot_seconds=np.broadcast_to(tpot, flight.shape),
        resident=resident,
        decoding=decoding,
        seconds_by_cause=_causes(replica, demand, decoding / stages),
    )


def _budget_bound(replica: Replica, demand: Demand) -> float:
    """Return how many decoding sequences fill a step's token budget (none do where prompts have steps of their own)."""
    if not replica.engine.mixes:
        return np.inf
    stages = replica.at_once
    return float(stages * demand.budget / (demand.verified + demand.prompt / demand.steps))


def _loads(demand: Demand, decoding: Column) -> tuple[StepLoad, StepLoad, Column, Column]:
    """Return loads of a decode step and of a prompt chunk, the share of steps that need one, and prompts in it."""
    needed = batching.prefill_per_step(decoding, demand.prompt, demand.steps)
    chunk = np.clip(needed, demand.chunk, demand.budget)
    share = needed / chunk
    prompts = chunk / demand.chunk
    decode = StepLoad(decoding=decoding, context=demand.context, verified=demand.verified)
    prefill = StepLoad(prompt_tokens=chunk, prompts=prompts, prompt_context=demand.prompt_context)
    return decode, prefill, share, prompts


def _mixed(decode: StepLoad, prefill: StepLoad) -> StepLoad:
    return StepLoad(
        decoding=decode.decoding,
        context=decode.context,
        verified=decode.verified,
        prompt_tokens=prefill.prompt_tokens,
        prompts=prefill.prompts,
        prompt_context=prefill.prompt_context,
    )


def _step_times(replica: Replica, demand: Demand, decoding: Column) -> tuple[Column, Column, Column]:
    """Return the mean time between two tokens of a sequence, a prompt's time in prefill, and its share of a step."""
    decode, prefill, share, prompts = _loads(demand, decoding)
    alone = np.asarray(step_seconds(replica, decode))
    spread = 1 + (demand.chunks - 1) / replica.at_once
    if replica.engine.mixes:
        with_chunk = np.asarray(step_seconds(replica, _mixed(decode, prefill)))
        mean = batching.mean_step_seconds(alone, with_chunk, np.minimum(share, 1.0))
        return np.asarray(mean), with_chunk * spread, (with_chunk - alone) / prompts * demand.chunks
    chunk_alone = np.asarray(step_seconds(replica, prefill))
    return alone + share * chunk_alone, chunk_alone * spread, chunk_alone / prompts * demand.chunks


def _prefill_wait(replica: Replica, resident: Column, own: Column) -> Column:
    """Mean wait of a prompt behind those that came with it."""
    together = replica.engine.burst_share * resident / replica.at_once
    return np.asarray(batching.burst_wait_seconds(own, together))


def _causes(replica: Replica, demand: Demand, decoding: Column) -> dict[str, Column]:
    """Return the mean step's seconds by cause."""
    decode, prefill, share, _ = _loads(demand, decoding)
    alone = step_causes(replica, decode)
    chunk = step_causes(replica, _mixed(decode, prefill) if replica.engine.mixes else prefill)
    kept = 1 - np.minimum(share, 1.0) if replica.engine.mixes else np.ones_like(share)
    told = np.minimum(share, 1.0) if replica.engine.mixes else share
    return {cause: np.broadcast_to(kept * alone[cause] + told * chunk[cause], decoding.shape) for cause in alone}
