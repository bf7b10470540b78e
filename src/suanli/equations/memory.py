"""Bytes that a training rank holds: weights, gradients, optimizer state, activations, logits."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="B", source="rajbhandari2020")
def state_bytes(parameters: Real, bytes_per_parameter: Real, shards: Real) -> Real:
    """Bytes of one kind of state of the parameters on a rank, shared out over data-parallel ranks.

    M = P b / z: z is 1 where the kind is kept whole. Source: rajbhandari2020.

    >>> float(state_bytes(1e9, 12.0, 4.0))
    3000000000.0
    """
    return parameters * bytes_per_parameter / shards


@equation(unit="1", source="korthikanti2022")
def first_stage_in_flight(micro_batches: Real, pipeline: Real, interleave: Real) -> Real:
    """Micro-batches whose activations the first stage holds at once under 1F1B.

    k = min(m, p) (1 + (p - 1) / (p v)) for v > 1 chunks a stage, else min(m, p). Source: korthikanti2022.

    >>> float(first_stage_in_flight(64.0, 8.0, 1.0)), float(first_stage_in_flight(64.0, 8.0, 2.0))
    (8.0, 11.5)
    """
    chunks = np.minimum(interleave - 1, 1)
    return np.maximum(np.minimum(micro_batches, pipeline), 1) * (1 + chunks * (pipeline - 1) / (pipeline * interleave))


@equation(unit="1", source="qi2023")
def put_off_in_flight(micro_batches: Real, pipeline: Real, weights_put_off: Real) -> Real:
    """Micro-batches whose activations every stage holds at once where weight gradients are put off (zb-h1, zb-h2).

    k = min(m, d (p - 1) + 1): p of them under zb-h1 (d = 1), as on the first stage of 1F1B, 2 p - 1 under zb-h2
    (d = 2). What weight gradients need is taken for all that a layer keeps. Source: qi2023, table 2.

    >>> float(put_off_in_flight(64.0, 8.0, 1.0)), float(put_off_in_flight(64.0, 8.0, 2.0))
    (8.0, 15.0)
    """
    return np.maximum(np.minimum(micro_batches, weights_put_off * (pipeline - 1) + 1), 1)


@equation(unit="1", source="deepseek2024v3")
def dualpipe_in_flight(micro_batches: Real, pipeline: Real) -> Real:
    """Micro-batches whose activations every stage holds at once under DualPipe.

    k = min(m, p + 1). Source: deepseek2024v3, table 2.

    >>> float(dualpipe_in_flight(64.0, 8.0))
    9.0
    """
    return np.maximum(np.minimum(micro_batches, pipeline + 1), 1)


@equation(unit="B", source="korthikanti2022")
def kept_activation_bytes(
    tokens_at_once: Real,
    whole_bytes_per_position: Real,
    split_bytes_per_position: Real,
    tensor: Real,
    whole_split: Real,
) -> Real:
    """Activation bytes that one layer keeps for its backward pass, for one micro-batch on one rank.

    A = n (w / q + x / t): `whole_bytes_per_position` w (norms, inputs of column-parallel matrices, dropout masks) is
    split only under sequence parallelism (q = t, else 1), `split_bytes_per_position` x (inside attention and MLP) by
    the tensor degree t. For a GPT layer w + x = 34 h. Source: korthikanti2022.

    >>> float(kept_activation_bytes(1.0, 10.0, 24.0, 4.0, 1.0)), float(kept_activation_bytes(1.0, 10.0, 24.0, 4.0, 4.0))
    (16.0, 8.5)
    """
    return tokens_at_once * (whole_bytes_per_position / whole_split + split_bytes_per_position / tensor)


@equation(unit="B", source="korthikanti2022")
def score_activation_bytes(tokens_at_once: Real, keys: Real, heads: Real, tensor: Real, bytes_per_score: Real) -> Real:
    """Bytes that unfused attention keeps of its score matrix: softmax in and out, dropout mask.

    A = n s a b / t, b = 5 with 16-bit scores. Source: korthikanti2022.

    >>> float(score_activation_bytes(10.0, 10.0, 2.0, 1.0, 5.0))
    1000.0
    """
    return tokens_at_once * keys * heads * bytes_per_score / tensor


@equation(unit="B", source="korthikanti2022")
def logits_bytes(tokens_at_once: Real, vocabulary: Real, tensor: Real, bytes_per_logit: Real) -> Real:
    """Bytes of the logits and of their gradient on the last stage.

    M = n V b / t. Source: korthikanti2022.

    >>> float(logits_bytes(2048.0, 50000.0, 1.0, 6.0))
    614400000.0
    """
    return tokens_at_once * vocabulary * bytes_per_logit / tensor


@equation(unit="B", source="korthikanti2022")
def held_bytes(state_bytes: Real, live_bytes: Real, reserved_bytes: Real, fragmentation: Real) -> Real:
    """Bytes that the device shows as taken: live tensors, what the allocator loses between them, the runtime's own.

    M = S + A (1 + x) + R: long-lived state packs well, short-lived activations do not. Source: korthikanti2022.

    >>> float(held_bytes(10.0, 10.0, 1.0, 0.1))
    22.0
    """
    return state_bytes + live_bytes * (1 + fragmentation) + reserved_bytes
