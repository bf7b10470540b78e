"""Cells of training runs: every default told, every word read, and no cell that stops a table without a word."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.validation.runs import COLUMNS, DENSE

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.layout import Recompute, Sharding
from suanli.domain.validation import PREDICTED
from suanli.domain.workload import Attention, TuningMethod
from suanli.estimate.software import load_training_calibration
from suanli.foundation.errors import InputError
from suanli.validation.predict import training_rows
from suanli.validation.reading import load_reading
from suanli.validation.rows import Record
from suanli.validation.training import (
    DEFAULT_BATCH,
    DEFAULT_SEQUENCE,
    Run,
    measured_quantities,
    read_run,
    sharding_of,
)

CATALOGUE, KERNELS, CALIBRATION, READING = catalogue(), load_kernels(), load_training_calibration(), load_reading()


def record(**changes):
    return Record(file="runs.csv", line=2, cells={**DENSE, **{key: str(value) for key, value in changes.items()}})


def run(**changes):
    return read_run(record(**changes), CATALOGUE, READING, CALIBRATION)


def predicted(**changes):
    return training_rows([record(**changes)], CATALOGUE, KERNELS, CALIBRATION, READING)[0]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("seq_len", f"seq_len = {DEFAULT_SEQUENCE}"),
        ("global_batch", f"global_batch = {DEFAULT_BATCH}"),
        ("micro_batch", "micro_batch = 1"),
        ("tp", "tp = 1"),
        ("pp", "pp = 1"),
        ("cp", "cp = 1"),
        ("recompute", "recompute = none"),
    ],
)
def test_an_open_cell_gets_its_default_and_is_told(column, told):
    assert told in run(**{column: ""}).assumed


def test_a_row_that_says_everything_assumes_nothing():
    assert run().assumed == ()


def test_what_was_assumed_comes_with_every_quantity_of_a_row():
    for row in predicted(micro_batch="", peak_mem_gb="40"):
        assert row.assumed == ("micro_batch = 1",)


@pytest.mark.parametrize(
    ("cells", "quantity", "measured"),
    [
        ({"step_time_s": 12.5}, "step_seconds", 12.5),
        ({"step_time_s": "", "tokens_per_s_per_gpu": 1000}, "step_seconds", 2048 * 256 / 16_000),
        ({"step_time_s": 2, "tokens_per_s_per_gpu": 1000}, "step_seconds", 2.0),
        ({"step_time_s": "", "peak_mem_gb": 40}, "peak_memory_bytes", 40e9),
    ],
)
def test_measured_cells_are_read_in_si(cells, quantity, measured):
    (found,) = measured_quantities(record(**cells))
    assert (found.quantity, found.measured) == (quantity, pytest.approx(measured))


@pytest.mark.parametrize("cells", [{"step_time_s": ""}, {"step_time_s": "0"}, {"step_time_s": "", "peak_mem_gb": "0"}])
def test_nothing_measured_is_no_row(cells):
    assert measured_quantities(record(**cells)) == []


@pytest.mark.parametrize(
    ("said", "stage"),
    [
        ("zero0", Sharding.NONE), ("none", Sharding.NONE), ("ZeRO1", Sharding.OPTIMIZER),
        ("dist-opt", Sharding.OPTIMIZER),
        ("zero2", Sharding.GRADIENTS), ("fsdp-gradop", Sharding.GRADIENTS), ("zero3", Sharding.FULL),
        ("FSDP", Sharding.FULL), ("", Sharding.OPTIMIZER),
    ],
)  # fmt: skip
def test_a_stage_of_sharding_is_read_in_any_case(said, stage):
    assert sharding_of(record(sharding=said), False)[0] is stage


@pytest.mark.parametrize("number", [1, 8, 64])
def test_the_size_of_a_sharding_group_is_read(number):
    assert sharding_of(record(sharding=f"zero3 in groups of {number}"), False) == (Sharding.FULL, number)


@pytest.mark.parametrize("level", list(Recompute))
def test_a_level_of_recomputation_is_read_by_its_word(level):
    assert run(recompute=level.value).layout.recompute is level


@pytest.mark.parametrize(("said", "kernel"), [("0", Attention.UNFUSED), ("1", Attention.FLASH), ("", Attention.FLASH)])
def test_the_attention_kernel_is_read(said, kernel):
    assert run(flash_attention=said).setup.attention is kernel


@pytest.mark.parametrize(
    ("said", "method"),
    [("pretrain", None), ("lora", TuningMethod.LORA), ("qlora", TuningMethod.QLORA), ("sft", TuningMethod.FULL)],
)
def test_the_method_of_tuning_is_read(said, method):
    found = run(workload=said).setup
    assert found.tuning is method
    assert (found.adapters is not None) == (said in ("lora", "qlora"))


@pytest.mark.parametrize("said", sorted(READING.formats))
def test_every_precision_is_read(said):
    found = run(precision=said).setup
    assert found.number_format == READING.formats[said].number_format
    assert found.precision.value == READING.formats[said].precision
    assert found.frozen_format == READING.formats[said].frozen


def test_an_open_precision_is_the_default():
    assert run(precision="").setup.number_format == READING.formats[READING.defaults["precision"]].number_format


@pytest.mark.parametrize("degrees", [(1, 1, 16), (2, 1, 8), (2, 2, 4), (4, 4, 1), (8, 2, 1)])
def test_accelerators_are_the_product_of_the_degrees(degrees):
    tensor, pipeline, data = degrees
    found = run(tp=tensor, pp=pipeline, dp=data, gpus="")
    assert found.accelerators == 16
    assert found.layout.accelerators == 16


@pytest.mark.parametrize("gpus", [8, 64, 1000])
def test_nodes_hold_all_accelerators(gpus):
    found = run(gpus=gpus, tp=1, dp=gpus)
    size = found.cluster.system.accelerators
    assert (found.cluster.nodes - 1) * size < gpus <= found.cluster.nodes * size


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"accelerator": "H9000"}, "H9000"),
        ({"gpus": "", "dp": ""}, "number of accelerators"),
        ({"precision": "fp7"}, "precision"),
        ({"hidden": "", "model_name": "nobody"}, "nobody"),
        ({"layers": "", "model_name": "nobody"}, "nobody"),
    ],
)
def test_a_run_that_cannot_be_read_says_why_and_keeps_what_it_measured(changes, words):
    (row,) = predicted(**changes)
    assert row.predicted is row.low is row.high is row.error is None
    assert words in row.status
    assert row.measured == 30.0


def test_every_quantity_of_a_row_is_predicted_by_one_run():
    rows = predicted(peak_mem_gb="40")
    assert [row.quantity for row in rows] == ["step_seconds", "peak_memory_bytes"]
    assert all(row.low < row.predicted < row.high for row in rows)


def test_twice_the_batch_takes_about_twice_the_step():
    (one,), (two,) = predicted(global_batch=256), predicted(global_batch=512)
    assert two.predicted == pytest.approx(2 * one.predicted, rel=0.05)


def test_recomputing_everything_takes_longer_and_needs_less_memory():
    kept, again = predicted(peak_mem_gb="40"), predicted(peak_mem_gb="40", recompute="full")
    assert again[0].predicted > kept[0].predicted
    assert again[1].predicted < kept[1].predicted


@settings(max_examples=80, deadline=None)
@given(
    column=st.sampled_from(COLUMNS),
    said=st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.sampled_from(["0", "-1", "1e300", "nan", "2147483647", "none", "zero3", "full", "1.5"]),
        st.integers(0, 4096).map(str),
    ),
)
def test_no_cell_whatever_stops_a_table_but_with_the_place_at_fault(column, said):
    try:
        rows = predicted(**{column: said})
    except InputError as error:
        faults = error.faults
        rows = []
    else:
        faults = ()
    assert all(fault.place.startswith("runs.csv:2: ") for fault in faults)
    for row in rows:
        assert row.status
        if row.status == PREDICTED:
            assert 0 < row.low <= row.predicted <= row.high < float("inf")


def test_a_run_is_read_or_told_never_both():
    assert isinstance(run(), Run)
    assert isinstance(run(accelerator="H9000"), str)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("interconnect", "0x400G per node"),
        ("interconnect", "400G per 0-GPU node"),
        ("interconnect", "0G per GPU"),
        ("interconnect", "0-GPU nodes"),
        ("sharding", "zero3 in groups of 0"),
    ],
)
def test_words_that_count_nothing_are_refused_with_their_place(column, said):
    with pytest.raises(InputError, match=column):
        predicted(**{column: said})
