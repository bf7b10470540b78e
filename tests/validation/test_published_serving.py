"""A sample of the published serving runs, a few of each source: the gates that the whole table is held to."""

import statistics
from itertools import combinations

import pytest
from tests.validation.published import cells, predictions, result, write

from suanli.api.validate import validate
from suanli.catalogue.sources import sources
from suanli.domain.validation import PREDICTED
from suanli.validation.habits import load_habits

THROUGHPUTS = (
    "output_tokens_per_s", "total_tokens_per_s", "total_tokens_per_s_per_accelerator",
    "output_tokens_per_s_per_accelerator", "prefill_tokens_per_s",
)  # fmt: skip
MEMORY = ("weight_bytes", "activation_bytes", "runtime_bytes", "kv_pool_bytes", "kv_capacity_tokens")
SMALLEST_GROUP = 8


def errors(*quantities):
    return [abs(row.error) for row in result("serving").rows if row.quantity in quantities and row.error is not None]


def held(quantities):
    rows = [row for row in result("serving").rows if row.quantity in quantities and row.error is not None]
    return statistics.mean(row.low <= row.measured <= row.high for row in rows)


def test_the_sample_holds_every_source_and_quantity():
    rows = result("serving").rows
    assert len(rows) >= 120
    assert len({row.source for row in rows}) >= 10
    assert {row.quantity for row in rows} >= {"ttft_seconds", "tpot_seconds", *THROUGHPUTS, *MEMORY}


def test_every_run_credits_its_source():
    assert {row.source for row in result("serving").rows} <= set(sources())
    assert all(row["source_url"].startswith("http") for row in cells("training"))


def test_at_least_85_percent_of_the_rows_are_predicted():
    rows = result("serving").rows
    assert sum(row.status == PREDICTED for row in rows) >= 0.85 * len(rows)
    for summary in result("serving").summary.values():
        assert summary.predicted_rows >= 0.8 * summary.rows


def test_the_median_error_of_throughput_is_at_most_25_percent():
    assert statistics.median(errors(*THROUGHPUTS)) <= 0.25


@pytest.mark.parametrize(
    "quantity", ["output_tokens_per_s", "total_tokens_per_s", "total_tokens_per_s_per_accelerator"]
)
def test_the_median_error_of_each_large_group_of_rates_is_at_most_25_percent(quantity):
    assert len(errors(quantity)) >= SMALLEST_GROUP
    assert statistics.median(errors(quantity)) <= 0.25


def test_the_median_error_of_time_between_tokens_is_at_most_25_percent():
    assert statistics.median(errors("tpot_seconds")) <= 0.25


def test_the_median_error_of_time_to_the_first_token_is_below_a_half():
    """How requests arrive is what benchmarks say least about, so the first token is known worst."""
    assert statistics.median(errors("ttft_seconds")) <= 0.5


def test_the_median_error_of_memory_is_at_most_5_percent():
    assert statistics.median(errors(*MEMORY)) <= 0.05


@pytest.mark.parametrize("quantities", [THROUGHPUTS, ("tpot_seconds",), ("ttft_seconds",)], ids=lambda each: each[0])
def test_an_80_percent_band_holds_65_to_95_percent(quantities):
    assert 0.65 <= held(quantities) <= 0.95


def test_no_source_is_far_off_in_throughput():
    for (quantity, source), summary in result("serving").by_source.items():
        if quantity in THROUGHPUTS and summary.predicted_rows >= SMALLEST_GROUP:
            assert summary.median_abs_error <= 0.35, source


def test_clear_winners_are_told_from_losers():
    """Runs of one source and quantity whose measured values differ by a factor of two or more are ordered alike."""
    right, pairs = 0, 0
    for one, two in combinations([row for row in result("serving").rows if row.predicted], 2):
        alike = (one.source, one.quantity) == (two.source, two.quantity)
        if alike and not 0.5 < one.measured / two.measured < 2:
            pairs += 1
            right += (one.measured < two.measured) == (one.predicted < two.predicted)
    assert pairs > 200
    assert right >= 0.95 * pairs


@pytest.mark.parametrize("table", ["training", "serving"])
def test_every_prediction_is_a_positive_number_in_its_band(table):
    for row in result(table).rows:
        if row.predicted is not None:
            assert 0 < row.low <= row.predicted <= row.high
            assert row.error == pytest.approx(row.predicted / row.measured - 1)
            assert row.status == PREDICTED


@pytest.mark.parametrize("table", ["training", "serving"])
def test_an_unpredicted_row_has_no_numbers_and_says_why(table):
    for row in result(table).rows:
        if row.predicted is None:
            assert row.low is row.high is row.error is None
            assert row.status not in ("", PREDICTED)


@pytest.mark.parametrize("table", ["training", "serving"])
def test_the_order_of_rows_does_not_matter(table, tmp_path):
    turned = write(tmp_path / "turned.csv", cells(table)[::-1])
    assert predictions(validate(turned)) == predictions(result(table))


@pytest.mark.parametrize("table", ["training", "serving"])
def test_a_part_of_a_table_is_predicted_like_the_whole(table, tmp_path):
    part = predictions(validate(write(tmp_path / "part.csv", cells(table)[::7])))
    whole = predictions(result(table))
    assert part == {key: whole[key] for key in part}


def test_nothing_hangs_on_what_a_serving_run_measured_or_who_did(tmp_path):
    """Who did it tells only what the source's page or scripts say of all its runs."""
    known = {one["runs_of"] for one in load_habits()}
    other = [
        {**row, "value": str(3 * float(row["value"])), "source": row["source"] if row["source"] in known else "someone"}
        for row in cells("serving")[::5]
    ]
    assert {"someone"} < {row["source"] for row in other}
    found = predictions(validate(write(tmp_path / "other.csv", other)))
    whole = predictions(result("serving"))
    assert found == {key: whole[key] for key in found}


def test_nothing_hangs_on_what_a_training_run_measured_or_who_did(tmp_path):
    def thrice(row, column):
        return str(3 * float(row[column])) if row[column] else ""

    other = [
        {**row, "source": "someone", **{name: thrice(row, name) for name in ("step_time_s", "peak_mem_gb")}}
        for row in cells("training")[::5]
    ]
    found = predictions(validate(write(tmp_path / "other.csv", other)))
    whole = predictions(result("training"))
    assert found == {key: whole[key] for key in found}


def test_the_sums_of_a_quantity_are_those_of_its_sources_together():
    found = result("serving")
    for quantity, summary in found.summary.items():
        parts = [each for (name, _), each in found.by_source.items() if name == quantity]
        assert sum(each.rows for each in parts) == summary.rows
        assert sum(each.predicted_rows for each in parts) == summary.predicted_rows
        counted = [each for each in parts if each.predicted_rows]
        mean = sum(each.mape * each.predicted_rows for each in counted) / summary.predicted_rows
        assert summary.mape == pytest.approx(mean)
