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
