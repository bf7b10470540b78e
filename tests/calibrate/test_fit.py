"""A fit finds what made the runs, stays where they say nothing, and never sees what it is asked about."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.calibrate.made import FREE, KNOWN, SURE, figure, moved, problem, taken

from suanli.calibrate.apply import calibrated, predicted_seconds
from suanli.calibrate.fit import around, fit, moved_figures, robust, weights_of
from suanli.calibrate.held_out import LeaveOut, family_of, groups_of, left_out_seconds
from suanli.foundation.errors import InputError

FEW = (
    figure("pass_factor", "megatron_core"),
    figure("pass_factor", "torch_eager"),
    figure("matmul", "nv-a100*"),
    figure("matmul", "nv-h100*"),
    figure("straggler_per_doubling", "cluster"),
)
FACTORS = (1.15, 0.9, 0.95, 1.04, 1.5)


@pytest.fixture
def truth(some):
    """Make runs by figures other than the shipped ones; return both."""
    made, values = moved(around(FEW, KNOWN), FACTORS)
    return replace(some, measured_seconds=taken(some, made)), values


def test_figures_that_made_the_runs_are_found(truth):
    runs, values = truth
    assert fit(problem(runs, FEW, SURE)).values == pytest.approx(values, rel=1e-3)


def test_runs_as_predicted_move_nothing(some):
    one = problem(some, FEW, seconds=taken(some, KNOWN))
    start = [figure.start for figure in one.figures]
    assert fit(one).values == pytest.approx(start, rel=1e-6)


def test_figures_that_no_run_depends_on_stay_exactly(truth):
    runs, _ = truth
    one = problem(runs, FREE.figures)
    found = fit(one)
    start = np.array([figure.start for figure in one.figures])
    away = [any("tpu" in name or "ascend" in name for name in figure.hardware) for figure in one.figures]
    assert not found.touched[away].any()
    assert found.touched[[figure in around(FEW, KNOWN) for figure in one.figures]].all()
    assert np.array_equal(found.values[~found.touched], start[~found.touched])
    assert np.array_equal(found.widths[~found.touched], np.array([one.width for one in one.figures])[~found.touched])


def test_a_few_runs_move_less_than_many(some):
    made, values = moved(around(FEW[:1], KNOWN), (1.3,))
    seconds = taken(some, made)
    ends = []
    for kept in (2, len(some)):
        left = np.arange(len(some)) >= kept
        ends.append(float(fit(problem(some, FEW[:1], seconds=seconds), left).values[0]))
    assert around(FEW, KNOWN)[0].start < ends[0] < ends[1] < values[0]


def test_data_narrow_a_figure_and_never_widen_it(truth):
    found = fit(problem(truth[0], FEW))
    assert all(after < one.width for after, one in zip(found.widths, FEW, strict=True))


def test_values_stay_inside_their_bounds(some):
    found = fit(problem(some, FEW, SURE, seconds=taken(some, KNOWN) * 3))
    for value, one in zip(found.values, around(FEW, KNOWN), strict=True):
        assert one.low <= value <= one.high


def test_one_wild_run_moves_little(some):
    seconds = taken(some, KNOWN)
    seconds[0] *= 10
    one = problem(some, FEW, seconds=seconds)
    for value, figure_ in zip(fit(one).values, one.figures, strict=True):
        assert abs(value - figure_.start) < figure_.width


def test_a_run_that_is_left_out_does_not_touch_its_own_prediction(truth):
    runs, _ = truth
    groups = groups_of(runs.sources, LeaveOut.SOURCE, FREE.families)
    left = np.array([source == "ours" for source in runs.sources])
    wild = replace(runs, measured_seconds=np.where(left, runs.measured_seconds * 1.7, runs.measured_seconds))
    before, after = (left_out_seconds(problem(one, FEW), groups) for one in (runs, wild))
    assert np.array_equal(before[left], after[left])
    assert not np.array_equal(before[~left], after[~left])


def test_a_single_source_left_out_leaves_what_was_known(truth):
    runs = truth[0]
    told = left_out_seconds(problem(runs, FEW), ["all"] * len(runs))
    assert np.array_equal(told, predicted_seconds(calibrated(KNOWN, (), ()), runs))


def test_each_run_may_be_left_out_alone():
    assert groups_of(("a", "a"), LeaveOut.RUN, {}) == ("0", "1")


@pytest.mark.parametrize(
    ("source", "family"),
    [("Megatron-Bridge page (26.02)", "Megatron-Bridge"), ("torchtitan", "torchtitan"), ("ours_2026: x", "ours"),
     ("AI-Hypercomputer recipes", "MaxText")],
)  # fmt: skip
def test_releases_of_one_page_are_a_family(source, family):
    assert family_of(source, FREE.families) == family


def test_runs_of_a_large_source_weigh_less_each_and_more_together():
    weights = weights_of(["large"] * 8 + ["small"], FREE.rules)
    assert weights[0] < weights[-1] < weights[:8].sum()
    assert weights.mean() == pytest.approx(FREE.rules.run_weight)


@given(error=st.floats(-50, 50), limit=st.floats(0.1, 5))
def test_the_squares_of_robust_residuals_are_hubers_loss(error, limit):
    size = abs(error)
    huber = size**2 if size <= limit else 2 * limit * size - limit**2
    assert robust(np.array([error]), limit)[0] ** 2 == pytest.approx(huber)


def test_the_answer_tells_before_and_after(truth):
    one = problem(truth[0], FEW)
    found = fit(one)
    told = moved_figures(one, found, np.array([figure.start for figure in one.figures]))
    assert [moved.after for moved in told] == found.values.tolist()
    assert all(moved.touched and moved.before == moved.figure.start for moved in told)


def test_without_scipy_the_extra_is_named(truth, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(InputError, match=r"suanli\[calibrate\]"):
        fit(problem(truth[0], FEW))
