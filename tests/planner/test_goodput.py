"""The share of time that training makes progress: the wall clock's own, and worse fleets never make more of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner import sample

from suanli.catalogue.load import catalogue
from suanli.domain.layout import Layout
from suanli.domain.result import Band, TrainingEstimate
from suanli.domain.scenario import FailurePreset, Reliability
from suanli.domain.wall_clock import Upkeep
from suanli.estimate.wall_clock import FLEET_FIGURES, NODE_ACCELERATORS, PACE, SAVING, RunJob, wall_clock
from suanli.foundation.errors import InfeasibleError
from suanli.planner.goodput import interruptions
from suanli.planner.ground import lay_ground

KNOWN = catalogue()
FOREIGN, DOMESTIC = KNOWN.systems["dgx-a100-640"], KNOWN.systems["atlas-800t-a2"]
RACK = KNOWN.systems["gb200-nvl72"]
SIZES = st.integers(1, 512)
STEP = TrainingEstimate(
    layout=Layout(), step_seconds=10.0, tokens_per_s=4e5, mfu=0.4, seconds_by_cause={"matmul": 9.6, "stragglers": 0.4},
    memory_bytes=6e10, bytes_by_cause={}, band=Band(low=9.0, high=11.0), memory_band=Band(low=5e10, high=7e10),
)  # fmt: skip


def job(system=FOREIGN, systems=64, steps=1e6):
    return RunJob(estimate=STEP, steps=steps, tokens=steps * 4e6, parameters=7e10, system=system, systems=systems,
                  upkeep=Upkeep())  # fmt: skip


def read(**said):
    return interruptions(lay_ground(sample.scenario(reliability=Reliability(**said))))


def fleet(**values):
    plain = read()
    return replace(plain, values={**plain.values, **{name.replace("__", "."): value for name, value in values.items()}})


@pytest.mark.parametrize("system", [FOREIGN, DOMESTIC, RACK])
@pytest.mark.parametrize("preset", FailurePreset)
@given(systems=SIZES, steps=st.floats(1.0, 1e7))
def test_a_plan_and_a_run_have_the_same_goodput(system, preset, systems, steps):
    """One home: jitter, slow nodes, checkpoints, lost work, restarts and repairs are the wall clock's."""
    run = replace(job(system, systems, steps), upkeep=Upkeep(failures=preset.value))
    assert read(failures=preset).goodput(run) == pytest.approx(wall_clock(run).goodput)


@pytest.mark.parametrize("name", [*PACE, *SAVING, "failures.middle", "recovery.restart"])
@pytest.mark.parametrize("more", [1.5, 2.0])
def test_what_costs_a_run_time_costs_a_plan_time(name, more):
    plain, large = read(), job(systems=512)
    moved = replace(plain, values={**plain.values, name: plain.values[name] * more})
    faster = name in ("checkpoint.storage_per_node", "checkpoint.host_copy")
    change = moved.goodput(large) - plain.goodput(large)
    assert change > 0 if faster else change < 0


@given(systems=SIZES, more=SIZES)
def test_more_systems_never_leave_more_of_the_time(systems, more):
    few, many = (read().goodput(job(systems=count)) for count in (systems, systems + more))
    assert many <= few + 2e-3  # many write one checkpoint faster than few, which gives a little back


@given(share=st.floats(0.01, 1.0), systems=SIZES)
def test_a_share_that_was_given_wins_whatever_fails(share, systems):
    for system in (FOREIGN, DOMESTIC, RACK):
        assert read(training_goodput=share).goodput(job(system, systems)) == share


@given(systems=SIZES)
def test_a_rack_counts_as_so_many_nodes_of_eight(systems):
    nodes = RACK.accelerators // NODE_ACCELERATORS
    assert RACK.accelerators == nodes * NODE_ACCELERATORS
    assert read().goodput(job(RACK, systems)) == pytest.approx(read().goodput(job(FOREIGN, nodes * systems)))


def test_domestic_systems_fail_at_their_own_rate():
    assert read().goodput(job(DOMESTIC)) < read().goodput(job(FOREIGN))
    better = fleet(failures__domestic=1e-9)
    assert better.goodput(job(DOMESTIC)) > read().goodput(job(DOMESTIC))


def test_a_worse_fleet_makes_less_progress():
    shares = [read(failures=preset).goodput(replace(job(), upkeep=Upkeep(failures=preset.value)))
              for preset in FailurePreset]  # fmt: skip
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_silence_stands_for_a_middling_fleet_and_is_noted():
    ground = lay_ground(sample.scenario())
    assert interruptions(ground) == read(failures=FailurePreset.MIDDLE)
    assert {"failures.middle", "failures.domestic", "recovery.restart", *FLEET_FIGURES} == set(ground.used)


def test_a_share_that_was_given_rests_on_no_assumption():
    ground = lay_ground(sample.scenario(reliability=Reliability(training_goodput=0.8)))
    assert interruptions(ground).goodput(job(DOMESTIC, 1000)) == 0.8
    assert ground.used == {}


def test_a_run_that_never_ends_is_told():
    with pytest.raises(InfeasibleError, match="never ends"):
        fleet(recovery__restart=1e9).goodput(job(systems=512))
