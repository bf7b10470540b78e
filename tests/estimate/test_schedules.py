"""Schedules of a pipeline: their formulas against the played schedule, what stages hold, what hides, what is legal."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import KERNELS, cluster_of, setup_of, small_model, weighed
from tests.simulate.test_schedules import in_flight as played_in_flight

from suanli.domain.layout import SCHEDULES, Layout, Recompute, Schedule
from suanli.domain.tuning import LowRank
from suanli.equations.pipeline import (
    bubble_seconds,
    dualpipe_bubble_seconds,
    paired_exposed_seconds,
    slowest_stage_seconds,
    v_bubble_seconds,
    zero_bubble_seconds,
)
from suanli.estimate.memory import live_layers
from suanli.estimate.optimizers import load_choices
from suanli.estimate.schedules import Pipe, chunks_meet, copies_held, in_flight, shown_share
from suanli.estimate.search import search
from suanli.estimate.shards import stage_parameters
from suanli.estimate.space import Freedom, layouts, legal_rows
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.estimate.timeline import timeline
from suanli.estimate.training import estimate_layout
from suanli.parts.architectures.read import named_model
from suanli.simulate.schedules import program
from suanli.simulate.step import TurnSeconds, play

SPLIT = (Schedule.ZB_H1, Schedule.ZB_H2, Schedule.ZB_V, Schedule.DUALPIPE)
EVEN = small_model(layers=16, hidden=2048, vocabulary=2048)
seconds = st.floats(0.3, 2.0)
quick = settings(max_examples=60, deadline=None)


def idle(schedule, stages, work, forward, inputs, weights):
    """Return the idle time that the formula of a schedule gives for even stages."""
    rest = [(stages - 1) * one for one in (forward, inputs, weights)]
    if schedule in (Schedule.ZB_H1, Schedule.ZB_H2):
        later = 1.0 if schedule is Schedule.ZB_H1 else 2.0
        return zero_bubble_seconds(*rest[:2], forward, weights, stages, work, later)
    if schedule is Schedule.ZB_V:
        return v_bubble_seconds(*rest[:2], forward, weights, stages, work)
    if schedule is Schedule.DUALPIPE:
        own = forward + inputs + weights, forward + 2 * inputs - weights
        return dualpipe_bubble_seconds(forward, inputs, weights, *own, stages)
    whole = forward + inputs + weights
    return bubble_seconds(stages * whole, whole, 1.0)


def played(schedule, stages, work, forward, inputs, weights):
    """Return the idle time of a schedule of even stages, played turn by turn."""
    made = program(schedule, stages, 1, work)
    parts = made.length // stages
    each = [(one / parts,) * made.length for one in (forward, inputs, weights)]
    turns = TurnSeconds(forward_seconds=each[0], input_seconds=each[1], weight_seconds=each[2])
    return play(made, turns).step_seconds - work * (forward + inputs + weights)


# ------------------------------------------------------------------------------------------------------------ idle time


@quick
@given(schedule=st.sampled_from([Schedule.GPIPE, Schedule.ONE_F_ONE_B, Schedule.ZB_H1, Schedule.ZB_H2]),
       stages=st.integers(2, 9), work=st.integers(1, 24), inputs=seconds, weights=seconds)  # fmt: skip
def test_a_formula_is_what_the_played_schedule_idles(schedule, stages, work, inputs, weights):
    """Whatever the times are with two rounds of micro-batches; with fewer where phases come in their usual order."""
    assume(weights <= 1 <= inputs or work >= 2 * stages)
    told = idle(schedule, stages, work, 1.0, inputs, weights)
    assert told == pytest.approx(played(schedule, stages, work, 1.0, inputs, weights), abs=1e-9)


@quick
@given(stages=st.sampled_from([2, 4, 6, 8]), rounds=st.integers(2, 4), inputs=st.floats(1.0, 2.0),
       weights=st.floats(0.3, 1.0))  # fmt: skip
def test_paths_that_turn_or_meet_idle_as_their_formulas_say(stages, rounds, inputs, weights):
    for schedule in (Schedule.ZB_V, Schedule.DUALPIPE):
        told = idle(schedule, stages, rounds * stages, 1.0, inputs, weights)
        assert told == pytest.approx(played(schedule, stages, rounds * stages, 1.0, inputs, weights), abs=1e-9)


@quick
@given(stages=st.sampled_from([4, 6, 8]), work=st.integers(1, 15), weights=st.floats(0.3, 1.0))
def test_few_micro_batches_fill_less_of_a_path_that_turns(stages, work, weights):
    told = idle(Schedule.ZB_V, stages, work, 1.0, 1.0, weights)
    assert told == pytest.approx(played(Schedule.ZB_V, stages, work, 1.0, 1.0, weights), abs=0.02 * stages)


@quick
@given(schedule=st.sampled_from(SPLIT), stages=st.sampled_from([4, 6, 8]), inputs=st.floats(1.0, 1.5),
       weights=st.floats(0.6, 1.0), layers=st.floats(0.0, 1.5))  # fmt: skip
def test_a_heavy_last_stage_idles_within_a_hundredth_of_the_step(schedule, stages, inputs, weights, layers):
    """The head is worth so many times a stage; under dualpipe either end has half of the micro-batches at it."""
    work, phases = 4 * stages, (1.0, inputs, weights)
    made = program(schedule, stages, 1, work)
    parts = made.length // stages
    each = [[one / parts] * made.length for one in phases]
    for column, one in zip(each, phases, strict=True):
        column[-1] += layers * one
    turns = TurnSeconds(forward_seconds=each[0], input_seconds=each[1], weight_seconds=each[2])
    heavier = 1 + layers * (0.5 if schedule is Schedule.DUALPIPE else 1)
    own, step = [heavier * one for one in phases], play(made, turns).step_seconds
    rest = [(stages + layers - heavier) * one for one in phases]
    if schedule is Schedule.DUALPIPE:
        told = dualpipe_bubble_seconds(*phases, sum(own), own[0] + 2 * own[1] - own[2], stages)
    elif schedule is Schedule.ZB_V:
        told = v_bubble_seconds(*rest[:2], own[0], own[2], stages, work)
    else:
        told = zero_bubble_seconds(*rest[:2], own[0], own[2], stages, work, 1.0 + (schedule is Schedule.ZB_H2))
    assert work * sum(own) + told == pytest.approx(step, rel=0.03 if schedule is Schedule.ZB_V else 0.01)


def test_zero_bubbles_idle_a_third_and_nothing_where_phases_are_equal():
    plain = idle(Schedule.ONE_F_ONE_B, 8, 32, 1.0, 1.0, 1.0)
    assert plain == 3 * 7
    assert idle(Schedule.ZB_H1, 8, 32, 1.0, 1.0, 1.0) == plain / 3
    assert idle(Schedule.ZB_H2, 8, 32, 1.0, 1.0, 1.0) == idle(Schedule.ZB_V, 8, 32, 1.0, 1.0, 1.0) == 0


@pytest.mark.parametrize("stages", [4, 8, 16])
def test_dualpipe_idles_as_its_source_says(stages):
    """The source: (PP / 2 - 1)(F&B + B - 3 W), B the whole backward pass, F&B one forward and one backward together."""
    forward, inputs, weights = 1.0, 1.3, 0.9
    backward = inputs + weights
    assert idle(Schedule.DUALPIPE, stages, 64, forward, inputs, weights) == pytest.approx(
        (stages / 2 - 1) * (forward + backward + backward - 3 * weights)
    )


@pytest.mark.parametrize("schedule", SPLIT)
def test_one_stage_idles_under_no_schedule(schedule):
    assert idle(schedule, 1, 8, 1.0, 1.2, 0.8) == 0


@quick
@given(stages=st.sampled_from([2, 4, 8, 16]), inputs=st.floats(1.0, 1.5), weights=st.floats(0.5, 1.0))
def test_schedules_come_in_the_order_of_their_idle_time(stages, inputs, weights):
    """From most to least; DualPipe, which passes half the stages, is before or behind the second zero bubble."""
    turned, deep, shallow, plain = (
        idle(one, stages, 64, 1.0, inputs, weights)
        for one in (Schedule.ZB_V, Schedule.ZB_H2, Schedule.ZB_H1, Schedule.ONE_F_ONE_B)
    )
    assert turned <= deep + 1e-9
    assert deep <= shallow <= plain
    assert idle(Schedule.DUALPIPE, stages, 64, 1.0, inputs, weights) <= shallow + 1e-9


def test_frozen_weights_have_nothing_to_put_off():
    assert idle(Schedule.ZB_H1, 8, 32, 1.0, 1.0, 0.0) == idle(Schedule.ONE_F_ONE_B, 8, 32, 1.0, 1.0, 0.0)


# ------------------------------------------------------------------------------------------------------ whole estimates


def laid(schedule, **fields):
    """Make a layout of four stages under a schedule."""
    chunks = 2 if schedule is Schedule.ZB_V else 1
    plain = {"data": 4, "pipeline": 4, "interleave": chunks, "schedule": schedule, "recompute": Recompute.NONE}
    return Layout(**{**plain, **fields})


def estimated(schedule, model=EVEN, batch=128, **fields):
    return estimate_layout(setup_of(model, batch=batch), cluster_of(2), laid(schedule, **fields), KERNELS)


@pytest.mark.parametrize("schedule", list(Schedule))
def test_an_estimate_is_what_its_step_takes_turn_by_turn(schedule):
    setup, cluster = setup_of(EVEN, batch=128), cluster_of(2)
    found = estimate_layout(setup, cluster, laid(schedule), KERNELS)
    assert found.limit == ""
    assert timeline(setup, cluster, found, KERNELS).step_seconds == pytest.approx(found.step_seconds, rel=0.01)


@pytest.mark.parametrize("schedule", list(Schedule))
def test_a_schedule_moves_idle_time_and_hand_over_alone(schedule):
    """All else of a dense model is the same work, but for the tables' place and states that are held twice."""
    plain, other = (estimated(one).seconds_by_cause for one in (Schedule.ONE_F_ONE_B, schedule))
    moved = {"bubble", "pipeline_exposed", "stragglers", "head"}
    if schedule in (Schedule.ZB_V, Schedule.DUALPIPE):
        moved |= {"data_exposed", "optimizer"}
    for cause in plain.keys() - moved:
        assert other[cause] == pytest.approx(plain[cause], rel=1e-9), cause
    if schedule in SPLIT:
        assert other["bubble"] < 0.6 * plain["bubble"]


