"""A sheet hands out what stands in a file and writes down every fault with its line."""

import datetime
from dataclasses import replace

import pytest

from suanli.catalogue.access import availability, system_availability
from suanli.catalogue.assumptions import read_assumptions
from suanli.catalogue.load import catalogue
from suanli.catalogue.offers import COLUMNS, CONFIDENCES, KINDS, OfferReader
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sheet import Sheet, owner_of
from suanli.domain.hardware import Topology
from suanli.domain.market import Access, OfferKind
from suanli.foundation.errors import Fault
from suanli.foundation.figure import Kind

DAY = datetime.date(2024, 6, 1)
CARD = catalogue().accelerators["nv-h20"]


def sheet(tmp_path, text, owner="", sources=("known",)):
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")
    return Sheet(document=read_plain(path), known_sources=sources, owner=owner)


def lines(made):
    return [int(fault.place.split(":")[1]) for fault in made.faults]


def test_what_is_absent_is_none_and_no_fault(tmp_path):
    made = sheet(tmp_path, "a: 1\n")
    assert made.get(("b", "c")) is None
    assert made.text("b") == ""
    assert made.date("b") == ""
    assert made.whole("b") is None
    assert made.figure("b", into="B") is None
    assert made.faults == []


def test_what_is_needed_and_absent_is_a_fault(tmp_path):
    made = sheet(tmp_path, "a: 1\n")
    assert made.text("b", needed=True) == ""
    assert made.whole("c", needed=True) is None
    assert made.figure("d", into="B", needed=True) is None
    assert made.word(Topology, Topology.UNKNOWN, "e") is Topology.UNKNOWN
    assert [fault.found for fault in made.faults] == ["no 'b'", "no 'c'", "no 'd'", "no 'e'"]


def test_a_number_or_a_truth_where_a_text_stands_stays_as_printed(tmp_path):
    made = sheet(tmp_path, "released: 2024\nexport: yes\ngood: true\n")
    assert made.text("released") == "2024"
    assert made.text("export") == "yes"
    assert made.text("good") == "yes"
    assert made.faults == []


@pytest.mark.parametrize("said", ["0", "-3", "1.5", "many", "true"])
def test_a_count_is_a_whole_number_of_at_least_one(tmp_path, said):
    made = sheet(tmp_path, f"a: 1\ncount: {said}\n")
    assert made.whole("count") is None
    assert lines(made) == [2]


def test_a_figure_takes_the_range_that_is_given(tmp_path):
    text = 'm: {value: 80, unit: GB, source: known, date: "2024", kind: vendor, low: 79, high: 82, note: as sold}\n'
    figure = sheet(tmp_path, text).figure("m", into="B")
    assert (figure.low, figure.value, figure.high) == (79e9, 80e9, 82e9)
    assert figure.range_given
    assert figure.note == "as sold"


def test_a_figure_takes_the_range_of_its_quantity_where_none_is_given(tmp_path):
    text = 'm: {value: 80, unit: GB, source: known, date: "2024", kind: vendor}\n'
    figure = sheet(tmp_path, text).figure("m", into="B", quantity="memory")
    assert figure.low == figure.value
    assert figure.high == pytest.approx(80 * 2**30, rel=0.001)
    assert not figure.range_given


def test_one_given_end_leaves_the_other_to_the_kind(tmp_path):
    text = 'm: {value: 100, unit: W, source: known, date: "2024", kind: vendor, high: 101}\n'
    figure = sheet(tmp_path, text).figure("m", into="W")
    assert figure.high == 101
    assert figure.low == pytest.approx(95)


def test_all_faults_of_a_figure_come_at_once(tmp_path):
    made = sheet(tmp_path, "a: 1\nm: {value: -1, unit: XB, source: lost, date: soon, kind: gess, extra: 1}\n")
    assert made.figure("m", into="B") is None
    assert len(made.faults) == 6
    assert set(lines(made)) == {2}


def test_a_users_sheet_is_its_own_source(tmp_path):
    text = 'sources: [theirs]\nm: {value: 1, unit: B, date: "2024", kind: vendor, source: theirs}\n'
    made = sheet(tmp_path, text, owner="user:x.yaml")
    assert made.sources("sources") == ("user:x.yaml",)
    figure = made.figure("m", into="B")
    assert figure.source == "user:x.yaml"
    assert figure.note == "(theirs)"
    assert made.faults == []


def test_a_built_in_sheet_names_known_sources_only(tmp_path):
    made = sheet(tmp_path, "sources: [known, lost]\n")
    made.sources("sources")
    assert [fault.found for fault in made.faults] == ["unknown source 'lost'"]
    nothing = sheet(tmp_path, "a: 1\n")
    assert nothing.sources("sources") == ()
    assert nothing.faults


def test_a_users_file_is_named_without_its_folders(tmp_path):
    assert owner_of(tmp_path / "deep" / "prices.csv") == "user:prices.csv"


def test_keys_that_are_not_allowed_are_named_with_the_nearest(tmp_path):
    made = sheet(tmp_path, "vendor: a\nvendr: b\n")
    made.only((), ("vendor", "name"))
    assert made.faults == [
        Fault(place=f"{made.document.file}:2: vendr", found="unknown key 'vendr'", allowed="vendor, name",
              hint="Did you mean 'vendor'?")
    ]  # fmt: skip


