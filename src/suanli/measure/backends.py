"""The devices that PyTorch runs on here: what they are, how they are waited for, and how their time is told."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.extras import not_installed
from suanli.foundation.language import tr

KINDS = ("cuda", "rocm", "npu", "xpu", "mps", "cpu")
"""Kinds of devices, the one that a plain run takes first."""
CLASSES = {"cuda": "gpu", "rocm": "gpu", "npu": "npu", "xpu": "gpu", "mps": "apple", "cpu": "cpu"}
VENDORS = {"cuda": "NVIDIA", "rocm": "AMD", "npu": "Huawei", "xpu": "Intel", "mps": "Apple"}
COLLECTIVES = {"cuda": "nccl", "rocm": "nccl", "npu": "hccl", "xpu": "xccl", "cpu": "gloo"}
"""The library of collectives that PyTorch has for a kind."""
GRAPHS = {"cuda": "CUDAGraph", "rocm": "CUDAGraph", "npu": "NPUGraph", "xpu": "XPUGraph"}
"""What captures a run of kernels, so that the host's overhead is not in their time."""
UNITS = ("multi_processor_count", "cube_core_num", "gpu_subslice_count", "max_compute_units")
"""What the properties of a device call the number of units that work on tiles, by maker."""
MILLI = 1e-3
Run = Callable[[], object]
Timed = Callable[[], float]


