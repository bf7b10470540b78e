"""What holds of every file of data: plain text, units that can be read, sources that exist, figures in reason."""

import csv
import datetime
import itertools
import json
import math
import random
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanli.catalogue import find, market
from suanli.catalogue.audit import named_figures
from suanli.catalogue.dates import first_day, last_day
from suanli.catalogue.figures import DATA
from suanli.catalogue.load import catalogue, survey
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.sources import sources
from suanli.domain.hardware import Precision
from suanli.domain.market import OfferKind
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure, Kind

KNOWN = catalogue()
TODAY = last_day("2026-11-30")
TEXTS = sorted(path for path in DATA.rglob("*") if path.suffix in (".yaml", ".csv", ".json", ".toml"))
HARDWARE = sorted([*DATA.glob("accelerators/*.yaml"), *DATA.glob("systems/*.yaml")])
LARGEST_BYTES = 3_000_000
HALF_A_YEAR = datetime.timedelta(days=183)
"""By so much the printed dates of a box and its chip may disagree."""


def named(paths):
    return [str(path.relative_to(DATA)) for path in paths]


@pytest.mark.parametrize("path", TEXTS, ids=named(TEXTS))
def test_a_file_is_plain_text_that_every_machine_reads_alike(path):
    raw = path.read_bytes()
    assert len(raw) < LARGEST_BYTES
    assert b"\r" not in raw
    assert not raw.startswith(b"\xef\xbb\xbf")
    text = raw.decode("utf-8")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\t" not in text or path.suffix == ".csv"
    assert not re.search(r"(TODO|FIXME|XXX\b|/home/|/tmp/)", text)
    assert all(letter.isprintable() or letter in "\n\t" for letter in text)


@pytest.mark.parametrize("path", HARDWARE, ids=named(HARDWARE))
def test_a_product_lies_in_the_file_of_its_name(path):
    assert read_plain(path).data["id"] == path.stem
    assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", path.stem)


@pytest.mark.parametrize("path", [path for path in TEXTS if path.suffix == ".csv"], ids=lambda path: path.stem)
def test_every_row_of_a_table_is_as_long_as_its_head(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows
    assert len(set(rows[0])) == len(rows[0])
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize("path", [path for path in TEXTS if path.suffix == ".json"], ids=lambda path: path.stem)
def test_json_is_strict_and_names_nothing_twice(path):
    def once(pairs):
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def refuse(word):
        raise AssertionError(word)

    json.loads(path.read_text("utf-8"), object_pairs_hook=once, parse_constant=refuse)


def test_every_source_that_is_cited_exists():
    cited = set()
    for path in TEXTS:
        if path.suffix == ".yaml" and path.parent.name != "sources" and "template" not in path.name:
            cited |= set(re.findall(r"\bsource: ([a-z0-9_]+)\b", path.read_text("utf-8")))
    assert cited
    assert sorted(cited - set(sources())) == []


@pytest.mark.parametrize("key", sorted(sources()))
def test_a_source_has_a_title_a_date_that_has_been_and_a_whole_address(key):
    source = sources()[key]
    assert re.fullmatch(r"[a-z0-9_]+", key)
    assert source.title.strip()
    assert first_day(source.date) <= TODAY
    own = source.url.startswith("docs/") and (Path(__file__).parents[2] / source.url).is_file()
    assert own or source.url == "" or re.fullmatch(r"https?://[^\s]+\.[^\s]+", source.url)


@pytest.mark.parametrize("name", [*sorted(KNOWN.accelerators), *sorted(KNOWN.systems)])
def test_a_figure_is_finite_ranged_dated_and_sourced(name):
    item = KNOWN.accelerators.get(name) or KNOWN.systems[name]
    for title, figure in named_figures(item):
        assert isinstance(figure, Figure)
        assert 0 <= figure.low <= figure.value <= figure.high < math.inf, title
        assert figure.kind in Kind
        assert figure.source in sources(), title
        assert first_day(figure.date) <= TODAY, title


WIDER = ((Precision.FP8, Precision.BF16), (Precision.BF16, Precision.FP32), (Precision.FP16, Precision.FP32))


@pytest.mark.parametrize("name", sorted(KNOWN.accelerators))
def test_a_wider_format_is_never_faster(name):
    peaks = KNOWN.accelerators[name].peak_flop_per_s
    for narrow, wide in WIDER:
        if narrow in peaks and wide in peaks:
            assert peaks[narrow].value >= peaks[wide].value * (1 - 1e-9)


@pytest.mark.parametrize("name", sorted(KNOWN.accelerators))
def test_nobody_measures_more_than_was_printed(name):
    """A matmul ceiling is of dense arithmetic, so it stands below the dense peak of its format."""
    chip = KNOWN.accelerators[name]
    if chip.matmul_ceiling_flop_per_s is not None:
        assert chip.matmul_ceiling_flop_per_s.low <= max(peak.high for peak in chip.peak_flop_per_s.values())


@pytest.mark.parametrize("name", sorted(KNOWN.systems))
def test_a_box_agrees_with_the_chips_in_it(name):
    box = KNOWN.systems[name]
    assert box.accelerator is KNOWN.accelerators[box.accelerator.id]
    assert box.accelerators >= 1
    if box.released and box.accelerator.released and box.system_kind != "cluster":
        assert last_day(box.released) + HALF_A_YEAR >= first_day(box.accelerator.released)
    if box.power_watts is not None and box.accelerator.power_watts is not None:
        assert box.power_watts.high >= box.accelerators * box.accelerator.power_watts.low * 0.5


@pytest.mark.parametrize("names", [KNOWN.accelerators, KNOWN.systems], ids=["accelerators", "systems"])
def test_ids_do_not_hide_one_another(names):
    folded = [find.folded(name) for name in names]
    assert len(folded) == len(set(folded))


def test_every_offer_is_of_something_known_or_of_a_named_kind():
    ids = [offer.id for offer in KNOWN.offers]
    assert len(ids) == len(set(ids))
    for offer in KNOWN.offers:
        assert (
            offer.item_id == ""
            or offer.item_id in {*KNOWN.accelerators, *KNOWN.systems}
            or offer.item_id.startswith("host")
        ), offer.id
        assert offer.amount.low <= offer.amount.value <= offer.amount.high, offer.id
        assert offer.kind in OfferKind
        assert first_day(offer.date) <= TODAY
        assert offer.amount.source in sources()


HOSTILE = [
    "", " ", "\n", "\0", "../../etc/passwd", "/", "C:\\", "*", ".*", "(", "[a-z]+", "${HOME}", "'; drop",
    "<script>", "A" * 100_000, "9" * 5000 + "x A100", "0x A100", "-1x A100", "8x", "x A100", "8x8x A100", "🚀",
    "昇腾", "Ａ１００",
    "%s%n", "{name}", "{0}", "None", "nan", "True", "__class__", "٨x A100", "²x A100",
]  # fmt: skip


def answer(ask, text):
    """Return the id that is found, or the faults that are told."""
    try:
        return ask(text).id
    except InputError as error:
        return error.faults


def is_known(found):
    return found in KNOWN.accelerators or found in KNOWN.systems or found.startswith("host")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("ask", [find.accelerator, find.system, find.product])
def test_a_hostile_name_is_found_or_refused_and_nothing_else(ask, text):
    found = answer(ask, text)
    assert is_known(found) if isinstance(found, str) else len(found) == 1


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30), ask=st.sampled_from([find.accelerator, find.system, find.product]))
def test_no_name_whatever_breaks_the_search(text, ask):
    found = answer(ask, text)
    assert is_known(found) if isinstance(found, str) else found[0].allowed


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(sorted(KNOWN.accelerators)), seed=st.integers(0, 10**6))
def test_one_wrong_letter_is_answered_with_a_suggestion_or_a_product(name, seed):
    at = random.Random(seed).randrange(len(name))
    found = answer(find.accelerator, f"{name[:at]}~{name[at + 1 :]}")
    assert is_known(found) if isinstance(found, str) else found[0].hint.count("'") >= 2


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(HARDWARE))
def test_a_built_in_file_laid_over_itself_changes_no_number(path, tmp_path):
    folder = tmp_path / path.stem
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / path.name)
    over, faults = survey((folder,))
    assert faults == []
    kinds = (
        (over.accelerators, KNOWN.accelerators) if path.parent.name == "accelerators" else (over.systems, KNOWN.systems)
    )
    new, old = (dict(named_figures(kind[path.stem])) for kind in kinds)
    assert {key: (one.value, one.low, one.high) for key, one in new.items()} == {
        key: (one.value, one.low, one.high) for key, one in old.items()
    }
    assert set(over.systems) == set(KNOWN.systems)


