"""From samples to kernel families: which samples belong together, what predicts them, and how far off it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suanli.domain.kernel import AttentionKernel, MatmulKernel, NumberFormat, PassKernel
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr
from suanli.measure.cases import Sample
from suanli.measure.fit import Fit, Rows, best
from suanli.measure.matmuls import GROUPED, MATMUL
from suanli.measure.passes import OPTIMIZER, PASS
from suanli.measure.rules import FitRules
from suanli.parts.devices.electronic import PRODUCTS, AttentionShape, Engine, time_attention, time_matmul, time_pass

NOT_FREE = {"dressing_bytes": 0.0}
"""Quantising an activation is a pass of its own here, and no part of a product."""
NO_PACKING = {"packing_bytes": 0.0}
"""Libraries of accelerators multiply weights as they lie."""
NO_CACHE = {"cache_bytes": 0.0, "cache_share": 1.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Peaks:
    """What a device's kernels are held against: dense peaks by number format, memory bandwidth, units."""

    flop_per_s: Mapping[str, float]
    memory_bytes_per_s: float
    compute_units: float

    def engine(self, form: NumberFormat) -> Engine:
        """Return what kernels of a format run on: the first peak that the format may run at."""
        peak = next(self.flop_per_s[one.value] for one in form.precisions if one.value in self.flop_per_s)
        return Engine(
            peak_flop_per_s=peak, memory_bytes_per_s=self.memory_bytes_per_s, compute_units=self.compute_units
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitter:
    """Fits families of one device: its peaks, the number formats, its class, and the rules of a fit."""

    peaks: Peaks
    formats: Mapping[str, NumberFormat]
    device_class: str
    rules: FitRules

    def matmuls(self, samples: Sequence[Sample]) -> dict[str, Fit]:
        """Fit every family of matrix kernels that has samples enough."""
        still = NOT_FREE if self.device_class == "cpu" else {**NOT_FREE, **NO_PACKING}
        grid = [{**tile, **still} for tile in self.rules.tiles_of(MATMUL, self.device_class)]
        found = {}
        for family, rows in self._families(samples, MATMUL).items():
            form = self.formats[family.removeprefix(GROUPED)]
            engine = self.peaks.engine(form)

            def time(
                kernel: MatmulKernel, part: Rows, form: NumberFormat = form, engine: Engine = engine
            ) -> FloatArray:
                extents = (part.of(name) for name in ("rows", "inner", "columns", "groups"))
                return np.asarray(time_matmul(kernel, engine, form, *extents))

            found[family] = best(MATMUL, family, MatmulKernel, grid, time, rows, np.ones(len(rows)), self.rules)
        return found

    def attentions(self, samples: Sequence[Sample], phase: str) -> dict[str, Fit]:
        """Fit every family of attention kernels of a phase."""
        grid = self.rules.tiles_of("decode" if phase == "decode" else "prefill", self.device_class)
        found = {}
        for family, rows in self._families(samples, phase).items():
            form = self.formats[family]
            engine = self.peaks.engine(form)

            def time(
                kernel: AttentionKernel, part: Rows, form: NumberFormat = form, engine: Engine = engine
            ) -> FloatArray:
                width = part.of("head_dim")
                shape = AttentionShape(
                    queries=part.of("queries"), keys=part.of("keys"), heads=part.of("heads"),
                    kv_heads=part.of("kv_heads"), qk_head_dim=width, v_head_dim=width,
                    cached_dims=2 * width * part.of("kv_heads"), sequences=part.of("sequences"), causal=1.0,
                )  # fmt: skip
                return np.asarray(
                    time_attention(kernel, engine, shape, PRODUCTS[phase], form.output_bytes, form.activation_bytes)
                )

            found[family] = best(phase, family, AttentionKernel, grid, time, rows, np.ones(len(rows)), self.rules)
        return found

    def passes(self, samples: Sequence[Sample]) -> Fit:
        """Fit element-wise passes: one share of the bandwidth where that holds, else what a cache serves too.

        Where the cache ends is taken from the sizes that were timed: the one that leaves the least. Raises InputError
        where the time sufficed for too few sizes.
        """
        rows = rows_of([one for one in samples if one.group == PASS])
        if len(rows) < self.rules.least_rows:
            raise too_few(PASS)

        def time(kernel: PassKernel, part: Rows) -> FloatArray:
            return np.asarray(time_pass(kernel, self.peaks.memory_bytes_per_s, part.of("bytes")))

        weight = np.ones(len(rows))
        plain = best(PASS, PASS, PassKernel, [NO_CACHE], time, rows, weight, self.rules)
        if plain.median_error <= self.rules.pass_error:
            return plain
        sizes = [{"cache_bytes": size} for size in sorted(set(rows.of("bytes").tolist()))]
        return best(PASS, PASS, PassKernel, sizes, time, rows, weight, self.rules)

    def optimizer_share(self, samples: Sequence[Sample]) -> float | None:
        """Return what the longest plain step of the optimizer reaches of the memory bandwidth."""
        steps = [one for one in samples if one.group == OPTIMIZER and one.family == "plain"]
        if not steps:
            return None
        longest = max(steps, key=lambda one: one.shape["bytes"])
        return longest.shape["bytes"] / longest.seconds / self.peaks.memory_bytes_per_s

    def _families(self, samples: Sequence[Sample], group: str) -> dict[str, Rows]:
        """Gather the samples of a group by family, those with enough of them."""
        names = dict.fromkeys(one.family for one in samples if one.group == group)
        gathered = {
            name: rows_of([one for one in samples if one.group == group and one.family == name]) for name in names
        }
        return {name: rows for name, rows in gathered.items() if len(rows) >= self.rules.least_rows}


def too_few(group: str) -> InputError:
    """Make the error of a group of kernels without samples enough."""
    return InputError.single(
        place="measure",
        found=tr("too few samples of {group}", group=group),
        allowed=tr("a quieter machine, or a run without --quick"),
    )


def rows_of(samples: Sequence[Sample]) -> Rows:
    """Return samples as columns."""
    names = samples[0].shape if samples else ()
    return Rows(
        columns={name: np.array([one.shape[name] for one in samples]) for name in names},
        seconds=np.array([one.seconds for one in samples]),
    )
