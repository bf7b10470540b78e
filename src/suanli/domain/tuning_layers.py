"""Ways to have a model do a task, side by side: from training it anew to telling it by examples."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.layout import Layout
from suanli.domain.plan import Assumed


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningLayer:
    """One way: what it computes, on how many accelerators for how long, for how much, and what one of them holds.

    `id` is pretrain, continue, full, lora, qlora or prompt. `seconds` are on the wall, what failures cost included, for
    a prompt those of serving its requests. `flop` is the model's own arithmetic. None stands where a way is not
    feasible (`reason` says why), or where no price or power is known. `trained_parameters` is what it changes.
    """

    id: str
    tokens: float
    flop: float
    accelerators: int
    trained_parameters: float
    seconds: float | None = None
    rent: float | None = None
    energy_joules: float | None = None
    memory_bytes: float | None = None
    layout: Layout | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningLayers:
    """All ways for one model and one data set on one cluster, and what they rest on.

    `pays_from_requests` is from how many requests on LoRA costs less than examples in every prompt (None: a price is
    not known, or no example is in the prompt).
    """

    layers: tuple[TuningLayer, ...]
    currency: str
    rent_basis: str
    pays_from_requests: float | None
    assumed: tuple[str, ...]
    figures: tuple[Assumed, ...]