def test_an_overlay_leaves_the_built_in_catalogue_as_it_was(tmp_path):
    before = (len(KNOWN.accelerators), len(KNOWN.systems), len(KNOWN.offers))
    path = tmp_path / "mine.csv"
    path.write_text("item_id,kind,low,currency,region,date\ndgx-h100,purchase,2000000,CNY,China,2024-07\n", "utf-8")
    assert len(catalogue(path).offers) == before[2] + 1
    assert (len(catalogue().accelerators), len(catalogue().systems), len(catalogue().offers)) == before


DATES = [f"{year}-{month:02d}" for year in range(2021, 2027) for month in (2, 5, 8, 11)]
BOXES = ["dgx-a100-640", "dgx-a800-640", "dgx-h100", "dgx-h800", "hgx-h20-8", "atlas-800t-a2", "dgx-b200"]


@pytest.mark.parametrize("region", ["China", "US", "world"])
def test_evidence_only_grows(region):
    seen = [{line.offer.id for line in market.known(date, region)} for date in DATES[::3]]
    for earlier, later in itertools.pairwise(seen):
        assert earlier <= later


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(BOXES),
    dates=st.lists(st.sampled_from(DATES), min_size=2, max_size=2, unique=True).map(sorted),
    region=st.sampled_from(["China", "US"]),
)
def test_what_was_priced_or_released_once_stays_so(name, dates, region):
    early, late = (market.access(name, date, region).access.value for date in dates)
    assert not (early != "unreleased" and late == "unreleased")
    earlier, later = (market.purchase_quote(name, date, region, "CNY") for date in dates)
    assert not (earlier is not None and later is None)


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(BOXES), date=st.sampled_from(DATES), region=st.sampled_from(["China", "US"]))
def test_a_month_of_rent_costs_less_than_the_box(name, date, region):
    bought = market.purchase_quote(name, date, region, "USD")
    rented = market.rent_quote(name, "month", date, region, "USD")
    if bought is not None and rented is not None:
        assert rented.price_per_system_month.value < bought.price.value / 3


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(BOXES), date=st.sampled_from(DATES), pair=st.permutations(["CNY", "USD", "EUR"]))
def test_a_price_is_the_same_in_every_currency_but_for_the_rate(name, date, pair):
    """The rate between two currencies is one and the same for every box on the same day."""
    quotes = [market.purchase_quote(name, date, "US", currency) for currency in pair[:2]]
    other = [market.purchase_quote("dgx-a100-640", date, "US", currency) for currency in pair[:2]]
    if None not in (*quotes, *other):
        ratio = quotes[0].price.value / quotes[1].price.value
        assert ratio == pytest.approx(other[0].price.value / other[1].price.value, rel=0.1)
