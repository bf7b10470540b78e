"""The steady state of a run: warm-up, pauses, stalls, modes and drift are put in by hand and found again."""

import numpy as np
import pytest

from suanli.domain.training_log import Pause, PauseKind, StepTimes
from suanli.validation.logs.rules import load_rules
from suanli.validation.logs.steady import implied_pauses, pace_of

RULES = load_rules()


def times(seconds, covers=1, wall=None, resolution=0.0):
    number = np.arange(1, len(seconds) + 1) * covers
    column = np.asarray(seconds, dtype=float)
    spent = column * covers if wall is None else np.asarray(wall, dtype=float)
    return StepTimes(
        number=number, covers=np.full(len(column), covers), seconds=column, wall_seconds=spent,
        resolution_seconds=resolution,
    )  # fmt: skip


def noisy(count=400, level=2.0, sigma=0.01, seed=0):
    return np.random.default_rng(seed).normal(level, sigma * level, count)


def test_a_calm_run_has_no_stalls_modes_or_drift():
    for seed in range(20):
        pace = pace_of(times(noisy(seed=seed)), ())
        assert pace.step_seconds == pytest.approx(2.0, rel=0.005)
        assert pace.spread == pytest.approx(0.01, rel=0.3)
        assert (pace.stalls, pace.slow_mode_share, pace.stall_every) == (0, 0.0, 0)
        assert abs(pace.drift) < RULES.drift_share


@pytest.mark.parametrize("first", [1, 3, 20])
def test_warm_up_is_left_out(first):
    seconds = noisy()
    seconds[:first] *= np.linspace(6, 1.5, first)
    pace = pace_of(times(seconds), ())
    assert pace.warm_up_steps == first
    assert pace.stalls == 0
    assert pace.wall_step_seconds == pytest.approx(2.0, rel=0.005)


