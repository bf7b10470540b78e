"""Parameters over ranks add up to the model, whichever way it is split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import setup_of, small_model

from suanli.domain.layout import Layout
from suanli.domain.tuning import Freezing, LowRank
from suanli.domain.workload import TuningMethod
from suanli.estimate.operators import heads_of, layer_count
from suanli.estimate.shards import (
    embedding_parameters,
    layer_parameters,
    mean_layer,
    on_rank,
    stage_parameters,
)
from suanli.estimate.tables import to_table
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import named_model
from suanli.parts.axes.expert import expert_copies

MODELS = ["LLaMA2-7B", "Qwen/Qwen3-30B-A3B", "GPT-3-175B", "meta-llama/Llama-3.2-1B", "GPT OSS 120B"]


@pytest.mark.parametrize("name", MODELS)
def test_one_rank_holds_the_whole_model(name):
    model = named_model(name)
    held = stage_parameters(setup_of(model), to_table([Layout()]))
    whole = held.first.dense[0] + held.first.expert[0]
    assert whole == pytest.approx(parameters(model), rel=1e-9)
    assert held.last.dense[0] == held.first.dense[0]


@settings(max_examples=50, deadline=None)
@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    expert=st.sampled_from([1, 2, 4, 8]),
    data=st.sampled_from([1, 2, 8]),
    context=st.sampled_from([1, 2]),
)
def test_ranks_of_a_stage_hold_each_parameter_as_often_as_it_is_copied(tensor, expert, data, context):
    if (data * context * tensor) % expert:
        return
    model = small_model(experts=8, active=2)
    table = to_table([Layout(data=data, tensor=tensor, context=context, expert=expert)])
    layer, held = mean_layer(model), on_rank(mean_layer(model), table)
    ranks = data * context * tensor
    dense = layer.split * data * context + layer.whole * ranks
    assert held.dense[0] * ranks == pytest.approx(dense)
    assert held.expert[0] * ranks == pytest.approx(layer.expert * expert_copies(table)[0])


@given(stages=st.sampled_from([1, 2, 4, 8]))
def test_stages_hold_every_layer_once(stages):
    model = small_model(layers=8)
    held = stage_parameters(setup_of(model), to_table([Layout(pipeline=stages)]))
    inside = held.first.dense[0] - held.first_tables[0]
    assert inside * stages == pytest.approx(8 * (12 * 1024**2 + 2 * 1024))


def test_tied_tables_stand_on_both_ends_of_a_pipeline():
    model = small_model()
    alone, ends = (stage_parameters(setup_of(model), to_table([Layout(pipeline=stages)])) for stages in (1, 2))
    assert alone.first_tables[0] == model.embedding_parameters + model.final_vector_parameters
    assert ends.first_tables[0] == model.embedding_parameters
    assert ends.last_tables[0] == model.embedding_parameters + model.final_vector_parameters


def test_a_layer_is_counted_by_how_it_splits():
    split, expert, whole = layer_parameters(small_model(experts=4, active=1).runs[0].layer, 1024)
    assert split == 4 * 1024**2
    assert expert == 4 * 8 * 1024**2
    assert whole == 2 * 1024


def trains(**fields):
    """Parameters that a layout of one rank trains, tables and head included, and those that it holds."""
    held = stage_parameters(setup_of(named_model("LLaMA2-7B"), **fields), to_table([Layout()]))
    return [float(np.ravel(one.dense + one.expert)[0]) for one in (held.trained_last, held.last)]


def test_a_full_run_trains_everything_and_adapters_little():
    trained, held = trains()
    assert trained == held
    low, _ = trains(tuning=TuningMethod.LORA, adapters=LowRank(rank=8))
    assert low == 32 * 8 * (4 * 2 * 4096 + 3 * (4096 + 11008))


def test_frozen_layers_and_tables_do_not_train():
    layer = 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    everything, _ = trains()
    assert everything - trains(freezing=Freezing(layers=10))[0] == 10 * layer
    assert everything - trains(freezing=Freezing(embeddings=True))[0] == 32000 * 4096
    assert trains(freezing=Freezing(all_but_head=True))[0] == 32000 * 4096


def test_layers_for_multi_token_prediction_are_trained():
    model = named_model("DeepSeekV3")
    assert layer_count(model) == 62
    assert heads_of(model) == 2


def test_untied_tables_are_counted_twice():
    model = named_model("LLaMA2-7B")
    held = stage_parameters(setup_of(model), to_table([Layout()]))
    assert held.first_tables[0] == pytest.approx(2 * embedding_parameters(model) + model.hidden)
