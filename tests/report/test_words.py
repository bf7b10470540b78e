"""Every stable name that another part of Suanli gives has a word in both languages."""

from enum import StrEnum

import pytest

from suanli.domain.procurement import Tenure
from suanli.domain.scenario import Layer
from suanli.estimate import compose, memory, serving_step
from suanli.foundation.figure import Kind
from suanli.foundation.language import set_language
from suanli.procure import costs, solve
from suanli.report import words

CAUSES = sorted({*compose.CAUSES, *memory.MEMORY_CAUSES, *serving_step.CAUSES, "cache", "activations", "runtime"})
CATEGORIES = (costs.RESALE, costs.PURCHASE, costs.RENT, costs.COMMITMENT, "power", "colocation", "maintenance", "staff")
SHARES = ("network", "storage", "installation")
STATES = (solve.OPTIMAL, solve.TIME_LIMIT, solve.NO_INCUMBENT, solve.INFEASIBLE)
HELD: list[StrEnum] = [*Tenure]


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_of_seconds_and_bytes_has_a_word(cause: str) -> None:
    assert cause in words.cause_words()


@pytest.mark.parametrize("category", [*CATEGORIES, *SHARES])
def test_every_category_of_cash_has_a_word(category: str) -> None:
    assert category in words.money_words()


@pytest.mark.parametrize("tenure", HELD)
def test_every_tenure_has_a_word(tenure: StrEnum) -> None:
    assert str(tenure) in words.pool_words()


@pytest.mark.parametrize("layer", [*Layer])
def test_every_layer_of_work_has_a_word(layer: Layer) -> None:
    assert str(layer) in words.layer_words()


@pytest.mark.parametrize("kind", [*Kind])
def test_every_kind_of_figure_has_a_word(kind: Kind) -> None:
    assert str(kind) in words.kind_words()


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_the_solver_has_a_word(state: str) -> None:
    assert state in words.option_words()


@pytest.mark.parametrize("name", [*CAUSES, *CATEGORIES, *SHARES, *STATES, *map(str, Tenure), *map(str, Layer)])
def test_words_are_words_of_the_language_in_force(name: str) -> None:
    english = words.word(name)
    assert "_" not in english
    set_language("zh")
    if name != "logits":
        assert words.word(name) != english


def test_no_two_causes_of_one_breakdown_have_the_same_word() -> None:
    known = words.cause_words()
    for causes in (compose.CAUSES, memory.MEMORY_CAUSES, serving_step.CAUSES):
        said = [known[cause] for cause in causes]
        assert len(set(said)) == len(said)


def test_a_word_of_a_person_stays_as_it_is() -> None:
    for said in ("Wait 6 months", "DGX A800 640GB (owned)", "自有", "", "x-1", "https://example.org/a_b.c"):
        assert words.word(said) == said


def test_regions_are_named_in_chinese() -> None:
    set_language("zh")
    assert words.word("China") == "中国"


@pytest.mark.parametrize(
    ("parts", "said"), [((), ""), (("a",), "a"), (("a", "b"), "a, b"), (("", "b", ""), "b"), (("a", "", "c"), "a, c")]
)
def test_lists_leave_out_what_is_empty(parts: tuple[str, ...], said: str) -> None:
    assert words.listed(parts) == said


def test_chinese_lists_use_their_own_comma() -> None:
    set_language("zh")
    assert words.listed(("甲", "乙")) == "甲，乙"
