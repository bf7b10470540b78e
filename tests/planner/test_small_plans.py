"""Whole plans of a small scenario: more room never costs more, money is only a unit, names are only names."""

import functools
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from tests.planner import small

from suanli.foundation.errors import InfeasibleError, InputError

SLACK = 1 + 2 * small.GAP
TRAIN = small.TRAINING
BUY, RENT = "price: 1440000 CNY", "price: 90000 CNY/month"


@functools.cache
def plan(*edits, more=""):
    with tempfile.TemporaryDirectory() as folder:
        return small.plan(Path(folder), *edits, more=more)


def cost(*edits, more=""):
    return plan(*edits, more=more).recommended.cost


def options(made):
    return [made.recommended, *(one.option for one in made.alternatives if one.option is not None)]


LOOSER = {
    "a larger budget": ("total: 50000000 CNY", "total: 90000000 CNY"),
    "no budget": ("budget:\n  total: 50000000 CNY\n", ""),
    "more power": ("power: 200 kW", "power: 900 kW"),
    "more room": ("rack_units: 84", "rack_units: 400"),
    "a sooner delivery": ("lead_time: 4 weeks", "lead_time: 1 weeks"),
    "a cheaper purchase": (BUY, "price: 1200000 CNY"),
    "a cheaper rent": (RENT, "price: 60000 CNY/month"),
    "cheaper power": ("power_price: 0.5", "power_price: 0.3"),
    "slower answers allowed": ("tpot: 80 ms", "tpot: 160 ms"),
    "fewer requests": ("start: 4 per s", "start: 2 per s"),
    "a lower peak": ("peak_to_mean: 2", "peak_to_mean: 1.5"),
    "shorter answers": ("output_tokens: 200", "output_tokens: 120"),
    "fewer runs": ("runs_per_month: 4", "runs_per_month: 1"),
    "a fleet beside": ("goodput:", "fleet:\n  - {system: dgx-a800-640, count: 1}\ngoodput:"),
}


@pytest.mark.parametrize("edit", LOOSER.values(), ids=LOOSER)
def test_what_is_looser_never_costs_more_than_twice_the_gap(edit):
    assert cost(edit) <= cost() * SLACK


def test_a_later_deadline_never_costs_more():
    costs = [cost(more=TRAIN.replace("deadline: 2024-12", f"deadline: {month}")) for month in ("2024-11", "2025-02")]
    assert costs[1] <= costs[0] * SLACK


def test_more_work_never_costs_less():
    assert cost(more=TRAIN) >= cost() / SLACK


def test_more_supply_never_costs_more():
    tight = cost((RENT, f"{RENT}, supply: 1 per month"))
    assert cost() <= tight * SLACK


def test_one_more_offer_never_costs_more():
    offer = "    - {system: dgx-h800, price: 2600000 CNY, lead_time: 2 weeks}\ngoodput:"
    assert cost(("goodput:", offer)) <= cost() * SLACK


MONEY = (
    ("total: 50000000 CNY", "total: {:.6f} {}", 50e6),
    ("power_price: 0.5 CNY/kWh", "power_price: {:.9f} {}/kWh", 0.5),
    ("cost: 50000 CNY/month", "cost: {:.6f} {}/month", 50e3),
    (BUY, "price: {:.6f} {}", 1.44e6),
    (RENT, "price: {:.6f} {}/month", 90e3),
)


def in_money(factor, currency="CNY"):
    return tuple((old, new.format(amount * factor, currency)) for old, new, amount in MONEY)


@pytest.mark.parametrize("factor", [0.1, 3.0, 100.0])
def test_prices_times_a_factor_cost_times_the_factor(factor):
    scaled = plan(*in_money(factor))
    assert scaled.recommended.cost == pytest.approx(factor * cost(), rel=2 * small.GAP)
    assert {order.systems for order in scaled.recommended.orders} == {o.systems for o in plan().recommended.orders}


def test_a_plan_in_dollars_is_the_plan_in_yuan_at_the_rate():
    edits = in_money(1 / 7.25, "USD")
    dollars = plan(("currency: CNY", "currency: USD"), ("{USD: 7.25 CNY}", "{CNY: 0.13793103448 USD}"), *edits)
    assert dollars.currency == "USD"
    assert dollars.recommended.cost * 7.25 == pytest.approx(cost(), rel=2 * small.GAP)


