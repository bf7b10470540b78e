"""Prefill and decode on accelerators of their own (disaggregated serving): rates matched, caches sent between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.equations import batching
from suanli.estimate.serving_memory import sequence_cache_bytes
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_runs import RunFigures
from suanli.estimate.serving_steady import LEAST, demand_of
from suanli.estimate.serving_step import StepLoad, step_seconds

ROUNDS = 12
"""Rounds of the fixed point between requests in prefill and in decode."""
DAMPING = 2.0
"""Each round goes half the way, since more in decode means fewer in prefill."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Apart:
    """Replicas that only prefill, and replicas that only decode."""

    prefill: Replica
    prefills: int
    decode: Replica
    decodes: int

    @property
    def accelerators(self) -> int:
        """How many accelerators both kinds occupy."""
        return self.prefills * self.prefill.layout.accelerators + self.decodes * self.decode.layout.accelerators


def apart_run(pair: Apart, concurrency: float) -> RunFigures:
    """Return the figures of so many requests in flight over replicas that prefill and replicas that decode."""
    asked, given = demand_of(pair.prefill), demand_of(pair.decode)
    service = _prefill_seconds(pair.prefill)
    most = pair.prefills * pair.prefill.layout.attention_data / service
    send = _send_seconds(pair)
    places = max(given.resident, 1.0) * pair.decodes
    decoding = min(concurrency / DAMPING, places)
    step = rate = first = 0.0
    for _ in range(ROUNDS):
        step = _decode_step(pair, decoding)
        rate = float(batching.paired_rate_per_s(decoding / (given.steps * step), most))
        first = pair.prefill.engine.request_seconds + service + send + step / 2
        first += _wait(pair, concurrency, service)
        decoding += (min(max(concurrency - rate * first, LEAST), places) - decoding) / DAMPING
    stay = concurrency / rate - given.steps * step
    outputs = max(pair.decode.setup.outputs_after_first, LEAST)
    return RunFigures(
        ttft_seconds=max(first, stay),
        tpot_seconds=given.steps * step / outputs,
        requests_per_s=rate,
        resident=min(concurrency, places + asked.resident),
    )


def _prefill_seconds(replica: Replica) -> float:
    """Seconds that one prompt occupies a prefill replica (one attention-data rank of it)."""
    demand = demand_of(replica)
    ranks = replica.layout.attention_data
    chunks = np.ceil(demand.prompt * ranks / demand.budget)
    load = StepLoad(
        prompt_tokens=demand.prompt * ranks / chunks, prompts=ranks / chunks, prompt_context=demand.prompt_context
    )
    return float(step_seconds(replica, load) * chunks)


def _decode_step(pair: Apart, decoding: float) -> float:
    """Seconds of a decode step of one decode replica's share."""
    demand = demand_of(pair.decode)
    own = max(decoding / pair.decodes, min(decoding, 1.0)) / pair.decode.layout.pipeline
    load = StepLoad(decoding=own, context=demand.context, verified=demand.verified)
    return float(np.asarray(step_seconds(pair.decode, load)))


def _send_seconds(pair: Apart) -> float:
    """Seconds to send one request's cache from prefill to decode over the network."""
    setup = pair.prefill.setup
    kept = float(sequence_cache_bytes(pair.prefill, setup.input_tokens)) * pair.prefill.layout.pipeline
    ranks = pair.prefill.layout.accelerators + pair.decode.layout.accelerators
    return float(np.asarray(pair.prefill.fabric.collective_seconds("send", kept, ranks, pair.prefill.ranks_per_node)))


def _wait(pair: Apart, concurrency: float, service: float) -> float:
    """Mean wait behind requests that arrived together at a prefill replica."""
    ranks = pair.prefills * pair.prefill.layout.attention_data
    together = 1 + pair.prefill.engine.burst_share * (concurrency / ranks) ** pair.prefill.constants.burst_power
    return float(batching.burst_wait_seconds(service, together))
