"""Open a product as a device, and a system as a fabric: calibration by id, else the default of its class."""

from __future__ import annotations

from fnmatch import fnmatch

from suanli.domain.hardware import Accelerator, System
from suanli.domain.kernel import KernelCalibration, KernelTable
from suanli.parts.devices.electronic import Device
from suanli.parts.devices.fabric import Fabric, join_fabric


def find_calibration(accelerator: Accelerator, kernels: KernelTable) -> KernelCalibration:
    """Return the calibration of a product, else its class's: by pattern of its id, else by the class of the device."""
    for one in (*kernels.calibrations, *kernels.classes):
        if any(fnmatch(accelerator.id, pattern) for pattern in one.accelerators):
            return one
    for one in kernels.classes:
        if accelerator.device_class in one.device_classes:
            return one
    return kernels.classes[-1]


def open_device(accelerator: Accelerator, kernels: KernelTable) -> Device:
    """Open an accelerator as a device that times kernels."""
    found = find_calibration(accelerator, kernels)
    return Device(
        accelerator=accelerator,
        kernels=found,
        formats=dict(kernels.formats),
        calibrated=found.calibrated,
        spread_log=found.spread_log,
    )


def open_fabric(system: System, kernels: KernelTable) -> Fabric:
    """Open a system as a fabric that times collectives."""
    found = find_calibration(system.accelerator, kernels)
    return join_fabric(system, found, kernels)
