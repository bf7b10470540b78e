"""What holds of every solution: limits kept, costs that add up, relaxing never dearer, names of no account."""

import math
from dataclasses import replace

import pytest
from tests.procure.makers import choice, job, problem, random_problem, service

from suanli.domain.procurement import DemandKind, Tenure
from suanli.foundation.errors import InputError
from suanli.procure.build import build, read, values_of
from suanli.procure.check import ALLOWED_VIOLATION, breaches, decisions_of
from suanli.procure.costs import PURCHASE, RENT, RESALE
from suanli.procure.solve import INFEASIBLE, OPTIMAL, solve

SEEDS = range(40)
GAP = 1e-9


def best(asked, **terms):
    return solve(asked, gap=0.0, seconds=20.0, reasons=False, **terms)


def solved(seed):
    found = best(random_problem(seed))
    return None if found.status == INFEASIBLE else found


def test_one_job_buys_what_it_needs():
    asked = problem([choice("box", 3)], [job("train", 6.0, 2, {"box": 1.0})], 3)
    found = best(asked)
    assert found.status == OPTIMAL
    assert found.objective == pytest.approx(200.0)
    assert sum(found.orders.values()) == 2
    assert found.finish == {"train": 2}


def test_renting_is_chosen_where_it_is_cheaper():
    choices = [choice("box", 2, price=100.0), choice("cloud", 2, Tenure.RENTED_MONTH, price=40.0)]
    found = best(problem(choices, [service("serve", (1.0, 1.0), {"box": 1.0, "cloud": 1.0})], 2))
    assert found.objective == pytest.approx(80.0)
    assert found.rents == {("cloud", 0): 1, ("cloud", 1): 1}
    assert found.cost_lines == {(RENT, 0): 40.0, (RENT, 1): 40.0}


def test_held_systems_are_used_before_any_is_bought():
    asked = problem([choice("box", 2, held=2)], [job("train", 4.0, 1, {"box": 1.0})], 2)
    found = best(asked)
    assert found.objective == 0.0
    assert not found.orders
    assert found.gap == 0.0


def test_an_order_arrives_after_its_lead_time():
    asked = problem([choice("box", 4, lead_periods=(2,) * 4)], [job("train", 2.0, 3, {"box": 1.0})], 4)
    found = best(asked)
    assert set(found.orders) == {("box", 0)}
    assert {period for _, _, period in found.use} == {2, 3}


def test_a_job_waits_for_its_first_period():
    asked = problem([choice("box", 3, held=3)], [job("train", 2.0, 2, {"box": 1.0}, first=1)], 3)
    assert {period for _, _, period in best(asked).use} == {1}


def test_jobs_finish_as_early_as_the_holdings_allow():
    asked = problem([choice("box", 4, held=2)], [job("train", 3.0, 3, {"box": 1.0})], 4)
    found = best(asked)
    assert found.use == {("train", "box", 0): pytest.approx(2.0), ("train", "box", 1): pytest.approx(1.0)}
    assert found.finish["train"] == 1


def test_a_commitment_is_paid_to_its_end():
    cloud = choice("cloud", 3, Tenure.RENTED_RESERVED, price=10.0, commit_periods=3)
    found = best(problem([cloud], [job("train", 1.0, 0, {"cloud": 1.0})], 3))
    assert found.objective == pytest.approx(30.0)
    assert found.rent_starts == {("cloud", 0): 1}


def test_what_a_commitment_lasts_behind_the_horizon_is_paid_too():
    cloud = choice("cloud", 3, Tenure.RENTED_RESERVED, price=10.0, commit_periods=3)
    found = best(problem([cloud], [job("train", 1.0, 2, {"cloud": 1.0}, first=2)], 3))
    assert found.objective == pytest.approx(30.0)


def test_a_job_that_needs_systems_together_gets_them():
    asked = problem([choice("box", 4)], [job("train", 4.0, 3, {"box": 1.0}, least_systems={"box": 3})], 4)
    assert sum(best(asked).orders.values()) == 3


def test_a_job_uses_no_more_than_it_can():
    asked = problem([choice("box", 2, held=4)], [job("train", 4.0, 1, {"box": 1.0}, most_systems={"box": 2.0})], 2)
    assert max(best(asked).use.values()) <= 2.0 + 1e-6


def test_services_leave_a_gang_its_room():
    """A service holds its system all the time, so a job of two at once needs a third."""
    demands = [
        service("serve", (1.0, 1.0), {"box": 1.0}),
        job("train", 1.0, 1, {"box": 1.0}, least_systems={"box": 2}),
    ]
    assert sum(best(problem([choice("box", 2)], demands, 2)).orders.values()) == 3


def test_jobs_take_turns_within_a_period():
    demands = [job(f"tune-{n}", 1.0, 0, {"box": 1.0}, least_systems={"box": 2}) for n in range(2)]
    assert sum(best(problem([choice("box", 1)], demands, 1)).orders.values()) == 2


