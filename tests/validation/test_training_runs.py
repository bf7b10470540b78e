"""Published training runs are predicted at their layout; what is open is filled by defaults and said."""

import pytest
from tests.validation.runs import DENSE, write

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.layout import Recompute, Sharding
from suanli.domain.model import Role
from suanli.domain.workload import Attention, TuningMethod
from suanli.estimate.software import load_training_calibration
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import parameters
from suanli.validation.predict import estimate_row, estimate_run, predictions_of, training_rows
from suanli.validation.reading import load_reading
from suanli.validation.rows import read_records
from suanli.validation.run_model import read_run_model
from suanli.validation.training import framework_of, measured_quantities, read_run, sharding_of

TABLES = (catalogue(), load_kernels(), load_training_calibration(), load_reading())


def record(tmp_path, **cells):
    return read_records(write(tmp_path / "runs.csv", {**DENSE, **cells}))[0]


def run(tmp_path, **cells):
    known, _, calibration, reading = TABLES
    return read_run(record(tmp_path, **cells), known, reading, calibration)


def predicted(tmp_path, **cells):
    found = estimate_row(record(tmp_path, **cells), *TABLES)
    return found if isinstance(found, str) else predictions_of(*found)


def test_a_step_is_measured_in_seconds_or_from_tokens(tmp_path):
    (printed,) = measured_quantities(record(tmp_path))
    assert (printed.quantity, printed.measured) == ("step_seconds", 30)
    (rate,) = measured_quantities(record(tmp_path, step_time_s="", tokens_per_s_per_gpu="1000"))
    assert rate.measured == pytest.approx(2048 * 256 / 16 / 1000)


def test_peak_memory_is_read_in_gigabytes(tmp_path):
    found = measured_quantities(record(tmp_path, peak_mem_gb="40"))
    assert [one.quantity for one in found] == ["step_seconds", "peak_memory_bytes"]
    assert found[1].measured == 40e9


def test_a_row_that_measures_nothing_has_no_quantities(tmp_path):
    assert measured_quantities(record(tmp_path, step_time_s="")) == []


def test_the_layout_is_the_row_s(tmp_path):
    found = run(tmp_path)
    assert (found.layout.data, found.layout.tensor, found.layout.micro_batch) == (8, 2, 2)
    assert found.layout.sharding is Sharding.OPTIMIZER
    assert found.setup.global_batch == 256
    assert found.cluster.nodes == 2
    assert found.assumed == ()


def test_open_cells_are_filled_and_said(tmp_path):
    found = run(tmp_path, micro_batch="", recompute="", cp="")
    assert found.layout.micro_batch == 1
    assert set(found.assumed) == {"micro_batch = 1", "recompute = none", "cp = 1"}


def test_a_printed_data_degree_that_cannot_be_is_set_right(tmp_path):
    assert run(tmp_path, dp="5").layout.data == 8


def test_a_row_without_a_layout_gets_the_fastest_legal_one(tmp_path):
    found = run(tmp_path, tp="", pp="", dp="", sharding="", cp="")
    assert found.layout is None
    assert estimate_run(found, TABLES[1], TABLES[2]).limit == ""


@pytest.mark.parametrize(
    ("said", "stage", "ranks"),
    [
        ("none", Sharding.NONE, None),
        ("zero0", Sharding.NONE, None),
        ("zero1", Sharding.OPTIMIZER, None),
        ("zero1(groups of 8)", Sharding.OPTIMIZER, 8),
        ("zero1(dist-opt)", Sharding.OPTIMIZER, None),
        ("fsdp-gradop(zero2)", Sharding.GRADIENTS, None),
        ("fsdp2(zero3)", Sharding.FULL, None),
        ("fsdp in slice, DP across slices", Sharding.FULL, None),
        ("", Sharding.OPTIMIZER, None),
    ],
)
def test_sharding_is_read_in_words(tmp_path, said, stage, ranks):
    assert sharding_of(record(tmp_path, sharding=said), False) == (stage, ranks)


def test_software_that_shards_fully_is_taken_to_do_so(tmp_path):
    assert sharding_of(record(tmp_path, sharding=""), True)[0] is Sharding.FULL


def test_unsaid_recomputation_follows_the_attention_kernel(tmp_path):
    assert run(tmp_path, recompute="").layout.recompute is Recompute.NONE
    unfused = run(tmp_path, recompute="", flash_attention="0")
    assert unfused.setup.attention is Attention.UNFUSED
    assert unfused.layout.recompute is Recompute.SELECTIVE


def test_notes_tell_of_plain_tensor_parallelism(tmp_path):
    assert run(tmp_path, notes="plain TP (no sequence parallelism)").layout.sequence_parallel is False
    assert run(tmp_path).layout.sequence_parallel is True


def test_slices_shard_inside_themselves(tmp_path):
    found = run(tmp_path, accelerator="TPU-v5e", gpus="512", tp="1", dp="512", sharding="fsdp in slice",
                interconnect="ICI 2D torus 256/slice; 2 slice(s) over DCN", framework="MaxText")  # fmt: skip
    assert found.layout.sharding_ranks == 256


def test_an_eager_run_of_a_compiled_framework_is_eager(tmp_path):
    assert framework_of(record(tmp_path, framework="torchtitan", notes="eager; memory in GiB")) == "torch_eager"
    assert framework_of(record(tmp_path, framework="torchtitan", notes="torch.compile")) == "torchtitan"


