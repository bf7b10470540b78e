"""Every cell of a serving row: metrics in SI, formats by name, defaults that are told, and cells that cannot be."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.validation.test_serving_rows import PLAIN, row

from suanli.catalogue.engines import load_engines
from suanli.domain.validation import PREDICTED
from suanli.foundation.errors import InputError
from suanli.validation.rows import MOST_COUNT
from suanli.validation.serving import predict_inference_row
from suanli.validation.serving_rows import (
    ASSUMED_TOKENS,
    CACHE_FORMATS,
    MEMORY_QUANTITIES,
    METRICS,
    OPEN_WORDS,
    WEIGHT_FORMATS,
    Drive,
    read_serving_row,
)

GIB = 2.0**30
SI = {  # metric: quantity, SI value of one printed unit, whether it is told for each accelerator
    "output_tok_s_total": ("output_tokens_per_s", 1.0, False),
    "output_tok_s_per_gpu": ("output_tokens_per_s_per_accelerator", 1.0, True),
    "total_tok_s": ("total_tokens_per_s", 1.0, False),
    "total_tok_s_per_gpu": ("total_tokens_per_s_per_accelerator", 1.0, True),
    "prefill_tok_s": ("prefill_tokens_per_s", 1.0, False),
    "request_s": ("requests_per_s", 1.0, False),
    "ttft_ms": ("ttft_seconds", 1e-3, False),
    "ttft_ms_mean": ("ttft_seconds", 1e-3, False),
    "ttft_ms_median": ("ttft_seconds", 1e-3, False),
    "tpot_ms": ("tpot_seconds", 1e-3, False),
    "tpot_ms_mean": ("tpot_seconds", 1e-3, False),
    "tpot_ms_median": ("tpot_seconds", 1e-3, False),
    "mem_weights_gib_per_gpu": ("weight_bytes", GIB, False),
    "mem_activation_peak_gib": ("activation_bytes", GIB, False),
    "mem_non_torch_gib": ("runtime_bytes", GIB, False),
    "mem_kv_pool_gib": ("kv_pool_bytes", GIB, False),
    "kv_capacity_tokens": ("kv_capacity_tokens", 1.0, False),
}
quick = settings(max_examples=40, deadline=None)


def predicted(**changes):
    return predict_inference_row({**PLAIN, **{key: str(value) for key, value in changes.items()}})


# ------------------------------------------------------------------------------------------------------------- metrics


def test_every_metric_has_its_quantity_here():
    assert set(SI) == set(METRICS)


@pytest.mark.parametrize("metric", sorted(SI))
def test_a_metric_is_read_in_si(metric):
    quantity, factor, shared = SI[metric]
    told = row(metric=metric, value=12.5)
    assert told.quantity == quantity
    assert told.measured == pytest.approx(12.5 * factor, rel=1e-12)
    assert told.per_accelerator is shared


@pytest.mark.parametrize("metric", sorted(SI))
def test_a_quantity_s_name_ends_in_its_unit(metric):
    quantity = METRICS[metric].quantity
    assert quantity.endswith(("_seconds", "_bytes", "_per_s", "_per_s_per_accelerator", "_tokens"))


@pytest.mark.parametrize("metric", sorted(SI))
def test_every_metric_is_predicted(metric):
    told = predicted(metric=metric)
    assert told.status == PREDICTED
    assert told.quantity == SI[metric][0]
    assert 0 < told.low < told.predicted < told.high


@pytest.mark.parametrize(("one", "other"), [("ttft_ms", "ttft_ms_mean"), ("ttft_ms", "ttft_ms_median"),
                                            ("tpot_ms", "tpot_ms_mean"), ("tpot_ms", "tpot_ms_median")])  # fmt: skip
def test_means_and_medians_are_predicted_alike(one, other):
    assert predicted(metric=one).predicted == predicted(metric=other).predicted


@quick
@given(
    inputs=st.integers(1, 8000), outputs=st.integers(2, 2000), flight=st.integers(1, 64), tensor=st.sampled_from([1, 2])
)
def test_the_metrics_of_one_run_agree_with_each_other(inputs, outputs, flight, tensor):
    run = {"input_len": inputs, "output_len": outputs, "batch_or_concurrency": flight, "tp": tensor, "gpus": tensor}
    if flight == 1 and outputs <= 1:
        return
    rate = predicted(metric="request_s", **run).predicted
    assert predicted(metric="output_tok_s_total", **run).predicted == pytest.approx(rate * outputs)
    assert predicted(metric="total_tok_s", **run).predicted == pytest.approx(rate * (inputs + outputs))
    assert predicted(metric="total_tok_s_per_gpu", **run).predicted == pytest.approx(rate * (inputs + outputs) / tensor)
    assert predicted(metric="output_tok_s_per_gpu", **run).predicted == pytest.approx(rate * outputs / tensor)
    assert predicted(metric="ttft_ms", **run).predicted == predicted(metric="ttft_ms_mean", **run).predicted


@settings(max_examples=15, deadline=None)
@given(inputs=st.integers(100, 8000), outputs=st.integers(500, 2000), flight=st.integers(2, 64))
def test_little_s_law_holds_between_the_metrics_of_a_steady_run(inputs, outputs, flight):
    """Requests in flight are their rate times what one takes: first token and every further one.

    The front end's own seconds overlap with the engine's, so that a stay may add up to a little more.
    """
    run = {"input_len": inputs, "output_len": outputs, "batch_or_concurrency": flight}
    rate, first = predicted(metric="request_s", **run).predicted, predicted(metric="ttft_ms", **run).predicted
    each = predicted(metric="tpot_ms", **run).predicted
    assert 0.98 * flight <= rate * (first + each * (outputs - 1)) <= 1.05 * flight


def test_a_decode_alone_tells_the_rate_of_one_sequence():
    told = {"input_len": 0, "output_len": 512, "batch_or_concurrency": 1, "engine": "llama.cpp"}
    rate = predicted(metric="output_tok_s_total", **told).predicted
    assert rate == pytest.approx(1 / predicted(metric="tpot_ms", **told).predicted)


def test_prefill_tokens_per_second_are_prompts_over_their_time():
    told = {"input_len": 2048, "output_len": 0, "batch_or_concurrency": 1}
    rate = predicted(metric="prefill_tok_s", **told).predicted
    assert rate == pytest.approx(2048 / predicted(metric="ttft_ms", **told).predicted)


@pytest.mark.parametrize("metric", [name for name in SI if SI[name][0] in MEMORY_QUANTITIES])
def test_memory_does_not_hang_on_the_load(metric):
    assert predicted(metric=metric, batch_or_concurrency=1).predicted == predicted(metric=metric).predicted


def test_capacity_and_pool_agree():
    """The pool holds exactly as many tokens as it has bytes over the bytes of a token (8 heads of 128, 32 layers)."""
    pool = predicted(metric="mem_kv_pool_gib").predicted
    tokens = predicted(metric="kv_capacity_tokens").predicted
    assert pool / tokens == pytest.approx(2 * 2 * 8 * 128 * 32)


# ----------------------------------------------------------------------------------------------------- open cells


@pytest.mark.parametrize("said", OPEN_WORDS)
def test_an_open_weight_format_is_bf16_and_told(said):
    told = row(weight_precision=said)
    assert told.weight_format == "bf16"
    assert any("bf16" in each for each in told.assumed)


@pytest.mark.parametrize("said", OPEN_WORDS)
def test_an_open_cache_format_is_left_to_the_engine_and_told(said):
    assert row(kv_precision=said).kv_format == ""
    assert any("cache" in each for each in predicted(kv_precision=said).assumed)


@pytest.mark.parametrize(("column", "words"), [("input_len", "prompts"), ("output_len", "answers")])
def test_an_open_length_is_the_convention_and_told(column, words):
    told = row(**{column: ""})
    assert ASSUMED_TOKENS in (told.inputs, told.outputs)
    assert [each for each in told.assumed if words in each]


@pytest.mark.parametrize("column", ["tp", "pp", "ep", "gpus"])
def test_an_open_degree_is_one(column):
    told = row(**{column: ""})
    assert told.workers.accelerators == 1
    assert told.workers.expert == 1


def test_an_open_load_is_one_request_in_flight():
    assert row(batch_or_concurrency="").concurrency == 1.0


def test_what_a_row_says_is_not_called_assumed():
    assert row(kv_precision="fp8").assumed == ()
    assert predicted(kv_precision="fp8").assumed == ()


def test_a_model_goes_by_its_plain_name_where_no_repository_is_given():
    assert row(hf_config_name="").model == "Llama-3.1-8B"


@pytest.mark.parametrize("said", sorted(WEIGHT_FORMATS))
def test_every_weight_format_has_a_scheme(said):
    scheme = row(weight_precision=said.upper()).weight_format
    assert scheme == WEIGHT_FORMATS[said]
    assert scheme in load_engines().schemes


@pytest.mark.parametrize("said", sorted(WEIGHT_FORMATS))
def test_every_weight_format_is_predicted_on_hardware_that_has_it(said):
    engine = "llama.cpp" if said.startswith("q4") else "vllm"
    assert predicted(weight_precision=said, accelerator="B200-SXM", engine=engine).status == PREDICTED


@pytest.mark.parametrize("said", sorted(CACHE_FORMATS))
def test_every_cache_format_is_predicted(said):
    assert row(kv_precision=said).kv_format == CACHE_FORMATS[said]
    assert predicted(kv_precision=said).status == PREDICTED


def test_narrower_weights_weigh_less_row_by_row():
    weighed = [
        predicted(metric="mem_weights_gib_per_gpu", weight_precision=said).predicted
        for said in ("awq-int4", "fp8", "bf16")
    ]
    assert weighed == sorted(weighed)


@pytest.mark.parametrize(
    ("notes", "engine", "drive"),
    [
        ("static batch", "vllm", Drive.STATIC),
        ("single stream", "vllm", Drive.DECODE),
        ("64 requests, all sent at once", "vllm", Drive.STEADY),
        ("16 requests, all sent at once", "vllm", Drive.BURST),
        ("nothing special", "vllm", Drive.STEADY),
    ],
)
def test_notes_tell_how_a_run_was_driven(notes, engine, drive):
    assert row(notes=notes, engine=engine).drive is drive


# ----------------------------------------------------------------------------------------------- cells that are wrong


@pytest.mark.parametrize("column", ["input_len", "output_len", "tp", "pp", "ep", "value", "batch_or_concurrency"])
@pytest.mark.parametrize("wrong", ["many", "1_000", "\u0663\u0664", "inf", "-inf", "1e999", "1,000", "0x10", "-7"])
def test_a_cell_that_is_no_number_leaves_its_row_without_a_prediction(column, wrong):
    told = predicted(**{column: wrong})
    assert told.predicted is told.low is told.high is told.error is None
    assert column in told.status
    assert told.id == PLAIN["id"]


@pytest.mark.parametrize("column", ["tp", "pp", "ep"])
@pytest.mark.parametrize("wrong", ["0", "0.5", "2.5", "1e300", str(MOST_COUNT + 1)])
def test_a_degree_is_a_whole_number_in_reach(column, wrong):
    assert column in predicted(**{column: wrong}).status


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_len": 0, "output_len": 0}, "input_len"),
        ({"input_len": 0, "metric": "prefill_tok_s"}, "above 0"),
        ({"output_len": 0, "metric": "output_tok_s_total"}, "above 0"),
        ({"output_len": 0, "metric": "tpot_ms"}, "above 0"),
        ({"output_len": 1, "metric": "tpot_ms", "batch_or_concurrency": 1}, "above 0"),
        ({"batch_or_concurrency": 0}, "batch_or_concurrency"),
        ({"batch_or_concurrency": "nan"}, "batch_or_concurrency"),
        ({"notes": "0 requests, all sent at once", "batch_or_concurrency": ""}, "notes"),
        ({"notes": "--max-num-batched-tokens 0"}, "notes"),
        ({"notes": "gpu_memory_utilization 0"}, "notes"),
        ({"notes": "gpu_memory_utilization 9"}, "notes"),
        ({"notes": "attention_dp 0"}, "attention_data"),
        ({"metric": "kv_capacity_tokens", "hf_config_name": "meta-llama/Llama-3.1-405B"}, "kv_capacity_tokens"),
        ({"metric": "mem_kv_pool_gib", "hf_config_name": "meta-llama/Llama-3.1-405B"}, "kv_pool_bytes"),
        ({"notes": "disaggregated P 1x(tp1 ep1 dpa=True) D 0x(tp1 ep1 dpa=False)"}, "notes"),
        ({"notes": "disaggregated P 0x(tp1 ep1 dpa=True) D 1x(tp1 ep1 dpa=False)"}, "notes"),
        ({"tp": 64, "gpus": 64}, "tensor 64"),
        ({"pp": 64, "gpus": 64}, "pipeline 64"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_says_what_is_wrong(changes, words):
    told = predicted(**changes)
    assert told.predicted is None
    assert words in told.status


@pytest.mark.parametrize("share", ["0.5", "0.9", "1", ".85"])
def test_a_share_of_memory_is_taken_from_the_command_line(share):
    assert row(notes=f"gpu_memory_utilization {share}").usable_share == float(share)


def test_a_smaller_share_of_memory_holds_fewer_tokens():
    held = [
        predicted(metric="kv_capacity_tokens", notes=f"gpu_memory_utilization {share}").predicted
        for share in (0.5, 0.8, 0.95)
    ]
    assert held == sorted(held)


def test_expert_ranks_that_do_not_divide_the_group_are_brought_to_a_divisor():
    assert row(tp=4, ep=6, gpus=4).workers.expert == 2


def test_a_dense_model_has_no_expert_ranks():
    assert predicted(tp=2, ep=2, gpus=2).predicted == predicted(tp=2, ep=1, gpus=2).predicted


@pytest.mark.parametrize("said", [None, math.nan])
def test_a_cell_that_is_not_there_reads_as_open(said):
    assert read_serving_row({**PLAIN, "kv_precision": said}).kv_format == ""


def test_a_row_of_nothing_is_refused_and_kept():
    told = predict_inference_row({})
    assert told.predicted is None
    assert "metric" in told.status


def test_an_unknown_metric_lists_the_known_ones():
    with pytest.raises(InputError, match="ttft_ms"):
        row(metric="ttft")


@settings(max_examples=150, deadline=None)
@given(
    column=st.sampled_from(sorted(PLAIN)),
    said=st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.sampled_from(
            ["0", "-1", "1e30", "inf", "max", "nan", "2147483647", "none", "disaggregated", "static batch"]
        ),
        st.integers(-10, 10**12).map(str),
    ),
)
def test_no_cell_whatever_stops_a_row_from_being_answered(column, said):
    told = predict_inference_row({**PLAIN, column: said})
    if told.status == PREDICTED:
        assert 0 < told.low <= told.predicted <= told.high < math.inf
    else:
        assert told.predicted is None
        assert told.status
