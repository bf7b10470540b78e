"""What a source's page says of all its rows: by version, and only of that source."""

import pytest
from tests.validation.test_serving_rows import PLAIN

from suanli.validation.habits import Habit, habit_of
from suanli.validation.serving import predict_inference_row
from suanli.validation.serving_rows import Drive, read_serving_row

PAGE = {**PLAIN, "source": "trtllm-perf-overview", "engine": "trt-llm", "batch_or_concurrency": "max"}
MIXTURE = {
    **PAGE, "model": "Qwen3-30B-A3B", "hf_config_name": "Qwen/Qwen3-30B-A3B", "accelerator": "RTX-PRO-6000", "tp": "8",
    "gpus": "8", "weight_precision": "fp4", "input_len": "128", "output_len": "2048",
}  # fmt: skip


def test_a_later_entry_adds_to_an_earlier_one():
    early, late = (habit_of("trtllm-perf-overview", version) for version in ("0.17", "1.0"))
    assert not early.spreads_mixtures
    assert late.spreads_mixtures
    assert early.requests == late.requests
    assert early.usable_share == late.usable_share == 0.95


@pytest.mark.parametrize(("source", "version"), [("lab", "1.0"), ("trtllm-perf-overview", "")])
def test_other_sources_and_open_versions_have_none(source, version):
    assert habit_of(source, version) == Habit()


def test_an_offline_run_queues_what_the_page_says():
    told = read_serving_row({**PAGE, "engine_version": "1.0", "input_len": "128", "output_len": "128"})
    assert told.drive is Drive.OFFLINE
    assert told.requests == 30_000
    assert read_serving_row({**PAGE, "engine_version": "1.0", "input_len": "77"}).requests == float("inf")


def test_mixtures_of_the_page_share_out_attention_by_data():
    """Cards without links gain by it: the same row of another source, all in tensor ranks, is told slower."""
    spread, split = (
        predict_inference_row({**MIXTURE, "engine_version": "1.0", "source": source})
        for source in ("trtllm-perf-overview", "lab")
    )
    assert spread.predicted > 1.5 * split.predicted


def test_lengths_are_those_that_a_load_generator_draws():
    told = read_serving_row({**PLAIN, "source": "inferencex"})
    assert (told.inputs, told.outputs) == (900.0, 450.0)
    assert told.grants_places


@pytest.mark.parametrize(
    ("engine", "notes", "overlap", "share"),
    [
        ("vllm", "InferenceX CI; id 1", True, 0.9), ("sglang", "InferenceX CI; id 1", None, 0.9),
        ("vllm", "own run", None, 1.0),
    ],
)  # fmt: skip
def test_a_habit_may_be_of_an_engine_and_of_notes(engine, notes, overlap, share):
    told = habit_of("aic-silicon-sample", "0.11.0", engine, notes)
    assert (told.overlap, told.length_share) == (overlap, share)


def test_a_run_with_as_many_places_as_requests_never_queues():
    cells = {**PLAIN, "batch_or_concurrency": "2000", "metric": "ttft_ms", "value": "100", "input_len": "10"}
    granted, bound = (predict_inference_row({**cells, "source": source}) for source in ("inferencex", "lab"))
    assert granted.predicted < bound.predicted


def test_equal_requests_in_flight_stay_in_step_where_prompts_go_first():
    """All prompts come at once again and again: first tokens wait for them, further ones do not."""
    cells = {**PLAIN, "engine": "sglang", "engine_version": "0.5.1", "source": "aic-silicon-sample", "value": "1",
             "input_len": "4096", "output_len": "256", "batch_or_concurrency": "32"}  # fmt: skip
    alike, spread = (
        {
            name: predict_inference_row({**cells, "metric": name, "notes": notes}).predicted
            for name in ("ttft_ms", "tpot_ms")
        }
        for notes in ("NVIDIA gap-analysis run; id 1", "")
    )
    assert alike["ttft_ms"] > 1.5 * spread["ttft_ms"]
    assert alike["tpot_ms"] < spread["tpot_ms"]


@pytest.mark.parametrize(("flight", "steps"), [("1", 10.0), ("15", 10.0), ("64", 30.0)])
def test_a_scheduler_looks_for_requests_every_so_many_steps_by_their_number(flight, steps):
    cells = {**PLAIN, "source": "inferencex", "engine": "sglang", "accelerator": "B200-SXM"}
    assert read_serving_row({**cells, "batch_or_concurrency": flight}).receive_steps == steps
    assert read_serving_row({**cells, "accelerator": "H200-SXM"}).receive_steps is None
