"""Sums of errors held against computations by hand, and rules that hold for any rows."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.domain.validation import PREDICTED, ValidationRow
from suanli.validation.summary import result_of, summarise

quick = settings(max_examples=80, deadline=None)
errors = st.lists(st.floats(-0.99, 20, allow_nan=False), min_size=1, max_size=40)


def row(error, band=0.1, measured=100.0, quantity="step_seconds", source="lab", accelerator="A100", name="r"):
    """Make a row whose prediction misses by a share of the measured value; None makes one without a prediction."""
    if error is None:
        return ValidationRow(
            id=name, quantity=quantity, measured=measured, predicted=None, low=None, high=None, error=None,
            status="no model", source=source, accelerator=accelerator,
        )  # fmt: skip
    predicted = measured * (1 + error)
    return ValidationRow(
        id=name, quantity=quantity, measured=measured, predicted=predicted, low=predicted * (1 - band),
        high=predicted * (1 + band), error=error, source=source, accelerator=accelerator,
    )  # fmt: skip


def by_hand(values):
    """Return median, mean and 90th percentile (on the line between neighbours) of absolute values."""
    ordered = sorted(abs(value) for value in values)
    count = len(ordered)

    def at(share):
        place = share * (count - 1)
        below, part = math.floor(place), place - math.floor(place)
        return ordered[below] + part * (ordered[min(below + 1, count - 1)] - ordered[below])

    return at(0.5), sum(ordered) / count, at(0.9)


@pytest.mark.parametrize(
    ("values", "median", "mean", "tail"),
    [
        ([0.1], 0.1, 0.1, 0.1),
        ([0.1, -0.3], 0.2, 0.2, 0.28),
        ([0.1, -0.2, 0.6], 0.2, 0.3, 0.52),
        ([0.0, 0.0, 0.0, 1.0], 0.0, 0.25, 0.7),
        ([-0.1, 0.2, -0.3, 0.4, -0.5], 0.3, 0.3, 0.46),
        ([0.1 * step for step in range(11)], 0.5, 0.5, 0.9),
    ],
)
def test_sums_of_a_few_rows(values, median, mean, tail):
    told = summarise([row(value) for value in values])
    assert told.median_abs_error == pytest.approx(median)
    assert told.mape == pytest.approx(mean)
    assert told.p90_abs_error == pytest.approx(tail)


@quick
@given(values=errors)
def test_sums_of_any_rows_are_those_by_hand(values):
    told = summarise([row(value) for value in values])
    assert (told.median_abs_error, told.mape, told.p90_abs_error) == pytest.approx(by_hand(values))


@quick
@given(values=errors)
def test_the_sign_of_an_error_does_not_matter(values):
    one, other = summarise([row(value) for value in values]), summarise([row(abs(value)) for value in values])
    assert (one.median_abs_error, one.mape, one.p90_abs_error) == (
        other.median_abs_error,
        other.mape,
        other.p90_abs_error,
    )


@quick
@given(values=errors, seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(values, seed):
    rows = [row(value) for value in values]
    mixed = random.Random(seed).sample(rows, len(rows))
    one, other = summarise(rows), summarise(mixed)
    assert one.mape == pytest.approx(other.mape)
    assert (one.median_abs_error, one.p90_abs_error, one.band_coverage) == pytest.approx(
        (other.median_abs_error, other.p90_abs_error, other.band_coverage)
    )


@quick
@given(values=errors, silent=st.integers(0, 10))
def test_rows_without_a_prediction_change_the_count_alone(values, silent):
    rows = [row(value) for value in values]
    one, other = summarise(rows), summarise([*rows, *[row(None)] * silent])
    assert other.rows == one.rows + silent
    assert other.predicted_rows == one.predicted_rows == len(values)
    assert (other.median_abs_error, other.mape, other.p90_abs_error, other.band_coverage) == (
        one.median_abs_error, one.mape, one.p90_abs_error, one.band_coverage
    )  # fmt: skip


@quick
@given(values=errors, factor=st.floats(1e-9, 1e9))
def test_units_of_the_measured_value_do_not_matter(values, factor):
    one = summarise([row(value) for value in values])
    other = summarise([row(value, measured=100.0 * factor) for value in values])
    assert one.mape == other.mape


@quick
@given(values=errors, band=st.floats(0, 0.9), wider=st.floats(0, 0.09))
def test_a_wider_band_never_holds_fewer(values, band, wider):
    narrow = summarise([row(value, band) for value in values])
    wide = summarise([row(value, band + wider) for value in values])
    assert 0 <= narrow.band_coverage <= wide.band_coverage <= 1


@pytest.mark.parametrize(
    ("values", "coverage"),
    [([0.05, -0.05], 1.0), ([0.5, -0.5], 0.0), ([0.05, 0.5], 0.5), ([0.0, 0.0, 0.0, 0.9], 0.75)],
)
def test_coverage_counts_measured_values_inside_the_band(values, coverage):
    assert summarise([row(value) for value in values]).band_coverage == coverage


def test_a_measured_value_on_the_edge_is_inside():
    edge = ValidationRow(id="x", quantity="q", measured=10.0, predicted=12.0, low=10.0, high=14.0, error=0.2)
    assert summarise([edge]).band_coverage == 1.0


def test_the_mean_and_the_median_lie_between_the_least_and_the_most():
    told = summarise([row(value) for value in (0.1, -0.4, 0.2, 3.0)])
    assert 0.1 <= told.median_abs_error <= told.p90_abs_error <= 3.0
    assert 0.1 <= told.mape <= 3.0


@pytest.mark.parametrize("rows", [[], [row(None)], [row(None)] * 3])
def test_nothing_predicted_is_no_error_at_all(rows):
    told = summarise(rows)
    assert told.rows == len(rows)
    assert told.predicted_rows == 0
    assert told.median_abs_error is told.mape is told.p90_abs_error is told.band_coverage is None


def test_a_result_keeps_every_row_in_its_order():
    rows = [row(0.1, name="b"), row(None, name="a"), row(0.2, name="c")]
    assert [each.id for each in result_of(rows).rows] == ["b", "a", "c"]


def test_groups_part_the_rows_of_a_quantity():
    rows = [
        row(0.1 * step, quantity=quantity, source=source, accelerator=accelerator)
        for step, (quantity, source, accelerator) in enumerate(
            (quantity, source, accelerator)
            for quantity in ("step_seconds", "peak_memory_bytes")
            for source in ("one", "two", "three")
            for accelerator in ("A100", "H100")
        )
    ]
    told = result_of(rows)
    assert {name: summary.rows for name, summary in told.summary.items()} == {"step_seconds": 6, "peak_memory_bytes": 6}
    assert len(told.by_source) == 6
    assert len(told.by_accelerator) == 4
    assert all(summary.rows == 2 for summary in told.by_source.values())
    assert all(summary.rows == 3 for summary in told.by_accelerator.values())
    assert told.by_source["step_seconds", "one"].mape == pytest.approx(0.05)


def test_groups_come_in_order_of_their_names():
    told = result_of([row(0.1, source=source) for source in "cab"])
    assert [source for _, source in told.by_source] == ["a", "b", "c"]


def test_a_predicted_row_has_the_status_of_one():
    assert row(0.1).status == PREDICTED
    assert row(None).status != PREDICTED


def test_a_result_of_no_rows_is_empty():
    told = result_of([])
    assert told.rows == ()
    assert not told.summary
    assert not told.by_source
