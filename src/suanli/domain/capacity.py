"""What a replica holds: memory by cause, blocks of the cache, sequences that fit, and what would free more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.workload import ServingLayout


class Bound(StrEnum):
    """What keeps a replica from holding more."""

    WEIGHTS = "weights"
    CACHE = "cache"
    PLACES = "places"
    POSITIONS = "positions"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be held: `users` at once, each with `context_tokens` in the cache; answers have a mean length too."""

    users: int
    context_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What one setting of a replica holds.

    `memory_bytes` is what software sees of an accelerator, `bytes_by_cause` what stands beside the cache, `pool_bytes`
    what is left for it: `kv_blocks` blocks of `kv_block_tokens` tokens and `kv_block_bytes` each. `sequences` of the
    wanted context fit at once, `mean_sequences` of the traffic's mean length; `longest_tokens` is the longest context
    of the wanted users (0: none). `bound` is what keeps more from fitting, `short_bytes` what the wanted lacks.
    """

    layout: ServingLayout
    weight_format: str
    kv_format: str
    memory_bytes: float
    bytes_by_cause: Mapping[str, float]
    pool_bytes: float
    kv_block_tokens: int
    kv_block_bytes: float
    kv_blocks: int
    sequences: int
    mean_sequences: int
    longest_tokens: int
    bound: Bound
    fits: bool
    short_bytes: float = 0.0
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """A setting that holds what is wanted, what changes of it would hold, and the smallest one of each format."""

    held: Held
    changes: tuple[tuple[str, Held], ...]
    smallest: tuple[Held, ...]
