"""Sums of errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.domain.validation import ValidationRow
from suanli.validation.summary import result_of, summarise


def row(error=0.1, quantity="step_seconds", source="a", accelerator="x", low=0.9, high=1.5):
    told = error is not None
    return ValidationRow(
        id="1", quantity=quantity, measured=1.0, predicted=1 + error if told else None, low=low if told else None,
        high=high if told else None, error=error, status="predicted" if told else "why", source=source,
        accelerator=accelerator,
    )  # fmt: skip


def test_errors_count_by_their_size():
    found = summarise([row(-0.1), row(0.2), row(0.6)])
    assert found.median_abs_error == pytest.approx(0.2)
    assert found.mape == pytest.approx(0.3)


def test_a_row_without_a_prediction_counts_against_coverage_only():
    found = summarise([row(0.1), row(None)])
    assert (found.rows, found.predicted_rows) == (2, 1)
    assert found.median_abs_error == pytest.approx(0.1)


def test_nothing_predicted_sums_to_nothing():
    found = summarise([row(None)])
    assert found.median_abs_error is None
    assert found.band_coverage is None


def test_coverage_is_the_share_inside_the_band():
    assert summarise([row(), row(low=1.1), row(high=0.95), row()]).band_coverage == 0.5


@given(st.lists(st.floats(-0.9, 3), min_size=1, max_size=30))
def test_the_tail_is_never_below_the_middle(errors):
    found = summarise([row(error) for error in errors])
    assert found.median_abs_error <= found.p90_abs_error + 1e-12


def test_rows_are_summed_by_quantity_source_and_accelerator():
    found = result_of([row(), row(source="b"), row(quantity="peak_memory_bytes", accelerator="y")])
    assert found.summary["step_seconds"].rows == 2
    assert found.by_source[("step_seconds", "b")].rows == 1
    assert found.by_accelerator[("peak_memory_bytes", "y")].rows == 1
    assert sum(one.rows for one in found.by_source.values()) == 3