def test_a_quote_in_another_currency_is_converted_at_the_scenarios_rate():
    assert cost((RENT, f"price: {90e3 / 7.25:.6f} USD/month")) == pytest.approx(cost(), rel=1e-6)


def test_names_of_workloads_are_of_no_account():
    renamed = plan(("id: tune", "id: zebra"), ("id: serve", "id: apple"))
    assert renamed.recommended.cost == pytest.approx(cost(), rel=2 * small.GAP)
    assert {workload.id for workload in renamed.recommended.workloads} == {"zebra", "apple"}


def test_titles_are_of_no_account():
    renamed = plan(
        ("title: A small service and its tuning", "title: '=1+1 <b>'"), ("title_zh: 小服务与微调", "title_zh: 别名")
    )
    assert renamed.recommended.cost == cost()
    assert renamed.title == "=1+1 <b>"


def test_a_plan_made_twice_is_the_same():
    with tempfile.TemporaryDirectory() as folder:
        again = small.plan(Path(folder))
    assert again.recommended.orders == plan().recommended.orders
    assert [(rent.first_month, rent.systems) for rent in again.recommended.rents] == [
        (rent.first_month, rent.systems) for rent in plan().recommended.rents
    ]
    assert again.recommended.cost == cost()


CASES = {
    "small": (),
    "trained": (),
    "cheap boxes": ((BUY, "price: 200000 CNY"),),
    "dear rents": ((RENT, "price: 900000 CNY/month"),),
}


@pytest.fixture(params=CASES, scope="module")
def made(request):
    return plan(*CASES[request.param], more=TRAIN if request.param == "trained" else "")


def test_cash_sums_to_the_cost(made):
    months = {month: index for index, month in enumerate(made.months)}
    for option in options(made):
        monthly = (1 + made.discount_rate_per_year) ** (1 / 12)
        assert sum(line.amount * monthly ** -months[line.month] for line in option.cash) == pytest.approx(option.cost)


def test_every_use_stays_within_what_is_there(made):
    """What works in a month on a pool is at most what was held, has arrived or is rented then."""
    for option in options(made):
        used: dict[tuple[str, str], float] = defaultdict(float)
        for use in option.assignments:
            used[use.month, use.system_id] += use.systems
        for (month, system), systems in used.items():
            bought = sum(o.systems for o in option.orders if o.system_id == system and o.delivery_month <= month)
            rents = (r for r in option.rents if r.system_id == system and r.first_month <= month <= r.last_month)
            assert systems <= bought + sum(rent.systems for rent in rents) + 1e-6


def test_nothing_is_ordered_or_used_outside_the_plan(made):
    for option in options(made):
        assert {order.month for order in option.orders} <= set(made.months)
        assert {use.month for use in option.assignments} <= set(made.months)
        assert all(rent.first_month <= rent.last_month for rent in option.rents)
        assert {line.month for line in option.cash} <= set(made.months)


def test_every_source_is_known_and_every_assumption_listed_once(made):
    keys = [source.key for source in made.sources]
    assert keys == sorted(set(keys))
    names = [assumed.name for assumed in made.assumed]
    assert len(names) == len(set(names))
    for assumed in made.assumed:
        assert assumed.figure.source in keys
        assert assumed.figure.low <= assumed.figure.value <= assumed.figure.high
    for option in options(made):
        assert {order.source for order in option.orders} | {rent.source for rent in option.rents} <= set(keys)


def test_what_a_plan_rests_on_stands_under_assumed(made):
    names = {assumed.name for assumed in made.assumed}
    assert {"market.carry", "planning.confidence", "share_of_server_cost.installation", "lead_time.rent"} <= names
    assert not names & {"power_price", "staff", "share_of_server_cost.network"}


def test_what_the_scenario_says_is_no_assumption(made):
    silent = plan(("  power_price: 0.5 CNY/kWh\n", ""), ("costs: {network: 15 %, ", "costs: {"))
    more = {assumed.name for assumed in silent.assumed} - {assumed.name for assumed in made.assumed}
    assert {"power_price", "share_of_server_cost.network"} <= more


def test_the_users_file_is_a_source(made):
    (own,) = [source for source in made.sources if source.key.startswith("user:")]
    assert own.key.endswith("scenario.yaml")
    assert own.date == "2024-06"


