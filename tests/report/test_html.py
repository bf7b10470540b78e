"""The page opens offline, says the whole plan, and lets nobody else's words do anything."""

import base64
import dataclasses
import gettext
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from suanli.domain.plan import Plan
from suanli.foundation.language import LOCALE_FOLDER, set_language
from suanli.report import html

OUR_SCRIPTS = 4
UNITS = {"token", "tokens"}


def texts_of(noun: Any) -> Iterator[str]:
    """Walk a noun for every text in it."""
    if isinstance(noun, str):
        yield noun
    elif dataclasses.is_dataclass(noun):
        for part in dataclasses.fields(noun):
            yield from texts_of(getattr(noun, part.name))
    elif isinstance(noun, dict):
        for key, value in noun.items():
            yield from texts_of(key)
            yield from texts_of(value)
    elif isinstance(noun, tuple):
        for part in noun:
            yield from texts_of(part)


@pytest.fixture(scope="module")
def english_page(plan: Plan) -> str:
    set_language("en")
    return html.page(plan)


def test_the_page_loads_nothing(english_page: str, pages: ModuleType) -> None:
    page = pages.read(english_page)
    assert {tag for tag, _ in page.tags} & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "video",
        "base",
        "form",
    } == set()
    assert [held for tag, held in page.tags if "src" in held or "srcset" in held] == []
    assert [tag for tag, held in page.tags if "href" in held and tag != "a"] == []
    assert not re.search(r"url\(|@import", "".join(page.styles))


def test_the_policy_allows_our_scripts_by_hash_and_nothing_else(english_page: str, pages: ModuleType) -> None:
    page = pages.read(english_page)
    policy = next(held["content"] for _, held in page.tags if held.get("http-equiv") == "Content-Security-Policy")
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    run = [text for held, text in page.scripts if held.get("type") != "application/json"]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in run}
    assert len(run) == OUR_SCRIPTS
    assert set(rules["script-src"].split()) == hashes
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'none'"
    assert "unsafe-eval" not in policy


def test_the_policy_comes_before_anything_that_it_must_hold(english_page: str) -> None:
    assert english_page.index("Content-Security-Policy") < english_page.index("<style>") < english_page.index("<script")


def test_the_page_says_every_order_rent_and_workload(english_page: str, plan: Plan, pages: ModuleType) -> None:
    told = "\n".join(pages.read(english_page).texts)
    for order in plan.recommended.orders:
        assert order.system_name in told
        assert order.month in told
        assert order.delivery_month in told
    for rent in plan.recommended.rents:
        assert rent.last_month in told
    for work in plan.recommended.workloads:
        assert work.id in told
        assert work.demand_note in told


def test_the_page_says_alternatives_flips_assumptions_gaps_and_sources(
    english_page: str, plan: Plan, pages: ModuleType
) -> None:
    told = "\n".join(pages.read(english_page).texts)
    wanted = [other.reason for other in plan.alternatives] + [flip.quantity for flip in plan.flips]
    wanted += [item.name for item in plan.assumed] + list(plan.unknown) + [source.title for source in plan.sources]
    assert [text for text in wanted if text not in told] == []


def test_every_source_is_linked(english_page: str, plan: Plan, pages: ModuleType) -> None:
    links = {held["href"] for tag, held in pages.read(english_page).tags if tag == "a"}
    assert links == {source.url for source in plan.sources if source.url}


def test_the_credit_stands_where_the_data_ask_for_it(english_page: str, plan: Plan) -> None:
    without = dataclasses.replace(plan, sources=())
    assert "CC-BY 4.0; units were converted" in english_page
    assert "CC-BY 4.0; units were converted" not in html.page(without)


def test_every_chart_has_its_place_words_and_numbers(english_page: str, pages: ModuleType) -> None:
    page = pages.read(english_page)
    specs = json.loads(next(text for held, text in page.scripts if held.get("type") == "application/json"))
    places = [held for _, held in page.tags if held.get("class") == "chart"]
    assert {held["data-key"] for held in places} == set(specs)
    assert all(held["aria-label"] for held in places)


def test_a_late_workload_is_warned_of(plan: Plan) -> None:
    late = dataclasses.replace(plan.recommended.workloads[0], finish_p80="2024-06")
    best = dataclasses.replace(plan.recommended, workloads=(late,))
    assert 'class="warning"' in html.page(dataclasses.replace(plan, recommended=best))
    assert 'class="warning"' not in html.page(plan)


