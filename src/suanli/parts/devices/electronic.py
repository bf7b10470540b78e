"""Electronic accelerators: kernels timed by peaks of the product and calibration of its kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from suanli.domain.hardware import Accelerator
from suanli.domain.kernel import AttentionKernel, KernelCalibration, MatmulKernel, NumberFormat, PassKernel
from suanli.equations import roofline
from suanli.foundation.equation import Real
from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr

MULTIPLY_ADD_FLOP = 2.0
PRODUCTS = {"prefill": 2.0, "decode": 2.0, "backward": 5.0}
"""Matrix products of an attention of each phase: scores and values forward; three gradients and both again backward."""
GROUPED = "grouped_"
"""How the name of a family of grouped matrix kernels (experts) begins."""
LATENT = "latent_"
"""How the name of a family of attention kernels over one latent vector a token begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """What a kernel runs on: dense peak of its number format, memory bandwidth, units that work on tiles at once."""

    peak_flop_per_s: float
    memory_bytes_per_s: float
    compute_units: float


def time_matmul(
    kernel: MatmulKernel, engine: Engine, form: NumberFormat, rows: Real, inner: Real, columns: Real, groups: Real
) -> Real:
    """Time of one launch of grouped matrix products by a kernel of a family."""
    work = roofline.tiled_matmul_flop(
        rows, inner, columns, groups, kernel.tile_rows, kernel.least_tile_rows, kernel.tile_columns,
        engine.compute_units, kernel.wave_softness, kernel.inner_ramp, MULTIPLY_ADD_FLOP,
    )  # fmt: skip
    moved = roofline.matmul_traffic_bytes(
        rows, inner, columns, groups, form.weight_bytes, form.activation_bytes, form.output_bytes
    )
    moved = moved + roofline.packing_traffic_bytes(rows, inner, columns, groups, kernel.packing_bytes)
    dressing = roofline.pass_seconds(
        groups * rows * inner * kernel.dressing_bytes,
        engine.memory_bytes_per_s,
        kernel.memory_share,
        kernel.floor_seconds,
    )
    return roofline.kernel_seconds(
        work, moved, engine.peak_flop_per_s, engine.memory_bytes_per_s, kernel.ceiling_share, kernel.memory_share,
        kernel.overlap_sharpness, dressing + roofline.chain_seconds(inner, kernel.root_step_seconds),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionShape:
    """One attention over `sequences`: queries (the last of the keys), heads, dimensions, elements kept for a key."""

    queries: Real
    keys: Real
    heads: Real
    kv_heads: Real
    qk_head_dim: Real
    v_head_dim: Real
    cached_dims: Real
    sequences: Real
    causal: float


def time_attention(
    kernel: AttentionKernel, engine: Engine, shape: AttentionShape, products: float, own_bytes: float, kv_bytes: float
) -> Real:
    """Time of one fused attention by a kernel of a family."""
    return roofline.fused_attention_seconds(
        shape.queries, shape.keys, shape.causal, shape.heads, shape.kv_heads, shape.qk_head_dim + shape.v_head_dim,
        shape.cached_dims, shape.sequences, products, own_bytes, kv_bytes, *attention_terms(kernel, engine),
        MULTIPLY_ADD_FLOP,
    )  # fmt: skip


def time_pass(
    kernel: PassKernel, memory_bytes_per_s: float, moved_bytes: Real, single_bytes: Real | None = None
) -> Real:
    """Time of element-wise passes, of which one moves `single_bytes` (None: there is one)."""
    once = moved_bytes if single_bytes is None else single_bytes
    return roofline.cached_pass_seconds(
        moved_bytes, once, memory_bytes_per_s, kernel.memory_share, kernel.floor_seconds, kernel.cache_bytes,
        kernel.cache_share,
    )  # fmt: skip


Terms = tuple[float, float, float, float, float, float, float, float, float, float, float, float, float]
"""Tile, least tile, softness of waves, ramp, softmax, shares, corner, floor, chain of a kernel; peak, rate, units."""


def attention_terms(kernel: AttentionKernel, engine: Engine) -> Terms:
    """Return the terms of `fused_attention_seconds` that belong to a kernel and what it runs on, in its order."""
    return (
        kernel.tile_rows, kernel.least_tile_rows, kernel.wave_softness, kernel.key_ramp, kernel.softmax_dims,
        kernel.ceiling_share, kernel.memory_share, kernel.overlap_sharpness, kernel.floor_seconds,
        kernel.root_step_seconds, engine.peak_flop_per_s, engine.memory_bytes_per_s, engine.compute_units,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One accelerator that runs kernels; times are of one launch on the device, host overhead left out.

    `share` is what share of the chip one layer runs on (1, unless layers lie side by side).
    """

    accelerator: Accelerator
    kernels: KernelCalibration
    formats: Mapping[str, NumberFormat]
    score_passes: Mapping[str, float]
    compute_units: float
    calibrated: bool
    spread_log: float
    share: float = 1.0

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
                return self.share * self.accelerator.peak_flop_per_s[precision].value
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
        return self.share * self.accelerator.memory_bytes_per_s.value

    @property
    def pass_bytes_per_s(self) -> float:
        """What long element-wise passes reach of the memory bandwidth."""
        return self.memory_bytes_per_s * self.kernels.element_pass.memory_share

    @property
    def update_bytes_per_s(self) -> float:
        """What the optimizer's step reaches: as measured, else what long passes do."""
        share = self.kernels.optimizer_share
        return self.pass_bytes_per_s if share is None else self.memory_bytes_per_s * share

    @property
    def kernel_floor_seconds(self) -> float:
        """Shortest time of any kernel on this device."""
        return self.kernels.element_pass.floor_seconds

    def matmul_seconds(
        self, rows: Real, inner: Real, columns: Real, number_format: str = "bf16", groups: Real = 1.0
    ) -> Real:
        """Time of one launch of `groups` products of [rows x inner] by [inner x columns]."""
        form = self.number_format(number_format)
        engine = self.engine(number_format)
        alone = time_matmul(self._family(self.kernels.matmul, form), engine, form, rows, inner, columns, groups)
        if not np.any(np.asarray(groups) > 1):
            return alone
        kernel = self._family(self.kernels.matmul, form, GROUPED)
        grouped = time_matmul(kernel, engine, form, rows, inner, columns, groups)
        return np.where(np.asarray(groups) > 1, grouped, alone)[()]

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
        latent: bool = False,
    ) -> Real:
        """Time of one attention of a phase (prefill, decode or backward) over `sequences`, scores to values.

        The queries are the last ones of `keys`. `latent` says that keys and values are one vector of `qk_head_dim` for
        each token and key-value head, read once (absorbed multi-head latent attention).
        """
        form, kept = self.number_format(number_format), self.number_format(kv_format or number_format)
        kernel = self.attention_kernel(phase, form, kept, latent)
        cached = kv_heads * (qk_head_dim if latent else qk_head_dim + v_head_dim)
        shape = AttentionShape(
            queries=queries, keys=keys, heads=heads, kv_heads=kv_heads, qk_head_dim=qk_head_dim, v_head_dim=v_head_dim,
            cached_dims=cached, sequences=sequences, causal=float(causal and fused),
        )  # fmt: skip
        engine = self.engine(number_format)
        seconds = time_attention(kernel, engine, shape, PRODUCTS[phase], form.output_bytes, kept.activation_bytes)
        if fused:
            return seconds
        scores = roofline.score_traffic_bytes(
            queries, keys, heads, sequences, self.score_passes[phase], form.output_bytes
        )
        return seconds + self.pass_seconds(scores)

    def pass_seconds(self, moved_bytes: Real, single_bytes: Real | None = None) -> Real:
        """Time of element-wise, norm or optimizer passes over device memory; one of them moves `single_bytes`, or all.

        What one moves says whether a cache serves it.
        """
        kernel = self.kernels.element_pass
        return time_pass(kernel, self.memory_bytes_per_s, moved_bytes, single_bytes)

    def moe_imbalance(self, ranks: Real, tokens_per_rank: Real) -> Real:
        """Slowdown of the busiest expert rank against an even spread."""
        skew = self.kernels.expert_skew
        return roofline.expert_imbalance(ranks, tokens_per_rank, skew.skew, skew.half_tokens)

    def engine(self, number_format: str) -> Engine:
        """Say what kernels of a number format run on."""
        return Engine(
            peak_flop_per_s=self.peak_flop_per_s(number_format),
            memory_bytes_per_s=self.memory_bytes_per_s,
            compute_units=self.compute_units,
        )

    def _family(self, families: Mapping[str, MatmulKernel], form: NumberFormat, prefix: str = "") -> MatmulKernel:
        names = [*(prefix + family for family in form.families if prefix), *form.families]
        return families[next(name for name in names if name in families)]

    def attention_kernel(self, phase: str, form: NumberFormat, kept: NumberFormat, latent: bool) -> AttentionKernel:
        """Return the kernel of a phase, a format and that of the cache. Raises InputError naming the nearest phase."""
        phases = {"prefill": self.kernels.prefill, "decode": self.kernels.decode, "backward": self.kernels.backward}
        if phase not in phases:
            raise InputError.single(
                place=tr("attention phase"),
                found=f"'{phase}'",
                allowed=", ".join(phases),
                hint=did_you_mean(phase, phases),
            )
        families = phases[phase]
        asked = kept.families if phase == "decode" else form.families
        names = [*(LATENT + family for family in asked if latent), *asked]
        return families[next(name for name in names if name in families)]
