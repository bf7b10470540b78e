"""The 80 % band of a step: holds it, scales with it, and is wider for every cause that is less known."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, small_model

from suanli.catalogue.load import catalogue
from suanli.domain.result import Band
from suanli.equations.uncertainty import band_end, spread_log
from suanli.estimate.uncertainty import ChipEvidence, band_without_layout, evidence_of, step_band
from suanli.parts.devices.open import open_device

DENSE, EXPERTS = small_model(), small_model(experts=8, active=2)
seconds = st.floats(1e-6, 1e6)


def device_of(name):
    return open_device(catalogue().accelerators[name], KERNELS)


A100 = open_device(cluster_of().system.accelerator, KERNELS)


def reach(device=A100, software="megatron_core", model=DENSE, value=1.0):
    band = step_band(CALIBRATION, software, device, model, 2048, value)
    assert 0 < band.low < value < band.high < math.inf
    return math.log(band.high / band.low)


@settings(max_examples=50, deadline=None)
@given(value=seconds)
def test_a_band_holds_its_step_and_scales_with_it(value):
    assert reach(value=value) == pytest.approx(reach())


@pytest.mark.parametrize(
    ("name", "evidence"),
    [("nv-a100-80-sxm", "measured"), ("nv-h100-sxm", "measured"), ("nv-h100-pcie", "generation"),
     ("nv-v100-sxm2-32", "generation"), ("ascend-910b3", "datasheet"), ("tpu-v5e", "datasheet"),
     ("biren-br100", "datasheet")],
)  # fmt: skip
def test_a_chip_is_known_by_its_own_kernels_its_generation_or_its_datasheet(name, evidence):
    assert evidence_of(CALIBRATION.spread, device_of(name)) == evidence


def test_every_generation_is_a_class_of_kernels():
    assert set(CALIBRATION.spread.generations) <= {one.id for one in KERNELS.classes}


def test_less_evidence_of_a_chip_never_narrows_a_band():
    order = [reach(device_of(name)) for name in ("nv-h100-sxm", "nv-h100-pcie", "ascend-910b3")]
    assert order == sorted(order)
    assert order[0] < order[-1]


def test_experts_widen_a_band():
    assert reach(model=EXPERTS) > reach()


@pytest.mark.parametrize("software", sorted(CALIBRATION.software))
def test_every_class_of_software_has_a_spread(software):
    assert 0 < CALIBRATION.spread.software[software] < 0.5
    assert reach(software=software) > 0


def test_every_kind_of_evidence_has_a_spread_and_a_measured_chip_adds_least():
    chip = CALIBRATION.spread.chip
    assert set(chip) == set(ChipEvidence)
    assert chip["measured"] <= chip["generation"] <= chip["datasheet"]


def test_a_layout_that_nobody_told_widens_both_ends():
    band = step_band(CALIBRATION, "megatron_core", A100, DENSE, 2048, 10.0)
    wide = band_without_layout(CALIBRATION, band, 10.0)
    assert wide.low < band.low < 10.0 < band.high < wide.high


def test_an_unknown_layout_adds_in_quadrature():
    sigma, layout = 0.3, CALIBRATION.spread.unknown_layout
    band = Band(low=1.0, high=math.exp(sigma * CALIBRATION.spread.sigmas_above))
    wide = band_without_layout(CALIBRATION, band, 1.0)
    assert math.log(wide.high) / CALIBRATION.spread.sigmas_above == pytest.approx(math.hypot(sigma, layout))


def test_a_cause_of_zero_is_neutral():
    assert spread_log(0.1, 0.0, 0.0, 5.0, 0.0, 5.0, 0.0, 5.0) == pytest.approx(0.1)


@given(sigma=st.floats(0, 1), sigmas=st.floats(0, 2))
def test_equal_sigmas_make_a_band_symmetric_by_ratio(sigma, sigmas):
    assert band_end(sigma, sigmas) * band_end(sigma, -sigmas) == pytest.approx(1)
