"""The decision, the figures beside it and the steps say what the plan says."""

import dataclasses

import pytest

from suanli.domain.plan import Plan
from suanli.report import story


def bare(plan: Plan, **changed: object) -> Plan:
    return dataclasses.replace(plan, recommended=dataclasses.replace(plan.recommended, **changed))


def test_the_decision_names_what_is_bought_rented_paid_and_when_it_is_done(plan: Plan) -> None:
    said = story.decision(plan)
    assert said == (
        "Buy 6 × NVIDIA A800 80GB SXM x8 and 4 × NVIDIA H800 80GB SXM x8; rent up to 8 × NVIDIA A800 80GB SXM x8 "
        "and 3 × NVIDIA H800 80GB SXM x8: CNY 30.74 M in today's money, training done in 2024-01."
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"orders": ()}, "Rent up to 8 × NVIDIA A800"),
        ({"rents": ()}, "Buy 6 × NVIDIA A800"),
        ({"orders": (), "rents": ()}, "Buy and rent nothing: what you have is enough:"),
    ],
)
def test_the_decision_leaves_out_what_is_not_done(plan: Plan, changed: dict[str, object], said: str) -> None:
    assert story.decision(bare(plan, **changed)).startswith(said)


def test_the_decision_of_a_service_alone_says_no_finish(plan: Plan) -> None:
    assert "done" not in story.decision(bare(plan, finish_month=""))


def test_every_order_rent_and_workload_has_its_step(plan: Plan) -> None:
    told = "\n".join(f"{step.month} {step.text}" for step in story.steps(plan))
    for order in plan.recommended.orders:
        assert f"{order.month} Order {order.systems} × {order.system_name}" in told
        assert f"{order.delivery_month} {order.systems} × {order.system_name} are delivered" in told
    for rent in plan.recommended.rents:
        assert f"{rent.first_month} Rent {rent.systems} × {rent.system_name} until {rent.last_month}" in told
    for work in plan.recommended.workloads:
        assert f"{work.start_month} {work.id} starts" in told


def test_steps_are_in_order_of_month(plan: Plan) -> None:
    months = [step.month for step in story.steps(plan)]
    assert months == sorted(months)


def test_a_workload_that_never_starts_has_no_step(plan: Plan) -> None:
    idle = tuple(dataclasses.replace(work, start_month="") for work in plan.recommended.workloads)
    assert not [step for step in story.steps(bare(plan, workloads=idle)) if "starts" in step.text]


def test_each_figure_has_a_tip_that_says_where_it_comes_from(plan: Plan) -> None:
    assert all(fact.tip for fact in story.facts(plan))


def test_the_dearest_month_is_the_one_of_the_greatest_sum(plan: Plan) -> None:
    fact = next(fact for fact in story.facts(plan) if fact.label == "Dearest month")
    assert (fact.value, fact.note) == ("CNY 14.72 M", "2023-05")


def test_figures_that_the_plan_has_no_data_for_are_left_out(plan: Plan) -> None:
    empty = bare(plan, cash=(), power=(), workloads=(), orders=(), rents=())
    assert [fact.label for fact in story.facts(empty)] == [
        "Cost in today's money", "Cash over the plan", "Gap to the bound",
    ]  # fmt: skip


def test_power_without_a_limit_says_so(plan: Plan) -> None:
    free = tuple(dataclasses.replace(use, limit_watts=None) for use in plan.recommended.power)
    fact = next(fact for fact in story.facts(bare(plan, power=free)) if "power" in fact.label)
    assert fact.note == "no limit given"
