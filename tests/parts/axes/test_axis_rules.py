"""Axes by their rules: legality counted by hand, bytes conserved at any degree, order and names without weight."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS, cluster_of, setup_of, small_model

from suanli.domain.layout import Layout, Sharding
from suanli.domain.model import CoreKind
from suanli.equations.collective import traffic_share
from suanli.estimate.operators import AXIS_MODULES
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import COLUMNS, take, to_table
from suanli.parts.architectures.read import named_model
from suanli.parts.axes.axis import AXES, Job, divides, divisors, placed_together, tokens_at_once
from suanli.parts.axes.context import SHORTEST_PART
from suanli.parts.axes.data import replicas, replicas_together
from suanli.parts.axes.expert import expert_copies, expert_tensor
from suanli.parts.axes.pipeline import hop, hops, model_layers
from suanli.parts.axes.sharding import FULL, GRADIENTS, OPTIMIZER, Parameters, gradients, group, shards, weights
from suanli.parts.axes.tensor import joins, splits_columns

PASSES = {"all_reduce": 2.0, "all_gather": 1.0, "reduce_scatter": 1.0}
DEGREES = st.sampled_from([1, 2, 3, 4, 6, 8, 16])
assert AXIS_MODULES

layouts = st.builds(
    Layout,
    data=DEGREES, tensor=DEGREES, pipeline=DEGREES, context=st.sampled_from([1, 2, 3, 4]),
    expert=st.sampled_from([1, 2, 3, 8, 16]), interleave=st.sampled_from([1, 2, 3]),
    micro_batch=st.sampled_from([1, 2, 3, 4]), sharding=st.sampled_from(list(Sharding)),
)  # fmt: skip
quick = settings(max_examples=80, deadline=None)


def job(model=None, nodes=2, batch=64, sequence=2048):
    setup = setup_of(model or small_model(), batch=batch, sequence=sequence)
    return job_of(setup, open_machine(cluster_of(nodes), KERNELS))


def legal_by_hand(asked: Job, layout: Layout) -> dict[str, bool]:
    """Say the rule of every axis once more, in whole numbers and for one layout."""
    layers = sum(run.count for run in asked.model.runs)
    heads = [run.layer.core.heads for run in asked.model.runs]
    experts = [run.layer.experts for run in asked.model.runs if run.layer.experts > 1] or [1]
    ranks = layout.data * layout.context
    stage = ranks * layout.tensor
    whole_batches = asked.global_batch % (layout.data * layout.micro_batch) == 0
    rounds = (asked.global_batch / (layout.data * layout.micro_batch)) % layout.pipeline == 0
    return {
        "data": layout.accelerators == asked.accelerators and whole_batches,
        "tensor": all(count % layout.tensor == 0 for count in heads),
        "pipeline": layout.pipeline * layout.interleave <= layers
        and (layout.interleave == 1 or (layout.pipeline > 1 and rounds)),
        "context": layout.context == 1 or asked.sequence % (2 * layout.context) == 0,
        "expert": stage % layout.expert == 0 and all(count % layout.expert == 0 for count in experts),
        "sharding": ranks % min(layout.sharding_ranks or ranks, ranks) == 0,
    }


# ------------------------------------------------------------------------------------------------------------ legality


@quick
@given(
    many=st.lists(layouts, min_size=1, max_size=12),
    experts=st.sampled_from([0, 8, 48]),
    nodes=st.sampled_from([1, 2, 6]),
)
def test_a_table_s_legality_is_the_rule_counted_by_hand(many, experts, nodes):
    asked = job(small_model(layers=12, heads=24, hidden=1536, experts=experts, active=min(experts, 2)), nodes, batch=96)
    table = to_table(many)
    for name in AXES:
        by_hand = [legal_by_hand(asked, layout)[name] for layout in many]
        assert np.asarray(AXES[name].legal(asked, table)).tolist() == by_hand, name


@quick
@given(nodes=st.sampled_from([1, 2, 4, 6]), batch=st.sampled_from([1, 6, 64, 96]),
       sequence=st.sampled_from([512, 2048, 3000]), experts=st.sampled_from([0, 8, 60]))  # fmt: skip
def test_every_degree_worth_looking_at_is_legal_alone(nodes, batch, sequence, experts):
    asked = job(small_model(experts=experts, active=min(experts, 2)), nodes, batch, sequence)
    makes = {
        "data": lambda degree: Layout(data=degree),
        "tensor": lambda degree: Layout(tensor=degree),
        "pipeline": lambda degree: Layout(pipeline=degree),
        "context": lambda degree: Layout(context=degree),
        "expert": lambda degree: Layout(data=degree, expert=degree),
        "sharding": lambda degree: Layout(data=8, sharding=list(Sharding)[degree]),
    }
    for name, make in makes.items():
        if name == "data":
            continue
        table = to_table([make(degree) for degree in AXES[name].degrees(asked)])
        assert np.all(AXES[name].legal(asked, table)), name
    assert all(batch % degree == 0 and asked.accelerators % degree == 0 for degree in AXES["data"].degrees(asked))


def test_a_context_rank_keeps_a_part_worth_attending_to():
    asked = job(sequence=8192, nodes=16)
    degrees = AXES["context"].degrees(asked)
    assert degrees == (1, 2, 4, 8, 16, 32)
    assert all(asked.sequence // degree >= SHORTEST_PART for degree in degrees)


def test_an_odd_sequence_is_never_split():
    assert AXES["context"].degrees(job(sequence=2047)) == (1,)


def test_layers_of_different_heads_are_split_by_what_divides_all():
    small, wide = small_model(heads=12, hidden=1536), small_model(heads=16)
    mixed = dataclasses.replace(wide, runs=(*small.runs, *wide.runs))
    assert AXES["tensor"].degrees(job(mixed)) == (1, 2, 4)


def test_a_model_of_fewer_layers_than_accelerators_has_short_pipelines():
    assert max(AXES["pipeline"].degrees(job(small_model(layers=3)))) == 2
    assert model_layers(job(small_model(layers=3))) == 3


def test_chunks_split_the_layers_of_a_stage_evenly():
    asked, axis = job(small_model(layers=12)), AXES["pipeline"]
    assert axis.chunks(asked, 1) == (1,)
    assert axis.chunks(asked, 2) == (1, 2, 3, 6)
    assert axis.chunks(asked, 5) == (1,)


# --------------------------------------------------------------------------------------------------------- conservation


@quick
@given(data=DEGREES, tensor=DEGREES, context=DEGREES, expert=st.sampled_from([1, 2, 4, 8, 16]))
def test_ranks_of_a_stage_are_expert_groups_times_copies(data, tensor, context, expert):
    ranks = data * tensor * context
    if ranks % expert:
        return
    table = to_table([Layout(data=data, tensor=tensor, context=context, expert=expert)])
    assert float(expert_copies(table)[0] * expert * expert_tensor(table)[0]) == ranks


@quick
@given(tensor=st.sampled_from([1, 2, 4, 8]), context=st.sampled_from([1, 2, 4]), expert=st.sampled_from([2, 4, 8]))
def test_all_ranks_together_send_every_token_once_to_each_rank_of_its_experts(tensor, context, expert):
    """Tokens on the wire over a stage do not depend on how the stage is split; two experts on one rank are one copy."""
    model = small_model(experts=8, active=2)
    asked, layer = job(model, nodes=16), model.runs[0].layer
    table = to_table([Layout(data=8, tensor=tensor, context=context, expert=expert)])
    (sent,) = AXES["expert"].transfers(asked, layer, table, False)
    whole = float(sent.message_bytes[0]) * tensor * context
    ranks = [len(set(pair)) for pair in itertools.product(range(expert), repeat=2)]
    tokens = table.micro_batch[0] * asked.sequence * sum(ranks) / len(ranks)
    assert whole == pytest.approx(tokens * model.hidden * asked.activation_bytes)
    assert float(sent.count[0]) == 2


@quick
@given(tensor=st.sampled_from([1, 2, 4, 8, 16]), context=st.sampled_from([1, 2, 4, 8]), backward=st.booleans())
def test_tensor_ranks_join_the_same_activations_whatever_their_number(tensor, context, backward):
    asked = job(nodes=16)
    for parallel in (True, False):
        table = to_table([Layout(tensor=tensor, context=context, sequence_parallel=parallel)])
        sent = AXES["tensor"].transfers(asked, asked.model.runs[0].layer, table, backward)
        passed = sum(float(one.count[0]) * PASSES[one.op] for one in sent)
        assert passed == (4 if tensor > 1 else 0), "two joins of two passes each, by either name"
        assert all(float(one.message_bytes[0]) * context == 2048 * 1024 * 2 for one in sent)


@quick
@given(
    context=st.sampled_from([2, 4, 8]),
    tensor=st.sampled_from([1, 2, 4, 8, 16]),
    kv_heads=st.sampled_from([1, 2, 8, 16]),
)
def test_a_ring_carries_the_keys_and_values_of_the_heads_a_rank_holds(context, tensor, kv_heads):
    model = small_model()
    core = dataclasses.replace(model.runs[0].layer.core, kv_heads=kv_heads)
    layer = dataclasses.replace(model.runs[0].layer, core=core)
    (sent,) = AXES["context"].transfers(job(nodes=16), layer, to_table([Layout(context=context, tensor=tensor)]), False)
    held = max(kv_heads / tensor, 1)
    assert float(sent.message_bytes[0]) == 2048 * held * 2 * 64 * 2


def test_layers_without_attention_send_no_keys():
    layer = small_model().runs[0].layer
    for kind in (CoreKind.STATE_SPACE, CoreKind.LINEAR, CoreKind.CONVOLUTION, CoreKind.NONE):
        none = dataclasses.replace(layer, core=dataclasses.replace(layer.core, kind=kind))
        assert AXES["context"].transfers(job(), none, to_table([Layout(context=4)]), False) == ()


@quick
@given(data=st.sampled_from([2, 4, 8, 16]), stage=st.sampled_from(list(Sharding)), expert=st.sampled_from([1, 2, 8]))
def test_every_stage_of_sharding_sends_the_bytes_of_one_all_reduce(data, stage, expert):
    """Gradients out and weights back: a reduce-scatter and an all-gather carry what an all-reduce does."""
    asked = job(small_model(experts=8, active=2), nodes=16)
    table = to_table([Layout(data=data * 8, expert=expert, sharding=stage)])
    held = Parameters(dense=1e6, expert=4e6)
    traffic = 0.0
    for one in (*gradients(asked, table, held, 2.0), *weights(asked, table, held, 2.0)):
        share = traffic_share(one.ranks, PASSES[one.op])
        traffic += float(np.asarray(one.message_bytes * share * one.count).ravel()[0])
    copies = float(expert_copies(table)[0])
    expected = 2 * (1e6 * traffic_share(data * 8.0, 2.0) + 4e6 * traffic_share(copies, 2.0))
    assert traffic == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ranks", [2, 4, 8, 16, 32])
def test_small_groups_send_more_in_all_and_less_between_nodes(ranks):
    asked, held = job(nodes=8), Parameters(dense=1e9, expert=0.0)
    table = to_table([Layout(data=32, sharding_ranks=ranks), Layout(data=32)])
    inner, _, _, _, outer = gradients(asked, table, held, 2.0)
    assert float(inner.ranks[0]) == ranks
    assert float(outer.count[0]) == (ranks < 32)
    assert float(outer.message_bytes[0]) * ranks == 2e9
    assert float(outer.count[1]) == 0


@quick
@given(pipeline=st.sampled_from([1, 2, 4, 8]), tensor=st.sampled_from([1, 2, 4]), chunks=st.sampled_from([1, 2, 3]))
def test_tensor_ranks_hand_on_one_activation_between_them(pipeline, tensor, chunks):
    table = to_table([Layout(pipeline=pipeline, tensor=tensor, interleave=chunks)])
    one = hop(job(), table)
    assert float(one.message_bytes[0]) * tensor == 2048 * 1024 * 2
    assert float(hops(table)[0]) == (2 * chunks if pipeline > 1 else 0)
    assert float(one.ranks[0]) == min(pipeline, 2)


@quick
@given(ranks=st.sampled_from([1, 2, 4, 8, 64]), stage=st.sampled_from(list(Sharding)))
def test_shards_never_outnumber_the_ranks_that_share(ranks, stage):
    table = to_table([Layout(data=64, sharding=stage, sharding_ranks=ranks)])
    for kind in (OPTIMIZER, GRADIENTS, FULL):
        parts = float(shards(table, kind, group(table))[0])
        assert parts in (1.0, float(ranks))
    kept = [float(shards(table, kind, group(table))[0]) for kind in (OPTIMIZER, GRADIENTS, FULL)]
    assert kept == sorted(kept, reverse=True)


# ----------------------------------------------------------------------------------------------------------- invariance


@quick
@given(
    many=st.lists(layouts, min_size=2, max_size=10),
    turn=st.randoms(use_true_random=False),
    experts=st.sampled_from([0, 8]),
)
def test_the_order_of_layouts_moves_no_answer(many, turn, experts):
    model = small_model(experts=experts, active=min(experts, 2))
    asked, table = job(model, nodes=16), to_table(many)
    order = list(range(len(many)))
    turn.shuffle(order)
    turned = take(table, np.asarray(order))
    for name in AXES:
        assert np.array_equal(AXES[name].legal(asked, table)[order], AXES[name].legal(asked, turned)), name
        pairs = zip(
            AXES[name].transfers(asked, model.runs[0].layer, table, False),
            AXES[name].transfers(asked, model.runs[0].layer, turned, False),
            strict=True,
        )
        for plain, moved in pairs:
            whole = np.ones(len(many))
            for field in ("message_bytes", "ranks", "ranks_per_node", "count"):
                assert np.array_equal((getattr(plain, field) * whole)[order], getattr(moved, field) * whole)


@pytest.mark.parametrize("name", sorted(AXES))
def test_a_name_moves_no_degree(name):
    model = small_model(experts=8, active=2)
    named = dataclasses.replace(model, name="another", family="other", notes=("said otherwise",))
    assert AXES[name].degrees(job(model)) == AXES[name].degrees(job(named))


@pytest.mark.parametrize(("name", "backward"), list(itertools.product(sorted(AXES), [False, True])))
@pytest.mark.parametrize("of", ["LLaMA2-7B", "Qwen/Qwen3-30B-A3B", "DeepSeekV3"])
def test_no_axis_asks_for_less_than_nothing(name, backward, of):
    model = named_model(of)
    asked = job(model, nodes=16)
    table = to_table([
        Layout(data=16, tensor=8), Layout(data=8, context=2, tensor=8, expert=16), Layout(pipeline=8, data=16),
        Layout(context=8, tensor=16),
    ])  # fmt: skip
    for run in model.runs:
        for one in AXES[name].transfers(asked, run.layer, table, backward):
            assert np.all(np.asarray(one.message_bytes) >= 0)
            assert np.all(np.asarray(one.count) >= 0)
            assert np.all((np.asarray(one.ranks_per_node) >= 1) & (one.ranks_per_node <= np.asarray(one.ranks)))
            assert one.op in {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send"}
            assert one.cause == name


def test_a_wider_layer_never_sends_less():
    for name in ("tensor", "context", "expert"):
        sizes = []
        for hidden in (1024, 2048, 4096):
            model = small_model(hidden=hidden, experts=8, active=2)
            table = to_table([Layout(data=2, tensor=4, context=2, expert=2)])
            sent = AXES[name].transfers(job(model), model.runs[0].layer, table, False)
            sizes.append(sum(float(one.message_bytes[0] * one.count[0]) for one in sent))
        assert sizes == sorted(sizes), name
        assert sizes[-1] > sizes[0], name


# -------------------------------------------------------------------------------------------------------------- pieces


@given(part=st.integers(1, 100), whole=st.integers(1, 10_000))
def test_dividing_is_what_whole_numbers_do(part, whole):
    assert bool(divides(float(part), float(whole))) == (whole % part == 0)
    assert (part in divisors(whole)) == (whole % part == 0)


@given(ranks=st.integers(1, 64), node=st.integers(1, 72))
def test_neighbours_laid_out_first_leave_less_room(ranks, node):
    together = [float(placed_together(float(ranks), float(inside), float(node))) for inside in (1, 2, 4, 8)]
    assert together == sorted(together, reverse=True)
    assert together[0] == min(ranks, node)


@quick
@given(layout=layouts)
def test_a_rank_holds_its_part_of_the_micro_batch(layout):
    table = to_table([layout])
    assert float(tokens_at_once(job(), table)[0]) * layout.context == layout.micro_batch * 2048
    assert float(replicas(table)[0]) == layout.data * layout.context
    assert 1 <= float(replicas_together(job(), table)[0]) <= float(replicas(table)[0])


def test_every_dense_matrix_of_every_role_is_split_one_way():
    for of in ("LLaMA2-7B", "DeepSeekV3", "GPT-3-175B"):
        model = named_model(of)
        for run in model.runs:
            for matrix in run.layer.matrices:
                way = splits_columns(matrix.role, matrix.inputs, model.hidden)
                assert way in (True, False, None)
                if matrix.role.value in ("attention_in", "mlp_in", "shared_in"):
                    assert way is True
                if matrix.role.value in ("attention_out", "mlp_out", "shared_out"):
                    assert way is False


def test_a_layer_of_routed_experts_alone_joins_once_more_where_experts_are_split():
    layer = small_model(experts=8, active=2).runs[0].layer
    assert float(joins(layer, 1024, 0.0)) == 1
    assert float(joins(layer, 1024, 1.0)) == 2


def test_columns_of_a_table_are_those_of_a_layout():
    table = to_table([Layout()])
    assert all(len(getattr(table, name)) == 1 for name in COLUMNS)
    assert {field.name for field in dataclasses.fields(Layout)} == set(COLUMNS)
