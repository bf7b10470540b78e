"""The devices that take part: one, or under torchrun one for each process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from suanli.foundation.errors import InputError

ACCELERATORS = ("cuda", "xpu", "npu", "mps")
LIBRARIES = {"cuda": "nccl", "xpu": "xccl", "npu": "hccl"}
"""Which collective library PyTorch runs on a kind of device; gloo on any other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """One process among those that take part: its device, its place, how many there are."""

    device: torch.device
    place: int
    count: int

    @property
    def first(self) -> bool:
        """Whether this process tells for all."""
        return self.place == 0

    @property
    def version(self) -> str:
        """The version of PyTorch that runs."""
        return str(torch.__version__)

    def agreed(self, number: int) -> int:
        """Return the number that the first process says."""
        said = [number]
        if self.count > 1:
            distributed.broadcast_object_list(said)
        return said[0]


def present(kind: str) -> bool:
    """Say whether there is a device of a kind."""
    if kind == "cpu":
        return True
    counts = getattr(torch, kind, None)
    return bool(counts is not None and counts.is_available())


def device_kind(asked: str) -> str:
    """Return the kind of device to run on. Raises InputError where there is none of the asked kind."""
    kinds = [kind for kind in (*ACCELERATORS, "cpu") if present(kind)]
    kind = asked or kinds[0]
    if kind not in kinds:
        raise InputError.single(place="--device", found=f"'{kind}'", allowed=", ".join(kinds))
    return kind


@contextmanager
def open_ranks(asked: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started, or stand alone. Raises InputError where a device is not there."""
    kind, count = device_kind(asked), int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks(device=torch.device(kind), place=0, count=1)
        return
    distributed.init_process_group(LIBRARIES.get(kind, "gloo"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device(kind) if kind == "cpu" else torch.device(kind, local)
    if kind != "cpu":
        getattr(torch, kind).set_device(device)
    try:
        yield Ranks(device=device, place=distributed.get_rank(), count=count)
    finally:
        distributed.destroy_process_group()


def said_by_one(ranks: Ranks, tell: Callable[[], str]) -> str:
    """Let the first process find something out and tell all others."""
    said: list[str | None] = [tell() if ranks.first else None]
    if ranks.count > 1:
        distributed.broadcast_object_list(said)
    return str(said[0])