def test_the_recommended_is_the_cheapest_and_the_gap_is_kept(made):
    assert all(option.cost >= made.recommended.cost * (1 - 1e-9) for option in options(made))
    assert made.recommended.solver.bound <= made.recommended.cost * (1 + 1e-9)
    assert made.recommended.solver.gap <= small.GAP or made.recommended.solver.status == "time_limit"


def test_a_workload_is_served_from_its_first_month(made):
    for workload in made.recommended.workloads:
        assert workload.system_id
        assert workload.start_month >= "2024-08"
        assert 0 < workload.goodput <= 1
        if workload.layer == "serve":
            assert workload.replicas >= 1
        if workload.finish_p80:
            assert workload.finish_p50 <= workload.finish_p80 <= workload.finish_p95
            assert workload.finish_p80 <= workload.target_month


def test_power_counts_what_stands_on_the_site_alone(made):
    for option in options(made):
        for use in option.power:
            bought = sum(order.systems for order in option.orders if order.delivery_month <= use.month)
            assert (use.watts > 0) == (bought > 0)
            assert use.watts <= 200e3 * (1 + 1e-6)


def test_cheap_boxes_are_bought_and_dear_ones_rented():
    assert plan((BUY, "price: 200000 CNY")).recommended.orders
    assert not plan((BUY, "price: 200000 CNY")).recommended.rents
    assert plan((BUY, "price: 20000000 CNY")).recommended.rents
    assert not plan((BUY, "price: 20000000 CNY")).recommended.orders


def test_an_alternative_says_why_it_lost(made):
    names = [one.name for one in made.alternatives]
    assert len(names) == len(set(names)) >= 4
    for one in made.alternatives:
        assert one.reason
        assert (one.extra_cost is None) == (one.option is None)
        if one.option is not None:
            assert one.extra_cost == pytest.approx(one.option.cost - made.recommended.cost)


def test_flips_stay_in_the_span_that_was_tried(made):
    assert made.flips
    for flip in made.flips:
        assert flip.tried_low <= flip.now <= flip.tried_high
        assert flip.tried_low < flip.tried_high
        assert flip.flips_at is None or flip.tried_low * 0.999 <= flip.flips_at <= flip.tried_high * 1.001
        assert (flip.flips_at is None) == (flip.becomes == "")


IMPOSSIBLE = {
    "budget": (("total: 50000000 CNY", "total: 1000 CNY"),),
    "site": ((f"    - {{system: dgx-a800-640, terms: rent, {RENT}}}\n", ""), ("power: 200 kW", "power: 1 kW")),
    "supply": (
        (BUY, f"{BUY}, supply: 1 per month"),
        (RENT, f"{RENT}, supply: 1 per month"),
        ("start: 4 per s", "start: 900 per s"),
    ),
    "nothing offered": ((small.TEXT[small.TEXT.index("  quotes:") : small.TEXT.index("goodput:")], ""),),
    "a target beyond all": (("tpot: 80 ms", "tpot: 1 us"),),
}


@pytest.mark.parametrize("edits", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_names_the_limit_and_what_would_free_it(edits):
    with pytest.raises(InfeasibleError) as caught:
        plan(*edits)
    assert caught.value.limit
    assert caught.value.relief


def test_the_relief_of_a_budget_frees_it():
    """A budget a little above the recommended plan's cash is enough; a hundredth of it is not."""
    spent = sum(line.amount for line in plan().recommended.cash if line.amount > 0)
    assert cost(("total: 50000000 CNY", f"total: {spent * 1.01:.0f} CNY")) <= cost() * SLACK
    with pytest.raises(InfeasibleError, match=r"cash|budget|purse|money"):
        plan(("total: 50000000 CNY", f"total: {spent / 100:.0f} CNY"))


def test_a_model_that_nobody_knows_is_refused_once_for_each_line(tmp_path):
    text = small.text().replace("Qwen/Qwen3-8B", "Qwen/Qwen3-8C")
    path = tmp_path / "scenario.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        small.make_plan(path)
    assert "Qwen/Qwen3-8C" in str(caught.value)
    assert len(caught.value.faults) == 2


def test_progress_goes_forward_to_its_end(tmp_path):
    said = []
    small.make_plan(small.write(tmp_path), lambda message, done: said.append((done, message)))
    assert [done for done, _ in said] == sorted(done for done, _ in said)
    assert (said[0][0], said[-1][0]) == (0.0, 1.0)
    assert all(message for _, message in said)
