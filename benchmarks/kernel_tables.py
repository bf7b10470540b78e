"""Read the measured operator tables of aiconfigurator-core: newest version of each engine, flawed tables left out.

Needs the optional oracle extra (aiconfigurator-core and pyarrow), or the path of its wheel.
"""

from __future__ import annotations

import importlib.util
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

PACKAGE = "aiconfigurator_core"
LEAST_SHARE_OF_ROWS = 0.25
"""A version with fewer rows than this share of the engine's fullest table is a partial collection: not the newest."""


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """A table that is left out, and why; an empty field stands for all."""

    table: str
    device: str = ""
    engine: str = ""
    number_format: str = ""
    why: str


FLAWS = (
    Flaw(table="generation_attention_perf", device="a100_sxm", engine="trtllm", why="1.3 to 1.6 times the memory peak"),
    Flaw(table="gemm_perf", engine="vllm", number_format="fp8_block", why="launched eagerly: 60 to 280 us at any size"),
    Flaw(table="moe_perf", engine="vllm", device="h100_sxm", number_format="fp8", why="a fifth of the memory peak"),
    Flaw(table="moe_perf", engine="vllm", device="h200_sxm", number_format="fp8", why="a fifth of the memory peak"),
    Flaw(table="scale_matrix_perf", engine="sglang", why="ten times the time that memory needs, at every size"),
    Flaw(table="moe_perf", device="b60", why="a floor of the host at every size"),
)


UNUSUAL_SOURCES = {"trtllm": ("moe_torch_flow_min_latency",)}
"""Kernels that an engine has and does not take unless it is told to: TensorRT-LLM's experts ran on CUTLASS by default
until release 1.0, on the quickest kernel since (`trtllm_auto`)."""


class Tables:
    """The measured tables, from the installed package or from its wheel; of all engines, or of one."""

    def __init__(self, wheel: Path | None, engine: str = "") -> None:
        self.wheel, self.engine = wheel, engine
        self._zip = zipfile.ZipFile(wheel) if wheel else None
        self._root: Path | None = None
        if wheel is None:
            found = importlib.util.find_spec(PACKAGE)
            if found is None or found.origin is None:
                raise SystemExit("install the extra 'oracle', or give --wheel PATH of aiconfigurator-core 0.12.0")
            self._root = Path(found.origin).parent / "systems" / "data"

    def _paths(self) -> Iterator[str]:
        if self._zip:
            marker = f"{PACKAGE}/systems/data/"
            yield from (name[len(marker) :] for name in self._zip.namelist() if name.startswith(marker))
        elif self._root:
            yield from (str(path.relative_to(self._root)) for path in self._root.rglob("*.parquet"))

    def _frame(self, path: str) -> Any:
        if self._zip:
            return pd.read_parquet(io.BytesIO(self._zip.read(f"{PACKAGE}/systems/data/{path}")))
        assert self._root
        return pd.read_parquet(self._root / path)

    def newest(self, table: str, device: str) -> Any:
        """Return one table of a device: the newest full version of each engine, with flawed parts left out."""
        found: dict[str, list[tuple[tuple[int, ...], Any]]] = {}
        for path in self._paths():
            parts = path.split("/")
            if parts[0] != device or parts[-1] != f"{table}.parquet" or not self.holds(parts[2]):
                continue
            version = tuple(int(number) for number in re.findall(r"\d+", parts[3]))
            found.setdefault(parts[2], []).append((version, self._frame(path).assign(engine=parts[2])))
        kept = [newest_full(versions) for versions in found.values()]
        whole = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
        sound = without_flaws(whole, table, device)
        if "kernel_source" in sound:
            sound = sound[~sound.kernel_source.isin(UNUSUAL_SOURCES.get(self.engine, ()))]
        return sound

    def holds(self, engine: str) -> bool:
        """Say whether the rows of an engine belong here."""
        return not self.engine or self.engine.split("_")[0] == engine

    def of(self, engine: str) -> Tables:
        """Return the tables of one engine alone, without kernels that it does not take by itself."""
        return Tables(self.wheel, engine)


def newest_full(versions: list[tuple[tuple[int, ...], Any]]) -> Any:
    """Return the newest of an engine's tables that is not a partial collection."""
    fullest = max(len(frame) for _, frame in versions)
    full = [one for one in versions if len(one[1]) >= LEAST_SHARE_OF_ROWS * fullest]
    return max(full, key=lambda one: one[0])[1]


def without_flaws(frame: Any, table: str, device: str) -> Any:
    """Drop what the list of flaws names, and rows without a time."""
    if not len(frame):
        return frame
    kept = frame[frame.latency > 0]
    for flaw in FLAWS:
        if flaw.table == table and flaw.device in ("", device):
            hit = pd.Series(True, index=kept.index)
            if flaw.engine:
                hit &= kept.engine == flaw.engine
            if flaw.number_format:
                hit &= kept["gemm_dtype" if "gemm_dtype" in kept else "moe_dtype"] == flaw.number_format
            kept = kept[~hit]
    return kept


def pooled(frame: Any, shape: list[str], rows: int, quickest: bool = False) -> Any:
    """Pool the engines: the median (or least) time in seconds of each shape, and its spread; a sample of `rows`."""
    grouped = frame.groupby(shape).latency
    out = (grouped.min() if quickest else grouped.median()).to_frame("seconds")
    out["spread"] = grouped.max() / grouped.min()
    out["engines"] = grouped.size()
    out = out.reset_index()
    out["seconds"] *= 1e-3
    return out.sample(min(rows, len(out)), random_state=0).reset_index(drop=True)
