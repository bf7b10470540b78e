"""A month of a system: rents as quoted, a bought one written off so that its payments are worth its price."""

import pytest

from suanli.catalogue.find import system
from suanli.catalogue.market import purchase_quote, rent_quote
from suanli.equations import finance
from suanli.foundation.errors import InputError
from suanli.planner.holding import holdings

AS_OF = "2026-11"


def ways(name="dgx-h100", region="world", currency="USD"):
    return {way.tenure: way for way in holdings(system(name), AS_OF, region, currency)[0]}


def test_rents_are_those_of_the_market():
    found = ways()
    for tenure in ("reserved", "month"):
        quote = rent_quote("dgx-h100", tenure, AS_OF, "world", "USD")
        assert found[tenure].month_amount == pytest.approx(quote.price_per_system_month.value)


def test_causes_add_up_to_the_month():
    for way in ways().values():
        assert sum(way.amount_by_cause.values()) == pytest.approx(way.month_amount)


def test_payments_for_a_bought_system_are_worth_its_price():
    price = purchase_quote("dgx-h100", AS_OF, "world", "USD").price.value
    paid, rate = ways()["buy"].amount_by_cause["purchase"], finance.rate_of_period(0.08, 12)
    assert sum(finance.present_value(paid, rate, month) for month in range(1, 49)) == pytest.approx(price)


def test_what_is_resold_comes_back_and_power_is_paid():
    causes = ways()["buy"].amount_by_cause
    assert causes["resale"] < 0
    assert causes["power"] > 0
    assert causes["staff"] > 0


def test_clouds_instances_are_not_sold():
    assert "buy" not in ways("aws-p5")


def test_what_a_bought_month_rests_on_is_told():
    names = {one.name for one in holdings(system("dgx-h100"), AS_OF, "world", "USD")[1]}
    assert {"depreciation.middle", "discount_rate", "pue.world", "power_draw.serving", "resale.after_4_years"} <= names


def test_currencies_change_the_number_and_not_the_ratio():
    dollars, yuan = ways(), ways(currency="CNY")
    ratio = yuan["reserved"].month_amount / dollars["reserved"].month_amount
    assert 6 < ratio < 8


def test_a_wrong_date_is_refused():
    with pytest.raises(InputError):
        holdings(system("dgx-h100"), "soon", "world", "USD")