def test_gpipe_takes_as_long_as_1f1b():
    assert estimated(Schedule.GPIPE).step_seconds == estimated(Schedule.ONE_F_ONE_B).step_seconds


def test_under_dualpipe_a_chunk_hides_the_traffic_of_the_other():
    model = small_model(layers=16, hidden=2048, experts=8, active=2)
    plain, paired = (
        estimated(one, model, expert=4).seconds_by_cause for one in (Schedule.ONE_F_ONE_B, Schedule.DUALPIPE)
    )
    assert 0 < paired["expert_exposed"] < plain["expert_exposed"]
    assert paired["pipeline_exposed"] == 0 < plain["pipeline_exposed"]


def test_interleaved_chunks_meet_only_where_software_pairs_them():
    """One chunk, one stage and another schedule meet nothing; dualpipe always does."""
    pipe = Pipe(
        schedule=np.array([1.0, 1.0, 1.0, 0.0, 5.0]), pipeline=np.array([4.0, 4.0, 1.0, 4.0, 4.0]),
        interleave=np.array([2.0, 1.0, 2.0, 2.0, 1.0]), micro_batches=8.0,
    )  # fmt: skip
    assert chunks_meet(pipe, 1.0) == pytest.approx([1, 0, 0, 0, 1])
    assert chunks_meet(pipe, 0.0) == pytest.approx([0, 0, 0, 0, 1])


