"""Whether a run fits is held against whether it ran: by memory alone, at the layout that its row tells."""

import pytest
from tests.validation.runs import DENSE, write

from suanli.api.validate import validate

ROOMY = {**DENSE, "micro_batch": "1"}
CROWDED = {**DENSE, "id": "run-2", "micro_batch": "64", "recompute": "none", "step_time_s": ""}


def told(tmp_path, *rows):
    return validate(write(tmp_path / "runs.csv", *rows))


def test_a_run_that_ran_is_told_to_fit(tmp_path):
    found = told(tmp_path, ROOMY)
    assert (found.fits.ran, found.fits.ran_told_to_fit, found.wrong_fits) == (1, 1, ())


@pytest.mark.parametrize("note", ["OOM; layers from the script", "ran out of memory", "out-of-memory"])
def test_a_run_out_of_memory_is_told_so(tmp_path, note):
    found = told(tmp_path, ROOMY, {**CROWDED, "notes": note})
    assert (found.fits.out_of_memory, found.fits.out_of_memory_told_so, found.wrong_fits) == (1, 1, ())


@pytest.mark.parametrize("note", ["", "BLOOM", "room for more", "headroom"])
def test_a_row_that_measures_nothing_and_says_nothing_of_memory_is_not_judged(tmp_path, note):
    found = told(tmp_path, ROOMY, {**CROWDED, "notes": note})
    assert (found.fits.ran, found.fits.out_of_memory) == (1, 0)


def test_the_wrong_ones_are_told_with_what_they_lack_or_leave(tmp_path):
    ran = {**CROWDED, "id": "ran", "step_time_s": "30"}
    out = {**ROOMY, "id": "out", "step_time_s": "", "notes": "OOM"}
    found = told(tmp_path, ran, out)
    assert [(row.id, row.ran, row.over_bytes > 0) for row in found.wrong_fits] == [
        ("ran", True, True),
        ("out", False, False),
    ]


def test_open_recomputation_is_made_heavier_for_what_ran_only(tmp_path):
    open_cell = {**DENSE, "recompute": "", "micro_batch": "8"}
    ran = told(tmp_path, open_cell)
    out = told(tmp_path, ROOMY, {**open_cell, "step_time_s": "", "notes": "OOM"})
    assert (ran.fits.ran_told_to_fit, ran.fits.ran_with_recompute_assumed) == (1, 1)
    assert out.fits.out_of_memory_told_so == 1


def test_a_run_without_a_layout_is_not_judged(tmp_path):
    bare = {**ROOMY, "id": "bare", "tp": "", "pp": "", "dp": "", "sharding": ""}
    assert told(tmp_path, ROOMY, bare).fits.ran == 1
