"""What joins a device to the rest: the host's link, the disk that checkpoints go to, collectives between devices."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.measure.backends import COLLECTIVES, Backend
from suanli.measure.rules import ReadingRules
from suanli.measure.timing import read

OPS = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send")
RANKS = 2
CHUNK_BYTES = 2**22
LOCAL = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class HostLink:
    """Bytes for a second from the host to the device and back, from memory that is pinned."""

    down_bytes_per_s: float
    up_bytes_per_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """Bytes for a second onto the disk, with everything flushed to it, and back from it."""

    write_bytes_per_s: float
    read_bytes_per_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """One collective: operation, ranks, message, seconds."""

    op: str
    ranks: int
    message_bytes: float
    seconds: float


def host_link(backend: Backend, size: int, rules: ReadingRules, limit_seconds: float) -> HostLink | None:
    """Time copies between pinned host memory and the device; None where they are one memory."""
    if backend.kind in ("cpu", "mps"):
        return None
    torch = backend.torch
    there = torch.empty(size, dtype=torch.uint8, device=backend.device)
    here = torch.empty(size, dtype=torch.uint8).pin_memory()
    down = read(backend, lambda: there.copy_(here, non_blocking=True), rules, limit_seconds).seconds
    up = read(backend, lambda: here.copy_(there, non_blocking=True), rules, limit_seconds).seconds
    return HostLink(down_bytes_per_s=size / down, up_bytes_per_s=size / up)


def disk(folder: Path, size: int) -> Disk:
    """Write a file to a folder of its own, flush it to the disk, read it back past the cache, and remove all of it."""
    block = os.urandom(CHUNK_BYTES)
    blocks = max(size // CHUNK_BYTES, 1)
    with tempfile.TemporaryDirectory(prefix="suanli-measure-", dir=folder) as held:
        path = Path(held) / "checkpoint"
        start = time.perf_counter()
        with path.open("wb", buffering=0) as file:
            for _ in range(blocks):
                file.write(block)
            os.fsync(file.fileno())
        written = time.perf_counter() - start
        with path.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            start = time.perf_counter()
            while file.read(CHUNK_BYTES):
                pass
            back = time.perf_counter() - start
    moved = blocks * CHUNK_BYTES
    return Disk(write_bytes_per_s=moved / written, read_bytes_per_s=moved / back)


def collectives(backend: Backend, ranks: int, sizes: tuple[int, ...], rounds: int) -> list[Transfer]:
    """Time collectives between so many processes, one for each device (on a CPU two share it)."""
    torch = backend.torch
    with socket.socket() as free:
        free.bind((LOCAL, 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="suanli-measure-") as held:
        context = torch.multiprocessing.get_context("spawn")
        results = Path(held) / "seconds"
        ask = {"kind": backend.kind, "ranks": ranks, "port": port, "sizes": sizes, "rounds": rounds}
        parts = [context.Process(target=play_rank, args=(rank, ask, str(results))) for rank in range(ranks)]
        for part in parts:
            part.start()
        for part in parts:
            part.join()
        lines = results.read_text("utf-8").splitlines() if results.exists() else []
    found = (line.split() for line in lines)
    return [Transfer(op=op, ranks=ranks, message_bytes=float(size), seconds=float(spent)) for op, size, spent in found]


def play_rank(rank: int, ask: Mapping[str, Any], results: str) -> None:
    """Be one rank of the collectives: play all of them, and as the first rank write down their median seconds."""
    from suanli.measure.backends import find_backends, torch_module

    torch = torch_module()
    backend = find_backends(torch)[ask["kind"]]
    group = torch.distributed
    os.environ.update(MASTER_ADDR=LOCAL, MASTER_PORT=str(ask["port"]))
    if backend.kind == "cpu":
        torch.set_num_threads(max(torch.get_num_threads() // ask["ranks"], 1))
        device = "cpu"
    else:
        backend.module.set_device(rank)
        device = f"{backend.device}:{rank}"
    group.init_process_group(COLLECTIVES[backend.kind], rank=rank, world_size=ask["ranks"])
    lines = []
    for op in OPS:
        for size in ask["sizes"]:
            spent = _play(torch, backend, device, op, size, rank, ask)
            if spent is not None:
                lines.append(f"{op} {size} {spent!r}")
    if rank == 0:
        Path(results).write_text("\n".join(lines), encoding="utf-8")
    group.destroy_process_group()


def named(group: Any, name: str, before: str) -> Callable[..., object]:
    """Return a collective by its name, or by the one that it had in releases before."""
    found: Callable[..., object] = getattr(group, name, None) or getattr(group, before)
    return found


def _play(
    torch: Any, backend: Backend, device: str, op: str, size: int, rank: int, ask: Mapping[str, Any]
) -> float | None:
    """Return the median seconds of a collective; None where the library has no such one."""
    group, ranks = torch.distributed, ask["ranks"]
    whole = torch.zeros(max(size // 4 // ranks * ranks, ranks), device=device)
    part = torch.zeros(len(whole) // ranks, device=device)
    runs: Mapping[str, Callable[[], object]] = {
        "all_reduce": lambda: group.all_reduce(whole),
        "all_gather": lambda: named(group, "all_gather_single", "all_gather_into_tensor")(whole, part),
        "reduce_scatter": lambda: named(group, "reduce_scatter_single", "reduce_scatter_tensor")(part, whole),
        "all_to_all": lambda: group.all_to_all_single(torch.empty_like(whole), whole),
        "send": lambda: (group.send(whole, 1) if rank == 0 else group.recv(whole, 0)) if rank < RANKS else None,
    }
    taken = []
    try:
        for _ in range(ask["rounds"]):
            group.barrier()
            backend.synchronise()
            start = time.perf_counter()
            runs[op]()
            backend.synchronise()
            taken.append(time.perf_counter() - start)
    except (RuntimeError, NotImplementedError):
        return None
    return sorted(taken)[len(taken) // 2]
