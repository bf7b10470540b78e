"""Fleets by objective: money adds up, tails hold, reasons are told, what cannot be had names the limit."""

import dataclasses
import math

import pytest

from suanli.api.market_question import MarketQuestion
from suanli.api.serve import ServingQuestion
from suanli.api.serving_fleet import plan_fleet
from suanli.api.serving_hours import CurveQuestion, plan_hours
from suanli.api.serving_question import FleetQuestion
from suanli.foundation.calendar import SECONDS_PER_MONTH
from suanli.foundation.errors import InfeasibleError, InputError

JOB = ServingQuestion(
    model="meta-llama/Llama-3.1-8B", system="", input_tokens=2000.0, output_tokens=300.0, ttft_limit_seconds=1.0,
    tpot_limit_seconds=0.02,
)  # fmt: skip
ASK = FleetQuestion(job=JOB, systems=("H100-SXM",), accelerators=16, market=MarketQuestion(as_of="2026-11"))
PRICED = dataclasses.replace(
    ASK, accelerators=None, objective="month", job=dataclasses.replace(JOB, rate_per_s=40.0),
    systems=("H100-SXM", "H200-SXM"),
)  # fmt: skip


def ask(question=ASK, job=None, **changes):
    return plan_fleet(dataclasses.replace(question, job=dataclasses.replace(question.job, **(job or {})), **changes))


def fault_places(**changes):
    with pytest.raises(InputError) as told:
        ask(**changes)
    return [fault.place for fault in told.value.faults]


def test_the_best_fleet_is_first_and_the_rest_is_worse():
    found = ask()
    assert found.plans[0].worse == 0
    assert [plan.worse for plan in found.plans[:5]] == sorted(plan.worse for plan in found.plans[:5])
    assert all(plan.ttft_seconds <= 1 and plan.tpot_seconds <= 0.02 for plan in found.plans)


def test_both_arrangements_are_told_where_both_keep_the_targets():
    assert {plan.prefill is None for plan in ask().plans} == {True, False}


@pytest.mark.parametrize(("arrangement", "apart"), [("together", False), ("apart", True)])
def test_an_arrangement_may_be_asked_for(arrangement, apart):
    assert {plan.prefill is not None for plan in ask(arrangement=arrangement).plans} == {apart}


def test_one_arrangement_alone_is_never_better_than_both():
    best = {name: ask(arrangement=name).plans[0].requests_per_s for name in ("both", "together", "apart")}
    assert best["both"] == max(best.values())


def test_why_names_what_binds_and_the_other_arrangement():
    said = " ".join(ask().why)
    assert "bind" in said
    assert "apart" in said


def test_reasons_are_of_fleets_as_they_were_grown_by_the_play():
    """The share by which an arrangement wins is that of its table, not that of the medians before."""
    pytest.importorskip("numba")
    job = {"model": "Qwen/Qwen3-32B", "rate_per_s": 120.0, "tpot_limit_seconds": 0.03}
    found = ask(
        PRICED, job=job, systems=("H100-SXM",), weight_formats=("fp8",), percentile=99.0, traffic="azure-2023-conv"
    )
    apart = found.plans[0].prefill is not None
    other = min(plan.worse for plan in found.plans if (plan.prefill is not None) is not apart)
    assert other > 0
    assert any(f"win by {other:.1%}" in sentence for sentence in found.why)


def test_every_system_of_a_search_is_told_of():
    assert "dgx-h200" in " ".join((*ask(PRICED).why, ask(PRICED).plans[0].system))


def test_prices_of_tokens_times_tokens_are_the_month():
    for plan in ask(PRICED).plans:
        cost = plan.cost
        requests = 40.0 * SECONDS_PER_MONTH
        paid = requests * (2000 * cost.input_amount_per_token + 300 * cost.output_amount_per_token)
        assert paid == pytest.approx(cost.month_amount)
        assert cost.amount_per_token * requests * 2300 == pytest.approx(cost.month_amount)
        assert 0 < cost.input_share < 1


