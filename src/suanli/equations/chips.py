"""Special-purpose chips: a wafer's mesh, weights on their way into matrix units, a design's clock, chips that hold."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="s", source="wafer_llm2025")
def crossing_seconds(side_cores: Real, cycles_per_s: Real, crossings: Real) -> Real:
    """Time for a partial sum or a broadcast to cross a mesh of cores so many times, one hop a cycle.

    t = n S / f.

    `side_cores` S is how many cores lie along a side, `crossings` n how often one dependent step crosses it (a
    reduction and a broadcast: twice). Source: wafer_llm2025.

    >>> crossing_seconds(1000.0, 1e9, 2.0)
    2e-06
    """
    return crossings * side_cores / cycles_per_s


@equation(unit="1", source="groq_isca2020")
def install_share(install_bytes_per_s: Real, memory_bytes_per_s: Real) -> Real:
    """Share of the memory bandwidth that a product of few rows sees where weights are installed slower than read.

    h = min(r / W, 1).

    A systolic matrix unit takes its weights at `install_bytes_per_s` r whatever the memory gives.
    Source: groq_isca2020.

    >>> install_share(1e13, 8e13)
    0.125
    """
    return np.minimum(install_bytes_per_s / memory_bytes_per_s, 1.0)


@equation(unit="1", source="flightllm2024")
def design_share(cycles_per_s: Real, rated_cycles_per_s: Real, used_share: Real) -> Real:
    """Share of a programmable chip's printed peak that one design can reach: its clock and its multipliers.

    c = u f / f0.

    The printed peak counts every multiplier at the rated clock f0; a design closes timing at `cycles_per_s` f and uses
    a share u of them. Source: flightllm2024.

    >>> design_share(225e6, 900e6, 0.8)
    0.2
    """
    return used_share * cycles_per_s / rated_cycles_per_s


@equation(unit="1", source="groq_isca2022")
def chips_that_hold(weight_bytes: Real, cache_bytes: Real, free_bytes: Real) -> Real:
    """Count the chips among which weights and the cache of the sequences are spread, none of it held twice.

    n = ceil((B_w + B_c) / m), m the bytes that one chip has free for them. Source: groq_isca2022.

    >>> float(chips_that_hold(70.0, 5.0, 0.25))
    300.0
    """
    return np.ceil((weight_bytes + cache_bytes) / free_bytes)


@equation(unit="s", source="sn40l2024")
def switch_seconds(weight_bytes: Real, backing_bytes_per_s: Real) -> Real:
    """Time to bring another model's weights from the memory behind the accelerator: t = B / W.

    Source: sn40l2024.

    >>> switch_seconds(16e9, 1.6e12)
    0.01
    """
    return weight_bytes / backing_bytes_per_s
