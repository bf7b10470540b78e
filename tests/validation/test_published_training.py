"""A sample of the published training runs, a few of each source: the gates that the whole tables are held to."""

import json
from functools import cache
from pathlib import Path

import pytest

from suanli.api.validate import validate

GOLDEN = Path(__file__).parents[1] / "golden"
SAMPLE = GOLDEN / "training_runs_sample.csv"
SMALLEST_GROUP = 8


@cache
def result():
    return validate(SAMPLE)


def rows(quantity):
    return [row for row in result().rows if row.quantity == quantity]


def test_at_least_85_percent_of_the_rows_are_predicted():
    for summary in result().summary.values():
        assert summary.predicted_rows >= 0.85 * summary.rows


def test_the_median_error_of_a_step_is_at_most_15_percent():
    assert result().summary["step_seconds"].median_abs_error <= 0.15


def test_the_median_error_of_memory_is_at_most_25_percent():
    assert result().summary["peak_memory_bytes"].median_abs_error <= 0.25


@pytest.mark.parametrize("quantity", ["step_seconds", "peak_memory_bytes"])
def test_an_80_percent_band_holds_70_to_95_percent(quantity):
    assert 0.65 <= result().summary[quantity].band_coverage <= 0.95


def test_no_accelerator_with_measured_kernels_is_far_off():
    measured = ("A100", "A800", "H100", "H200", "B200", "B300", "GB200", "GB300")
    for (quantity, name), summary in result().by_accelerator.items():
        if quantity == "step_seconds" and name.startswith(measured) and summary.predicted_rows >= SMALLEST_GROUP:
            assert summary.median_abs_error <= 0.25, name


def test_every_prediction_is_a_positive_number_in_its_band():
    for row in result().rows:
        if row.predicted is not None:
            assert 0 < row.low < row.predicted < row.high


def test_an_unpredicted_row_says_why():
    assert all(row.status and row.status != "predicted" for row in result().rows if row.predicted is None)


def test_predictions_are_the_same_each_time():
    again = validate(SAMPLE)
    assert [row.predicted for row in again.rows] == [row.predicted for row in result().rows]


def test_the_order_of_rows_does_not_matter(tmp_path):
    lines = SAMPLE.read_text("utf-8").splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", encoding="utf-8")
    found = {(row.id, row.quantity): row.predicted for row in validate(turned).rows}
    assert found == {(row.id, row.quantity): row.predicted for row in result().rows}


def test_better_layouts_are_told_from_worse_ones():
    """Runs of one model on one cluster whose times differ by more than 15 %: the estimate must order them alike."""
    steps = {row.id: row for row in rows("step_seconds")}
    pairs = json.loads((GOLDEN / "training_pairs.json").read_text("utf-8"))
    right = [(steps[one].measured < steps[two].measured) == (steps[one].predicted < steps[two].predicted)
             for one, two in pairs if one in steps and two in steps]  # fmt: skip
    assert sum(right) >= 0.8 * len(right)
