"""Scaling laws and what they advise: how large a model, how many tokens, which loss, on how many accelerators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suanli.domain.plan import Assumed, Source
from suanli.domain.result import Band
from suanli.domain.wall_clock import WallClock
from suanli.foundation.figure import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalingLaw:
    """One published law. `in_band` is False where it is known to be off; its figures say which form it has."""

    id: str
    in_band: bool
    figures: Mapping[str, Figure]

    @property
    def source(self) -> str:
        """The key of the law's source."""
        return next(iter(self.figures.values())).source

    @property
    def has_scales(self) -> bool:
        """Whether it is a loss with a floor, whose best split is a closed form."""
        return "floor" in self.figures

    @property
    def has_loss(self) -> bool:
        """Whether it tells a loss at all."""
        return "parameter_exponent" in self.figures


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalingLaws:
    """All laws by id, the one that is taken unless another is asked for, and the figures of batches."""

    default: str
    laws: Mapping[str, ScalingLaw]
    batch: Mapping[str, Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """What one law makes of a budget; the loss is of the law's own text, None where it tells none."""

    law: str
    parameters: float
    tokens: float
    loss_nats_per_token: float | None
    in_band: bool
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """The split that reaches the loss of the best one with the least arithmetic over training and serving together."""

    serve_tokens: float
    training_flop: float
    total_flop: float
    saved_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Tokens in a global batch: what is used; beyond which more of them is waste, with its range; what is best.

    `best_tokens` and `best_learning_rate` (of a token's mean loss, at the peak of the schedule) are what DeepSeek found
    best at the budget; the rate goes with that batch.
    """

    batch_tokens: float
    critical_tokens: float
    critical_low_tokens: float
    critical_high_tokens: float
    best_tokens: float
    best_learning_rate: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The model that stands for a number of parameters."""

    parameters: float
    layers: int
    hidden: int
    heads: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """An amount in its currency."""

    amount: float
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rent:
    """What an accelerator's rent rests on: a way of reading the market in words, and the offers read, by id."""

    basis: str
    estimated: bool
    offers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """One number of nodes: how fast the run is on them, when it ends, what rent it costs.

    `gain` is the share of the time that this many nodes save against half as many (None: half does not hold it).
    """

    system: str
    nodes: int
    accelerators: int
    tokens_per_s: float
    mfu: float
    wall_clock: WallClock
    gain: float | None
    cost: Money | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StopsPaying:
    """The size beyond which more nodes do not pay, and why: `gain` (too little time saved) or `batch` (none left)."""

    nodes: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalingAnswer:
    """What to train with a budget and on what. `sizes` are doublings of nodes; `chosen` is the size that is advised.

    `constants` are those of the laws, with range and source.
    """

    law: str
    flop: float
    parameters: float
    tokens: float
    tokens_per_parameter: float
    loss_nats_per_token: float | None
    band: Mapping[str, Band]
    laws: tuple[Split, ...]
    batch: Batch | None
    serving: Serving | None
    shape: Shape | None
    chosen: Size | None
    stops_paying: StopsPaying | None
    sizes: tuple[Size, ...]
    rent: Rent | None
    constants: tuple[Assumed, ...]
    assumed: tuple[Assumed, ...]
    sources: tuple[Source, ...]