def test_a_month_is_that_of_whole_systems():
    found = ask(PRICED)
    for plan in found.plans:
        way = {one.tenure: one for one in found.holdings[plan.system]}[plan.cost.tenure]
        assert plan.cost.month_amount == pytest.approx(plan.systems * way.month_amount)
        assert plan.systems * 8 >= plan.accelerators


def test_pools_apart_pay_their_own_accelerators():
    plan = ask(PRICED, arrangement="apart").plans[0]
    first = plan.prefill.replicas * plan.prefill.layout.accelerators
    assert plan.cost.input_share == pytest.approx(first / plan.accelerators)


def test_longer_answers_shift_money_to_answers():
    shares = [
        ask(PRICED, {"output_tokens": tokens}, arrangement="together").plans[0].cost.input_share
        for tokens in (50.0, 300.0, 2000.0)
    ]
    assert shares == sorted(shares, reverse=True)


def test_the_cheapest_way_to_hold_is_no_dearer_than_any():
    months = {hold: ask(PRICED, hold=hold).plans[0].cost.month_amount for hold in ("reserved", "buy", "cheapest")}
    assert months["cheapest"] == min(months.values())


def test_money_is_not_asked_for_by_throughput_alone():
    assert ask().plans[0].cost is None
    assert ask(hold="buy").plans[0].cost.tenure == "buy"


def test_a_rate_is_held_with_its_headroom():
    for plan in ask(PRICED).plans:
        assert plan.requests_per_s * 0.8 >= 40.0 * (1 - 1e-9)
        assert plan.load == pytest.approx(40.0 / plan.requests_per_s)


def test_an_api_breaks_even_where_both_cost_the_same():
    plan = ask(PRICED, api_input_price=0.1, api_output_price=0.4).plans[0]
    api = plan.api
    requests = api.break_even_requests_per_s * SECONDS_PER_MONTH
    assert requests * (2000 * 0.1 + 300 * 0.4) / 1e6 == pytest.approx(plan.cost.month_amount)
    assert api.break_even_load == pytest.approx(api.break_even_requests_per_s / plan.requests_per_s)
    assert api.break_even_tokens_per_day == pytest.approx(api.break_even_requests_per_s * 2300 * 86400)
    cheaper = plan.cost.month_amount < api.month_amount
    assert cheaper == (api.break_even_requests_per_s < 40.0)


def test_a_percentile_is_played_and_held():
    pytest.importorskip("numba")
    found = ask(PRICED, percentile=95.0, requests=1500)
    for plan in found.plans:
        assert plan.tails.held
        assert plan.tails.ttft_seconds.p95 <= 1.0
        assert plan.tails.tpot_seconds.p95 <= 0.02
    assert found.plans[0].cost.month_amount == min(plan.cost.month_amount for plan in found.plans)


def test_a_percentile_without_the_compiled_engine_is_by_an_assumed_spread(monkeypatch):
    monkeypatch.setattr("suanli.api.serving_fleet.plays", lambda: False)
    found = ask(PRICED, percentile=95.0)
    assert found.plans[0].tails is None
    assert found.plans[0].ttft_seconds < 1.0
    assert any("assumed spread" in said for said in found.assumed)


def test_a_percentile_out_of_reach_is_infeasible():
    pytest.importorskip("numba")
    targets = {"ttft_limit_seconds": 0.05, "tpot_limit_seconds": None}
    with pytest.raises(InfeasibleError, match=r"at the 99\.9 percentile"):
        ask(PRICED, targets, percentile=99.9, requests=2000, traffic="azure-2023-conv")


