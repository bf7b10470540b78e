"""Continuous batching in closed form: steps, sequences in flight, rates, waits, what fits the cache."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="fedus2022")
def touched_experts(experts: Real, chosen: Real, rows: Real) -> Real:
    """Mean number of distinct experts that a batch reads when every token chooses evenly.

    E' = E (1 - (1 - k / E)^T).

    `chosen` k of `experts` E serve each of `rows` T tokens. Holds for independent, even choice. Source: fedus2022.

    >>> float(touched_experts(8.0, 2.0, 1.0))
    2.0
    """
    return experts * (1 - (1 - chosen / experts) ** rows)


@equation(unit="1", source="kwon2023")
def cached_sequences(pool_bytes: Real, sequence_bytes: Real, sequence_limit: Real) -> Real:
    """How many sequences are resident at once: as many as the cache pool holds, at most what the engine admits.

    S = min(S_max, floor(M / m)).

    `sequence_bytes` m is what one sequence occupies on average while it runs. Source: kwon2023.

    >>> float(cached_sequences(10.0, 3.0, 256.0))
    3.0
    """
    return np.minimum(sequence_limit, np.floor(pool_bytes / sequence_bytes))


@equation(unit="1", source="kwon2023")
def sequence_cache_length(inputs: Real, outputs: Real, reserved_share: Real) -> Real:
    """Mean number of cached positions of one running sequence.

    l = I + r O, with r = 1 where the engine reserves the whole answer and 1/2 where blocks are taken as they fill.

    Source: kwon2023.

    >>> float(sequence_cache_length(100.0, 50.0, 0.5))
    125.0
    """
    return inputs + reserved_share * outputs


@equation(unit="1", source="leviathan2023")
def accepted_per_step(acceptance: Real, drafts: Real) -> Real:
    """Mean number of tokens that one verified step yields under speculative decoding.

    A = (1 - a^(d + 1)) / (1 - a).

    `acceptance` a is the chance that a drafted token is accepted, `drafts` d how many are drafted. Holds for
    independent acceptance below 1. Source: leviathan2023.

    >>> float(accepted_per_step(0.5, 1.0))
    1.5
    """
    return (1 - acceptance ** (drafts + 1)) / (1 - acceptance)


@equation(unit="1", source="huang2019")
def busy_stages(stages: Real, stall: Real) -> Real:
    """Mean number of pipeline stages that work at the same time: b = p / (1 + s (p - 1)).

    `stall` s is what each further stage costs all others, since steps of different content take unequal time.
    Source: huang2019.

    >>> float(busy_stages(1.0, 0.15))
    1.0
    """
    return stages / (1 + stall * (stages - 1))


@equation(unit="1", source="agrawal2024")
def decoding_sequences(resident: Real, decode_steps: Real, prefill_steps: Real) -> Real:
    """How many of the resident sequences decode in a step; the rest are in prefill.

    d = R D / (D + P).

    A request spends `decode_steps` D steps in decode and `prefill_steps` P in prefill. Source: agrawal2024.

    >>> float(decoding_sequences(10.0, 90.0, 10.0))
    9.0
    """
    return resident * decode_steps / (decode_steps + prefill_steps)


@equation(unit="1", source="agrawal2024")
def prefill_per_step(decoding: Real, inputs: Real, decode_steps: Real) -> Real:
    """Prompt tokens that the steady state must prefill in each step, so that as many requests start as end.

    p = d I / D. Source: agrawal2024.

    >>> float(prefill_per_step(10.0, 1000.0, 100.0))
    100.0
    """
    return decoding * inputs / decode_steps


@equation(unit="s", source="agrawal2024")
def mean_step_seconds(decode_step_seconds: Real, mixed_step_seconds: Real, mixed_share: Real) -> Real:
    """Mean time of a step when a share of the steps carries a prefill chunk: t = (1 - x) t_d + x t_m.

    Source: agrawal2024.

    >>> float(mean_step_seconds(0.01, 0.03, 0.5))
    0.02
    """
    return (1 - mixed_share) * decode_step_seconds + mixed_share * mixed_step_seconds


@equation(unit="1/s", source="little1961")
def requests_per_s(sequences: Real, residence_seconds: Real) -> Real:
    """Count requests finished per second by sequences that each stay so long (Little's law): X = N / W.

    Source: little1961.

    >>> float(requests_per_s(10.0, 5.0))
    2.0
    """
    return sequences / residence_seconds


@equation(unit="s", source="pollaczek1930")
def queue_wait_seconds(service_seconds: Real, utilisation: Real, arrival_variation: Real) -> Real:
    """Mean wait before a server of constant service time (Kingman; exact for Poisson arrivals, M/D/1).

    W = c^2 s u / (2 (1 - u)).

    `arrival_variation` c^2 is the squared coefficient of variation of the gaps (1 for Poisson, 0 for a clock).
    Holds for `utilisation` u below 1. Source: pollaczek1930.

    >>> float(queue_wait_seconds(1.0, 0.5, 1.0))
    0.5
    """
    return arrival_variation * service_seconds * utilisation / (2 * (1 - utilisation))


@equation(unit="s", source="agrawal2024")
def burst_wait_seconds(service_seconds: Real, together: Real) -> Real:
    """Mean wait of requests that arrive together and are served one after another: W = s max(b - 1, 0) / 2.

    `together` b is how many arrive at once. Source: agrawal2024.

    >>> float(burst_wait_seconds(0.1, 11.0))
    0.5
    """
    return service_seconds * np.maximum(together - 1, 0) / 2


@equation(unit="s", source="yu2022")
def step_overhead_seconds(
    layers: Real,
    sequences: Real,
    layer_seconds: Real,
    host_seconds: Real,
    sequence_seconds: Real,
) -> Real:
    """Time of a step that no kernel accounts for: launches by layer, scheduling, sampling by sequence.

    t = L t_layer + t_host + n t_sequence. Source: yu2022.

    >>> round(float(step_overhead_seconds(32.0, 10.0, 1e-5, 1e-3, 1e-5)), 6)
    0.00142
    """
    return layers * layer_seconds + host_seconds + sequences * sequence_seconds


@equation(unit="s", source="llamacpp_gpu_benchmarks")
def expansion_seconds(wide_bytes: Real, expand_bytes_per_s: Real) -> Real:
    """Time to write quantised weights out in 16 bits before a product of many rows: t = B / W.

    Source: llamacpp_gpu_benchmarks (prompts in four bits take longer than in sixteen).

    >>> expansion_seconds(16e9, 8e11)
    0.02
    """
    return wide_bytes / expand_bytes_per_s


@equation(unit="1/s", source="zhong2024")
def paired_rate_per_s(first_per_s: Real, second_per_s: Real) -> Real:
    """Take the slower of two stages in a row (prefill and decode apart): X = min(X_p, X_d).

    Source: zhong2024.

    >>> float(paired_rate_per_s(3.0, 2.0))
    2.0
    """
    return np.minimum(first_per_s, second_per_s)


@equation(unit="1", source="little1961")
def replicas_needed(demand_per_s: Real, replica_per_s: Real, headroom: Real) -> Real:
    """Replicas that hold a rate of requests with a share of their capacity kept free.

    n = ceil(l / (X (1 - h))). Source: little1961.

    >>> float(replicas_needed(10.0, 3.0, 0.0))
    4.0
    """
    return np.ceil(demand_per_s / (replica_per_s * (1 - headroom)))
