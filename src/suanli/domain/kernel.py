"""How kernels and collectives run on a device: few fitted parameters for each family, as shares of the peaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from suanli.domain.chip import ChipKind, ServingOnly
from suanli.domain.hardware import Precision


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberFormat:
    """How a matmul's numbers are kept: bytes for each element (scales included) and the peaks it may run at.

    `precisions` are tried in turn until the accelerator has a peak for one; `families` likewise for the calibration.
    """

    name: str
    weight_bytes: float
    activation_bytes: float
    output_bytes: float
    precisions: tuple[Precision, ...]
    families: tuple[str, ...]

    @property
    def block_scaled(self) -> bool:
        """Whether blocks of elements have scales of their own, stored with them."""
        return self.activation_bytes != int(self.activation_bytes)


@dataclass(frozen=True, kw_only=True, slots=True)
class MatmulKernel:
    """A family of matrix kernels: what long ones reach of the peaks, tiles, waves, ramp and chain of the inner loop.

    `dressing_bytes` is what quantising an activation moves for each element, where a pass of its own does it;
    `packing_bytes` what copying a weight into blocks moves for each of its elements, where a library does that first.
    """

    ceiling_share: float
    memory_share: float
    tile_rows: float
    least_tile_rows: float
    tile_columns: float
    wave_softness: float
    inner_ramp: float
    overlap_sharpness: float
    floor_seconds: float
    root_step_seconds: float
    dressing_bytes: float
    packing_bytes: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionKernel:
    """A family of attention kernels of one phase: shares of the peaks, tile of queries, ramp and chain of the keys."""

    ceiling_share: float
    memory_share: float
    tile_rows: float
    least_tile_rows: float
    wave_softness: float
    key_ramp: float
    softmax_dims: float
    overlap_sharpness: float
    floor_seconds: float
    root_step_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PassKernel:
    """Element-wise passes: what long ones reach of the memory bandwidth, and their floor.

    Passes that move up to `cache_bytes` reach `cache_share` of the memory bandwidth (above 1 where a cache serves
    them), those twice as long or more `memory_share`; 0 bytes: no cache is told of.
    """

    memory_share: float
    floor_seconds: float
    cache_bytes: float = 0.0
    cache_share: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpertSkew:
    """Slowdown of the busiest expert rank for each doubling of ranks, and how many tokens show half of it."""

    skew: float
    half_tokens: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectiveKernel:
    """One collective in one tier: latency, bandwidth share by number of ranks, and how it rises with the message."""

    base_seconds: float
    hop_seconds: float
    share_ranks: tuple[float, ...]
    link_shares: tuple[float, ...]
    half_bytes: float
    ramp_power: float


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelCalibration:
    """All kernel families of a device (or a class of devices), and the accelerators they stand for.

    `accelerators` are ids or patterns of ids; `compute_units` by id or pattern says how many units run tiles, with
    `default_units` for the rest. `spread_log` is the 1-sigma of the log of predicted over measured kernel times.
    `launch_seconds` is what an eager operator costs the host and `optimizer_share` what an optimizer's step reaches of
    the memory bandwidth, where a machine was measured; None leaves the first to the software, the second to passes.
    """

    id: str
    name: str
    accelerators: tuple[str, ...]
    device_classes: tuple[str, ...]
    calibrated: bool
    default_units: float
    compute_units: Mapping[str, float]
    matmul: Mapping[str, MatmulKernel]
    prefill: Mapping[str, AttentionKernel]
    decode: Mapping[str, AttentionKernel]
    backward: Mapping[str, AttentionKernel]
    element_pass: PassKernel
    expert_skew: ExpertSkew
    collectives: Mapping[str, CollectiveKernel]
    one_shot: CollectiveKernel | None
    spread_log: float
    source: str
    date: str
    kind: str
    notes: str = ""
    launch_seconds: float | None = None
    optimizer_share: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelTable:
    """Everything known of kernels: number formats, calibrated devices, defaults of classes, the network's own.

    `scale_out` is keyed by collective, for the tier between nodes, `host_collectives` for cards that reach each other
    through the host only; `ring_steps` are the seconds of a ring's steps inside a node and between two; `wiring` says
    what share of the link one pair gets (0: 1 / (domain - 1)); `score_passes` how often unfused attention moves its
    score matrix, by phase; the two bandwidths stand in where neither product nor system says one. `chips` are the kinds
    of special-purpose chips, `serving_only` the accelerators on which nobody trains. `by_engine` holds the same table
    with the kernels of a serving engine instead of the median over engines.
    """

    formats: Mapping[str, NumberFormat]
    calibrations: tuple[KernelCalibration, ...]
    classes: tuple[KernelCalibration, ...]
    scale_out: Mapping[str, CollectiveKernel]
    host_collectives: Mapping[str, CollectiveKernel]
    wiring: Mapping[str, float]
    score_passes: Mapping[str, float]
    host_bytes_per_s: float
    network_bytes_per_s: float
    ring_steps: tuple[float, float] = (0.0, 0.0)
    chips: tuple[ChipKind, ...] = ()
    serving_only: tuple[ServingOnly, ...] = ()
    by_engine: Mapping[str, KernelTable] = field(default_factory=dict)

    def of_engine(self, engine: str) -> KernelTable:
        """Return the table with an engine's own kernels where they were measured; itself for any other engine."""
        return self.by_engine.get(engine, self)

    def with_measured(self, own: KernelCalibration) -> KernelTable:
        """Return the table with a measured machine's kernels before all others, under every engine."""
        under = {name: replace(one, calibrations=(own, *one.calibrations)) for name, one in self.by_engine.items()}
        return replace(self, calibrations=(own, *self.calibrations), by_engine=under)
