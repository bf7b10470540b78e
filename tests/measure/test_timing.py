"""Readings: long against the clock, steady, without outliers, and within the time."""

import pytest

from suanli.measure.backends import Backend
from suanli.measure.cases import drawn, interleaved
from suanli.measure.rules import load_rules
from suanli.measure.timing import Budget, read, sigma, summed

RULES = load_rules(True).reading


class Beats:
    """A clock that runs create made-up spans of."""

    def __init__(self, spans):
        self.now, self.spans, self.runs = 0.0, iter(spans), 0

    def __call__(self):
        return self.now

    def run(self):
        self.runs += 1
        self.now += next(self.spans)


def endless(*first, then):
    yield from first
    while True:
        yield then


def test_one_reading_lasts_many_times_the_clocks_tick():
    beats = Beats(endless(then=1e-6))
    reading = read(Backend(kind="cpu", torch=None, clock=beats), beats.run, RULES, 1.0)
    assert reading.seconds == pytest.approx(1e-6)
    assert beats.runs >= RULES.most_repeats * RULES.least_count


def test_slow_first_runs_do_not_count():
    beats = Beats(endless(9.0, 5.0, 3.0, then=1.0))
    reading = read(Backend(kind="cpu", torch=None, clock=beats), beats.run, RULES, 100.0)
    assert reading.seconds == 1.0
    assert reading.warm


def test_a_steady_run_stops_early():
    beats = Beats(endless(then=1.0))
    assert read(Backend(kind="cpu", torch=None, clock=beats), beats.run, RULES, 1e9).readings == RULES.least_count


def test_a_run_too_long_for_its_time_is_read_twice():
    beats = Beats(endless(then=1.0))
    assert read(Backend(kind="cpu", torch=None, clock=beats), beats.run, RULES, 1e-9).readings == 2


def test_an_outlier_is_told_and_left_out():
    taken = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 30.0]
    reading = summed(taken, RULES, True)
    assert (reading.outliers, reading.readings) == (1, 6)
    assert reading.seconds == pytest.approx(1.0)
    assert reading.spread == pytest.approx(sigma(taken[:-1]) / reading.seconds)


def test_the_spread_of_normal_readings_is_their_sigma():
    taken = [1 + 0.1 * quantile for quantile in (-1.28, -0.84, -0.52, -0.25, 0, 0.25, 0.52, 0.84, 1.28)]
    assert summed(taken, RULES, True).spread == pytest.approx(0.1, rel=0.3)


def test_a_budget_is_shared_out_over_what_is_left():
    now = [0.0]
    budget = Budget(seconds=10.0, cases=4, clock=lambda: now[0])
    assert (budget.share, budget.ahead_seconds) == (2.5, 10.0)
    now[0] = 1.0
    budget.take()
    assert (budget.share, budget.ahead_seconds) == (3.0, 3.0)
    now[0] = 20.0
    assert (budget.left, budget.ahead_seconds) == (0.0, 0.0)


def test_groups_that_are_dealt_out_end_together():
    dealt = interleaved([["a"] * 12, ["b"] * 6, []], 2)
    assert len(dealt) == 18
    assert sorted(dealt[:4]) == ["a", "a", "b", "b"]
    assert dealt[4:].count("a") == 10
    assert set(dealt[-2:]) == {"a", "b"}


def test_shapes_are_drawn_the_same_for_the_same_seed_and_never_twice():
    choices = {"rows": (1, 2, 3), "columns": (4, 5)}
    first = drawn(choices, 5, lambda one: one["rows"] < 3, "x")
    assert first == drawn(choices, 5, lambda one: one["rows"] < 3, "x")
    assert len({tuple(one.values()) for one in first}) == len(first) == 4
