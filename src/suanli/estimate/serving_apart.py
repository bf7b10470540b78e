"""Prefill and decode on accelerators of their own (disaggregated serving): rates matched, caches sent between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.equations import batching
from suanli.estimate.serving_memory import sequence_cache_bytes
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_runs import RunFigures
from suanli.estimate.serving_steady import LEAST, Demand, demand_of
from suanli.estimate.serving_step import StepLoad, step_seconds
from suanli.foundation.equation import FloatArray, Real

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
    service = prefill_seconds(pair.prefill, asked)
    most = float(prefills_per_s(pair.prefill, service, pair.prefills))
    send = float(send_seconds(pair.prefill, pair.decode, pair.prefill.setup.input_tokens))
    places = max(given.resident, 1.0) * pair.decodes
    decoding = min(concurrency / DAMPING, places)
    step = rate = first = 0.0
    for _ in range(ROUNDS):
        step = float(decode_step_seconds(pair.decode, given, max(decoding / pair.decodes, min(decoding, 1.0))))
        rate = float(batching.paired_rate_per_s(decoding / (given.steps * step), most))
        first = pair.prefill.engine.request_seconds + service + send + step / 2
        first += float(prompt_wait_seconds(pair.prefill, service, pair.prefills, concurrency))
        decoding += (min(max(concurrency - rate * first, LEAST), places) - decoding) / DAMPING
    stay = concurrency / rate - given.steps * step
    outputs = max(pair.decode.setup.outputs_after_first, LEAST)
    return RunFigures(
        ttft_seconds=max(first, stay),
        tpot_seconds=given.steps * step / outputs,
        requests_per_s=rate,
        resident=min(concurrency, places + asked.resident),
    )


def prefill_seconds(replica: Replica, demand: Demand) -> float:
    """Seconds that one prompt occupies a prefill replica (one attention-data rank of it)."""
    ranks = replica.layout.attention_data
    chunks = np.ceil(demand.prompt * ranks / demand.budget)
    load = StepLoad(
        prompt_tokens=demand.prompt * ranks / chunks, prompts=ranks / chunks, prompt_context=demand.prompt_context
    )
    return float(step_seconds(replica, load) * chunks)


def prefills_per_s(replica: Replica, service_seconds: float, prefills: Real) -> Real:
    """Prompts per second that so many prefill replicas take at most, each rank one after the other."""
    return prefills * replica.layout.attention_data / service_seconds


def decode_step_seconds(replica: Replica, demand: Demand, decoding: Real) -> FloatArray:
    """Seconds of a decode step of one decode replica with so many sequences, spread over its pipeline stages."""
    load = StepLoad(decoding=decoding / replica.layout.pipeline, context=demand.context, verified=demand.verified)
    return np.asarray(step_seconds(replica, load), dtype=float)


def send_seconds(prefill: Replica, decode: Replica, tokens: Real) -> FloatArray:
    """Seconds to send the caches of prompts from one kind of replica to the other over the network."""
    kept = np.asarray(sequence_cache_bytes(prefill, tokens), dtype=float) * prefill.layout.pipeline
    ranks = prefill.layout.accelerators + decode.layout.accelerators
    seconds = prefill.fabric.collective_seconds("send", kept, ranks, prefill.ranks_per_node)
    return np.broadcast_to(np.asarray(seconds, dtype=float), np.shape(tokens))


def prompt_wait_seconds(replica: Replica, service_seconds: Real, prefills: Real, concurrency: Real) -> Real:
    """Mean wait behind requests that arrived together at a prefill replica."""
    ranks = prefills * replica.layout.attention_data
    together = 1 + replica.engine.burst_share * (concurrency / ranks) ** replica.constants.burst_power
    return batching.burst_wait_seconds(service_seconds, together)