def test_hidden_traffic_takes_compute_units_and_what_nothing_hides_waits():
    """A fifth of the units away for a second of work: the work takes a quarter of a second more."""
    assert paired_exposed_seconds(1.0, 4.0, 0.2) == pytest.approx(0.25)
    assert paired_exposed_seconds(5.0, 4.0, 0.2) == pytest.approx(1 + 1.0)
    units = load_choices().traffic_units.value
    shown = shown_share(np.array([0.0, 1.0]), 0.9, np.array([2.0, 2.0]), np.array([10.0, 10.0]))
    assert shown == pytest.approx([0.9, units / (1 - units)])
    assert shown_share(np.array([1.0]), 0.01, np.array([2.0]), np.array([10.0])) == pytest.approx([0.01])


def test_the_head_costs_the_slowest_stage_half_where_both_ends_have_one():
    heavy = small_model(layers=16, hidden=2048, vocabulary=200_000)
    plain, turned, paired = (
        estimated(one, heavy).seconds_by_cause["head"]
        for one in (Schedule.ONE_F_ONE_B, Schedule.ZB_V, Schedule.DUALPIPE)
    )
    assert turned == pytest.approx(plain)
    assert paired == pytest.approx(plain / 2)
    assert slowest_stage_seconds(1.0, 4.0, 4.0, 0.0, 2.0) == 6


