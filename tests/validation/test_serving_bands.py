"""The 80 % bands: ordered, scale with the value, wider where less is known, never a knob of one source."""

import dataclasses
import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of
from tests.estimate.replicas import LLAMA, replica
from tests.validation.published import result

from suanli.catalogue.load import catalogue
from suanli.domain.layout import Layout
from suanli.estimate.serving_bands import LATENCIES, TAIL_SIGMAS, serving_band
from suanli.estimate.training import estimate_layout
from suanli.estimate.uncertainty import band_of
from suanli.parts.devices.open import open_device

quick = settings(max_examples=60, deadline=None)
QUANTITIES = (
    "ttft_seconds", "tpot_seconds", "output_tokens_per_s", "total_tokens_per_s", "requests_per_s", "memory_bytes",
    "weight_bytes", "kv_capacity_tokens",
)  # fmt: skip
values = st.floats(1e-6, 1e15)
PLAIN = replica(LLAMA)


def reach(quantity, value=1.0, one=PLAIN):
    return serving_band(one, quantity, value).high / value


def test_the_tail_is_that_of_a_normal_distribution():
    assert statistics.NormalDist().cdf(TAIL_SIGMAS) == pytest.approx(0.9)


@quick
@given(quantity=st.sampled_from(QUANTITIES), value=values)
def test_a_value_lies_in_its_band_and_in_its_middle_by_ratio(quantity, value):
    band = serving_band(PLAIN, quantity, value)
    assert 0 < band.low < value < band.high < math.inf
    assert band.low * band.high == pytest.approx(value**2)


@quick
@given(quantity=st.sampled_from(QUANTITIES), value=values, factor=st.floats(1e-3, 1e3))
def test_a_band_scales_with_its_value(quantity, value, factor):
    assert reach(quantity, value * factor) == pytest.approx(reach(quantity, value))


def test_memory_is_known_best_and_the_first_token_worst():
    order = ["memory_bytes", "output_tokens_per_s", "tpot_seconds", "ttft_seconds"]
    assert [reach(name) for name in order] == sorted(reach(name) for name in order)


def test_all_rates_share_a_spread():
    assert reach("output_tokens_per_s") == reach("total_tokens_per_s") == reach("requests_per_s")


def test_all_quantities_of_memory_share_a_spread():
    assert reach("memory_bytes") == reach("weight_bytes") == reach("kv_capacity_tokens")


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_less_known_device_never_has_a_narrower_band(quantity):
    looser = 2 * PLAIN.device.spread_log
    vague = dataclasses.replace(PLAIN, device=dataclasses.replace(PLAIN.device, spread_log=looser))
    if quantity in ("memory_bytes", "weight_bytes", "kv_capacity_tokens"):
        assert reach(quantity, one=vague) == reach(quantity)
    else:
        assert reach(quantity, one=vague) > reach(quantity)


def test_every_latency_has_a_spread_of_its_own():
    spreads = PLAIN.constants.spreads_log
    assert set(LATENCIES.values()) | {"throughput", "memory"} == set(spreads)
    assert all(0 < spread < 1 for spread in spreads.values())


@pytest.mark.parametrize("measured", ["nv-h100-sxm", "nv-a100-", "nv-h200", "nv-b200"])
def test_kernels_that_were_measured_are_known_better_than_a_class(measured):
    known = [open_device(one, KERNELS) for name, one in catalogue().accelerators.items() if name.startswith(measured)]
    vague = [
        open_device(one, KERNELS)
        for name, one in catalogue().accelerators.items()
        if name.startswith(("cambricon", "biren", "hygon", "iluvatar"))
    ]
    assert known
    assert vague
    assert not any(device.calibrated for device in vague)
    assert max(device.spread_log for device in known) < min(device.spread_log for device in vague)


@quick
@given(value=values)
def test_a_memory_band_is_ordered_and_wider_without_measured_kernels(value):
    one = open_device(cluster_of().system.accelerator, KERNELS)
    known = band_of(CALIBRATION, "memory", one, value)
    low, high = CALIBRATION.bands["memory_default"]
    assert 0 < known.low <= value <= known.high
    assert high / low >= known.high / known.low * (1 - 1e-12)


@pytest.mark.parametrize("name", ["dgx-a100-640", "dgx-h100"])
def test_an_estimate_of_a_step_lies_in_its_bands(name):
    told = estimate_layout(
        setup_of(), cluster_of(name=name), Layout(data=8), KERNELS, calibration=CALIBRATION, accelerators=8
    )
    assert told.band.low <= told.step_seconds <= told.band.high
    assert told.memory_band.low <= told.memory_bytes <= told.memory_band.high


@pytest.mark.parametrize("table", ["training", "serving"])
def test_no_band_is_absurd(table):
    """No published row's band spans more than two orders of magnitude."""
    for row in result(table).rows:
        if row.predicted is not None:
            assert row.high / row.low < 100


def test_serving_bands_of_a_quantity_on_one_accelerator_are_equally_wide_unless_drafts_widen_them():
    widths, drafted = {}, {}
    for row in result("serving").rows:
        if row.predicted is not None and any("drafted token" in told for told in row.assumed):
            drafted.setdefault((row.quantity, row.accelerator), []).append(row.high / row.low)
        elif row.predicted is not None:
            widths.setdefault((row.quantity, row.accelerator), set()).add(round(row.high / row.low, 9))
    assert all(len(found) == 1 for found in widths.values())
    assert drafted
    assert all(width > min(widths[key]) * 0.999 for key, found in drafted.items() if key in widths for width in found)
