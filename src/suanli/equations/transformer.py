"""What a transformer's parts hold and do: parameters, operations, cache and state. Pure functions of numbers."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation

FLOP_PER_MULTIPLY_ADD = 2.0
"""A multiply-add is two operations: one product and one sum."""


@equation(unit="1", source="vaswani2017")
def matrix_parameters(inputs: Real, outputs: Real, bias: Real) -> Real:
    """Parameters of one weight matrix with its bias.

    N = inputs * outputs + bias. `inputs`, `outputs`: its sides; `bias`: how many bias parameters it has. Exact.

    >>> matrix_parameters(4096.0, 11008.0, 0.0)
    45088768.0
    """
    return inputs * outputs + bias


@equation(unit="FLOP", source="kaplan2020")
def matrix_flop(flop_per_multiply_add: Real, positions: Real, inputs: Real, outputs: Real, active: Real) -> Real:
    """Operations of a weight matrix over all positions of a pass.

    F = 2 * positions * inputs * outputs * active. `flop_per_multiply_add`: 2; `positions`: tokens in the pass (a pure
    count); `active`: how many of the matrix's copies one token passes through. Biases are left out, as in
    torch.utils.flop_counter.

    >>> matrix_flop(2.0, 10.0, 4.0, 8.0, 1.0)
    640.0
    """
    return flop_per_multiply_add * positions * inputs * outputs * active


@equation(unit="1", source="vaswani2017")
def full_pairs(positions: Real) -> Real:
    """Count the (query, key) pairs of one sequence where each position sees every position.

    P = positions^2. This is what torch.utils.flop_counter counts, whatever the mask.

    >>> full_pairs(4.0)
    16.0
    """
    return positions * positions


@equation(unit="1", source="mistral2023")
def causal_pairs(positions: Real, reach: Real) -> Real:
    """Count the (query, key) pairs of one sequence where a position sees itself and at most `reach` - 1 before it.

    P = r * positions - r * (r - 1) / 2 with r = min(reach, positions): the first r positions see 1, 2, ... r, the
    rest see r each. With reach = positions it is the plain causal count positions * (positions + 1) / 2.

    >>> float(causal_pairs(4.0, 4.0))
    10.0
    >>> float(causal_pairs(4.0, 2.0))
    7.0
    """
    seen = np.minimum(reach, positions)
    return seen * positions - seen * (seen - 1.0) / 2.0


@equation(unit="1", source="deepseek2025v32")
def strided_pairs(positions: Real, stride: Real, reach: Real) -> Real:
    """Count the (query, entry) pairs of one sequence whose cache keeps one entry for each `stride` tokens, causally.

    P = stride * e * (e - 1) / 2 + e * (positions - stride * e + 1) with e = min(floor(positions / stride), reach):
    position t sees the floor(t / stride) blocks that are closed and reads at most `reach` of them, summed exactly. With
    stride 1 and reach = positions it is the plain causal count.

    >>> float(strided_pairs(8.0, 4.0, 2.0))
    6.0
    >>> float(strided_pairs(8.0, 4.0, 1.0))
    5.0
    """
    entries = np.minimum(np.floor(positions / stride), reach)
    return stride * entries * (entries - 1.0) / 2.0 + entries * (positions - stride * entries + 1.0)


@equation(unit="FLOP", source="vaswani2017")
def attention_flop(flop_per_multiply_add: Real, pairs: Real, heads: Real, qk_width: Real, v_width: Real) -> Real:
    """Operations of the attention core: scores and weighted values.

    F = 2 * pairs * heads * (qk_width + v_width). `pairs`: (query, key) pairs; `heads`: query heads; `qk_width`,
    `v_width`: width of one head's keys and values. The softmax itself is no multiply-add and is left out.

    >>> attention_flop(2.0, 16.0, 2.0, 8.0, 8.0)
    1024.0
    """
    return flop_per_multiply_add * pairs * heads * (qk_width + v_width)


@equation(unit="FLOP", source="deepseek2025v32")
def index_flop(flop_per_multiply_add: Real, pairs: Real, index_heads: Real, index_width: Real) -> Real:
    """Operations of a sparse index that scores every pair before the attention reads the selected ones.

    F = 2 * pairs * index_heads * index_width.

    >>> index_flop(2.0, 16.0, 4.0, 32.0)
    4096.0
    """
    return flop_per_multiply_add * pairs * index_heads * index_width


@equation(unit="FLOP", source="dao2024mamba2")
def state_flop(flop_per_multiply_add: Real, positions: Real, state_elements: Real, passes: Real) -> Real:
    """Operations of a recurrent mixing core (linear attention, delta rule, state space) over all positions.

    F = 2 * positions * state_elements * passes. `state_elements`: size of one sequence's state; `passes`: how often a
    token reads or writes all of it (2: one update and one read; 3: the delta rule, which reads before it writes). It
    is the recurrence's own count; chunked kernels do more.

    >>> state_flop(2.0, 10.0, 128.0, 2.0)
    5120.0
    """
    return flop_per_multiply_add * positions * state_elements * passes


@equation(unit="B", source="ieee754")
def stored_bytes(elements: Real, element_bytes: Real) -> Real:
    """Bytes of a number of elements in one format.

    B = elements * element_bytes. `element_bytes` includes the scales that the format stores with the numbers.

    >>> stored_bytes(35136.0, 2.0)
    70272.0
    """
    return elements * element_bytes


@equation(unit="1", source="mistral2023")
def cached_positions(positions: Real, window: Real) -> Real:
    """Count the positions that a layer with a sliding window keeps of one sequence.

    K = min(positions, window).

    >>> float(cached_positions(8192.0, 4096.0))
    4096.0
    """
    return np.minimum(positions, window)