def torch_module() -> Any:
    """Load PyTorch. Raises InputError that says how to get it where it is not installed."""
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise not_installed("measure", "torch", "measure") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """One kind of device under PyTorch: `module` is its part of torch (torch.cuda, torch.npu, ...; none on a CPU)."""

    kind: str
    torch: Any
    module: Any = None
    clock: Callable[[], float] = field(default=time.perf_counter)

    @property
    def device(self) -> str:
        """Return what torch calls the device."""
        return "cuda" if self.kind == "rocm" else self.kind

    @property
    def count(self) -> int:
        """Return how many such devices are here."""
        counted = getattr(self.module, "device_count", None)
        return int(counted()) if counted else 1

    @property
    def has_events(self) -> bool:
        """Say whether the device tells time by its own events."""
        return self.kind in GRAPHS and hasattr(self.module, "Event")

    def synchronise(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.module is not None:
            self.module.synchronize()

    def repeated(self, run: Run, count: int) -> Timed:
        """Return what times `count` runs in seconds: captured where the device can, so that the host has no part in it.

        A run that cannot be captured is launched eagerly.
        """
        played = self._captured(run, count) or _repeats(run, count)
        return self._by_events(played) if self.has_events else self._by_clock(played)

    def host_seconds(self, run: Run, count: int) -> float:
        """Time of the host for one of `count` runs, without waiting for the device."""
        self.synchronise()
        start = self.clock()
        _repeats(run, count)()
        spent = self.clock() - start
        self.synchronise()
        return spent / count

    def _captured(self, run: Run, count: int) -> Run | None:
        graph_of = getattr(self.module, GRAPHS.get(self.kind, ""), None)
        capture = getattr(self.module, "graph", None)
        if graph_of is None or capture is None:
            return None
        try:
            run()
            self.synchronise()
            graph = graph_of()
            with capture(graph):
                _repeats(run, count)()
        except (RuntimeError, NotImplementedError):
            self.synchronise()
            return None
        replay: Run = graph.replay
        return replay

    def _by_events(self, run: Run) -> Timed:
        def timed() -> float:
            begin, end = (self.module.Event(enable_timing=True) for _ in range(2))
            self.synchronise()
            begin.record()
            run()
            end.record()
            self.synchronise()
            return float(begin.elapsed_time(end)) * MILLI

        return timed

    def _by_clock(self, run: Run) -> Timed:
        def timed() -> float:
            self.synchronise()
            start = self.clock()
            run()
            self.synchronise()
            return self.clock() - start

        return timed

    def peak_memory_bytes(self) -> float | None:
        """Return the most that the device's allocator held, where it counts that."""
        counted = getattr(self.module, "max_memory_allocated", None)
        return float(counted()) if counted else None

    def empty_cache(self) -> None:
        """Give back what the device's allocator keeps."""
        if hasattr(self.module, "empty_cache"):
            self.module.empty_cache()


def _repeats(run: Run, count: int) -> Run:
    def play() -> None:
        for _ in range(count):
            run()

    return play


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""What glibc calls the free bytes above which it gives memory back, and how many blocks it maps one by one."""
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; say whether its C library could be told so.

    glibc maps every block from 32 MiB on anew and unmaps it when it is freed, so that each use pays a page fault for
    every 4 KiB: on a processor a pass over a fresh tensor then runs at a fifth of the memory's rate. PyTorch's advice
    for processors is an allocator that keeps memory (jemalloc, tcmalloc); kernels are timed as under one.
    """
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(adjust(M_MMAP_MAX, 0)) and bool(adjust(M_TRIM_THRESHOLD, NEVER))


def find_backends(torch: Any) -> dict[str, Backend]:
    """Find every kind of device that is here, best first; a CPU always is."""
    found: dict[str, Backend] = {}
    if torch.cuda.is_available():
        kind = "rocm" if getattr(torch.version, "hip", None) else "cuda"
        found[kind] = Backend(kind=kind, torch=torch, module=torch.cuda)
    for kind in ("npu", "xpu", "mps"):
        module = _module_of(torch, kind)
        if module is not None:
            found[kind] = Backend(kind=kind, torch=torch, module=module)
    found["cpu"] = Backend(kind="cpu", torch=torch)
    return found


def _module_of(torch: Any, kind: str) -> Any:
    """Return torch's part for a kind where a device of it is here; that of an Ascend comes with its own package."""
    if kind == "npu" and not hasattr(torch, "npu"):
        try:
            importlib.import_module("torch_npu")
        except ImportError:
            return None
    module = getattr(torch, kind, None)
    asked = module if hasattr(module, "is_available") else getattr(getattr(torch, "backends", None), kind, None)
    return module if module is not None and asked is not None and asked.is_available() else None


def pick_backend(torch: Any, asked: str) -> Backend:
    """Return the asked kind of device, or the best that is here. Raises InputError where the asked one is not."""
    keep_freed_memory()
    here = find_backends(torch)
    if not asked:
        return next(iter(here.values()))
    if asked not in here:
        allowed = ", ".join(here)
        hint = "" if asked in KINDS else did_you_mean(asked, here)
        raise InputError.single(place="--device", found=f"'{asked}'", allowed=tr("here: {names}", names=allowed),
                                hint=hint)  # fmt: skip
    return here[asked]


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What a device says of itself: names, memory, units, and the versions that its speed depends on."""

    name: str
    vendor: str
    device_class: str
    memory_bytes: float
    host_memory_bytes: float
    compute_units: int
    devices: int
    versions: dict[str, str]


def describe(backend: Backend) -> Machine:
    """Ask a device what it is."""
    host = _host_memory_bytes()
    versions = {"torch": str(backend.torch.__version__), "python": platform.python_version(),
                "system": f"{platform.system()} {platform.release()}", **_driver(backend)}  # fmt: skip
    if backend.kind == "cpu":
        name, vendor = _processor()
        threads = int(backend.torch.get_num_threads())
        return Machine(
            name=f"{name} ({threads} threads)", vendor=vendor, device_class="cpu", memory_bytes=host,
            host_memory_bytes=host, compute_units=threads, devices=1, versions={**versions, "threads": str(threads)},
        )  # fmt: skip
    if backend.kind == "mps":
        memory = float(backend.module.recommended_max_memory())
        name, _ = _processor()
        return Machine(
            name=name, vendor="Apple", device_class="apple", memory_bytes=memory, host_memory_bytes=host,
            compute_units=1, devices=1, versions=versions,
        )  # fmt: skip
    told = backend.module.get_device_properties(0)
    return Machine(
        name=str(told.name), vendor=VENDORS[backend.kind], device_class=CLASSES[backend.kind],
        memory_bytes=float(told.total_memory), host_memory_bytes=host,
        compute_units=max((int(getattr(told, unit)) for unit in UNITS if hasattr(told, unit)), default=1),
        devices=backend.count, versions=versions,
    )  # fmt: skip


def _driver(backend: Backend) -> dict[str, str]:
    """Return versions of the maker's own libraries, where torch was built with or tells them."""
    told = {
        "cuda": getattr(backend.torch.version, "cuda", None),
        "hip": getattr(backend.torch.version, "hip", None),
        "cann": getattr(getattr(backend.torch, "version", None), "cann", None),
        "xpu": getattr(backend.torch.version, "xpu", None),
    }
    own = {"cuda": ("cuda",), "rocm": ("hip",), "npu": ("cann",), "xpu": ("xpu",)}.get(backend.kind, ())
    versions = {name: str(told[name]) for name in own if told[name]}
    module = getattr(getattr(backend.torch, "_C", None), "_cuda_getDriverVersion", None)
    if backend.kind == "cuda" and module is not None:
        versions["driver"] = str(module())
    return versions


def _processor() -> tuple[str, str]:
    """Return the name of the processor and of its maker."""
    makers = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel", "ARM": "Arm", "HygonGenuine": "Hygon"}
    said: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            for line in lines:
                key, _, value = line.partition(":")
                said.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    name = said.get("model name") or platform.processor() or platform.machine() or "processor"
    return " ".join(name.split()), makers.get(said.get("vendor_id", ""), said.get("vendor_id", "") or "unknown")


def _host_memory_bytes() -> float:
    """Return the memory of the host."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return 0.0