def test_traffic_brings_its_own_lengths():
    pytest.importorskip("numba")
    found = ask(PRICED, percentile=90.0, requests=1000, traffic="sharegpt")
    other = ask(PRICED, percentile=90.0, requests=1000)
    assert found.plans[0].cost.amount_per_token != other.plans[0].cost.amount_per_token
    assert any("sharegpt" in said for said in found.assumed)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"tpot_limit_seconds": 1e-5}, "Time per token binds"),
        ({"ttft_limit_seconds": 1e-5}, "first token binds"),
        ({"ttft_limit_seconds": 0.0245, "tpot_limit_seconds": 0.0024}, "bind"),
    ],
)
def test_targets_out_of_reach_name_the_limit_and_the_nearest(targets, said):
    with pytest.raises(InfeasibleError, match=said) as told:
        ask(job=targets)
    assert "Nearest" in told.value.relief


def test_too_few_accelerators_for_a_rate_are_named():
    with pytest.raises(InfeasibleError, match="at most 8 accelerators"):
        ask(job={"rate_per_s": 1e5}, accelerators=8)


def test_a_system_without_price_is_named():
    with pytest.raises(InfeasibleError, match="No price is known"):
        ask(PRICED, systems=("atlas-800t-a2",))


def test_faults_come_all_at_once():
    places = fault_places(objective="joy", hold="steal", accelerators=0, api_input_price=-1.0, percentile=101.0)
    assert places == [
        "--objective", "--hold", "--accelerators", "--api-price-in", "--api-price-out", "--percentile", "--rate",
    ]  # fmt: skip


DAY = CurveQuestion(fleet=dataclasses.replace(PRICED, objective="throughput"), swing=0.6)


def hours(question=DAY, **changes):
    return plan_hours(dataclasses.replace(question, **changes)).plan


def test_a_day_is_held_hour_by_hour():
    plan = hours()
    assert len(plan.hours) == 24
    assert plan.mean_requests_per_s == pytest.approx(40.0)
    assert plan.peak_systems == max(hour.systems for hour in plan.hours)
    busiest = max(plan.hours, key=lambda hour: hour.requests_per_s)
    assert busiest.replicas == plan.peak.decode.replicas


def test_the_month_of_a_day_is_its_base_and_its_top():
    plan = hours()
    assert plan.cost.month_amount == pytest.approx(plan.base_amount + plan.top_amount)
    assert plan.cost.month_amount <= plan.all_base_amount * (1 + 1e-9)
    paid = 2000 * plan.cost.input_amount_per_token + 300 * plan.cost.output_amount_per_token
    assert paid * 40.0 * SECONDS_PER_MONTH == pytest.approx(plan.cost.month_amount)
    assert 0 < plan.used_share < 1


def test_an_even_day_costs_no_more_than_a_swinging_one():
    assert hours(swing=0.0).cost.month_amount <= hours(swing=0.9).cost.month_amount


def test_a_curve_of_a_file_is_brought_to_the_rate(tmp_path):
    path = tmp_path / "hours.csv"
    path.write_text("hour,requests_per_s\n0,1\n1,3\n")
    plan = hours(curve=path, swing=None)
    assert [hour.requests_per_s for hour in plan.hours] == pytest.approx([20.0, 60.0])
    own = dataclasses.replace(DAY.fleet, job=dataclasses.replace(JOB, rate_per_s=None))
    assert hours(fleet=own, curve=path, swing=None).peak_requests_per_s == 3.0


def test_a_percentile_of_a_day_asks_for_no_fewer_replicas():
    pytest.importorskip("numba")
    fleet = dataclasses.replace(DAY.fleet, percentile=95.0, requests=800, systems=("H100-SXM",))
    played, plain = hours(fleet=fleet), hours(fleet=dataclasses.replace(fleet, percentile=None))
    assert len(played.hours) == len(plain.hours)
    assert all(hour.replicas >= 1 for hour in played.hours)
    assert math.isfinite(played.cost.month_amount)


def test_a_day_without_a_rate_is_refused():
    with pytest.raises(InputError, match="--rate"):
        hours(fleet=ASK)
