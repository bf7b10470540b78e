"""The search: equal to trying every layout, bounded in memory, and honest about what it rejected and chose."""

import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, question_of, setup_of, small_model

from suanli.domain.workload import Attention
from suanli.equations.uncertainty import shrunk_seconds, tie_factor
from suanli.estimate import search as search_module
from suanli.estimate.evaluate import evaluate
from suanli.estimate.search import Space, fits_somewhere, legal_rows, search, search_told, sequence_that_fits, sweep
from suanli.estimate.space import NOT_TRIED, Freedom, broken_rule, degrees_ruled_out, layout_chunks, layouts
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import CHUNK_ROWS, COLUMNS, layout_at
from suanli.foundation.errors import InfeasibleError

WIDE = small_model(layers=24, hidden=4096, heads=32)
JOBS = (
    (setup_of(), 1), (setup_of(batch=48), 2), (setup_of(WIDE, batch=32), 2),
    (setup_of(small_model(experts=8, active=2), batch=24), 2), (setup_of(attention=Attention.UNFUSED), 1),
    (setup_of(small_model(layers=80, hidden=8192, heads=64), batch=64, sequence=4096), 8),
)  # fmt: skip


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(("setup", "nodes"), JOBS)
def test_a_search_is_trying_every_legal_layout(setup, nodes, every):
    """All at once in one table, sorted in one go: the same layouts, seconds and bytes in the same order."""
    question = question_of(setup, nodes, margin=0.05)
    table = layouts(setup, question.machine, every)
    found = evaluate(question, table)
    seconds = np.where(found.fits, found.step.step_seconds, np.inf)
    best = [row for row in np.argsort(seconds, kind="stable")[:20] if seconds[row] < np.inf]
    told = search(setup, cluster_of(nodes), KERNELS, every=every)
    assert [one.layout for one in told] == [layout_at(table, row) for row in best]
    assert [one.step_seconds for one in told] == [float(seconds[row]) for row in best]
    assert [one.memory_bytes for one in told] == [float(found.memory.memory_bytes[row]) for row in best]


@pytest.mark.parametrize("rows", [7, 64, 1000])
def test_the_size_of_chunks_moves_nothing(monkeypatch, rows):
    setup, cluster = setup_of(batch=48), cluster_of(2)
    whole = search_told(setup, cluster, KERNELS, keep=9, every=True)
    monkeypatch.setattr("suanli.estimate.space.CHUNK_ROWS", rows)
    cut = search_told(setup, cluster, KERNELS, keep=9, every=True)
    for one, other in zip(whole.estimates, cut.estimates, strict=True):
        assert (one.layout, one.step_seconds, one.near_tie) == (other.layout, other.step_seconds, other.near_tie)
        assert one.expected_step_seconds == pytest.approx(other.expected_step_seconds, rel=1e-12)
    assert (whole.looked_at, whole.fitting, whole.rejected) == (cut.looked_at, cut.fitting, cut.rejected)


