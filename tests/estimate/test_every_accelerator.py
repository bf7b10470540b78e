"""Every accelerator of the catalogue trains and serves a small model in a finite time, or is refused by name."""

import math
from dataclasses import replace
from functools import cache

import pytest
from tests.estimate.jobs import CALIBRATION, KERNELS, setup_of, small_model
from tests.estimate.replicas import setup as serving_setup
from tests.estimate.replicas import small_model as small_served

from suanli.catalogue.find import default_system
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Cluster
from suanli.domain.layout import Layout, Sharding
from suanli.domain.workload import ServingLayout, TuningMethod
from suanli.estimate.finetuning import estimate_tuning
from suanli.estimate.serving import estimate_serving
from suanli.estimate.training import estimate_layout
from suanli.foundation.errors import InfeasibleError, InputError, SuanliError

KNOWN = catalogue()
NAMES = sorted(KNOWN.accelerators)
TRAINING_FORMATS = ("fp16", "fp8", "nvfp4")
WEIGHT_FORMATS = ("bf16", "fp8", "int8_weight", "int4_weight")
MODEL = small_served()


@cache
def trained(name, number_format="bf16"):
    """Estimate a small model on one accelerator, or return the refusal."""
    system = replace(default_system(name), accelerators=1)
    setup = setup_of(small_model(), batch=8, number_format=number_format)
    try:
        return estimate_layout(setup, Cluster(system=system, nodes=1), Layout(), KERNELS)
    except SuanliError as refused:
        return refused


@cache
def served(name, weight_format="bf16", concurrency=8.0):
    """Estimate a small replica on one accelerator, or return the refusal."""
    system = replace(default_system(name), accelerators=1)
    setup = serving_setup(MODEL, weight_format=weight_format)
    try:
        return estimate_serving(setup, system, ServingLayout(), concurrency, KERNELS)
    except InputError as refused:
        return refused


def refused_by_name(told, name):
    """Whether a refusal says which product it is about, and what is missing."""
    if isinstance(told, InfeasibleError):
        return name in told.limit and bool(told.relief)
    return all(fault.place == name and fault.found and fault.allowed for fault in told.faults)


def on_chip(name):
    """Whether an accelerator's memory is so fast that the floors of kernels are all that counts."""
    return KNOWN.accelerators[name].memory_bytes_per_s.value > 1e14


TRAINING = [name for name in NAMES if not isinstance(trained(name), SuanliError)]
SERVING = [name for name in NAMES if not isinstance(served(name), InputError)]


def test_most_of_the_catalogue_trains_and_serves():
    assert len(TRAINING) >= 0.8 * len(NAMES)
    assert len(SERVING) >= 0.8 * len(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TRAINING])
def test_what_cannot_train_is_refused_by_name(name):
    assert refused_by_name(trained(name), name)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SERVING])
def test_what_cannot_serve_is_refused_by_name(name):
    assert refused_by_name(served(name), name)


@pytest.mark.parametrize("name", TRAINING)
def test_training_takes_a_finite_time_within_the_peak(name):
    told = trained(name)
    assert 0 < told.step_seconds < 1e6
    assert 0 < told.mfu < 1
    assert 0 < told.memory_bytes < 1e12
    assert told.band.low < told.step_seconds < told.band.high
    assert all(math.isfinite(one) and one >= -1e-12 for one in told.seconds_by_cause.values())
    assert told.limit in ("", "memory")


@pytest.mark.parametrize("number_format", TRAINING_FORMATS)
def test_every_number_format_trains_on_every_accelerator(number_format):
    """A narrow format is never refused where 16 bits are not: it runs at the next wider peak."""
    for name in TRAINING:
        told = trained(name, number_format)
        assert not isinstance(told, InputError), name
        assert 0 < told.step_seconds < 1e6, name
        assert 0 < told.mfu < 1, name


@pytest.mark.parametrize("name", TRAINING)
def test_memory_does_not_depend_on_how_fast_an_accelerator_is(name):
    assert trained(name).bytes_by_cause == trained("nv-h100-sxm").bytes_by_cause


