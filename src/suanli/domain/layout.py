"""A layout: the choice of degrees and settings under which a training job runs, one or a table of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a layout is named by every command; numpy is loaded by those that weigh tables of them
    import numpy as np
    from numpy.typing import NDArray


class Recompute(StrEnum):
    """Which activations are thrown away and computed again in the backward pass."""

    NONE = "none"
    SELECTIVE = "selective"
    FULL = "full"


class Sharding(StrEnum):
    """What data-parallel ranks share out between them (ZeRO stages; FSDP is FULL)."""

    NONE = "none"
    OPTIMIZER = "optimizer"
    GRADIENTS = "gradients"
    FULL = "full"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """One parallel layout. Accelerators used = data x tensor x pipeline x context; experts split over data x context.

    `sharding_ranks` is over how many data-parallel ranks the sharding goes (None: all of them; less: hierarchical).
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    expert: int = 1
    interleave: int = 1
    micro_batch: int = 1
    sharding: Sharding = Sharding.OPTIMIZER
    sharding_ranks: int | None = None
    recompute: Recompute = Recompute.SELECTIVE
    sequence_parallel: bool = True

    @property
    def accelerators(self) -> int:
        """How many accelerators the layout occupies."""
        return self.data * self.tensor * self.pipeline * self.context


SHARDING_STAGES: tuple[Sharding, ...] = (Sharding.NONE, Sharding.OPTIMIZER, Sharding.GRADIENTS, Sharding.FULL)
RECOMPUTE_LEVELS: tuple[Recompute, ...] = (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)


@dataclass(frozen=True, kw_only=True, slots=True)
class LayoutTable:
    """Many layouts as columns of equal length (float64; `sharding` and `recompute` index the two tuples above)."""

    data: NDArray[np.float64]
    tensor: NDArray[np.float64]
    pipeline: NDArray[np.float64]
    context: NDArray[np.float64]
    expert: NDArray[np.float64]
    interleave: NDArray[np.float64]
    micro_batch: NDArray[np.float64]
    sharding: NDArray[np.float64]
    sharding_ranks: NDArray[np.float64]
    recompute: NDArray[np.float64]
    sequence_parallel: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.data)
