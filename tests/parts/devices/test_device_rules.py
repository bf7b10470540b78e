"""Rules of devices that hold for every class of them: homogeneity, neutral elements, more is never less."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.foundation.equation import ledger
from suanli.parts.devices.open import open_device

KERNELS = load_kernels()
ACCELERATORS = catalogue().accelerators
ONE_OF_EACH_CLASS = (
    "nv-a100-80-sxm", "nv-h100-sxm", "nv-b200-sxm", "nv-l40s", "nv-rtxpro6000", "nv-rtx5090", "nv-v100-sxm2-32",
    "nv-h20", "amd-mi250", "amd-mi300x", "amd-mi355x", "intel-gaudi3", "ascend-910b2", "tpu-v5e", "mtt-s4000",
)  # fmt: skip
NAMES = tuple(name for name in ONE_OF_EACH_CLASS if name in ACCELERATORS)
OPENED = {name: open_device(ACCELERATORS[name], KERNELS) for name in NAMES}
SIDES = st.integers(1, 20_000).map(float)
COUNTS = st.integers(1, 128).map(float)
EXACT = 1e-12
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
devices = st.sampled_from(NAMES).map(OPENED.__getitem__)
formats = st.sampled_from(["bf16", "fp8", "int4_weight", "nvfp4"])
phases = st.sampled_from(["prefill", "decode", "backward"])


def scaled(device, **factors):
    """Return the same device with peaks (`peak`) or memory bandwidth (`memory`) times as large."""
    inside, memory, peak = device.accelerator, factors.get("memory", 1.0), factors.get("peak", 1.0)
    faster = dataclasses.replace(inside.memory_bytes_per_s, value=inside.memory_bytes_per_s.value * memory)
    peaks = {name: dataclasses.replace(one, value=one.value * peak) for name, one in inside.peak_flop_per_s.items()}
    made = dataclasses.replace(inside, memory_bytes_per_s=faster, peak_flop_per_s=peaks)
    return dataclasses.replace(device, accelerator=made)


def free_of_floors(device):
    """Return the same device whose kernels start at once and wait for no chain."""

    def free(families):
        gone = {"floor_seconds": 0.0, "root_step_seconds": 0.0}
        return {name: dataclasses.replace(kernel, **gone) for name, kernel in families.items()}

    kernels = device.kernels
    bare = dataclasses.replace(
        kernels,
        matmul=free(kernels.matmul),
        prefill=free(kernels.prefill),
        decode=free(kernels.decode),
        backward=free(kernels.backward),
        element_pass=dataclasses.replace(kernels.element_pass, floor_seconds=0.0),
    )
    return dataclasses.replace(device, kernels=bare)


def attend(device, phase="prefill", queries=1024.0, keys=1024.0, heads=32.0, kv_heads=8.0, sequences=1.0, **named):
    return device.attention_seconds(phase, queries, keys, heads, kv_heads, 128.0, 128.0, sequences, **named)


# -------------------------------------------------------------------------------------------------------- homogeneity


@quick
@given(device=devices, rows=SIDES, inner=SIDES, columns=SIDES, form=formats, times=st.floats(0.1, 10))
def test_a_machine_twice_as_fast_in_all_halves_what_is_not_fixed(device, rows, inner, columns, form, times):
    plain = free_of_floors(device).matmul_seconds(rows, inner, columns, form)
    faster = free_of_floors(scaled(device, peak=times, memory=times)).matmul_seconds(rows, inner, columns, form)
    assert faster * times == pytest.approx(plain, rel=1e-9)


@quick
@given(device=devices, phase=phases, keys=SIDES, sequences=COUNTS, times=st.floats(0.1, 10))
def test_attention_on_a_machine_twice_as_fast_in_all_takes_half(device, phase, keys, sequences, times):
    plain = attend(free_of_floors(device), phase, 1.0, keys, sequences=sequences)
    faster = attend(free_of_floors(scaled(device, peak=times, memory=times)), phase, 1.0, keys, sequences=sequences)
    assert faster * times == pytest.approx(plain, rel=1e-9)


@quick
@given(device=devices, moved=st.floats(0, 1e12), more=st.floats(0, 1e12))
def test_passes_add_up_but_for_one_start(device, moved, more):
    together = device.pass_seconds(moved + more)
    apart = device.pass_seconds(moved) + device.pass_seconds(more)
    assert apart - together == pytest.approx(device.kernel_floor_seconds, rel=1e-6)


# ----------------------------------------------------------------------------------------------------- never slower


@quick
@given(device=devices, rows=SIDES, inner=SIDES, columns=SIDES, form=formats, groups=COUNTS, more=st.floats(1, 16),
       part=st.sampled_from(["peak", "memory"]))  # fmt: skip
def test_more_of_a_machine_is_never_slower_for_any_format(device, rows, inner, columns, form, groups, more, part):
    plain = device.matmul_seconds(rows, inner, columns, form, groups)
    assert scaled(device, **{part: more}).matmul_seconds(rows, inner, columns, form, groups) <= plain * (1 + EXACT)


@quick
@given(device=devices, phase=phases, queries=SIDES, more_keys=SIDES, sequences=COUNTS, more=st.floats(1, 16),
       part=st.sampled_from(["peak", "memory"]))  # fmt: skip
def test_more_of_a_machine_never_slows_attention(device, phase, queries, more_keys, sequences, more, part):
    keys = queries + more_keys
    plain = attend(device, phase, queries, keys, sequences=sequences)
    assert attend(scaled(device, **{part: more}), phase, queries, keys, sequences=sequences) <= plain * (1 + EXACT)


@quick
@given(device=devices, rows=SIDES, inner=SIDES, columns=SIDES, form=formats, groups=COUNTS, more=COUNTS)
def test_more_experts_are_never_quicker(device, rows, inner, columns, form, groups, more):
    few, many = groups + 1, groups + 1 + more
    plain = device.matmul_seconds(rows, inner, columns, form, few)
    assert device.matmul_seconds(rows, inner, columns, form, many) >= plain * (1 - EXACT)


@quick
@given(device=devices, phase=phases, keys=SIDES, sequences=COUNTS, more=COUNTS)
def test_more_sequences_are_never_quicker(device, phase, keys, sequences, more):
    plain = attend(device, phase, 1.0, keys, sequences=sequences)
    assert attend(device, phase, 1.0, keys, sequences=sequences + more) >= plain * (1 - EXACT)


@quick
@given(device=devices, ranks=st.integers(1, 256), tokens=st.floats(0, 1e6), more_ranks=st.integers(0, 256),
       more_tokens=st.floats(0, 1e6))  # fmt: skip
def test_experts_are_never_more_even_over_more_ranks_or_tokens(device, ranks, tokens, more_ranks, more_tokens):
    plain = device.moe_imbalance(float(ranks), tokens)
    assert plain >= 1
    assert device.moe_imbalance(float(ranks + more_ranks), tokens) >= plain - EXACT
    assert device.moe_imbalance(float(ranks), tokens + more_tokens) >= plain - EXACT


# ------------------------------------------------------------------------------------------------------------- neutral


@pytest.mark.parametrize("name", NAMES)
def test_one_group_is_no_group(name):
    device = OPENED[name]
    assert device.matmul_seconds(64.0, 4096.0, 4096.0, "bf16", 1.0) == device.matmul_seconds(64.0, 4096.0, 4096.0)


@pytest.mark.parametrize("phase", ["prefill", "backward"])
@pytest.mark.parametrize("name", NAMES)
def test_the_cache_format_matters_to_traffic_only_in_prefill(name, phase):
    """Prefill computes in the wide format whatever the cache keeps; a narrow cache can only help."""
    device = OPENED[name]
    assert attend(device, phase, kv_format="fp8") <= attend(device, phase) * (1 + EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_over_one_query_hides_nothing(name):
    for phase in ("prefill", "decode"):
        masked, whole = (attend(OPENED[name], phase, 1.0, 4096.0, causal=causal) for causal in (True, False))
        assert masked == whole


@pytest.mark.parametrize("name", NAMES)
def test_fused_attention_is_never_slower_than_unfused(name):
    for phase in ("prefill", "backward"):
        fused, unfused = (attend(OPENED[name], phase, fused=flag) for flag in (True, False))
        assert fused < unfused


@pytest.mark.parametrize("name", NAMES)
def test_a_column_of_formats_is_asked_one_by_one(name):
    """Shapes of any number of axes broadcast; the order of the rows does not matter."""
    device = OPENED[name]
    rows = np.array([1.0, 7.0, 64.0, 1000.0, 8192.0])
    told = device.matmul_seconds(rows, 4096.0, 4096.0, "fp8")
    turned = device.matmul_seconds(rows[::-1], 4096.0, 4096.0, "fp8")
    assert np.array_equal(told, turned[::-1])
    assert np.array_equal(told.reshape(1, -1), device.matmul_seconds(rows.reshape(1, -1), 4096.0, 4096.0, "fp8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_device_answers_the_same_twice(name):
    again = open_device(ACCELERATORS[name], KERNELS)
    assert again == OPENED[name]
    assert attend(again) == attend(OPENED[name])


# ---------------------------------------------------------------------------------------------------------- by the book


@pytest.mark.parametrize("name", NAMES)
def test_decode_of_long_sequences_takes_its_cache_through_memory(name):
    """Once queries are lost beside keys, a decode step is the cache's bytes at the family's share of the bandwidth."""
    device = free_of_floors(OPENED[name])
    fast = scaled(device, peak=1e6)
    kept = 64 * 65536 * 8 * 256 * 2
    share = fast.kernels.decode["bf16"].memory_share
    seconds = attend(fast, "decode", 1.0, 65536.0, sequences=64.0)
    assert seconds == pytest.approx(kept / fast.memory_bytes_per_s / share, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_one_row_under_endless_arithmetic_takes_its_weights_through_memory(name):
    fast = free_of_floors(scaled(OPENED[name], peak=1e6))
    for form in ("bf16", "int4_weight"):
        family = fast.kernels.matmul[next(one for one in fast.formats[form].families if one in fast.kernels.matmul)]
        kept = 8192 * 8192 * fast.formats[form].weight_bytes
        seconds = fast.matmul_seconds(1.0, 8192.0, 8192.0, form)
        assert seconds == pytest.approx(kept / fast.memory_bytes_per_s / family.memory_share, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_a_huge_product_under_endless_memory_takes_its_arithmetic_at_the_ceiling(name):
    fast = scaled(free_of_floors(OPENED[name]), memory=1e6)
    family = fast.kernels.matmul["bf16"]
    seconds = fast.matmul_seconds(65536.0, 65536.0, 65536.0)
    least = 2 * 65536.0**3 / fast.peak_flop_per_s("bf16") / family.ceiling_share
    assert least * (1 - EXACT) <= seconds <= 1.06 * least


def test_the_ledger_names_every_formula_under_a_kernel():
    with ledger() as heard:
        attend(OPENED["nv-h100-sxm"])
    (whole,) = heard.below
    assert whole.name == "fused_attention_seconds"
    assert [line.name for line in whole.below] == [
        "attended_keys",
        "tiled_attention_flop",
        "attention_traffic_bytes",
        "chain_seconds",
        "kernel_seconds",
    ]


@pytest.mark.parametrize("kv_format", ["bf16", "fp8"])
@pytest.mark.parametrize("name", NAMES)
def test_a_latent_cache_passes_memory_once_for_all_heads(name, kv_format):
    """One vector of 576 a token, whatever the heads make of it: bytes over the family's share of the bandwidth."""
    fast = free_of_floors(scaled(OPENED[name], peak=1e6))
    form = fast.formats[kv_format]
    wanted = [f"latent_{family}" for family in form.families] + list(form.families)
    family = fast.kernels.decode[next(one for one in wanted if one in fast.kernels.decode)]
    seconds = fast.attention_seconds(
        "decode", 1.0, 65536.0, 128.0, 1.0, 576.0, 512.0, 64.0, kv_format=kv_format, latent=True
    )
    kept = 64 * 65536 * 576 * form.activation_bytes
    assert seconds == pytest.approx(kept / fast.memory_bytes_per_s / family.memory_share, rel=0.01)


@pytest.mark.parametrize("phase", ["prefill", "backward"])
@pytest.mark.parametrize("name", NAMES)
def test_unfused_attention_is_the_fused_kernel_without_a_mask_and_its_scores(name, phase):
    device = OPENED[name]
    scores = 32 * 1024 * 1024 * device.score_passes[phase] * 2
    unmasked = attend(device, phase, causal=False)
    assert attend(device, phase, fused=False) == pytest.approx(unmasked + device.pass_seconds(scores), rel=1e-12)


def test_the_cache_format_of_decode_is_what_its_family_is_chosen_by():
    device = OPENED["nv-h100-sxm"]
    wide, narrow = (attend(device, "decode", 1.0, 65536.0, sequences=64.0, kv_format=form) for form in ("bf16", "fp8"))
    assert narrow < 0.7 * wide
