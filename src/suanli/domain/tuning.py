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


NOTHING_FROZEN = Freezing()
"""Everything that a method trains is trained."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningText:
    """A data set as training sees it: its tokens, in how many examples (None: not known), and how they were counted.

    `low_tokens` and `high_tokens` are the ends of what they may be where they were told from characters.
    """

    tokens: float
    low_tokens: float
    high_tokens: float
    examples: int | None
    mean_tokens: float | None
    longest_tokens: float | None
    counted_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningWork:
    """What a tuning job computes: steps of sequences that hold the text of all epochs, packed or padded.

    `trained_tokens` are of the text, `computed_tokens` all positions that are computed, `wasted_share` what of them
    is padding, `cut_share` what of the text is longer than a sequence and left out.
    """

    text: TuningText
    epochs: float
    packed: bool
    sequences: float
    steps: float
    trained_tokens: float
    computed_tokens: float
    wasted_share: float
    cut_share: float
