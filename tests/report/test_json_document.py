"""The document's keys stay, its quantities are SI with the unit in the key, its money carries its currency."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from suanli.domain.plan import Plan
from suanli.foundation.language import set_language
from suanli.report import json_document

STABLE = {"recommended", "alternatives", "orders", "rents", "assignments", "cash", "assumed", "sources"}
ESTIMATE = {"step_seconds", "tokens_per_s", "mfu", "memory_bytes", "breakdown", "layout", "band"}
SERVICE = {"ttft_seconds", "tpot_seconds", "output_tokens_per_s", "layout", "band"}
UNITLESS = {
    "decode_context", "feed_forward",
    "amount", "value", "low", "high", "now", "flips_at", "tried_low", "tried_high", "gap", "goodput", "mfu", "systems",
    "systems_bought", "parameters", "accelerators", "replicas", "concurrency", "discount_rate_per_year", "micro_batch",
    "data", "tensor", "pipeline", "context", "expert", "interleave", "sharding_ranks", "attention_data",
}  # fmt: skip
UNITS = ("_seconds", "_bytes", "_watts", "_per_s", "_tokens")


def items(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from items(below, (*path, key))
    elif isinstance(value, list):
        for below in value:
            yield from items(below, path)
    else:
        yield path, value


@pytest.fixture(scope="module")
def document(plan: Plan) -> dict[str, Any]:
    return json_document.of_plan(plan)


def test_the_stable_keys_are_there(document: dict[str, Any]) -> None:
    assert set(document) >= STABLE


def test_the_document_is_json_without_nan(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_every_row_of_the_plan_is_in_the_document(document: dict[str, Any], plan: Plan) -> None:
    best = plan.recommended
    for key, rows in (
        ("orders", best.orders), ("rents", best.rents), ("assignments", best.assignments), ("cash", best.cash),
        ("power", best.power), ("workloads", best.workloads), ("alternatives", plan.alternatives),
        ("flips", plan.flips), ("pareto", plan.pareto), ("assumed", plan.assumed), ("sources", plan.sources),
    ):  # fmt: skip
        assert len(document[key]) == len(rows), key


def test_money_always_carries_its_currency(document: dict[str, Any]) -> None:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            if "amount" in value and not isinstance(value["amount"], dict):
                assert value["currency"] == "CNY"
            for below in value.values():
                check(below)
        elif isinstance(value, list):
            for below in value:
                check(below)

    check(document)
    assert document["recommended"]["cost"] == {"amount": pytest.approx(30736310.467), "currency": "CNY"}


def test_every_number_s_key_says_its_unit(document: dict[str, Any]) -> None:
    loose = {
        path[-1]
        for path, value in items(document)
        if isinstance(value, float | int) and not isinstance(value, bool)
        if path[-1] not in UNITLESS and not path[-1].endswith(UNITS) and not set(path) & {"seconds", "bytes", "band"}
    }
    assert loose == set()


def test_estimates_have_the_keys_of_their_commands(document: dict[str, Any]) -> None:
    training, _, serving = document["workloads"]
    assert set(training["training"]) >= ESTIMATE
    assert training["serving"] is None
    assert set(serving["serving"]) >= SERVICE
    assert serving["training"] is None


def test_the_cash_lines_add_up_to_the_told_total(document: dict[str, Any]) -> None:
    total = math.fsum(line["amount"]["amount"] for line in document["cash"])
    assert document["recommended"]["cash_total"]["amount"] == pytest.approx(total, abs=1e-6)


def test_an_infeasible_alternative_has_no_option_and_no_cost(document: dict[str, Any]) -> None:
    other = next(row for row in document["alternatives"] if row["name"] == "domestic_only")
    assert other["option"] is None
    assert other["extra_cost"] is None


def test_what_is_not_finite_becomes_null(plan: Plan) -> None:
    solver = dataclasses.replace(plan.recommended.solver, bound=-math.inf, gap=math.inf)
    best = dataclasses.replace(plan.recommended, solver=solver)
    told = json_document.of_plan(dataclasses.replace(plan, recommended=best))["recommended"]["solver"]
    assert told["gap"] is None
    assert told["bound"] == {"amount": None, "currency": "CNY"}


def test_the_document_is_the_same_in_every_language(document: dict[str, Any], plan: Plan) -> None:
    set_language("zh")
    assert json_document.of_plan(plan) == document


def test_hostile_names_come_back_as_they_were(hostile_name: str, hostile_plan: Callable[[str], Plan]) -> None:
    told = json.loads(json.dumps(json_document.of_plan(hostile_plan(hostile_name))))
    assert told["title"] == hostile_name
    assert told["orders"][0]["system_name"] == hostile_name
