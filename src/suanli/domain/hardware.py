"""What hardware is: accelerators (products), their links, the systems they sit in, clusters of those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from suanli.foundation.figure import Figure


class Precision(StrEnum):
    """Number formats that hardware has a dense peak for."""

    FP64 = "fp64"
    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    FP4 = "fp4"
    INT8 = "int8"


class Topology(StrEnum):
    """How accelerators of one domain reach each other; decides what one pair gets of the link figure."""

    SWITCHED = "switched"
    MESH = "mesh"
    CUBE_MESH = "cube_mesh"
    TORUS_2D = "torus_2d"
    TORUS_3D = "torus_3d"
    PAIR_BRIDGE = "pair_bridge"
    PCIE = "pcie"
    ETHERNET = "ethernet"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """The scale-up fabric: bytes per second in one direction for each accelerator, and how many it joins."""

    name: str
    topology: Topology
    bytes_per_s: Figure | None
    domain: int

    @property
    def shares(self) -> int:
        """Into how many equal parts the wiring splits what one device sends, one part to each neighbour.

        A switch gives one pair all of the link; a full mesh of n splits it in n - 1; a torus has two neighbours in
        each of its dimensions. The cube mesh of eight has six lanes, and a pair is sure of one of them.
        """
        if self.topology is Topology.MESH:
            return max(self.domain - 1, 1)
        if self.topology is Topology.TORUS_2D:
            return 2 + 2
        return 2 + 2 + 2 if self.topology in (Topology.TORUS_3D, Topology.CUBE_MESH) else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Accelerator:
    """A product one can buy or rent. Peaks are dense; a figure that nobody published is absent, never zero."""

    id: str
    vendor: str
    name: str
    origin: str
    device_class: str
    released: str
    peak_flop_per_s: Mapping[Precision, Figure]
    matmul_ceiling_flop_per_s: Figure | None
    memory_bytes: Figure | None
    memory_bytes_per_s: Figure | None
    memory_kind: str
    link: Link
    host_bytes_per_s: Figure | None
    power_watts: Figure | None
    china_export: str
    software: str
    confidence: str
    sources: tuple[str, ...]
    notes: str = ""
    other_figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """What is ordered: a node, rack, pod or instance, with its fabric inside and its network outside.

    `scale_out_bytes_per_s` is for one direction and for each accelerator.
    """

    id: str
    vendor: str
    name: str
    system_kind: str
    released: str
    accelerator: Accelerator
    accelerators: int
    link: Link
    scale_out_bytes_per_s: Figure | None
    nics: int | None
    host_memory_bytes: Figure | None
    power_watts: Figure | None
    rack_units: Figure | None
    cooling: str
    confidence: str
    sources: tuple[str, ...]
    host_cpu: str = ""
    notes: str = ""
    other_figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A number of equal systems that one job may span."""

    system: System
    nodes: int
