"""Tables say every row of the plan, and where its numbers come from."""

import dataclasses

import pytest

from suanli.domain.plan import Plan
from suanli.foundation.figure import Figure, Kind
from suanli.report import provenance, tables
from suanli.report.words import readable, word

NAMES = ("orders", "rents", "workloads", "alternatives", "flips", "assumed", "sources")


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_a_cell_for_each_column(name: str, plan: Plan) -> None:
    table = getattr(tables, name)(plan)
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_table_says_what_its_emptiness_means(name: str, plan: Plan) -> None:
    best = dataclasses.replace(plan.recommended, orders=(), rents=(), workloads=())
    empty = dataclasses.replace(plan, recommended=best, alternatives=(), flips=(), assumed=(), sources=())
    table = getattr(tables, name)(empty)
    assert table.rows == ()
    assert table.empty


@pytest.mark.parametrize("name", ["orders", "rents", "workloads", "flips"])
def test_every_number_has_a_tip(name: str, plan: Plan) -> None:
    table = getattr(tables, name)(plan)
    for row in table.rows:
        for column, cell in zip(table.columns, row, strict=True):
            assert cell.tip or not column.numeric, (column.title, cell.text)


def test_a_price_tells_its_source_date_and_licence(plan: Plan) -> None:
    price = tables.orders(plan).rows[1][4]
    assert price.tip == "Price from: Epoch AI, Machine learning hardware prices, 2024-06, CC-BY 4.0"


def test_a_price_of_an_unlisted_source_says_it_as_it_stands(plan: Plan) -> None:
    assert provenance.of_price(plan, "quote.csv:7") == "Price from: quote.csv:7"


def test_an_estimate_tells_its_band(plan: Plan) -> None:
    speed = tables.speed(plan.recommended.workloads[0])
    assert speed.tip.endswith("80 % band 33.5 s to 44.9 s")


def test_an_estimate_without_a_band_says_so(plan: Plan) -> None:
    memory = tables.memory(plan.recommended.workloads[2])
    assert memory.tip.endswith("no band of its own")


def test_a_workload_without_estimates_shows_dashes(plan: Plan) -> None:
    bare = dataclasses.replace(plan.recommended.workloads[0], training=None)
    assert (tables.speed(bare).text, tables.memory(bare).text) == ("–", "–")


def test_a_figure_s_tip_tells_a_range_from_a_default_one(plan: Plan) -> None:
    given = Figure(value=2.0, unit="", low=1.0, high=3.0, kind=Kind.VENDOR, source="s", date="2023", range_given=True)
    default = dataclasses.replace(given, range_given=False)
    assert "range 1 to 3" in provenance.of_figure(plan, given)
    assert "(default of its kind)" not in provenance.of_figure(plan, given)
    assert "(default of its kind)" in provenance.of_figure(plan, default)


def test_a_workload_that_misses_its_deadline_is_marked(plan: Plan) -> None:
    late = dataclasses.replace(plan.recommended.workloads[0], finish_p80="2024-05")
    best = dataclasses.replace(plan.recommended, workloads=(late,))
    row = tables.workloads(dataclasses.replace(plan, recommended=best)).rows[0]
    assert row[6].note == "later than the deadline at 80 %"


def test_an_infeasible_alternative_says_so(plan: Plan) -> None:
    row = tables.alternatives(plan).rows[2]
    assert (row[1].text, row[2].text) == ("cannot be had", "–")


def test_a_flip_that_never_comes_says_that_the_plan_holds(plan: Plan) -> None:
    assert tables.flips(plan).rows[2][2].text == "it holds over all that was tried"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "//evil.example"])
def test_only_addresses_of_the_web_become_links(url: str) -> None:
    assert tables.safe_link(url) == ""


def test_web_addresses_stay() -> None:
    assert tables.safe_link("https://example.org/a?b=1") == "https://example.org/a?b=1"


def test_cash_by_month_conserves_money(plan: Plan) -> None:
    sums = tables.cash_by_month(plan.recommended)
    told = sum(amount for months in sums.values() for amount in months.values())
    assert told == pytest.approx(sum(line.amount for line in plan.recommended.cash), rel=1e-12)


def test_an_unknown_stable_name_is_said_without_underscores() -> None:
    assert word("liquid_cooling") == "liquid cooling"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resale.after_1_year", "resale: after 1 year"),
        ("PUE", "PUE"),
        ("lead time A800", "lead time A800"),
        ("a.B", "a.B"),
    ],
)
def test_keys_of_data_are_said_as_words_and_words_stay(name: str, said: str) -> None:
    assert readable(name) == said
