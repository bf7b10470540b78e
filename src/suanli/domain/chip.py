"""Kinds of special-purpose chips as a serving estimate needs them: where weights lie, what one dependent step costs.

A kind says few things, each of which a maker or a paper can print. What follows from them (kernels with floors and
shares, links, layouts) is derived in `parts/devices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Nature(StrEnum):
    """What sets the time of a decode step: links and product latency, a wafer's mesh, fused streams, a design's clock.

    `tiled` chips run one kernel after another from device memory, as GPUs do, with matrix units of their own size.
    """

    ON_CHIP = "on_chip"
    WAFER = "wafer"
    DATAFLOW = "dataflow"
    PROGRAMMABLE = "programmable"
    TILED = "tiled"


class Evidence(StrEnum):
    """What a kind's figures rest on, best first: runs of several chips, of one source, a maker's words, a likeness."""

    SEVERAL_SOURCES = "several_sources"
    ONE_SOURCE = "one_source"
    MAKER = "maker"
    LIKENESS = "likeness"


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixUnits:
    """Matrix units: share of the dense peak of long products, their tile, how many, steps to fill and drain."""

    peak_share: float
    tile_rows: float
    least_rows: float
    tile_columns: float
    units: float
    fill_steps: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Streams:
    """Shares of the printed memory bandwidth at which weights, cached keys and values, and activations arrive."""

    weight_share: float
    cache_share: float
    activation_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Latencies:
    """Seconds that a chip adds to one matrix product, attention and element-wise pass, each waiting for the last."""

    product_seconds: float
    attention_seconds: float
    pass_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Links between chips: seconds of one collective at least, and for each doubling of ranks; share of the rate.

    `half_bytes` is the message that reaches half of it, `pass_on_seconds` what a stage's result takes to the next.
    """

    base_seconds: float
    hop_seconds: float
    pass_on_seconds: float
    half_bytes: float
    rate_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """How a model lies on the chips.

    `side_by_side` says that a chip's layers lie beside each other, each computing on its share of the chip, so that as
    many sequences as layers move through it at once. `cut_anywhere` says that a stage need not end with a layer.
    `exact_memory` says that the printed memory is what there is (on-chip memory; makers of DRAM print GiB as GB).
    `most_tensor` bounds over how many chips one product is split, `reach` how many chips one replica may span (0: those
    of one system). `stage_stall` is what each further stage costs the others, None for what engines of GPUs show.
    """

    side_by_side: bool
    cut_anywhere: bool
    exact_memory: bool
    most_tensor: int
    reach: int
    stage_stall: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mesh:
    """A wafer's mesh: cores along a side, cycles of one hop by its clock, how often a dependent step crosses it."""

    side_cores: float
    clock_hz: float
    crossings: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """A design on programmable logic: its clock and the rated one, share of the multipliers used, cost of 16 bits.

    `wide_cost` is how many 8-bit multiplications one of 16 bits takes the place of.
    """

    clock_hz: float
    rated_clock_hz: float
    used_share: float
    wide_cost: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ChipKind:
    """One kind of special-purpose chip, and the accelerators (patterns of ids) it stands for.

    `engine` is the profile of its own software, `engines` the names of software that runs on it. `install_bytes_per_s`
    (0: not so) is the rate at which weights enter the matrix units where memory is faster than that.
    """

    id: str
    name: str
    nature: Nature
    accelerators: tuple[str, ...]
    engine: str
    engines: tuple[str, ...]
    matrix: MatrixUnits
    streams: Streams
    latencies: Latencies
    links: Links
    placement: Placement
    mesh: Mesh | None
    design: Design | None
    install_bytes_per_s: float
    evidence: Evidence
    spread_log: float
    source: str
    date: str
    kind: str
    notes: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingOnly:
    """Accelerators (patterns of ids) on which nobody trains, and why."""

    accelerators: tuple[str, ...]
    reason: str
    source: str
