"""The devices that the operator tables measured, and their figures as the catalogue has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suanli.catalogue.kernels import KERNEL_FOLDER
from suanli.catalogue.plain_yaml import read_plain
from suanli.foundation.units import to_si


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measured device: its folder in the tables, the ids it stands for, its units.

    `figures` where no catalogue has it; `cache_bytes` where repeated kernels were timed out of a cache that a model
    does not fit; `fall_off_like` where its tables of more than two ranks are flawed.
    """

    table: str
    name: str
    accelerator: str
    stands_for: tuple[str, ...]
    units: float
    figures: Mapping[str, float] | None = None
    cache_bytes: float = 0.0
    fall_off_like: str = ""


DEVICES = (
    Measured(table="a100_sxm", name="NVIDIA A100 SXM", accelerator="nv-a100-80-sxm", units=108,
             stands_for=("nv-a100-80-sxm", "nv-a100-40-sxm", "nv-a800-80-sxm")),
    Measured(table="h100_sxm", name="NVIDIA H100 SXM", accelerator="nv-h100-sxm", units=132,
             stands_for=("nv-h100-sxm", "nv-h800-sxm")),
    Measured(table="h200_sxm", name="NVIDIA H200 SXM", accelerator="nv-h200-sxm", units=132,
             stands_for=("nv-h200-sxm",)),
    Measured(table="l40s", name="NVIDIA L40S", accelerator="nv-l40s", units=142,
             stands_for=("nv-l40s",), cache_bytes=128e6, fall_off_like="rtx_pro_6000_server"),
    Measured(table="b200_sxm", name="NVIDIA B200 SXM", accelerator="nv-b200-sxm", units=148,
             stands_for=("nv-b200-sxm",)),
    Measured(table="b300_sxm", name="NVIDIA B300 SXM", accelerator="nv-b300-sxm", units=148,
             stands_for=("nv-b300-sxm",)),
    Measured(table="gb200", name="NVIDIA GB200", accelerator="nv-gb200", units=148,
             stands_for=("nv-gb200",)),
    Measured(table="gb300", name="NVIDIA GB300", accelerator="nv-gb300", units=148,
             stands_for=("nv-gb300",)),
    Measured(table="rtx_pro_6000_server", name="NVIDIA RTX PRO 6000 Blackwell Server", accelerator="nv-rtxpro6000",
             units=188, stands_for=("nv-rtxpro6000",), cache_bytes=160e6),
    Measured(table="b60", name="Intel Arc Pro B60", accelerator="intel-arc-b60", units=20,
             stands_for=("intel-arc-b60", "intel-b60*"),
             figures={"bf16": 98.304e12, "memory": 456e9, "link": 31.5e9}),
)  # fmt: skip


def accelerator_figures(one: Measured) -> dict[str, float]:
    """Read the peaks, memory and link of a measured device from its catalogue file, in SI."""
    folder = KERNEL_FOLDER.parent / "accelerators"
    said = read_plain(folder / f"{one.accelerator}.yaml").data

    def si(figure: Mapping[str, Any], unit: str) -> float:
        return to_si(float(figure["value"]), str(figure["unit"]), unit, one.accelerator)

    out = {name: si(figure, "FLOP/s") for name, figure in said["peak"].items()}
    out["memory"] = si(said["memory_bandwidth"], "B/s")
    joined = said["link"].get("per_direction") or said["host_link"]
    out["link"] = si(joined, "B/s")
    return out