def test_a_job_runs_on_one_choice_only():
    choices = [choice("east", 1, supply=(1.0,)), choice("west", 1, supply=(1.0,))]
    asked = problem(choices, [job("train", 2.0, 0, {"east": 1.0, "west": 1.0})], 1)
    assert best(asked).status == INFEASIBLE
    split = problem(choices, [service("serve", (2.0,), {"east": 1.0, "west": 1.0})], 1)
    assert best(split).status == OPTIMAL


def test_lots_supply_and_resale_count():
    box = choice("box", 2, lot=3, resale=(40.0, 50.0))
    found = best(problem([box], [job("train", 2.0, 1, {"box": 1.0}, first=1)], 2))
    assert sum(found.orders.values()) == 3
    lines = {
        category: sum(v for (c, _), v in found.cost_lines.items() if c == category) for category in (PURCHASE, RESALE)
    }
    assert lines[PURCHASE] == 300.0
    assert lines[RESALE] in (-120.0, -150.0)
    assert found.objective == pytest.approx(150.0)


def test_power_is_at_the_meter():
    asked = problem([choice("box", 1, held=2)], [job("train", 1.0, 0, {"box": 1.0})], 1, pue=1.5)
    assert best(asked).power_watts == (3000.0,)


def test_rented_systems_draw_nothing_on_site():
    cloud = choice("cloud", 1, Tenure.RENTED_MONTH)
    asked = problem([cloud], [job("train", 1.0, 0, {"cloud": 1.0})], 1, site_watts=0.0, rack_units=0.0)
    found = best(asked)
    assert found.status == OPTIMAL
    assert found.power_watts == (0.0,)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_limit_is_exceeded_and_costs_add_up(seed):
    asked, found = random_problem(seed), solved(seed)
    if found is None:
        return
    assert not breaches(asked, decisions_of(found))
    assert found.violation <= ALLOWED_VIOLATION
    total = math.fsum(amount * asked.discount[period] for (_, period), amount in found.cost_lines.items())
    assert found.objective == pytest.approx(total, abs=0.005)
    assert found.bound <= found.objective
    assert 0.0 <= found.gap <= 1e-6


def relaxations(asked):
    """List the problem with one limit at a time made looser."""
    last = len(asked.periods) - 1
    later = tuple(replace(d, last=last) if d.kind is DemandKind.FINISH else d for d in asked.demands)
    cash = tuple(None if limit is None else 1.5 * limit for limit in asked.limits.cash)
    watts = None if asked.limits.site_watts is None else 2 * asked.limits.site_watts
    supplied = tuple(replace(c, supply=tuple(None if s is None else s + 1 for s in c.supply)) for c in asked.choices)
    sooner = tuple(replace(c, lead_periods=tuple(max(0, p - 1) for p in c.lead_periods)) for c in asked.choices)
    short = tuple(replace(c, commit_periods=1) for c in asked.choices)
    one = tuple(replace(c, lot=1) for c in asked.choices)
    periods = len(asked.periods)
    more = (*asked.choices, choice("extra", periods, price=90.0))
    runs = tuple(replace(d, work_per_system={**d.work_per_system, "extra": 1.0}) for d in asked.demands)
    return {
        "deadline": replace(asked, demands=later),
        "cash": replace(asked, limits=replace(asked.limits, cash=cash)),
        "power": replace(asked, limits=replace(asked.limits, site_watts=watts)),
        "racks": replace(asked, limits=replace(asked.limits, rack_units=None)),
        "supply": replace(asked, choices=supplied),
        "lead": replace(asked, choices=sooner),
        "commitment": replace(asked, choices=short),
        "lot": replace(asked, choices=one),
        "choice": replace(asked, choices=more, demands=runs),
    }


@pytest.mark.parametrize("seed", range(15))
def test_relaxing_never_raises_the_optimum(seed):
    asked = random_problem(seed)
    cost = best(asked).objective
    for name, looser in relaxations(asked).items():
        assert best(looser).objective <= cost * (1 + GAP) + 1e-6, name


@pytest.mark.parametrize("seed", range(15))
def test_the_order_of_choices_and_demands_is_of_no_account(seed):
    asked = random_problem(seed)
    turned = replace(asked, choices=asked.choices[::-1], demands=asked.demands[::-1])
    assert best(turned).objective == pytest.approx(best(asked).objective, rel=GAP)


@pytest.mark.parametrize("seed", range(10))
def test_names_are_of_no_account(seed):
    asked = random_problem(seed)
    choices = tuple(replace(c, id=f"a name, with: signs {c.id}") for c in asked.choices)

    def renamed(mapping):
        return {f"a name, with: signs {key}": value for key, value in mapping.items()}

    demands = tuple(
        replace(
            d, id=f"算力 {d.id}", work_per_system=renamed(d.work_per_system), least_systems=renamed(d.least_systems)
        )
        for d in asked.demands
    )
    told = best(replace(asked, choices=choices, demands=demands))
    assert told.objective == pytest.approx(best(asked).objective, rel=GAP)