@pytest.mark.parametrize("name", SERVING)
def test_serving_takes_a_finite_time(name):
    told = served(name)
    if told.limit:
        assert "memory" in told.limit
        return
    assert 0 < told.tpot_seconds < 100
    assert 0 < told.ttft_seconds < 10_000
    assert 0 < told.output_tokens_per_s < 1e7
    assert told.total_tokens_per_s == pytest.approx(told.requests_per_s * 1500)
    assert all(band.low <= getattr(told, quantity) <= band.high for quantity, band in told.bands.items())


@pytest.mark.parametrize("weight_format", WEIGHT_FORMATS)
def test_every_weight_format_serves_on_every_accelerator(weight_format):
    for name in SERVING:
        told = served(name, weight_format)
        assert not isinstance(told, InputError), name
        assert math.isfinite(told.tpot_seconds), name


@pytest.mark.parametrize("name", SERVING)
def test_no_step_reads_the_weights_faster_than_the_memory(name):
    told, device = served(name, concurrency=1.0), KNOWN.accelerators[name]
    if told.limit:
        return
    read = told.bytes_by_cause["weights"] - 2 * MODEL.embedding_parameters
    assert told.tpot_seconds >= read / device.memory_bytes_per_s.value


@pytest.mark.parametrize("name", SERVING)
def test_fewer_bytes_for_weights_leave_more_for_the_cache(name):
    kept = [served(name, form).kv_capacity_tokens for form in ("bf16", "fp8", "int4_weight")]
    weights = [served(name, form).bytes_by_cause["weights"] for form in ("bf16", "fp8", "int4_weight")]
    assert weights == sorted(weights, reverse=True)
    per_token = [served(name, form).limit == "" for form in ("bf16", "int4_weight")]
    assert per_token[1] >= per_token[0]
    assert kept[2] >= kept[0] * (1 - 1e-9)


@pytest.mark.parametrize("name", [name for name in TRAINING if not on_chip(name)][::3])
def test_tuning_takes_no_more_than_training(name):
    """Adapters leave out the gradients of weights and most of the optimizer on any accelerator."""
    system = replace(default_system(name), accelerators=1)
    setup = setup_of(small_model(hidden=2048), batch=8)
    full, lora = (
        estimate_tuning(setup, method, Cluster(system=system, nodes=1), Layout(), KERNELS)
        for method in (TuningMethod.FULL, TuningMethod.LORA)
    )
    assert lora.memory_bytes < full.memory_bytes
    assert lora.seconds_by_cause["optimizer"] < 0.1 * full.seconds_by_cause["optimizer"]
    assert lora.step_seconds < full.step_seconds * 1.25, "adapters are small kernels, whose floors count"


@pytest.mark.parametrize("name", sorted(KNOWN.systems))
def test_every_system_trains_over_two_of_it_or_is_refused_by_name(name):
    system = KNOWN.systems[name]
    if system.accelerators > 1024:
        system = replace(system, accelerators=1024)
    used = 2 * system.accelerators
    setup = setup_of(small_model(heads=16), batch=used)
    layout = Layout(data=used, sharding=Sharding.OPTIMIZER)
    if system.accelerator.id not in TRAINING:
        with pytest.raises(SuanliError, match=system.accelerator.id):
            estimate_layout(setup, Cluster(system=system, nodes=2), layout, KERNELS)
        return
    told = estimate_layout(setup, Cluster(system=system, nodes=2), layout, KERNELS)
    assert 0 < told.step_seconds < 1e6
    assert told.seconds_by_cause["data_exposed"] > 0
    assert told.limit in ("", "memory")


def test_the_frameworks_all_train():
    steps = {}
    for framework in CALIBRATION.software:
        setup = setup_of(small_model(), batch=8, framework=framework)
        system = replace(default_system("nv-a100-80-sxm"), accelerators=1)
        told = estimate_layout(setup, Cluster(system=system, nodes=1), Layout(), KERNELS)
        steps[framework] = told.step_seconds
        assert 0 < told.mfu < 1
    assert len(set(steps.values())) > 1, "classes of software differ"
