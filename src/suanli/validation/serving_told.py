"""Rows of serving runs as a validation tells them: a prediction with its band, or a row that was kept without one."""

from __future__ import annotations

from typing import Protocol

from suanli.domain.validation import ValidationRow
from suanli.estimate.serving_bands import serving_band
from suanli.estimate.serving_replica import Replica


class Measured(Protocol):
    """What every table's row tells of a measured value."""

    @property
    def id(self) -> str:
        """Return the row's name in its table."""

    @property
    def quantity(self) -> str:
        """Return the name of what was measured, in SI."""

    @property
    def measured(self) -> float:
        """Return the measured value, in SI."""

    @property
    def assumed(self) -> tuple[str, ...]:
        """Return which open cells were filled, and with what."""


def predicted_row(
    row: Measured, replica: Replica, value: float, source: str, accelerator: str, told: tuple[str, ...] = ()
) -> ValidationRow:
    """Tell a prediction of a row beside what was measured, with its band and all that was assumed."""
    band = serving_band(replica, row.quantity, value)
    return ValidationRow(
        id=row.id,
        quantity=row.quantity,
        measured=row.measured,
        predicted=value,
        low=band.low,
        high=band.high,
        error=value / row.measured - 1,
        source=source,
        accelerator=accelerator,
        assumed=(*row.assumed, *told, *replica.assumed),
    )


def refused_row(name: str, quantity: str, measured: float, reason: str, source: str, accelerator: str) -> ValidationRow:
    """Keep a row that has no prediction, with the reason."""
    return ValidationRow(
        id=name,
        quantity=quantity,
        measured=measured,
        predicted=None,
        low=None,
        high=None,
        error=None,
        status=reason,
        source=source,
        accelerator=accelerator,
    )