def test_an_empty_plan_still_makes_a_page(plan: Plan, pages: ModuleType) -> None:
    best = dataclasses.replace(
        plan.recommended, orders=(), rents=(), assignments=(), workloads=(), cash=(), power=(), finish_month=""
    )
    empty = dataclasses.replace(
        plan, recommended=best, alternatives=(), flips=(), pareto=(), assumed=(), unknown=(), sources=()
    )
    told = pages.read(html.page(empty)).texts
    assert "Nothing is bought." in told
    assert "Nothing that the plan asked for was missing." in told


def test_hostile_names_change_no_tag_and_no_script(
    hostile_name: str, hostile_plan: Callable[[str], Plan], pages: ModuleType
) -> None:
    harmless = pages.read(html.page(hostile_plan("harmless")))
    page = pages.read(html.page(hostile_plan(hostile_name)))
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in harmless.tags}
    assert [text for held, text in page.scripts if not held] == [text for held, text in harmless.scripts if not held]
    assert not [name for _, held in page.tags for name in held if name.startswith("on")]
    assert not [held for _, held in page.tags if held.get("href", "").startswith("javascript")]


def test_hostile_names_stand_as_they_were_given(
    hostile_name: str, hostile_plan: Callable[[str], Plan], pages: ModuleType
) -> None:
    page = pages.read(html.page(hostile_plan(hostile_name)))
    assert hostile_name.strip() in page.texts
    specs = json.loads(next(text for held, text in page.scripts if held.get("type") == "application/json"))
    assert specs["cash"]["data"]["values"][0]["category"] == hostile_name


def test_texts_of_others_are_set_apart_by_direction(hostile_plan: Callable[[str], Plan]) -> None:
    name = "\u202egnp.exe"
    page = html.page(hostile_plan(name))
    body = page[: page.index('<script type="application/json"')]
    loose = [match.start() for match in re.finditer(name, body) if not _isolated(body, match.start())]
    assert loose == []


def _isolated(body: str, place: int) -> bool:
    """Tell whether the innermost open tag before a place isolates direction, or the place is in a tag or title."""
    before = body[:place]
    if before.rfind("<") > before.rfind(">"):
        return True
    tags = re.findall(r"<(/?)(\w+)([^>]*)>", before)
    last = tags[-1]
    return not last[0] and (last[1] in ("bdi", "title") or "dir=" in last[2])


def test_the_pseudo_language_leaves_no_raw_message(plan: Plan, pseudo_language: None, pages: ModuleType) -> None:
    own = {text.replace("_", " ") for text in texts_of(plan)} | set(texts_of(plan))
    raw = []
    for text in pages.read(html.page(plan)).texts:
        left = pages.without_translated(text)
        for word in sorted(own, key=len, reverse=True):
            left = left.replace(word, "") if len(word) > 1 else left
        raw += [word for word in re.findall(r"[A-Za-z]{4,}", left) if word not in UNITS]
    assert raw == []


def test_the_chinese_page_holds_no_english_message(plan: Plan, pages: ModuleType) -> None:
    set_language("zh")
    with (LOCALE_FOLDER / "zh" / "LC_MESSAGES" / "suanli.mo").open("rb") as stream:
        catalogue = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
    english = {message for message, told in catalogue.items() if message and message != told}
    page = pages.read(html.page(plan))
    assert [text for text in page.texts if text in english] == []
    assert next(held for tag, held in page.tags if tag == "html")["lang"] == "zh-CN"


def test_two_pages_of_one_plan_are_equal(english_page: str, plan: Plan) -> None:
    assert html.page(plan) == english_page


def test_the_page_is_written_where_asked(plan: Plan, tmp_path: Path) -> None:
    path = html.write(plan, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def chromium() -> str:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


@pytest.mark.slow
@pytest.mark.skipif(not chromium(), reason="no Chromium on this machine")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_browser_draws_every_chart(language: str, plan: Plan, tmp_path: Path, pages: ModuleType) -> None:
    set_language(language)
    path = html.write(plan, tmp_path / "report.html")
    switches = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --virtual-time-budget=5000 --dump-dom "
        f"--user-data-dir={tmp_path / 'profile'}"
    )
    command = [chromium(), *switches.split(), path.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    places = [held for _, held in pages.read(done.stdout.decode()).tags if "chart" in held.get("class", "").split()]
    assert len(places) > OUR_SCRIPTS
    assert {held.get("data-drawn") for held in places} == {"yes"}
