"""A burst under an engine that prefills ahead: every prompt that has room is read first, then answers take turns.

Such an engine (MindIE) admits to its cache what fits and prefills it at once, but decodes no more sequences together
than its batch limit; the others hold their first token and wait for a turn. Answers are spread exponentially.
"""

from __future__ import annotations

import math

import numpy as np

from suanli.equations import batching
from suanli.estimate.serving_memory import cache_pool_bytes, sequence_cache_bytes
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_runs import RunFigures, decode_seconds, prefill_seconds
from suanli.estimate.serving_steady import demand_of

LENGTHS = 16
"""Points of the distribution of answer lengths at which the time between tokens is read."""
PLACES = 64
"""Points of the queue at which its waits are read."""
MIDDLE = 0.5
"""Where in its equal part of a distribution a point lies."""


def ahead_run(replica: Replica, requests: float) -> RunFigures:
    """Return the figures of so many requests sent at once, of which all that have room are prefilled first."""
    demand = demand_of(replica)
    pool = max(cache_pool_bytes(replica), 0.0)
    held = float(batching.cached_sequences(pool, sequence_cache_bytes(replica, demand.context), requests))
    together = max(min(held, requests), 1.0)
    waves, turns = requests / together, max(min(replica.engine.sequence_limit, together), 1.0)
    reading = prefill_seconds(replica, demand, together) + together * replica.engine.front_seconds
    step = float(decode_seconds(replica, demand, np.asarray([turns]))[0])
    writing = together / turns * demand.steps * step
    drain = _drain_seconds(replica, turns, step)
    whole = waves * (reading + writing) + drain
    later = (waves - 1) / 2 * (reading + writing)
    return RunFigures(
        ttft_seconds=replica.engine.request_seconds + reading / 2 + later,
        tpot_seconds=_mean_between_tokens(replica, together, turns, reading, step),
        requests_per_s=requests / whole,
        resident=together,
    )


def _drain_seconds(replica: Replica, turns: float, step: float) -> float:
    """Seconds that the last answers take beyond the mean: the longest of so many exponential ones, ever fewer together.

    The longest of n answers is ln n mean ones; while they end, steps shorten from a full batch's to a lone answer's.
    """
    demand = demand_of(replica)
    alone = float(decode_seconds(replica, demand, np.asarray([1.0]))[0])
    return demand.steps * max(math.log(max(turns, 1.0)) - MIDDLE, 0.0) * (step + alone) / 2


def _mean_between_tokens(replica: Replica, together: float, turns: float, reading: float, step: float) -> float:
    """Mean over requests of their own time between tokens: reading that goes on, the wait for a turn, their steps."""
    demand = demand_of(replica)
    place = (np.arange(PLACES) + MIDDLE) / PLACES
    turn = np.maximum(place * together - turns, 0.0) / turns * demand.steps * step
    waits = reading * (1 - place) + turn
    levels = (np.arange(LENGTHS) + MIDDLE) / LENGTHS
    lengths = np.maximum(-np.log(1 - levels) * demand.steps, 1.0)
    yielded = lengths * replica.setup.outputs_after_first / demand.steps
    each = (waits[:, None] + lengths * step) / np.maximum(yielded, 1.0)
    return float(np.mean(each))
