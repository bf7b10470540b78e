"""Accelerators, systems and the kernel table to test devices with."""

from collections.abc import Callable

import pytest

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Accelerator, Link, Precision, System, Topology
from suanli.domain.kernel import KernelTable
from suanli.foundation.figure import Figure, Kind
from suanli.parts.devices.electronic import Device
from suanli.parts.devices.fabric import Fabric
from suanli.parts.devices.open import open_device, open_fabric


def figure(value: float, unit: str) -> Figure:
    return Figure(value=value, unit=unit, low=value, high=value, kind=Kind.VENDOR, source="test", date="2026-11")


def accelerator(
    name: str = "nv-h100-sxm",
    *,
    peak: dict[str, float] | None = None,
    memory: float | None = 3.35e12,
    link: float | None = 450e9,
    domain: int = 8,
    topology: Topology = Topology.SWITCHED,
    device_class: str = "gpu",
    ceiling: float | None = None,
    host: float | None = 64e9,
) -> Accelerator:
    peaks = {"bf16": 989.4e12, "fp8": 1979e12} if peak is None else peak
    return Accelerator(
        id=name, vendor="", name=name, origin="", device_class=device_class, released="",
        peak_flop_per_s={Precision(key): figure(value, "FLOP/s") for key, value in peaks.items()},
        matmul_ceiling_flop_per_s=figure(ceiling, "FLOP/s") if ceiling else None,
        memory_bytes=figure(80e9, "B"), memory_bytes_per_s=figure(memory, "B/s") if memory else None, memory_kind="",
        link=Link(name="", topology=topology, bytes_per_s=figure(link, "B/s") if link else None, domain=domain),
        host_bytes_per_s=figure(host, "B/s") if host else None, power_watts=None, china_export="", software="",
        confidence="", sources=(),
    )  # fmt: skip


def system(of: Accelerator, *, accelerators: int = 8, network: float | None = 50e9) -> System:
    return System(
        id="node", vendor="", name="", system_kind="node", released="", accelerator=of, accelerators=accelerators,
        link=of.link, scale_out_bytes_per_s=figure(network, "B/s") if network else None, nics=8, host_memory_bytes=None,
        power_watts=None, rack_units=None, cooling="", confidence="", sources=(),
    )  # fmt: skip


@pytest.fixture(scope="session")
def kernels() -> KernelTable:
    return load_kernels()


@pytest.fixture(scope="session")
def make_accelerator() -> Callable[..., Accelerator]:
    return accelerator


@pytest.fixture(scope="session")
def make_device(kernels: KernelTable) -> Callable[..., Device]:
    return lambda *given, **named: open_device(accelerator(*given, **named), kernels)


@pytest.fixture(scope="session")
def make_fabric(kernels: KernelTable) -> Callable[..., Fabric]:
    def make(*given: str, accelerators: int = 8, network: float | None = 50e9, **named: object) -> Fabric:
        return open_fabric(system(accelerator(*given, **named), accelerators=accelerators, network=network), kernels)

    return make


@pytest.fixture(scope="session")
def device(make_device: Callable[..., Device]) -> Device:
    return make_device()


@pytest.fixture(scope="session")
def fabric(make_fabric: Callable[..., Fabric]) -> Fabric:
    return make_fabric()


@pytest.fixture(scope="session")
def product(kernels: KernelTable) -> Callable[[str], Device]:
    known = catalogue().accelerators
    return lambda name: open_device(known[name], kernels)
