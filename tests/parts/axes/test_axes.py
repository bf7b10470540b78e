"""Every axis keeps the rules that make it an axis: degree 1 is neutral, transfers come from splitting only."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS, cluster_of, setup_of, small_model

from suanli.domain.layout import Layout, Sharding
from suanli.domain.model import Role
from suanli.estimate.operators import AXIS_MODULES
from suanli.estimate.space import broken_rule, layouts, legal_rows
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import COLUMNS, distinct, join, layout_at, take, to_row, to_table
from suanli.parts.axes.axis import AXES, divisors, placed_together
from suanli.parts.axes.data import replicas
from suanli.parts.axes.expert import expert_copies, expert_tensor
from suanli.parts.axes.pipeline import hop
from suanli.parts.axes.sharding import FULL, OPTIMIZER, Parameters, gradients, shards, weights
from suanli.parts.axes.tensor import joins

NAMES = sorted(AXES)


def job(setup=None, nodes=2):
    return job_of(setup or setup_of(), open_machine(cluster_of(nodes), KERNELS))


def table(*made):
    return to_table(made or [Layout()])


@pytest.mark.parametrize("name", NAMES)
def test_an_axis_says_its_rule(name):
    assert AXES[name].name == name
    assert AXES[name].rule


@pytest.mark.parametrize("name", NAMES)
def test_degrees_ascend_and_begin_with_the_neutral_one(name):
    degrees = AXES[name].degrees(job())
    assert list(degrees) == sorted(degrees)
    assert degrees[0] in (0, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backward", [False, True])
def test_degree_one_sends_nothing(name, backward):
    layer = small_model(experts=8, active=2).runs[0].layer
    for transfer in AXES[name].transfers(job(setup_of(small_model(experts=8, active=2))), layer, table(), backward):
        assert np.all(np.asarray(transfer.count) == 0) or np.all(np.asarray(transfer.ranks) == 1)


def test_degree_one_is_legal_on_one_accelerator():
    machine = open_machine(cluster_of(1), KERNELS, 1)
    assert legal_rows(job_of(setup_of(), machine), table()).all()


def test_every_axis_is_in_the_register():
    assert {module.__name__.rsplit(".", 1)[-1] for module in AXIS_MODULES} == set(AXES)


def test_tensor_ranks_join_twice_a_layer_and_once_in_a_parallel_block():
    layer = small_model().runs[0].layer
    assert joins(layer, 1024, 0.0) == 2
    from dataclasses import replace

    assert joins(replace(layer, parallel=True), 1024, 0.0) == 1


def test_sequence_parallelism_changes_the_operation_not_the_bytes():
    layer = small_model().runs[0].layer
    plain, split = (
        [one for one in AXES["tensor"].transfers(job(), layer, table(Layout(tensor=8, sequence_parallel=flag)), False)
         if one.count[0] > 0]
        for flag in (False, True)
    )  # fmt: skip
    assert [one.op for one in plain] == ["all_reduce"]
    assert [one.op for one in split] == ["all_gather", "reduce_scatter"]
    assert plain[0].message_bytes[0] == split[0].message_bytes[0]


def test_tensor_groups_may_leave_the_node_and_pay_for_it():
    layer = small_model().runs[0].layer
    transfer = AXES["tensor"].transfers(job(), layer, table(Layout(tensor=16)), False)[1]
    assert transfer.ranks[0] == 16
    assert transfer.ranks_per_node[0] == 8


def test_whole_experts_are_not_split_once_they_are_spread():
    spread = table(Layout(data=2, tensor=8, expert=8), Layout(data=2, tensor=8))
    assert expert_tensor(spread).tolist() == [1, 8]
    assert expert_copies(spread).tolist() == [2, 2]


def test_expert_ranks_come_from_one_stage():
    setup = setup_of(small_model(experts=64, active=2))
    fits = AXES["expert"].legal(job(setup), table(Layout(data=16, expert=16), Layout(data=2, pipeline=8, expert=16)))
    assert fits.tolist() == [True, False]


def test_tokens_go_out_and_come_back():
    setup = setup_of(small_model(experts=64, active=2))
    layer = setup.model.runs[0].layer
    (transfer,) = AXES["expert"].transfers(job(setup), layer, table(Layout(data=16, expert=16)), False)
    assert transfer.op == "all_to_all"
    assert transfer.count[0] == 2
    both_here, whole = 1 / 16, 2048 * 1024 * 2
    assert transfer.message_bytes[0] == pytest.approx(whole * (2 - both_here))


def test_a_node_takes_a_token_once_for_all_of_its_experts():
    """Two experts on sixteen ranks of two nodes: half of the pairs share a node, so 1.5 copies count there of 31/16."""
    setup = setup_of(small_model(experts=64, active=2))
    layer, wide, near = setup.model.runs[0].layer, Layout(data=16, expert=16), Layout(data=16, expert=8)
    (transfer,) = AXES["expert"].transfers(job(setup), layer, table(wide, near), False)
    assert transfer.across_share == pytest.approx([1.5 / (31 / 16), 1 / (15 / 8)])


def test_latents_travel_to_experts_that_work_in_them():
    """What is sent is what the experts read, however wide the hidden state is."""
    model = small_model(experts=64, active=2)
    layer = model.runs[0].layer
    narrow = replace(
        layer, matrices=tuple(replace(one, inputs=256) if one.role is Role.EXPERT_IN else one for one in layer.matrices)
    )
    plain, latent = (
        AXES["expert"].transfers(job(setup_of(model)), one, table(Layout(data=16, expert=16)), False)[0]
        for one in (layer, narrow)
    )
    assert latent.message_bytes[0] == plain.message_bytes[0] / 4


def test_a_ring_hands_round_keys_and_values_and_their_gradients():
    layer = small_model().runs[0].layer
    ways = [AXES["context"].transfers(job(), layer, table(Layout(data=4, context=4)), way)[0] for way in (False, True)]
    assert ways[0].message_bytes[0] == 2048 * 2 * 1024 * 2
    assert ways[1].count[0] == 2 * ways[0].count[0]


def test_a_stage_hands_on_one_message_for_each_chunk_and_way():
    one = hop(job(), table(Layout(data=4, pipeline=4, interleave=2), Layout(data=16)))
    assert one.count.tolist() == [4, 0]
    assert one.message_bytes[0] == 2048 * 1024 * 2


def test_interleaving_wants_whole_rounds_of_micro_batches():
    fits = AXES["pipeline"].legal(
        job(setup_of(batch=48)), table(Layout(data=2, pipeline=8, interleave=1, micro_batch=2),
                                       Layout(data=4, pipeline=4, interleave=2, micro_batch=2))
    )  # fmt: skip
    assert fits.tolist() == [True, False]


def test_shards_of_a_stage_hold_from_their_stage_on():
    stages = table(*(Layout(data=8, sharding=stage) for stage in Sharding))
    assert shards(stages, OPTIMIZER, replicas(stages)).tolist() == [1, 8, 8, 8]
    assert shards(stages, FULL, replicas(stages)).tolist() == [1, 1, 1, 8]


def test_gradients_are_reduced_once_whatever_the_stage():
    stages = table(*(Layout(data=16, sharding=stage) for stage in Sharding))
    sent = gradients(job(), stages, Parameters(dense=1e6, expert=0.0), 2.0)
    reduced = sum((one.count * (one.op == "all_reduce") for one in sent[:3:2]), start=np.zeros(4))
    scattered = sent[0].count
    assert (reduced + scattered).tolist() == [1, 1, 1, 1]


def test_small_sharding_groups_share_their_parts_with_the_others():
    stages = table(Layout(data=16, sharding_ranks=8))
    across = gradients(job(), stages, Parameters(dense=1e6, expert=0.0), 2.0)[-1]
    assert across.op == "all_reduce"
    assert across.ranks[0] == 2
    assert across.message_bytes[0] == 2e6 / 8
    assert across.count[0] == 1


def test_unsharded_weights_are_never_gathered():
    sent = weights(job(), table(Layout(data=16, sharding=Sharding.NONE)), Parameters(dense=1e6, expert=0.0), 2.0)
    assert all(one.count[0] == 0 for one in sent)


@given(ranks=st.integers(1, 64), inside=st.integers(1, 64), node=st.integers(1, 72))
def test_a_node_never_holds_more_of_a_group_than_the_group(ranks, inside, node):
    together = placed_together(float(ranks), float(inside), float(node))
    assert 1 <= together <= ranks


@given(st.integers(1, 5000))
def test_divisors_divide(number):
    found = divisors(number)
    assert found[0] == 1
    assert found[-1] == number
    assert all(number % one == 0 for one in found)


@settings(max_examples=40, deadline=None)
@given(
    nodes=st.sampled_from([1, 2, 4]),
    batch=st.sampled_from([32, 48, 64]),
    experts=st.sampled_from([0, 8]),
    every=st.booleans(),
)
def test_the_space_holds_legal_layouts_only_and_each_once(nodes, batch, experts, every):
    setup = setup_of(small_model(experts=experts, active=2), batch=batch)
    machine = open_machine(cluster_of(nodes), KERNELS)
    found = layouts(setup, machine, every)
    assert len(found) > 0
    assert legal_rows(job_of(setup, machine), found).all()
    used = found.data * found.tensor * found.pipeline * found.context
    assert (used == 8 * nodes).all()
    rows = np.column_stack([getattr(found, name) for name in COLUMNS])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_every_legal_layout_includes_those_worth_trying():
    machine = open_machine(cluster_of(2), KERNELS)
    worth, every = (layouts(setup_of(), machine, flag) for flag in (False, True))
    known = {to_row(layout_at(every, row)) for row in range(len(every))}
    assert all(to_row(layout_at(worth, row)) in known for row in range(0, len(worth), 7))
    assert len(every) > 2 * len(worth)


def test_a_broken_rule_is_named_first():
    rules = broken_rule(
        job(), table(Layout(data=16), Layout(data=16, micro_batch=3), Layout(data=1, tensor=16, expert=3))
    )
    assert rules == ["", "data", "expert"]


def test_layouts_survive_the_table():
    made = [
        Layout(data=4, tensor=2, pipeline=2, interleave=3, micro_batch=2, sharding=Sharding.FULL, sharding_ranks=2),
        Layout(data=8, sequence_parallel=False),
    ]
    assert [layout_at(to_table(made), row) for row in (0, 1)] == made


def test_distinct_rows_lead_back_to_every_row():
    made = to_table([Layout(data=data, tensor=tensor) for data in (1, 2, 4) for tensor in (1, 2)])
    few, back = distinct(made, ("tensor",))
    assert len(few) == 2
    assert (few.tensor[back] == made.tensor).all()


def test_joined_tables_keep_their_rows():
    made = to_table([Layout(data=2), Layout(data=4)])
    both = join([made, take(made, slice(0, 1))])
    assert both.data.tolist() == [2, 4, 2]
