"""The catalogue is whole, and every figure in it says where it comes from and how far it may be off."""

import math

import pytest

from suanli.catalogue.audit import audit, named_figures
from suanli.catalogue.dates import is_date
from suanli.catalogue.figures import DATA
from suanli.catalogue.load import catalogue
from suanli.catalogue.plain_yaml import read_plain
from suanli.domain.hardware import Precision, Topology
from suanli.domain.market import OfferKind
from suanli.foundation.figure import Kind

KNOWN = catalogue()
HARDWARE = {**KNOWN.accelerators, **KNOWN.systems}
CORRECTED_PEAKS = {"tf32": (126e12, 251.9e12), "bf16": (252e12, 503.8e12), "fp16": (252e12, 503.8e12),
                   "fp8": (504e12, 1007.6e12)}  # fmt: skip
"""RTX PRO 6000: what the published table assumed, and what follows from the card's own four-bit figure."""
ADDED_PEAKS = (24.5e12, 51e12, 75e12, 2.7e12)
"""Eight-bit peaks of FPGA cards that the published table left out: U55C, VHK158, V80, KV260."""
ADDED_MEMORY = 4.29e9
"""The KV260, which the published table does not list."""
ASSUMED_ORIGINS = {"US", "CN", "UK"}


def test_all_published_rows_are_there():
    assert len(KNOWN.accelerators) >= 101
    assert len(KNOWN.systems) == 73, "two of SambaNova beside the published 71"
    assert len(KNOWN.offers) == 698
    assert sum(item.origin == "CN" for item in KNOWN.accelerators.values()) == 39


def test_offers_keep_their_kinds():
    counts = {kind: sum(offer.kind is kind for offer in KNOWN.offers) for kind in OfferKind}
    assert counts == {
        OfferKind.PURCHASE: 115,
        OfferKind.RENT_HOUR: 356,
        OfferKind.RENT_MONTH: 5,
        OfferKind.RESERVED: 183,
        OfferKind.SPOT: 1,
        OfferKind.LEAD_TIME: 9,
        OfferKind.OTHER: 29,
    }


def test_sums_over_the_converted_tables_hold():
    """A digit lost anywhere moves one of these sums; they were compared with the published tables row by row."""
    peaks = [figure for item in KNOWN.accelerators.values() for figure in item.peak_flop_per_s.values()]
    assert len(peaks) == 513 + len(ADDED_PEAKS)
    corrected = math.fsum(ours - theirs for theirs, ours in CORRECTED_PEAKS.values()) + math.fsum(ADDED_PEAKS)
    assert math.fsum(figure.value for figure in peaks) - corrected == pytest.approx(4.2421464e17, rel=1e-12)
    memory = math.fsum(item.memory_bytes.value for item in KNOWN.accelerators.values() if item.memory_bytes)
    assert memory == pytest.approx(8.42313e12 + ADDED_MEMORY, rel=1e-12)
    dollars = math.fsum(offer.amount.value for offer in KNOWN.offers if offer.currency == "USD")
    renminbi = math.fsum(offer.amount.value for offer in KNOWN.offers if offer.currency == "CNY")
    assert dollars == pytest.approx(18939528.0421, rel=1e-9)
    assert renminbi == pytest.approx(20032888083.86, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "quantity", "value"),
    [
        ("nv-a800-80-sxm", "link.bytes_per_s", 200e9),
        ("nv-a100-80-sxm", "link.bytes_per_s", 300e9),
        ("nv-h100-sxm", "peak_flop_per_s.bf16", 989.4e12),
        ("nv-h100-sxm", "peak_flop_per_s.fp8", 1979e12),
        ("nv-h100-sxm", "matmul_ceiling_flop_per_s", 794.5e12),
        ("nv-h100-sxm", "memory_bytes_per_s", 3350e9),
        ("nv-h20", "memory_bytes_per_s", 4000e9),
        ("ascend-910b2", "peak_flop_per_s.bf16", 376e12),
        ("amd-mi300x", "link.bytes_per_s", 448e9),
        ("tpu-v5e", "peak_flop_per_s.bf16", 197e12),
        ("nv-t4", "other_figures.die_area", 545e-6),
        ("dgx-a800-640", "scale_out_bytes_per_s", 25e9),
        ("dgx-a800-640", "power_watts", 6500.0),
        ("cloudmatrix-384", "power_watts", 559e3),
        ("dgx-h100", "host_memory_bytes", 2048e9),
        ("atlas-950-superpod", "other_figures.racks", 160.0),
    ],
)
def test_spot_figures_are_those_of_the_published_table(name, quantity, value):
    assert dict(named_figures(HARDWARE[name]))[quantity].value == pytest.approx(value)


