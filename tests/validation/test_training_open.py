"""What a published run leaves open: chunks, recomputation, layouts, balance, and whose shape of a model counts."""

from dataclasses import replace

import pytest
from tests.validation.runs import DENSE

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.domain.layout import Recompute
from suanli.domain.model import Role
from suanli.estimate.search import search
from suanli.estimate.software import load_training_calibration
from suanli.estimate.training import estimate_layout
from suanli.validation.predict import estimate_row, estimate_run, heavier, predictions_of, slowed
from suanli.validation.reading import load_reading
from suanli.validation.rows import Record
from suanli.validation.run_model import model_of_columns, read_run_model
from suanli.validation.training import LAYERS_A_CHUNK, read_run

CATALOGUE, KERNELS, CALIBRATION, READING = catalogue(), load_kernels(), load_training_calibration(), load_reading()
OPEN = {"tp": "", "pp": "", "dp": "", "sharding": "", "cp": ""}
PIPED = {"framework": "Megatron-Core", "vp": "", "dp": ""}
TIGHT = {"recompute": "", "framework": "torchtitan", "sharding": "fsdp", "micro_batch": 16}
SPARSE = {
    "model_name": "gpt-oss-120b", "arch": "moe", "layers": 36, "hidden": 2880, "heads": 64, "kv_heads": 8,
    "head_dim": 64, "ffn_hidden": 2880, "experts": 128, "experts_per_token": 4, "gated_mlp": 1, "vocab": 201088,
}  # fmt: skip


def record(**changes):
    return Record(file="runs.csv", line=2, cells={**DENSE, **{key: str(value) for key, value in changes.items()}})


def run(**changes):
    found = read_run(record(**changes), CATALOGUE, READING, CALIBRATION)
    assert not isinstance(found, str), found
    return found


def estimate(**changes):
    return estimate_run(run(**changes), KERNELS, CALIBRATION)


def predicted(**changes):
    found = estimate_row(record(**changes), CATALOGUE, KERNELS, CALIBRATION, READING)
    return found if isinstance(found, str) else predictions_of(*found)


# -------------------------------------------------------------------------------------------------------------- chunks


@pytest.mark.parametrize(("stages", "chunks"), [(1, 1), (2, 10), (4, 5), (5, 4), (10, 2), (20, 1), (40, 1)])
def test_unsaid_chunks_of_a_megatron_pipeline_have_two_layers_or_the_next_more_that_divides(stages, chunks):
    """Forty layers over so many stages, by hand."""
    found = run(**PIPED, pp=stages, gpus=2 * stages)
    assert found.layout.interleave == chunks
    assert chunks == 1 or 40 / stages / chunks >= LAYERS_A_CHUNK
    assert (f"vp = {chunks}" in found.assumed) == (stages > 1)


def test_three_layers_a_stage_stay_one_chunk():
    assert run(**PIPED, layers=12, pp=4, gpus=8).layout.interleave == 1


def test_chunks_that_a_row_gives_stand():
    found = run(**{**PIPED, "vp": 1}, pp=4, gpus=8)
    assert found.layout.interleave == 1
    assert not any(word.startswith("vp") for word in found.assumed)


@pytest.mark.parametrize(
    "changes", [{"framework": "torchtitan"}, {"framework": "Megatron-LM", "date": "2021-04-09"}, {"layers": 39}]
)
def test_other_software_and_ragged_stages_are_not_taken_to_interleave(changes):
    assert run(**{**PIPED, "pp": 4, "gpus": 8, **changes}).layout.interleave == 1


# -------------------------------------------------------------------------------------------------------- recomputation


@pytest.mark.parametrize(
    ("framework", "levels"),
    [
        ("MaxText", (Recompute.SELECTIVE, Recompute.FULL)),
        ("torchtitan", (Recompute.SELECTIVE,)),
        ("Megatron-LM core", (Recompute.SELECTIVE,)),
    ],
)
def test_compilers_that_shard_fully_go_on_to_whole_layers(framework, levels):
    assert heavier(run(framework=framework), CALIBRATION) == levels


def test_what_fits_is_left_as_it_is():
    assert estimate(recompute="").layout.recompute is Recompute.NONE


def test_unsaid_recomputation_becomes_the_lightest_that_fits():
    tight = run(**TIGHT)
    found = estimate_run(tight, KERNELS, CALIBRATION)
    plain = estimate_layout(tight.setup, tight.cluster, tight.layout, KERNELS, calibration=CALIBRATION, accelerators=16)
    assert plain.limit == "memory"
    assert found.layout == replace(tight.layout, recompute=Recompute.SELECTIVE)
    assert found.memory_bytes < plain.memory_bytes


def test_a_compiler_recomputes_whole_layers_where_less_does_not_fit():
    tighter = {**TIGHT, "framework": "MaxText", "tp": 1, "dp": 16}
    found = estimate(**tighter)
    assert (found.limit, found.layout.recompute) == ("", Recompute.FULL)
    assert found.memory_bytes < estimate(**{**tighter, "recompute": "selective"}).memory_bytes


def test_recomputation_that_a_row_tells_is_never_made_heavier():
    found = estimate(**{**TIGHT, "recompute": "none"})
    assert (found.limit, found.layout.recompute) == ("memory", Recompute.NONE)


