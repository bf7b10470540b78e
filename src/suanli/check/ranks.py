"""The devices that take part: one, or under torchrun one for each process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from suanli.measure.backends import COLLECTIVES, Backend, pick_backend

PROCESSOR = "cpu"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """One process among those that take part: what it runs on, its place, how many there are."""

    backend: Backend
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


@contextmanager
def open_ranks(asked: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started, or stand alone. Raises InputError where a device is not there."""
    backend, count = pick_backend(torch, asked), int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks(backend=backend, device=torch.device(backend.device), place=0, count=1)
        return
    distributed.init_process_group(COLLECTIVES.get(backend.kind, COLLECTIVES[PROCESSOR]))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device(backend.device)
    if backend.kind != PROCESSOR:
        device = torch.device(backend.device, local)
        backend.module.set_device(device)
    try:
        yield Ranks(backend=backend, device=device, place=distributed.get_rank(), count=count)
    finally:
        distributed.destroy_process_group()


def said_by_one(ranks: Ranks, tell: Callable[[], str]) -> str:
    """Let the first process find something out and tell all others."""
    said: list[str | None] = [tell() if ranks.first else None]
    if ranks.count > 1:
        distributed.broadcast_object_list(said)
    return str(said[0])
