"""The market of a date tells what was known then, nothing later; the article's boxes are found; errors grow."""

import datetime
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.catalogue import market
from suanli.catalogue.access import availability, part_of_offer, part_of_world
from suanli.catalogue.assumptions import assumption, assumptions, exchange_rate, regional
from suanli.catalogue.dates import last_day
from suanli.catalogue.load import catalogue
from suanli.domain.market import Access, OfferKind
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Kind

KNOWN = catalogue()
BOXES = sorted(name for name, box in KNOWN.systems.items() if box.system_kind in ("node", "rack", "supernode"))
WEEK = 604800.0
months = st.builds(lambda year, month: f"{year}-{month:02d}", st.integers(2016, 2026), st.integers(1, 12))
dates = st.one_of(months, st.integers(2015, 2026).map(str), st.dates(datetime.date(2015, 1, 1)).map(str))
regions = st.sampled_from(["China", "US", "Europe", "world", "Shanghai"])


@given(dates, regions)
@settings(max_examples=60, deadline=None)
def test_nothing_later_than_the_date_is_ever_shown(as_of, region):
    end = last_day(as_of)
    for line in market.known(as_of, region):
        assert last_day(line.offer.date) <= end


@given(st.sampled_from(BOXES), months, regions, st.sampled_from(["CNY", "USD", "EUR"]))
@settings(max_examples=80, deadline=None)
def test_no_quote_rests_on_later_evidence(name, as_of, region, currency):
    end = last_day(as_of)
    bought = market.purchase_quote(name, as_of, region, currency)
    rented = [market.rent_quote(name, tenure, as_of, region, currency) for tenure in ("month", "reserved", "spot")]
    waits = market.lead_time(name, as_of, region)
    quotes = [quote for quote in (bought, *rented) if quote is not None]
    for quote in [*quotes, waits]:
        assert all(last_day(offer.date) <= end for offer in quote.evidence)
    for quote in quotes:
        assert quote.evidence
        assert quote.trend_per_month.low <= quote.trend_per_month.value <= quote.trend_per_month.high
    for figure in [quote.price_per_accelerator_hour for quote in rented if quote] + ([bought.price] if bought else []):
        assert 0 < figure.low < figure.value < figure.high < math.inf
        assert figure.unit == currency
    assert waits.seconds.low <= waits.seconds.value <= waits.seconds.high


def test_what_is_dated_to_a_year_is_known_at_its_end():
    assert not any(line.offer.id == "p0005" for line in market.known("2023-11", "China"))
    assert any(line.offer.id == "p0005" for line in market.known("2023-12", "China"))
    assert any(line.offer.id == "p0005" for line in market.known("2023", "China"))


def test_what_is_dated_to_a_month_is_known_at_its_end():
    assert not any(line.offer.id == "p0002" for line in market.known("2023-05-30", "China"))
    assert any(line.offer.id == "p0002" for line in market.known("2023-05-31", "China"))


def test_the_newest_offer_stands_first():
    days = [last_day(line.offer.date) for line in market.known("2024-06", "China")]
    assert days == sorted(days, reverse=True)


def test_a_regions_market_has_its_own_offers_and_the_worlds_marked_as_such():
    lines = market.known("2026-11", "China")
    assert {part_of_offer(line.offer.region) for line in lines} == {"china", "world"}
    assert all(line.own_region == (part_of_offer(line.offer.region) == "china") for line in lines)


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("China", "china"), ("Shanghai", "china"), ("Shanghai, China", "china"), ("上海", "china"), ("US", "us"),
        ("us", "us"), ("Texas, US", "us"), ("Germany", "europe"), ("Mars", "world"), ("", "world"), ("world", "world"),
    ],
)  # fmt: skip
def test_a_region_is_known_by_its_names(said, part):
    assert part_of_world(said) == part


def test_the_articles_box_is_found_at_its_price():
    quote = market.purchase_quote("dgx-a800-640", "2023-05", "China", "CNY")
    assert {"p0001", "p0002"} == {offer.id for offer in quote.evidence}
    assert 2_300_000 <= quote.price.value <= 2_500_000
    assert quote.price.low <= 2_300_000
    assert quote.price.high >= 2_500_000
    assert not quote.estimated
    assert quote.price.source == "project_article_2023"


def test_the_articles_price_was_rising_and_its_queue_was_long():
    quote = market.purchase_quote("8x A800 box", "2023-05", "China", "CNY")
    assert quote.trend_per_month.low > 0
    assert 12 <= quote.lead_time.seconds.value / WEEK <= 30
    assert quote.lead_time.seconds.low / WEEK < 12
    assert quote.lead_time.seconds.high / WEEK > 30
    assert quote.availability.access is Access.FREE


