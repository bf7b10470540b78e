"""What Suanli answers with: estimates with their bands, and the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suanli.domain.layout import Layout
from suanli.domain.timeline import MemoryPeak
from suanli.domain.workload import ServingLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """The 80 % band around a predicted value."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingEstimate:
    """One layout's step: seconds and bytes by cause (keys of the two mappings are stable names), rates, band.

    `limit` names the first limit that the layout breaks ("" where it fits); `capacity_bytes` is the accelerator's
    memory, `host_memory_bytes` what one accelerator keeps in its host's. Of a search, `expected_step_seconds` is what
    the step is expected to take once chance in the choice is taken out (None: nothing was chosen), and `near_tie` says
    that a layout behind the best one may well be the faster.
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
    capacity_bytes: float = 0.0
    host_memory_bytes: float = 0.0
    expected_step_seconds: float | None = None
    near_tie: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """Layouts that a search did not weigh to the end: how many by the first limit broken, and the nearest to fitting.

    A limit is an axis whose rule is broken, or memory; `nearest_short_bytes` is what the nearest lacks of memory.
    `degrees_by_limit` counts sets of tensor, pipeline, context and data degrees ruled out before layouts were made of
    them, "not_tried" those that a plain search leaves out.
    """

    by_limit: Mapping[str, int]
    degrees_by_limit: Mapping[str, int]
    nearest: Layout | None = None
    nearest_short_bytes: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSearch:
    """The best layouts, best first; how many were looked at, how many fit, and why the others did not.

    Where one layout was given nothing was searched: `rejected` is None. Where it does not fit, `short_bytes` says by
    how much, `relief` holds layouts that do, the fastest first: changes of it on the same degrees, else the best on
    others; `advice` says what would help where there is none. `memory_peak` is the fullest moment of the best layout's
    step as played.
    """

    estimates: tuple[TrainingEstimate, ...]
    looked_at: int = 1
    fitting: int = 1
    rejected: Rejected | None = None
    relief: tuple[TrainingEstimate, ...] = ()
    short_bytes: float = 0.0
    advice: str = ""
    memory_peak: MemoryPeak | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeculationGain:
    """What speculative decoding gains: tokens of a step, and the rate over that of the same replica without drafts.

    `acceptance` is the chance that a drafted token is accepted; `gain_low` and `gain_high` are at the ends of its
    range. From `pays_until_concurrency` requests in flight on drafts lower the rate (0: always, None: as far as tried
    never).
    """

    drafting: str
    draft_tokens: float
    acceptance: float
    acceptance_low: float
    acceptance_high: float
    tokens_per_step: float
    plain_tpot_seconds: float
    plain_output_tokens_per_s: float
    gain: float
    gain_low: float
    gain_high: float
    pays_until_concurrency: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingEstimate:
    """One serving setting of one replica at a concurrency; `speculation` says what drafts gain it (None: none)."""

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
    speculation: SpeculationGain | None = None
