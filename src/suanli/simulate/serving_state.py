"""What compiled code knows of an engine under traffic: requests, step times, rules, and the state of every replica."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanli.foundation.equation import FloatArray

IntArray = NDArray[np.int64]

NOBODY = -1
"""No request, no block, no time yet."""


class Work(NamedTuple):
    """Requests as columns, in order of the time at which they reach the scheduler.

    `blocks` are the shared blocks of prompts one behind the other, numbered from 0, `first_block` where each
    request's begin (one entry more than requests). `prefilled` says that a prompt comes with its cache.
    """

    ready_seconds: FloatArray
    inputs: IntArray
    outputs: IntArray
    priority: IntArray
    blocks: IntArray
    first_block: IntArray
    prefilled: bool


class StepTimes(NamedTuple):
    """Seconds of a step as tables and terms, exact for every load.

    `by_rows` is by tokens that pass the matrices, `by_sequences` by sequences that get a token, `by_head` by tokens
    that pass the vocabulary's product, `by_decoding` by sequences that decode, `by_prompt` by prompt tokens.
    `state_seconds` is of each visit of a recurrent state, `scan_tokens` how many prompt tokens make a visit.
    `decode` and `prefill` hold one row for each kind of attention: its weight, shape, reach and kernel. `earlier` holds
    seconds of each cached position of a prompt that is gathered, and how many of one prompt are, for each kind.
    `narrow` holds one row for each low-rank product of adapters, of which `slots` share a step (0: there are none), and
    `narrow_terms` the rest of its equation, bookkeeping of a step first.
    `stages` is how many micro-batches a step is cut into, `context` over how many ranks a prompt's tokens are spread,
    `verified` the tokens of a decoding sequence, each drafted one accepted with a chance of `acceptance`.
    `least` is what a step of so many sequences takes at least, for the host's work beside it or its launches.
    """

    by_rows: FloatArray
    by_sequences: FloatArray
    by_head: FloatArray
    by_decoding: FloatArray
    by_prompt: FloatArray
    state_floor_seconds: float
    state_seconds: float
    scan_tokens: float
    decode: FloatArray
    prefill: FloatArray
    earlier: FloatArray
    narrow: FloatArray
    narrow_terms: FloatArray
    slots: float
    ranks: float
    stages: float
    context: float
    verified: float
    acceptance: float
    least: FloatArray


class Rules(NamedTuple):
    """How an engine admits and schedules.

    `token_budget` tokens a step, `sequence_limit` requests at once, `pool_blocks` blocks of `block_tokens` tokens of
    cache; a shared block is `shared_blocks` of them. `reserved_share` of an answer is reserved at the start, `mixes`
    says that prompts and decodes share a step, `front_seconds` that a step waits for each request let in.
    `swap_seconds` brings one block to the host or back; below 0, a preempted request is computed again. `seed` draws
    which drafted tokens are accepted.
    """

    token_budget: int
    sequence_limit: int
    pool_blocks: int
    block_tokens: int
    shared_blocks: int
    reserved_share: float
    mixes: bool
    front_seconds: float
    swap_seconds: float
    seed: int


class Requested(NamedTuple):
    """What became of each request; times in seconds, `NOBODY` where it never came to that.

    `left_prompt` and `left_outputs` are tokens still to compute and to make, `cached` those in the cache, `private` the
    blocks of its own, `holds` how many tokens all its blocks have room for, `swapped` its blocks on the host,
    `chunk` what it takes part with in a step. `queue_left` and `queue_right` are its neighbours in a queue.
    """

    replica: IntArray
    admitted_seconds: FloatArray
    first_seconds: FloatArray
    finish_seconds: FloatArray
    last_seconds: FloatArray
    preempted: IntArray
    hit_tokens: IntArray
    left_prompt: IntArray
    left_outputs: IntArray
    cached: IntArray
    private: IntArray
    holds: IntArray
    swapped: IntArray
    chunk: IntArray
    queue_left: IntArray
    queue_right: IntArray


class Replicas(NamedTuple):
    """The state of all replicas; the first axis is the replica.

    `counts` holds per replica: requests running, requests waiting, blocks in use, decode steps, prefill steps,
    prompt tokens computed, tokens made, preemptions, requests turned away, oldest and newest block without a user.
    `running` are ids in order of admission. Of each shared block: `users` (NOBODY where it is not in the cache) and its
    neighbours among those without a user.
    """

    now: FloatArray
    busy_seconds: FloatArray
    queue: IntArray
    counts: IntArray
    running: IntArray
    users: IntArray
    older: IntArray
    newer: IntArray


RUNNING, WAITING, USED, DECODES, PREFILLS, PROMPTED, MADE, PREEMPTED, REFUSED, OLDEST, NEWEST = range(11)
COUNTS = 11


class Watch(NamedTuple):
    """What is watched on the way: gaps between tokens by size, and samples of the replicas over time.

    `gaps` counts tokens by the log of the gap before them, `samples` rows of time, running, waiting, blocks in use, of
    all replicas; `sampling` holds the next time, the interval and the number of rows.
    """

    gaps: IntArray
    samples: FloatArray
    sampling: FloatArray


GAP_BINS = 12000
GAP_LEAST_SECONDS = 1e-6
GAPS_A_LOG = 500.0
"""Gaps of 1 us to 26,000 s in steps of 0.2 %."""
SAMPLES = 1024
"""Rows of samples; when they are full every other one is dropped and the interval doubles."""
