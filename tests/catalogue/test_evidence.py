"""How offers become a price: weights, trends, and the choice between ways to a price."""

import datetime
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue.bases import Basis, basis_of, log_error, log_range, surest
from suanli.catalogue.evidence import (
    BAND_DEVIATIONS,
    LogTrend,
    evidence_of,
    months_of,
    price_figure,
    quote,
    trend,
    trend_figure,
)
from suanli.domain.market import Offer, OfferKind
from suanli.foundation.figure import Figure, Kind

TODAY = datetime.date(2024, 6, 30)
FLAT = LogTrend(value=0.0, error=0.03)


def offer(value, date="2024-06-30", name="o1", source="s", low=None, high=None, kind=Kind.ESTIMATE, **more):
    amount = Figure(
        value=value, unit="USD", low=low or value * 0.9, high=high or value * 1.1, kind=kind, source=source, date=date
    )
    plain = {"item": "x", "item_id": "x", "raw_kind": "purchase", "currency": "USD", "per": "system", "region": "US"}
    rest = {"quote": "", "source_url": ""}
    return Offer(id=name, kind=OfferKind.PURCHASE, amount=amount, date=date, **{**plain, **rest, **more})


def evidence(*values_and_dates, series=("a",)):
    return [
        evidence_of(offer(value, date, name=f"o{index}"), 1.0, TODAY, series)
        for index, (value, date) in enumerate(values_and_dates)
    ]


def test_a_factor_scales_the_price_and_leaves_the_spread():
    once, eight = (evidence_of(offer(100.0), factor, TODAY, ()) for factor in (1.0, 8.0))
    assert eight.log_price == pytest.approx(once.log_price + math.log(8))
    assert eight.log_spread == once.log_spread


def test_what_is_told_of_an_earlier_day_is_as_old_as_that_day():
    late = evidence_of(offer(100.0, held="2024-01-01"), 1.0, TODAY, ())
    assert late.age_months == pytest.approx(6, abs=0.1)


def test_what_is_dated_to_a_month_is_of_its_middle():
    assert evidence_of(offer(100.0, date="2024-06"), 1.0, TODAY, ()).age_months == pytest.approx(0.5, abs=0.05)


def test_nothing_is_younger_than_today():
    assert evidence_of(offer(100.0, date="2024-12-31"), 1.0, TODAY, ()).age_months == 0


def test_a_single_offer_of_today_is_the_price():
    told = quote(evidence((100.0, "2024-06-30")), FLAT, 0.0)
    assert math.exp(told.value) == pytest.approx(100.0)
    assert told.age_months == 0


def test_newer_evidence_counts_more():
    told = quote(evidence((200.0, "2024-06-30"), (100.0, "2024-02-28")), FLAT, 0.0)
    assert math.sqrt(100 * 200) < math.exp(told.value) < 200


def test_evidence_beyond_the_window_counts_only_alone():
    both = quote(evidence((200.0, "2024-06-30"), (100.0, "2020-01-01")), FLAT, 0.0)
    assert math.exp(both.value) == pytest.approx(200)
    assert len(both.used) == 1
    alone = quote(evidence((100.0, "2020-01-01")), FLAT, 0.0)
    assert math.exp(alone.value) == pytest.approx(100)


def test_offers_that_disagree_make_a_wider_price():
    agreed = quote(evidence((100.0, "2024-06-30"), (100.0, "2024-06-30")), FLAT, 0.0)
    apart = quote(evidence((50.0, "2024-06-30"), (200.0, "2024-06-30")), FLAT, 0.0)
    assert apart.error > agreed.error
    assert apart.value == pytest.approx(agreed.value)


@given(st.floats(0.0, 0.5), st.floats(0.001, 0.5))
def test_a_less_direct_way_is_less_sure(basis, more):
    near, far = (quote(evidence((100.0, "2024-06-30")), FLAT, error) for error in (basis, basis + more))
    assert far.error > near.error
    assert far.value == near.value


def test_an_old_price_is_carried_along_a_rising_trend_but_not_for_ever():
    rising = LogTrend(value=0.05, error=0.01)
    young, old = (quote(evidence((100.0, date)), rising, 0.0) for date in ("2024-04-30", "2019-01-01"))
    assert 100 < math.exp(young.value) < math.exp(old.value)
    assert math.exp(old.value) == pytest.approx(100 * math.exp(0.05 * months_of("carry")))


def test_a_trend_without_evidence_is_the_prior():
    way = trend([], [])
    assert way.value == 0
    assert way.error == pytest.approx(0.03)


def test_a_steady_rise_is_seen_and_shrunk():
    steps = [(100.0 * 1.05**month, f"2024-{month + 1:02d}-15") for month in range(6)]
    way = trend(evidence(*steps), [])
    assert 0 < way.value < math.log(1.05)
    assert way.error < 0.03


def test_a_trend_runs_through_several_series_of_different_levels():
    steps = [(100.0 * 0.9**month, f"2024-{month + 1:02d}-15") for month in range(6)]
    dear = [(value * 7, date) for value, date in steps]
    one = trend(evidence(*steps), [])
    two = trend(evidence(*steps) + evidence(*dear, series=("b",)), [])
    assert two.value < one.value < 0
    assert two.error < one.error


def test_series_of_one_point_each_tell_no_trend():
    way = trend(evidence((100.0, "2024-01-15")) + evidence((300.0, "2024-06-15"), series=("b",)), [])
    assert way.value == 0


