"""Kinds of special-purpose chips: what they are derived from, what they refuse, how sure they are."""

from dataclasses import replace

import pytest

from suanli.catalogue.chips import load_chips
from suanli.catalogue.engines import load_engines
from suanli.catalogue.find import default_system
from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.catalogue.sources import sources
from suanli.domain.chip import Evidence, Nature
from suanli.domain.hardware import Precision
from suanli.foundation.errors import InfeasibleError
from suanli.parts.devices.open import find_calibration, open_device, open_special, open_special_fabric
from suanli.parts.devices.special import (
    compose,
    find_chip,
    formats_run,
    model_switch_seconds,
    power_watts,
    refuse_training,
)

KERNELS, CHIPS, KNOWN = load_kernels(), load_chips(), catalogue().accelerators
KINDS = {kind.id: kind for kind in CHIPS}
ONE_OF = {"groq": "groq-lpu1", "cerebras": "cerebras-wse3", "graphcore": "graphcore-bow", "fpga": "fpga-u280",
          "sambanova": "sambanova-sn40l", "tpu": "tpu-v7", "neuron": "aws-trn2"}  # fmt: skip
LEAST_SPREAD = {Evidence.SEVERAL_SOURCES: 0.3, Evidence.ONE_SOURCE: 0.35, Evidence.MAKER: 0.45, Evidence.LIKENESS: 0.6}
"""One sigma of the log of time that a kind may claim at least, by what its figures rest on."""


def test_every_kind_stands_for_something_and_is_tried_here():
    assert set(ONE_OF) == set(KINDS)
    for name, product in ONE_OF.items():
        assert find_chip(KNOWN[product], CHIPS) is KINDS[name]


@pytest.mark.parametrize("kind", CHIPS, ids=lambda kind: kind.id)
def test_a_kind_names_its_sources_its_engine_and_how_sure_it_is(kind):
    assert {kind.source, *kind.sources.values()} <= set(sources())
    assert kind.engine in load_engines().profiles
    assert kind.spread_log >= LEAST_SPREAD[kind.evidence]
    assert kind.date
    assert kind.kind in ("estimate", "assumption")


@pytest.mark.parametrize("kind", CHIPS, ids=lambda kind: kind.id)
def test_shares_are_shares_and_times_are_no_less_than_nothing(kind):
    made = compose(kind, KNOWN[ONE_OF[kind.id]])
    for kernel in (*made.matmul.values(), *made.prefill.values(), *made.decode.values()):
        assert 0 < kernel.ceiling_share <= 1
        assert 0 < kernel.memory_share <= 1
        assert kernel.floor_seconds >= 0
    assert 0 <= made.element_pass.floor_seconds <= made.matmul["bf16"].floor_seconds


def test_a_gpu_is_no_special_purpose_chip():
    assert find_chip(KNOWN["nv-h100-sxm"], CHIPS) is None
    device, kind = open_special(KNOWN["nv-h100-sxm"], KERNELS, 32.0)
    assert kind is None
    assert device == open_device(KNOWN["nv-h100-sxm"], KERNELS)


def test_groq_waits_for_its_matrix_units_not_for_its_memory():
    """Twice the SRAM bandwidth installs no weight sooner; twice the rate of installing does."""
    chip, groq = KNOWN["groq-lpu1"], KINDS["groq"]
    rate = chip.memory_bytes_per_s
    faster = replace(chip, memory_bytes_per_s=replace(rate, value=2 * rate.value))

    def gains(kind, one):
        return compose(kind, one).matmul["bf16"].memory_share * one.memory_bytes_per_s.value

    assert gains(groq, faster) == pytest.approx(gains(groq, chip))
    assert gains(replace(groq, install_bytes_per_s=2 * groq.install_bytes_per_s), chip) > 1.9 * gains(groq, chip)


def test_a_wafer_with_a_slower_clock_takes_longer_for_every_dependent_step():
    wafer = KINDS["cerebras"]
    slower = replace(wafer, mesh=replace(wafer.mesh, clock_hz=wafer.mesh.clock_hz / 2))
    one, two = (compose(kind, KNOWN["cerebras-wse3"]) for kind in (wafer, slower))
    for name in ("matmul", "decode"):
        assert getattr(two, name)["bf16"].floor_seconds == pytest.approx(2 * getattr(one, name)["bf16"].floor_seconds)


