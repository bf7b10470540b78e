"""Fleets over hours: every hour is held and one replica less would not do; the mix is the cheapest of all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.estimate.serving_curve import Kind, cheapest_mix, fleet_of_counts, hourly_fleet

TOGETHER = Kind(rate_per_s=3.0, accelerators=2.0, per_system=8.0)
APART = Kind(rate_per_s=5.0, accelerators=4.0, per_system=8.0, prefill_rate_per_s=2.0, prefill_accelerators=1.0)
RATES = st.lists(st.floats(0.0, 200.0), min_size=1, max_size=48).map(np.array)


@settings(max_examples=60, deadline=None)
@given(rates=RATES, headroom=st.floats(0.0, 0.6))
@pytest.mark.parametrize("kind", [TOGETHER, APART])
def test_each_hour_is_held_and_one_less_would_not(kind, rates, headroom):
    found = hourly_fleet(kind, rates, headroom)
    kept = 1 - headroom
    assert (found.most_per_s * kept >= rates * (1 - 1e-9)).all()
    fewer = found.replicas > 1
    assert ((found.replicas - 1)[fewer] * kind.rate_per_s * kept < rates[fewer]).all()
    if kind.prefill_rate_per_s:
        fewer = found.prefills > 1
        assert ((found.prefills - 1)[fewer] * kind.prefill_rate_per_s * kept < rates[fewer]).all()
    assert (found.replicas >= 1).all()


def test_pools_of_an_hour_do_what_the_slower_does():
    found = fleet_of_counts(APART, np.array([2.0]), np.array([1.0]))
    assert found.most_per_s[0] == 4.0
    assert found.systems[0] == 1


@settings(max_examples=60, deadline=None)
@given(
    systems=st.lists(st.integers(0, 30), min_size=1, max_size=48),
    month=st.floats(1.0, 1e4),
    ratio=st.floats(0.2, 5.0),
)
def test_no_other_base_is_cheaper(systems, month, ratio):
    columns, hours = np.array(systems, dtype=float), 730.0
    hour = month / hours * ratio
    found = cheapest_mix(columns, month, hour, hours)

    def amount(base):
        return base * month + sum(max(one - base, 0) for one in systems) / len(systems) * hours * hour

    assert found.amount == pytest.approx(amount(found.base))
    assert found.amount <= min(amount(base) for base in range(max(systems) + 1)) * (1 + 1e-9)


def test_what_is_never_cheaper_by_the_hour_is_held_whole():
    assert cheapest_mix(np.array([1.0, 4.0]), 100.0, None, 730.0).base == 4
    assert cheapest_mix(np.array([4.0, 4.0]), 100.0, 1.0, 730.0).base == 4
    assert cheapest_mix(np.array([0.0, 4.0]), 100.0, 0.1, 730.0).base == 0


def test_what_the_next_hour_adds_is_paid_while_it_starts():
    columns = np.array([1.0, 3.0, 2.0])  # two are added for the second hour; none for the third; the first follows it
    at_once = cheapest_mix(columns, 1e9, 1.0, 3.0)
    started = cheapest_mix(columns, 1e9, 1.0, 3.0, start_share=0.25)
    assert at_once.top_system_hours == pytest.approx(6.0)
    assert started.top_system_hours == pytest.approx(6.0 + 0.25 * 2)
