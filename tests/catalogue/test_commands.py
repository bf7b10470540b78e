"""The commands of catalogue and market: one JSON document on standard output, faults on standard error, exit codes."""

import json

import pytest
from typer.testing import CliRunner

from suanli.catalogue.dates import first_day, last_day, middle_day, months_between
from suanli.cli.app import app
from suanli.foundation.errors import InputError

RUNNER = CliRunner()


def run(*arguments):
    return RUNNER.invoke(app, [*arguments, "--lang", "en"])


def answer(*arguments):
    told = run(*arguments, "--json")
    assert told.exit_code == 0, told.stderr
    return json.loads(told.stdout)


def test_the_lists_are_whole():
    assert len(answer("catalogue", "list")["accelerators"]) >= 101
    assert len(answer("catalogue", "list", "systems")["systems"]) == 73
    assert len(answer("catalogue", "list", "offers")["offers"]) == 698


def test_a_list_is_narrowed_by_origin_vendor_and_item():
    chinese = answer("catalogue", "list", "accelerators", "--origin", "CN")["accelerators"]
    assert len(chinese) == 39
    huawei = answer("catalogue", "list", "systems", "--vendor", "huawei")["systems"]
    assert huawei
    assert all("Huawei" in row["vendor"] + row["accelerator"]["vendor"] for row in huawei)
    boxes = answer("catalogue", "list", "offers", "--item", "dgx-a800-640")["offers"]
    assert {row["id"] for row in boxes} == {"p0001", "p0002"}


def test_a_product_is_shown_in_si_with_the_origin_of_each_figure():
    told = answer("catalogue", "show", "H100-80GB-SXM")
    assert told["id"] == "nv-h100-sxm"
    figure = told["peak_flop_per_s"]["bf16"]
    assert figure["value"] == pytest.approx(989.4e12)
    assert set(figure) >= {"value", "unit", "low", "high", "kind", "source", "date", "range_given"}


def test_a_product_is_shown_to_people_with_kind_and_source():
    told = run("catalogue", "show", "dgx-a800-640")
    assert told.exit_code == 0
    for words in ("THE BOX OF THE ARTICLE", "assumption", "switched"):
        assert words in told.stdout


@pytest.mark.parametrize("what", ["accelerators", "systems", "offers"])
def test_a_list_is_told_to_people(what):
    assert run("catalogue", "list", what).exit_code == 0


def test_an_unknown_list_or_product_ends_in_two_and_suggests():
    wrong = run("catalogue", "list", "sistems")
    assert wrong.exit_code == 2
    assert "Did you mean 'systems'" in wrong.stderr
    assert wrong.stdout == ""
    unknown = run("catalogue", "show", "nv-h100-sxn")
    assert unknown.exit_code == 2
    assert "nv-h100-sxm" in unknown.stderr


def test_the_check_counts_what_it_read():
    told = answer("catalogue", "check")
    assert told["faults"] == 0
    assert told["offers"] == 698
    assert "No fault" in run("catalogue", "check").stdout


def test_the_check_names_all_faults_of_a_users_files_and_ends_in_two(tmp_path):
    (tmp_path / "a.yaml").write_text("id: a\ndevice_class: gpu\nlink: {name: x, topology: star, domain: 8}\n")
    (tmp_path / "b.csv").write_text("kind,low,region,date\npurchase,-1,,2023-99\n")
    told = run("catalogue", "check", str(tmp_path))
    assert told.exit_code == 2
    assert told.stdout == ""
    for words in ("a.yaml:3", "'star'", "b.csv:2", "'-1'", "2023-99", "Traceback"):
        assert (words in told.stderr) == (words != "Traceback")


def test_an_overlay_is_shown_as_the_users(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("item_id,kind,low,currency,region,date\ndgx-h100,purchase,2000000,CNY,China,2024-07\n")
    told = answer("market", "--as-of", "2024-08", "--region", "China", "--item", "dgx-h100", "--with", str(path))
    assert told["systems"][0]["purchase"]["price"]["source"] == "user:mine.csv"


def test_the_sources_and_their_page():
    keys = {source["key"] for source in answer("catalogue", "sources")["sources"]}
    assert {"epoch_hardware_prices", "project_article_2023"} <= keys
    page = run("catalogue", "sources", "--markdown").stdout
    assert page.startswith("# Sources")
    assert run("catalogue", "sources").exit_code == 0


def dated(value):
    """Walk an answer for every offer's date."""
    if isinstance(value, dict):
        if "raw_kind" in value:
            yield value["date"]
        for inner in value.values():
            yield from dated(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from dated(inner)


def test_the_market_of_a_date_shows_nothing_later():
    told = answer("market", "--as-of", "2023-05", "--region", "China")
    dates = list(dated(told))
    assert len(dates) > 100
    assert all(last_day(date) <= last_day("2023-05") for date in dates)
    names = {line["system_id"] for line in told["systems"]}
    assert {"dgx-a800-640", "dgx-h800"} <= names
    assert not names & {"hgx-h20-8", "dgx-b200", "atlas-800t-a2", "aws-p5"}


def test_the_market_knows_the_articles_box():
    told = answer("market", "--as-of", "2023-05", "--region", "China", "--item", "8x A800 box")
    line = told["systems"][0]
    assert told["currency"] == "CNY"
    assert line["system_id"] == "dgx-a800-640"
    assert 2.3e6 <= line["purchase"]["price"]["value"] <= 2.5e6
    assert line["purchase"]["trend_per_month"]["value"] > 0
    assert {offer["id"] for offer in line["purchase"]["evidence"]} == {"p0001", "p0002"}


def test_the_market_is_told_to_people():
    told = run("market", "--as-of", "2023-05", "--region", "China", "--item", "dgx-a800-640")
    assert told.exit_code == 0
    assert "Price: offers of this system" in told.stdout
    assert run("market", "--as-of", "2026-06", "--region", "US").exit_code == 0


def test_money_is_in_the_currency_that_was_asked_for():
    told = answer("market", "--as-of", "2023-05", "--region", "China", "--item", "dgx-a800-640", "--currency", "USD")
    assert told["systems"][0]["purchase"]["price"]["unit"] == "USD"
    assert told["systems"][0]["purchase"]["price"]["value"] == pytest.approx(2.39e6 / 6.99, rel=0.01)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--as-of", "2023-99"),
        ("--as-of", "soon"),
        ("--as-of", "2023-05", "--item", "dgx-z9"),
        ("--as-of", "2023-05", "--currency", "GBP"),
        ("--as-of", "2023-05", "--with", "/none/such.csv"),
    ],
)
def test_a_wrong_question_to_the_market_ends_in_two(arguments):
    told = run("market", *arguments)
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023", "2023-01-01", "2023-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023-05-16", "2023-05-16", "2023-05-16"),
    ],
)
def test_a_date_spans_what_it_prints(text, first, last):
    assert str(first_day(text)) == first
    assert str(last_day(text)) == last
    assert first_day(text) <= middle_day(text) <= last_day(text)


@pytest.mark.parametrize("text", ["2023-00", "2023-13", "2023-02-29", "0000", "23", "2023-1", "2023/05", "", "May"])
def test_a_date_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="2023-05-16"):
        last_day(text, "here")


def test_twelve_months_are_a_year():
    assert months_between(first_day("2023-01-01"), first_day("2027-01-01")) == pytest.approx(48)