def test_a_text_where_a_mapping_belongs_is_a_fault(tmp_path):
    made = sheet(tmp_path, "link: fast\n")
    made.only(("link",), ("name",))
    assert "mapping" in made.faults[0].allowed


@pytest.mark.parametrize(
    ("said", "day", "access"),
    [
        ("yes", "2024-06-01", Access.FREE),
        ("", "2024-06-01", Access.UNKNOWN),
        ("no", "2024-06-01", Access.FORBIDDEN),
        ("until-2024-06-01", "2024-05-31", Access.FREE),
        ("until-2024-06-01", "2024-06-01", Access.FORBIDDEN),
        ("until-2024-06-01;licence-from-2024-09-01", "2024-08-31", Access.FORBIDDEN),
        ("until-2024-06-01;licence-from-2024-09-01", "2024-09-01", Access.LICENCE),
        ("no-before-2026-01-13;licence-from-2026-01-13", "2026-01-12", Access.FORBIDDEN),
        ("no-before-2026-01-13;licence-from-2026-01-13", "2026-01-13", Access.LICENCE),
    ],
)
def test_the_words_of_export_rules_are_read_at_their_dates(said, day, access):
    card = replace(CARD, china_export=said, released="2020-01")
    assert availability(card, datetime.date.fromisoformat(day), "China").access is access
    assert availability(card, datetime.date.fromisoformat(day), "US").access is Access.FREE


def test_what_has_no_release_date_cannot_be_had():
    assert availability(replace(CARD, released=""), DAY, "US").access is Access.UNRELEASED
    box = replace(catalogue().systems["hgx-h20-8"], released="2030-01")
    assert system_availability(box, DAY, "US").access is Access.UNRELEASED


def row(**said):
    return dict.fromkeys(COLUMNS, "") | {"kind": "purchase", "low": "5", "currency": "CNY", "region": "China",
                                         "date": "2024-01", "source": "s", "confidence": "press"} | said  # fmt: skip


def offered(**said):
    reader = OfferReader(items={"x"}, sources={"s"})
    return reader.offer(row(**said), "f.csv:2", "f-2"), reader.faults


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_row_makes_an_offer(kind):
    made, faults = offered(kind=kind, currency="" if kind == "lead_time" else "CNY")
    assert faults == []
    assert made.kind is KINDS[kind]
    assert made.raw_kind == kind


@pytest.mark.parametrize(("confidence", "kind"), sorted(CONFIDENCES.items()))
def test_how_sure_a_row_is_becomes_its_kind(confidence, kind):
    assert offered(confidence=confidence)[0].amount.kind is kind


def test_a_printed_range_is_the_range_and_its_middle_the_value():
    amount = offered(low="2300000", high="2500000")[0].amount
    assert (amount.low, amount.value, amount.high) == (2.3e6, 2.4e6, 2.5e6)
    assert amount.range_given
    assert not offered(low="5", high="5")[0].amount.range_given


def test_weeks_become_seconds_and_per_cent_a_share():
    assert offered(kind="lead_time", currency="", unit="week", low="2")[0].amount.value == 2 * 604800
    share = offered(kind="price_index", currency="", unit="%", per="percent", low="-10")[0]
    assert share.amount.value == pytest.approx(-0.1)
    assert share.amount.low <= share.amount.value <= share.amount.high


def test_a_term_is_read_in_seconds():
    assert offered(kind="rent_hour_reserved", commitment="3 year")[0].commitment_seconds == pytest.approx(3 * 31557600)
    assert "term" in str(offered(kind="rent_hour_reserved", commitment="long")[1][0])


def test_a_row_says_what_its_price_is_for_where_it_is_usual():
    assert offered(kind="rent_month")[0].per == "system_month"
    assert offered(kind="rent_hour_on_demand")[0].per == "accelerator_hour"
    assert offered()[0].per == "system"


def test_a_row_without_an_id_is_named_after_its_place():
    assert offered()[0].id == "f-2"
    assert offered(id="p1")[0].id == "p1"


def test_every_fault_of_a_row_comes_at_once():
    made, faults = offered(low="-1", date="2024-31", item_id="y", source="t", per="sister", currency="XXX")
    assert made is None
    assert len(faults) == 6
    assert {fault.place for fault in faults} == {"f.csv:2"}


def test_an_offer_of_market_evidence_is_of_no_trade():
    assert offered(kind="electricity", per="kilowatt_hour")[0].kind is OfferKind.OTHER


def test_assumed_figures_at_fault_are_named(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text('pue:\n  here: {value: 0.5, unit: kW, source: suanli_assumption, date: "2024", kind: assumption}\n')
    found, faults = read_assumptions(path)
    assert found == {}
    assert "unit 'kW'" in str(faults[0])


def test_prices_of_power_keep_their_currency(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        'power_price:\n  here: {value: 36, unit: EUR/MWh, source: suanli_assumption, date: "2024", kind: assumption}\n'
    )
    found, faults = read_assumptions(path)
    assert faults == []
    assert found["power_price.here"].unit == "EUR/J"
    assert found["power_price.here"].value == pytest.approx(1e-8)
    assert found["power_price.here"].kind is Kind.ASSUMPTION
