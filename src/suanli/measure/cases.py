"""What is timed: cases of a family with their shape, how each is set up, and the samples that come of them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from suanli.measure.backends import Backend, Run
from suanli.measure.rules import Rules

T = TypeVar("T")
DTYPES = {"fp32": "float32", "tf32": "float32", "bf16": "bfloat16", "fp16": "float16", "int8": "int8",
          "fp8": "float8_e4m3fn"}  # fmt: skip
"""What torch calls the elements of a number format."""
ELEMENT_BYTES = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "int8": 1, "fp8": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One kernel at one shape; `prepare` allocates what it needs and returns what runs it once.

    A run may be of several `kernels`, whose mean is wanted.
    """

    group: str
    family: str
    shape: Mapping[str, float]
    prepare: Callable[[], Run]
    kernels: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a case took: seconds of one run, one robust sigma of its readings as a share, and how many there were."""

    group: str
    family: str
    shape: Mapping[str, float]
    seconds: float
    spread: float
    readings: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What a device is roughly good for, so that shapes can be drawn that end in time: FLOP and bytes for a second."""

    flop_per_s: Mapping[str, float]
    bytes_per_s: float
    memory_bytes: float

    def seconds(self, flop: float, moved_bytes: float, number_format: str) -> float:
        """Guess what a kernel takes."""
        return max(flop / self.flop_per_s[number_format], moved_bytes / self.bytes_per_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Where cases are set up: the device, the rules, its pace, and the numbers that tensors are taken from.

    Tensors of one format lie one after another in a pool (`places` says up to where), so that a case costs no filling.
    """

    backend: Backend
    rules: Rules
    pace: Pace
    pools: dict[str, Any] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    @property
    def torch(self) -> Any:
        """PyTorch."""
        return self.backend.torch

    def tensor(self, shape: Sequence[int], number_format: str) -> Any:
        """Return a tensor of small random numbers in a number format, to be read only."""
        pool, count = self._pool(number_format), math.prod(shape)
        if count > len(pool):
            return filled(self.backend, shape, number_format)
        at = self.places.get(number_format, 0)
        at = at if at + count <= len(pool) else 0
        self.places[number_format] = at + count
        return pool[at : at + count].view(*shape)

    def rotated(self, shape: Sequence[int], number_format: str) -> Callable[[], Any]:
        """Return what gives one of several tensors in turn, so many that no cache holds all of them."""
        pool, count = self._pool(number_format), math.prod(shape)
        if count > len(pool):
            alone = filled(self.backend, shape, number_format)
            return lambda: alone
        parts = itertools.cycle(pool[at : at + count].view(*shape) for at in range(0, len(pool) - count + 1, count))
        return lambda: next(parts)

    def _pool(self, number_format: str) -> Any:
        """Return the numbers of a format that all cases take their tensors from, made once."""
        if number_format not in self.pools:
            held = self.rules.shapes.rotated_bytes // ELEMENT_BYTES[number_format]
            self.pools[number_format] = filled(self.backend, (held,), number_format)
        return self.pools[number_format]

    def takes(self, flop: float, moved_bytes: float, held_bytes: float, number_format: str) -> bool:
        """Say whether a case ends in its time and fits its share of the memory."""
        fits = held_bytes <= self.pace.memory_bytes * self.rules.shapes.memory_share
        return fits and self.pace.seconds(flop, moved_bytes, number_format) <= self.rules.span.case_seconds


def filled(backend: Backend, shape: Sequence[int], number_format: str) -> Any:
    """Return a tensor of small random numbers on a device."""
    torch, dtype = backend.torch, getattr(backend.torch, DTYPES[number_format])
    if number_format == "int8":
        return torch.randint(-100, 100, tuple(shape), dtype=dtype, device=backend.device)
    return (torch.rand(tuple(shape), device=backend.device) - 1 / 2).to(dtype)


def drawn(choices: Mapping[str, Sequence[int]], wanted: int, fits: Callable[[Mapping[str, int]], bool],
          seed: str) -> list[dict[str, int]]:  # fmt: skip
    """Draw shapes without repeats from choices for each extent, evenly in each; the same seed draws the same."""
    chance = random.Random(seed)
    whole = [dict(zip(choices, extents, strict=True)) for extents in itertools.product(*choices.values())]
    chance.shuffle(whole)
    return list(itertools.islice((one for one in whole if fits(one)), wanted))


def interleaved(groups: Iterable[Sequence[T]], least: int) -> list[T]:
    """Deal groups out so that all have their least first and end together: whoever stops early has the same of each."""

    def place(at: int, group: Sequence[T]) -> tuple[int, float]:
        return (0, (at + 1) / least) if at < least else (1, (at + 1) / len(group))

    placed = [(place(at, group), number, one) for number, group in enumerate(groups) for at, one in enumerate(group)]
    return [one for _, _, one in sorted(placed, key=lambda found: found[:2])]
