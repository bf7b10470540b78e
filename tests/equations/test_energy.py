"""Energy keeps its rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.equations import energy

WATTS = st.floats(1.0, 1e7)
SHARE = st.floats(0.0, 1.0)
JOULES_PER_KWH = 3.6e6


@given(WATTS, st.floats(1.0, 3.0))
def test_a_site_draws_at_least_what_its_systems_draw(watts, pue):
    assert energy.facility_watts(watts, pue) >= watts
    assert energy.facility_watts(watts, 1.0) == watts


@given(WATTS, SHARE, SHARE, SHARE, SHARE)
def test_mean_power_lies_between_rest_and_peak(watts, idle, more, used, rest):
    traffic, sending = idle + more * (1 - idle), rest * (1 - used)
    mean = energy.drawn_watts(watts, idle, traffic, used, sending)
    assert idle * watts * (1 - 1e-12) <= mean <= watts * (1 + 1e-12)


@given(WATTS, SHARE)
def test_full_work_draws_the_peak(watts, idle):
    assert energy.drawn_watts(watts, idle, idle, 1.0, 0.0) == pytest.approx(watts)


@given(WATTS, SHARE, SHARE)
def test_traffic_that_draws_like_rest_is_rest(watts, idle, sending):
    assert energy.drawn_watts(watts, idle, idle, 0.0, sending) == pytest.approx(idle * watts)


@given(WATTS, st.floats(1.0, 1e8))
def test_energy_adds_up_over_time(watts, seconds):
    whole = energy.energy_joules(watts, seconds)
    assert 2 * energy.energy_joules(watts, seconds / 2) == pytest.approx(whole)


def test_a_kilowatt_over_an_hour_is_a_kilowatt_hour():
    assert energy.energy_joules(1000.0, 3600.0) == JOULES_PER_KWH


def test_a_box_over_a_month_costs_what_the_meter_says():
    joules = energy.energy_joules(energy.facility_watts(6500.0, 1.42), 730 * 3600.0)
    assert energy.energy_cost(joules, 0.65 / JOULES_PER_KWH) == pytest.approx(6.5 * 1.42 * 730 * 0.65)


@given(st.floats(0.0, 1e12), st.floats(0.0, 1e-6))
def test_carbon_grows_with_energy(joules, intensity):
    assert energy.carbon_kilograms(2 * joules, intensity) == pytest.approx(
        2 * energy.carbon_kilograms(joules, intensity)
    )
