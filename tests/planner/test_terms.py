"""The terms of holding a system: prices carried then flat, shares beside them, running costs, resale."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner import sample

from suanli.catalogue.load import catalogue
from suanli.domain.scenario import Costs, Site
from suanli.foundation.calendar import SECONDS_PER_MONTH
from suanli.planner import terms
from suanli.planner.ground import lay_ground

KNOWN = catalogue()
BOX = KNOWN.systems["dgx-a800-640"]


def ground(**changes):
    return lay_ground(sample.scenario(**changes))


def noted(made):
    return set(made.used)


@given(price=st.floats(1.0, 1e9), trend=st.floats(-0.1, 0.1))
def test_a_price_is_carried_along_its_trend_and_then_stays_flat(price, trend):
    made = ground()
    path = terms.price_path(made, price, trend)
    carried = made.figures["market.carry"].value / SECONDS_PER_MONTH
    for month, paid in enumerate(path, start=1):
        assert paid == pytest.approx(price * (1 + trend) ** min(month, carried), rel=1e-9)
    flat = [paid for month, paid in enumerate(path, start=1) if month >= carried]
    assert len(flat) >= 2
    assert max(flat) == pytest.approx(min(flat))
    assert "market.carry" in noted(made)


@given(price=st.floats(1.0, 1e9))
def test_a_price_without_a_trend_is_the_same_every_month(price):
    assert terms.price_path(ground(), price, 0.0) == (price,) * 12


def test_a_plan_that_begins_in_the_month_of_the_market_pays_todays_price():
    assert terms.price_path(ground(as_of="2024-01-31"), 100.0, 0.05)[0] == 100.0


def test_a_plan_that_begins_before_the_market_does_not_discount_backwards():
    """Months before the date of the market pay its price, not one of a past that nobody asked about."""
    assert terms.price_path(ground(as_of="2024-04"), 100.0, 0.05)[:4] == (100.0,) * 4


@given(shares=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)), price=st.floats(1.0, 1e8))
def test_shares_that_are_said_are_taken_and_not_noted_as_assumed(shares, price):
    made = ground(costs=Costs(network_share=shares[0], storage_share=shares[1]))
    paid = terms.beside(made, (price,) * 12)
    assert paid["network"][0] == pytest.approx(price * shares[0])
    assert paid["storage"][0] == pytest.approx(price * shares[1])
    assert noted(made) == {"share_of_server_cost.installation"}


def test_shares_that_nobody_said_are_assumed_and_noted():
    made = ground()
    paid = terms.beside(made, (100.0,) * 12)
    assert all(0.0 < line[0] < 100.0 for line in paid.values())
    assert noted(made) == {f"share_of_server_cost.{name}" for name in ("network", "storage", "installation")}


def test_a_share_of_nothing_is_no_silence():
    paid = terms.beside(ground(costs=Costs(network_share=0.0, storage_share=0.0)), (100.0,) * 12)
    assert paid["network"] == paid["storage"] == (0.0,) * 12


@pytest.mark.parametrize("name", sorted(KNOWN.systems))
def test_every_system_draws_power_and_takes_room(name):
    made = ground()
    system = KNOWN.systems[name]
    assert terms.watts_of(made, system) >= 0.0
    assert math.isfinite(terms.watts_of(made, system))
    assert terms.rack_units_of(made, system) > 0.0
    if system.power_watts is None and system.accelerator.power_watts is not None:
        assert "host.power_of_accelerators" in noted(made)
        assert terms.watts_of(made, system) > system.accelerators * system.accelerator.power_watts.value
    if system.rack_units is None:
        assert "host.rack_units" in noted(made)


def running(system=BOX, **changes):
    return terms.running_cost(ground(**changes), system, (1e6,) * 12)


@given(pue=st.floats(1.0, 2.0), price=st.floats(1e-9, 1e-6))
def test_power_costs_what_the_meter_counts(pue, price):
    made = ground(site=Site(pue=pue, power_price_per_joule=price))
    paid = terms.running_cost(made, BOX, (1e6,) * 12)["power"][0]
    drawn = terms.watts_of(made, BOX) * made.figures["power_draw.training"].value * pue
    assert paid == pytest.approx(drawn * SECONDS_PER_MONTH * price)
    assert "power_price" not in noted(made)


def test_a_power_price_that_nobody_said_is_the_regions_and_noted():
    made = ground(site=Site(pue=1.2))
    assert terms.running_cost(made, BOX, (1e6,) * 12)["power"][0] > 0.0
    assert "power_price" in noted(made)
    assert made.figures["power_price"].unit.startswith("CNY/")


def test_people_are_paid_with_each_system_only_where_none_are_named():
    assert "staff" not in running()
    alone = ground(staff=None)
    paid = terms.running_cost(alone, BOX, (1e6,) * 12)
    assert paid["staff"][0] > 0.0
    assert {"staff", "staffing.systems_per_operator"} <= noted(alone)


def test_room_and_upkeep_are_paid_where_they_are_said():
    plain = running()
    assert set(plain) == {"power"}
    site = Site(pue=1.4, power_price_per_joule=1e-7, colocation_per_watt_month=0.5)
    whole = running(site=site, costs=Costs(maintenance_share_per_year=0.12))
    assert whole["colocation"][0] == pytest.approx(0.5 * BOX.power_watts.value)
    assert whole["maintenance"][0] == pytest.approx(1e6 * 0.12 / 12)


@given(loss=st.floats(0.0, 0.9), leads=st.integers(0, 6))
def test_a_system_loses_the_share_that_was_said_for_each_year(loss, leads):
    made = ground(costs=Costs(resale_loss_per_year=loss))
    back = terms.resale(made, (100.0,) * 12, (leads,) * 12)
    assert back[0] == pytest.approx(100.0 * (1 - loss) ** ((12 - leads) / 12))
    assert list(back) == sorted(back)
    assert max(back) <= 100.0 + 1e-9
    assert noted(made) == set()


def test_a_loss_that_nobody_said_is_assumed_by_age_and_noted():
    made = ground()
    back = terms.resale(made, (100.0,) * 12, (0,) * 12)
    assert noted(made) == {f"resale.after_{year}_year{'s' if year > 1 else ''}" for year in range(1, 6)}
    assert all(0.0 < value < 100.0 for value in back)


def test_what_arrives_after_the_plan_is_sold_as_new_as_may_be():
    made = ground(costs=Costs(resale_loss_per_year=0.5))
    assert terms.resale(made, (100.0,) * 12, (24,) * 12) == (100.0,) * 12


SHARES = st.lists(st.floats(0.0, 1.0), min_size=5, max_size=5).map(lambda some: sorted(some, reverse=True))


@given(shares=SHARES, ages=st.lists(st.floats(0.0, 20.0), min_size=2, max_size=2))
def test_an_older_system_never_fetches_more(shares, ages):
    young, old = sorted(ages)
    assert terms.share_at(young, shares) >= terms.share_at(old, shares) - 1e-12


@given(shares=SHARES, year=st.integers(1, 5))
def test_a_share_is_read_off_at_whole_years(shares, year):
    assert terms.share_at(float(year), shares) == pytest.approx(shares[year - 1])


def test_a_figure_nobody_has_is_no_silent_default():
    with pytest.raises(KeyError):
        ground().value("no.such_figure")


@pytest.mark.parametrize(("currency", "rate"), [("CNY", 1.0), ("USD", 1 / 7.0), ("EUR", 1 / 8.0)])
def test_local_figures_are_in_the_scenarios_currency_at_its_own_rate(currency, rate):
    exchange = {"CNY": rate, "USD": 1.0, currency: 1.0}
    there = lay_ground(sample.scenario(currency=currency, exchange=exchange)).figures
    here = lay_ground(sample.scenario()).figures
    for name in ("power_price", "staff"):
        assert there[name].unit == here[name].unit.replace("CNY", currency)
        assert there[name].value == pytest.approx(here[name].value * rate, rel=1e-9)
        assert there[name].low <= there[name].value <= there[name].high


@pytest.mark.parametrize("region", ["China", "US", "Europe", "world", "Mars"])
def test_every_region_has_a_power_price_and_people(region):
    figures = lay_ground(sample.scenario(region=region)).figures
    assert figures["power_price"].value > 0
    assert figures["staff"].value > 0


def test_every_assumed_figure_has_a_range_that_holds_it_and_a_known_source():
    for name, figure in ground().figures.items():
        assert figure.low <= figure.value <= figure.high, name
        assert figure.source in KNOWN.sources, name


def test_a_figure_that_is_used_twice_is_noted_once():
    made = ground()
    made.value("planning.confidence")
    made.value("planning.confidence")
    assert list(made.used) == ["planning.confidence"]
    assert replace(made).used is made.used
