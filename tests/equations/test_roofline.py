"""Kernels: never under the roofline, whole tiles and waves, split chains, and the six readings of one body."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import roofline
from suanli.foundation.equation import ledger

SIZES = st.integers(min_value=1, max_value=40_000).map(float)
SHARES = st.floats(min_value=0.05, max_value=1.0)
SHARPNESS = st.floats(min_value=1.0, max_value=12.0)
TIMES = st.floats(min_value=1e-9, max_value=10.0)
TILES = {"tile_rows": 128.0, "least_tile_rows": 16.0, "tile_columns": 128.0}
PEAK, MEMORY = 1e15, 3e12


def matmul_flop(rows, inner, columns, groups=1.0, units=132.0, softness=0.3, ramp=100.0):
    return roofline.tiled_matmul_flop(
        rows, inner, columns, groups, *TILES.values(), units, softness, ramp, 2.0
    )  # fmt: skip


def attention_flop(queries, keys, heads=32.0, kv_heads=8.0, sequences=1.0, softness=0.3):
    return roofline.tiled_attention_flop(
        queries, keys, heads, kv_heads, 128.0, sequences, 128.0, 16.0, 132.0, softness, 50.0, 20.0, 2.0, 2.0
    )  # fmt: skip


def kernel(work, moved, ceiling=1.0, memory=1.0, sharpness=4.0, fixed=0.0):
    return roofline.kernel_seconds(work, moved, PEAK, MEMORY, ceiling, memory, sharpness, fixed)


# ---------------------------------------------------------------------------------------------------- tiles and waves


def test_a_tile_holds_all_rows_while_it_can():
    assert roofline.tile_height(np.array([1.0, 16.0, 17.0, 128.0, 500.0]), 128.0, 16.0).tolist() == [
        16.0, 16.0, 32.0, 128.0, 128.0,
    ]  # fmt: skip


def test_no_rows_still_have_a_tile():
    assert roofline.tile_height(0.0, 128.0, 16.0) == 16.0


def test_a_tile_is_never_below_the_hardware_own():
    assert roofline.tile_height(4.0, 16.0, 64.0) == 64.0


def test_whole_waves_cost_what_they_are():
    for softness in (0.0, 0.5, 1.0):
        assert roofline.busy_waves(264.0, 132.0, softness) == 2.0


def test_an_unfinished_wave_is_lost_by_its_share():
    assert roofline.busy_waves(198.0, 132.0, 0.0) == 1.5
    assert roofline.busy_waves(198.0, 132.0, 1.0) == 2.0
    assert roofline.busy_waves(198.0, 132.0, 0.5) == 1.75


@given(tiles=SIZES, units=st.integers(1, 400).map(float), softness=st.floats(0, 1))
def test_busy_waves_lie_between_the_fraction_and_the_whole(tiles, units, softness):
    waves = roofline.busy_waves(tiles, units, softness)
    assert tiles / units <= waves * (1 + 1e-12)
    assert waves <= math.ceil(tiles / units) * (1 + 1e-12)


@given(rows=SIZES, inner=SIZES, columns=SIZES, groups=st.integers(1, 64).map(float))
def test_tiles_never_do_less_than_the_product_needs(rows, inner, columns, groups):
    assert matmul_flop(rows, inner, columns, groups) >= 2 * rows * inner * columns * groups * (1 - 1e-12)


@given(rows=SIZES, inner=SIZES, columns=SIZES, more=st.integers(0, 5000).map(float))
def test_a_larger_product_never_needs_less(rows, inner, columns, more):
    work = matmul_flop(rows, inner, columns)
    assert matmul_flop(rows + more, inner, columns) >= work * (1 - 1e-12)
    assert matmul_flop(rows, inner + more, columns) >= work * (1 - 1e-12)
    assert matmul_flop(rows, inner, columns + more) >= work * (1 - 1e-12)


def test_exact_tiles_and_waves_do_exactly_the_product():
    work = matmul_flop(128.0 * 12, 4096.0, 128.0 * 11, units=132.0, softness=1.0, ramp=0.0)
    assert work == 2 * 128 * 12 * 4096 * 128 * 11


def test_one_tile_more_than_a_wave_starts_another():
    full = matmul_flop(128.0 * 132, 1024.0, 128.0, softness=1.0, ramp=0.0)
    assert matmul_flop(128.0 * 132 + 1, 1024.0, 128.0, softness=1.0, ramp=0.0) == 2 * full


def test_the_ramp_weighs_on_short_inner_loops():
    short = matmul_flop(1024.0, 64.0, 1024.0) / (2 * 1024 * 64 * 1024)
    long = matmul_flop(1024.0, 8192.0, 1024.0) / (2 * 1024 * 8192 * 1024)
    assert short > 2 * long


def test_groups_are_as_many_products():
    assert matmul_flop(128.0, 512.0, 128.0, groups=264.0) == pytest.approx(
        2 * matmul_flop(128.0, 512.0, 128.0, groups=132.0)
    )


# ------------------------------------------------------------------------------------------------------------- traffic


def test_every_operand_passes_once():
    moved = roofline.matmul_traffic_bytes(3.0, 5.0, 7.0, 2.0, 0.5, 1.0, 4.0)
    assert moved == 2 * (5 * 7 * 0.5 + 3 * 5 * 1.0 + 3 * 7 * 4.0)


def test_grouped_heads_share_their_cache():
    few = roofline.attention_traffic_bytes(1.0, 4096.0, 32.0, 256.0, 8 * 256.0, 1.0, 2.0, 2.0)
    all_heads = roofline.attention_traffic_bytes(1.0, 4096.0, 32.0, 256.0, 32 * 256.0, 1.0, 2.0, 2.0)
    own = 32 * 256 * 2.0
    assert (all_heads - own) == 4 * (few - own)


def test_a_cache_of_half_the_bytes_is_half_the_traffic():
    whole, half = (roofline.attention_traffic_bytes(0.0, 1000.0, 8.0, 256.0, 256.0, 4.0, 2.0, b) for b in (2.0, 1.0))
    assert whole == 2 * half


def test_scores_grow_with_both_lengths():
    assert roofline.score_traffic_bytes(64.0, 128.0, 4.0, 2.0, 5.0, 2.0) == 2 * 4 * 64 * 128 * 5 * 2


# ----------------------------------------------------------------------------------------------------------- attention


def test_a_causal_mask_halves_a_square():
    assert roofline.attended_keys(4096.0, 4096.0, 1.0) == pytest.approx(4096 / 2, rel=1e-3)
    assert roofline.attended_keys(4096.0, 4096.0, 0.0) == 4096.0


def test_one_query_sees_every_key():
    assert roofline.attended_keys(1.0, 1000.0, 1.0) == 1000.0


@given(queries=SIZES, keys=SIZES, sequences=st.integers(1, 64).map(float))
def test_attention_tiles_never_do_less_than_needed(queries, keys, sequences):
    assert attention_flop(queries, keys, sequences=sequences) >= 4 * queries * keys * 128 * 32 * sequences * (1 - 1e-12)


def test_decode_packs_the_heads_that_share_a_cache():
    alone = attention_flop(1.0, 4096.0, heads=32.0, kv_heads=32.0, softness=0.0)
    packed = attention_flop(1.0, 4096.0, heads=32.0, kv_heads=2.0, softness=0.0)
    assert packed == alone / 16


def test_backward_is_five_products_against_two():
    forward, backward = (
        roofline.tiled_attention_flop(
            512.0, 512.0, 8.0, 8.0, 64.0, 4.0, 128.0, 16.0, 100.0, 0.0, 0.0, 0.0, products, 2.0
        )
        for products in (2.0, 5.0)
    )
    assert backward == 2.5 * forward


# ---------------------------------------------------------------------------------------------------------------- time


@given(work=st.floats(1, 1e18), moved=st.floats(1, 1e14), ceiling=SHARES, memory=SHARES, sharpness=SHARPNESS)
def test_no_kernel_is_under_the_roofline(work, moved, ceiling, memory, sharpness):
    bound = max(work / (PEAK * ceiling), moved / (MEMORY * memory))
    assert kernel(work, moved, ceiling, memory, sharpness) >= bound * (1 - 1e-9)


@given(work=st.floats(1e6, 1e18), moved=st.floats(1e3, 1e14), sharpness=SHARPNESS)
def test_no_kernel_is_over_the_sum_of_its_parts(work, moved, sharpness):
    assert kernel(work, moved, sharpness=sharpness) <= (work / PEAK + moved / MEMORY) * (1 + 1e-9)


@given(work=st.floats(1e6, 1e18), moved=st.floats(1e3, 1e14), more=st.floats(1.0, 10.0), sharpness=SHARPNESS)
def test_more_of_the_machine_is_never_slower(work, moved, more, sharpness):
    slow = roofline.kernel_seconds(work, moved, PEAK, MEMORY, 0.8, 0.8, sharpness, 1e-6)
    quick_arithmetic = roofline.kernel_seconds(work, moved, PEAK * more, MEMORY, 0.8, 0.8, sharpness, 1e-6)
    quick_memory = roofline.kernel_seconds(work, moved, PEAK, MEMORY * more, 0.8, 0.8, sharpness, 1e-6)
    assert max(quick_arithmetic, quick_memory) <= slow * (1 + 1e-12)


def test_a_sharp_corner_is_the_roofline():
    assert kernel(1e15, 3e12, sharpness=1000.0) == pytest.approx(1.0, rel=1e-3)


def test_without_overlap_times_add():
    assert kernel(1e15, 3e12, sharpness=1.0) == pytest.approx(2.0)


def test_nothing_to_do_takes_the_fixed_time():
    assert kernel(0.0, 0.0, fixed=5e-6) == 5e-6


def test_a_chain_grows_as_the_root_of_its_steps():
    assert roofline.chain_seconds(4096.0, 1e-8) == pytest.approx(2 * roofline.chain_seconds(1024.0, 1e-8))


def test_the_best_split_of_a_chain_is_the_root():
    step, merge, steps = 1e-9, 4e-7, 4096.0
    splits = np.arange(1.0, 200.0)
    best = np.min(step * steps / splits + merge * splits)
    assert roofline.chain_seconds(steps, 2 * math.sqrt(step * merge)) == pytest.approx(best, rel=0.02)


def test_a_pass_is_bytes_over_bandwidth_and_a_floor():
    assert roofline.pass_seconds(8e9, 1e12, 0.8, 3e-6) == pytest.approx(0.01 + 3e-6)


# ------------------------------------------------------------------------------------------------------------- experts


def test_one_rank_has_no_imbalance():
    assert roofline.expert_imbalance(1.0, 1e6, 0.5, 100.0) == 1.0


@given(doublings=st.integers(0, 10), tokens=st.floats(0, 1e6), skew=st.floats(0, 2), half=st.floats(1, 1e4))
def test_imbalance_lies_between_none_and_the_skew_of_every_doubling(doublings, tokens, skew, half):
    assert 1.0 <= roofline.expert_imbalance(2.0**doublings, tokens, skew, half) <= 1 + doublings * skew + 1e-9


def test_few_tokens_hide_the_skew():
    few, many = (roofline.expert_imbalance(8.0, tokens, 0.15, 3000.0) for tokens in (4.0, 4096.0))
    assert few < 1.02 < 1.3 < many


# ------------------------------------------------------------------------------------------------------------ readings


def test_a_column_is_its_numbers():
    rows = np.array([1.0, 17.0, 500.0, 9000.0])
    column = matmul_flop(rows, 4096.0, 11008.0)
    assert column.tolist() == [matmul_flop(one, 4096.0, 11008.0) for one in rows]


def test_compiled_code_gives_the_same_numbers():
    numba = pytest.importorskip("numba")
    compiled = numba.njit(roofline.kernel_seconds.body)
    point = (3e14, 2e10, PEAK, MEMORY, 0.8, 0.85, 3.5, 2.5e-6)
    assert compiled(*point) == pytest.approx(roofline.kernel_seconds(*point), rel=1e-12)
    chain = numba.njit(roofline.chain_seconds.body)
    assert chain(4096.0, 3e-8) == pytest.approx(roofline.chain_seconds(4096.0, 3e-8))


def test_the_ledger_hears_tiles_inside_a_product():
    with ledger() as told:
        matmul_flop(100.0, 200.0, 300.0)
    assert [line.name for line in told.below] == ["tiled_matmul_flop"]
    assert [line.name for line in told.below[0].below] == ["tile_height", "busy_waves"]


@given(work=st.floats(1e9, 1e16), moved=st.floats(1e5, 1e12), fixed=TIMES)
def test_what_is_fixed_stays_whatever_the_machine(work, moved, fixed):
    endless = roofline.kernel_seconds(work, moved, 1e40, 1e40, 1.0, 1.0, 4.0, fixed)
    assert endless == pytest.approx(fixed, rel=1e-6)
