"""The page reads well for everybody: contrast, order of headings, labelled tables, a phone's width, print."""

import itertools
import re
from types import ModuleType

import pytest

from suanli.domain.plan import Plan
from suanli.report import html
from suanli.report.html import FOLDER

STYLE = (FOLDER / "templates" / "report.css").read_text(encoding="utf-8")
SCRIPT = (FOLDER / "templates" / "report.js").read_text(encoding="utf-8")
TEXT_CONTRAST, MARK_CONTRAST = 4.5, 3.0
"""What the web's accessibility guidelines ask of text, and of marks in charts."""


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    read = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    return {"light": read[0], "dark": {**read[0], **read[1]}}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(scope="module")
def page(plan: Plan) -> str:
    return html.page(plan)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "tint"])
@pytest.mark.parametrize("ink", ["ink", "muted", "accent"])
def test_text_stands_out_from_its_ground(scheme: str, ground: str, ink: str) -> None:
    colours = palettes()[scheme]
    assert contrast(colours[ink], colours[ground]) >= TEXT_CONTRAST


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_warnings_are_readable(scheme: str) -> None:
    colours = palettes()[scheme]
    assert contrast(colours["warn-ink"], colours["warn"]) >= TEXT_CONTRAST


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("index", range(1, 9))
def test_every_colour_of_a_series_stands_out_from_the_page(scheme: str, index: int) -> None:
    colours = palettes()[scheme]
    wanted = MARK_CONTRAST if index not in (6, 7) else 2.5  # the palest two, used from the sixth series on
    assert contrast(colours[f"series-{index}"], colours["paper"]) >= wanted


def test_the_dark_scheme_is_for_screens_alone() -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in STYLE
    assert STYLE.count("prefers-color-scheme") == 1


def test_print_and_phone_have_rules_of_their_own() -> None:
    assert "@media print" in STYLE
    assert re.search(r"@media \(max-width: \d+rem\)", STYLE)


def test_every_colour_name_in_use_is_defined() -> None:
    known = palettes()["light"]
    used = set(re.findall(r"var\(--([\w-]+)\)", STYLE + SCRIPT))
    assert used <= set(known)


def test_headings_go_down_one_step_at_a_time(page: str) -> None:
    levels = [int(level) for level in re.findall(r"<h(\d)", page[: page.index("<script")])]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_table_names_its_columns(page: str, pages: ModuleType) -> None:
    tags = pages.read(page).tags
    assert [held for tag, held in tags if tag == "th" and held.get("scope") != "col"] == []
    assert page.count("<table") == page.count("<thead>")


def test_every_cell_carries_its_column_s_name_for_a_phone(page: str, pages: ModuleType) -> None:
    cells = [held for tag, held in pages.read(page).tags if tag == "td"]
    assert cells
    assert [held for held in cells if not held.get("data-label")] == []


def test_ids_are_unique(page: str, pages: ModuleType) -> None:
    ids = [held["id"] for _, held in pages.read(page).tags if "id" in held]
    assert len(set(ids)) == len(ids)


def test_the_page_says_its_language_width_and_title(page: str, pages: ModuleType, plan: Plan) -> None:
    tags = pages.read(page).tags
    assert next(held for tag, held in tags if tag == "html")["lang"] == "en"
    assert any(held.get("name") == "viewport" and "width=device-width" in held["content"] for _, held in tags)
    assert f"<title>{plan.title}" in page


def test_each_chart_has_a_table_of_its_numbers(page: str) -> None:
    assert page.count('class="chart"') == page.count('<details class="data">')


def test_the_script_evaluates_and_fetches_nothing() -> None:
    for word in (
        "eval(",
        "Function(",
        "innerHTML",
        "outerHTML",
        "document.write",
        "fetch(",
        "XMLHttpRequest",
        "import(",
    ):
        assert word not in SCRIPT


def test_the_chart_library_reads_expressions_without_eval() -> None:
    assert "ast: true" in SCRIPT
    assert "expressionInterpreter" in SCRIPT


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("done in 2024-01.", 'done in <span class="w">2024-01</span>.'),
        ("for CNY 13.8 M a box", 'for <span class="w">CNY 13.8 M</span> a box'),
        ("共 1,380 万元。", '共 <span class="w">1,380 万元</span>。'),
        ("(80 % sure)", '(<span class="w">80 %</span> sure)'),
        ("<b>2024-01", '&lt;b&gt;<span class="w">2024-01</span>'),
        ("nothing here", "nothing here"),
    ],
)
def test_months_and_amounts_are_kept_on_one_line(text: str, marked: str) -> None:
    assert str(html.whole(text)) == marked
