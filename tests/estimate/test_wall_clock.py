"""A whole run on the wall's clock: its parts sum up, limits hold, and published runs come out as they went."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue.assumptions import assumption
from suanli.catalogue.load import catalogue
from suanli.domain.layout import Layout
from suanli.domain.result import Band, TrainingEstimate
from suanli.domain.wall_clock import Recovery, Saving, Upkeep
from suanli.estimate import wall_clock
from suanli.estimate.wall_clock import CAUSES, RunJob
from suanli.foundation.errors import InfeasibleError

SYSTEMS = catalogue().systems
DAY = 86400.0
STEP = TrainingEstimate(
    layout=Layout(), step_seconds=10.0, tokens_per_s=4e5, mfu=0.4, seconds_by_cause={"matmul": 9.6, "stragglers": 0.4},
    memory_bytes=6e10, bytes_by_cause={}, band=Band(low=9.0, high=11.0), memory_band=Band(low=5e10, high=7e10),
)  # fmt: skip
PLAIN = RunJob(
    estimate=STEP, steps=54 * DAY / 10, tokens=54 * DAY * 4e5, parameters=4.05e11, system=SYSTEMS["dgx-h100"],
    systems=2048, upkeep=Upkeep(),
)  # fmt: skip


def kept(**said):
    return replace(PLAIN, upkeep=Upkeep(**said))


@given(
    systems=st.integers(1, 8192),
    failures=st.sampled_from(["good", "middle", "young"]),
    saving=st.sampled_from(Saving),
    recovery=st.sampled_from(Recovery),
    steps=st.floats(1.0, 1e7),
)
def test_seconds_by_cause_sum_to_the_whole(systems, failures, saving, recovery, steps):
    upkeep = Upkeep(failures=failures, saving=saving, recovery=recovery)
    found = wall_clock.wall_clock(replace(PLAIN, systems=systems, steps=steps, upkeep=upkeep))
    assert set(found.seconds_by_cause) == set(CAUSES)
    assert min(found.seconds_by_cause.values()) >= 0
    assert sum(found.seconds_by_cause.values()) == pytest.approx(found.wall_seconds)
    assert found.steady_seconds == pytest.approx(steps * STEP.step_seconds)
    assert found.goodput == pytest.approx(found.steady_seconds / found.wall_seconds)
    assert found.wall_seconds == found.p50_seconds < found.p80_seconds < found.p95_seconds


def test_stragglers_of_the_step_are_told_apart():
    found = wall_clock.wall_clock(PLAIN)
    assert found.seconds_by_cause["stragglers"] == pytest.approx(PLAIN.steps * 0.4)
    assert found.seconds_by_cause["work"] == pytest.approx(PLAIN.steps * 9.6)


def test_a_fleet_that_never_fails_only_saves_and_jitters():
    values = {key: assumption(name).value for key, name in wall_clock.names_of(PLAIN).items()}
    values |= {"failures": 1e-30, "cluster.jitter": 0.0, "cluster.unnoticed": 0.0}
    terms = wall_clock.terms_of(PLAIN, values)
    causes = wall_clock.causes_of(PLAIN, terms, values)
    assert sum(causes.values()) == pytest.approx(PLAIN.steps * STEP.step_seconds, rel=1e-6)


@given(st.integers(1, 4096))
def test_more_nodes_never_leave_more_goodput(systems):
    few, many = (wall_clock.wall_clock(replace(PLAIN, systems=count)).goodput for count in (systems, 2 * systems))
    assert many <= few + 1e-3  # many write one checkpoint faster than few, which gives a little back


def test_worse_fleets_take_longer():
    found = [wall_clock.wall_clock(kept(failures=preset)).wall_seconds for preset in ("good", "middle", "young")]
    assert found == sorted(found)
    assert wall_clock.wall_clock(kept(recovery=Recovery.MANUAL)).wall_seconds > 2 * found[1]
    assert wall_clock.wall_clock(kept(saving=Saving.BLOCKING)).wall_seconds > found[1]


@given(st.integers(0, 60))
def test_another_spare_node_never_costs_time(spares):
    fewer, more = (wall_clock.wall_clock(kept(spares=count)) for count in (spares, spares + 1))
    assert more.wall_seconds <= fewer.wall_seconds
    assert (fewer.spares, more.spares) == (spares, spares + 1)


def test_the_usual_spares_make_waiting_rare():
    """In a run of years, which has forgotten that it began with no node in repair."""
    long = replace(PLAIN, steps=100 * PLAIN.steps)
    found = wall_clock.wall_clock(long)
    fewer = wall_clock.wall_clock(replace(long, upkeep=Upkeep(spares=found.spares - 1)))
    limit = assumption("repair.most_waiting").value
    assert found.seconds_by_cause["repairs"] <= limit * found.wall_seconds
    assert fewer.seconds_by_cause["repairs"] > limit * found.wall_seconds


def test_domestic_nodes_fail_at_their_own_rate():
    box = SYSTEMS["atlas-800t-a2"]
    assert wall_clock.rate_name(box, "good") == "failures.domestic"
    assert wall_clock.rate_name(SYSTEMS["dgx-h100"], "good") == "failures.good"


def test_a_run_that_never_ends_is_no_run():
    with pytest.raises(InfeasibleError, match="never ends"):
        wall_clock.wall_clock(replace(kept(recovery=Recovery.MANUAL), systems=2**20))


def test_llama_3_stops_as_often_and_works_as_much_as_it_told():
    """As in arXiv 2407.21783: 419 unplanned stops in 54 days on 16,384 H100, more than 90 % effective training time."""
    found = wall_clock.wall_clock(PLAIN)
    assert found.failures * 54 * DAY / found.wall_seconds == pytest.approx(419, rel=0.02)
    slow = sum(found.seconds_by_cause[cause] for cause in ("jitter", "slow_nodes"))
    assert 0.90 < (found.steady_seconds + slow) / found.wall_seconds < 0.97


def test_megascale_works_as_much_as_it_told():
    """As in arXiv 2402.15627: over 90 % on 12,288 accelerators, more than 100 stops in weeks."""
    found = wall_clock.wall_clock(replace(PLAIN, systems=1536, parameters=1.75e11, steps=28 * DAY / 10))
    assert found.failures > 100
    slow = sum(found.seconds_by_cause[cause] for cause in ("jitter", "slow_nodes"))
    assert 0.90 < (found.steady_seconds + slow) / found.wall_seconds < 0.97


def test_a_first_run_mended_by_people_loses_much_of_its_time():
    """As in arXiv 2205.01068: OPT-175B on 992 A100, 33 days of work in about two months."""
    upkeep = Upkeep(failures="young", recovery=Recovery.MANUAL, saving=Saving.BLOCKING)
    job = replace(PLAIN, system=SYSTEMS["dgx-a100-640"], systems=124, parameters=1.75e11, upkeep=upkeep)
    found = wall_clock.wall_clock(replace(job, steps=33 * DAY / 10))
    automatic = wall_clock.wall_clock(
        replace(job, steps=33 * DAY / 10, upkeep=replace(upkeep, recovery=Recovery.AUTOMATIC))
    )
    assert found.goodput < 0.85 < automatic.goodput
    assert math.isfinite(found.p95_seconds)
