"""Predictions of rows: the quantity asked for, at the layout given; what cannot be predicted says why."""

import pytest
from tests.validation.test_serving_rows import PLAIN

from suanli.domain.validation import PREDICTED
from suanli.validation.serving import predict_inference_row


def predicted(**changes):
    return predict_inference_row({**PLAIN, **{key: str(value) for key, value in changes.items()}})


@pytest.mark.parametrize(
    "metric",
    ["output_tok_s_total", "total_tok_s", "ttft_ms", "tpot_ms", "mem_weights_gib_per_gpu", "mem_activation_peak_gib",
     "mem_non_torch_gib", "mem_kv_pool_gib", "kv_capacity_tokens", "total_tok_s_per_gpu"],
)  # fmt: skip
def test_every_kind_of_metric_is_predicted_within_its_band(metric):
    told = predicted(metric=metric)
    assert told.status == PREDICTED
    assert told.low < told.predicted < told.high
    assert told.error == pytest.approx(told.predicted / told.measured - 1)


def test_totals_count_prompts_and_answers():
    total, out = predicted(metric="total_tok_s"), predicted(metric="output_tok_s_total")
    assert total.predicted == pytest.approx(3 * out.predicted)


def test_a_rate_for_each_accelerator_divides_by_all_of_them():
    whole = predicted(metric="total_tok_s", tp=4, gpus=4)
    each = predicted(metric="total_tok_s_per_gpu", tp=4, gpus=4)
    assert each.predicted == pytest.approx(whole.predicted / 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_or_concurrency": "max", "engine": "trt-llm"},
        {"notes": "static batch", "metric": "total_tok_s"},
        {"notes": "1000 requests, all sent at once", "batch_or_concurrency": "1000"},
        {"engine": "llama.cpp", "metric": "prefill_tok_s", "output_len": "0", "weight_precision": "q4_k_m"},
        {"engine": "llama.cpp", "input_len": "0", "weight_precision": "f16", "batch_or_concurrency": "1"},
    ],
)
def test_every_way_to_drive_a_run_is_predicted(changes):
    assert predicted(**changes).status == PREDICTED


def test_a_disaggregated_run_is_predicted():
    told = predicted(
        hf_config_name="deepseek-ai/DeepSeek-R1", accelerator="H200-SXM", engine="dynamo-trt", weight_precision="fp8",
        gpus=32, tp=8, ep=8, metric="tpot_ms_median", batch_or_concurrency=256,
        notes="spec=none; disaggregated P 1x(tp8 ep8 dpa=False) D 3x(tp8 ep8 dpa=False); run 1",
    )  # fmt: skip
    assert told.status == PREDICTED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hf_config_name": "nobody/knows"}, "unknown model"),
        ({"accelerator": "H9000"}, "unknown accelerator"),
        ({"engine": "tomorrow"}, "engine"),
        ({"metric": "smiles_per_s"}, "metric"),
        ({"value": "-5"}, "above 0"),
        ({"value": "nan"}, "above 0"),
        ({"value": "fast"}, "number"),
        ({"hf_config_name": "meta-llama/Llama-3.1-405B"}, "memory"),
    ],
)
def test_a_row_that_cannot_be_predicted_stays_and_says_why(changes, reason):
    told = predicted(**changes)
    assert told.id == "a-1"
    assert told.predicted is None
    assert reason in told.status


def test_nothing_is_tuned_to_the_measured_value():
    assert predicted(value=10).predicted == predicted(value=1e6).predicted


def test_nothing_is_tuned_to_the_source():
    assert predicted(source="one").predicted == predicted(source="another", id="b").predicted


def test_what_was_assumed_is_told():
    assert any("cache" in told for told in predicted().assumed)