def test_a_professional_card_accumulates_at_full_rate():
    """The one correction of the published table: bf16 and fp8 follow from fp4 dense, and measured kernels bear it out.

    A GeForce of the same silicon accumulates in 32 bits at half that rate, which its own row keeps.
    """
    card = KNOWN.accelerators["nv-rtxpro6000"].peak_flop_per_s
    for precision, (_, ours) in CORRECTED_PEAKS.items():
        figure = card[Precision(precision)]
        assert figure.value == pytest.approx(ours)
        assert figure.kind is Kind.DERIVED
    assert card[Precision.FP4].value / card[Precision.BF16].value == pytest.approx(4, rel=1e-3)
    assert card[Precision.FP4].value / card[Precision.FP8].value == pytest.approx(2, rel=1e-3)
    assert card[Precision.FP8].value == pytest.approx(card[Precision.INT8].value, rel=1e-3)
    game = KNOWN.accelerators["nv-rtx5090"].peak_flop_per_s
    assert game[Precision.FP4].value / game[Precision.BF16].value == pytest.approx(8, rel=1e-3)


@pytest.mark.parametrize("name", sorted(HARDWARE))
def test_every_figure_has_source_date_kind_and_an_ordered_range(name):
    for quantity, figure in named_figures(HARDWARE[name]):
        assert figure.source in KNOWN.sources, f"{quantity}: {figure.source}"
        assert is_date(figure.date), quantity
        assert figure.kind in Kind, quantity
        assert 0 <= figure.low <= figure.value <= figure.high < math.inf, quantity


@pytest.mark.parametrize("name", sorted(HARDWARE))
def test_every_product_names_its_sources(name):
    assert HARDWARE[name].sources
    assert set(HARDWARE[name].sources) <= set(KNOWN.sources)


def test_every_offer_has_a_source_a_date_a_region_rule_and_an_ordered_range():
    for offer in KNOWN.offers:
        amount = offer.amount
        assert amount.source in KNOWN.sources
        assert is_date(offer.date)
        assert amount.low <= amount.value <= amount.high, offer.id
        assert math.isfinite(amount.value)
        assert amount.unit == (offer.currency or amount.unit)


def test_offers_join_to_products_that_exist():
    joined = [offer for offer in KNOWN.offers if offer.item_id]
    assert len(joined) >= 557
    assert all(offer.item_id in HARDWARE for offer in joined)


def test_lead_times_are_seconds():
    waits = [offer for offer in KNOWN.offers if offer.kind is OfferKind.LEAD_TIME]
    assert all(offer.amount.unit == "s" and offer.amount.value >= 604800 for offer in waits)


AS_PUBLISHED = {"nv-rubin", "aws-trn3"}
"""Chips whose narrow formats gained more than a factor of two on one generation's wide ones."""


@pytest.mark.parametrize("name", sorted(set(KNOWN.accelerators) - AS_PUBLISHED))
def test_peaks_are_dense(name):
    """FP8 runs at no more than twice BF16, TF32 and FP32 at no more than BF16: a sparse figure would be twice that."""
    peaks = {precision: figure.value for precision, figure in KNOWN.accelerators[name].peak_flop_per_s.items()}
    half = peaks.get(Precision.BF16) or peaks.get(Precision.FP16)
    for precision, factor in {Precision.FP8: 2.05, Precision.TF32: 1.0, Precision.FP32: 1.0}.items():
        if half is not None and precision in peaks:
            assert peaks[precision] <= factor * half * 1.001, precision


def test_a_known_sparse_trap_is_halved():
    assert KNOWN.accelerators["nv-h100-sxm"].peak_flop_per_s[Precision.BF16].value < 1000e12
    assert KNOWN.accelerators["nv-l40s"].peak_flop_per_s[Precision.BF16].value < 400e12


