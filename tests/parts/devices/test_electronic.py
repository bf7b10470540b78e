"""Devices: measured kernels within their band, never under the roofline, columns like numbers, faults named."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanli.foundation.errors import InputError

SIZES = st.integers(min_value=1, max_value=30_000).map(float)
FORMATS = (
    "fp32", "tf32", "bf16", "fp16", "fp8", "fp8_block", "mxfp8", "nvfp4", "mxfp4", "fp4", "int8", "int8_weight",
    "int4_weight", "q4_k_m",
)  # fmt: skip
MATMULS = [  # product, format, rows, inner, columns, measured microseconds (median over engines)
    ("nv-a100-80-sxm", "bf16", 1, 8192, 8192, 96.4), ("nv-a100-80-sxm", "bf16", 64, 4096, 4096, 27.2),
    ("nv-a100-80-sxm", "bf16", 512, 4096, 12288, 206.3), ("nv-a100-80-sxm", "bf16", 4096, 4096, 4096, 539.5),
    ("nv-h100-sxm", "bf16", 1, 8192, 8192, 49.2), ("nv-h100-sxm", "bf16", 64, 4096, 4096, 15.7),
    ("nv-h100-sxm", "bf16", 512, 4096, 12288, 71.9), ("nv-h100-sxm", "bf16", 8192, 8192, 16384, 3042.7),
    ("nv-h100-sxm", "fp8", 1, 8192, 8192, 30.1), ("nv-h100-sxm", "fp8", 4096, 4096, 4096, 150.7),
    ("nv-b200-sxm", "bf16", 1, 8192, 8192, 24.0), ("nv-b200-sxm", "bf16", 4096, 4096, 4096, 91.9),
    ("nv-b200-sxm", "nvfp4", 1, 8192, 8192, 14.8), ("nv-b200-sxm", "nvfp4", 8192, 8192, 16384, 578.5),
    ("nv-l40s", "bf16", 64, 4096, 4096, 50.2), ("nv-l40s", "bf16", 4096, 4096, 4096, 613.9),
]  # fmt: skip
ATTENTIONS = [  # product, phase, sequences, queries, keys, measured microseconds; 32 heads on 8, dimension 128
    ("nv-a100-80-sxm", "prefill", 1, 1024, 1024, 96.7), ("nv-a100-80-sxm", "prefill", 1, 16384, 16384, 12505.2),
    ("nv-h100-sxm", "prefill", 1, 1024, 1024, 35.5), ("nv-h100-sxm", "prefill", 4, 4096, 4096, 1090.4),
    ("nv-h100-sxm", "prefill", 1, 16384, 16384, 3557.9), ("nv-b200-sxm", "prefill", 4, 4096, 4096, 548.8),
    ("nv-a100-80-sxm", "decode", 32, 1, 4096, 470.8), ("nv-h100-sxm", "decode", 1, 1, 4096, 15.2),
    ("nv-h100-sxm", "decode", 32, 1, 4096, 185.9), ("nv-b200-sxm", "decode", 32, 1, 4096, 84.6),
]  # fmt: skip
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def attention(device, phase, queries=1024.0, keys=1024.0, sequences=1.0, **named):
    return device.attention_seconds(phase, queries, keys, 32.0, 8.0, 128.0, 128.0, sequences, **named)


@pytest.mark.parametrize(("name", "number_format", "rows", "inner", "columns", "micro"), MATMULS)
def test_a_measured_matmul_is_met_within_a_third(product, name, number_format, rows, inner, columns, micro):
    told = product(name).matmul_seconds(float(rows), float(inner), float(columns), number_format)
    assert told == pytest.approx(micro * 1e-6, rel=1 / 3)


def test_measured_matmuls_are_met_on_average_within_an_eighth(product):
    off = [
        abs(product(name).matmul_seconds(float(m), float(k), float(n), form) / (micro * 1e-6) - 1)
        for name, form, m, k, n, micro in MATMULS
    ]
    assert np.mean(off) < 1 / 8


@pytest.mark.parametrize(("name", "phase", "sequences", "queries", "keys", "micro"), ATTENTIONS)
def test_a_measured_attention_is_met_within_two_fifths(product, name, phase, sequences, queries, keys, micro):
    told = attention(product(name), phase, float(queries), float(keys), float(sequences))
    assert told == pytest.approx(micro * 1e-6, rel=2 / 5)


@pytest.mark.parametrize("number_format", FORMATS)
def test_every_number_format_has_a_time(make_device, number_format):
    peaks = {"fp32": 67e12, "tf32": 495e12, "bf16": 989e12, "fp8": 1979e12, "fp4": 4e15, "int8": 1979e12}
    told = make_device("nv-b200-sxm", peak=peaks).matmul_seconds(512.0, 4096.0, 4096.0, number_format)
    assert 1e-6 < told < 1e-2


@pytest.mark.parametrize("number_format", FORMATS)
def test_a_format_without_hardware_runs_at_a_wider_one(make_device, number_format):
    device = make_device("nv-h100-sxm", peak={"fp32": 1e15})
    assert device.peak_flop_per_s(number_format) == 1e15


def test_v100_runs_bf16_work_in_its_other_half_precision(product):
    device = product("nv-v100-sxm2-32")
    assert device.peak_flop_per_s("bf16") == device.peak_flop_per_s("fp16")


def test_fewer_weight_bytes_are_quicker_where_memory_binds(device):
    whole, eight, four = (
        device.matmul_seconds(1.0, 8192.0, 28672.0, form) for form in ("bf16", "int8_weight", "int4_weight")
    )
    assert four < eight < whole


def test_four_bit_weights_gain_nothing_where_arithmetic_binds(device):
    whole, four = (device.matmul_seconds(8192.0, 8192.0, 8192.0, form) for form in ("bf16", "int4_weight"))
    assert four == pytest.approx(whole, rel=0.05)


@quick
@given(rows=SIZES, inner=SIZES, columns=SIZES, form=st.sampled_from(["bf16", "fp8"]), groups=st.integers(1, 64))
def test_no_matmul_is_under_the_roofline(device, rows, inner, columns, form, groups):
    weight = device.number_format(form).weight_bytes
    bound = max(
        2 * groups * rows * inner * columns / device.peak_flop_per_s(form),
        groups * inner * columns * weight / device.memory_bytes_per_s,
    )
    assert device.matmul_seconds(rows, inner, columns, form, float(groups)) >= max(bound, 1e-6)


@quick
@given(rows=SIZES, inner=SIZES, columns=SIZES, more=st.floats(1.0, 8.0))
def test_a_greater_peak_or_bandwidth_is_never_slower(make_device, rows, inner, columns, more):
    plain = make_device().matmul_seconds(rows, inner, columns)
    wider = make_device(memory=3.35e12 * more).matmul_seconds(rows, inner, columns)
    faster = make_device(peak={"bf16": 989.4e12 * more}).matmul_seconds(rows, inner, columns)
    assert max(wider, faster) <= plain * (1 + 1e-9)


@quick
@given(rows=SIZES, inner=SIZES, columns=SIZES, more=st.integers(1, 4096))
def test_a_larger_matmul_is_never_quicker(device, rows, inner, columns, more):
    plain = device.matmul_seconds(rows, inner, columns)
    for shape in ((rows + more, inner, columns), (rows, inner + more, columns), (rows, inner, columns + more)):
        assert device.matmul_seconds(*shape) >= plain * (1 - 1e-9)


def test_matmul_efficiency_rises_with_rows(device):
    rows = np.array([16.0, 128.0, 512.0, 4096.0])
    share = 2 * rows * 4096 * 14336 / device.matmul_seconds(rows, 4096.0, 14336.0) / device.peak_flop_per_s("bf16")
    assert np.all(np.diff(share) > 0)
    assert 0.7 < share[-1] < 0.85


def test_many_small_experts_are_slower_than_one_matmul_of_their_rows(device):
    alone = device.matmul_seconds(8192.0, 4096.0, 1536.0)
    experts = device.matmul_seconds(8192.0 / 64, 4096.0, 1536.0, "bf16", 64.0)
    assert experts > alone


def test_a_column_of_groups_reads_like_its_numbers(device):
    groups = np.array([1.0, 2.0, 64.0])
    column = device.matmul_seconds(64.0, 2048.0, 1536.0, "bf16", groups)
    assert column.tolist() == [device.matmul_seconds(64.0, 2048.0, 1536.0, "bf16", one) for one in groups]


def test_a_column_of_rows_reads_like_its_numbers(device):
    rows = np.array([1.0, 33.0, 700.0, 9000.0])
    column = device.matmul_seconds(rows, 4096.0, 4096.0, "fp8")
    assert column.tolist() == [device.matmul_seconds(one, 4096.0, 4096.0, "fp8") for one in rows]


def test_axes_broadcast_against_each_other(device):
    told = device.matmul_seconds(np.array([[1.0], [64.0]]), 4096.0, np.array([1024.0, 4096.0, 8192.0]))
    assert told.shape == (2, 3)


def test_attention_reads_as_a_column(device):
    keys = np.array([128.0, 4096.0, 60000.0])
    column = attention(device, "decode", 1.0, keys, 8.0)
    assert column.tolist() == [attention(device, "decode", 1.0, one, 8.0) for one in keys]


def test_nothing_warns_at_the_edges(device):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert device.matmul_seconds(0.0, 4096.0, 4096.0) > 0
        assert device.matmul_seconds(1e7, 1.0, 1.0) > 0
        assert attention(device, "decode", 1.0, 1.0) > 0
        assert device.pass_seconds(0.0) == device.kernel_floor_seconds


# ----------------------------------------------------------------------------------------------------------- attention


@quick
@given(keys=SIZES, sequences=st.integers(1, 256).map(float), more=SIZES)
def test_a_longer_cache_is_never_quicker(device, keys, sequences, more):
    assert attention(device, "decode", 1.0, keys + more, sequences) >= attention(device, "decode", 1.0, keys, sequences)


@quick
@given(length=SIZES, sequences=st.integers(1, 16).map(float), more=SIZES)
def test_a_longer_prompt_is_never_quicker(device, length, sequences, more):
    short = attention(device, "prefill", length, length, sequences)
    assert attention(device, "prefill", length + more, length + more, sequences) >= short * (1 - 1e-9)


def test_long_decode_runs_at_the_memory_bandwidth(device):
    seconds = attention(device, "decode", 1.0, 8192.0, 128.0)
    share = 128 * 8192 * 8 * 256 * 2 / seconds / device.memory_bytes_per_s
    assert 0.8 < share < 0.95


def test_a_cache_of_half_the_bytes_is_quicker(device):
    assert attention(device, "decode", 1.0, 8192.0, 64.0, kv_format="fp8") < 0.65 * attention(
        device, "decode", 1.0, 8192.0, 64.0
    )


def test_sharing_the_cache_among_heads_is_quicker_at_decode(device):
    shared, own = (device.attention_seconds("decode", 1.0, 8192.0, 32.0, kv, 128.0, 128.0, 16.0) for kv in (8.0, 32.0))
    assert shared < own / 2


def test_backward_takes_between_two_and_four_forwards(device):
    forward, backward = (attention(device, phase, 8192.0, 8192.0) for phase in ("prefill", "backward"))
    assert 2 < backward / forward < 4


def test_a_causal_mask_saves_nearly_half(device):
    masked, whole = (attention(device, "prefill", 16384.0, 16384.0, causal=causal) for causal in (True, False))
    assert 0.5 <= masked / whole < 0.6


def test_unfused_attention_pays_for_its_scores(device):
    fused, unfused = (attention(device, "prefill", 4096.0, 4096.0, fused=fused) for fused in (True, False))
    scores = 32 * 4096 * 4096 * 2 * 5
    assert unfused > fused + scores / device.memory_bytes_per_s


def test_a_chunk_over_a_long_prefix_costs_more_than_alone(device):
    assert attention(device, "prefill", 512.0, 16384.0) > 3 * attention(device, "prefill", 512.0, 512.0)


def test_latent_attention_reads_one_vector_a_token(device):
    seconds = device.attention_seconds("decode", 1.0, 8192.0, 16.0, 1.0, 576.0, 512.0, 128.0, latent=True)
    share = 128 * 8192 * 576 * 2 / seconds / device.memory_bytes_per_s
    assert 0.5 < share <= 1.0


# --------------------------------------------------------------------------------------------------- passes and experts


def test_a_pass_never_beats_memory(device):
    moved = np.array([1e3, 1e6, 1e9])
    assert np.all(device.pass_seconds(moved) > moved / device.memory_bytes_per_s)


def test_one_expert_rank_has_no_imbalance(device):
    assert device.moe_imbalance(1.0, 4096.0) == 1.0


def test_imbalance_of_eight_ranks_is_as_measured(device):
    assert 1.15 < device.moe_imbalance(8.0, 4096.0) < 1.7


# -------------------------------------------------------------------------------------------------------------- faults


def test_an_unknown_format_names_the_nearest(device):
    with pytest.raises(InputError, match="fp8_block") as told:
        device.matmul_seconds(1.0, 1.0, 1.0, "fp8_blok")
    assert "Did you mean 'fp8_block'" in str(told.value)


def test_an_unknown_phase_is_refused(device):
    with pytest.raises(InputError, match="prefill"):
        attention(device, "prefil")


def test_a_device_without_a_peak_says_so(make_device):
    with pytest.raises(InputError, match="no dense peak"):
        make_device(peak={"int8": 1e15}).matmul_seconds(1.0, 1.0, 1.0, "bf16")


def test_a_device_without_memory_bandwidth_says_so(make_device):
    with pytest.raises(InputError, match="memory bandwidth"):
        make_device(memory=None).pass_seconds(1.0)
