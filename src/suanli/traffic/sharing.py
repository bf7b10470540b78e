"""Beginnings that generated prompts share: talks that grow turn by turn, and prompts that follow an earlier one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from suanli.domain.traffic import IntArray, Requests
from suanli.foundation.equation import FloatArray
from suanli.traffic.draw import Mix, arrivals, lengths, without_blocks
from suanli.traffic.formats import OWN_BLOCK_TOKENS

WARM_TALKS = 5.0
"""So many mean talks before traffic begins, talks begin: of those, less than one in a hundred still lasts."""
EXTRA = 1.1
"""Talks beyond those that are needed on average."""
FAR = 2**32
"""More blocks than one talk has: numbers of talks lie so far apart."""
HALVINGS = 60
"""Steps of a bisection: as fine as a float."""


def talks(random: np.random.Generator, mix: Mix, many: int) -> Requests:
    """Draw talks that are under way already when traffic begins, and turns whose prompts hold all that was said.

    Talks begin at the rate over their mean turns, from so long before that nearly all of the first have ended.
    """
    turns = max(mix.turns, 1.0)
    before = WARM_TALKS * turns * mix.think_seconds
    starting = math.ceil(EXTRA * (many / mix.rate_per_s + before) * mix.rate_per_s / turns) + 1
    starts = arrivals(random, replace(mix, rate_per_s=mix.rate_per_s / turns), starting) - before
    tools = random.integers(max(mix.tools, 1), size=starting)
    opening = mix.system_tokens + (mix.tool_tokens if mix.tools else 0)
    found: list[tuple[float, int, int, int]] = []
    for talk, (start, length) in enumerate(
        zip(starts.tolist(), random.geometric(1 / turns, starting).tolist(), strict=True)
    ):
        said, now = opening, start
        news, answers = lengths(random, mix.inputs, length), lengths(random, mix.outputs, length)
        for new, answer in zip(news.tolist(), answers.tolist(), strict=True):
            if now >= 0:
                found.append((now, said + new, answer, talk))
            said, now = said + new + answer, now + float(random.exponential(mix.think_seconds))
    found.sort()
    kept = found[:many]
    common, shared = mix.system_tokens // OWN_BLOCK_TOKENS, opening // OWN_BLOCK_TOKENS
    blocks = [
        _blocks(talk, inputs // OWN_BLOCK_TOKENS, common, shared, int(tools[talk])) for _, inputs, _, talk in kept
    ]
    plain = without_blocks(
        np.array([when for when, *_ in kept]) - kept[0][0],
        np.array([inputs for _, inputs, _, _ in kept], dtype=np.int64),
        np.array([outputs for _, _, outputs, _ in kept], dtype=np.int64),
    )
    return with_blocks(plain, blocks, OWN_BLOCK_TOKENS)


def with_blocks(plain: Requests, blocks: list[IntArray], block_tokens: int) -> Requests:
    """Give requests the blocks of their prompts."""
    return replace(
        plain,
        block_ids=np.concatenate([np.zeros(0, dtype=np.int64), *blocks]),
        block_offsets=np.concatenate([[0], np.cumsum([len(one) for one in blocks])]).astype(np.int64),
        block_tokens=block_tokens,
    )


def _blocks(talk: int, many: int, common: int, shared: int, tool: int) -> IntArray:
    """Give the blocks of a prompt their numbers: those of all talks first, then of its tool, the rest of this one."""
    places = np.arange(many, dtype=np.int64)
    own = np.where(places < shared, -(tool + 1) * FAR + places, (talk + 1) * FAR + places)
    return np.where(places < common, places, own)


def follow(random: np.random.Generator, mix: Mix, plain: Requests) -> Requests:
    """Let prompts begin as earlier ones did, so that `shared_share` of all their blocks were seen before.

    A prompt follows one that came a geometric number of requests before it, as far as the shorter of both reaches; long
    prompts follow more often. All begin with the same system prompt.
    """
    size = mix.block_tokens or OWN_BLOCK_TOKENS
    blocks = plain.input_tokens // size
    common = mix.system_tokens // size
    parents = np.arange(len(plain)) - random.geometric(1 / max(mix.follow_requests, 1.0), len(plain))
    theirs = np.where(parents >= 0, blocks[np.maximum(parents, 0)], 0)
    always = np.minimum(blocks, common)
    shared = np.maximum(np.minimum(blocks, theirs), always)
    chance = following(blocks, shared, always, mix.shared_share)
    follows = random.random(len(plain)) < chance
    return with_blocks(plain, _inherited(blocks, parents, np.where(follows, shared, always), common), size)


def following(blocks: IntArray, shared: IntArray, always: IntArray, share: float) -> FloatArray:
    """Return the chance of each prompt to follow another, in proportion to its length, so that the share comes out.

    `shared` blocks are seen before where it does, `always` where it does not.
    """
    wanted = share * float(blocks.sum())
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        chance = np.minimum(blocks * middle, 1.0)
        low, high = (middle, high) if float((always + chance * (shared - always)).sum()) < wanted else (low, middle)
    return np.asarray(np.minimum(blocks * high, 1.0), dtype=float)


def _inherited(blocks: IntArray, parents: IntArray, shared: IntArray, common: int) -> list[IntArray]:
    """Give the blocks of every prompt their numbers: as many as it shares are its parent's, the rest are new."""
    made: list[IntArray] = []
    opening = np.arange(common, dtype=np.int64)
    fresh = int(common)
    for many, parent, same in zip(blocks.tolist(), parents.tolist(), shared.tolist(), strict=True):
        source = opening if same <= common else made[parent]
        own = np.arange(fresh, fresh + many - same, dtype=np.int64)
        fresh += many - same
        made.append(np.concatenate([source[:same], own]))
    return made
