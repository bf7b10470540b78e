"""Tables of runs are read with their lines; wrong cells are all named at once."""

import pytest
from tests.validation.runs import DENSE, write

from suanli.foundation.errors import InputError
from suanli.validation.rows import raise_faults, read_records


def test_cells_keep_their_line(tmp_path):
    records = read_records(write(tmp_path / "runs.csv", DENSE, {**DENSE, "id": "run-2"}))
    assert [record.line for record in records] == [2, 3]
    assert [record.text("id") for record in records] == ["run-1", "run-2"]


def test_an_empty_cell_is_no_number_and_no_fault(tmp_path):
    (record,) = read_records(write(tmp_path / "runs.csv", DENSE))
    assert record.number("peak_mem_gb") is None
    assert record.count("ep") is None
    raise_faults([record])


@pytest.mark.parametrize("wrong", ["nan", "inf", "-3", "eight", "1,024", "1e999", "１６", "8 GPUs"])
def test_a_wrong_number_is_named_with_line_and_column(tmp_path, wrong):
    (record,) = read_records(write(tmp_path / "runs.csv", {**DENSE, "gpus": wrong}))
    assert record.count("gpus") is None
    with pytest.raises(InputError, match=r"runs\.csv:2: gpus"):
        raise_faults([record])


@pytest.mark.parametrize("wrong", ["0", "2.5"])
def test_a_count_is_whole_and_above_nothing(tmp_path, wrong):
    (record,) = read_records(write(tmp_path / "runs.csv", {**DENSE, "tp": wrong}))
    assert record.count("tp") is None
    assert len(record.faults) == 1


def test_every_fault_is_told_at_once(tmp_path):
    records = read_records(write(tmp_path / "runs.csv", {**DENSE, "gpus": "x", "tp": "y"}, {**DENSE, "seq_len": "z"}))
    for record in records:
        record.count("gpus"), record.count("tp"), record.count("seq_len")
    with pytest.raises(InputError) as caught:
        raise_faults(records)
    assert len(caught.value.faults) == 3


def test_a_missing_column_is_named(tmp_path):
    path = write(tmp_path / "runs.csv", DENSE, columns=("id", "gpus"))
    with pytest.raises(InputError, match="step_time_s"):
        read_records(path, needed=("id", "step_time_s"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="none"):
        read_records(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="CSV"):
        read_records(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="columns"):
        read_records(path)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "runs.csv"
    with path.open("wb") as opened:
        opened.truncate(200 * 2**20)
    with pytest.raises(InputError, match="bytes"):
        read_records(path)
