"""Opening: the product's own calibration first, then its class, then what is left; measured ceilings hold."""

import pytest

from suanli.catalogue.load import catalogue
from suanli.parts.devices.open import count_units, find_calibration, open_device, open_fabric


@pytest.mark.parametrize(("name", "found"), [
    ("nv-a100-80-sxm", "a100_sxm"), ("nv-a800-80-sxm", "a100_sxm"), ("nv-h100-sxm", "h100_sxm"),
    ("nv-h800-sxm", "h100_sxm"),
    ("nv-b200-sxm", "b200_sxm"), ("intel-arc-b60", "b60"),
])  # fmt: skip
def test_a_measured_product_has_its_own_calibration(make_device, name, found):
    device = make_device(name)
    assert (device.kernels.id, device.calibrated) == (found, True)


@pytest.mark.parametrize(("name", "found"), [
    ("nv-h20", "hopper_few_units"), ("nv-h100-pcie", "hopper"), ("nv-a100-80-pcie", "ampere"), ("nv-l4", "ada"),
    ("nv-v100-sxm2-32", "volta"),
    ("nv-t4", "turing"), ("nv-rtx5090", "blackwell_workstation"), ("nv-rtx5000-ada", "ada"), ("amd-mi210", "cdna2"),
    ("amd-mi300x", "cdna3"), ("amd-mi355x", "cdna4"), ("tpu-v5p", "tpu"), ("intel-gaudi3", "gaudi"),
    ("ascend-910b2", "ascend"),
    ("mtt-s4000", "chinese_gpgpu"), ("aws-trn2", "asic"), ("fpga-u280", "fpga"), ("apple-m3-max-40", "cpu"),
])  # fmt: skip
def test_another_product_has_the_default_of_its_class(make_device, name, found):
    device = make_device(name)
    assert (device.kernels.id, device.calibrated) == (found, False)


@pytest.mark.parametrize(
    ("device_class", "found"), [("tpu", "tpu"), ("npu", "chinese_gpgpu"), ("gpu", "gpu"), ("photonic", "gpu")]
)
def test_an_unknown_product_is_known_by_its_class(make_device, device_class, found):
    assert make_device("own-chip", device_class=device_class).kernels.id == found


def test_a_class_is_less_sure_than_what_it_extends(kernels):
    devices = {one.id: one for one in kernels.calibrations}
    assert all(one.spread_log > min(device.spread_log for device in devices.values()) for one in kernels.classes)


def test_units_are_those_of_the_product(make_device, make_accelerator, kernels):
    assert make_device("nv-h20").compute_units == 78
    assert make_device("nv-h100-sxm").compute_units == 132
    strange = make_accelerator("nv-h200-other")
    assert count_units(strange, find_calibration(strange, kernels)) == 132


def test_a_measured_ceiling_binds_a_class(make_device):
    low = make_device("amd-mi300x", peak={"bf16": 1307e12}, memory=5.3e12, ceiling=0.5 * 1307e12)
    high = make_device("amd-mi300x", peak={"bf16": 1307e12}, memory=5.3e12, ceiling=0.7 * 1307e12)
    for device, share in ((low, 0.5), (high, 0.7)):
        reached = 2 * 16384.0**3 / device.matmul_seconds(16384.0, 16384.0, 16384.0) / 1307e12
        assert reached == pytest.approx(share, rel=0.06)
        assert reached <= share


def test_a_measured_ceiling_leaves_a_calibration_alone(make_device):
    plain, told = make_device("nv-h100-sxm"), make_device("nv-h100-sxm", ceiling=600e12)
    assert told.matmul_seconds(8192.0, 8192.0, 8192.0) == plain.matmul_seconds(8192.0, 8192.0, 8192.0)


def test_no_share_of_the_peak_passes_one(make_device):
    device = make_device("amd-mi300x", peak={"bf16": 100e12}, ceiling=100e12)
    assert max(kernel.ceiling_share for kernel in device.kernels.matmul.values()) <= 1


def test_every_product_of_the_catalogue_opens(kernels):
    for accelerator in catalogue().accelerators.values():
        device = open_device(accelerator, kernels)
        assert device.spread_log > 0
        assert device.compute_units >= 1


def test_every_system_of_the_catalogue_moves_bytes(kernels):
    for system in catalogue().systems.values():
        fabric = open_fabric(system, kernels)
        seconds = fabric.collective_seconds("all_reduce", 1e9, 16.0, min(8.0, float(system.accelerators)))
        assert 1e-4 < seconds < 10, system.id
