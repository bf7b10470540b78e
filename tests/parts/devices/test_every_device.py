"""Every product and every system of the catalogue: a finite time between bounds that physics sets, or a refusal."""

import dataclasses
from functools import cache

import numpy as np
import pytest

from suanli.catalogue.kernels import load_formats, load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Topology
from suanli.equations.collective import traffic_share
from suanli.foundation.errors import InputError
from suanli.parts.devices.electronic import PRODUCTS
from suanli.parts.devices.fabric import PASSES
from suanli.parts.devices.open import count_units, find_calibration, open_device, open_fabric

KNOWN = catalogue()
KERNELS = load_kernels()
FORMATS = sorted(load_formats())
ACCELERATORS = sorted(KNOWN.accelerators)
SYSTEMS = sorted(KNOWN.systems)
SIDES = np.array([1.0, 16.0, 512.0, 8192.0])
SHAPES = {"rows": SIDES[:, None], "inner": 4096.0, "columns": np.array([512.0, 4096.0, 28672.0])}
HEADS, KV_HEADS, HEAD_DIM = 32.0, 8.0, 128.0


@cache
def opened(name):
    return open_device(KNOWN.accelerators[name], KERNELS)


@cache
def timed(name, number_format):
    """Seconds of the shapes in a format, or None where the product is refused by name."""
    device = opened(name)
    try:
        return device, device.matmul_seconds(**SHAPES, number_format=number_format)
    except InputError as refused:
        (fault,) = refused.faults
        assert fault.place == name, "a refusal names the product"
        assert fault.found
        assert fault.allowed
        return device, None


def computes(name):
    """Whether a product has what a kernel needs: a dense peak for 16 bits and a memory bandwidth."""
    device = opened(name)
    try:
        return device.peak_flop_per_s("bf16") > 0 and device.memory_bytes_per_s > 0
    except InputError:
        return False


COMPUTING = [name for name in ACCELERATORS if computes(name)]
OUTSIDE_MEMORY = [name for name in COMPUTING
                  if opened(name).peak_flop_per_s("bf16") > 50 * opened(name).memory_bytes_per_s]  # fmt: skip
"""Products whose memory is much slower than their arithmetic: all but those that keep everything on the chip."""


def test_nearly_every_product_can_be_timed():
    assert len(COMPUTING) >= 0.85 * len(ACCELERATORS)


@pytest.mark.parametrize("number_format", FORMATS)
@pytest.mark.parametrize("name", ACCELERATORS)
def test_every_product_times_every_format_or_is_refused_by_name(name, number_format):
    _, seconds = timed(name, number_format)
    if seconds is not None:
        assert np.all(np.isfinite(seconds))
        assert np.all(seconds > 0)


@pytest.mark.parametrize("name", COMPUTING)
def test_no_product_passes_its_peak_in_any_format(name):
    for number_format in FORMATS:
        device, seconds = timed(name, number_format)
        if seconds is not None:
            flop = 2 * SHAPES["rows"] * SHAPES["inner"] * SHAPES["columns"]
            assert np.all(flop / seconds <= device.peak_flop_per_s(number_format)), number_format


@pytest.mark.parametrize("name", COMPUTING)
def test_no_product_reads_weights_faster_than_its_memory(name):
    for number_format in FORMATS:
        device, seconds = timed(name, number_format)
        if seconds is not None:
            weights = SHAPES["inner"] * SHAPES["columns"] * device.number_format(number_format).weight_bytes
            assert np.all(weights / seconds <= device.memory_bytes_per_s), number_format


@pytest.mark.parametrize("name", OUTSIDE_MEMORY)
def test_long_kernels_reach_a_fair_share_of_the_peak_and_of_the_memory(name):
    """Between a fifth and all of it: a share below would mean that a unit went wrong on the way in."""
    device = opened(name)
    computed = 2 * 16384.0**3 / device.matmul_seconds(16384.0, 16384.0, 16384.0) / device.peak_flop_per_s("bf16")
    moved = 16e9 / device.pass_seconds(16e9) / device.memory_bytes_per_s
    assert 0.2 < computed < 1
    assert 0.5 < moved < 1


@pytest.mark.parametrize("name", OUTSIDE_MEMORY)
def test_fewer_bytes_for_a_weight_are_never_slower_for_one_token(name):
    """Formats of weights alone, at a size whose bytes outweigh every floor."""
    device = opened(name)
    by_format = [device.matmul_seconds(1.0, 16384.0, 65536.0, one) for one in ("bf16", "int8_weight", "int4_weight")]
    assert by_format == sorted(by_format, reverse=True)


@pytest.mark.parametrize("name", COMPUTING)
def test_a_narrower_format_never_has_a_lower_peak(name):
    device = opened(name)
    wide = device.peak_flop_per_s("bf16")
    for narrow in ("fp8", "mxfp8", "nvfp4"):
        assert device.peak_flop_per_s(narrow) >= wide, narrow


@pytest.mark.parametrize("phase", sorted(PRODUCTS))
@pytest.mark.parametrize("name", COMPUTING)
def test_every_product_attends_within_its_peak_and_its_memory(name, phase):
    device, keys, sequences = opened(name), np.array([1.0, 1024.0, 32768.0]), 16.0
    queries = 1.0 if phase == "decode" else keys
    seconds = device.attention_seconds(phase, queries, keys, HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM, sequences)
    pairs = queries * (keys - (queries - 1) / 2)
    flop = 2 * PRODUCTS[phase] * pairs * HEADS * HEAD_DIM * sequences
    cache = keys * KV_HEADS * 2 * HEAD_DIM * 2 * sequences
    assert np.all(np.isfinite(seconds))
    assert np.all(seconds >= flop / device.peak_flop_per_s("bf16"))
    assert np.all(seconds >= cache / device.memory_bytes_per_s)


