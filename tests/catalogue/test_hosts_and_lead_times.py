"""Boxes that nobody lists are assumed openly; waits follow reports, by age, and the usual wait without them."""

import datetime
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.catalogue import find
from suanli.catalogue.access import part_of_offer
from suanli.catalogue.assumptions import assumption
from suanli.catalogue.dates import last_day
from suanli.catalogue.hosts import host_id, in_chassis, plain_host
from suanli.catalogue.known_offers import known, markets
from suanli.catalogue.lead_times import lead_time, lead_time_of
from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Topology
from suanli.domain.market import OfferKind
from suanli.foundation.figure import Kind

KNOWN = catalogue()
CARDS = sorted(KNOWN.accelerators)
WEEK = 604800.0


@pytest.mark.parametrize("name", CARDS)
def test_a_plain_host_is_an_assumption_in_all_that_is_not_the_cards(name):
    card = KNOWN.accelerators[name]
    box = plain_host(card)
    assert box.accelerator is card
    assert box.id == host_id(card, box.accelerators)
    assert box.system_kind == "node"
    assert box.sources == card.sources
    for figure in (box.scale_out_bytes_per_s, box.host_memory_bytes, box.rack_units, box.power_watts):
        assert figure is None or figure.kind is Kind.ASSUMPTION
    assert 1 <= box.link.domain <= max(box.accelerators, 1)


def test_a_card_on_pcie_comes_by_eight_and_a_computer_by_one():
    assert plain_host(KNOWN.accelerators["nv-rtx4080"]).accelerators == 8
    assert plain_host(KNOWN.accelerators["apple-m1-max-32"]).accelerators == 1


def test_a_plain_host_draws_more_than_its_cards():
    card = KNOWN.accelerators["nv-l40s"]
    box = plain_host(card)
    assert box.power_watts.value == pytest.approx(8 * 350 * assumption("host.power_of_accelerators").value)
    assert box.power_watts.low < box.power_watts.value < box.power_watts.high


def test_a_card_without_power_makes_a_box_without_power():
    card = replace(KNOWN.accelerators["nv-l40s"], power_watts=None)
    assert plain_host(card).power_watts is None


def test_a_borrowed_chassis_keeps_its_network_and_size():
    chassis = KNOWN.systems["atlas-800t-a2"]
    box = in_chassis(KNOWN.accelerators["ascend-910b2"], chassis)
    assert box.accelerators == chassis.accelerators
    assert box.scale_out_bytes_per_s is chassis.scale_out_bytes_per_s
    assert box.link == KNOWN.accelerators["ascend-910b2"].link
    assert box.power_watts.value == chassis.power_watts.value
    assert chassis.name in box.notes


def test_a_card_without_a_link_in_a_borrowed_chassis_has_no_link_figure():
    box = find.default_system("nv-t4")
    assert box.link.bytes_per_s is None
    assert box.link.topology is Topology.PCIE


def test_a_borrowed_box_is_not_older_than_its_card():
    box = find.default_system("nv-rtx5090")
    assert box.released >= KNOWN.accelerators["nv-rtx5090"].released


def waits(as_of):
    return [line.offer for line in known(as_of, "world", kinds=(OfferKind.LEAD_TIME,))]


@pytest.mark.parametrize("name", ["dgx-h100", "dgx-a800-640", "gb200-nvl72", "atlas-800t-a2"])
def test_without_reports_the_usual_wait_of_its_kind_is_assumed(name):
    box = KNOWN.systems[name]
    told = lead_time_of(box, [], KNOWN, "2024-06")
    assert told.seconds == assumption(f"lead_time.{box.system_kind}")
    assert told.evidence == ()


@pytest.mark.parametrize("name", ["aws-p5", "tpu-v5e-pod"])
def test_what_is_rented_is_not_waited_for_as_what_is_bought(name):
    assert lead_time(name, "2023-12", "world").seconds == assumption("lead_time.rent")


def test_a_fresh_report_outweighs_the_usual_wait_and_an_old_one_does_not():
    box = KNOWN.systems["dgx-h100"]
    usual = assumption("lead_time.node").value
    fresh = lead_time_of(box, waits("2023-12"), KNOWN, "2023-12").seconds.value
    later = lead_time_of(box, waits("2023-12"), KNOWN, "2024-05").seconds.value
    assert fresh > 3 * usual
    assert usual < later < fresh


def test_a_report_is_forgotten_after_the_window():
    box = KNOWN.systems["dgx-h100"]
    assert lead_time_of(box, waits("2023-12"), KNOWN, "2024-12").evidence == ()


def test_reports_of_a_clusters_building_are_no_waits_for_boxes():
    hall = [offer for offer in waits("2026-11") if offer.item_id == "cl-chinamobile-harbin"]
    assert hall
    assert lead_time_of(KNOWN.systems["atlas-800t-a2"], hall, KNOWN, "2024-08").evidence == ()


def test_reports_on_foreign_chips_do_not_delay_domestic_ones():
    told = lead_time("atlas-800t-a2", "2023-12", "China")
    assert told.evidence == ()


@given(st.sampled_from(sorted(KNOWN.systems)), st.sampled_from(["2022-06", "2023-05", "2024-03", "2026-06"]))
@settings(max_examples=60, deadline=None)
def test_a_wait_is_of_sane_length(name, as_of):
    told = lead_time(name, as_of, "China").seconds
    assert 0 <= told.low <= told.value <= told.high <= 3 * 52 * WEEK


@given(st.dates(datetime.date(2018, 1, 1), datetime.date(2026, 12, 31)), st.sampled_from(["China", "US", "world"]))
@settings(max_examples=60, deadline=None)
def test_the_two_markets_share_no_offer_and_hold_nothing_later(day, region):
    (own, here), (abroad, there) = markets(str(day), region, (OfferKind.PURCHASE,), KNOWN)
    assert own
    assert not abroad
    assert not {offer.id for offer in here} & {offer.id for offer in there}
    assert all(last_day(offer.date) <= day for offer in [*here, *there])
    assert all((part_of_offer(offer.region) == "china") == (region == "China") for offer in here)


def test_beyond_chinas_border_no_chinese_grey_price_counts():
    (_, here), (_, there) = markets("2026-11", "US", (OfferKind.PURCHASE,), KNOWN)
    assert there == []
    assert not any(offer.region.startswith("China") for offer in here)


@given(st.dates(datetime.date(2016, 1, 1), datetime.date(2026, 6, 1)), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_what_was_known_stays_known(day, later):
    """The past does not change: offers known on a day are known on every later day."""
    now = {line.offer.id for line in known(str(day), "China")}
    then = {line.offer.id for line in known(str(day + datetime.timedelta(days=later)), "China")}
    assert now <= then


def test_an_item_and_a_kind_narrow_what_is_listed():
    lines = known("2026-11", "world", "nv-h100-sxm", (OfferKind.RESERVED,))
    assert lines
    assert all(line.offer.item_id == "nv-h100-sxm" and line.offer.kind is OfferKind.RESERVED for line in lines)
