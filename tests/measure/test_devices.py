"""Devices that are not here, by a stand-in for PyTorch: they are found, waited for, timed and described."""

import pytest
from tests.measure.fake_torch import ATTENTION, MATMUL, MEMORY, PASS, UNITS, FakeTorch, Tensor

from suanli.api.measure import measure
from suanli.foundation.errors import InputError
from suanli.measure.backends import Backend, describe, find_backends, pick_backend, torch_module
from suanli.measure.links import host_link
from suanli.measure.rules import load_rules
from suanli.measure.timing import read

NAMES = {"cuda": "NVIDIA H100 80GB HBM3", "rocm": "AMD Instinct MI300X", "npu": "Ascend910B2", "xpu": "Intel GPU Max"}


@pytest.mark.parametrize("kind", NAMES)
def test_a_kind_is_found_before_the_processor(kind):
    torch = FakeTorch(kind, name=NAMES[kind])
    assert list(find_backends(torch)) == [kind, "cpu"]
    assert pick_backend(torch, "").kind == kind
    assert pick_backend(torch, "cpu").kind == "cpu"
    assert pick_backend(torch, kind).device == ("cuda" if kind == "rocm" else kind)


def test_a_device_that_is_not_here_is_refused_with_those_that_are():
    with pytest.raises(InputError, match="here: cuda, cpu"):
        pick_backend(FakeTorch("cuda"), "npu")


@pytest.mark.parametrize("kind", NAMES)
def test_a_device_says_what_it_is(kind):
    machine = describe(find_backends(FakeTorch(kind, name=NAMES[kind], count=8))[kind])
    assert (machine.name, machine.memory_bytes, machine.devices) == (NAMES[kind], MEMORY, 8)
    assert machine.compute_units == UNITS
    assert set(machine.versions) >= {"torch", "python", "system"}
    assert {"cuda": "cuda", "rocm": "hip", "npu": "cann", "xpu": "xpu"}[kind] in machine.versions


@pytest.mark.parametrize(("kind", "captures"), [("cuda", True), ("rocm", True), ("xpu", True), ("npu", False)])
def test_time_is_told_by_events_and_captured_where_the_device_can(kind, captures):
    torch = FakeTorch(kind)
    backend = find_backends(torch)[kind]
    x = Tensor(torch, (1024, 1024))
    seconds = backend.repeated(lambda: x + x, 10)()
    assert seconds == pytest.approx(10 * (2e-6 + 3 * 4 * 1024**2 / (3e12 * PASS.memory_share)))
    assert ("replay" in torch.clock.calls) is captures
    assert torch.clock.calls.count("record") == 2
    assert torch.clock.calls[-1] == "synchronize"


def test_what_cannot_be_captured_is_launched_eagerly():
    torch = FakeTorch("xpu", refuses_capture=True)
    backend = find_backends(torch)["xpu"]
    x = Tensor(torch, (1024, 1024))
    assert backend.repeated(lambda: x + x, 3)() > 0
    assert "replay" not in torch.clock.calls


def test_a_processor_is_timed_by_the_clock():
    ticks = iter(range(100))
    backend = Backend(kind="cpu", torch=None, clock=lambda: float(next(ticks)))
    assert not backend.has_events
    assert backend.repeated(lambda: None, 5)() == 1.0
    assert backend.host_seconds(lambda: None, 4) == 0.25
    assert backend.peak_memory_bytes() is None


def test_the_hosts_link_is_timed_from_pinned_memory_without_blocking():
    torch = FakeTorch("cuda")
    backend = find_backends(torch)["cuda"]
    link = host_link(backend, 10_000_000, load_rules(True).reading, 0.1)
    assert link.down_bytes_per_s == pytest.approx(50e9)
    assert {"pin_memory", "copy non_blocking=True"} <= set(torch.clock.calls)
    assert host_link(find_backends(torch)["cpu"], 10, load_rules(True).reading, 0.1) is None


def test_readings_of_a_steady_device_have_no_spread():
    torch = FakeTorch("npu")
    x = Tensor(torch, (4096, 4096))
    reading = read(find_backends(torch)["npu"], lambda: x + x, load_rules(True).reading, 1.0)
    assert reading.warm
    assert reading.spread == pytest.approx(0, abs=1e-6)
    assert reading.outliers == 0


@pytest.mark.parametrize("kind", NAMES)
def test_a_whole_measurement_finds_the_planted_kernels(kind, fake):
    fake(kind, name=NAMES[kind])
    found = measure(quick=True, dtypes=["bf16"])
    kernels, errors = found.machine.kernels, found.machine.measurement.families
    assert errors["matmul bf16"].median_error < 0.03
    assert errors["prefill bf16"].median_error < 0.03
    assert errors["element_pass element_pass"].median_error < 0.03
    assert kernels.element_pass.floor_seconds == pytest.approx(PASS.floor_seconds, rel=0.1)
    assert kernels.matmul["bf16"].floor_seconds == pytest.approx(MATMUL.floor_seconds, rel=0.5)
    assert kernels.matmul["bf16"].packing_bytes == 0
    assert kernels.backward["bf16"].floor_seconds == pytest.approx(ATTENTION.floor_seconds, rel=0.5)
    assert found.machine.measurement.device == kind
    assert found.memory_bytes_per_s == pytest.approx(3e12 * PASS.memory_share, rel=0.05)
    assert found.host_to_device_bytes_per_s == pytest.approx(50e9)


def test_a_known_product_is_held_against_its_datasheet(fake):
    fake("cuda")
    found = measure(quick=True, dtypes=["bf16", "fp32"])
    assert found.product == "nv-h100-sxm"
    assert found.machine.accelerator.peak_flop_per_s["bf16"].kind == "vendor"
    assert found.machine.accelerator.matmul_ceiling_flop_per_s.kind == "measured"
    shares = {one.name: one.measured / one.printed for one in found.shares}
    assert shares["bf16"] == pytest.approx(0.8 * 900 / 989.4, rel=0.1)
    assert 0 < shares["memory_bandwidth"] < 1


def test_one_wide_format_alone_stands_in_for_sixteen_bits(fake):
    fake("npu", name="unheard of")
    found = measure(quick=True, dtypes=["fp32"])
    assert found.product == ""
    kernels = found.machine.kernels
    assert kernels.matmul["bf16"] == kernels.matmul["fp32"]
    assert kernels.optimizer_share == pytest.approx(PASS.memory_share / 3, rel=0.2)


def test_a_format_that_is_not_had_here_is_refused(fake):
    fake("npu")
    with pytest.raises(InputError) as caught:
        measure(dtypes=["bf61", "tf32"])
    assert len(caught.value.faults) == 2


def test_without_torch_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(InputError, match=r"suanli\[measure\]"):
        torch_module()
