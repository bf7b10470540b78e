"""A file is written whole or not at all."""

import os
from pathlib import Path

import pytest

from suanli.foundation.errors import InputError
from suanli.report import files


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    files.write_whole(tmp_path / "new" / "report.html", b"content")
    assert (tmp_path / "new" / "report.html").read_bytes() == b"content"


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    files.write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("broken", ["fsync", "fdopen"])
def test_a_failure_keeps_the_old_file_and_leaves_no_litter(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(InputError, match="No space left"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_an_interrupt_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_whole(tmp_path / "report.html", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_file_s_place_is_told_as_a_fault(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError) as caught:
        files.write_whole(tmp_path / "report.html", b"new")
    assert caught.value.faults[0].place == str(tmp_path / "report.html")


def test_a_new_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    files.write_whole(tmp_path / "report.html", b"")
    assert (tmp_path / "report.html").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_missing_package_is_told_with_how_to_get_it() -> None:
    with pytest.raises(InputError, match=r"suanli\[report\]"):
        files.needed("no_such_package_of_anybody")


def test_a_package_that_is_there_is_loaded() -> None:
    assert files.needed("json").dumps([1]) == "[1]"
