"""Which drafted tokens are accepted, drawn by chance in compiled code; the same seed draws the same."""

from __future__ import annotations

import math

import numpy as np

from suanli.simulate.compiled import fast
from suanli.simulate.serving_state import Requested, Rules, StepTimes

STRIDE = np.uint64(0x9E3779B97F4A7C15)
FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
"""Constants of SplitMix64 (Steele, Lea and Flood 2014)."""
SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11))
MANTISSA = 2.0**-53
"""One step of the numbers between 0 and 1 that 53 bits tell apart."""


@fast
def mixed(state: np.uint64) -> np.uint64:
    """Mix the bits of a number so that neighbours share nothing."""
    one = (state ^ (state >> SHIFTS[0])) * FIRST_FACTOR
    two = (one ^ (one >> SHIFTS[1])) * SECOND_FACTOR
    return two ^ (two >> SHIFTS[2])


@fast
def uniform(seed: int, request: int, place: int) -> float:
    """Draw a number above 0 and at most 1 for a place of a request; the same three give the same number."""
    state = mixed(np.uint64(seed) + STRIDE)
    state = mixed(state + np.uint64(request) + STRIDE)
    state = mixed(state + np.uint64(place) + STRIDE)
    return (float(state >> SHIFTS[3]) + 1.0) * MANTISSA


@fast
def accepted_tokens(times: StepTimes, rules: Rules, told: Requested, one: int) -> int:
    """Draw how many tokens a request gets from a step: its own, and drafts until the first that is not accepted.

    The chance that k drafts are accepted or more is a^k, so the mean is (1 - a^(d + 1)) / (1 - a).
    """
    drafts = int(times.verified) - 1
    if drafts == 0 or times.acceptance <= 0.0:
        return 1
    drawn = uniform(rules.seed, one, told.left_outputs[one])
    return 1 + min(drafts, int(math.log(drawn) / math.log(times.acceptance)))
