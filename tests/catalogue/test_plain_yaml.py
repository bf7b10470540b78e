"""The quick reader reads its part of YAML exactly as the whole reader does, and hands the rest over."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import _NotPlainError, parse_plain, read_plain
from suanli.catalogue.yaml_reader import parse_yaml, survey_yaml
from suanli.foundation.errors import InputError

FILES = [
    *DATA.glob("accelerators/nv-*.yaml"),
    *DATA.glob("systems/d*.yaml"),
    DATA / "sources" / "offers.yaml",
    DATA / "assumptions.yaml",
    DATA / "aliases.yaml",
    DATA / "kinds.yaml",
    DATA / "regions.yaml",
    DATA / "unit_factors.yaml",
    DATA / "sane_sizes.yaml",
    DATA / "calibration" / "engines.yaml",
    DATA / "kernels" / "formats.yaml",
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_built_in_file_reads_the_same_both_ways(path):
    quick, whole = parse_plain(path.read_text("utf-8"), str(path)), survey_yaml(path)
    assert quick.data == whole.data
    assert dict(quick.lines) == dict(whole.lines)


@pytest.mark.slow
def test_all_hardware_files_read_the_same_both_ways():
    for path in [*DATA.glob("accelerators/*.yaml"), *DATA.glob("systems/*.yaml")]:
        assert parse_plain(path.read_text("utf-8"), "x").data == survey_yaml(path).data, path.name


@pytest.mark.parametrize("folder", ["accelerators", "systems"])
def test_all_hardware_is_written_in_the_plain_part(folder):
    for path in (DATA / folder).glob("*.yaml"):
        parse_plain(path.read_text("utf-8"), str(path))


NOT_PLAIN = {
    "anchor": "a: &x 1\nb: *x\n",
    "alias": "a: *x\n",
    "tag": "a: !!python/object 1\n",
    "duplicate": "a: 1\na: 2\n",
    "duplicate inside": "a: {b: 1, b: 2}\n",
    "list by dashes": "a:\n  - 1\n",
    "block text": "a: |\n  b\n",
    "escape": 'a: "b\\n"\n',
    "odd indent": "a:\n   b: 1\n",
    "jump in depth": "a: 1\n    b: 2\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "flow three deep": "a: {b: {c: {d: 1}}}\n",
    "list after keys": "a:\n  b: 1\n  - {c: 1}\n",
    "keys after list": "a:\n  - {c: 1}\n  b: 1\n",
    "list further in": "a:\n    - {c: 1}\n",
    "unclosed": "a: {b: 1\n",
    "tab": "a:\n\tb: 1\n",
    "words after quotes": 'a: "b" c\n',
    "empty value at the end": "a:\n",
    "text": "just words\n",
}


@pytest.mark.parametrize("text", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_what_is_not_plain_is_handed_over(text):
    with pytest.raises(_NotPlainError):
        parse_plain(text, "x")


@pytest.mark.parametrize("name", ["anchor", "duplicate", "tag", "duplicate inside"])
def test_refused_yaml_is_still_refused(tmp_path, name):
    path = tmp_path / "x.yaml"
    path.write_text(NOT_PLAIN[name])
    assert read_plain(path).faults


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_plain(tmp_path / "none.yaml")


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_plain(path)


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6)
scalars = st.one_of(words, st.integers(-9999, 9999), st.floats(allow_nan=False, allow_infinity=False, width=32))


@given(st.dictionaries(words, st.one_of(scalars, st.dictionaries(words, scalars, min_size=1)), min_size=1))
def test_whatever_the_quick_reader_reads_it_reads_as_yaml(said):
    lines = []
    for key, value in said.items():
        if isinstance(value, dict):
            lines.append(f"{key}: {{" + ", ".join(f"{inner}: {one}" for inner, one in value.items()) + "}")
        else:
            lines.append(f"{key}: {value}")
    text = "\n".join(lines) + "\n"
    try:
        quick = parse_plain(text, "x")
    except _NotPlainError:
        return
    whole = parse_yaml(text, "x")
    assert quick.data == whole.data
    assert dict(quick.lines) == dict(whole.lines)


def test_comments_and_quotes_are_read(tmp_path):
    path = Path(tmp_path / "x.yaml")
    path.write_text('# head\na: "b # not a comment"  # a comment\nc:  # empty\n  d: [1, "x, y"]\n')
    assert read_plain(path).data == {"a": "b # not a comment", "c": {"d": [1, "x, y"]}}