def test_a_tuning_run_freezes_weights(tmp_path):
    found = run(tmp_path, workload="qlora", precision="bf16/nf4", framework="LitGPT", seq_len="", global_batch="",
                notes="longest sample 1044 tokens")  # fmt: skip
    assert found.setup.tuning is TuningMethod.QLORA
    assert found.setup.frozen_format == "nf4"
    assert found.setup.adapters.rank == 8
    assert found.setup.sequence_tokens == 1044


def test_a_model_is_built_from_columns(tmp_path):
    model = read_run_model(record(tmp_path), load_reading())
    assert parameters(model) == pytest.approx(13e9, rel=0.02)


def test_a_gated_model_with_grouped_queries_is_built_from_columns(tmp_path):
    model = read_run_model(
        record(tmp_path, model_name="mine", arch="llama", layers="32", hidden="4096", heads="32", kv_heads="8",
               ffn_hidden="14336", vocab="128256", gated_mlp="1"), load_reading())  # fmt: skip
    assert parameters(model) == pytest.approx(8.03e9, rel=0.001)


def test_experts_are_built_from_columns(tmp_path):
    model = read_run_model(
        record(tmp_path, model_name="mine", arch="moe", layers="48", hidden="2048", heads="32", kv_heads="4",
               head_dim="128", ffn_hidden="768", vocab="151936", gated_mlp="1", experts="128", experts_per_token="8"),
        load_reading())  # fmt: skip
    assert parameters(model) == pytest.approx(30.5e9, rel=0.005)
    assert any(matrix.role is Role.EXPERT_IN and matrix.active == 8 for matrix in model.runs[0].layer.matrices)


def test_layers_are_told_by_the_printed_size_where_they_are_not_given(tmp_path):
    model = read_run_model(
        record(tmp_path, model_name="BLOOM-search-200B", layers="", hidden="14400", heads="64", ffn_hidden="57600",
               vocab="250880", pp="10"), load_reading())  # fmt: skip
    assert model.runs[0].count == 80


def test_latent_attention_goes_by_name(tmp_path):
    model = read_run_model(record(tmp_path, model_name="DeepSeekV3", arch="moe-mla"), load_reading())
    assert model.draft_runs
    bare = read_run_model(record(tmp_path, model_name="DeepSeekV3", arch="moe-mla", notes="w/o MTP"), load_reading())
    assert not bare.draft_runs


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"model_name": "Nonesuch", "hidden": "", "heads": ""}, "Nonesuch"),
        ({"accelerator": "Abacus"}, "Abacus"),
        ({"gpus": "", "dp": ""}, "number of accelerators"),
        ({"precision": "int3"}, "int3"),
        ({"model_name": "sizeless", "layers": ""}, "sizeless"),
    ],
)
def test_a_row_that_cannot_be_predicted_says_why(tmp_path, cells, why):
    assert why in predicted(tmp_path, **cells)


def test_a_prediction_has_a_band_around_it(tmp_path):
    found = predicted(tmp_path)["step_seconds"]
    assert found.low < found.predicted < found.high


def test_unpredicted_rows_stay_with_their_status(tmp_path):
    path = write(tmp_path / "runs.csv", DENSE, {**DENSE, "id": "run-2", "accelerator": "Abacus"})
    rows, _ = training_rows(read_records(path), *TABLES)
    assert [row.status == "predicted" for row in rows] == [True, False]
    assert rows[0].error == pytest.approx(rows[0].predicted / 30 - 1)
    assert rows[1].predicted is None
    assert "Abacus" in rows[1].status


def test_wrong_cells_are_told_all_at_once(tmp_path):
    path = write(tmp_path / "runs.csv", {**DENSE, "layers": "many"}, {**DENSE, "step_time_s": "nan"})
    with pytest.raises(InputError) as caught:
        training_rows(read_records(path), *TABLES)
    assert {fault.place for fault in caught.value.faults} >= {"runs.csv:2: layers", "runs.csv:3: step_time_s"}


def test_nothing_is_looked_up_by_a_run_s_id_or_source(tmp_path):
    one, other = predicted(tmp_path), predicted(tmp_path, id="bloom-001", source="llm-foundry benchmarking README")
    assert one == other


@pytest.mark.parametrize(("sharding", "usual"), [("fsdp", "torch_eager"), ("zero1", "megatron_core")])
def test_an_unknown_framework_works_as_others_that_shard_alike(tmp_path, sharding, usual):
    found = run(tmp_path, framework="Lisp", sharding=sharding)
    assert found.setup.framework == usual
    assert f"framework = {usual}" in found.assumed


def test_accelerators_follow_from_the_degrees_where_they_are_not_given(tmp_path):
    assert run(tmp_path, gpus="").accelerators == 16


def test_a_timed_run_without_a_batch_is_measured_and_predicted_over_the_same_tokens(tmp_path):
    cells = {"step_time_s": "", "tokens_per_s_per_gpu": "1000", "global_batch": "", "workload": "sft"}
    (measured,) = measured_quantities(record(tmp_path, **cells))
    found = run(tmp_path, **cells)
    tokens = found.setup.global_batch * found.setup.sequence_tokens
    assert measured.measured == tokens / (1000 * 16)


def test_the_narrowest_of_several_formats_counts(tmp_path):
    assert run(tmp_path, precision="bf16 + fp8").setup.number_format == "fp8"