@pytest.mark.parametrize(("seed", "factor"), [(0, 1e4), (1, 1e-3), (3, 7.3), (4, 1e6), (7, 0.14), (8, 100.0)])
def test_prices_times_k_cost_k_times_as_much(seed, factor):
    asked = random_problem(seed)

    def line(amounts):
        return tuple(amount * factor for amount in amounts)

    choices = tuple(
        replace(
            c,
            price=line(c.price),
            resale=line(c.resale),
            running_cost={k: line(v) for k, v in c.running_cost.items()},
            extra_cost={k: line(v) for k, v in c.extra_cost.items()},
        )
        for c in asked.choices
    )
    cash = tuple(None if limit is None else limit * factor for limit in asked.limits.cash)
    fixed = {k: line(v) for k, v in asked.fixed_cost.items()}
    scaled = replace(asked, choices=choices, limits=replace(asked.limits, cash=cash), fixed_cost=fixed)
    assert best(scaled).objective == pytest.approx(factor * best(asked).objective, rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_two_threads_answer_as_one(seed):
    asked = random_problem(seed)
    assert best(asked, threads=2).objective == pytest.approx(best(asked, threads=1).objective, rel=GAP)


@pytest.mark.parametrize("seed", range(6))
def test_the_same_problem_gets_the_same_plan(seed):
    asked = random_problem(seed)
    assert replace(best(asked), seconds=0.0) == replace(best(asked), seconds=0.0)


def test_fixed_cost_is_paid_whatever_is_decided():
    asked = problem([choice("box", 2)], [job("train", 1.0, 1, {"box": 1.0})], 2)
    dearer = replace(asked, fixed_cost={"office": (5.0, 6.0)})
    assert best(dearer).objective == pytest.approx(best(asked).objective + 11.0)


def test_a_broken_problem_is_refused_with_all_its_faults():
    broken = problem(
        [choice("box", 2, price=(math.nan, 1.0), lot=0), choice("box", 2, lead_periods=(0,))],
        [job("train", -1.0, 5, {"box": math.inf})],
        2,
        pue=0.5,
        site_watts=-1.0,
        cash=(1.0,),
    )
    with pytest.raises(InputError) as caught:
        solve(broken)
    places = [fault.place for fault in caught.value.faults]
    for place in ("choices", "choices.box.price", "choices.box.lot", "choices.box.lead_periods", "demands.train.amount",
                  "demands.train", "demands.train.work_per_system.box", "pue", "site_watts", "cash"):  # fmt: skip
        assert place in places


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_written_as_values_reads_back_as_itself(seed):
    asked, found = random_problem(seed), solved(seed)
    if found is None:
        return
    made = build(asked)
    values = values_of(made, decisions_of(found))
    assert read(made, values) == decisions_of(found)
    arrays = made.program.arrays()
    for number, row in enumerate(made.program.rows):
        total = sum(values[column] * value for column, value in row.terms.items())
        assert arrays.row_low[number] - 1e-5 <= total <= arrays.row_high[number] + 1e-5, row.name


@pytest.mark.parametrize("seed", range(10))
def test_a_known_plan_is_never_worsened_and_never_misleads(seed):
    asked, found = random_problem(seed), solved(seed)
    if found is None:
        return
    again = best(asked, known=found)
    assert again.objective == pytest.approx(found.objective, rel=GAP)
    poorer = replace(asked, limits=replace(asked.limits, cash=tuple(0.9 * found.objective for _ in asked.periods)))
    assert best(poorer, known=found).objective == pytest.approx(best(poorer).objective, rel=GAP)


def test_a_service_takes_no_more_than_it_needs():
    asked = problem([choice("box", 2, held=3)], [service("serve", (0.5, 1.5), {"box": 1.0})], 2)
    assert best(asked).use == {("serve", "box", 0): pytest.approx(0.5), ("serve", "box", 1): pytest.approx(1.5)}


def test_a_known_plan_of_other_choices_is_left_aside():
    asked = random_problem(1)
    known = solve(asked, gap=0.0)
    renamed = replace(
        asked,
        choices=tuple(replace(one, id=f"{one.id}:other") for one in asked.choices),
        demands=tuple(
            replace(
                one,
                work_per_system={f"{key}:other": rate for key, rate in one.work_per_system.items()},
                least_systems={f"{key}:other": least for key, least in one.least_systems.items()},
                most_systems={f"{key}:other": most for key, most in one.most_systems.items()},
            )
            for one in asked.demands
        ),
    )
    assert solve(renamed, gap=0.0, known=known).objective == pytest.approx(known.objective)
