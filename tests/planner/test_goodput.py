"""The share of time that training makes progress: more failures, more nodes or slower recovery never raise it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner import sample

from suanli.catalogue.load import catalogue
from suanli.domain.scenario import FailurePreset, Reliability
from suanli.estimate.wall_clock import NODE_ACCELERATORS
from suanli.foundation.calendar import SECONDS_PER_MONTH
from suanli.planner.goodput import Interruptions, interruptions
from suanli.planner.ground import lay_ground

KNOWN = catalogue()
FOREIGN, DOMESTIC = KNOWN.systems["dgx-a100-640"], KNOWN.systems["atlas-800t-a2"]
RACK = KNOWN.systems["gb200-nvl72"]
RATES = st.floats(1e-4, 10.0).map(lambda a_month: a_month / SECONDS_PER_MONTH)
SECONDS = st.floats(1.0, 1800.0)
SIZES = st.integers(1, 512)


def fleet(rate, domestic=None, checkpoint=60.0, restart=600.0, given_share=None):
    return Interruptions(
        given=given_share,
        failures_per_s=rate,
        domestic_failures_per_s=rate if domestic is None else domestic,
        checkpoint_seconds=checkpoint,
        restart_seconds=restart,
    )


@given(rate=RATES, more=st.floats(1.0, 100.0), systems=SIZES)
def test_more_failures_never_make_more_progress(rate, more, systems):
    assert fleet(rate * more).goodput(FOREIGN, systems) <= fleet(rate).goodput(FOREIGN, systems) + 1e-12


@given(rate=RATES, systems=SIZES, more=SIZES)
def test_more_systems_fail_more_often(rate, systems, more):
    assert fleet(rate).goodput(FOREIGN, systems + more) <= fleet(rate).goodput(FOREIGN, systems) + 1e-12


@given(rate=RATES, systems=SIZES, checkpoint=SECONDS, restart=SECONDS, more=st.floats(1.0, 10.0))
def test_slower_recovery_never_helps(rate, systems, checkpoint, restart, more):
    plain = fleet(rate, checkpoint=checkpoint, restart=restart).goodput(FOREIGN, systems)
    assert fleet(rate, checkpoint=checkpoint * more, restart=restart).goodput(FOREIGN, systems) <= plain + 1e-12
    assert fleet(rate, checkpoint=checkpoint, restart=restart * more).goodput(FOREIGN, systems) <= plain + 1e-12


@given(rate=RATES, systems=SIZES, checkpoint=SECONDS, restart=SECONDS)
def test_progress_is_a_share(rate, systems, checkpoint, restart):
    assert 0.0 <= fleet(rate, checkpoint=checkpoint, restart=restart).goodput(FOREIGN, systems) <= 1.0


@given(share=st.floats(0.01, 1.0), systems=SIZES, rate=RATES)
def test_a_share_that_was_given_wins_whatever_fails(share, systems, rate):
    for system in (FOREIGN, DOMESTIC, RACK):
        assert fleet(rate, given_share=share).goodput(system, systems) == share


@given(rate=RATES, systems=SIZES)
def test_a_rack_counts_as_so_many_nodes_of_eight(rate, systems):
    nodes = RACK.accelerators // NODE_ACCELERATORS
    assert RACK.accelerators == nodes * NODE_ACCELERATORS
    assert fleet(rate).goodput(RACK, systems) == pytest.approx(fleet(rate).goodput(FOREIGN, nodes * systems))


def test_domestic_systems_fail_at_their_own_rate():
    made = fleet(1e-7, domestic=1e-5)
    assert made.goodput(DOMESTIC, 64) < made.goodput(FOREIGN, 64)


def read(**said):
    return interruptions(lay_ground(sample.scenario(reliability=Reliability(**said))))


def test_a_worse_fleet_makes_less_progress():
    shares = [read(failures=preset).goodput(FOREIGN, 64) for preset in FailurePreset]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_silence_stands_for_a_middling_fleet_and_is_noted():
    ground = lay_ground(sample.scenario())
    assert interruptions(ground) == read(failures=FailurePreset.MIDDLE)
    assert {"failures.middle", "failures.domestic", "recovery.restart", "recovery.checkpoint_write"} == set(ground.used)


def test_a_share_that_was_given_rests_on_no_assumption():
    ground = lay_ground(sample.scenario(reliability=Reliability(training_goodput=0.8)))
    assert interruptions(ground).goodput(DOMESTIC, 1000) == 0.8
    assert ground.used == {}


@pytest.mark.parametrize("preset", FailurePreset)
def test_a_domestic_fleet_is_never_held_for_better_than_its_preset(preset):
    made = read(failures=preset)
    assert made.domestic_failures_per_s >= made.failures_per_s
