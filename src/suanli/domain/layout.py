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


class Schedule(StrEnum):
    """In which order a pipeline's stages work on micro-batches; interleaving belongs to 1F1B."""

    GPIPE = "gpipe"
    ONE_F_ONE_B = "1f1b"
    ZB_H1 = "zb-h1"
    ZB_H2 = "zb-h2"
    ZB_V = "zb-v"
    DUALPIPE = "dualpipe"


class Offload(StrEnum):
    """What lives in the host's memory and travels when it is needed."""

    NONE = "none"
    OPTIMIZER = "optimizer"
    ACTIVATIONS = "activations"
    BOTH = "both"


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
    schedule: Schedule = Schedule.ONE_F_ONE_B
    offload: Offload = Offload.NONE

    @property
    def accelerators(self) -> int:
        """How many accelerators the layout occupies."""
        return self.data * self.tensor * self.pipeline * self.context


SHARDING_STAGES: tuple[Sharding, ...] = (Sharding.NONE, Sharding.OPTIMIZER, Sharding.GRADIENTS, Sharding.FULL)
RECOMPUTE_LEVELS: tuple[Recompute, ...] = (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)
SCHEDULES: tuple[Schedule, ...] = tuple(Schedule)
OFFLOADS: tuple[Offload, ...] = tuple(Offload)


@dataclass(frozen=True, kw_only=True, slots=True)
class LayoutTable:
    """Many layouts as columns of equal length.

    All float64; `sharding`, `recompute`, `schedule` and `offload` index the tuples above.
    """

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
    schedule: NDArray[np.float64]
    offload: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.data)
