"""How sure an estimate is: 80 % bands of a step by its causes of error, of memory by class of evidence."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from suanli.domain.model import Model
from suanli.domain.result import Band
from suanli.domain.software import Spread, TrainingCalibration
from suanli.equations.uncertainty import band_end, spread_log
from suanli.foundation.equation import Real
from suanli.parts.architectures.count import attention_share, expert_share
from suanli.parts.devices.electronic import Device


class ChipEvidence(StrEnum):
    """What an accelerator's kernel times rest on."""

    MEASURED = "measured"
    GENERATION = "generation"
    DATASHEET = "datasheet"


def evidence_of(spread: Spread, device: Device) -> ChipEvidence:
    """Say what a device's kernel times rest on: its own, those of its generation, or its datasheet."""
    if device.calibrated:
        return ChipEvidence.MEASURED
    return ChipEvidence.GENERATION if device.kernels.id in spread.generations else ChipEvidence.DATASHEET


def step_spread(
    spread: Spread, software_log: Real, chip_log: Real, expert_work: Real, attention_work: Real, searched: Real
) -> Real:
    """Return one sigma of the log of a step: of software, chip, shares of experts and attention, a layout not told."""
    return spread_log(
        software_log, chip_log, expert_work, spread.experts, attention_work, spread.attention, searched,
        spread.unknown_layout,
    )  # fmt: skip


def band_around(spread: Spread, seconds: Real, sigma: Real) -> tuple[Real, Real]:
    """Return the ends of the 80 % band around seconds (a number, or a column of them)."""
    return seconds * band_end(sigma, -spread.sigmas_below), seconds * band_end(sigma, spread.sigmas_above)


def step_band(
    calibration: TrainingCalibration,
    software: str,
    device: Device,
    model: Model,
    sequence_tokens: float,
    seconds: float,
) -> Band:
    """Put the 80 % band around a step at a known layout: wide for software, chips and experts that are less known."""
    spread = calibration.spread
    experts, attention = (one(model, float(sequence_tokens)) for one in (expert_share, attention_share))
    chip = spread.chip[evidence_of(spread, device)]
    low, high = band_around(
        spread, seconds, step_spread(spread, spread.software[software], chip, experts, attention, 0.0)
    )
    return Band(low=float(low), high=float(high))


def band_of(calibration: TrainingCalibration, quantity: str, device: Device, value: float) -> Band:
    """Put the band around bytes: narrow where the device's kernels are measured, wide where its class stands in."""
    low, high = calibration.bands[f"{quantity}_{'calibrated' if device.calibrated else 'default'}"]
    return Band(low=value * low, high=value * high)


def band_without_layout(calibration: TrainingCalibration, band: Band, seconds: float) -> Band:
    """Widen the band around a step for a layout that nobody told."""
    spread = calibration.spread
    sigma = float(np.log(band.high / seconds)) / spread.sigmas_above
    low, high = band_around(spread, seconds, float(np.hypot(sigma, spread.unknown_layout)))
    return Band(low=float(low), high=float(high))
