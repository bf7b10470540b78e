"""Tables of runs are told apart by their columns; wrong ones are refused."""

import pytest
from tests.validation.runs import COLUMNS, DENSE, write

from suanli.api.validate import validate
from suanli.foundation.errors import InputError


def test_a_training_table_is_predicted(tmp_path):
    found = validate(write(tmp_path / "runs.csv", DENSE, {**DENSE, "id": "run-2", "peak_mem_gb": "60"}))
    assert [row.quantity for row in found.rows] == ["step_seconds", "step_seconds", "peak_memory_bytes"]
    assert found.summary["step_seconds"].predicted_rows == 2


def test_a_serving_table_is_told_by_its_metric(tmp_path):
    columns = ("id", "source", "model", "accelerator", "gpus", "tp", "pp", "engine", "input_len", "output_len",
               "batch_or_concurrency", "metric", "value")  # fmt: skip
    row = dict(zip(columns, ("s-1", "ours", "meta-llama/Llama-3.1-8B", "H100-SXM", "1", "1", "1", "vllm", "512", "128",
                             "8", "output_tokens_per_s", "900"), strict=True))  # fmt: skip
    found = validate(write(tmp_path / "runs.csv", row, columns=columns))
    assert len(found.rows) == 1


def test_a_table_of_neither_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="step_time_s"):
        validate(write(tmp_path / "runs.csv", DENSE, columns=("id", "gpus")))


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one run"):
        validate(write(tmp_path / "runs.csv"))


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError):
        validate(tmp_path / "none.csv")


def test_every_column_may_be_blank_but_the_measured_one(tmp_path):
    kept = ("id", "model_name", "arch", "layers", "hidden", "heads", "accelerator", "gpus", "step_time_s")
    row = {column: DENSE[column] for column in kept}
    (found,) = validate(write(tmp_path / "runs.csv", row, columns=COLUMNS)).rows
    assert found.status == "predicted"
    assert len(found.assumed) > 2


def test_a_user_s_table_may_leave_columns_out(tmp_path):
    kept = ("id", "model_name", "arch", "layers", "hidden", "heads", "accelerator", "gpus", "tp", "peak_mem_gb")
    row = {column: DENSE.get(column, "40") for column in kept}
    (found,) = validate(write(tmp_path / "runs.csv", row, columns=kept)).rows
    assert found.quantity == "peak_memory_bytes"
    assert found.status == "predicted"
