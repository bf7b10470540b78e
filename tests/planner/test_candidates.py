"""What may be had: own quotes before the market's, only what the rules and the date allow, what one has first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner import sample

from suanli.catalogue.dates import last_day
from suanli.catalogue.load import catalogue
from suanli.domain.procurement import Tenure
from suanli.domain.scenario import FleetItem, MarketRules, Quote, QuoteTerms
from suanli.foundation.calendar import SECONDS_PER_MONTH
from suanli.planner.candidates import BUILT_ONCE, CHINA, find_candidates
from suanli.planner.ground import lay_ground

KNOWN = catalogue()
BOX, CLOUD, LATER, DOMESTIC = "dgx-a800-640", "aws-p5", "gb200-nvl72", "atlas-800t-a2"
NOTHING = MarketRules(buy=(), rent=(), reserved=())


def found(**changes):
    return find_candidates(lay_ground(sample.scenario(**changes)), KNOWN)


def choices(**changes):
    return {candidate.choice.id: candidate.choice for candidate in found(**changes).candidates}


def quote(**changes):
    said = {"system_id": BOX, "terms": QuoteTerms.BUY, "price": 2e6} | changes
    return Quote(**said)


def only(*quotes, **changes):
    return MarketRules(**({"buy": (), "rent": (), "reserved": (), "quotes": quotes} | changes))


def test_rules_that_allow_nothing_find_nothing():
    assert found(market=NOTHING).candidates == ()


def test_an_open_market_offers_every_way_to_hold():
    tenures = {candidate.choice.tenure for candidate in found().candidates}
    assert tenures >= {Tenure.BOUGHT, Tenure.RENTED_MONTH}


@pytest.mark.parametrize("as_of", ["2022-06", "2023-05", "2024-06", "2026-06"])
@pytest.mark.parametrize("region", ["China", "US"])
def test_an_open_market_offers_nothing_that_was_not_free_then(as_of, region):
    made = found(as_of=as_of, region=region)
    assert made.candidates
    for candidate in made.candidates:
        assert candidate.system.system_kind not in BUILT_ONCE
        assert all(last_day(offer.date) <= last_day(as_of) for offer in candidate.evidence)
        assert candidate.evidence
        if region == "China":
            released = candidate.system.accelerator.released
            assert released <= as_of or released.startswith(as_of)


def test_the_only_way_to_hold_that_is_named_is_the_only_one_offered():
    made = choices(as_of="2023-05", market=MarketRules(buy=(BOX,), rent=(), reserved=()))
    assert set(made) == {f"{BOX}:buy"}


def test_every_choice_has_a_name_of_its_own():
    names = [candidate.choice.id for candidate in found().candidates]
    assert len(names) == len(set(names))


def test_equal_boxes_are_offered_once_for_each_way_to_hold_them():
    kinds = [
        (one.system.accelerator.id, one.system.accelerators, one.choice.tenure)
        for one in found(as_of="2024-06").candidates
    ]
    assert len(kinds) == len(set(kinds))


def test_domestic_only_leaves_no_foreign_chip():
    made = found(as_of="2024-06", market=MarketRules(domestic_only=True))
    assert made.candidates
    assert {one.system.accelerator.origin for one in made.candidates} == {CHINA}
    assert all(one.choice.domestic for one in made.candidates)


def test_domestic_only_is_told_of_a_name_as_well():
    made = choices(as_of="2024-06", market=MarketRules(buy=(BOX, DOMESTIC), rent=(), reserved=(), domestic_only=True))
    assert set(made) == {f"{DOMESTIC}:buy"}


@given(price=st.floats(1.0, 1e8), lot=st.integers(1, 16), weeks=st.floats(0.0, 52.0))
def test_an_own_quote_wins_over_the_market_whatever_it_says(price, lot, weeks):
    seconds = weeks * 7 * 86400
    rules = MarketRules(buy=(BOX,), rent=(), reserved=(), quotes=(quote(price=price, lot=lot, lead_seconds=seconds),))
    made = choices(market=rules)[f"{BOX}:buy"]
    assert made.price == (price,) * 12
    assert made.lot == lot
    assert made.price_source == "user:sample.yaml"
    assert set(made.lead_periods) == {-int(-(seconds - 1e-3) // SECONDS_PER_MONTH) if seconds > 0 else 0}


def test_an_own_quote_needs_no_name_in_the_rules():
    assert set(choices(market=only(quote()))) == {f"{BOX}:buy"}


def test_the_last_of_two_quotes_of_one_thing_counts():
    made = choices(market=only(quote(price=1.0), quote(price=3.0)))
    assert made[f"{BOX}:buy"].price[0] == 3.0


@pytest.mark.parametrize(
    ("terms", "tenure"),
    [
        (QuoteTerms.BUY, Tenure.BOUGHT),
        (QuoteTerms.RENT, Tenure.RENTED_MONTH),
        (QuoteTerms.RESERVED, Tenure.RENTED_RESERVED),
    ],
)
def test_a_quote_sells_what_it_says(terms, tenure):
    (made,) = found(market=only(quote(terms=terms))).candidates
    assert made.choice.tenure is tenure
    assert made.choice.on_site is (tenure is Tenure.BOUGHT)
    assert made.evidence == ()
    assert not made.estimated


def test_a_price_for_one_accelerator_is_that_of_the_whole_box_by_its_count():
    one = choices(market=only(quote(price=10.0, price_low=9.0, price_high=12.0, per_accelerator=True)))[f"{BOX}:buy"]
    assert one.price[0] == 10.0 * KNOWN.systems[BOX].accelerators
    figure = one.price_figure
    assert (figure.low, figure.value, figure.high) == (72.0, 80.0, 96.0)


def test_a_trend_of_ones_own_moves_the_price():
    made = choices(market=only(quote(trend_per_month=0.02)))[f"{BOX}:buy"]
    assert list(made.price) == sorted(made.price)
    assert made.price[0] == pytest.approx(2e6 * 1.02)


@pytest.mark.parametrize("first", [None, "2024-03", "2023-01", "2025-01"])
@pytest.mark.parametrize("last", [None, "2024-06", "2025-12"])
def test_supply_is_what_was_said_in_its_months_and_none_outside(first, last):
    said = {"from_month": first or "", "until_month": last or "", "supply_per_month": 5.0}
    made = choices(market=only(quote(**said)))[f"{BOX}:buy"]
    for month, supply in zip(sample.MONTHS, made.supply, strict=True):
        inside = (first or "") <= month <= (last or "9999-12")
        assert supply == (5.0 if inside else 0.0)


def test_a_reserved_quote_binds_for_its_term():
    made = choices(market=only(quote(terms=QuoteTerms.RESERVED, commit_months=9)))
    assert made[f"{BOX}:reserved"].commit_periods == 9


def test_renting_needs_neither_site_nor_upkeep_nor_fetches_anything():
    made = choices(market=only(quote(terms=QuoteTerms.RENT)))[f"{BOX}:rent"]
    assert made.running_cost == {}
    assert made.extra_cost == {}
    assert set(made.resale) == {0.0}


def test_a_purchase_pays_what_stands_beside_it_and_fetches_less_than_it_cost():
    made = choices(market=only(quote()))[f"{BOX}:buy"]
    assert set(made.extra_cost) == {"network", "storage", "installation"}
    assert all(0 < back < price for back, price in zip(made.resale, made.price, strict=True))


def test_a_named_system_that_was_forbidden_is_passed_over_with_the_rule():
    made = found(as_of="2024-06", market=MarketRules(buy=("dgx-h100",), rent=(), reserved=()))
    assert made.candidates == ()
    assert len(made.passed_over) == 1
    assert "could not be had" in made.passed_over[0]
    assert "export" in made.passed_over[0]


def test_a_system_that_nobody_named_is_passed_over_in_silence():
    assert found(as_of="2024-06").passed_over == ()


def test_a_named_system_without_a_price_is_passed_over_and_named():
    made = found(as_of="2023-05", market=MarketRules(buy=("enflame-t21-8",), rent=(), reserved=()))
    assert made.candidates == ()
    assert KNOWN.systems["enflame-t21-8"].name in made.passed_over[0]


@pytest.mark.parametrize(("as_of", "open_then"), [("2023-05", True), ("2023-10-16", True), ("2024-06", False)])
def test_export_stops_at_its_date(as_of, open_then):
    """The A800 was for China until the rules of 17 October 2023."""
    made = choices(as_of=as_of, market=MarketRules(buy=(BOX,), rent=(), reserved=()))
    assert (f"{BOX}:buy" in made) is open_then


def test_export_rules_do_not_bind_elsewhere():
    rules = MarketRules(buy=("dgx-h100",), rent=(), reserved=())
    assert choices(as_of="2024-06", region="US", currency="USD", market=rules)


def test_an_own_quote_holds_against_every_rule_of_export():
    """Who has a seller knows better than a table of rules."""
    made = choices(as_of="2024-06", market=only(quote(system_id="dgx-h100")))
    assert "dgx-h100:buy" in made


def fleet(systems=3, month="2023-01", **changes):
    return (FleetItem(**({"system_id": BOX, "systems": systems, "available_month": month} | changes)),)


def test_what_one_has_comes_first_and_grows_by_what_can_be_bought():
    made = found(fleet=fleet(), market=only(quote(), quote(terms=QuoteTerms.RENT))).candidates
    assert [one.choice.id for one in made] == [f"{BOX}:buy", f"{BOX}:rent"]
    assert made[0].choice.held == 3
    assert made[0].choice.price[0] == 2e6


def test_what_one_has_and_cannot_buy_is_a_pool_of_its_own():
    (made,) = found(fleet=fleet(), market=NOTHING).candidates
    assert (made.choice.id, made.choice.tenure, made.choice.held) == (f"{BOX}:held", Tenure.OWNED, 3)
    assert set(made.choice.supply) == {0.0}
    assert set(made.choice.price) == {0.0}
    assert made.choice.running_cost["power"][0] > 0


@given(month=st.sampled_from(sample.MONTHS[1:]), systems=st.integers(1, 50))
def test_a_fleet_that_arrives_is_a_free_delivery_in_its_month(month, systems):
    (made,) = found(fleet=fleet(systems, month), market=NOTHING).candidates
    arrives = sample.MONTHS.index(month)
    assert made.choice.id == f"{BOX}:arriving"
    assert made.choice.supply == tuple(systems if at == arrives else 0.0 for at in range(12))
    assert made.choice.lead_periods == (0,) * 12
    assert (made.choice.held, set(made.choice.price)) == (0, {0.0})


def test_a_fleet_that_arrives_after_the_plan_is_no_part_of_it():
    assert found(fleet=fleet(month="2025-01"), market=NOTHING).candidates == ()


def test_a_fleet_elsewhere_takes_no_power_of_the_site():
    (made,) = found(fleet=fleet(on_site=False), market=NOTHING).candidates
    assert not made.choice.on_site


def test_no_open_market_offers_what_a_cloud_alone_has_for_purchase():
    bought = [
        one
        for one in found(as_of="2025-06", region="US", currency="USD").candidates
        if one.choice.tenure is Tenure.BOUGHT
    ]
    assert bought
    assert all(one.system.system_kind != "cloud_instance" for one in bought)


@pytest.mark.parametrize("tenure", list(Tenure)[1:])
def test_prices_are_above_nothing_and_know_their_source(tenure):
    for candidate in found(as_of="2024-06").candidates:
        if candidate.choice.tenure is tenure:
            assert min(candidate.choice.price) > 0
            figure = candidate.choice.price_figure
            assert figure.low <= figure.value <= figure.high
            assert figure.unit.startswith("CNY")
            assert candidate.choice.price_source


def test_access_is_asked_of_the_date_and_not_of_today():
    then = choices(as_of="2023-05", market=MarketRules(buy=("dgx-h800",), rent=(), reserved=()))
    now = choices(as_of="2024-05", market=MarketRules(buy=("dgx-h800",), rent=(), reserved=()))
    assert "dgx-h800:buy" in then
    assert now == {}
