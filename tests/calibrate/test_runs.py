"""Runs are read once, and composed to the very predictions that `validate` gives."""

import numpy as np
import pytest
from tests.calibrate.made import KNOWN, rows
from tests.validation.runs import DENSE, write

from suanli.api.validate import validate
from suanli.calibrate.apply import calibrated, predicted_seconds, step_columns, value_of, values_of
from suanli.calibrate.errors import judged
from suanli.calibrate.figures import load_free
from suanli.calibrate.runs import read_runs, records_of
from suanli.foundation.errors import InputError

FIGURES = load_free().figures
EXPERTS = {
    "model_name": "Mixtral-8x7B", "arch": "moe", "id": "experts", "experts": "8", "experts_per_token": "2", "ep": "8",
    "layers": "32", "hidden": "4096", "heads": "32", "kv_heads": "8", "ffn_hidden": "14336", "gated_mlp": "1",
}  # fmt: skip
SEARCHED = {"id": "searched", "tp": "", "pp": "", "dp": "", "sharding": "", "vp": "", "cp": "", "micro_batch": ""}


def read(path):
    return read_runs(records_of([path]), KNOWN)


def test_runs_are_predicted_as_validate_predicts_them(tmp_path):
    others = ({**DENSE, **EXPERTS}, {**DENSE, **SEARCHED}, {**DENSE, "id": "narrow", "accelerator": "H100-SXM",
              "precision": "fp8"}, {**DENSE, "id": "ascend", "accelerator": "Ascend 910B3"})  # fmt: skip
    path = write(tmp_path / "runs.csv", *rows(), *others)
    some, told = read(path), validate(path)
    assert some.ids == tuple(row.id for row in told.rows)
    mine = judged(some, predicted_seconds(KNOWN, some), KNOWN.spread)
    for one, other in zip(mine, told.rows, strict=True):
        assert (one.predicted, one.low, one.high) == pytest.approx((other.predicted, other.low, other.high), rel=1e-12)


def test_causes_sum_to_the_step(some):
    step = step_columns(KNOWN, some)
    assert sum(step.causes.values()) == pytest.approx(step.step_seconds)


def test_the_shipped_values_leave_the_calibration_as_it_is():
    assert calibrated(KNOWN, FIGURES, values_of(KNOWN, FIGURES)) == KNOWN


def test_values_are_read_back_as_they_were_put():
    values = np.array([figure.start for figure in FIGURES])
    assert np.array_equal(values_of(calibrated(KNOWN, FIGURES, values), FIGURES), values)


def test_what_goes_along_has_the_same_value():
    figure = next(one for one in FIGURES if one.also and "tpu-*" in one.hardware)
    shares = calibrated(KNOWN, [figure], [1.11]).sustained["tpu-*"]
    assert shares.matmul == shares.narrow == 1.11
    assert value_of(KNOWN, figure) != 1.11


def test_tables_are_put_one_under_the_other(tmp_path):
    one, two = write(tmp_path / "one.csv", DENSE), write(tmp_path / "two.csv", {**DENSE, "id": "run-2"}, DENSE)
    some = read_runs(records_of([one, two]), KNOWN)
    assert some.ids == ("run-1", "run-2", "run-1")


def test_runs_that_cannot_be_used_are_named_with_the_reason(tmp_path):
    rows = (DENSE, {**DENSE, "id": "odd", "accelerator": "Abacus"}, {**DENSE, "id": "untimed", "step_time_s": ""})
    some = read(write(tmp_path / "runs.csv", *rows))
    assert len(some) == 1
    assert [place.split()[-1] for place in some.refused] == ["odd", "untimed"]
    assert "Abacus" in next(iter(some.refused.values()))


def test_a_table_without_a_usable_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="Abacus"):
        read(write(tmp_path / "runs.csv", {**DENSE, "accelerator": "Abacus"}))


def test_all_wrong_cells_are_named_at_once(tmp_path):
    wrong = ({**DENSE, "tp": "two"}, {**DENSE, "step_time_s": "-3"})
    with pytest.raises(InputError) as caught:
        read(write(tmp_path / "runs.csv", *wrong))
    assert len(caught.value.faults) == 2
