"""How a model is tuned: which adapters stand beside frozen weights, what else stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ExpertAdapters(StrEnum):
    """What adapters of experts are: each expert has its own, or all experts of a layer share one."""

    EACH = "each"
    SHARED = "shared"


@dataclass(frozen=True, kw_only=True, slots=True)
class LowRank:
    """Low-rank adapters beside frozen weights.

    `targets` are words for matrices as people write them (`q_proj`, `experts`, `lm_head`) or for groups of them
    (`attention`, `mlp`, `all-linear`). `dora` scales each output of the sum of weight and adapter by a trained
    magnitude over its norm. `experts` says whether experts of a layer share their adapters.
    """

    rank: int
    targets: tuple[str, ...] = ("all-linear",)
    dora: bool = False
    experts: ExpertAdapters = ExpertAdapters.EACH


@dataclass(frozen=True, kw_only=True, slots=True)
class Freezing:
    """What training leaves as it is beside what its method does.

    The first `layers` layers, the token and position `embeddings` (a tied head with them), or all but the head.
    """

    layers: int = 0
    embeddings: bool = False
    all_but_head: bool = False
