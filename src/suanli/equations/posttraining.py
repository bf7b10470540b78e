"""Tuning with rollouts: lengths of answers, who waits for whom, and weights on their way to an engine."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="johnson1994")
def log_spread(spread: Real) -> Real:
    """Return the standard deviation of the log of a log-normal quantity whose own is `spread` of its mean.

    sigma = sqrt(ln(1 + c^2)). Source: johnson1994.

    >>> round(float(log_spread(1.0)), 4)
    0.8326
    """
    return np.sqrt(np.log(1 + spread**2))


@equation(unit="token", source="johnson1994")
def answer_length(median_tokens: Real, sigma_log: Real, deviate: Real, longest_tokens: Real) -> Real:
    """Tokens of an answer whose length is log-normal and cut off.

    L = min(m exp(s z), L_max): median m, standard deviation s of the log, normal deviate z. Source: johnson1994.

    >>> float(answer_length(100.0, 0.5, 0.0, 4096.0)), float(answer_length(100.0, 0.5, 9.0, 4096.0))
    (100.0, 4096.0)
    """
    return np.minimum(median_tokens * np.exp(sigma_log * deviate), longest_tokens)


@equation(unit="1", source="cox1962")
def token_biased_length(mean_tokens: Real, mean_square_tokens: Real) -> Real:
    """Length of the sequence in which a token finds itself, on average over tokens: long ones hold more of them.

    L' = E[L^2] / E[L]. Source: cox1962.

    >>> token_biased_length(2.0, 5.0)
    2.5
    """
    return mean_square_tokens / mean_tokens


@equation(unit="s", source="noukhovitch2024")
def waiting_seconds(own_seconds: Real, other_seconds: Real, ahead: Real) -> Real:
    """Time in which a pool waits for the other one in a step.

    t = max(t_o - t, 0) where answers are generated ahead (`ahead` 1), else t_o: the pools take turns.
    Source: noukhovitch2024.

    >>> [float(waiting_seconds(*asked)) for asked in ((2.0, 5.0, 1.0), (2.0, 5.0, 0.0), (5.0, 2.0, 1.0))]
    [3.0, 5.0, 0.0]
    """
    return ahead * np.maximum(other_seconds - own_seconds, 0) + (1 - ahead) * other_seconds


@equation(unit="s", source="wu2025llamarl")
def weights_sent_seconds(
    weight_bytes: Real, copies: Real, senders: Real, receivers: Real, link_bytes_per_s: Real, link_share: Real
) -> Real:
    """Time to bring copies of the weights from ranks that train to ranks that generate.

    t = c W / (min(s, r) b e): `copies` c of W bytes leave `senders` s and reach `receivers` r at once, each over its
    own link of b, of which a share e is reached. A broadcast is one copy that one sender sends and each rank passes on
    while it receives. Source: wu2025llamarl.

    >>> float(weights_sent_seconds(16e9, 1.0, 1.0, 1.0, 50e9, 0.5))
    0.64
    >>> float(weights_sent_seconds(16e9, 2.0, 8.0, 4.0, 50e9, 0.5))
    0.32
    """
    return copies * weight_bytes / (np.minimum(senders, receivers) * link_bytes_per_s * link_share)
