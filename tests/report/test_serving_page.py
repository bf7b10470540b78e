"""The page of a serving fleet: it opens alone, says what was found, and draws the front and a curve's hours."""

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from suanli.cli.app import app

FLEET = ["serve", "--model", "qwen3-32b", "--input-tokens", "4000", "--output-tokens", "500", "--ttft", "1s", "--tpot",
         "20ms", "--system", "dgx-h200", "--weight-format", "fp8", "--as-of", "2026-11", "--json"]  # fmt: skip


def written(path: Path, *more: str) -> tuple[str, Any]:
    """Ask with a page, and return the page and what the same call told as JSON."""
    told = CliRunner().invoke(app, [*FLEET, *more, "--html", str(path)])
    assert told.exit_code == 0, told.output
    return path.read_text(encoding="utf-8"), json.loads(told.stdout)


def specs(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="specs">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    return written(tmp_path_factory.mktemp("fleet") / "page.html", "--rate", "40", "--objective", "month")


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    return written(tmp_path_factory.mktemp("curve") / "page.html", "--rate", "60", "--daily-swing", "0.6")


def test_a_page_loads_nothing_from_elsewhere(fleet: tuple[str, Any], pages: ModuleType) -> None:
    tags = pages.read(fleet[0]).tags
    loading = [
        tag for tag, held in tags if tag in ("script", "img", "link", "iframe") and held.keys() & {"src", "href"}
    ]
    assert loading == []
    assert "default-src 'none'" in next(held["content"] for tag, held in tags if held.get("http-equiv"))


def test_the_picture_has_every_point_of_the_front_and_the_chosen_one(fleet: tuple[str, Any]) -> None:
    page, told = fleet
    front = specs(page)["front"]
    drawn = [(row["x"], row["y"], row["within"]) for row in front["data"]["values"]]
    assert drawn == [
        (one["tokens_per_s_per_user"], one["output_tokens_per_s_per_accelerator"], one["within_targets"])
        for one in told["front"]
    ]
    assert [row["kind"] for row in front["data"]["values"]] == [
        "apart" if one["prefill"] else "together" for one in told["front"]
    ]
    ring = front["layer"][-1]["data"]["values"]
    assert [(row["x"], row["y"]) for row in ring] == [
        (told["tokens_per_s_per_user"], told["output_tokens_per_s_per_accelerator"])
    ]


def test_a_page_tells_the_money_of_a_million_tokens(fleet: tuple[str, Any], pages: ModuleType) -> None:
    page, told = fleet
    texts = pages.read(page).texts
    for name in ("input_amount_per_token", "output_amount_per_token"):
        assert f"USD {told['cost'][name] * 1e6:.4g}" in texts


def test_every_fleet_stands_in_the_table(fleet: tuple[str, Any]) -> None:
    page, told = fleet
    table = page[page.index('id="alternatives"') : page.index('id="question"')]
    assert len(re.findall("<tr>", table)) == 2 + len(told["others"])


def test_a_curve_s_replicas_are_drawn_hour_by_hour(curve: tuple[str, Any]) -> None:
    page, told = curve
    drawn = specs(page)["replicas"]["data"]["values"]
    tops: dict[float, int] = {}
    for row in drawn:
        tops[row["hour"]] = max(row["top"], tops.get(row["hour"], 0))
    assert list(tops.values()) == [one["replicas"] + one["prefills"] for one in told["hours"]]
    assert [row["rate"] for row in specs(page)["rates"]["data"]["values"]] == pytest.approx(
        [one["requests_per_s"] for one in told["hours"]]
    )


def test_a_fleet_without_a_curve_has_no_hours(fleet: tuple[str, Any]) -> None:
    assert 'id="hours"' not in fleet[0]
    assert set(specs(fleet[0])) == {"front"}


def test_a_page_is_chinese_where_asked(tmp_path: Path, pages: ModuleType) -> None:
    page, _ = written(tmp_path / "page.html", "--lang", "zh")
    read = pages.read(page)
    assert next(held for tag, held in read.tags if tag == "html")["lang"] == "zh-CN"
    assert {"为何选此方案", "问题"} <= set(read.texts)


def test_one_setting_has_no_page(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    told = CliRunner().invoke(app, [*FLEET, "--tp", "1", "--html", str(path)])
    assert told.exit_code == 2
    assert "--html" in told.output
    assert not path.exists()
