"""Traffic to a serving engine: requests with their arrival, lengths, and what of their prompts others share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suanli.foundation.equation import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """Requests in order of arrival, one a row of every column.

    `arrival_seconds` counts from the start of the traffic, `input_tokens` and `output_tokens` are at least 1.
    `priority` is 0 for the first to be served, larger for later. The prompt of request i begins with the blocks
    `block_ids[block_offsets[i]:block_offsets[i + 1]]` of `block_tokens` tokens each: equal ids are equal text after
    equal beginnings, so that a cache may keep them. A prompt without ids shares nothing.
    """

    arrival_seconds: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    priority: IntArray
    block_ids: IntArray
    block_offsets: IntArray
    block_tokens: int

    def __len__(self) -> int:
        """Return how many requests there are."""
        return len(self.arrival_seconds)