def test_layers_that_lie_side_by_side_share_a_wafer():
    alone, _ = open_special(KNOWN["cerebras-wse3"], KERNELS, 1.0)
    many, _ = open_special(KNOWN["cerebras-wse3"], KERNELS, 32.0)
    assert many.memory_bytes_per_s == pytest.approx(alone.memory_bytes_per_s / 32)
    assert many.peak_flop_per_s("fp16") == pytest.approx(alone.peak_flop_per_s("fp16") / 32)


def test_an_fpga_multiplies_narrow_weights_in_eight_bits_and_wide_ones_at_a_quarter():
    device, _ = open_special(KNOWN["fpga-u280"], KERNELS, 32.0)
    eight = KNOWN["fpga-u280"].peak_flop_per_s[Precision.INT8].value
    assert device.peak_flop_per_s("int4_weight") == device.peak_flop_per_s("int8") == eight
    assert device.peak_flop_per_s("fp16") == device.peak_flop_per_s("bf16") == eight / 4
    assert formats_run(KINDS["tpu"], KERNELS.formats) is KERNELS.formats


def test_a_design_with_twice_the_clock_has_twice_the_peak():
    fpga = KINDS["fpga"]
    faster = replace(fpga, design=replace(fpga.design, clock_hz=2 * fpga.design.clock_hz))
    one, two = (compose(kind, KNOWN["fpga-u280"]).matmul["bf16"].ceiling_share for kind in (fpga, faster))
    assert two == pytest.approx(2 * one)


def test_racks_whose_links_join_are_one_fabric():
    fabric = open_special_fabric(default_system("groq-lpu1"), KERNELS)
    near = fabric.collective_seconds("send", 1e4, 2.0, 2.0)
    far = fabric.collective_seconds("send", 1e4, 576.0, 576.0)
    assert far == pytest.approx(near), "links reach over racks at the same rate"


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_what_only_serves_is_refused_to_training_with_the_reason(name):
    groups = [group for group in KERNELS.serving_only if find_pattern(name, group.accelerators)]
    if not groups:
        refuse_training(KNOWN[name], KERNELS)
        return
    with pytest.raises(InfeasibleError, match=name) as refused:
        refuse_training(KNOWN[name], KERNELS)
    assert groups[0].reason in str(refused.value)


def find_pattern(name, patterns):
    from fnmatch import fnmatch

    return any(fnmatch(name, pattern) for pattern in patterns)


def test_switching_models_takes_the_weights_through_the_memory_behind():
    chip = KNOWN["sambanova-sn40l"]
    assert model_switch_seconds(chip, 2e9) == pytest.approx(2e9 / 200e9)
    assert model_switch_seconds(KNOWN["nv-h100-sxm"], 2e9) is None


def test_power_is_the_card_s_or_its_share_of_the_box():
    assert power_watts(default_system("groq-lpu1"), 576) == pytest.approx(576 * 215)
    rack = catalogue().systems["sambanova-sn40l-16"]
    assert power_watts(rack, 8) == pytest.approx(5000)
    assert power_watts(replace(rack, power_watts=None), 8) is None


def test_natures_that_spread_reach_further_than_one_box():
    for kind in CHIPS:
        assert (kind.placement.reach > 0) == (kind.nature in (Nature.ON_CHIP, Nature.WAFER))


def test_few_units_stream_no_faster_each_than_many():
    """H20: the rate of one unit is that of an H100's, whatever the memory could give."""

    def rate_of_a_unit(name):
        device = open_device(KNOWN[name], KERNELS)
        return device.kernels.matmul["bf16"].memory_share * device.memory_bytes_per_s / device.compute_units

    assert rate_of_a_unit("nv-h20") == pytest.approx(rate_of_a_unit("nv-h100-sxm"), rel=0.01)
    assert find_calibration(KNOWN["nv-h20"], KERNELS).id == "hopper_few_units"
