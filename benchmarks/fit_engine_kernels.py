"""Fit each engine's own kernels to its measured tables, write data/kernels/engines/*.yaml, print the error tables.

    python benchmarks/fit_engine_kernels.py [--wheel aiconfigurator_core-0.12.0.whl] [--engine trtllm ...]

The same families and fits as `fit_kernels.py`, on one engine's rows instead of the median over engines: on one device
the quickest engine's kernel of a family takes half to nine tenths of the slowest's. Kernels that an engine takes only
when it is told to are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from fit_kernels import error_rows, written
from kernel_fits import Fit, fit_attention, fit_experts, fit_matmul
from kernel_tables import Tables
from measured_devices import DEVICES, Measured, accelerator_figures

from suanli.catalogue.kernels import ENGINE_KERNELS, KERNEL_FOLDER

ENGINES = ("trtllm", "trtllm_auto", "vllm", "sglang")
Families = Mapping[str, Mapping[str, Fit]]


def fit_own(tables: Tables, one: Measured) -> dict[str, dict[str, Fit]]:
    """Fit the kernel families of a device that one engine's tables measure."""
    figures = one.figures or accelerator_figures(one)
    return {
        "matmul": {**fit_matmul(tables, one, figures), **fit_experts(tables, one, figures)},
        "prefill": fit_attention(tables, one, figures, "prefill"),
        "decode": fit_attention(tables, one, figures, "decode"),
    }


def engine_lines(engine: str, fits: Mapping[str, Families]) -> Iterator[str]:
    """Write the file of an engine: its families on each device."""
    yield f"id: {engine}"
    yield "source: aiconfigurator_core"
    yield 'date: "2026-09"'
    yield "kind: derived"
    yield "devices:"
    for device, groups in fits.items():
        if not any(groups.values()):
            continue
        yield f"  {device}:"
        for group, families in groups.items():
            if families:
                yield f"    {group}:"
                yield from (f"      {name}: {written(fit.kernel)}" for name, fit in families.items())


def main() -> None:
    """Fit the asked engines (all by default) and print the table of errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="path of the aiconfigurator-core wheel, where it is not installed")
    parser.add_argument("--engine", nargs="*", default=ENGINES, choices=ENGINES, help="whose kernels to fit")
    asked = parser.parse_args()
    every = Tables(asked.wheel)
    print("| device | family | rows | median error | p90 error | bias | half of the spread between engines |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for engine in asked.engine:
        own = every.of(engine)
        fits = {one.table: fit_own(own, one) for one in DEVICES}
        for one in DEVICES:
            print("\n".join(f"| {engine} {line[2:]}" for line in error_rows(one, fits[one.table])), flush=True)
        text = "\n".join(engine_lines(engine, fits)) + "\n"
        (KERNEL_FOLDER / ENGINE_KERNELS / f"{engine}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
