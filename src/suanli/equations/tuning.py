"""A tuning job's text in sequences: what packing and padding make of examples, and how many of them fill a length."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="krell2021")
def packed_sequences(tokens: Real, sequence_tokens: Real) -> Real:
    """Sequences that so many tokens fill where examples are packed one behind the other.

    n = T / s. Source: krell2021.

    >>> packed_sequences(1e6, 4096.0) > 244
    True
    """
    return tokens / sequence_tokens


@equation(unit="1", source="krell2021")
def padding_share(mean_tokens: Real, sequence_tokens: Real) -> Real:
    """Share of the positions of padded sequences that hold no token of an example.

    w = 1 - min(m, s) / s: each example stands alone in a sequence of length s. Source: krell2021.

    >>> float(padding_share(1024.0, 4096.0))
    0.75
    """
    return 1 - np.minimum(mean_tokens, sequence_tokens) / sequence_tokens


@equation(unit="token", source="deepseek_token_usage")
def text_tokens(
    chinese_characters: Real, other_characters: Real, tokens_per_chinese: Real, tokens_per_other: Real
) -> Real:
    """Tokens of a text by its characters, Chinese ones and all others.

    T = c f + o g. Source: deepseek_token_usage.

    >>> text_tokens(100.0, 1000.0, 0.6, 0.3)
    360.0
    """
    return chinese_characters * tokens_per_chinese + other_characters * tokens_per_other


@equation(unit="1", source="hu2021lora")
def paying_requests(job_cost: Real, added_cost: Real) -> Real:
    """Count the requests from which a tuned model costs less than examples in every prompt.

    n = C / a: the job's cost over what examples add to the cost of one request. Source: hu2021lora.

    >>> paying_requests(100.0, 0.002)
    50000.0
    """
    return job_cost / added_cost
