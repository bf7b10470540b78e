"""Disk and collectives: what is left behind, and how transfers become kernels of a profile."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.measure.fake_torch import FakeTorch

from suanli.catalogue.profile import read_profile
from suanli.measure.backends import describe, find_backends
from suanli.measure.bench import Asked, measure, warnings_of
from suanli.measure.links import Transfer, disk
from suanli.measure.profile import make_profile, matched, profile_text
from suanli.measure.rules import load_rules
from suanli.parts.devices.open import open_fabric


def test_the_disk_is_written_read_and_left_as_it_was(tmp_path):
    found = disk(tmp_path, 8_000_000)
    assert found.write_bytes_per_s > 0
    assert found.read_bytes_per_s > 0
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def found(fake, tmp_path):
    fake("npu", name="Ascend910B2")
    return measure(Asked(dtypes=("bf16",), quick=True, folder=tmp_path), lambda *told: None)


def test_collectives_of_many_devices_become_links_and_kernels(found):
    sizes = (1e5, 1e6, 1e7, 1e8)
    transfers = tuple(
        Transfer(op=op, ranks=8, message_bytes=size, seconds=2e-5 + size / 1e11)
        for op in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send")
        for size in sizes
    )
    many = replace(found, transfers=transfers, machine=replace(found.machine, devices=8))
    profile = make_profile(many, load_rules(True).fit)
    machine = read_profile(profile_text(profile, "suanli measure", "0"), "box.yaml")
    assert machine.system.link.domain == machine.system.accelerators == 8
    assert machine.measurement.families["collectives all_reduce"].held_out == 0
    assert machine.measurement.families["matmul bf16"].held_out > 0
    from suanli.catalogue.kernels import load_kernels

    fabric = open_fabric(machine.system, load_kernels().with_measured(machine.kernels))
    predicted = fabric.collective_seconds("all_gather", 1e7, 8.0, 8.0)
    assert predicted == pytest.approx(2e-5 + 1e7 / 1e11, rel=0.2)


def test_one_device_alone_has_no_link(found):
    profile = make_profile(found, load_rules(True).fit)
    machine = read_profile(profile_text(profile, "suanli measure", "0"), "box.yaml")
    assert machine.system.link.domain == 1
    assert machine.kernels.collectives == {}


def test_what_makes_figures_doubtful_is_warned_of(found):
    rules = load_rules(True)
    assert warnings_of(0.0, found.samples, rules, 0) == ()
    noisy = [replace(one, spread=0.5) for one in found.samples]
    said = warnings_of(3.0, noisy, rules, 7)
    assert len(said) == 3
    assert "3.00" in said[0]


@pytest.mark.parametrize(
    ("kind", "name", "memory", "product"),
    [
        ("cuda", "NVIDIA H100 80GB HBM3", 85e9, "nv-h100-sxm"),
        ("cuda", "NVIDIA H100 PCIe", 85e9, "nv-h100-pcie"),
        ("cuda", "NVIDIA A100-SXM4-80GB", 85e9, "nv-a100-80-sxm"),
        ("cuda", "NVIDIA GeForce RTX 4090", 25.4e9, "nv-rtx4090"),
        ("cuda", "NVIDIA L40S", 47.7e9, "nv-l40s"),
        ("cuda", "NVIDIA H200", 150e9, "nv-h200-sxm"),
        ("rocm", "AMD Instinct MI300X", 206e9, "amd-mi300x"),
        ("cuda", "NVIDIA Tomorrow 1", 85e9, None),
    ],
)
def test_a_device_is_the_product_that_its_driver_names(kind, name, memory, product):
    machine = describe(find_backends(FakeTorch(kind, name=name))[kind])
    told = matched(replace(machine, memory_bytes=memory))
    assert (told.id if told else None) == product


def test_an_apple_gpu_is_found_by_its_backend():
    torch = FakeTorch("none")
    torch.mps = SimpleNamespace(recommended_max_memory=lambda: 48e9, synchronize=lambda: None)
    torch.backends.mps = SimpleNamespace(is_available=lambda: True)
    here = find_backends(torch)
    assert list(here) == ["mps", "cpu"]
    machine = describe(here["mps"])
    assert (machine.device_class, machine.memory_bytes) == ("apple", 48e9)
    assert not here["mps"].has_events
