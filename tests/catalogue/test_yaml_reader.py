"""YAML is read as plain data with lines; what can grow, hide or run is refused."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue.yaml_reader import YamlLimits, parse_yaml, read_yaml, scalar, survey_yaml, trail_text
from suanli.foundation.errors import InputError

TEXT = """\
a: 1
b:
  - x
  - {c: 2.5, d: '3'}
e:
  f: true
  g: ~
"""


def refused(text, limits=None):
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f.yaml", *([limits] if limits else []))
    return str(caught.value)


def test_data_is_plain():
    assert parse_yaml(TEXT, "f").data == {"a": 1, "b": ["x", {"c": 2.5, "d": "3"}], "e": {"f": True, "g": None}}


def test_every_part_knows_its_line():
    document = parse_yaml(TEXT, "f.yaml")
    assert document.line(("a",)) == 1
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "d")) == 4
    assert document.line(("e", "g")) == 7
    assert document.place(("b", 1, "d")) == "f.yaml:4: b[1].d"


def test_a_missing_part_has_the_line_of_what_is_around_it():
    document = parse_yaml(TEXT, "f.yaml")
    assert document.place(("e", "missing")) == "f.yaml:5: e.missing"
    assert document.place(("nowhere", "at", "all")) == "f.yaml:1: nowhere.at.all"
    assert document.place(()) == "f.yaml:1"


def test_a_mapping_s_line_is_that_of_its_key():
    assert parse_yaml("a:\n\n  b: 1", "f").line(("a",)) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("nan", "nan"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2023-05", "2023-05"),
        ("2023-05-16", "2023-05-16"),
        ("9" * 5000, "9" * 5000),
        ("２", "２"),
    ],
)
def test_a_plain_scalar_is_finite_or_text(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_finite_numbers_survive(number):
    assert scalar(repr(number)) == number


@given(st.text(max_size=30))
def test_no_scalar_is_infinite(text):
    value = scalar(text)
    assert not isinstance(value, float) or math.isfinite(value)


def test_quoted_words_stay_text():
    assert parse_yaml("a: 'true'\nb: \"1\"\nc: |\n  2\n", "f").data == {"a": "true", "b": "1", "c": "2\n"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x 1\n", "f.yaml:1: a: found '&x'"),
        ("a: 1\nb: *x\n", "f.yaml:2: b: found '*x'"),
        ("a: !!python/object:os.system x\n", "no tags"),
        ("a: !custom x\n", "no tags"),
        ("!!map {a: 1}", "no tags"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: a: found key 'a' a second time"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("", "an empty file"),
        ("? [a]\n: 1\n", "key"),
        ("a: [1\n", "f.yaml:2"),
        ("a: 1\nb: \x01\n", "f.yaml:2"),
        ("a: b: c", "f.yaml:1"),
    ],
)
def test_what_can_grow_or_hide_is_refused(text, told, tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert told in str(caught.value)


def test_the_first_of_two_equal_keys_is_kept_for_further_faults(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text("a: 1\na: 2\n")
    document = survey_yaml(path)
    assert document.data == {"a": 1}
    assert "line 1 already" in document.faults[0].hint


def test_faults_of_form_come_all_at_once():
    assert len(parse_yaml("a: &x 1\nb: *x\nc: !t 1\na: 2\n", "f").faults) == 4


def test_nesting_is_bounded():
    assert "64 levels" in refused("[" * 70 + "]" * 70)
    assert parse_yaml("[" * 64 + "]" * 64, "f").faults == ()


def test_nodes_are_bounded():
    assert "more than 3 nodes" in refused("[1, 2, 3]", YamlLimits(nodes=3))
    assert parse_yaml("[1, 2]", "f", YamlLimits(nodes=3)).data == [1, 2]


def test_size_is_bounded_before_reading(tmp_path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(InputError, match="10000001 bytes"):
        read_yaml(path)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path).data == {"a": 1}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: \xe4\n"])
def test_other_encodings_are_refused(tmp_path, content):
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="UTF-8"):
        read_yaml(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="a folder"):
        read_yaml(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "no.yaml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(InputError):
        assert all(line >= 1 for line in parse_yaml(text, "f.yaml").lines.values())


def test_a_trail_reads_as_people_write_it():
    assert trail_text(("workloads", 0, "tokens")) == "workloads[0].tokens"
    assert trail_text((0, "a")) == "[0].a"
