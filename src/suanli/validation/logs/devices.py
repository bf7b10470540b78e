"""Samples of devices summed up while they go by, so that an export of any length takes the same memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from suanli.domain.training_log import DeviceUse

MEGAHERTZ = 1e6
PERCENT = 100.0
BUSY = 0.5
"""A sample is of a device at work where kernels ran for at least this share of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One sample of one device, in SI; NaN where an export does not tell, None for reasons that it does not tell."""

    busy: float = math.nan
    clock_hertz: float = math.nan
    most_clock_hertz: float = math.nan
    power_watts: float = math.nan
    limit_watts: float = math.nan
    celsius: float = math.nan
    memory_bytes: float = math.nan
    tensor: float = math.nan
    capped: bool | None = None
    heated: bool | None = None
    product: str = ""


@dataclass(kw_only=True, slots=True)
class Mean:
    """A mean of what was told."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Add a value; what is not told changes nothing."""
        if math.isfinite(value):
            self.total, self.count = self.total + value, self.count + 1

    @property
    def value(self) -> float:
        """Return the mean, NaN where nothing was told."""
        return self.total / self.count if self.count else math.nan


@dataclass(kw_only=True, slots=True)
class Tally:
    """What is known of one device so far; idle samples count once work follows them."""

    name: str
    product: str = ""
    samples: int = 0
    busy: Mean = field(default_factory=Mean)
    waiting: list[float] = field(default_factory=list)
    power: Mean = field(default_factory=Mean)
    tensor: Mean = field(default_factory=Mean)
    capped: Mean = field(default_factory=Mean)
    heated: Mean = field(default_factory=Mean)
    clocks: Counter[int] = field(default_factory=Counter)
    limit: float = math.nan
    most_clock: float = math.nan
    celsius: float = math.nan
    memory: float = math.nan

    def add(self, one: Sample) -> None:
        """Add a sample."""
        self.samples += 1
        self.product = self.product or one.product
        self.memory = _most(self.memory, one.memory_bytes)
        self.limit, self.most_clock = _most(self.limit, one.limit_watts), _most(self.most_clock, one.most_clock_hertz)
        if one.busy < BUSY:
            self._idle(one.busy)
            return
        self._flush()
        self.busy.add(one.busy)
        self.power.add(one.power_watts)
        self.tensor.add(one.tensor)
        self.celsius = _most(self.celsius, one.celsius)
        for mean, told in ((self.capped, one.capped), (self.heated, one.heated)):
            if told is not None:
                mean.add(float(told))
        if math.isfinite(one.clock_hertz):
            self.clocks[round(one.clock_hertz / MEGAHERTZ)] += 1

    def _idle(self, busy: float) -> None:
        """Keep an idle sample until work follows; before the first work it is not of the run."""
        if self.busy.count:
            if not self.waiting:
                self.waiting = [0.0, 0.0]
            self.waiting = [self.waiting[0] + busy, self.waiting[1] + 1]

    def _flush(self) -> None:
        if self.waiting:
            self.busy.total, self.busy.count = self.busy.total + self.waiting[0], self.busy.count + int(self.waiting[1])
            self.waiting = []

    def told(self) -> DeviceUse:
        """Return what the device did."""
        return DeviceUse(
            name=self.name,
            product=self.product,
            samples=self.samples,
            busy_share=self.busy.value,
            power_watts=self.power.value,
            power_limit_watts=self.limit,
            clock_hertz=self._median_clock(),
            most_clock_hertz=self.most_clock,
            temperature_celsius=self.celsius,
            memory_bytes=self.memory,
            tensor_share=self.tensor.value,
            power_capped_share=self.capped.value,
            heat_slowed_share=self.heated.value,
        )

    def _median_clock(self) -> float:
        half, seen = sum(self.clocks.values()) / 2, 0
        for clock in sorted(self.clocks):
            seen += self.clocks[clock]
            if seen >= half:
                return clock * MEGAHERTZ
        return math.nan


def _most(one: float, other: float) -> float:
    return other if math.isnan(one) else one if math.isnan(other) else max(one, other)


@dataclass(kw_only=True, slots=True)
class Tallies:
    """All devices of an export."""

    by_name: dict[str, Tally] = field(default_factory=dict)

    def add(self, name: str, one: Sample) -> None:
        """Add a sample of a device."""
        self.by_name.setdefault(name, Tally(name=name)).add(one)

    def told(self) -> tuple[DeviceUse, ...]:
        """Return what each device did."""
        return tuple(tally.told() for tally in self.by_name.values())
