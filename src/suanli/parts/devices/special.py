"""A kind of special-purpose chip as kernels and links: its few figures become the families that time models read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch

from suanli.domain.chip import ChipKind, Latencies, Nature
from suanli.domain.hardware import Accelerator, Precision, System
from suanli.domain.kernel import (
    AttentionKernel,
    CollectiveKernel,
    ExpertSkew,
    KernelCalibration,
    KernelTable,
    MatmulKernel,
    NumberFormat,
    PassKernel,
)
from suanli.equations import chips
from suanli.foundation.errors import InfeasibleError
from suanli.foundation.figure import Kind
from suanli.foundation.language import tell, tr
from suanli.parts.devices.fabric import PASSES

SHARP = 4.0
"""How sharply arithmetic and traffic overlap where streams are scheduled ahead (GPUs' kernels fit 2 to 7)."""
WHOLE_RANKS = (2.0, 1024.0)
"""Ranks between which a share of the link stands unchanged."""
BYTE = 1.0
BACKING = "backing_bandwidth"
"""The figure of a memory behind the accelerator's own, from which it fetches other models."""
EVERY_FORMAT = "bf16"
"""The family that every number format ends in."""


def find_chip(accelerator: Accelerator, kinds: tuple[ChipKind, ...]) -> ChipKind | None:
    """Return the kind of special-purpose chip that an accelerator is, None where it is none."""
    for kind in kinds:
        if any(fnmatch(accelerator.id, pattern) for pattern in kind.accelerators):
            return kind
    return None


def refuse_training(accelerator: Accelerator, kernels: KernelTable) -> None:
    """Raise InfeasibleError where nobody trains on an accelerator, with the reason."""
    for group in kernels.serving_only:
        if any(fnmatch(accelerator.id, pattern) for pattern in group.accelerators):
            raise InfeasibleError(
                limit=tr("{accelerator} only serves: {reason}.", accelerator=accelerator.id, reason=tell(group.reason)),
                relief=tr("Train on an accelerator with a backward pass; serve on this one."),
            )


def compose(kind: ChipKind, accelerator: Accelerator) -> KernelCalibration:
    """Derive kernels and collectives of a kind on one of its accelerators."""
    latencies, weight_share = _latencies(kind), _weight_share(kind, accelerator)
    matmul = MatmulKernel(
        ceiling_share=_peak_share(kind), memory_share=weight_share, tile_rows=kind.matrix.tile_rows,
        least_tile_rows=kind.matrix.least_rows, tile_columns=kind.matrix.tile_columns, wave_softness=0.0,
        inner_ramp=kind.matrix.fill_steps, overlap_sharpness=SHARP, floor_seconds=latencies.product_seconds,
        root_step_seconds=0.0, dressing_bytes=0.0,
    )  # fmt: skip
    attention = AttentionKernel(
        ceiling_share=_peak_share(kind), memory_share=kind.streams.cache_share, tile_rows=kind.matrix.tile_rows,
        least_tile_rows=kind.matrix.least_rows, wave_softness=0.0, key_ramp=kind.matrix.fill_steps, softmax_dims=0.0,
        overlap_sharpness=SHARP, floor_seconds=latencies.attention_seconds, root_step_seconds=0.0,
    )  # fmt: skip
    return KernelCalibration(
        id=kind.id,
        name=kind.name,
        accelerators=kind.accelerators,
        device_classes=(),
        calibrated=False,
        default_units=kind.matrix.units,
        compute_units={},
        matmul={EVERY_FORMAT: matmul},
        prefill={EVERY_FORMAT: attention},
        decode={EVERY_FORMAT: attention},
        backward={EVERY_FORMAT: attention},
        element_pass=PassKernel(memory_share=kind.streams.activation_share, floor_seconds=latencies.pass_seconds),
        expert_skew=ExpertSkew(skew=0.0, half_tokens=BYTE),
        collectives={op: _collective(kind, op) for op in PASSES},
        one_shot=None,
        spread_log=kind.spread_log,
        source=kind.source,
        date=kind.date,
        kind=kind.kind,
        notes=kind.notes,
    )


def _collective(kind: ChipKind, op: str) -> CollectiveKernel:
    links, alone = kind.links, op == "send"
    return CollectiveKernel(
        base_seconds=links.pass_on_seconds if alone else links.base_seconds,
        hop_seconds=0.0 if alone else links.hop_seconds,
        share_ranks=WHOLE_RANKS,
        link_shares=(links.rate_share, links.rate_share),
        half_bytes=links.half_bytes,
        ramp_power=1.0,
    )


def _latencies(kind: ChipKind) -> Latencies:
    """Return a kind's latencies; on a wafer every dependent step crosses the mesh."""
    if kind.mesh is None:
        return kind.latencies
    crossing = float(chips.crossing_seconds(kind.mesh.side_cores, kind.mesh.clock_hz, kind.mesh.crossings))
    given = kind.latencies
    return Latencies(
        product_seconds=given.product_seconds + crossing,
        attention_seconds=given.attention_seconds + crossing,
        pass_seconds=given.pass_seconds + crossing,
    )


def _weight_share(kind: ChipKind, accelerator: Accelerator) -> float:
    """Return the share of the memory bandwidth at which weights reach the multipliers."""
    rate = accelerator.memory_bytes_per_s
    if not kind.install_bytes_per_s or rate is None:
        return kind.streams.weight_share
    return kind.streams.weight_share * float(chips.install_share(kind.install_bytes_per_s, rate.value))


def _peak_share(kind: ChipKind) -> float:
    if kind.design is None:
        return kind.matrix.peak_share
    design = kind.design
    return kind.matrix.peak_share * float(chips.design_share(design.clock_hz, design.rated_clock_hz, design.used_share))


def power_watts(system: System, accelerators: int) -> float | None:
    """Return the power that makers print for so many accelerators, or their share of a system's, None for neither."""
    if system.accelerator.power_watts is not None:
        return accelerators * system.accelerator.power_watts.value
    if system.power_watts is not None:
        return accelerators * system.power_watts.value / system.accelerators
    return None


def model_switch_seconds(accelerator: Accelerator, weight_bytes: float) -> float | None:
    """Return how long an accelerator takes to bring its weights from the memory behind it, None where it has none."""
    rate = accelerator.other_figures.get(BACKING)
    return None if rate is None else float(chips.switch_seconds(weight_bytes, rate.value))


def as_run(kind: ChipKind, accelerator: Accelerator) -> Accelerator:
    """Return an accelerator with the peaks that its designs can have: 16 bits cost multipliers of 8 on an FPGA."""
    narrow = accelerator.peak_flop_per_s.get(Precision.INT8)
    if kind.nature is not Nature.PROGRAMMABLE or kind.design is None or narrow is None:
        return accelerator
    cost = kind.design.wide_cost
    wide = replace(narrow, value=narrow.value / cost, low=narrow.low / cost, high=narrow.high / cost, kind=Kind.DERIVED)
    return replace(accelerator, peak_flop_per_s={Precision.FP16: wide, **accelerator.peak_flop_per_s})


def formats_run(kind: ChipKind, formats: Mapping[str, NumberFormat]) -> Mapping[str, NumberFormat]:
    """Return the number formats as a kind multiplies them: a design is built for weights of 8 bits or fewer."""
    if kind.nature is not Nature.PROGRAMMABLE:
        return formats
    return {
        name: replace(form, precisions=(Precision.INT8, *form.precisions)) if form.weight_bytes <= BYTE else form
        for name, form in formats.items()
    }
