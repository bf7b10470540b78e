"""The space of layouts: exactly those that keep every rule, nothing moved by names, order or more freedom."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS, cluster_of, question_of, setup_of, small_model, with_device

from suanli.domain.layout import Recompute, Sharding
from suanli.domain.workload import Attention
from suanli.estimate.evaluate import chunks, evaluate, weigh_memory, weigh_time
from suanli.estimate.search import search
from suanli.estimate.space import broken_rule, layouts, legal_rows
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import CHUNK_ROWS, COLUMNS, distinct, join, layout_at, take, to_row, to_table
from suanli.parts.axes.axis import divisors

quick = settings(max_examples=25, deadline=None)


def rows_of(table):
    """Return a table as a set of its rows."""
    return {tuple(row) for row in np.column_stack([getattr(table, name) for name in COLUMNS]).tolist()}


def space(setup=None, nodes=1, every=False, name="dgx-a100-640"):
    return layouts(setup or setup_of(), open_machine(cluster_of(nodes, name), KERNELS), every)


def degrees_by_hand(batch, heads, layers, sequence, accelerators):
    """Yield tensor, pipeline, context and data degrees, tried one after the other."""
    for tensor, stages, parts in itertools.product(divisors(accelerators), repeat=3):
        used = tensor * stages * parts
        splits = parts == 1 or (sequence % (2 * parts) == 0 and parts & (parts - 1) == 0 and sequence // parts >= 256)
        fits = accelerators % used == 0 and heads % tensor == 0 and stages <= layers
        if splits and fits and batch % (accelerators // used) == 0:
            yield tensor, stages, parts, accelerators // used


def chunks_by_hand(layers, stages, micro_batches):
    """List how many chunks a stage may have: even ones, in whole rounds of micro-batches."""
    if stages == 1 or layers % stages:
        return [1]
    return [one for one in divisors(layers // stages) if one == 1 or micro_batches % stages == 0]


def schedules_by_hand(layers, stages, work):
    """List every schedule of a pipeline and its chunks."""
    chunked = [(1, one) for one in chunks_by_hand(layers, stages, work)]
    if stages == 1:
        return chunked
    turned = [(4, 2)] if 2 * stages <= layers else []
    paired = [(5, 1)] if stages % 2 == 0 and work % 2 == 0 and work >= 2 * stages else []
    return [(0, 1), *chunked, (2, 1), (3, 1), *turned, *paired]


def by_hand(batch, heads, layers, sequence, accelerators):
    """Find every legal layout of a dense model by trying all products of whole numbers."""
    found = set()
    for tensor, stages, parts, data in degrees_by_hand(batch, heads, layers, sequence, accelerators):
        ranks = data * parts
        groups = [one for one in divisors(ranks) if one > 1] or [1]
        shared = [(0, ranks), *itertools.product((1, 2, 3), groups)] if ranks > 1 else [(0, 1)]
        for micro in divisors(batch // data):
            for schedule, chunk in schedules_by_hand(layers, stages, batch // data // micro):
                for (stage, group), level, parallel, away in itertools.product(
                    shared, (0, 2), (0, 1) if tensor > 1 else (1,), range(4)
                ):
                    row = (data, tensor, stages, parts, 1, chunk, micro, stage, group, level, parallel, schedule, away)
                    if level == 0 or schedule not in (2, 3, 4):
                        found.add(row)
    return found


@pytest.mark.parametrize(("batch", "heads", "layers", "sequence", "accelerators"), [
    (8, 4, 4, 2048, 8), (12, 6, 6, 1024, 8), (16, 16, 8, 4096, 8), (6, 8, 3, 512, 4), (1, 4, 4, 2048, 4),
    (7, 4, 5, 2048, 2),
])  # fmt: skip
def test_the_whole_space_is_what_trying_everything_finds(batch, heads, layers, sequence, accelerators):
    setup = setup_of(small_model(layers=layers, heads=heads, hidden=128 * heads), batch=batch, sequence=sequence)
    machine = open_machine(cluster_of(1), KERNELS, accelerators)
    assert rows_of(layouts(setup, machine, every=True)) == by_hand(batch, heads, layers, sequence, accelerators)


@settings(max_examples=10, deadline=None)
@given(nodes=st.sampled_from([1, 2, 4]), batch=st.sampled_from([8, 48, 64]), experts=st.sampled_from([0, 8, 60]),
       attention=st.sampled_from(list(Attention)))  # fmt: skip
def test_what_is_worth_trying_is_legal_and_part_of_the_whole(nodes, batch, experts, attention):
    model = small_model(experts=experts, active=min(experts, 2))
    setup = setup_of(model, batch=batch, attention=attention)
    machine = open_machine(cluster_of(nodes), KERNELS)
    worth, whole = (layouts(setup, machine, every) for every in (False, True))
    assert rows_of(worth) <= rows_of(whole)
    assert set(broken_rule(job_of(setup, machine), worth)) <= {""}
    assert len(rows_of(whole)) == len(whole)


@quick
@given(batch=st.sampled_from([8, 16, 24]), times=st.sampled_from([2, 3, 4]))
def test_a_batch_of_more_divisors_never_has_fewer_layouts(batch, times):
    assert len(space(setup_of(batch=batch * times), every=True)) >= len(space(setup_of(batch=batch), every=True))


def test_selective_recomputation_is_worth_trying_only_where_there_are_scores():
    fused, unfused = (space(setup_of(attention=attention)) for attention in (Attention.FLASH, Attention.UNFUSED))
    levels = list(Recompute)
    assert {levels[int(level)] for level in np.unique(fused.recompute)} == {Recompute.NONE, Recompute.FULL}
    assert {levels[int(level)] for level in np.unique(unfused.recompute)} == set(Recompute)


def test_one_accelerator_has_layouts_without_any_split():
    table = layouts(setup_of(), open_machine(cluster_of(1), KERNELS, 1))
    for name in ("data", "tensor", "pipeline", "context", "expert", "interleave", "sharding_ranks"):
        assert set(getattr(table, name)) == {1}
    assert set(table.sharding) == {0}
    assert sorted(set(table.micro_batch)) == list(divisors(64))


def test_names_and_notes_move_nothing():
    model = small_model(experts=8, active=2)
    named = dataclasses.replace(model, name="other", family="another", notes=("a note",), dtype="float16")
    plain, other = (space(setup_of(one), 2) for one in (model, named))
    assert all(np.array_equal(getattr(plain, name), getattr(other, name)) for name in COLUMNS)


def test_hardware_of_the_same_shape_has_the_same_space():
    """What is legal depends on counts of accelerators and heads, never on how fast they are."""
    names = ("dgx-a100-640", "dgx-h100", "dgx-a800-640")
    spaces = [rows_of(space(nodes=2, name=name)) for name in names]
    assert spaces[0] == spaces[1] == spaces[2]


def test_the_space_is_the_same_each_time_and_in_the_same_order():
    one, other = space(nodes=4), space(nodes=4)
    assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


# ------------------------------------------------------------------------------------------------------------ weighing


@quick
@given(turn=st.randoms(use_true_random=False), nodes=st.sampled_from([1, 2]))
def test_a_row_weighs_the_same_wherever_it_stands(turn, nodes):
    table, question = space(nodes=nodes, every=True), question_of(nodes=nodes)
    picked = [turn.randrange(len(table)) for _ in range(20)]
    together = evaluate(question, take(table, np.asarray(picked)))
    alone = evaluate(question, take(table, np.asarray(picked[::-1])))
    assert np.array_equal(together.step.step_seconds, alone.step.step_seconds[::-1])
    assert np.array_equal(together.memory.memory_bytes, alone.memory.memory_bytes[::-1])
    assert np.array_equal(together.fits, alone.fits[::-1])


def test_weighing_in_chunks_is_weighing_at_once():
    table = space(nodes=2, every=True)
    many = join([table] * (CHUNK_ROWS // len(table) + 2))
    assert len(many) > CHUNK_ROWS
    question = question_of(nodes=2)
    once, often = evaluate(question, table), evaluate(question, many)
    times = len(many) // len(table)
    assert np.array_equal(np.tile(once.step.step_seconds, times), often.step.step_seconds)
    assert np.array_equal(np.tile(once.memory.memory_bytes, times), often.memory.memory_bytes)


@given(rows=st.integers(0, 5 * CHUNK_ROWS))
def test_chunks_cover_every_row_once(rows):
    cut = list(chunks(rows))
    assert sum(one.stop - one.start for one in cut) == rows
    assert all(one.stop == other.start for one, other in itertools.pairwise(cut))
    assert all(0 < one.stop - one.start <= CHUNK_ROWS for one in cut)


def test_an_empty_table_weighs_nothing():
    empty, question = take(space(), slice(0, 0)), question_of()
    assert len(weigh_memory(question, empty).memory_bytes) == 0
    assert len(weigh_time(question, empty).step_seconds) == 0


@quick
@given(more=st.floats(1, 4))
def test_more_memory_never_fits_fewer_layouts_and_moves_no_time(more):
    table, cluster = space(nodes=2), cluster_of(2)
    setup = setup_of(small_model(layers=32, hidden=4096, heads=32))
    small = evaluate(question_of(setup, 2), table)
    roomy = with_device(cluster, memory_bytes=more)
    machine = open_machine(roomy, KERNELS)
    large = evaluate(dataclasses.replace(question_of(setup, 2), machine=machine,
                                         capacity_bytes=small.capacity_bytes * more), table)  # fmt: skip
    assert not np.any(small.fits & ~large.fits)
    assert np.array_equal(small.step.step_seconds, large.step.step_seconds)


def test_a_search_finds_the_least_of_the_whole_table():
    setup, cluster = setup_of(), cluster_of(2)
    best = search(setup, cluster, KERNELS, keep=3, every=True)
    question = question_of(setup, 2, margin=0.05)
    found = evaluate(question, layouts(setup, question.machine, every=True))
    least = np.sort(np.where(found.fits, found.step.step_seconds, np.inf))[:3]
    assert [one.step_seconds for one in best] == least.tolist()


def test_a_wider_search_is_never_worse():
    setup, cluster = setup_of(small_model(layers=24, hidden=4096, heads=32), batch=32), cluster_of(2)
    narrow, wide = (search(setup, cluster, KERNELS, keep=1, every=every)[0] for every in (False, True))
    assert wide.step_seconds <= narrow.step_seconds
    assert narrow.step_seconds <= 1.1 * wide.step_seconds, "what is worth trying holds nearly the best"


def test_keeping_more_answers_moves_none_of_the_first():
    few, many = (search(setup_of(), cluster_of(2), KERNELS, keep=keep) for keep in (3, 12))
    assert [one.layout for one in few] == [one.layout for one in many[:3]]


# -------------------------------------------------------------------------------------------------------------- tables


@quick
@given(rows=st.lists(st.integers(0, 10_000), min_size=1, max_size=30))
def test_layouts_go_to_a_table_and_back_unchanged(rows):
    table = space(nodes=2, every=True)
    made = [layout_at(table, row % len(table)) for row in rows]
    again = to_table(made)
    assert [layout_at(again, row) for row in range(len(made))] == made
    assert [tuple(column) for column in zip(*(getattr(again, name) for name in COLUMNS), strict=True)] == [
        to_row(one) for one in made
    ]


@quick
@given(names=st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=6, unique=True))
def test_distinct_rows_stand_for_all_rows_that_are_like_them(names):
    table = space(nodes=2, every=True)
    few, back = distinct(table, names)
    for name in names:
        assert np.array_equal(getattr(few, name)[back], getattr(table, name))
    seen = {tuple(row) for row in np.column_stack([getattr(table, name) for name in names]).tolist()}
    assert len(few) == len(seen)


def test_stages_of_sharding_are_where_the_names_say():
    table = space(nodes=2, every=True)
    known = {layout_at(table, row).sharding for row in range(0, len(table), 17)}
    assert known == set(Sharding)
    assert legal_rows(job_of(setup_of(), open_machine(cluster_of(2), KERNELS)), table).all()