def test_a_trend_is_not_read_off_changes_of_long_ago():
    assert market.purchase_quote("dgx-a800-640", "2025-06", "China", "CNY").trend_per_month.value == 0


def test_a_quote_grows_less_sure_with_age():
    wide = [
        quote.price.high / quote.price.low
        for quote in (
            market.purchase_quote("gb200-nvl72", date, "US", "USD") for date in ("2025-12", "2026-06", "2026-11")
        )
    ]
    assert wide == sorted(wide)


def test_a_price_from_abroad_is_marked_and_less_sure():
    here = market.purchase_quote("dgx-a800-640", "2023-05", "China", "CNY")
    abroad = market.purchase_quote("dgx-h100", "2023-05", "China", "CNY")
    assert "outside the region" in abroad.basis
    assert abroad.estimated
    assert abroad.price.kind is Kind.ESTIMATE
    assert abroad.price.high / abroad.price.low > here.price.high / here.price.low


def test_a_box_without_offers_is_priced_by_its_accelerators_and_says_so():
    quote = market.purchase_quote("host8-ascend-910b2", "2024-03", "China", "CNY")
    assert quote.estimated
    assert "accelerator" in quote.basis
    factor = assumption("server_factor.over_cards").value
    assert quote.price.value == pytest.approx(8 * 120_000 * factor, rel=0.01)


def test_a_sibling_prices_a_chip_that_nobody_quotes():
    quote = market.purchase_quote("atlas-800t-a2", "2024-03", "China", "CNY")
    assert "sibling" in quote.basis
    assert quote.estimated


def test_what_nobody_knows_has_no_quote():
    assert market.purchase_quote("enflame-t21-8", "2023-05", "China", "CNY") is None
    assert market.rent_quote("enflame-t21-8", "month", "2023-05", "China", "CNY") is None


@pytest.mark.parametrize("name", ["aws-p5", "tpu-v5e-pod", "cl-megascale"])
def test_clouds_pods_and_clusters_are_not_for_sale(name):
    assert market.purchase_quote(name, "2025-06", "US", "USD") is None


def test_a_month_is_so_many_hours_of_all_accelerators():
    quote = market.rent_quote("dgx-h100", "month", "2024-10", "China", "CNY")
    hours = 365.25 * 24 / 12
    assert quote.price_per_system_month.value == pytest.approx(quote.price_per_accelerator_hour.value * 8 * hours)
    assert quote.price_per_system_month.value == pytest.approx(70_000, rel=0.05)


def test_rents_by_the_hour_follow_the_printed_medians():
    autumn = market.rent_quote("dgx-h100", "on_demand", "2024-10", "US", "USD").price_per_accelerator_hour
    assert autumn.low <= 2.99 <= autumn.high
    peak = market.rent_quote("dgx-h100", "on_demand", "2024-01", "US", "USD").price_per_accelerator_hour
    assert peak.value > autumn.value


def test_a_reserved_rent_is_bound_for_a_term_and_cheaper():
    spot = market.rent_quote("dgx-h100", "on_demand", "2026-09", "US", "USD")
    bound = market.rent_quote("dgx-h100", "reserved", "2026-09", "US", "USD")
    assert bound.price_per_accelerator_hour.value < spot.price_per_accelerator_hour.value
    assert bound.commitment_seconds > 0
    assert spot.commitment_seconds == 0


def test_a_reserved_rent_that_nobody_quotes_is_guessed_and_says_so():
    quote = market.rent_quote("dgx-h100", "reserved", "2024-10", "China", "CNY")
    assert quote.estimated
    assert "usual discount" in quote.basis
    base = market.rent_quote("dgx-h100", "month", "2024-10", "China", "CNY")
    discount = assumption("market.reserved_discount").value
    assert quote.price_per_accelerator_hour.value == pytest.approx(base.price_per_accelerator_hour.value * discount)


@pytest.mark.parametrize(
    ("name", "date", "access"),
    [
        ("dgx-a800-640", "2023-05", Access.FREE),
        ("dgx-a800-640", "2023-10-22", Access.FREE),
        ("dgx-a800-640", "2023-10-23", Access.FORBIDDEN),
        ("dgx-a800-640", "2022-10", Access.UNRELEASED),
        ("dgx-h100", "2023-05", Access.FORBIDDEN),
        ("hgx-h20-8", "2025-04-08", Access.FREE),
        ("hgx-h20-8", "2025-05", Access.FORBIDDEN),
        ("hgx-h20-8", "2025-08", Access.LICENCE),
        ("dgx-h200", "2025-06", Access.FORBIDDEN),
        ("dgx-h200", "2026-02", Access.LICENCE),
        ("atlas-800t-a2", "2024-01", Access.FREE),
        ("dgx-b200", "2024-06", Access.UNRELEASED),
    ],
)
def test_access_in_china_follows_the_rules_of_the_date(name, date, access):
    assert market.access(name, date, "China").access is access