def test_dualpipe_explains_the_published_rate_of_deepseek_v3():
    """2,048 H800, 14.8e12 tokens in 2.664e6 hours of one, restarts included: arXiv 2412.19437, table 1."""
    published = 14.8e12 / (2.664e6 * 3600)
    setup = setup_of(named_model("DeepSeekV3"), sequence=4096, batch=15360, number_format="fp8", balanced_experts=True)
    rate = {}
    for schedule in (Schedule.ONE_F_ONE_B, Schedule.DUALPIPE):
        layout = Layout(data=128, pipeline=16, expert=64, schedule=schedule, recompute=Recompute.NONE)
        rate[schedule] = estimate_layout(setup, cluster_of(1, "cl-deepseek-v3"), layout, KERNELS).tokens_per_s / 2048
    assert rate[Schedule.DUALPIPE] == pytest.approx(published, rel=0.15)
    assert rate[Schedule.ONE_F_ONE_B] < 0.75 * published


# --------------------------------------------------------------------------------------------------------------- memory


@quick
@given(schedule=st.sampled_from(list(Schedule)), stages=st.sampled_from([2, 4, 6, 8]), work=st.integers(1, 40))
def test_stages_hold_no_less_than_the_played_schedule(schedule, stages, work):
    """Exactly as much where there are enough micro-batches, in stages of 1F1B."""
    chunks = 2 if schedule is Schedule.ZB_V else 1
    made = program(schedule, stages, 1, work)
    parts = made.length // stages
    most = max(map(played_in_flight, made.turns)) / parts
    told = in_flight(to_table([Layout(pipeline=stages, interleave=chunks, schedule=schedule)]), np.array([float(work)]))
    held = max(float(told.first[0]), float(told.last[0]))
    assert held >= most
    if work >= 2 * stages:
        assert held == pytest.approx(most, abs=0.51)


def test_what_is_held_at_once_by_hand():
    table = to_table([laid(one, pipeline=8) for one in SCHEDULES])
    told = in_flight(table, np.full(len(table), 64.0))
    assert told.first.tolist() == [64, 8, 8, 15, 8, 9]
    assert told.last.tolist() == [64, 1, 8, 15, 8, 9]


def test_dualpipe_holds_parameters_twice_and_both_tables_at_the_ends():
    setup = setup_of(EVEN)
    plain, paired = (stage_parameters(setup, to_table([laid(one)])) for one in (Schedule.ONE_F_ONE_B, SPLIT[-1]))
    layer = float(np.ravel(plain.layer.dense)[0])
    assert float(paired.first.dense[0]) == pytest.approx(8 * layer + float(paired.first_tables[0]))
    assert float(paired.last.dense[0]) == pytest.approx(8 * layer)
    tied = EVEN.embedding_parameters + EVEN.final_vector_parameters
    assert float(paired.first_tables[0]) == tied
    assert copies_held(to_table([laid(one) for one in SCHEDULES])).tolist() == [1, 1, 1, 1, 1, 2]


def test_the_path_that_turns_puts_embedding_and_head_on_the_first_stage():
    model = dataclasses.replace(small_model(layers=15), tied_head=False)
    table = to_table([laid(Schedule.ZB_V)])
    held = stage_parameters(setup_of(model), table)
    size = model.hidden * model.vocabulary
    assert float(held.first_tables[0]) == 2 * size + model.final_vector_parameters
    assert float(np.ravel(held.last_tables)[0]) == 0
    assert [float(layers[0]) for layers in live_layers(setup_of(model), table)] == [3, 4]


def test_gpipe_holds_all_micro_batches_and_zero_bubbles_what_they_say():
    held = {one: estimated(one).bytes_by_cause["activations"] for one in Schedule}
    plain = held[Schedule.ONE_F_ONE_B]
    assert held[Schedule.GPIPE] == pytest.approx(32 / 4 * plain)
    assert held[Schedule.ZB_H1] == held[Schedule.ZB_V] == pytest.approx(plain)
    assert held[Schedule.ZB_H2] == pytest.approx(7 / 4 * plain)
    assert held[Schedule.DUALPIPE] == pytest.approx(5 / 4 * plain)


