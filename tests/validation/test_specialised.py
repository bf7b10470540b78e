"""The table of special-purpose chips: which rows are read, which refused, and why; what traps are seen."""

import csv

import pytest

from suanli.api.validate import validate
from suanli.foundation.errors import InputError
from suanli.validation.corrections import corrected, load_corrections
from suanli.validation.serving_rows import Drive, read_serving_row
from suanli.validation.specialised import predict_specialised_row
from suanli.validation.specialised_rows import COLUMNS, quantity_of, read_specialised_row

ROW = {
    "id": "one", "platform": "ASIC", "device": "Inferentia2 (inf2.48xlarge)", "n_devices": "12", "model": "Llama-2-13b",
    "precision": "bf16", "batch": "1", "in_len": "1024", "out_len": "1024", "unit": "tokens/s", "value": "198.1",
    "metric": "published throughput (in+out tokens)/time", "power_w": "", "tech": "", "evidence_class": "measured",
    "trap_or_note": "", "source": "somebody",
}  # fmt: skip
SURVEY = {**ROW, "model": "~7B class (survey normalises; model not in file)", "metric": "decode", "precision": "",
          "in_len": "", "out_len": "", "n_devices": ""}  # fmt: skip


def status(**changes):
    return predict_specialised_row({**ROW, **changes}).status


def test_a_row_is_read_in_si_with_what_it_leaves_open():
    row = read_specialised_row({**ROW, "in_len": "", "value": "37.93", "metric": "TPOT p50", "unit": "ms"})
    assert row.accelerator.id == "aws-inf2"
    assert row.measured == pytest.approx(0.03793)
    assert row.devices == 12
    assert any("in_len" in one for one in row.assumed)


def test_tokens_that_count_input_are_predicted_as_such():
    """The same run printed as tokens in and out is twice the output alone."""
    told = predict_specialised_row(ROW)
    decode = predict_specialised_row({**ROW, "metric": "decode"})
    assert told.quantity == "total_tokens_per_s"
    assert 1.7 * decode.predicted < told.predicted < 2.05 * decode.predicted


def test_a_chip_that_only_shares_a_name_is_refused_by_its_process():
    assert "device" in status(device="LPU", tech="4nm", model="Llama-2-7B")
    ours = {**ROW, "device": "Groq LPU", "tech": "14 nm", "n_devices": "", "metric": "decode"}
    known = predict_specialised_row(ours)
    assert known.accelerator == "groq-lpu1"


def test_ratios_hybrids_and_unknown_designs_are_refused_with_the_reason():
    assert "ratio" in status(metric="speedup vs 4x V100")
    assert "one kind" in status(device="GLITCHES, A100+7xU280")
    assert "catalogue" in status(device="OliVe")
    assert "weight format" in predict_specialised_row({**SURVEY, "device": "Gaudi2"}).status
    assert "precision" in status(precision="3/6-bit hardwired")


def test_a_survey_s_row_is_completed_by_what_its_paper_ran_and_says_so():
    told = predict_specialised_row({**SURVEY, "device": "FlightLLM, U280", "value": "55"})
    assert told.error is not None
    assert any("flightllm2024" in one for one in told.assumed)


def test_one_chip_of_hundreds_is_no_run_of_one_chip():
    """Where the number of chips is open, as many are taken as hold the model."""
    told = predict_specialised_row({**SURVEY, "device": "Groq LPU", "value": "814", "tech": ""})
    chips = next(one for one in told.assumed if "tensor" in one)
    assert "tensor 8" in chips
    assert "pipeline 1," not in chips


@pytest.mark.parametrize("wrong", [{"value": "-3"}, {"value": "0"}, {"value": "much"}, {"batch": "x"},
                                   {"metric": "joy"},
                                   {"unit": "furlong"}, {"n_devices": "-1"}])  # fmt: skip
def test_wrong_cells_become_a_reason_never_a_traceback(wrong):
    told = predict_specialised_row({**ROW, **wrong})
    assert told.error is None
    assert told.status


def test_a_metric_that_is_not_known_names_those_that_are():
    with pytest.raises(InputError, match="tpot p50"):
        quantity_of({**ROW, "metric": "joy"})


def test_validate_knows_the_table_by_its_columns(tmp_path):
    table = tmp_path / "chips.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(ROW))
        writer.writeheader()
        writer.writerows([ROW, {**ROW, "id": "two", "device": "OliVe"}])
    told = validate(table)
    assert set(ROW) >= COLUMNS
    assert told.summary["total_tokens_per_s"].rows == 2
    assert told.summary["total_tokens_per_s"].predicted_rows == 1


RUN = {
    "id": "x", "source": "gpustack-performance-lab", "accelerator": "Ascend-910B", "engine": "vllm",
    "metric": "ttft_ms_mean", "model": "Qwen3-8B", "hf_config_name": "Qwen/Qwen3-8B",
    "weight_precision": "bf16", "input_len": "32000", "output_len": "100",
    "batch_or_concurrency": "4", "value": "1000", "tp": "1", "pp": "1", "ep": "1", "gpus": "1",
    "notes": "Other Benchmark Cases; 100 requests, all sent at once unless concurrency given; "
             "cmd: corresponding MindIE JSON",
}  # fmt: skip


def test_the_limit_of_another_run_on_the_page_is_not_read_into_this_one():
    row = read_serving_row(RUN)
    assert row.drive is Drive.BURST
    assert row.concurrency == 100
    assert row.engine == "mindie"
    assert len(row.assumed) == 2, "each correction says why"


def test_a_row_of_another_source_is_left_alone():
    other = {**RUN, "source": "somebody-else"}
    assert corrected(other) == (other, ())
    assert read_serving_row(other).drive is Drive.STEADY


def test_no_correction_looks_at_what_was_measured():
    for one in load_corrections():
        assert "value" not in one.where
        assert "value" not in one.cells
        assert one.why
        assert one.source
