"""Low-rank products: their traffic and arithmetic by hand."""

import pytest

from suanli.equations.adapters import low_rank_seconds

PERFECT = {
    "ceiling_share": 1.0, "memory_share": 1.0, "overlap_sharpness": 1.0, "floor_seconds": 0.0, "multiply_add_flop": 2.0,
}  # fmt: skip


def spent(rows, adapters, peak=1e30, rate=1e12):
    """Time a product into rank 16 of a hidden width of 4096 in 16 bits."""
    return float(
        low_rank_seconds(
            rows=rows, row_elements=4096 + 16, adapter_elements=4096 * 16, adapters=adapters, bytes_per_element=2.0,
            peak_flop_per_s=peak, memory_bytes_per_s=rate, **PERFECT,
        )
    )  # fmt: skip


def test_traffic_is_rows_once_and_each_adapter_once():
    assert spent(64, 4) == pytest.approx((64 * 4112 + 4 * 65536) * 2 / 1e12)


def test_arithmetic_is_two_operations_for_each_row_and_element():
    assert spent(64, 4, peak=1e12, rate=1e30) == pytest.approx(2 * 64 * 65536 / 1e12)


def test_rows_of_one_adapter_read_it_once():
    assert spent(64, 1) < spent(64, 64)
