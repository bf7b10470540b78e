"""Seconds of a step in compiled code: tables by what it carries, and the attention of its very lengths."""

from __future__ import annotations

import math
from typing import NamedTuple

from suanli.equations import adapters, batching, roofline
from suanli.foundation.equation import FloatArray
from suanli.simulate.compiled import fast, teach
from suanli.simulate.serving_state import StepTimes

teach()
FLOP_A_MULTIPLY_ADD = 2.0


class Batch(NamedTuple):
    """What a step carries: sequences in decode and what they have cached, prompts, their tokens and keys at the end."""

    decoding: int
    cached: int
    prompts: int
    prompt_tokens: int
    prompt_keys: int
    let_in: int
    swap_blocks: int


@fast
def attention_seconds(kinds: FloatArray, queries: float, keys: float, sequences: float) -> float:
    """Add up the attention of all kinds of layers; a row tells weight, fixed queries (0: of the step), reach, shape."""
    spent = 0.0
    for at in range(len(kinds)):
        kind = kinds[at]
        own = queries if kind[1] == 0 else kind[1]
        seen = min(max(keys * kind[2], 1.0), kind[3] + kind[4] * (own - 1) / 2)
        once = roofline.fused_attention_seconds(
            own, seen, kind[5], kind[6], kind[7], kind[8], kind[9], sequences, kind[10], kind[11], kind[12], kind[13],
            kind[14], kind[15], kind[16], kind[17], kind[18], kind[19], kind[20], kind[21], kind[22], kind[23],
            kind[24], kind[25], FLOP_A_MULTIPLY_ADD,
        )  # fmt: skip
        scores = kind[26] * sequences * kind[6] * own * seen
        spent += kind[0] * (once + (kind[27] + scores if kind[26] > 0 else 0.0))
    return spent


@fast
def decode_attention_seconds(times: StepTimes, decoding: float, cached: float) -> float:
    """Seconds of the attention of so many decoding sequences with so many cached tokens, all together."""
    spread = max(decoding / times.stages, min(decoding, 1.0))
    own = max(spread / times.ranks, min(spread, 1.0))
    return attention_seconds(times.decode, times.verified, cached / decoding, own)


@fast
def prompt_attention_seconds(times: StepTimes, batch: Batch) -> float:
    """Seconds of the attention of prompts: a context rank has a part of the queries, which see as much on average."""
    prompts = max(batch.prompts / times.stages, 1.0)
    whole = max(batch.prompt_tokens / times.stages / prompts, 1.0)
    queries = max(whole / times.context, 1.0)
    keys = max(batch.prompt_keys / batch.prompts, whole) - (whole - queries) / 2
    spent = attention_seconds(times.prefill, queries, keys, max(prompts / times.ranks, 1.0))
    for at in range(len(times.earlier)):
        seen = min(float(batch.prompt_keys - batch.prompt_tokens), batch.prompts * times.earlier[at, 1])
        spent += times.earlier[at, 0] * seen / times.stages
    return spent


@fast
def narrow_seconds(times: StepTimes, rows: float, sequences: float) -> float:
    """Seconds of the low-rank products of adapters, for so many rows and requests of a step."""
    own = max(rows / times.ranks, min(rows, 1.0)) if times.ranks > 1 else rows
    present, asked = min(own, 1.0), max(sequences / times.ranks, 1.0)
    distinct = batching.touched_experts(times.slots, 1.0, max(asked, 1.0))
    terms, spent = times.narrow_terms, times.narrow_terms[0] * present
    for at in range(len(times.narrow)):
        kind = times.narrow[at]
        touched = batching.touched_experts(kind[3], kind[4], max(own / distinct, 1.0))
        groups = distinct * max(touched / kind[5], 1.0)
        once = adapters.low_rank_seconds(
            own * kind[6], kind[1], kind[2], groups, terms[1], terms[2], terms[3], terms[4], terms[5], terms[6],
            terms[7], terms[8],
        )  # fmt: skip
        spent += kind[0] * present * once
    return float(spent)


@fast
def step_seconds(times: StepTimes, batch: Batch) -> float:
    """Seconds of a step: tables by its rows, sequences and prompt tokens, and the attention of its very lengths."""
    spent = flat_seconds(times, batch)
    if batch.decoding > 0:
        spent += decode_attention_seconds(times, float(batch.decoding), float(batch.cached))
    if batch.prompt_tokens > 0:
        spent += prompt_attention_seconds(times, batch)
    return float(max(spent, times.least[math.ceil((batch.decoding + batch.prompts) / times.stages)]))


@fast
def flat_seconds(times: StepTimes, batch: Batch) -> float:
    """Seconds of a step that do not depend on how much is cached."""
    stages, decoding, tokens = times.stages, float(batch.decoding), float(batch.prompt_tokens)
    rows = math.ceil((decoding * times.verified + math.ceil(tokens / times.context)) / stages)
    sequences = math.ceil((decoding + batch.prompts) / stages)
    spent = times.by_rows[rows] + times.by_sequences[sequences]
    spent += times.by_head[math.ceil((decoding * times.verified + batch.prompts) / stages)]
    spent += times.by_decoding[math.ceil(decoding / stages)]
    if times.slots > 0:
        spent += narrow_seconds(times, float(rows), float(sequences))
    spent += times.by_prompt[math.ceil(tokens / stages)]
    visits = decoding / times.ranks + tokens / times.ranks / times.scan_tokens
    spent += times.state_floor_seconds + times.state_seconds * visits / stages
    return float(spent)
