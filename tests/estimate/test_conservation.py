"""What is split adds up again: parameters exactly, operations, bytes and seconds, whatever the layout."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of, small_model, weighed

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.model import CoreKind, Role
from suanli.estimate.compose import CAUSES
from suanli.estimate.memory import MEMORY_CAUSES
from suanli.estimate.operators import Bench, attended_keys, heads_of, layer_count, matrix_shape, runs_of
from suanli.estimate.shards import embedding_parameters, layer_parameters, mean_layer, on_rank, stage_parameters
from suanli.estimate.software import find_software
from suanli.estimate.space import layouts
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import layout_at, take, to_table
from suanli.estimate.training import FORWARD_AND_BACKWARD, training_flop
from suanli.parts.architectures.count import core_flop, draft_parameters, forward_flop, layer_flop, parameters
from suanli.parts.architectures.read import named_model

MODELS = {
    name: named_model(name)
    for name in ("LLaMA2-7B", "LLaMA2-70B", "GPT-3-175B", "Qwen/Qwen3-30B-A3B", "DeepSeekV3", "meta-llama/Llama-3.1-8B")
}
POWERS = st.sampled_from([1, 2, 4, 8])
names = st.sampled_from(sorted(MODELS))
quick = settings(max_examples=60, deadline=None)


def bench(model, layout, sequence=2048):
    setup = setup_of(model, sequence=sequence)
    machine = open_machine(cluster_of(16), KERNELS)
    return Bench(
        setup=setup, job=job_of(setup, machine), device=machine.device, fabric=machine.fabric, table=to_table([layout])
    )


def one(value):
    """Read the only row of a column."""
    return float(np.asarray(value).ravel()[0])


# ---------------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("name", sorted(MODELS))
def test_one_rank_holds_every_parameter_and_none_twice(name):
    model = MODELS[name]
    held = stage_parameters(setup_of(model), to_table([Layout()]))
    drafts = draft_parameters(model)
    assert round(one(held.first.dense) + one(held.first.expert)) == parameters(model) + drafts
    assert one(held.first.dense) == one(held.last.dense)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_parameter_of_a_layer_is_split_expert_or_whole(name):
    model = MODELS[name]
    counted = sum(run.count * sum(layer_parameters(run.layer, model.hidden)) for run in model.runs)
    outside = embedding_parameters(model) + model.final_vector_parameters
    head = 0 if model.tied_head else model.hidden * model.vocabulary + model.head_bias
    assert counted + outside + head == parameters(model)


@quick
@given(name=names, tensor=POWERS, data=POWERS, context=POWERS, expert=st.sampled_from([1, 2, 8, 16]))
def test_ranks_of_a_stage_hold_each_parameter_as_often_as_it_is_copied(name, tensor, data, context, expert):
    """Whole numbers: every share of these models is one, and sums of whole numbers below 2**53 are exact."""
    model, ranks = MODELS[name], data * tensor * context
    experts = [run.layer.experts for run in model.runs if run.layer.experts]
    if ranks % expert or any(count % expert for count in experts):
        return
    table = to_table([Layout(data=data, tensor=tensor, context=context, expert=expert)])
    for run in model.runs:
        alone = dataclasses.replace(model, runs=(dataclasses.replace(run, count=1),), draft_runs=())
        split, routed, whole = layer_parameters(run.layer, model.hidden)
        held = on_rank(mean_layer(alone), table)
        inside = tensor if expert == 1 else 1
        assert one(held.dense) * ranks == split * data * context + whole * ranks
        assert one(held.expert) * ranks == routed * ranks // (expert * inside)


@quick
@given(name=names, stages=st.sampled_from([2, 4, 8]), tensor=POWERS)
def test_stages_of_a_pipeline_hold_the_model_once(name, stages, tensor):
    model = MODELS[name]
    layers = layer_count(model)
    if layers % stages:
        return
    held = stage_parameters(setup_of(model), to_table([Layout(pipeline=stages, tensor=tensor)]))
    middle = layers / stages * one(held.layer.dense)
    dense = one(held.first.dense) + one(held.last.dense) + (stages - 2) * middle
    layer, head = mean_layer(model), model.hidden * model.vocabulary + model.head_bias
    expected = layers * (layer.split / tensor + layer.whole) + (embedding_parameters(model) + head) / tensor
    assert dense == pytest.approx(expected + model.final_vector_parameters, rel=1e-12)


# ---------------------------------------------------------------------------------------------------------- operations


@quick
@given(name=names, tensor=POWERS, context=st.sampled_from([1, 2, 4]), micro=st.sampled_from([1, 3]),
       expert=st.sampled_from([1, 2, 8]))  # fmt: skip
def test_products_on_all_ranks_are_the_products_of_the_layer(name, tensor, context, micro, expert):
    model = MODELS[name]
    made = bench(model, Layout(data=8, tensor=tensor, context=context, micro_batch=micro, expert=expert))
    for run in model.runs:
        told = 0.0
        for matrix in run.layer.matrices:
            rows, inner, columns, groups = matrix_shape(made, matrix)
            told += 2 * one(rows) * one(inner) * one(columns) * one(groups)
        pure = dataclasses.replace(run.layer, core=dataclasses.replace(run.layer.core, kind=CoreKind.NONE))
        assert told * tensor * context == pytest.approx(micro * layer_flop(pure, 2048), rel=1e-12)


@quick
@given(name=names, sequence=st.sampled_from([128, 2048, 8192]), window=st.sampled_from([None, 512]))
def test_attended_keys_are_the_pairs_under_the_mask(name, sequence, window):
    core = MODELS[name].runs[0].layer.core
    core = dataclasses.replace(core, window=window, selected=None, index_heads=0, stride=1)
    pairs = sequence * attended_keys(core, sequence, True)
    flop = 2 * pairs * core.heads * (core.qk_head_dim + core.v_head_dim)
    assert flop == pytest.approx(core_flop(core, sequence, True), rel=1e-12)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_step_s_arithmetic_is_three_forward_passes(name):
    setup = setup_of(MODELS[name], sequence=1024, batch=16)
    assert training_flop(setup) == FORWARD_AND_BACKWARD * forward_flop(MODELS[name], 1024, 16, causal=True)


@quick
@given(name=names, sequence=st.sampled_from([256, 1024]), batch=st.integers(1, 64))
def test_arithmetic_grows_with_the_batch_exactly(name, sequence, batch):
    one_sequence = training_flop(setup_of(MODELS[name], sequence=sequence, batch=1))
    assert training_flop(setup_of(MODELS[name], sequence=sequence, batch=batch)) == pytest.approx(batch * one_sequence)


@pytest.mark.parametrize("name", ["LLaMA2-7B", "LLaMA2-70B", "GPT-3-175B", "meta-llama/Llama-3.1-8B"])
def test_short_sequences_cost_six_operations_for_each_parameter_that_is_read(name):
    """Tables are looked up, not multiplied; the head is. At 64 tokens attention is lost beside them."""
    model = MODELS[name]
    read = parameters(model) - (0 if model.tied_head else model.embedding_parameters)
    assert training_flop(setup_of(model, sequence=64, batch=1)) == pytest.approx(6 * read * 64, rel=0.02)


def test_a_mixture_costs_what_its_chosen_experts_cost():
    """Eight experts of which two serve a token are the arithmetic of two, and a router."""
    mixture, pair = small_model(experts=8, active=2), small_model(experts=2, active=2)
    assert training_flop(setup_of(mixture)) == training_flop(setup_of(pair))


def test_layers_in_any_order_cost_the_same():
    model = MODELS["DeepSeekV3"]
    turned = dataclasses.replace(model, runs=tuple(reversed(model.runs)))
    layout = Layout(data=16, tensor=8, expert=16, sharding=Sharding.FULL)
    plain, other = (weighed(to_table([layout]), setup_of(one_of, batch=128), 16) for one_of in (model, turned))
    assert plain.step.step_seconds[0] == pytest.approx(other.step.step_seconds[0], rel=1e-12)
    assert plain.memory.memory_bytes[0] == pytest.approx(other.memory.memory_bytes[0], rel=1e-12)


def test_draft_layers_are_trained_like_any_other():
    model = MODELS["DeepSeekV3"]
    assert layer_count(model) == sum(run.count for run in runs_of(model))
    assert heads_of(model) == 1 + sum(run.count for run in model.draft_runs)


def test_a_layer_said_twice_is_two_layers():
    model = small_model(layers=8)
    halves = dataclasses.replace(model, runs=tuple(dataclasses.replace(run, count=4) for run in model.runs * 2))
    for layout in (Layout(data=16), Layout(data=4, pipeline=4)):
        plain, other = (weighed(to_table([layout]), setup_of(one_of), 2) for one_of in (model, halves))
        assert plain.step.step_seconds[0] == pytest.approx(other.step.step_seconds[0], rel=1e-12)
        assert plain.memory.memory_bytes[0] == pytest.approx(other.memory.memory_bytes[0], rel=1e-12)


# --------------------------------------------------------------------------------------------------------------- bytes


@quick
@given(data=st.sampled_from([2, 4, 8, 16]), stage=st.sampled_from(list(Sharding)))
def test_states_of_all_ranks_are_the_states_of_the_model(data, stage):
    """Optimizer and gradients over the replicas are held once from their stage on, and by every replica before it."""
    model, software = small_model(), find_software(CALIBRATION, "megatron_core")
    table = to_table([Layout(data=data, tensor=16 // data, sharding=stage)])
    found, held = weighed(table, setup_of(model), 2), stage_parameters(setup_of(model), table)
    kept = one(held.first.dense)
    copies = {"gradients": 1 if stage in (Sharding.GRADIENTS, Sharding.FULL) else data,
              "optimizer": data if stage is Sharding.NONE else 1}  # fmt: skip
    each = {"gradients": software.gradient_bytes, "optimizer": software.optimizer_bytes}
    for cause, copied in copies.items():
        assert found.memory.causes[cause][0] * data == pytest.approx(copied * kept * each[cause], rel=1e-12)


@quick
@given(row=st.integers(0, 10_000), experts=st.sampled_from([0, 8]))
def test_causes_of_any_layout_sum_to_the_whole(row, experts):
    setup = setup_of(small_model(experts=experts, active=min(experts, 2)))
    table = SPACES[experts]
    found = weighed(take(table, [row % len(table)]), setup, 2)
    assert sum(found.step.causes[cause][0] for cause in CAUSES) == pytest.approx(found.step.step_seconds[0], rel=1e-12)
    assert sum(found.memory.causes[cause][0] for cause in MEMORY_CAUSES) == pytest.approx(
        found.memory.memory_bytes[0], rel=1e-12
    )
    assert all(found.step.causes[cause][0] >= -1e-12 for cause in CAUSES)
    assert all(found.memory.causes[cause][0] >= 0 for cause in MEMORY_CAUSES)
    assert layout_at(table, row % len(table)).accelerators == 16


SPACES = {
    experts: layouts(
        setup_of(small_model(experts=experts, active=min(experts, 2))), open_machine(cluster_of(2), KERNELS), True
    )
    for experts in (0, 8)
}


def test_recomputing_all_keeps_the_input_of_each_layer_alone():
    found = weighed(to_table([Layout(data=16, recompute=level) for level in Recompute]), setup_of(), 2)
    inputs = 8 * 2048 * 1024 * 2
    assert found.memory.causes["activations"][2] < found.memory.causes["activations"][0]
    assert found.memory.causes["activations"][2] == inputs  # of the loss's moment; a layer is computed again after it


def test_every_role_of_the_models_is_known():
    roles = {matrix.role for model in MODELS.values() for run in runs_of(model) for matrix in run.layer.matrices}
    assert roles <= set(Role)