@pytest.mark.parametrize("every", [7, 50, 100])
def test_stalls_are_found_with_their_period_and_what_they_take(every):
    seconds = noisy()
    seconds[every - 1 :: every] += 3.0
    pace = pace_of(times(seconds), ())
    assert pace.stalls == 400 // every
    assert pace.stall_every == (every if 400 // every > 2 else 0)
    assert pace.stall_seconds == pytest.approx(3.0 * (400 // every) / 400, rel=0.05)
    assert pace.step_seconds == pytest.approx(2.0, rel=0.005)


def test_stalls_at_random_have_no_period():
    for seed in range(10):
        seconds = noisy()
        seconds[np.random.default_rng(seed).choice(np.arange(5, 400), 25, replace=False)] += 3.0
        assert pace_of(times(seconds), ()).stall_every == 0


@pytest.mark.parametrize("share", [0.35, 0.5, 0.7])
def test_two_speeds_are_told_apart(share):
    seconds = noisy()
    slow = np.random.default_rng(1).random(400) < share
    seconds[slow] *= 1.5
    pace = pace_of(times(seconds), ())
    assert pace.slow_mode_share == pytest.approx(slow.mean(), abs=0.02)
    assert pace.fast_mode_seconds == pytest.approx(2.0, rel=0.01)
    assert pace.slow_mode_seconds == pytest.approx(3.0, rel=0.01)


def test_a_wide_spread_is_not_two_speeds():
    for seed in range(20):
        assert pace_of(times(noisy(sigma=0.08, seed=seed)), ()).slow_mode_share == 0
        even = np.random.default_rng(seed).uniform(1.5, 2.5, 400)
        assert pace_of(times(even), ()).slow_mode_share == 0


@pytest.mark.parametrize("change", [-0.2, 0.1, 0.5])
def test_drift_is_the_change_over_the_log(change):
    pace = pace_of(times(noisy() * np.linspace(1, 1 + change, 400)), ())
    assert pace.drift == pytest.approx(change / (1 + change / 2), rel=0.1)


def test_a_pause_stands_in_the_report_behind_its_step_and_is_left_out_of_the_pace():
    seconds = noisy()
    seconds[100] += 30.0
    seconds[300] += 30.0
    checkpoints = [Pause(kind=PauseKind.CHECKPOINT, step=step) for step in (100, 300)]
    pace = pace_of(times(seconds), checkpoints)
    assert pace.stalls == 0
    assert pace.step_seconds == pytest.approx(2.0, rel=0.005)
    assert pace.pause_seconds[PauseKind.CHECKPOINT] == pytest.approx(60 / 400, rel=0.05)
    assert pace.wall_step_seconds == pytest.approx(2.0 + 60 / 400, rel=0.01)


def test_a_pause_that_steps_leave_out_is_read_from_the_wall():
    seconds = noisy(100)
    wall = seconds.copy()
    wall[50] += 40.0
    pace = pace_of(times(seconds, wall=wall), [Pause(kind=PauseKind.CHECKPOINT, step=50)])
    assert pace.pause_seconds[PauseKind.CHECKPOINT] == pytest.approx(0.4, rel=0.05)


def test_pauses_of_one_report_share_out_what_is_not_told():
    seconds = noisy(100)
    seconds[50] += 30.0
    together = [Pause(kind=PauseKind.EVALUATION, step=50, seconds=20.0), Pause(kind=PauseKind.CHECKPOINT, step=50)]
    spent = pace_of(times(seconds), together).pause_seconds
    assert spent[PauseKind.EVALUATION] == pytest.approx(0.2)
    assert spent[PauseKind.CHECKPOINT] == pytest.approx(0.1, rel=0.05)


def test_what_takes_the_wall_adds_up():
    seconds = noisy(sigma=1e-6)
    seconds[9::40] += 5.0
    seconds[200] += 12.0
    pace = pace_of(times(seconds), [Pause(kind=PauseKind.CHECKPOINT, step=200)])
    parts = pace.step_seconds + pace.stall_seconds + sum(pace.pause_seconds.values())
    assert parts == pytest.approx(pace.wall_step_seconds, rel=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_reports_are_enough_for_a_pace(count):
    pace = pace_of(times([2.0] * count), ())
    assert pace.step_seconds == 2.0
    assert pace.steady_reports == count


def test_reports_of_many_steps_weigh_by_them():
    assert pace_of(times(noisy(50), covers=10), ()).wall_step_seconds == pytest.approx(2.0, rel=0.01)
    seconds = noisy(60)
    seconds[0] = 9.0
    assert pace_of(times(seconds, covers=10), ()).warm_up_steps == 10


def test_rounding_of_the_clock_is_no_spread_that_matters():
    rough = np.round(noisy(60) * 10) / 10
    assert pace_of(times(rough, covers=10, resolution=1.0), ()).stalls == 0


@pytest.mark.parametrize("shift", [0, 1])
def test_steps_that_stand_out_at_a_settings_period_are_its_pauses(shift):
    seconds = noisy(600)
    seconds[100 - 1 + shift :: 100] += 9.0
    every = {PauseKind.CHECKPOINT: 100, PauseKind.EVALUATION: 70}
    found = implied_pauses(times(seconds), (), every)
    assert {pause.kind for pause in found} == {PauseKind.CHECKPOINT}
    assert not any(pause.told for pause in found)
    pace = pace_of(times(seconds), found)
    assert pace.stalls == 0
    assert pace.pause_seconds[PauseKind.CHECKPOINT] == pytest.approx(9.0 * len(found) / 600, rel=0.05)


def test_a_calm_run_implies_no_pauses_and_told_ones_are_not_told_twice():
    every = {PauseKind.CHECKPOINT: 50}
    assert implied_pauses(times(noisy()), (), every) == []
    seconds = noisy()
    seconds[50::50] += 9.0
    told = [Pause(kind=PauseKind.CHECKPOINT, step=50)]
    assert implied_pauses(times(seconds), told, every) == []
