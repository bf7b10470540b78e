"""A user's own files win and are named as theirs; whatever is wrong in a file is named with its line, all at once."""

import shutil
from pathlib import Path

import pytest

from suanli.catalogue import find, market
from suanli.catalogue.audit import audit, check
from suanli.catalogue.figures import DATA, printed_figure, unit_factor
from suanli.catalogue.load import catalogue, survey
from suanli.catalogue.sources import read_sources, sources, sources_page
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Kind
from suanli.foundation.units import si_factor

CARD = """\
id: my-card
vendor: Me
name: My Card
origin: CN
device_class: npu
released: "2024-01"
china_export: "yes"
memory_kind: HBM3
memory: {value: 64, unit: GB, date: "2024-01", kind: vendor}
memory_bandwidth: {value: 1.6, unit: TB/s, date: "2024-01", kind: vendor, low: 1.5, high: 1.7}
power: {value: 400, unit: W, date: "2024-01", kind: assumption}
peak:
  bf16: {value: 300, unit: TFLOP/s, date: "2024-01", kind: measured, note: our own test}
link:
  name: own link
  topology: mesh
  domain: 8
  per_direction: {value: 196, unit: GB/s, date: "2024-01", kind: vendor}
"""
BOX = """\
id: my-box
vendor: Me
name: My Box
system_kind: node
released: "2024-01"
accelerator: my-card
accelerators: 8
link: {name: own link, topology: mesh, domain: 8}
power: {value: 5.6, unit: kW, date: "2024-01", kind: vendor}
"""
PRICES = """\
item_id,kind,low,high,currency,per,region,date
dgx-a800-640,purchase,2150000,2150000,CNY,system,China,2023-04
my-box,purchase,900000,1000000,CNY,system,China,2024-02
my-box,rent_month,30000,,CNY,system_month,China,2024-02
my-box,lead_time,3,5,,order,China,2024-02
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "card.yaml").write_text(CARD)
    (tmp_path / "box.yaml").write_text(BOX)
    (tmp_path / "prices.csv").write_text(PRICES)
    return tmp_path


def test_a_users_hardware_stands_beside_the_built_in(folder):
    known = catalogue(folder)
    card, box = known.accelerators["my-card"], known.systems["my-box"]
    assert box.accelerator is card
    assert card.memory_bytes_per_s.value == pytest.approx(1.6e12)
    assert card.memory_bytes_per_s.source == "user:card.yaml"
    assert card.memory_bytes_per_s.range_given
    assert card.sources == ("user:card.yaml",)
    assert find.system("My Box", known) is box
    assert "my-card" not in catalogue().accelerators


def test_a_users_hardware_wins_over_the_built_in_everywhere(tmp_path):
    text = (DATA / "accelerators" / "nv-a800-80-sxm.yaml").read_text("utf-8").replace("value: 312", "value: 300")
    (tmp_path / "mine.yaml").write_text(text)
    known = catalogue(tmp_path / "mine.yaml")
    card = known.accelerators["nv-a800-80-sxm"]
    assert {figure.value for figure in card.peak_flop_per_s.values()} >= {300e12}
    assert known.systems["dgx-a800-640"].accelerator is card
    source = card.peak_flop_per_s["bf16"]
    assert source.source == "user:mine.yaml"
    assert "techpowerup" in source.note


def test_a_users_price_wins_over_the_markets(folder):
    quote = market.purchase_quote("dgx-a800-640", "2023-05", "China", "CNY", catalogue(folder))
    assert {offer.amount.source for offer in quote.evidence} == {"user:prices.csv"}
    assert quote.price.source == "user:prices.csv"
    assert quote.price.low < 2_150_000 * 1.05 < quote.price.high


def test_a_users_price_is_not_known_before_its_date(folder):
    quote = market.purchase_quote("dgx-a800-640", "2023-03", "China", "CNY", catalogue(folder))
    assert quote is None or all(not offer.amount.source.startswith("user:") for offer in quote.evidence)


def test_a_users_box_has_quotes_of_all_kinds(folder):
    known = catalogue(folder)
    bought = market.purchase_quote("my-box", "2024-03", "China", "CNY", known)
    rented = market.rent_quote("my-box", "month", "2024-03", "China", "CNY", known)
    assert 900_000 < bought.price.value < 1_000_000
    assert rented.price_per_system_month.value == pytest.approx(30_000, rel=0.05)
    assert 2 < bought.lead_time.seconds.value / 604800 < 6


def test_offers_may_be_a_list_in_yaml(tmp_path):
    path = tmp_path / "offers.yaml"
    path.write_text(
        "offers:\n"
        "  - {item_id: dgx-h100, kind: purchase, low: 250000, currency: USD, per: system, region: US, date: 2026-10}\n"
    )
    quote = market.purchase_quote("dgx-h100", "2026-11", "US", "USD", catalogue(path))
    assert quote.price.value == pytest.approx(250_000, rel=0.01)
    assert quote.price.source == "user:offers.yaml"


def test_the_last_overlay_lies_on_top(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "card.yaml").write_text(CARD.replace("value: 64", "value: 96"))
    assert catalogue(folder / "card.yaml", other).accelerators["my-card"].memory_bytes.value == 96e9
    assert catalogue(other, folder / "card.yaml").accelerators["my-card"].memory_bytes.value == 64e9


POWER = 'power: {value: 400, unit: W, date: "2024-01", kind: assumption}'
PLANTED = {
    "wrong unit": ("unit: TB/s", "unit: TB/z", "TB/z"),
    "unit of another dimension": ("unit: TB/s", "unit: W", "'W'"),
    "negative": ("value: 400", "value: -400", "-400"),
    "not a number": ("value: 400", "value: .nan", "nan"),
    "infinite": ("value: 400", "value: .inf", "inf"),
    "text for a number": ("value: 400", "value: many", "many"),
    "missing unit": ("{value: 400, unit: W,", "{value: 400,", "no 'unit'"),
    "missing value": ("{value: 64, unit", "{unit", "no 'value'"),
    "missing kind": (', kind: assumption}', "}", "no 'kind'"),
    "unknown kind": ("kind: assumption", "kind: gess", "gess"),
    "unknown key": ("memory_kind:", "memori_kind:", "memori_kind"),
    "unknown key of a figure": ("high: 1.7", "hihg: 1.7", "hihg"),
    "low above value": ("low: 1.5", "low: 1.65", "low <= value"),
    "impossible date": ('W, date: "2024-01"', 'W, date: "2024-13"', "2024-13"),
    "impossible day": ('released: "2024-01"', 'released: "2023-02-30"', "2023-02-30"),
    "unknown topology": ("topology: mesh", "topology: mash", "mash"),
    "domain of nothing": ("domain: 8", "domain: 0", "0"),
    "unknown format": ("  bf16:", "  bf17:", "bf17"),
    "anchor": ("vendor: Me", "vendor: &a Me", "&a"),
    "duplicate key": ("vendor: Me", "vendor: Me\nvendor: You", "vendor"),
    "no name": ("name: My Card\n", "", "no 'name'"),
    "a list for a text": ("name: My Card", "name: [a, b]", "name"),
    "figure that is no mapping": (POWER, "power: 400", "400"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "named"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_fault_is_named_with_file_and_line(tmp_path, before, after, named):
    assert before in CARD
    path = tmp_path / "card.yaml"
    path.write_text(CARD.replace(before, after, 1))
    _, faults = survey((path,))
    assert faults
    assert any(named in str(fault) for fault in faults), [str(fault) for fault in faults]
    assert all(str(path) in fault.place for fault in faults)
    lines = [fault.place.removeprefix(f"{path}:").split(":")[0] for fault in faults]
    assert all(line.isdigit() for line in lines)
    with pytest.raises(InputError):
        catalogue(path)


def test_a_unit_nearly_right_is_suggested(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text(CARD.replace("unit: GB/s", "unit: GB/S"))
    _, faults = survey((path,))
    assert "Did you mean 'GB/s'?" in str(faults[0])


def test_all_faults_of_all_files_come_at_once(folder):
    (folder / "card.yaml").write_text(CARD.replace("TB/s", "TB/z").replace("value: 400", "value: -1"))
    (folder / "prices.csv").write_text(PRICES.replace("2023-04", "2023-44"))
    _, faults = survey((folder,))
    told = "\n".join(map(str, faults))
    assert all(word in told for word in ("TB/z", "-1", "2023-44"))


PLANTED_ROWS = {
    "negative price": ("dgx-a800-640,purchase,-5,,CNY,system,China,2023-04", "-5"),
    "no number": ("dgx-a800-640,purchase,much,,CNY,system,China,2023-04", "much"),
    "infinite": ("dgx-a800-640,purchase,inf,,CNY,system,China,2023-04", "inf"),
    "low above high": ("dgx-a800-640,purchase,9,5,CNY,system,China,2023-04", "low <= high"),
    "unknown item": ("dgx-a900,purchase,5,,CNY,system,China,2023-04", "dgx-a900"),
    "unknown kind": ("dgx-a800-640,purchas,5,,CNY,system,China,2023-04", "purchas"),
    "unknown currency": ("dgx-a800-640,purchase,5,,CNN,system,China,2023-04", "CNN"),
    "unknown per": ("dgx-a800-640,purchase,5,,CNY,sistem,China,2023-04", "sistem"),
    "impossible date": ("dgx-a800-640,purchase,5,,CNY,system,China,2023-02-31", "2023-02-31"),
    "no date": ("dgx-a800-640,purchase,5,,CNY,system,China,", "date"),
    "no region": ("dgx-a800-640,purchase,5,,CNY,system,,2023-04", "region"),
    "short row": ("dgx-a800-640,purchase,5", "another length"),
    "long row": ("dgx-a800-640,purchase,5,,CNY,system,China,2023-04,more", "another length"),
}


@pytest.mark.parametrize(("row", "named"), PLANTED_ROWS.values(), ids=PLANTED_ROWS.keys())
def test_a_planted_row_is_named_with_its_line(tmp_path, row, named):
    path = tmp_path / "prices.csv"
    path.write_text(PRICES.splitlines()[0] + "\n" + row + "\n")
    _, faults = survey((path,))
    assert any(named in str(fault) for fault in faults), [str(fault) for fault in faults]
    assert all(fault.place == f"{path}:2" for fault in faults)


def test_an_unknown_column_and_a_missing_one_are_named(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("item_id,kind,lwo,region,date\n")
    _, faults = survey((path,))
    told = "\n".join(map(str, faults))
    assert "unknown column 'lwo'" in told
    assert "no column 'low'" in told


@pytest.mark.parametrize("text", ["", "just text\n", "a: 1\n", "- 1\n", "offers: 3\n"])
def test_a_file_that_is_nothing_of_ours_is_named(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert survey((path,))[1]


def test_a_path_that_is_not_there_is_named(tmp_path):
    assert "no such file" in str(survey((tmp_path / "none.yaml",))[1][0])
    assert "nothing to read" in str(survey((tmp_path,))[1][0])


def test_a_figure_of_a_wild_size_is_asked_about(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text(CARD.replace("value: 300, unit: TFLOP/s", "value: 300000, unit: PFLOP/s"))
    assert any("Is the unit right?" in str(fault) for fault in audit((path,))[1])
    with pytest.raises(InputError, match="Is the unit right"):
        check((path,))


def test_the_audit_of_good_files_returns_the_whole(folder):
    assert "my-box" in check((folder,)).systems


def test_a_source_key_given_twice_is_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text('same: {title: a, url: "", date: "2024"}\n')
    found, faults = read_sources(sorted(tmp_path.glob("*.yaml")))
    assert list(found) == ["same"]
    assert "two.yaml:1" in faults[0].place
    assert "one.yaml:1" in str(faults[0])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('a: {title: t, url: ""}\n', "no 'date'"),
        ('a: {title: t, url: "", date: "2024-99"}\n', "2024-99"),
        ('a: {title: t, url: "", date: "2024", licens: x}\n', "licens"),
        ("a: words\n", "words"),
    ],
)
def test_a_source_at_fault_is_named(tmp_path, text, named):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    assert any(named in str(fault) for fault in read_sources([path])[1])


def test_built_in_figures_must_cite_a_known_source(tmp_path):
    from suanli.catalogue.plain_yaml import read_plain
    from suanli.catalogue.sheet import Sheet

    path = tmp_path / "x.yaml"
    path.write_text('memory: {value: 1, unit: GB, source: techpowerup, date: "2024", kind: vendor}\n')
    sheet = Sheet(document=read_plain(path), known_sources={"techpowerup_x"})
    assert sheet.figure("memory", into="B") is None
    assert "Did you mean 'techpowerup_x'?" in str(sheet.faults[0])


def test_the_sources_page_names_all_sources_and_gives_the_credit():
    page = sources_page()
    assert "Epoch AI" in page
    assert "creativecommons.org/licenses/by/4.0" in page
    assert all(f"`{key}`" in page for key in sources())


def test_epochs_sources_carry_their_licence():
    assert sources()["epoch_hardware"].licence == "CC-BY 4.0"
    assert sources()["epoch_hardware_prices"].licence == "CC-BY 4.0"


def test_the_quick_table_of_units_agrees_with_pint():
    from suanli.catalogue.figures import _known_factors

    for into, units in _known_factors().items():
        for unit, factor in units.items():
            assert si_factor(unit, "" if into == "1" else into) == pytest.approx(factor, rel=1e-12), (unit, into)


def test_a_unit_outside_the_quick_table_is_read_all_the_same():
    assert unit_factor("Mbit/s", "B/s") == pytest.approx(125e3)
    assert unit_factor("Mbit/s", "W") is None


def test_a_printed_figure_takes_the_range_of_its_kind_where_none_is_given():
    told = printed_figure(value=2, unit="kW", into="W", kind=Kind.VENDOR, source="s", date="2024", place="here")
    assert told.low < told.value == 2000 < told.high
    assert not told.range_given
    wide = printed_figure(value=2, unit="kW", into="W", kind=Kind.ASSUMPTION, source="s", date="2024", place="here")
    assert wide.high > told.high


def test_a_printed_figure_of_an_unknown_unit_is_refused():
    with pytest.raises(InputError, match="kWW"):
        printed_figure(value=2, unit="kWW", into="W", kind=Kind.VENDOR, source="s", date="2024", place="here")


def test_a_huge_table_is_refused(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b"item_id,kind,low,region,date\n" + b"x" * 10_000_001)
    assert "10000000" in str(survey((path,))[1][0])


def test_the_data_survives_being_moved(tmp_path):
    """A copy of a built-in file, checked as a user's own, has no fault: the schema is one."""
    for name in ("nv-h100-sxm", "ascend-910b2"):
        shutil.copy(DATA / "accelerators" / f"{name}.yaml", tmp_path / f"{name}.yaml")
    shutil.copy(DATA / "systems" / "dgx-h100.yaml", tmp_path / "dgx-h100.yaml")
    assert survey((tmp_path,))[1] == []


def test_the_how_tos_example_has_no_fault(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "add-hardware-or-price.md").read_text("utf-8")
    (tmp_path / "acme-x1.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    (tmp_path / "prices.csv").write_text(page.split("```\nitem_id")[1].join(["item_id", ""]).split("```")[0])
    found, faults = survey((tmp_path,))
    assert [str(fault) for fault in faults] == []
    assert "acme-x1" in found.accelerators
    assert len(found.offers) == 698 + 2
