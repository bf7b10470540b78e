"""Traffic generated with a seed: arrivals, lengths, and the beginnings that prompts share."""

from __future__ import annotations

import numpy as np

from suanli.domain.traffic import Requests
from suanli.traffic.draw import Mix, arrivals, lengths, without_blocks
from suanli.traffic.sharing import follow, talks


def generate(mix: Mix, many: int, seed: int) -> Requests:
    """Generate requests; the same seed gives the same bytes."""
    random = np.random.default_rng(seed)
    if mix.turns > 1 or (mix.system_tokens and not mix.shared_share):
        return talks(random, mix, many)
    plain = without_blocks(
        arrivals(random, mix, many), lengths(random, mix.inputs, many), lengths(random, mix.outputs, many)
    )
    return follow(random, mix, plain) if mix.shared_share else plain
