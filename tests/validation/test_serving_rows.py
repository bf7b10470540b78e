"""Rows of serving runs: metrics in SI, conventions from metric and notes, layouts that share accelerators."""

import math

import pytest

from suanli.domain.serving import DraftKind
from suanli.foundation.errors import InputError
from suanli.validation.serving_rows import METRICS, Drive, Workers, read_serving_row

PLAIN = {
    "id": "a-1", "source": "lab", "date": "2026-01", "model": "Llama-3.1-8B", "engine": "vllm",
    "hf_config_name": "meta-llama/Llama-3.1-8B", "accelerator": "H100-SXM", "gpus": "1", "tp": "1", "pp": "1",
    "ep": "1", "engine_version": "0.11.0",
    "weight_precision": "bf16", "kv_precision": "", "input_len": "1000", "output_len": "500",
    "batch_or_concurrency": "16", "request_rate": "", "metric": "output_tok_s_total", "value": "1000", "notes": "",
}  # fmt: skip


def row(**changes):
    return read_serving_row({**PLAIN, **{key: str(value) for key, value in changes.items()}})


@pytest.mark.parametrize(
    ("metric", "value", "quantity", "measured"),
    [
        ("ttft_ms", 250, "ttft_seconds", 0.25),
        ("tpot_ms_median", 20, "tpot_seconds", 0.02),
        ("output_tok_s_total", 1000, "output_tokens_per_s", 1000.0),
        ("total_tok_s", 1000, "total_tokens_per_s", 1000.0),
        ("total_tok_s_per_gpu", 10, "total_tokens_per_s_per_accelerator", 10.0),
        ("prefill_tok_s", 5, "prefill_tokens_per_s", 5.0),
        ("mem_weights_gib_per_gpu", 1, "weight_bytes", 2.0**30),
        ("kv_capacity_tokens", 7, "kv_capacity_tokens", 7.0),
    ],
)
def test_a_metric_becomes_a_quantity_in_si(metric, value, quantity, measured):
    told = row(metric=metric, value=value)
    assert told.quantity == quantity
    assert told.measured == pytest.approx(measured)


def test_every_metric_ends_in_a_known_quantity():
    assert all(metric.factor > 0 for metric in METRICS.values())


def test_a_count_for_each_accelerator_is_marked():
    assert row(metric="total_tok_s_per_gpu").per_accelerator
    assert not row(metric="total_tok_s").per_accelerator


@pytest.mark.parametrize(
    ("changes", "drive"),
    [
        ({}, Drive.STEADY),
        ({"batch_or_concurrency": "max"}, Drive.OFFLINE),
        ({"notes": "static batch, offline"}, Drive.STATIC),
        ({"notes": "1000 requests, all sent at once", "batch_or_concurrency": "1000"}, Drive.BURST),
        (
            {"notes": "100 requests, all sent at once unless concurrency given", "batch_or_concurrency": "4"},
            Drive.STEADY,
        ),
        ({"notes": "1000 requests, all sent at once", "batch_or_concurrency": ""}, Drive.BURST),
        ({"metric": "prefill_tok_s", "output_len": "0"}, Drive.PREFILL),
        ({"input_len": "0"}, Drive.DECODE),
        ({"metric": "mem_kv_pool_gib"}, Drive.MEMORY),
    ],
)
def test_how_a_run_was_driven_is_read_from_its_cells(changes, drive):
    assert row(**changes).drive is drive


def test_a_burst_holds_all_its_requests():
    assert row(notes="1000 requests, all sent at once", batch_or_concurrency="").concurrency == 1000.0


def test_expert_ranks_share_the_accelerators_of_the_other_axes():
    told = row(tp=8, ep=8, gpus=64, notes="spec=none; dp_attention=False; run 1")
    assert told.workers == Workers(count=1, tensor=8, expert=8, attention_data=1)
    assert told.workers.accelerators == 8


