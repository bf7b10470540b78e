"""Open a product as a device, and a system as a fabric: calibration by id, else the default of its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch
from typing import TypeVar

from suanli.domain.chip import ChipKind
from suanli.domain.hardware import Accelerator, Precision, System
from suanli.domain.kernel import AttentionKernel, KernelCalibration, KernelTable, MatmulKernel
from suanli.parts.devices.electronic import Device
from suanli.parts.devices.fabric import Fabric, join_fabric
from suanli.parts.devices.special import as_run, compose, find_chip, formats_run

Kernel = TypeVar("Kernel", MatmulKernel, AttentionKernel)


def find_calibration(accelerator: Accelerator, kernels: KernelTable) -> KernelCalibration:
    """Return the calibration of a product, else its class's: by pattern of its id, else by the class of the device."""
    for one in (*kernels.calibrations, *kernels.classes):
        if any(fnmatch(accelerator.id, pattern) for pattern in one.accelerators):
            return one
    for one in kernels.classes:
        if accelerator.device_class in one.device_classes:
            return one
    return kernels.classes[-1]


def calibration_like(device_class: str, product: Accelerator | None, kernels: KernelTable) -> KernelCalibration:
    """Return the calibration that a machine would go by if nobody had measured it: its product's, else its class's."""
    if product is not None:
        return find_calibration(product, kernels)
    return next((one for one in kernels.classes if device_class in one.device_classes), kernels.classes[-1])


def count_units(accelerator: Accelerator, found: KernelCalibration) -> float:
    """Return how many units of a product work on tiles at once: by pattern of its id, else its class's number."""
    for pattern, units in found.compute_units.items():
        if fnmatch(accelerator.id, pattern):
            return units
    return found.default_units


def under_measured_ceiling(accelerator: Accelerator, found: KernelCalibration) -> KernelCalibration:
    """Bring a class's shares of the peak to the best matmul measured on the product, where there is such a figure."""
    ceiling = accelerator.matmul_ceiling_flop_per_s
    peak = accelerator.peak_flop_per_s.get(Precision.BF16)
    if found.calibrated or ceiling is None or peak is None:
        return found
    scale = ceiling.value / peak.value / found.matmul["bf16"].ceiling_share
    return replace(
        found,
        matmul=_scaled(found.matmul, scale),
        prefill=_scaled(found.prefill, scale),
        backward=_scaled(found.backward, scale),
    )


def _scaled(families: Mapping[str, Kernel], scale: float) -> dict[str, Kernel]:
    return {
        name: replace(kernel, ceiling_share=min(kernel.ceiling_share * scale, 1.0)) for name, kernel in families.items()
    }


def open_device(accelerator: Accelerator, kernels: KernelTable) -> Device:
    """Open an accelerator as a device that times kernels."""
    found = under_measured_ceiling(accelerator, find_calibration(accelerator, kernels))
    return Device(
        accelerator=accelerator,
        kernels=found,
        formats=kernels.formats,
        score_passes=kernels.score_passes,
        compute_units=count_units(accelerator, found),
        calibrated=found.calibrated,
        spread_log=found.spread_log,
    )


def open_fabric(system: System, kernels: KernelTable) -> Fabric:
    """Open a system as a fabric that times collectives."""
    return join_fabric(system, find_calibration(system.accelerator, kernels), kernels)


def open_special(
    accelerator: Accelerator, kernels: KernelTable, layers_on_chip: float
) -> tuple[Device, ChipKind | None]:
    """Open an accelerator for serving: as its kind of special-purpose chip where it is one, else as any device.

    `layers_on_chip` layers lie on one chip; where they lie side by side each has its share of the chip.
    """
    kind = find_chip(accelerator, kernels.chips)
    if kind is None:
        return open_device(accelerator, kernels), None
    found = compose(kind, accelerator)
    return Device(
        accelerator=as_run(kind, accelerator),
        kernels=found,
        formats=formats_run(kind, kernels.formats),
        score_passes=kernels.score_passes,
        compute_units=found.default_units,
        calibrated=False,
        spread_log=found.spread_log,
        share=1 / max(layers_on_chip, 1.0) if kind.placement.side_by_side else 1.0,
    ), kind


def open_special_fabric(system: System, kernels: KernelTable) -> Fabric:
    """Open a system as the links of its kind of chip, which reach over systems where its maker joins them."""
    kind = find_chip(system.accelerator, kernels.chips)
    if kind is None:
        return open_fabric(system, kernels)
    found = compose(kind, system.accelerator)
    fabric = join_fabric(system, found, kernels)
    fabric = replace(fabric, host=replace(fabric.host, kernels=found.collectives))
    if fabric.linked > 1 and kind.placement.reach:
        reach = float(max(kind.placement.reach, system.accelerators))
        return replace(fabric, network=fabric.links, linked=reach, node=reach)
    return fabric