def test_a_printed_change_over_months_is_a_trend():
    change = offer(0.2, date="2023-05-16", held_from="2022-12", held="2023-04")
    way = trend([], [change])
    assert 0.02 < way.value < math.log(1.2) / 4
    assert way.error < 0.03


def test_the_slope_of_noisy_offers_is_hardly_believed():
    noise = [(100.0, "2024-01-15"), (300.0, "2024-02-15"), (50.0, "2024-03-15"), (250.0, "2024-04-15")]
    assert abs(trend(evidence(*noise), []).value) < 0.02


def test_a_price_figure_has_the_source_of_its_newest_evidence():
    older = evidence_of(offer(100.0, "2024-03-01", source="old"), 1.0, TODAY, ())
    newer = evidence_of(offer(110.0, "2024-06-01", source="new"), 1.0, TODAY, ())
    told = price_figure(quote([older, newer], FLAT, 0.0), "USD", "2024-06", estimated=False, note="n")
    assert (told.source, told.kind, told.date, told.note) == ("new", Kind.ESTIMATE, "2024-06", "n")
    assert told.range_given


def test_an_estimated_price_is_of_that_kind_whatever_it_rests_on():
    vendor = [evidence_of(offer(100.0, kind=Kind.VENDOR), 1.0, TODAY, ())]
    assert price_figure(quote(vendor, FLAT, 0.0), "USD", "2024-06", estimated=True, note="").kind is Kind.ESTIMATE
    assert price_figure(quote(vendor, FLAT, 0.0), "USD", "2024-06", estimated=False, note="").kind is Kind.VENDOR


def test_the_band_of_a_price_is_symmetric_in_its_logarithm():
    told = price_figure(quote(evidence((100.0, "2024-06-30")), FLAT, 0.2), "USD", "2024-06", estimated=False, note="")
    assert told.low * told.high == pytest.approx(told.value**2)


def test_a_trend_figure_is_a_relative_change():
    told = trend_figure(LogTrend(value=math.log(1.05), error=0.01), "2024-06", seen=True)
    assert told.value == pytest.approx(0.05)
    assert told.low < 0.05 < told.high
    assert told.kind is Kind.DERIVED
    assert trend_figure(FLAT, "2024-06", seen=False).kind is Kind.ASSUMPTION


def basis(name, value, error, source="s"):
    items = (evidence_of(offer(value, name=name, source=source), 1.0, TODAY, (name,)),)
    return Basis(name=name, evidence=items, error=error, estimated=error > 0), FLAT


def test_no_way_is_no_price():
    assert surest([]) is None


def test_the_surest_way_leads_and_a_poor_one_is_left_out():
    found, _, price = surest([basis("poor", 400.0, 2.0), basis("good", 100.0, 0.0)])
    assert found.name == "good"
    assert math.exp(price.value) == pytest.approx(100.0)
    assert [item.offer.id for item in price.used] == ["good"]


def test_ways_of_like_error_are_weighed_together():
    found, _, price = surest([basis("one", 100.0, 0.1), basis("two", 121.0, 0.1)])
    assert math.exp(price.value) == pytest.approx(110.0)
    assert set(found.name.split("; ")) == {"one", "two"}
    assert len(price.used) == 2


def test_weighing_ways_together_claims_no_more_certainty_than_the_surest():
    _, _, alone = surest([basis("one", 100.0, 0.1)])
    _, _, both = surest([basis("one", 100.0, 0.1), basis("two", 100.0, 0.1)])
    assert both.error == alone.error


def test_a_users_own_offer_is_taken_alone():
    found, _, price = surest([basis("market", 100.0, 0.0), basis("mine", 300.0, 1.0, source="user:p.csv")])
    assert found.name == "mine"
    assert math.exp(price.value) == pytest.approx(300.0)


def test_a_way_from_outside_the_region_says_so():
    own = basis_of("offers", (), 0.1, own=True, estimated=False)
    abroad = basis_of("offers", (), 0.1, own=False, estimated=False)
    assert own.name == "offers"
    assert abroad.name == "offers, from outside the region"
    assert abroad.estimated
    assert abroad.error > own.error


def test_the_error_of_a_figure_is_read_off_its_band():
    figure = Figure(
        value=1.0, unit="1", low=math.exp(-0.5), high=math.exp(0.5), kind=Kind.ESTIMATE, source="s", date=""
    )
    assert log_error(figure) == pytest.approx(0.5 / BAND_DEVIATIONS)
    assert log_range("server_factor.over_cards") == pytest.approx(math.log(1.6 / 0.9) / (2 * BAND_DEVIATIONS))


def test_order_of_evidence_does_not_matter():
    items = evidence((100.0, "2024-06-30"), (150.0, "2024-05-30"), (130.0, "2024-04-30"))
    there, back = quote(items, FLAT, 0.1), quote(items[::-1], FLAT, 0.1)
    assert there.value == pytest.approx(back.value)
    assert there.error == pytest.approx(back.error)


@given(st.floats(0.5, 2.0))
def test_prices_in_another_money_move_together(rate):
    items = evidence((100.0, "2024-06-30"), (150.0, "2024-05-30"))
    moved = [replace(item, log_price=item.log_price + math.log(rate)) for item in items]
    assert quote(moved, FLAT, 0.0).value == pytest.approx(quote(items, FLAT, 0.0).value + math.log(rate))
