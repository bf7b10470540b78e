"""Electronic accelerators: kernels timed by peaks of the product and calibration of its kernels."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np

from suanli.domain.hardware import Accelerator
from suanli.domain.kernel import AttentionKernel, KernelCalibration, MatmulKernel, NumberFormat
from suanli.equations import roofline
from suanli.foundation.equation import Real
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

MULTIPLY_ADD_FLOP = 2.0
PRODUCTS = {"prefill": 2.0, "decode": 2.0, "backward": 5.0}
"""Matrix products of an attention of each phase: scores and values forward; three gradients and both again backward."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One accelerator that runs kernels; times are of one launch on the device, host overhead left out."""

    accelerator: Accelerator
    kernels: KernelCalibration
    formats: dict[str, NumberFormat]
    calibrated: bool
    spread_log: float

    def number_format(self, name: str) -> NumberFormat:
        """Return a number format by name. Raises InputError naming the nearest known one."""
        if name not in self.formats:
            raise InputError.single(
                place=tr("number format"),
                found=f"'{name}'",
                allowed=", ".join(sorted(self.formats)),
                hint=did_you_mean(name, self.formats),
            )
        return self.formats[name]

    def peak_flop_per_s(self, number_format: str) -> float:
        """Return the dense peak that a number format runs at: its own, or that of the next wider one."""
        for precision in self.number_format(number_format).precisions:
            if precision in self.accelerator.peak_flop_per_s:
                return self.accelerator.peak_flop_per_s[precision].value
        raise InputError.single(
            place=self.accelerator.id,
            found=tr("no dense peak for {name} or anything wider", name=number_format),
            allowed=", ".join(sorted(self.accelerator.peak_flop_per_s)) or tr("an accelerator with a peak"),
        )

    @property
    def memory_bytes_per_s(self) -> float:
        """Peak bandwidth of the device memory."""
        if self.accelerator.memory_bytes_per_s is None:
            raise InputError.single(
                place=self.accelerator.id,
                found=tr("no memory bandwidth"),
                allowed=tr("an accelerator whose memory bandwidth is known"),
            )
        return self.accelerator.memory_bytes_per_s.value

    @property
    def kernel_floor_seconds(self) -> float:
        """Shortest time of any kernel on this device."""
        return self.kernels.element_pass.floor_seconds

    @property
    def compute_units(self) -> float:
        """How many units work on tiles at once."""
        for pattern, units in self.kernels.compute_units.items():
            if fnmatch(self.accelerator.id, pattern):
                return units
        return self.kernels.default_units

    def matmul_seconds(
        self, rows: Real, inner: Real, columns: Real, number_format: str = "bf16", groups: Real = 1.0
    ) -> Real:
        """Time of one launch of `groups` products of [rows x inner] by [inner x columns]."""
        form = self.number_format(number_format)
        kernel = self._matmul_kernel(form)
        work = roofline.tiled_matmul_flop(
            rows, inner, columns, groups, kernel.tile_rows, kernel.tile_columns, self.compute_units,
            kernel.wave_softness, kernel.inner_ramp, MULTIPLY_ADD_FLOP,
        )  # fmt: skip
        moved = roofline.matmul_traffic_bytes(
            rows, inner, columns, groups, form.weight_bytes, form.activation_bytes, form.output_bytes
        )
        return roofline.kernel_seconds(
            work, moved, self.peak_flop_per_s(number_format), self.memory_bytes_per_s, kernel.ceiling_share,
            kernel.memory_share, kernel.overlap_sharpness, kernel.floor_seconds,
        )  # fmt: skip

    def attention_seconds(
        self,
        phase: str,
        queries: Real,
        keys: Real,
        heads: Real,
        kv_heads: Real,
        qk_head_dim: Real,
        v_head_dim: Real,
        sequences: Real = 1.0,
        number_format: str = "bf16",
        kv_format: str = "",
        fused: bool = True,
        causal: bool = True,
    ) -> Real:
        """Time of one attention of a phase (prefill, decode or backward) over `sequences`, scores to values.

        A causal prefill's queries are the last ones of `keys`. Unfused, the score matrix passes memory five times.
        """
        form, kept = self.number_format(number_format), self.number_format(kv_format or number_format)
        kernel = self._attention_kernel(phase, form)
        seen = roofline.attended_keys(queries, keys, float(causal))
        dims = (qk_head_dim + v_head_dim) / 2
        work = roofline.tiled_attention_flop(
            queries, seen, heads, dims, sequences, np.minimum(kernel.tile_rows, queries), self.compute_units,
            kernel.wave_softness, kernel.key_ramp, PRODUCTS[phase], MULTIPLY_ADD_FLOP,
        )  # fmt: skip
        score_bytes = 0.0 if fused else form.output_bytes * 2 * PRODUCTS[phase]
        moved = roofline.attention_traffic_bytes(
            queries, keys, heads, kv_heads, qk_head_dim, v_head_dim, sequences, form.output_bytes, kept.activation_bytes,
            score_bytes,
        )  # fmt: skip
        return roofline.kernel_seconds(
            work, moved, self.peak_flop_per_s(number_format), self.memory_bytes_per_s, kernel.ceiling_share,
            kernel.memory_share, kernel.overlap_sharpness, kernel.floor_seconds,
        )  # fmt: skip

    def pass_seconds(self, moved_bytes: Real) -> Real:
        """Time of one element-wise, norm or optimizer pass over device memory."""
        kernel = self.kernels.element_pass
        return roofline.pass_seconds(moved_bytes, self.memory_bytes_per_s, kernel.memory_share, kernel.floor_seconds)

    def moe_imbalance(self, ranks: Real, tokens_per_rank: Real) -> Real:
        """Slowdown of the busiest expert rank against an even spread."""
        skew = self.kernels.expert_skew
        return roofline.expert_imbalance(ranks, tokens_per_rank, skew.skew, skew.half_tokens)

    def _matmul_kernel(self, form: NumberFormat) -> MatmulKernel:
        for family in form.families:
            if family in self.kernels.matmul:
                return self.kernels.matmul[family]
        return self.kernels.matmul["bf16"]

    def _attention_kernel(self, phase: str, form: NumberFormat) -> AttentionKernel:
        phases = {"prefill": self.kernels.prefill, "decode": self.kernels.decode, "backward": self.kernels.backward}
        if phase not in phases:
            raise InputError.single(
                place=tr("attention phase"),
                found=f"'{phase}'",
                allowed=", ".join(phases),
                hint=did_you_mean(phase, phases),
            )
        for family in form.families:
            if family in phases[phase]:
                return phases[phase][family]
        return phases[phase]["bf16"]
