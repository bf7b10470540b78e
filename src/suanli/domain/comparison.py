"""What several systems and sizes would do with one training job, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.result import TrainingEstimate


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOption:
    """One system at one size: its best layout, and for a whole run the time, the rent and the energy of the systems.

    None is what is not known or was not asked; `estimate` is None where no layout fits, `reason` says why. `on_front`
    says that no other option is as good in time, rent and energy and better in one of them.
    """

    system_id: str
    nodes: int
    accelerators: int
    estimate: TrainingEstimate | None = None
    reason: str = ""
    run_seconds: float | None = None
    rent: float | None = None
    rent_basis: str = ""
    energy_joules: float | None = None
    on_front: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingComparison:
    """Options in the order asked, the tokens of the run (None: a step alone), the currency, what was assumed."""

    options: tuple[TrainingOption, ...]
    total_tokens: float | None
    currency: str
    assumed: tuple[str, ...]