def test_attention_data_parallelism_turns_the_tensor_ranks():
    told = row(tp=8, ep=8, gpus=64, notes="spec=mtp; dp_attention=True; run 1")
    assert told.workers == Workers(count=1, tensor=1, expert=8, attention_data=8)
    assert told.drafting is DraftKind.MTP


def test_attention_data_parallelism_beside_tensor_ranks_adds_accelerators():
    told = row(tp=4, ep=16, gpus=16, notes="InferenceX CI; id x; attention_dp 4; moe_quant fp8")
    assert told.workers == Workers(count=1, tensor=4, expert=16, attention_data=4)


def test_apart_workers_are_read_from_the_notes():
    notes = "spec=none; disaggregated P 1x(tp4 ep4 dpa=True) D 5x(tp8 ep8 dpa=False); run 2"
    told = row(tp=8, ep=8, gpus=44, notes=notes)
    assert told.drive is Drive.APART
    assert told.prefill_workers == Workers(count=1, tensor=1, expert=4, attention_data=4)
    assert told.workers == Workers(count=5, tensor=8, expert=8, attention_data=1)


@pytest.mark.parametrize(
    "notes", ["disaggregated P 0x(tp20 ep1 dpa=False) D 0x(tp20 ep1 dpa=False)", "disaggregated, layout not told"]
)
def test_apart_workers_of_unknown_layout_are_refused(notes):
    with pytest.raises(InputError, match="notes"):
        row(gpus=40, notes=notes)


def test_open_cells_are_filled_and_told():
    told = row(weight_precision="unspecified (bf16 or model default)", input_len="", output_len="")
    assert told.weight_format == "bf16"
    assert len(told.assumed) == 3


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        ("fp16/bf16", "fp16"),
        ("fp4", "nvfp4"),
        ("awq-int4", "int4_weight"),
        ("gptq-int4", "gptq_int4"),
        ("q4_0", "q4_0"),
    ],
)
def test_formats_are_known_by_what_tables_call_them(said, scheme):
    assert row(weight_precision=said).weight_format == scheme


@pytest.mark.parametrize("cell", ["metric", "weight_precision", "kv_precision"])
def test_an_unknown_word_is_refused_with_what_is_known(cell):
    with pytest.raises(InputError, match=cell):
        row(**{cell: "nonsense"})


@pytest.mark.parametrize(("cell", "value"), [("tp", "0"), ("tp", "1.5"), ("ep", "many"), ("value", "fast")])
def test_a_wrong_number_is_refused(cell, value):
    with pytest.raises(InputError):
        row(**{cell: value}).workers  # noqa: B018


def test_settings_of_the_command_line_are_taken():
    told = row(
        notes="1000 requests; cmd: vllm serve x -tp 4 --max-num-batched-tokens 16384; gpu_memory_utilization 0.95"
    )
    assert told.token_budget == 16384.0
    assert told.usable_share == 0.95


def test_an_offline_run_has_no_end_of_requests():
    assert math.isinf(row(batch_or_concurrency="max").concurrency)


def test_missing_columns_read_as_open_cells():
    told = read_serving_row({"metric": "ttft_ms", "value": "10", "model": "x", "accelerator": "y", "engine": "vllm"})
    assert told.workers.accelerators == 1


@pytest.mark.parametrize(
    ("notes", "kind"),
    [
        ("spec=mtp; run 1", DraftKind.MTP), ("4. MTP in SGLang; speculative; cmd", DraftKind.MTP),
        ("5. Speculative Decoding; speculative; cmd", DraftKind.EAGLE3), ("1. Baseline", None),
    ],
)  # fmt: skip
def test_notes_say_who_drafts(notes, kind):
    assert row(notes=notes).drafting is kind


@pytest.mark.parametrize(
    ("notes", "overlap"), [("cmd: vllm serve X --async-scheduling", True), ("cmd: vllm serve X", None)]
)
def test_a_command_says_whether_steps_are_scheduled_ahead(notes, overlap):
    assert row(notes=notes).overlap is overlap
