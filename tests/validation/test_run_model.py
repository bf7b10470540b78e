"""Models of published runs: shapes from columns, layers from printed sizes, names where columns cannot tell."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.validation.runs import DENSE

from suanli.domain.model import CoreKind, Role
from suanli.parts.architectures.count import parameters
from suanli.validation.reading import load_reading
from suanli.validation.rows import Record
from suanli.validation.run_model import model_of_columns, read_run_model

READING = load_reading()
quick = settings(max_examples=40, deadline=None)


def record(**changes):
    cells = {**DENSE, **{key: str(value) for key, value in changes.items()}}
    return Record(file="runs.csv", line=2, cells=cells)


def model(**changes):
    return model_of_columns(record(**changes), READING)


def matrices(found):
    return {matrix.role: matrix for matrix in found.runs[0].layer.matrices}


def test_a_dense_model_has_the_parameters_of_its_shape():
    """12 h^2 of a layer with an MLP of 4 h, its norms (2 h), the table of words and the last norm."""
    hidden, layers, words = 5120, 40, 50257
    found = model()
    assert parameters(found) == layers * (12 * hidden**2 + 2 * hidden) + words * hidden + hidden


@quick
@given(heads=st.integers(1, 32), width=st.sampled_from([32, 64, 128]), layers=st.integers(1, 100))
def test_any_shape_is_built_as_its_columns_say(heads, width, layers):
    found = model(hidden=heads * width, heads=heads, layers=layers, ffn_hidden="")
    (run,) = found.runs
    core = run.layer.core
    assert (found.hidden, run.count) == (heads * width, layers)
    assert (core.kind, core.heads, core.kv_heads, core.qk_head_dim) == (CoreKind.SOFTMAX, heads, heads, width)
    assert core.cached_elements == 2 * heads * width
    assert matrices(found)[Role.MLP_IN].outputs == 4 * heads * width


@quick
@given(heads=st.sampled_from([8, 16, 32, 64]), group=st.sampled_from([1, 2, 4, 8]))
def test_grouped_heads_shrink_keys_and_values_alone(heads, group):
    found = model(hidden=heads * 64, heads=heads, kv_heads=heads // group)
    assert matrices(found)[Role.ATTENTION_IN].outputs == 64 * (heads + 2 * heads // group)
    assert matrices(found)[Role.ATTENTION_OUT].inputs == 64 * heads
    assert found.runs[0].layer.core.cached_elements == 2 * 64 * heads // group


def test_a_printed_width_of_heads_stands_over_the_hidden_state_s_share():
    found = model(head_dim=256)
    assert found.runs[0].layer.core.qk_head_dim == 256
    assert matrices(found)[Role.ATTENTION_OUT].inputs == 40 * 256


def test_a_gated_mlp_reads_twice_as_wide_and_writes_the_same():
    plain, gated = model(), model(gated_mlp=1)
    assert matrices(gated)[Role.MLP_IN].outputs == 2 * matrices(plain)[Role.MLP_IN].outputs
    assert matrices(gated)[Role.MLP_OUT] == matrices(plain)[Role.MLP_OUT]
    assert gated.runs[0].layer.gated
    assert not plain.runs[0].layer.gated


@pytest.mark.parametrize(("arch", "default"), [("gpt", "vocab_gpt"), ("llama", "vocab_other")])
def test_an_open_vocabulary_is_that_of_the_kind(arch, default):
    assert model(arch=arch, vocab="").vocabulary == READING.defaults[default]


def test_a_printed_vocabulary_stands():
    assert model(vocab=1000).vocabulary == 1000


@pytest.mark.parametrize(("arch", "tied"), [("gpt", True), ("llama", False), ("moe", False)])
def test_only_the_oldest_kind_ties_its_tables(arch, tied):
    assert model(arch=arch).tied_head is tied


@pytest.mark.parametrize("experts", ["", 1])
def test_one_expert_is_none(experts):
    roles = matrices(model(experts=experts, experts_per_token=experts))
    assert Role.MLP_IN in roles
    assert Role.EXPERT_IN not in roles
    assert Role.ROUTER not in roles


@quick
@given(experts=st.integers(2, 256), chosen=st.integers(1, 8))
def test_experts_are_copies_of_which_a_few_serve_a_token(experts, chosen):
    found = model(arch="moe", experts=experts, experts_per_token=chosen)
    roles = matrices(found)
    assert roles[Role.ROUTER].outputs == experts
    for role in (Role.EXPERT_IN, Role.EXPERT_OUT):
        assert (roles[role].copies, roles[role].active) == (experts, chosen)
    assert found.runs[0].layer.experts_per_token == chosen


@pytest.mark.parametrize("layers", [1, 12, 40, 96])
def test_layers_follow_from_the_parameters_that_are_printed(layers):
    billions = parameters(model(layers=layers)) / 1e9
    assert model(layers="", params_b=billions).runs[0].count == layers


@pytest.mark.parametrize("stages", [1, 2, 4, 8])
def test_layers_of_a_size_fill_whole_stages(stages):
    found = model(layers="", params_b=13, pp=stages)
    assert found.runs[0].count % stages == 0
    assert found.runs[0].count == pytest.approx(40, abs=stages)


@pytest.mark.parametrize(("name", "billions"), [("GPT-13B", 13.0), ("some-12.8b", 12.8), ("x-6.7B", 6.7)])
def test_a_size_in_the_name_is_read_where_nothing_else_is(name, billions):
    """Layers to the nearest: what the table of words leaves, over the 12 h^2 of a layer."""
    hidden, words = 5120, 50257
    layers = round((billions * 1e9 - words * hidden) / (12 * hidden**2))
    assert model(layers="", params_b="", model_name=name).runs[0].count == layers


@pytest.mark.parametrize("name", ["GPT", "x-13", "x-thirteenB", "B", "", "-B"])
def test_without_a_size_there_is_no_model(name):
    assert model(layers="", params_b="", model_name=name) is None


@pytest.mark.parametrize("arch", ["moe-mla", "hybrid/other"])
def test_shapes_that_columns_cannot_tell_go_by_name(arch):
    found = read_run_model(record(arch=arch, model_name="DeepSeekV3"), READING)
    assert found is not None
    assert any(run.layer.core.kind is CoreKind.LATENT for run in found.runs)


@pytest.mark.parametrize("arch", ["moe-mla", "hybrid/other"])
def test_an_unknown_name_of_such_a_shape_is_no_model(arch):
    assert read_run_model(record(arch=arch, model_name="nobody knows"), READING) is None


@pytest.mark.parametrize("column", ["hidden", "heads"])
def test_without_a_shape_the_name_tells(column):
    assert read_run_model(record(**{column: "", "model_name": "nobody knows"}), READING) is None
    assert read_run_model(record(**{column: "", "model_name": "DeepSeekV3"}), READING) is not None


def test_a_shape_in_columns_stands_over_the_name():
    found = read_run_model(record(model_name="DeepSeekV3"), READING)
    assert found.hidden == 5120


def test_notes_leave_out_the_layers_that_predict_further_tokens():
    whole = read_run_model(record(arch="moe-mla", model_name="DeepSeekV3"), READING)
    without = read_run_model(record(arch="moe-mla", model_name="DeepSeekV3", notes="trained w/o MTP"), READING)
    assert whole.draft_runs
    assert not without.draft_runs
    assert without.runs == whole.runs


def test_more_heads_than_elements_are_noted_as_a_fault():
    read = record(hidden=8)
    model_of_columns(read, READING)
    assert [fault.place for fault in read.faults] == ["runs.csv:2: heads"]


def test_building_a_model_of_right_cells_notes_nothing():
    read = record()
    model_of_columns(read, READING)
    assert not read.faults