@pytest.mark.parametrize("name", COMPUTING)
def test_every_product_attends_to_a_latent_cache(name):
    device = opened(name)
    for kv_format in ("bf16", "fp8"):
        seconds = device.attention_seconds(
            "decode", 1.0, 8192.0, 128.0, 1.0, 576.0, 512.0, 32.0, kv_format=kv_format, latent=True
        )
        kept = device.number_format(kv_format).activation_bytes
        assert seconds >= 32 * 8192 * 576 * kept / device.memory_bytes_per_s


@pytest.mark.parametrize("name", ACCELERATORS)
def test_every_product_finds_one_calibration_and_its_units(name):
    accelerator = KNOWN.accelerators[name]
    found = find_calibration(accelerator, KERNELS)
    assert found is find_calibration(accelerator, KERNELS)
    assert count_units(accelerator, found) >= 1
    assert found.calibrated == any(name in one.accelerators for one in KERNELS.calibrations)
    assert 0.1 < opened(name).spread_log < 1


def test_a_measured_product_is_surer_than_most_others():
    sure = [opened(name).spread_log for name in COMPUTING if opened(name).calibrated]
    unsure = [opened(name).spread_log for name in COMPUTING if not opened(name).calibrated]
    assert sure
    assert max(sure) < np.median(unsure) + 0.05


def test_one_silicon_sold_twice_computes_alike():
    """An A800 is an A100 with fewer links, an H800 an H100: kernels are the same, to the last bit."""
    for one, other in (("nv-a800-80-sxm", "nv-a100-80-sxm"), ("nv-h800-sxm", "nv-h100-sxm")):
        assert np.array_equal(opened(one).matmul_seconds(**SHAPES), opened(other).matmul_seconds(**SHAPES))


# -------------------------------------------------------------------------------------------------------------- systems


@pytest.mark.parametrize("op", sorted(PASSES))
@pytest.mark.parametrize("name", SYSTEMS)
def test_no_system_beats_its_links(name, op):
    system = KNOWN.systems[name]
    fabric, ranks, message = open_fabric(system, KERNELS), float(system.accelerators), 1e9
    seconds = fabric.collective_seconds(op, message, ranks, ranks)
    assert np.isfinite(seconds)
    assert (seconds > 0) == (ranks > 1)
    best = max(fabric.links.link_bytes_per_s, fabric.host.link_bytes_per_s)
    local = min(ranks, fabric.node)
    share = (
        min(local - 1, 1) if op == "send" else traffic_share(local, PASSES[op]) * (op != "all_to_all" or local / ranks)
    )
    sent = message * share
    assert seconds >= sent / best


@pytest.mark.parametrize("name", SYSTEMS)
def test_leaving_the_links_is_never_quicker_than_staying(name):
    system = KNOWN.systems[name]
    fabric = open_fabric(system, KERNELS)
    ranks = min(fabric.linked, fabric.node)
    if fabric.links is fabric.host or ranks < 2:
        return
    for op in ("all_gather", "reduce_scatter", "all_to_all"):
        inside, outside = (fabric.collective_seconds(op, 1e9, ranks, local) for local in (ranks, 1.0))
        assert outside >= inside or fabric.network.link_bytes_per_s > fabric.links.link_bytes_per_s, op


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_pair_never_gets_more_than_the_link(name):
    fabric = open_fabric(KNOWN.systems[name], KERNELS)
    assert 0 < fabric.links.pair_share <= 1
    assert fabric.links.link_bytes_per_s > 0
    assert fabric.network.link_bytes_per_s > 0
    assert fabric.linked >= 1


CLUSTERS = [name for name in SYSTEMS if KNOWN.systems[name].system_kind == "cluster"]


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_listed_as_a_whole_is_joined_by_its_network(name):
    """Its link domains are its nodes; beyond them a collective takes the network, not the way through one host."""
    fabric = open_fabric(KNOWN.systems[name], KERNELS)
    if fabric.links is fabric.host:
        return
    assert fabric.node == fabric.linked
    network = dataclasses.replace(fabric.network, link_bytes_per_s=fabric.network.link_bytes_per_s / 100)
    host = dataclasses.replace(fabric.host, link_bytes_per_s=fabric.host.link_bytes_per_s / 100)
    ranks = 8 * fabric.linked
    plain, slow_network, slow_host = (
        one.collective_seconds("all_gather", 1e9, ranks, ranks)
        for one in (fabric, dataclasses.replace(fabric, network=network), dataclasses.replace(fabric, host=host))
    )
    assert slow_network > plain == slow_host


@pytest.mark.parametrize("name", SYSTEMS)
def test_cards_without_links_speak_through_the_host(name):
    system = KNOWN.systems[name]
    fabric = open_fabric(system, KERNELS)
    link = system.link if system.link.bytes_per_s is not None else system.accelerator.link
    if link.topology is Topology.PCIE or link.bytes_per_s is None or link.domain <= 1:
        assert fabric.links is fabric.host
        assert fabric.one_shot is None
    else:
        assert fabric.links is not fabric.host
