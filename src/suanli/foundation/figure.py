"""A figure: a number that knows its unit, its range, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a figure came to be known, best first."""

    MEASURED = "measured"
    VENDOR = "vendor"
    DERIVED = "derived"
    ESTIMATE = "estimate"
    ASSUMPTION = "assumption"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A value in SI with its 80 % range, source key, date and kind.

    `low` and `high` hold the range; `range_given` is False where the source printed none and the default range of the
    kind stands in. `source` is a key of `data/sources.yaml`, or `user:FILE` for a user's own overlay.
    """

    value: float
    unit: str
    low: float
    high: float
    kind: Kind
    source: str
    date: str
    range_given: bool = False
    note: str = ""

    def __float__(self) -> float:
        return self.value
