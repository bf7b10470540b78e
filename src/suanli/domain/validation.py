"""What a comparison with measured runs is made of: quantities, what was predicted for them, how the errors sum up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PREDICTED = "predicted"
"""The status of a row that has a prediction; any other status says in words why there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredQuantity:
    """One published figure of one run, in SI; `quantity` is a stable name such as `step_seconds`."""

    id: str
    quantity: str
    measured: float
    source: str
    accelerator: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """A predicted value with its 80 % band, and what had to be assumed for cells that the row leaves open."""

    predicted: float
    low: float
    high: float
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationRow:
    """One run and quantity: measured against predicted. Numbers are None where `status` says why there is none."""

    id: str
    quantity: str
    measured: float
    predicted: float | None
    low: float | None
    high: float | None
    error: float | None
    status: str = PREDICTED
    source: str = ""
    accelerator: str = ""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The errors of many rows of one quantity: absolute errors as shares of the measured value."""

    rows: int
    predicted_rows: int
    median_abs_error: float | None
    mape: float | None
    p90_abs_error: float | None
    band_coverage: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FitRow:
    """Whether one run fits, as published and as told: `ran` or published out of memory, `fits` as predicted.

    `over_bytes` is by how much the predicted live bytes are above the accelerator's memory (below 0: what is left).
    `recompute_assumed` says that the run fits only with more computed again than its row tells of.
    """

    id: str
    source: str
    accelerator: str
    ran: bool
    fits: bool
    over_bytes: float
    recompute_assumed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FitSummary:
    """How many runs ran and were told to fit, how many were published out of memory and told so."""

    ran: int
    ran_told_to_fit: int
    ran_with_recompute_assumed: int
    out_of_memory: int
    out_of_memory_told_so: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationResult:
    """All rows of a table with their sums: by quantity, and by (quantity, source) and (quantity, accelerator).

    `fits` counts verdicts on memory, `wrong_fits` are the runs of which the wrong thing is told; None and empty for
    tables without layouts of training.
    """

    rows: tuple[ValidationRow, ...]
    summary: Mapping[str, Summary]
    by_source: Mapping[tuple[str, str], Summary] = field(default_factory=dict)
    by_accelerator: Mapping[tuple[str, str], Summary] = field(default_factory=dict)
    fits: FitSummary | None = None
    wrong_fits: tuple[FitRow, ...] = ()
