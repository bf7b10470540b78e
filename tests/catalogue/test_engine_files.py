"""Engine files that are wrong are refused with the entry at fault; names lead to classes by version and date."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.catalogue.engines import ENGINE_FILE, find_engine, load_engines, version_numbers
from suanli.foundation.errors import InputError

TABLE = load_engines()
TEXT = ENGINE_FILE.read_text(encoding="utf-8")
FIGURES = [field.name for field in dataclasses.fields(next(iter(TABLE.profiles.values())))]
OPTIONAL = {field.name for field in dataclasses.fields(next(iter(TABLE.profiles.values())))
            if field.default is not dataclasses.MISSING}  # fmt: skip
"""Traits that few engines have; a class that does not name them has none."""
WITH_UNIT = [name for name in FIGURES if name.endswith(("_seconds", "_bytes"))]
quick = settings(max_examples=50, deadline=None)


def first(name):
    """Return the line of a figure in the first class of the file."""
    return next(line for line in TEXT.splitlines() if line.strip().startswith(f"{name}:"))


def load(path, text):
    path = path / "engines.yaml"
    path.write_text(text, encoding="utf-8")
    return load_engines(path)


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in {"id", "source", "date", *OPTIONAL}])
def test_every_figure_of_a_class_must_be_there(tmp_path, name):
    with pytest.raises(InputError, match=name) as caught:
        load(tmp_path, TEXT.replace(first(name) + "\n", "", 1))
    assert "vllm_v0" in str(caught.value)


@pytest.mark.parametrize("name", WITH_UNIT)
@pytest.mark.parametrize("said", ["quick", "12 parsecs", "12 token"])
def test_a_figure_with_a_wrong_unit_is_refused(tmp_path, name, said):
    with pytest.raises(InputError, match=name):
        load(tmp_path, TEXT.replace(first(name), f"    {name}: {said}", 1))


@pytest.mark.parametrize(("said", "seconds"), [("1 ms", 1e-3), ("1000 us", 1e-3), ("0.001 s", 1e-3), ("2 s", 2.0)])
def test_a_time_is_read_in_any_unit_of_time(tmp_path, said, seconds):
    table = load(tmp_path, TEXT.replace(first("host_seconds"), f"    host_seconds: {said}", 1))
    assert table.profiles["vllm_v0"].host_seconds == pytest.approx(seconds)


def test_a_file_reads_the_same_each_time(tmp_path):
    assert load(tmp_path, TEXT).profiles == TABLE.profiles


@pytest.mark.parametrize("name", sorted(TABLE.profiles))
def test_a_class_is_found_by_its_own_name_whatever_the_date(name):
    assert find_engine(TABLE, name, date="2020-01") is TABLE.profiles[name]


@pytest.mark.parametrize("name", sorted({era.engine for era in TABLE.eras}))
@pytest.mark.parametrize("said", [str.upper, str.title, lambda name: f" {name} ", lambda name: f"{name} (nightly)"])
def test_an_engine_is_found_however_it_is_spelled(name, said):
    assert find_engine(TABLE, said(name)) is find_engine(TABLE, name)


@pytest.mark.parametrize("name", sorted({era.engine for era in TABLE.eras}))
def test_the_last_era_of_an_engine_is_open(name):
    last = [era for era in TABLE.eras if era.engine == name][-1]
    assert not last.until_date
    assert not last.until_version


@quick
@given(year=st.integers(2022, 2030), month=st.integers(1, 12))
def test_eras_change_once_and_at_their_date(year, month):
    date = f"{year}-{month:02}"
    assert find_engine(TABLE, "vllm", date=date).id == ("vllm_v0" if date < "2025-03" else "vllm_v1")


@quick
@given(numbers=st.lists(st.integers(0, 99), min_size=1, max_size=4), tail=st.sampled_from(["", "rc1", "-dev", "+cu12"]))
def test_a_version_is_told_by_its_numbers(numbers, tail):
    said = ".".join(str(number) for number in numbers) + tail
    assert version_numbers(said) == version_numbers("v" + said) == tuple(numbers)
    old = tuple(numbers) < (0, 8, 0)
    assert find_engine(TABLE, "vllm", said).id == ("vllm_v0" if old else "vllm_v1")


def test_a_version_stands_over_a_date():
    assert find_engine(TABLE, "vllm", "0.6.0", "2026-01").id == "vllm_v0"
    assert find_engine(TABLE, "vllm", "0.9.0", "2024-01").id == "vllm_v1"


@pytest.mark.parametrize("name", ["", "vlm", "tensor", "\u7b97\u529b", "vllm2"])
def test_an_unknown_engine_lists_the_known(name):
    with pytest.raises(InputError, match="llamacpp"):
        find_engine(TABLE, name)


@pytest.mark.parametrize("stack", TABLE.stacks, ids=lambda stack: stack.accelerators)
def test_young_stacks_only_slow(stack):
    assert stack.slack > 1
    assert stack.until_date
