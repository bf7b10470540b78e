"""Energy of a run: computing draws the peak, waiting less, and the site adds its share to all of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS, cluster_of, setup_of, small_model

from suanli.catalogue.assumptions import assumption
from suanli.catalogue.find import system
from suanli.domain.layout import Layout
from suanli.domain.wall_clock import Upkeep
from suanli.estimate.compose import CAUSES
from suanli.estimate.energy import AT_REST, drawn_by, greatest_watts, pue_of, run_activity, step_activity
from suanli.estimate.training import estimate_layout
from suanli.estimate.wall_clock import RunJob, wall_clock

SECONDS = st.fixed_dictionaries({cause: st.floats(0.0, 10.0) for cause in CAUSES if cause != "matmul"})
BOX = system("dgx-a100-640")
PEAK = BOX.power_watts.value
IDLE, TRAFFIC = (assumption(f"power_draw.{name}").value for name in ("idle", "traffic"))


def told(layout, nodes=2):
    """Estimate a step of a wide model, and a run of many of them."""
    setup = setup_of(small_model(layers=16, hidden=4096, heads=32), batch=64)
    one = estimate_layout(setup, cluster_of(nodes), layout, KERNELS)
    job = RunJob(estimate=one, steps=1e5, tokens=1e10, parameters=3e9, system=BOX, systems=nodes, upkeep=Upkeep())
    return one, wall_clock(job)


@given(SECONDS)
def test_a_step_is_shared_out_into_work_traffic_and_rest(seconds):
    found = step_activity({**seconds, "matmul": 1.0})
    assert 0 < found.working <= 1
    assert 0 <= found.sending < 1
    assert found.working + found.sending <= 1 + 1e-12


def test_causes_of_rest_are_causes_of_a_step():
    assert set(AT_REST) <= set(CAUSES)


def test_a_step_of_nothing_but_products_draws_the_peak():
    _, clock = told(Layout(data=16))
    clock = replace(clock, seconds_by_cause={**dict.fromkeys(clock.seconds_by_cause, 0.0), "work": clock.wall_seconds})
    found = drawn_by(BOX, 2, {"matmul": 3.0}, clock, "world")
    assert found.system_watts == pytest.approx(2 * PEAK)
    resting = drawn_by(BOX, 2, {"matmul": 1e-12, "bubble": 3.0}, clock, "world")
    assert resting.system_watts == pytest.approx(2 * PEAK * IDLE)
    sending = drawn_by(BOX, 2, {"matmul": 1e-12, "tensor_exposed": 3.0}, clock, "world")
    assert sending.system_watts == pytest.approx(2 * PEAK * TRAFFIC)


def test_a_bubble_takes_longer_and_draws_less():
    (flat, flat_clock), (deep, deep_clock) = told(Layout(data=16)), told(Layout(data=2, pipeline=8))
    plain = drawn_by(BOX, 2, flat.seconds_by_cause, flat_clock, "world")
    idle = drawn_by(BOX, 2, deep.seconds_by_cause, deep_clock, "world")
    assert deep.seconds_by_cause["bubble"] / deep.step_seconds > 0.1
    assert idle.system_watts < plain.system_watts
    assert idle.energy_joules > plain.energy_joules


def test_energy_is_power_times_time_times_the_site_s_share():
    one, clock = told(Layout(data=16))
    for region, name in (
        ("china", "pue.china"),
        ("Shanghai", "pue.china"),
        ("us", "pue.us"),
        ("atlantis", "pue.world"),
    ):
        found = drawn_by(BOX, 2, one.seconds_by_cause, clock, region)
        share = assumption(name).value
        assert found.energy_joules == pytest.approx(found.system_watts * share * clock.wall_seconds)
        assert pue_of(region).name == name == found.assumed[-1].name


def test_stops_draw_what_rest_does():
    one, clock = told(Layout(data=16))
    step = step_activity(one.seconds_by_cause)
    run = run_activity(step, clock)
    lost = clock.seconds_by_cause["work"] + clock.seconds_by_cause["lost_work"]
    assert run.working / step.working == pytest.approx(lost / clock.wall_seconds)
    assert run.working < step.working


def test_a_box_whose_power_nobody_printed_draws_what_its_accelerators_and_the_rest_do():
    bare = replace(BOX, power_watts=None)
    watts, names = greatest_watts(bare)
    share = assumption("host.power_of_accelerators").value
    assert watts == pytest.approx(8 * BOX.accelerator.power_watts.value * share)
    assert names == ("host.power_of_accelerators",)
    unknown = replace(bare, accelerator=replace(BOX.accelerator, power_watts=None))
    assert greatest_watts(unknown) is None
    assert drawn_by(unknown, 1, {"matmul": 1.0}, told(Layout(data=16))[1], "world") is None
