"""Fit the kernel and collective models to measured tables, write data/kernels/*.yaml, print the error tables.

    python benchmarks/fit_kernels.py [--wheel aiconfigurator_core-0.12.0.whl] [--device h100_sxm ...]

Needs the optional oracle extra. Every family has at most nine free parameters and is fitted to thousands of measured
shapes (the median over engines); nothing is tuned to a single row, and the errors are printed on rows that the fit did
not see.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from kernel_fits import Fit, fit_attention, fit_collectives, fit_experts, fit_matmul, fit_pass, fit_skew
from kernel_tables import Tables
from measured_devices import DEVICES, Measured, accelerator_figures

from suanli.catalogue.kernels import KERNEL_FOLDER
from suanli.domain.kernel import CollectiveKernel
from suanli.measure.profile import written


def send_from(all_to_all: CollectiveKernel) -> CollectiveKernel:
    """Take a message between two ranks for an all-to-all of two."""
    return CollectiveKernel(
        base_seconds=all_to_all.base_seconds + all_to_all.hop_seconds, hop_seconds=0.0,
        share_ranks=all_to_all.share_ranks[:1], link_shares=all_to_all.link_shares[:1],
        half_bytes=all_to_all.half_bytes, ramp_power=all_to_all.ramp_power,
    )  # fmt: skip


def device_file(one: Measured, fits: Mapping[str, dict[str, Fit]], memory: tuple[float, float],
                skew: tuple[float, float]) -> str:  # fmt: skip
    """Write the file of a device."""
    kernels = [fit for group in ("matmul", "prefill", "decode") for fit in fits[group].values()]
    spread = float(np.median([np.hypot(fit.sigma_log, np.log(fit.engine_spread)) for fit in kernels]))
    lines = [
        f"id: {one.table}", f"name: {one.name}", "source: aiconfigurator_core", 'date: "2026-09"', "kind: derived",
        f"accelerators: [{', '.join(one.stands_for)}]", f"default_units: {one.units:.0f}", f"spread_log: {spread:.3f}",
    ]  # fmt: skip
    for group in ("matmul", "prefill", "decode"):
        lines += [f"{group}:", *(f"  {name}: {written(fit.kernel)}" for name, fit in fits[group].items())]
    lines.append(f"element_pass: {{memory_share: {memory[0]:.3f}, floor_seconds: {memory[1] * 1e6:.3g} us}}")
    lines.append(f"expert_skew: {{skew: {skew[0]:.3f}, half_tokens: {skew[1]:.4g}}}")
    collectives = {name: fit.kernel for name, fit in fits["collectives"].items() if name != "one_shot"}
    collectives.setdefault("all_to_all", collectives["all_gather"])
    collectives["send"] = send_from(collectives["all_to_all"])
    lines += ["collectives:", *(f"  {name}: {written(kernel)}" for name, kernel in collectives.items())]
    if "one_shot" in fits["collectives"]:
        lines.append(f"one_shot: {written(fits['collectives']['one_shot'].kernel)}")
    return "\n".join(lines) + "\n"


def fit_device(tables: Tables, one: Measured, skew: tuple[float, float]) -> dict[str, dict[str, Fit]]:
    """Fit every family of a device and write its file; return the fits for the table of errors."""
    figures = one.figures or accelerator_figures(one)
    fits = {
        "matmul": {**fit_matmul(tables, one, figures), **fit_experts(tables, one, figures)},
        "prefill": fit_attention(tables, one, figures, "prefill"),
        "decode": fit_attention(tables, one, figures, "decode"),
        "collectives": fit_collectives(tables, one, figures),
    }
    plain = fits["matmul"]["bf16"].kernel
    memory = fit_pass(tables, one, figures) or (plain.memory_share, plain.floor_seconds)
    text = device_file(one, fits, memory, skew)
    (KERNEL_FOLDER / f"{one.table}.yaml").write_text(text, encoding="utf-8")
    return fits


def error_rows(one: Measured, fits: Mapping[str, dict[str, Fit]]) -> list[str]:
    """Write a device's part of the table of errors."""
    return [
        f"| {one.table} | {group} {name} | {fit.rows} | {fit.median_error:.1%} | {fit.p90_error:.1%} "
        f"| {fit.bias:+.1%} | {fit.engine_spread - 1:.0%} |"
        for group, families in fits.items()
        for name, fit in families.items()
    ]


def main() -> None:
    """Fit the asked devices (all by default) and print the table of errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="path of the aiconfigurator-core wheel, where it is not installed")
    parser.add_argument("--device", nargs="*", help="folders of the tables, such as h100_sxm")
    asked = parser.parse_args()
    tables = Tables(asked.wheel)
    skew = fit_skew(tables)
    print("| device | family | rows | median error | p90 error | bias | half of the spread between engines |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in DEVICES:
        if not asked.device or one.table in asked.device:
            print("\n".join(error_rows(one, fit_device(tables, one, skew))), flush=True)


if __name__ == "__main__":
    main()
