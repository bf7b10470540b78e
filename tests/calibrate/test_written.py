"""What a fit writes is read back to the figures it found; only what changed is named."""

from dataclasses import replace

import pytest
from tests.calibrate.made import FREE, KNOWN, problem, rows, taken
from tests.validation.runs import write

from suanli.calibrate.apply import values_of
from suanli.calibrate.calibrate import Request, calibrate
from suanli.calibrate.fit import around, fit, moved_figures
from suanli.calibrate.held_out import LeaveOut
from suanli.calibrate.write import Origin, as_written, calibration_text, changed, write_calibration
from suanli.estimate.overlay import read_overlay
from suanli.foundation.errors import InputError

ORIGIN = Origin(source='runs "of ours".csv', date="2026-11-26", rows=20)


@pytest.fixture
def found(some):
    """Fit figures to runs that took a tenth longer than predicted."""
    one = problem(some, FREE.figures, seconds=taken(some, KNOWN) * 1.1)
    fitted = fit(one)
    return fitted, moved_figures(one, fitted, values_of(KNOWN, one.figures))


def test_a_file_is_read_back_to_the_figures_that_were_found(tmp_path, found):
    _, figures = found
    file = tmp_path / "ours.yaml"
    write_calibration(file, calibration_text(figures, ORIGIN))
    told = read_overlay(file, KNOWN)
    read = values_of(told.calibration, [one.figure for one in figures])
    for value, one in zip(read, figures, strict=True):
        assert value == (as_written(one.after) if one in changed(figures) else one.before)
    assert (told.source, told.date, told.kind, told.rows) == (ORIGIN.source, ORIGIN.date, "derived", 20)


def test_only_what_changed_is_named(tmp_path, found):
    _, figures = found
    text = calibration_text(figures, ORIGIN)
    assert "pass_factor" in text
    assert not [word for word in ("tpu", "ascend", "xla", "spread", "aliases") if word in text]


def test_nothing_moved_writes_a_file_that_changes_nothing(tmp_path, some):
    one = problem(some, FREE.figures[:3])
    still = moved_figures(one, replace(fit(one), values=values_of(KNOWN, one.figures)), values_of(KNOWN, one.figures))
    file = tmp_path / "ours.yaml"
    write_calibration(file, calibration_text(still, ORIGIN))
    assert read_overlay(file, KNOWN).calibration == KNOWN


def test_the_spread_is_written_where_it_was_fitted(tmp_path):
    spread = replace(KNOWN.spread, experts=0.31, sigmas_below=1.25, software={**KNOWN.spread.software, "xla": 0.4})
    file = tmp_path / "ours.yaml"
    write_calibration(file, calibration_text([], ORIGIN, spread))
    assert read_overlay(file, KNOWN).calibration.spread == spread


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="none"):
        write_calibration(tmp_path / "none" / "ours.yaml", "")


def test_from_scratch_starts_from_the_prior_and_fits_the_bands(tmp_path):
    table = write(tmp_path / "runs.csv", *rows())
    out = tmp_path / "ours.yaml"
    told = calibrate(Request(paths=(table,), out=out, from_scratch=True, date="2026-11-26"))
    assert [one.figure for one in told.figures] == list(FREE.figures)
    assert all(one.after == one.figure.start for one in told.figures if not one.touched)
    assert read_overlay(out, KNOWN).calibration.spread != KNOWN.spread
    assert told.left_out.rows == told.runs == 20


def test_by_default_the_prior_is_what_is_shipped(tmp_path):
    table = write(tmp_path / "runs.csv", *rows())
    told = calibrate(Request(paths=(table,), leave_out=LeaveOut.NONE))
    assert told.left_out is None
    assert [one.figure for one in told.figures] == list(around(FREE.figures, KNOWN))
    assert all(one.after == one.before for one in told.figures if not one.touched)
    assert told.after.mape < told.before.mape
