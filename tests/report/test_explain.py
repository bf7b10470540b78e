"""A ledger is told line by line with inputs, unit and source, as text and as a tree to open."""

import numpy as np

from suanli.domain.plan import Source
from suanli.foundation.equation import Line, ledger
from suanli.foundation.figure import Kind
from suanli.report import explain

SOURCES = {"williams2009": Source(key="williams2009", title="Roofline", url="", date="2009")}


def tree() -> Line:
    moved = Line("moved_bytes", "B", "williams2009", {"rows": 128.0, "format": "bf16"}, 3.2e9)
    other = Line("hop_seconds", "s", "unlisted", {"hops": np.array([1.0, 2.0, 4.0])}, np.array([1e-6, 2e-6, 4e-6]))
    top = Line("roof_seconds", "s", "williams2009", {"work_flop": 312e12}, 0.5, [moved, other])
    return Line(below=[top])


def test_what_lies_below_a_line_is_indented_under_it() -> None:
    lines = explain.text(tree(), SOURCES).splitlines()
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 2, 2]
    assert lines[0].startswith("roof seconds = 0.5 s (work_flop 3.12e+14)")
    assert lines[1].strip().startswith("moved bytes")
    assert lines[2].strip().startswith("hop seconds")


def test_a_known_source_is_told_by_title_and_another_by_key() -> None:
    said = explain.text(tree(), SOURCES)
    assert "[source: Roofline]" in said
    assert "[source: unlisted]" in said


def test_a_column_is_told_by_its_size_and_ends() -> None:
    assert "3 values from 1e-06 to 4e-06" in explain.text(tree())
    assert "hops 3 values from 1 to 4" in explain.text(tree())


def test_values_that_are_no_numbers_are_told_as_they_are() -> None:
    line = Line("f", "", "s", {"kind": Kind.VENDOR, "flag": True, "none": None, "empty": np.array([])}, 1.0)
    assert "kind vendor, flag True, none None, empty nothing" in explain.text(line)


def test_an_array_of_one_is_told_as_a_number() -> None:
    assert "= 2 s" in explain.text(Line("f_seconds", "s", "s", {}, np.array([2.0])))


def test_a_line_without_unit_has_no_trailing_space() -> None:
    assert explain.text(Line("share", "", "s", {}, 0.5)) == "share = 0.5 () [source: s]"


def test_the_root_that_listens_is_no_line() -> None:
    with ledger() as root:
        pass
    assert explain.text(root) == ""
    assert explain.details(root) == ""


def test_details_nest_as_the_ledger_does() -> None:
    page = explain.details(tree(), SOURCES)
    assert page.count("<details>") == 1
    assert page.count("<div>") == 2
    assert page.index("<summary>roof seconds") < page.index("<div>moved bytes") < page.index("</details>")


def test_details_escape_what_others_wrote() -> None:
    hostile = Line("<script>x</script>", "<b>", "\"'&", {"<i>": "</details>"}, "<img src=x>")
    page = explain.details(hostile)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("<") == 2


def test_a_deep_ledger_is_told_without_running_out_of_stack() -> None:
    line = Line("leaf", "", "s", {}, 1.0)
    for _ in range(3000):
        line = Line("over", "", "s", {}, 1.0, [line])
    assert len(explain.text(line).splitlines()) == 3001
