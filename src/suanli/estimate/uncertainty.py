"""How sure an estimate is: 80 % bands from the residuals of held-out runs, by class of evidence."""

from __future__ import annotations

from suanli.domain.result import Band
from suanli.domain.software import TrainingCalibration
from suanli.parts.devices.electronic import Device


def band_of(calibration: TrainingCalibration, quantity: str, device: Device, value: float) -> Band:
    """Put the band around a value: narrow where the device's kernels are measured, wide where its class stands in."""
    low, high = calibration.bands[f"{quantity}_{'calibrated' if device.calibrated else 'default'}"]
    return Band(low=value * low, high=value * high)
