"""A played run: time is conserved, nothing happens without failures, and the closed form agrees within 1 %."""

from dataclasses import replace

import numpy as np
import pytest

from suanli.domain.wall_clock import RunTerms
from suanli.estimate.wall_clock import chance_log, stop_seconds
from suanli.simulate.training_run import play_run

DAY, HOUR = 86400.0, 3600.0
LLAMA = RunTerms(
    paced_seconds=54 * DAY, mtbf_seconds=3.08 * HOUR, interval_seconds=330.0, stall_seconds=5.0,
    background_seconds=8.0, restart_seconds=600.0, hardware_share=0.78, repair_seconds=3 * DAY, spares=41,
)  # fmt: skip
BLOCKING = replace(LLAMA, background_seconds=0.0, stall_seconds=60.0, interval_seconds=1200.0)
SLOW_STORE = replace(LLAMA, background_seconds=240.0)
OFTEN = replace(LLAMA, mtbf_seconds=0.5 * HOUR, spares=200)
OPT = RunTerms(
    paced_seconds=33 * DAY, mtbf_seconds=57 / 105 * DAY, interval_seconds=2 * HOUR, stall_seconds=180.0,
    background_seconds=0.0, restart_seconds=5.4 * HOUR, hardware_share=0.78, repair_seconds=3 * DAY, spares=12,
)  # fmt: skip
"""OPT-175B as it told (arXiv 2205.01068): 105 stops in 57 days, mended by people."""


def parts(played):
    return {
        "checkpoints": played.checkpoint_seconds,
        "lost_work": played.lost_seconds,
        "restarts": played.restart_seconds,
        "repairs": played.repair_seconds,
    }


@pytest.mark.parametrize("terms", [LLAMA, BLOCKING, SLOW_STORE, OFTEN, OPT])
def test_time_is_conserved_in_every_play(terms):
    played = play_run([terms] * 50, seed=1)
    assert np.allclose(played.wall_seconds, terms.paced_seconds + sum(parts(played).values()), rtol=1e-12)


@pytest.mark.parametrize("terms", [LLAMA, BLOCKING, SLOW_STORE, OFTEN, OPT])
def test_the_closed_form_agrees_with_the_plays_within_one_percent(terms):
    played, told = play_run([terms] * 1000, seed=2), stop_seconds(terms)
    whole = terms.paced_seconds + sum(told.values())
    assert whole == pytest.approx(played.wall_seconds.mean(), rel=0.01)
    for cause, seconds in parts(played).items():
        assert told[cause] == pytest.approx(seconds.mean(), abs=0.005 * whole), cause
    assert (whole - told["repairs"]) / terms.mtbf_seconds == pytest.approx(played.failures.mean(), rel=0.01)


@pytest.mark.parametrize("terms", [LLAMA, BLOCKING, OFTEN])
def test_chance_spreads_plays_as_far_as_the_closed_form_says(terms):
    played = play_run([terms] * 2000, seed=3)
    told = chance_log(terms, float(played.wall_seconds.mean()))
    assert np.std(np.log(played.wall_seconds)) == pytest.approx(told, rel=0.15)


def test_waiting_for_repairs_is_erlangs_loss():
    """A year, so that the start with no node in repair does not count."""
    terms = replace(LLAMA, paced_seconds=365 * DAY, spares=15)
    played, told = play_run([terms] * 200, seed=4), stop_seconds(terms)
    assert told["repairs"] > 0.3 * terms.paced_seconds
    assert told["repairs"] == pytest.approx(played.repair_seconds.mean(), rel=0.02)


@pytest.mark.parametrize(("days", "spares", "between"), [(4, 16, 3.08), (10, 20, 3.08), (30, 3, 30.0), (54, 25, 3.08)])
def test_a_short_run_waits_less_since_it_begins_with_no_node_in_repair(days, spares, between):
    """Down to a run little longer than one repair the term agrees by itself, not only the whole."""
    terms = replace(LLAMA, paced_seconds=days * DAY, spares=spares, mtbf_seconds=between * HOUR)
    played, told = play_run([terms] * 4000, seed=10).repair_seconds, stop_seconds(terms)["repairs"]
    assert told == pytest.approx(played.mean(), rel=0.01, abs=3 * np.std(played) / np.sqrt(len(played)))


def test_without_failures_only_checkpoints_take_time():
    played = play_run([replace(LLAMA, mtbf_seconds=1e30, paced_seconds=3300.0)] * 3, seed=5)
    assert played.failures.tolist() == [0, 0, 0]
    assert played.wall_seconds == pytest.approx([3300.0 + 9 * 5.0] * 3)


def test_every_play_goes_by_its_own_terms():
    slow = replace(LLAMA, paced_seconds=2 * LLAMA.paced_seconds, mtbf_seconds=1e30, spares=0)
    played = play_run([LLAMA, slow, replace(slow, stall_seconds=0.0)], seed=5)
    assert played.failures[0] > 300
    assert played.failures[1:].tolist() == [0, 0]
    assert played.wall_seconds[2] == slow.paced_seconds < played.wall_seconds[1]


def test_the_same_seed_plays_the_same_runs():
    first, again, other = (play_run([LLAMA] * 5, seed).wall_seconds.tolist() for seed in (6, 6, 7))
    assert first == again != other


def test_a_first_run_mended_by_people_takes_as_long_as_it_told():
    played = play_run([OPT] * 500, seed=8)
    assert OPT.paced_seconds / played.wall_seconds.mean() == pytest.approx(0.55, abs=0.05)


def test_llama_3_works_more_than_nine_tenths_of_the_time():
    played = play_run([LLAMA] * 200, seed=9)
    assert 0.9 < LLAMA.paced_seconds / played.wall_seconds.mean() < 0.95