@pytest.mark.parametrize("schedule", list(Schedule))
def test_more_stages_never_take_more_memory_for_states(schedule):
    states = []
    for stages in (2, 4, 8):
        found = estimated(schedule, batch=256, pipeline=stages, data=16 // stages).bytes_by_cause
        states.append(found["weights"] + found["gradients"])
    assert states == sorted(states, reverse=True)


def test_what_is_computed_again_waits_with_the_weight_gradients():
    """Full recomputation saves nothing where gradients of weights are put off, and much where they are not."""
    for schedule in Schedule:
        kept, again = (
            estimated(schedule, recompute=level).bytes_by_cause["activations"]
            for level in (Recompute.NONE, Recompute.FULL)
        )
        waits = schedule in (Schedule.ZB_H1, Schedule.ZB_H2, Schedule.ZB_V)
        assert again >= kept if waits else again < kept / 2


# ----------------------------------------------------------------------------------------------------- rules and search


def legal_by_hand(layout, layers, batch):
    """Say the rule of pipelines once more, for one layout."""
    work, stages = batch // (layout.data * layout.micro_batch), layout.pipeline
    if stages * layout.interleave > layers:
        return False
    if layout.schedule is Schedule.ZB_V:
        return stages > 1 and layout.interleave == 2
    if layout.schedule is Schedule.ONE_F_ONE_B and layout.interleave > 1:
        return stages > 1 and work % stages == 0
    if layout.schedule is Schedule.DUALPIPE and (stages % 2 or work % 2 or work < 2 * stages):
        return False
    return layout.interleave == 1 and (stages > 1 or layout.schedule in (Schedule.GPIPE, Schedule.ONE_F_ONE_B))


def test_legal_schedules_are_those_counted_by_hand():
    setup = setup_of(small_model(layers=12), batch=48)
    job = job_of(setup, open_machine(cluster_of(2), KERNELS))
    made = [
        Layout(data=16 // stages, pipeline=stages, interleave=chunks, micro_batch=micro, schedule=schedule)
        for schedule, stages, chunks, micro in itertools.product(Schedule, (1, 2, 4, 8), (1, 2, 3), (1, 2, 3))
        if 48 % (16 // stages * micro) == 0
    ]
    by_hand = [legal_by_hand(one, 12, 48) for one in made]
    assert legal_rows(job, to_table(made)).tolist() == by_hand
    assert {one.schedule for one, fits in zip(made, by_hand, strict=True) if fits} == set(Schedule)


def test_a_plain_search_knows_one_schedule_and_a_free_one_all():
    setup, machine = setup_of(EVEN, batch=128), open_machine(cluster_of(2), KERNELS)
    plain = layouts(setup, machine)
    free = layouts(setup, machine, freedom=Freedom(schedules=tuple(Schedule)))
    assert set(plain.schedule) == {SCHEDULES.index(Schedule.ONE_F_ONE_B)}
    assert set(free.schedule) == set(range(len(SCHEDULES)))
    assert set(free.schedule[free.pipeline == 1]) == {SCHEDULES.index(Schedule.ONE_F_ONE_B)}
    assert not np.any((free.recompute == 2) & (free.schedule >= 2) & (free.schedule <= 4))


def test_a_freer_search_is_never_slower():
    setup, cluster = setup_of(named_model("LLaMA2-13B"), batch=32), cluster_of(2, "dgx-a100-320")
    plain = search(setup, cluster, KERNELS, keep=1)[0]
    free = search(setup, cluster, KERNELS, keep=1, freedom=Freedom(schedules=tuple(Schedule)))[0]
    assert free.step_seconds <= plain.step_seconds


def test_tuning_of_frozen_weights_gains_nothing_from_zero_bubbles():
    setup = dataclasses.replace(setup_of(EVEN, batch=128), tuning="lora", adapters=LowRank(rank=8))
    plain, other = (weighed(to_table([laid(one)]), setup, 2).step for one in (Schedule.ONE_F_ONE_B, Schedule.ZB_H1))
    assert other.causes["bubble"][0] == pytest.approx(plain.causes["bubble"][0], rel=1e-3)
