"""What several systems and sizes would do with one training job, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.plan import Assumed
from suanli.domain.result import TrainingEstimate


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOption:
    """One system at one size: its best layout, and for a whole run the time on the wall, the rent, energy at the meter.

    None is what is not known or was not asked; `estimate` is None where no layout fits, `reason` says why. `goodput` is
    the share of the run that is work, `system_watts` the mean power of the systems. `on_front` says that no other
    option is as good in time, rent and energy and better in one of them.
    """

    system_id: str
    nodes: int
    accelerators: int
    estimate: TrainingEstimate | None = None
    reason: str = ""
    total_tokens: float | None = None
    run_seconds: float | None = None
    goodput: float | None = None
    rent: float | None = None
    rent_basis: str = ""
    energy_joules: float | None = None
    system_watts: float | None = None
    on_front: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingComparison:
    """Options in the order asked, the tokens of the run (None: a step alone), the currency, what was assumed.

    `figures` are the assumed figures that time on the wall and energy rest on.
    """

    options: tuple[TrainingOption, ...]
    total_tokens: float | None
    currency: str
    assumed: tuple[str, ...]
    figures: tuple[Assumed, ...] = ()
