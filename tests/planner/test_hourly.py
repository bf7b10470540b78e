"""Renting by the hour in whole plans: one's own terms or the market's, a cap at once, hours in the report's words."""

import dataclasses
import math
from functools import cache
from pathlib import Path

import pytest
from tests.planner import sample, small

from suanli.api.plan import make_plan
from suanli.catalogue.load import catalogue
from suanli.domain.plan import Plan
from suanli.domain.procurement import Solution, Tenure
from suanli.domain.scenario import MarketRules, Scenario
from suanli.foundation.errors import InputError
from suanli.planner.alternatives import RENTED, tied_hands
from suanli.planner.candidates import Market, find_candidates
from suanli.planner.ground import lay_ground
from suanli.planner.outcome import pool_name, tell_option
from suanli.planner.problem import state_problem
from suanli.report import story

BOX = "dgx-a800-640"
MONTHLY = f"    - {{system: {BOX}, terms: rent, price: 90000 CNY/month}}\n"
HOURLY = f"    - {{system: {BOX}, terms: hour, price: 90000 CNY/month}}\n"
BOUGHT = f"    - {{system: {BOX}, price: 1440000 CNY, lead_time: 4 weeks}}\n"
SERVICE = small.TEXT[small.TEXT.index("  - id: serve") :]


def quoted(scenario: Scenario, market: MarketRules) -> Market:
    return find_candidates(lay_ground(dataclasses.replace(scenario, market=market)), catalogue())


def of_tenure(market: Market, tenure: Tenure) -> dict[str, tuple[float, ...]]:
    return {each.system.id: each.choice.price for each in market.candidates if each.choice.tenure is tenure}


@cache
def on_the_market() -> Market:
    return quoted(sample.scenario(), MarketRules(buy=(), rent=None, reserved=()))


def test_what_is_rented_by_the_month_is_rented_by_the_hour_at_the_same_price() -> None:
    assert of_tenure(on_the_market(), Tenure.RENTED_HOUR)
    assert of_tenure(on_the_market(), Tenure.RENTED_HOUR) == of_tenure(on_the_market(), Tenure.RENTED_MONTH)


def test_hours_are_capped_at_once_and_months_are_not() -> None:
    caps = {each.choice.tenure: set(each.choice.supply) for each in on_the_market().candidates}
    assert caps == {Tenure.RENTED_HOUR: {8.0}, Tenure.RENTED_MONTH: {None}}


def test_hours_have_no_term_and_stand_elsewhere() -> None:
    for each in on_the_market().candidates:
        assert (each.choice.commit_periods, each.choice.lot, each.choice.on_site) == (1, 1, False)


@pytest.mark.parametrize("rent", [(), ("dgx-1-v100",)])
def test_rules_of_rent_hold_for_hours_and_months_alike(rent: tuple[str, ...]) -> None:
    market = quoted(sample.scenario(), MarketRules(buy=(), rent=rent, reserved=()))
    assert set(of_tenure(market, Tenure.RENTED_HOUR)) == set(of_tenure(market, Tenure.RENTED_MONTH)) == set(rent)


def test_tuning_is_done_by_turns_and_serving_is_steady() -> None:
    performances = {(job, "box"): sample.performance(job, 1000.0) for job in ("train", "tune", "serve")}
    problem = state_problem(sample.scenario(), [sample.choice()], performances, 0.8)
    assert {demand.id: demand.steady for demand in problem.demands if demand.rate} == {"tune": False, "serve": True}


def test_hours_are_rents_to_every_tied_hand() -> None:
    assert set(RENTED) == {tenure for tenure in Tenure if tenure.value.startswith("rented")}
    hourly = sample.choice("box:hour", Tenure.RENTED_HOUR, on_site=False)
    performances = {("train", "box"): sample.performance("train", 1000.0)}
    scenario = sample.scenario(workloads=(sample.training(),))
    problem = state_problem(scenario, [sample.choice(), hourly], performances, 0.8)
    hands = {hand.key: hand.change(problem) for hand in tied_hands(problem, frozenset(), 3)}
    assert [choice.id for choice in hands["buy"].choices] == ["box:buy"]
    assert [choice.id for choice in hands["rent"].choices] == ["box:hour"]
    waited = next(choice for choice in hands["wait"].choices if choice.id == "box:hour")
    assert waited.supply[:4] == (0.0, 0.0, 0.0, None)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Plan]:
    """Answer the tuning alone, with hours on offer and with months on offer."""
    folder = tmp_path_factory.mktemp("tuned")
    by_hour = small.plan(folder, (BOUGHT, ""), (MONTHLY, HOURLY), (SERVICE, ""))
    return by_hour, small.plan(folder, (BOUGHT, ""), (SERVICE, ""))