def test_measured_ceilings_are_measured_where_they_were_and_lie_below_the_peak():
    for item in KNOWN.accelerators.values():
        ceiling = item.matmul_ceiling_flop_per_s
        if ceiling is not None:
            assert ceiling.value < item.peak_flop_per_s[Precision.BF16].value
    kinds = {name: item.matmul_ceiling_flop_per_s for name, item in KNOWN.accelerators.items()}
    assert kinds["nv-h100-sxm"].kind is Kind.MEASURED
    assert kinds["nv-a800-80-sxm"].kind is Kind.ESTIMATE


def test_the_export_measure_is_derived_and_agrees_with_the_peaks():
    bits = {Precision.BF16: 16, Precision.FP16: 16, Precision.FP8: 8, Precision.INT8: 8, Precision.FP4: 4}
    for item in KNOWN.accelerators.values():
        tpp = item.other_figures.get("export_tpp")
        rates = [figure.value / 1e12 * bits[key] for key, figure in item.peak_flop_per_s.items() if key in bits]
        if tpp is not None and rates:
            assert tpp.kind is Kind.DERIVED
            assert tpp.value >= 0.99 * max(rates), item.id


def test_a_weak_figure_is_of_a_weaker_kind_than_its_row():
    card = KNOWN.accelerators["nv-v100-sxm2-32"]
    assert card.power_watts.kind is Kind.ESTIMATE
    assert card.memory_bytes.kind is Kind.VENDOR
    box = KNOWN.systems["dgx-a800-640"]
    assert box.host_memory_bytes.kind is Kind.ASSUMPTION


def test_a_weak_figure_has_a_wider_range():
    vendor = KNOWN.accelerators["nv-h100-sxm"].power_watts
    weak = KNOWN.accelerators["nv-v100-sxm2-32"].power_watts
    assert weak.high / weak.low > vendor.high / vendor.low
    assert not weak.range_given


@pytest.mark.parametrize(
    ("name", "topology"),
    [
        ("dgx-h100", Topology.SWITCHED),
        ("gb200-nvl72", Topology.SWITCHED),
        ("cloudmatrix-384", Topology.SWITCHED),
        ("mi300x-8", Topology.MESH),
        ("atlas-800t-a2", Topology.MESH),
        ("hls-gaudi2", Topology.MESH),
        ("dgx-1-v100", Topology.CUBE_MESH),
        ("tpu-v5e-pod", Topology.TORUS_2D),
        ("tpu-v4-pod", Topology.TORUS_3D),
        ("rtx4090-8", Topology.PCIE),
        ("pcie-a800-8", Topology.PAIR_BRIDGE),
    ],
)
def test_link_topology_is_typed(name, topology):
    assert KNOWN.systems[name].link.topology is topology


def test_a_system_carries_the_accelerator_itself():
    for box in KNOWN.systems.values():
        assert box.accelerator is KNOWN.accelerators[box.accelerator.id]
        total, one = box.other_figures.get("memory_total"), box.accelerator.memory_bytes
        if total and one and box.accelerator.id not in {"nv-b300-sxm"}:
            assert total.value == pytest.approx(box.accelerators * one.value, rel=0.01), box.id


def test_the_built_in_catalogue_has_no_fault():
    assert audit()[1] == []


def test_every_file_of_hardware_is_named_as_its_id():
    for folder in ("accelerators", "systems"):
        for path in (DATA / folder).glob("*.yaml"):
            assert read_plain(path).data["id"] == path.stem


def test_origins_are_few_words():
    assert {item.origin for item in KNOWN.accelerators.values()} == ASSUMED_ORIGINS


def test_the_articles_rows_are_there_word_for_number():
    bought, market = (next(offer for offer in KNOWN.offers if offer.id == name) for name in ("p0001", "p0002"))
    assert bought.amount.value == 2_000_000
    assert (market.amount.low, market.amount.high) == (2_300_000, 2_500_000)
    assert {bought.item_id, market.item_id} == {"dgx-a800-640"}
    assert bought.date == market.date == "2023-05"
    assert bought.held < market.date
