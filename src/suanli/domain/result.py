"""What Suanli answers with: estimates with their bands, and the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suanli.domain.layout import Layout
from suanli.domain.workload import ServingLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """The 80 % band around a predicted value."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingEstimate:
    """One layout's step: seconds and bytes by cause (keys of the two mappings are stable names), rates, band.

    `limit` names the first limit that the layout breaks ("" where it fits); `host_memory_bytes` is what one accelerator
    keeps in its host's memory.
    """

    layout: Layout
    step_seconds: float
    tokens_per_s: float
    mfu: float
    seconds_by_cause: Mapping[str, float]
    memory_bytes: float
    bytes_by_cause: Mapping[str, float]
    band: Band
    memory_band: Band
    limit: str = ""
    assumed: tuple[str, ...] = ()
    host_memory_bytes: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingEstimate:
    """One serving setting of one replica at a given concurrency."""

    layout: ServingLayout
    concurrency: float
    ttft_seconds: float
    tpot_seconds: float
    output_tokens_per_s: float
    total_tokens_per_s: float
    seconds_by_cause: Mapping[str, float]
    memory_bytes: float
    bytes_by_cause: Mapping[str, float]
    kv_capacity_tokens: float
    requests_per_s: float = 0.0
    bands: Mapping[str, Band] = field(default_factory=dict)
    limit: str = ""
    assumed: tuple[str, ...] = ()