@pytest.mark.parametrize("every", [False, True])
def test_chunks_are_bounded_and_count_every_layout_once(every):
    setup = setup_of(WIDE, batch=1024)
    machine = open_machine(cluster_of(32), KERNELS)
    seen = list(layout_chunks(setup, machine, every))
    assert all(len(one.table) <= one.looked_at <= CHUNK_ROWS for one in seen)
    assert all(one.looked_at == len(one.table) + sum(one.broken.values()) for one in seen)
    rows = np.concatenate([np.column_stack([getattr(one.table, name) for name in COLUMNS]) for one in seen])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_memory_stays_where_a_space_grows():
    """Peak of a space some ten times as large, by Python's own count: as large, since both hold single chunks."""
    peaks, counts = [], []
    for nodes, batch in ((32, 512), (1536, 3072)):
        question = question_of(setup_of(small_model(layers=96, hidden=12288, heads=96), batch=batch), nodes)
        tracemalloc.start()
        done = sweep(question, layout_chunks(question.setup, question.machine, True, Freedom()), keep=5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        counts.append(legal_rows(done))
    assert counts[1] > 5 * counts[0]
    assert peaks[1] < 1.3 * peaks[0]


# ------------------------------------------------------------------------------------------------------------ rejected


@pytest.mark.parametrize("every", [False, True])
def test_every_layout_looked_at_fits_or_has_one_reason(every):
    told = search_told(setup_of(WIDE, batch=32), cluster_of(2), KERNELS, every=every)
    assert told.looked_at == told.fitting + sum(told.rejected.by_limit.values())
    assert 0 not in told.rejected.by_limit.values()


def test_the_nearest_to_fitting_is_the_least_of_those_that_do_not():
    question = question_of(JOBS[-1][0], JOBS[-1][1], margin=0.05)
    found = evaluate(question, layouts(question.setup, question.machine))
    told = search_told(*JOBS[-1][:1], cluster_of(JOBS[-1][1]), KERNELS)
    over = np.where(found.fits, np.inf, found.memory.memory_bytes)
    assert told.rejected.by_limit["memory"] == np.count_nonzero(~found.fits)
    assert told.rejected.nearest == layout_at(found.table, int(np.argmin(over)))
    assert told.rejected.nearest_short_bytes == over.min() - question.capacity_bytes > 0


def test_layouts_that_break_no_rule_are_not_counted_as_breaking_one():
    setup, machine = setup_of(batch=48), open_machine(cluster_of(2), KERNELS)
    for chunk in layout_chunks(setup, machine, every=True):
        assert set(broken_rule(job_of(setup, machine), chunk.table)) <= {""}


@pytest.mark.parametrize(("batch", "heads", "sequence"), [(8, 4, 2048), (12, 6, 512), (6, 8, 300)])
def test_degrees_are_ruled_out_by_the_rule_that_they_break(batch, heads, sequence):
    """Every set of divisors whose product divides the accelerators: tried one by one."""
    setup = setup_of(small_model(layers=6, heads=heads, hidden=128 * heads), batch=batch, sequence=sequence)
    accelerators, broken = 16, dict.fromkeys(("tensor", "pipeline", "context", "data"), 0)
    for tensor in (1, 2, 4, 8, 16):
        for stages in (1, 2, 4, 8, 16):
            for parts in (1, 2, 4, 8, 16):
                used = tensor * stages * parts
                if accelerators % used:
                    continue
                splits = parts == 1 or (sequence % (2 * parts) == 0 and sequence // parts >= 256)
                rules = {"tensor": heads % tensor == 0, "pipeline": stages <= 6, "context": splits,
                         "data": batch % (accelerators // used) == 0}  # fmt: skip
                first = next((name for name, kept in rules.items() if not kept), None)
                if first:
                    broken[first] += 1
    machine = open_machine(cluster_of(2), KERNELS)
    told = degrees_ruled_out(setup, machine, every=True)
    assert told == {name: count for name, count in broken.items() if count}
    plain = degrees_ruled_out(setup, machine)
    assert {name: count for name, count in plain.items() if name != NOT_TRIED} == told


def test_relief_is_tried_before_it_is_promised():
    setup = setup_of(small_model(layers=40, hidden=5120, heads=40), sequence=2**17, batch=8)
    with pytest.raises(InfeasibleError) as caught:
        search_told(setup, cluster_of(1, "dgx-a100-320"), KERNELS)
    sequence = int(caught.value.relief.split("Sequences of ")[1].split(" tokens")[0])
    shorter = dataclasses.replace(setup, sequence_tokens=sequence)
    assert search(shorter, cluster_of(1, "dgx-a100-320"), KERNELS, keep=1)
    longer = dataclasses.replace(setup, sequence_tokens=2 * sequence)
    assert not fits_somewhere(question_of(longer, 1, "dgx-a100-320", margin=0.05), Space())
    assert sequence_that_fits(question_of(setup, 1, "dgx-a100-320", margin=0.05), Space()) == sequence


# ------------------------------------------------------------------------------------------------------ what was chosen


def test_the_best_of_many_is_expected_to_take_longer_than_it_says():
    told = search(setup_of(batch=48), cluster_of(2), KERNELS, every=True)
    assert all(one.expected_step_seconds > one.step_seconds for one in told)
    order = [one.expected_step_seconds for one in told]
    assert order == sorted(order), "shrinking changes no order"


def test_what_was_not_chosen_is_not_shrunk():
    assert shrunk_seconds(3.0, 3.0, 0.0, 0.1) == pytest.approx(3.0)
    assert shrunk_seconds(3.0, 5.0, 0.4, 0.0) == pytest.approx(3.0)


def test_shrinking_is_what_a_draw_of_true_and_seen_seconds_gives():
    """Normal truths, normal errors: the mean of the truths behind those seen near a value is what the formula says."""
    random = np.random.default_rng(7)
    truth = random.normal(1.0, 0.3, 2_000_000)
    seen = truth + random.normal(0.0, 0.1, truth.size)
    near = np.abs(seen - 0.3) < 0.01
    expected = shrunk_seconds(math.exp(0.3), math.exp(1.0), math.hypot(0.3, 0.1), 0.1)
    assert truth[near].mean() == pytest.approx(math.log(expected), abs=0.005)


def test_a_tie_is_one_chance_in_five():
    """Two layouts whose estimates lie as far apart as the factor says: the slower is the faster in one draw of five."""
    random = np.random.default_rng(7)
    apart = math.log(tie_factor(0.08, CALIBRATION.tie_sigmas))
    faster = apart < random.normal(0, 0.08, 1_000_000)
    assert faster.mean() == pytest.approx(0.2, abs=0.002)


def test_errors_of_near_layouts_are_mostly_shared():
    """The difference of two near layouts spreads by less than two independent errors of the layouts' own would."""
    assert 0 < CALIBRATION.tie_spread < math.sqrt(2) * CALIBRATION.layout_spread


def test_ties_are_those_within_the_factor_of_the_best():
    told = search(setup_of(batch=48), cluster_of(2), KERNELS, keep=200)
    within = told[0].step_seconds * tie_factor(CALIBRATION.tie_spread, CALIBRATION.tie_sigmas)
    assert [one.near_tie for one in told[1:]] == [one.step_seconds <= within for one in told[1:]]


def test_ties_come_before_all_others_and_the_best_is_none_of_them():
    told = search(setup_of(batch=48), cluster_of(2), KERNELS, keep=200)
    ties = [one.near_tie for one in told]
    assert not ties[0]
    assert ties[1:] == sorted(ties[1:], reverse=True)
    assert any(ties)
    assert not all(ties[1:])


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.lists(st.floats(0.1, 10), min_size=1, max_size=20), min_size=1, max_size=6))
def test_a_field_is_the_same_however_it_is_cut(parts):
    whole = np.concatenate([np.asarray(part) for part in parts])
    field = search_module.Field()
    for part in parts:
        field = search_module.joined_field(field, np.asarray(part))
    assert field.layouts == len(whole)
    assert field.mean_log == pytest.approx(np.log(whole).mean(), abs=1e-9)
    assert field.sigma_log == pytest.approx(np.log(whole).std(ddof=1) if len(whole) > 1 else 0.0, abs=1e-6)