def test_the_heavier_level_that_was_taken_is_told():
    assert "recompute = selective" in predicted(**TIGHT)["step_seconds"].assumed
    assert "recompute = none" not in predicted(**TIGHT)["step_seconds"].assumed
    assert "recompute = none" in predicted(recompute="")["step_seconds"].assumed


# -------------------------------------------------------------------------------------------------------------- layouts


def test_a_layout_that_nobody_told_is_slower_than_the_best_by_one_factor():
    found = run(**OPEN)
    (best,) = search(found.setup, found.cluster, KERNELS, keep=1, calibration=CALIBRATION)
    assert estimate_run(found, KERNELS, CALIBRATION) == slowed(best, CALIBRATION)
    assert CALIBRATION.unknown_layout_slowdown > 1


def test_a_slowed_step_is_the_same_step_stretched():
    plain = estimate()
    slow = slowed(plain, replace(CALIBRATION, unknown_layout_slowdown=1.5))
    assert slow.step_seconds == 1.5 * plain.step_seconds
    assert slow.tokens_per_s * slow.step_seconds == pytest.approx(plain.tokens_per_s * plain.step_seconds)
    assert slow.mfu * slow.step_seconds == pytest.approx(plain.mfu * plain.step_seconds)
    assert sum(slow.seconds_by_cause.values()) == pytest.approx(slow.step_seconds)
    assert slow.band.low / slow.step_seconds < plain.band.low / plain.step_seconds
    assert slow.band.high / slow.step_seconds > plain.band.high / plain.step_seconds
    assert (slow.layout, slow.memory_bytes, slow.memory_band) == (plain.layout, plain.memory_bytes, plain.memory_band)


def test_slowed_by_nothing_keeps_the_step():
    plain = estimate()
    unchanged = slowed(plain, replace(CALIBRATION, unknown_layout_slowdown=1.0))
    assert replace(unchanged, band=plain.band) == plain


# --------------------------------------------------------------------------------------------------------------- models


@pytest.mark.parametrize("notes", ["", "forced-balanced dropless routing"])
def test_published_experts_are_taken_as_balanced(notes):
    assert run(**SPARSE, notes=notes).setup.balanced_experts is True
    assert estimate(**SPARSE, notes=notes).seconds_by_cause["expert_imbalance"] == 0


def test_a_packaged_model_of_experts_tells_what_columns_cannot():
    """Windows and biases of gpt-oss stand in no column."""
    found, by_columns = read_run_model(record(**SPARSE), READING), model_of_columns(record(**SPARSE), READING)
    assert {run.layer.core.window for run in found.runs} == {None, 128}
    assert {run.layer.core.window for run in by_columns.runs} == {None}
    assert any(one.bias for run in found.runs for one in run.layer.matrices if one.role is Role.EXPERT_IN)


@pytest.mark.parametrize("changes", [{"layers": 35}, {"hidden": 4096}])
def test_a_packaged_model_of_another_shape_gives_way_to_the_columns(changes):
    row = record(**{**SPARSE, **changes})
    assert read_run_model(row, READING) == model_of_columns(row, READING)


def test_a_dense_model_is_as_its_columns_say_even_where_its_shape_agrees():
    row = record(model_name="LLaMA2-7B", arch="llama", layers=32, hidden=4096, heads=32, ffn_hidden=11008, gated_mlp=1)
    assert read_run_model(row, READING) == model_of_columns(row, READING)


def test_parallel_blocks_are_read_from_the_notes():
    plain, parallel = (model_of_columns(record(notes=said), READING) for said in ("", "parallel block"))
    assert [run.layer.parallel for run in (*plain.runs, *parallel.runs)] == [False, True]


def test_a_run_without_a_layout_is_searched_on_the_accelerators_it_used_not_on_the_whole_pod():
    """A TPU pod is one system of 8,960 chips: a run on 512 of them must not be planned over all."""
    found = estimate(**OPEN, accelerator="TPU-v5p", gpus=512, framework="MaxText", global_batch=2048)
    layout = found.layout
    assert layout.data * layout.tensor * layout.pipeline * layout.context == 512


@pytest.mark.parametrize(("notes", "split"), [("use-mc2; overlap", True), ("Async TP; bf16", True), ("plain", False)])
def test_notes_tell_whether_products_are_cut_beside_their_traffic(notes, split):
    assert run(notes=notes).setup.split_tensor is split


@pytest.mark.parametrize(
    ("notes", "form"), [("fp8-rowwise; torch.compile", "fp8_row"), ("fp8-tensorwise", "fp8"), ("", "fp8")]
)
def test_notes_tell_the_scheme_of_scales(notes, form):
    assert run(precision="fp8", notes=notes).setup.number_format == form


def test_a_dense_model_of_a_known_name_and_shape_brings_its_window():
    shape = {"layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8, "ffn_hidden": 14336, "gated_mlp": 1}
    assert read_run_model(record(model_name="Mistral-7B", **shape), READING).runs[0].layer.core.window == 4096
    assert (
        read_run_model(record(model_name="Mistral-7B", **{**shape, "layers": 16}), READING).runs[0].layer.core.window
        is None
    )
