"""The main job on the real examples: limits hold, money sums, every number has a source."""

import functools
from collections import defaultdict
from pathlib import Path

import pytest

from suanli.api.plan import make_plan
from suanli.domain.plan import Option, Plan
from suanli.foundation.errors import InfeasibleError, InputError

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = "domestic-thousand-card"
SLOW = ("domain-llm-shanghai-2023", "startup-finetune-serve", "pretrain-4096-buy-or-rent", "serve-1000-requests")
ALL = [QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


@functools.cache
def made(name: str) -> Plan:
    return make_plan(EXAMPLES / f"{name}.yaml")


def options(plan: Plan) -> list[Option]:
    return [plan.recommended, *(one.option for one in plan.alternatives if one.option is not None)]


@pytest.mark.parametrize("name", ALL)
def test_cash_sums_to_the_cost_to_the_cent(name):
    plan = made(name)
    months = {month: index for index, month in enumerate(plan.months)}
    for option in options(plan):
        monthly = (1 + plan.discount_rate_per_year) ** (1 / 12)
        present = sum(line.amount * monthly ** -months[line.month] for line in option.cash)
        assert present == pytest.approx(option.cost, abs=0.005)


@pytest.mark.parametrize("name", ALL)
def test_what_is_ordered_and_rented_is_what_is_paid(name):
    for option in options(made(name)):
        paid: dict[str, float] = defaultdict(float)
        for line in option.cash:
            paid[line.category] += line.amount
        assert sum(order.amount for order in option.orders) == pytest.approx(paid["purchase"], abs=0.005)
        assert sum(rent.amount for rent in option.rents) <= paid["rent"] + 0.005


@pytest.mark.parametrize("name", ALL)
def test_power_stays_within_the_site(name):
    for option in options(made(name)):
        for use in option.power:
            assert use.limit_watts is None or use.watts <= use.limit_watts * (1 + 1e-6)


@pytest.mark.parametrize("name", ALL)
def test_training_is_planned_to_finish_in_time(name):
    for workload in made(name).recommended.workloads:
        if workload.layer in ("pretrain", "continue"):
            assert workload.finish_p50 <= workload.finish_p80 <= workload.finish_p95
            assert workload.finish_p80 <= workload.target_month


@pytest.mark.parametrize("name", ALL)
def test_every_workload_runs_somewhere_and_says_how(name):
    for workload in made(name).recommended.workloads:
        assert workload.system_id
        assert (workload.training is None) != (workload.serving is None)
        assert workload.parameters > 0


@pytest.mark.parametrize("name", ALL)
def test_no_alternative_beats_the_recommended_one(name):
    plan = made(name)
    assert all(option.cost >= plan.recommended.cost - 0.005 for option in options(plan))
    assert all(cost >= plan.recommended.solver.bound * (1 - 1e-6) or months for months, cost, _ in plan.pareto)


@pytest.mark.parametrize("name", ALL)
def test_an_alternative_gives_its_reason(name):
    assert all(alternative.reason for alternative in made(name).alternatives)


@pytest.mark.parametrize("name", ALL)
def test_every_assumption_has_a_range_and_every_source_is_known(name):
    plan = made(name)
    keys = {source.key for source in plan.sources}
    for assumed in plan.assumed:
        assert assumed.figure.low <= assumed.figure.value <= assumed.figure.high
        assert assumed.figure.source in keys
    for option in options(plan):
        assert {order.source for order in option.orders} | {rent.source for rent in option.rents} <= keys


@pytest.mark.parametrize("name", ALL)
def test_the_gap_is_told(name):
    solver = made(name).recommended.solver
    assert solver.bound <= solver.objective * (1 + 1e-9)
    assert solver.gap <= 0.005 or solver.status == "time_limit"


def changed(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    """Copy the quick example with some text replaced; every edit must apply."""
    text = (EXAMPLES / f"{QUICK}.yaml").read_text("utf-8").replace("models/", f"{EXAMPLES}/models/")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "scenario.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_budget_that_is_too_small_is_infeasible_and_says_so(tmp_path):
    lines = (EXAMPLES / f"{QUICK}.yaml").read_text("utf-8").splitlines()
    total = next(line.strip() for line in lines if line.strip().startswith("total:"))
    with pytest.raises(InfeasibleError) as caught:
        make_plan(changed(tmp_path, (total, "total: 1 M CNY")))
    assert caught.value.exit_code == 3
    assert caught.value.limit
    assert caught.value.relief


def test_a_scenario_of_wrong_input_names_every_fault(tmp_path):
    with pytest.raises(InputError) as caught:
        make_plan(changed(tmp_path, ("layer: pretrain", "layer: pretrian"), ("currency: CNY", "currency: CNX")))
    told = str(caught.value)
    assert "pretrian" in told
    assert "CNX" in told