def test_a_small_tuning_pays_for_its_hours_alone(tuned: tuple[Plan, Plan]) -> None:
    by_hour, by_month = (plan.recommended for plan in tuned)
    assert {rent.tenure for rent in by_hour.rents} == {"rented_hour"}
    assert {rent.tenure for rent in by_month.rents} == {"rented_month"}
    paid = [sum(rent.amount for rent in option.rents) for option in (by_hour, by_month)]
    (months,) = {rent.systems for rent in by_month.rents}
    worked = [row.systems for row in by_hour.assignments]
    assert months == 1
    assert max(worked) < 1
    assert paid[0] == pytest.approx(paid[1] * math.fsum(worked) / len(worked))


def test_rents_by_the_hour_and_their_cash_are_the_same_money(tuned: tuple[Plan, Plan]) -> None:
    best = tuned[0].recommended
    cash = math.fsum(line.amount for line in best.cash if line.category == "rent")
    assert math.fsum(rent.amount for rent in best.rents) == pytest.approx(cash, abs=0.005)
    for rent in best.rents:
        months = [month for month in tuned[0].months if rent.first_month <= month <= rent.last_month]
        assert rent.systems * rent.price_per_system_month * len(months) == pytest.approx(rent.amount, abs=0.005)


def test_the_report_says_that_hours_are_an_average(tuned: tuple[Plan, Plan]) -> None:
    said = [step.text for step in story.steps(tuned[0])]
    assert any("by the hour until" in text and "at work on average" in text for text in said)


def test_the_cap_on_hours_stands_among_what_is_assumed(tuned: tuple[Plan, Plan]) -> None:
    assert "planning.hourly_systems" in {each.name for each in tuned[0].assumed}
    assert "planning.hourly_systems" not in {each.name for each in tuned[1].assumed}


def test_a_quote_s_own_supply_is_its_cap_at_once(tmp_path: Path) -> None:
    capped = HOURLY.replace("}", ", supply: 2 per month}")
    scarce = small.plan(tmp_path, (BOUGHT, ""), (MONTHLY, capped), (SERVICE, ""))
    assert "planning.hourly_systems" not in {each.name for each in scarce.assumed}


@pytest.mark.parametrize("term", ["commit: 3", "lot: 2"])
def test_a_term_or_a_lot_by_the_hour_is_refused(term: str, tmp_path: Path) -> None:
    path = small.write(tmp_path, (MONTHLY, HOURLY.replace("}", f", {term}}}")))
    with pytest.raises(InputError) as told:
        make_plan(path)
    assert [fault.place.split(":")[-1].split(".")[-1] for fault in told.value.faults] == [term.partition(":")[0]]


def rented(rents: dict[int, float], price: tuple[float, ...] = (100.0,) * 12) -> list[tuple[str, str, float, float]]:
    """Tell rents by the hour, by month: first, last, systems, amount."""
    performances = {("train", "box"): sample.performance("train", 1000.0)}
    scenario = sample.scenario(workloads=(sample.training(),))
    hourly = sample.choice("box:hour", Tenure.RENTED_HOUR, price=price, on_site=False)
    problem = state_problem(scenario, [hourly], performances, 0.8)
    solution = Solution(
        status="optimal_within_gap", objective=1.0, bound=1.0, gap=0.0, seconds=0.1, orders={}, use={}, cost_lines={},
        rents={("box:hour", month): systems for month, systems in rents.items()}, power_watts=(0.0,) * 12,
    )  # fmt: skip
    told = tell_option("test", scenario, problem, solution, {}).rents
    return [(rent.first_month, rent.last_month, rent.systems, rent.amount) for rent in told]


def test_months_alike_to_the_hundredth_are_told_as_one_with_their_average() -> None:
    assert rented({1: 0.501, 2: 0.503, 3: 0.7}) == [
        ("2024-02", "2024-03", pytest.approx(0.502), pytest.approx(100.4)),
        ("2024-04", "2024-04", pytest.approx(0.7), pytest.approx(70.0)),
    ]


def test_the_least_hours_are_told_and_none_are_not() -> None:
    assert rented({1: 1e-4, 3: 2e-3}) == [
        ("2024-02", "2024-02", 1e-4, pytest.approx(0.01)),
        ("2024-04", "2024-04", 2e-3, pytest.approx(0.2)),
    ]


def test_hours_are_paid_at_the_price_of_their_own_month() -> None:
    price = tuple(100.0 + month for month in range(12))
    assert rented({1: 0.5, 2: 0.5}, price)[0][3] == pytest.approx(0.5 * 101 + 0.5 * 102)


def test_a_pool_by_the_hour_says_so() -> None:
    assert pool_name(sample.choice("box:hour", Tenure.RENTED_HOUR)).endswith("(rented by the hour)")
