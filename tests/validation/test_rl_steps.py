"""Published steps of reinforcement tuning: rows whose source is known, errors of those that no figure was fitted on."""

import importlib.util
import statistics
from pathlib import Path

import pytest

from suanli.catalogue.sources import sources

FILE = Path(__file__).parents[2] / "benchmarks" / "rl_steps.py"
SPEC = importlib.util.spec_from_file_location("rl_steps", FILE)
rl_steps = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rl_steps)
ROWS = rl_steps.rows_of(rl_steps.TABLE)
HELD_OUT = [row for row in ROWS if row["release"] == "0.6" and "dsv3" not in row["id"]]


def error(row):
    return rl_steps.post_step(rl_steps.job_of(row)).step_seconds / float(row["step_seconds"]) - 1


def test_every_row_names_a_source_of_the_catalogue():
    assert {row["source"] for row in ROWS} <= set(sources())
    assert len({row["id"] for row in ROWS}) == len(ROWS) == 35


def test_release_0_6_which_no_figure_saw_is_within_a_quarter_in_the_middle():
    errors = [error(row) for row in HELD_OUT]
    assert statistics.median(map(abs, errors)) < 0.25


def test_four_of_five_held_out_rows_lie_in_the_band():
    held = 0
    for row in HELD_OUT:
        found = rl_steps.post_step(rl_steps.job_of(row))
        held += found.band.low <= float(row["step_seconds"]) <= found.band.high
    assert held >= 0.8 * len(HELD_OUT)


@pytest.mark.parametrize("row", [row for row in ROWS if "qwen30b" in row["id"]], ids=lambda row: row["id"])
def test_layouts_that_ran_are_told_to_fit_but_for_what_is_known(row):
    found = rl_steps.post_step(rl_steps.job_of(row))
    assert not found.limit or row["id"] == "nemo06-qwen30b"
