"""Failures keep their rules: limits, monotone, and against a simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import reliability

DAY = 86400.0
HOUR = 3600.0
MTBF = st.floats(1e3, 1e8)
WRITE = st.floats(1.0, 600.0)
RESTART = st.floats(0.0, 3600.0)


def test_a_thousand_accelerators_fail_as_published():
    """3.8 failures per 1000 node-days and 128 nodes: one in about 49 hours."""
    mtbf = reliability.cluster_mtbf_seconds(128.0, 3.8 / 1000 / DAY)
    assert mtbf / HOUR == pytest.approx(49.3, abs=0.1)


def test_sixteen_thousand_accelerators_fail_as_projected():
    assert reliability.cluster_mtbf_seconds(2048.0, 6.5 / 1000 / DAY) / HOUR == pytest.approx(1.8, abs=0.01)


@given(st.floats(1.0, 1e5), st.floats(1e-12, 1e-5))
def test_twice_the_nodes_fail_twice_as_often(nodes, rate):
    single = reliability.cluster_mtbf_seconds(nodes, rate)
    assert 2 * reliability.cluster_mtbf_seconds(2 * nodes, rate) == pytest.approx(single)


@given(MTBF)
def test_pessimism_never_lengthens_the_time_between_failures(mtbf):
    assert reliability.pessimistic_mtbf_seconds(mtbf, 1.0) == mtbf
    assert reliability.pessimistic_mtbf_seconds(mtbf, 4.0) < mtbf


def test_the_interval_of_a_thousand_cards_is_as_noted():
    young = reliability.young_interval_seconds(180.0, 29 * HOUR)
    assert young / HOUR == pytest.approx(1.7, abs=0.01)


@given(WRITE, MTBF)
def test_the_higher_order_interval_is_near_to_the_first_for_short_writes(write, mtbf):
    if write < mtbf / 1000:
        young = reliability.young_interval_seconds(write, mtbf)
        assert reliability.checkpoint_interval_seconds(write, mtbf) == pytest.approx(young, rel=0.05)


@given(WRITE, st.floats(1e4, 1e8))
def test_no_other_interval_has_more_goodput(write, mtbf):
    best = reliability.checkpoint_interval_seconds(write, mtbf)
    top = reliability.goodput(best, write, 0.0, mtbf)
    for factor in (0.5, 0.8, 1.25, 2.0):
        assert reliability.goodput(best * factor, write, 0.0, mtbf) <= top * (1 + 1e-6)


@given(st.floats(0.001, 0.5))
def test_the_interval_is_within_one_percent_of_the_exact_optimum(share):
    write, mtbf = share, 1.0
    candidates = np.linspace(1e-4, 1.0, 20_001)
    exact = candidates[np.argmax(reliability.goodput(candidates, write, 0.0, mtbf))]
    told = reliability.checkpoint_interval_seconds(write, mtbf)
    assert told == pytest.approx(exact, rel=0.01, abs=1e-3) or (
        reliability.goodput(told, write, 0.0, mtbf)
        == pytest.approx(reliability.goodput(exact, write, 0.0, mtbf), rel=1e-4)
    )


@given(WRITE, RESTART, MTBF)
def test_longer_between_failures_never_less_goodput(write, restart, mtbf):
    def at(between):
        return reliability.goodput(reliability.checkpoint_interval_seconds(write, between), write, restart, between)

    assert at(2 * mtbf) >= at(mtbf) * (1 - 1e-9)


def test_goodput_goes_to_one_as_failures_vanish():
    mtbf = 1e26
    interval = reliability.checkpoint_interval_seconds(60.0, mtbf)
    assert reliability.goodput(interval, 60.0, 300.0, mtbf) == pytest.approx(1.0, abs=1e-9)


@given(st.floats(10.0, 1e5), WRITE, RESTART, MTBF)
def test_goodput_is_a_share(interval, write, restart, mtbf):
    assert 0.0 <= reliability.goodput(interval, write, restart, mtbf) <= 1.0


def play(interval, write, restart, mtbf, failures, seed):
    """Play a job until it met some failures; return kept work over time."""
    random = np.random.default_rng(seed)
    now, kept = 0.0, 0.0
    for gap in random.exponential(mtbf, failures):
        cycles = math.floor(gap / (interval + write))
        kept += cycles * interval
        now += gap
        wait = restart
        while (again := random.exponential(mtbf)) < wait:
            now += again
        now += wait
    return kept / now


@pytest.mark.parametrize(
    ("interval", "write", "restart", "mtbf"),
    [(1000.0, 60.0, 300.0, 20_000.0), (3000.0, 180.0, 600.0, 8000.0), (500.0, 30.0, 900.0, 5000.0)],
)
def test_goodput_agrees_with_a_played_job(interval, write, restart, mtbf):
    played = play(interval, write, restart, mtbf, 100_000, seed=1)
    assert reliability.goodput(interval, write, restart, mtbf) == pytest.approx(played, rel=0.02)


def test_half_of_jobs_finish_by_the_mean():
    assert reliability.finish_seconds(9e5, 0.9, 1000.0, 1e4, 0.0) == pytest.approx(1e6)


@given(st.floats(1e5, 1e8), st.floats(0.3, 1.0), st.floats(10.0, 1e4), MTBF)
def test_surer_quantiles_come_later(work, share, lost, mtbf):
    median, late, latest = (reliability.finish_seconds(work, share, lost, mtbf, z) for z in (0.0, 0.84, 1.64))
    assert median <= late <= latest


def test_finish_quantiles_agree_with_played_jobs():
    """A month of work, a failure in 8 hours: P80 and P95 of played jobs within 1 % of the mean."""
    interval, write, restart, mtbf = 2000.0, 60.0, 600.0, 8 * HOUR
    random = np.random.default_rng(3)
    work = 20 * DAY
    share = reliability.goodput(interval, write, restart, mtbf)
    mean = work / share
    failures = random.poisson(mean / mtbf, 20_000)
    lost = np.array([np.sum(restart + random.uniform(0.0, interval + write, n)) for n in failures])
    times = work * (interval + write) / interval + lost
    cost = reliability.lost_seconds(interval, write, restart)
    for z, quantile in ((0.8416, 0.80), (1.6449, 0.95)):
        told = reliability.finish_seconds(work, share, cost, mtbf, z)
        assert told == pytest.approx(np.quantile(times, quantile), rel=0.01)


def test_the_cost_of_a_failure_is_its_root_mean_square():
    random = np.random.default_rng(5)
    costs = 300.0 + random.uniform(0.0, 1060.0, 1_000_000)
    assert reliability.lost_seconds(1000.0, 60.0, 300.0) == pytest.approx(np.sqrt(np.mean(costs**2)), rel=0.01)