def test_export_rules_do_not_hold_elsewhere():
    assert market.access("dgx-h100", "2023-05", "US").access is Access.FREE


@given(st.sampled_from(sorted(KNOWN.accelerators)), st.dates(datetime.date(2016, 1, 1), datetime.date(2026, 12, 31)))
@settings(max_examples=200, deadline=None)
def test_access_tells_of_no_later_rule(name, day):
    told = availability(KNOWN.accelerators[name], day, "China")
    assert not told.since or told.since[:4] <= str(day.year)
    later = [word for word in told.reason.split() if word[:2] == "20" and word > str(day)]
    assert not later


def test_lead_times_fall_back_on_the_usual_wait_and_say_so():
    wait = market.lead_time("dgx-h100", "2025-08", "US")
    assert wait.basis.startswith("assumed")
    assert wait.seconds.kind is Kind.ASSUMPTION
    assert wait.evidence == ()


def test_lead_times_follow_the_reports_of_the_time():
    rush = market.lead_time("dgx-h100", "2023-12", "US").seconds.value / WEEK
    calm = market.lead_time("dgx-h100", "2024-04", "US").seconds.value / WEEK
    assert rush > 30
    assert calm < 15


@pytest.mark.parametrize("bad", ["2023-13", "yesterday", "", "2023-5", "23"])
def test_an_impossible_date_is_refused(bad):
    with pytest.raises(InputError, match="as_of"):
        market.known(bad, "China")


def test_an_unknown_tenure_or_currency_is_refused():
    with pytest.raises(InputError, match="tenure"):
        market.rent_quote("dgx-h100", "forever", "2024-01", "US", "USD")
    with pytest.raises(InputError, match="currency"):
        market.purchase_quote("dgx-h100", "2024-01", "US", "GBP")


def test_an_exchange_rate_is_that_of_its_time():
    assert exchange_rate("USD", "CNY", datetime.date(2023, 5, 31)).value == pytest.approx(6.99)
    assert exchange_rate("USD", "CNY", datetime.date(2019, 6, 1)).value == pytest.approx(6.9)
    assert exchange_rate("USD", "USD", datetime.date(2019, 6, 1)).value == 1


@given(st.sampled_from(["CNY", "USD", "EUR", "JPY"]), st.sampled_from(["CNY", "USD", "EUR", "JPY"]))
def test_there_and_back_is_no_change(first, second):
    day = datetime.date(2025, 7, 1)
    there, back = exchange_rate(first, second, day), exchange_rate(second, first, day)
    assert there.value * back.value == pytest.approx(1)
    assert there.low <= there.value <= there.high


def test_a_rate_before_all_records_is_refused():
    with pytest.raises(InputError, match="USD -> EUR"):
        exchange_rate("USD", "EUR", datetime.date(2010, 1, 1))


@pytest.mark.parametrize("name", sorted(assumptions()))
def test_an_assumed_figure_has_a_source_and_an_ordered_range(name):
    figure = assumption(name)
    assert figure.source in KNOWN.sources
    assert figure.low <= figure.value <= figure.high


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("power_price.china", 0.65 / 3.6e6),
        ("failures.middle", 3.8e-3 / 86400),
        ("depreciation.middle", 4 * 365.25 * 86400),
        ("recovery.restart", 600.0),
        ("colocation.us", 184.06 / 1000 / (365.25 * 86400 / 12)),
        ("pue.china", 1.42),
        ("goodput.best", 0.97),
    ],
)
def test_assumed_figures_are_in_si(name, value):
    assert assumption(name).value == pytest.approx(value)


def test_a_region_without_its_own_figure_takes_the_worlds():
    assert regional("pue", "Mars") == assumption("pue.world")
    assert regional("pue", "China") == assumption("pue.china")


def test_an_unknown_assumption_is_refused():
    with pytest.raises(InputError, match=r"pue\.china"):
        assumption("pue.chna")


def test_only_purchases_make_a_purchase_quote():
    quote = market.purchase_quote("dgx-h100", "2026-06", "US", "USD")
    assert {offer.kind for offer in quote.evidence} == {OfferKind.PURCHASE}
    assert all(offer.per != "premium" for offer in quote.evidence)
