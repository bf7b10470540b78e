"""Runs as figures: a static batch, a lone prompt, a steady load."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_steady import LEAST, Column, Demand, demand_of, steady_state
from suanli.estimate.serving_step import StepLoad, step_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFigures:
    """What a run shows: latencies (means), requests per second over the whole run, sequences resident at most."""

    ttft_seconds: float
    tpot_seconds: float
    requests_per_s: float
    resident: float


def prefill_seconds(replica: Replica, demand: Demand, prompts: float, decoding: float = 0.0) -> float:
    """Seconds to prefill so many prompts together, in chunks of the engine's budget, beside sequences that decode.

    Stages work on one chunk each; while a pipeline fills and drains it waits for the longest, which is a full one.
    """
    tokens = prompts * demand.prompt
    steps = max(math.ceil(tokens / demand.budget - LEAST), 1)
    mean = _chunk_seconds(replica, demand, tokens / steps, decoding)
    longest = _chunk_seconds(replica, demand, demand.budget, decoding) if steps > 1 else mean
    return mean * steps / replica.at_once + longest * (1 - 1 / replica.at_once)


def _chunk_seconds(replica: Replica, demand: Demand, chunk: float, decoding: float) -> float:
    """Seconds of one step that prefills so many tokens, through all stages."""
    load = StepLoad(
        decoding=decoding if replica.engine.mixes else 0.0,
        context=demand.context,
        verified=demand.verified,
        prompt_tokens=chunk,
        prompts=max(chunk / demand.chunk, 1.0 / demand.chunks),
        prompt_context=demand.prompt_context,
    )
    return float(step_seconds(replica, load))


def decode_seconds(replica: Replica, demand: Demand, decoding: Column) -> Column:
    """Seconds of a decode step of so many sequences, spread over the pipeline's micro-batches."""
    stages = replica.at_once
    spread = np.maximum(decoding / stages, np.minimum(decoding, 1.0))
    load = StepLoad(decoding=spread, context=demand.context, verified=demand.verified)
    return np.asarray(step_seconds(replica, load), dtype=float)


def static_run(replica: Replica, batch: float) -> RunFigures:
    """Return the figures of a batch that starts together and whose answers are equally long."""
    demand = demand_of(replica)
    resident = min(batch, max(demand.resident, 1.0))
    waves = batch / resident
    prefill = prefill_seconds(replica, demand, resident)
    step = float(decode_seconds(replica, demand, np.asarray([resident]))[0])
    decode = demand.steps * step if replica.setup.outputs_after_first > 0 else 0.0
    whole = waves * (prefill + decode)
    return RunFigures(
        ttft_seconds=prefill,
        tpot_seconds=decode / max(replica.setup.outputs_after_first, 1.0),
        requests_per_s=batch / whole,
        resident=resident,
    )


def steady_run(replica: Replica, concurrency: float) -> RunFigures:
    """Return the figures of so many requests in flight in the steady state."""
    steady = steady_state(replica, concurrency)
    return RunFigures(
        ttft_seconds=float(steady.ttft_seconds[0]),
        tpot_seconds=float(steady.tpot_seconds[0]),
        requests_per_s=float(steady.requests_per_s[0]),
        resident=float(steady.resident[0]),
    )


def prefill_run(replica: Replica) -> RunFigures:
    """Return the figures of one prompt that is prefilled alone."""
    spent = prefill_seconds(replica, demand_of(replica), 1.0)
    return RunFigures(ttft_seconds=spent, tpot_seconds=0.0, requests_per_s=1 / spent, resident=1.0)
