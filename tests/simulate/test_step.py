"""The play of a step: nothing begins before what it needs, and idle time is what each schedule's formula says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulate.test_schedules import shapes

from suanli.domain.layout import Schedule
from suanli.equations.pipeline import bubble_seconds, lighter_end_seconds
from suanli.simulate.schedules import Phase, Program, program
from suanli.simulate.step import TurnSeconds, play

SPLITS = [(1.0, 1.0, 1.0), (1.0, 1.25, 0.75), (1.0, 1.5, 0.5), (2.0, 2.5, 1.75)]
BACK = (Phase.BACKWARD, Phase.INPUT)
EVEN = [(2, 4), (4, 8), (4, 16), (8, 16), (8, 64)]


def even(made, split=(1.0, 1.0, 1.0), per_stage=None, **fields):
    """Give every position of a path the same seconds; `per_stage` positions make up the split."""
    forward, inputs, weights = ((seconds / (per_stage or 1),) * made.length for seconds in split)
    return TurnSeconds(forward_seconds=forward, input_seconds=inputs, weight_seconds=weights, **fields)


def idle(schedule, stages, work, split=(1.0, 1.0, 1.0), chunks=1):
    """Return the seconds beyond those that the slowest stage works."""
    made = program(schedule, stages, chunks, work)
    per_stage = 2 if schedule is Schedule.ZB_V else chunks
    return play(made, even(made, split, per_stage)).step_seconds - work * sum(split)


@pytest.mark.parametrize(("stages", "work"), EVEN)
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("schedule", [Schedule.GPIPE, Schedule.ONE_F_ONE_B])
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_filling_and_draining_idles_one_stage_time_a_stage_over_its_chunks(schedule, stages, work, split, chunks):
    assert idle(schedule, stages, work, split, chunks) == pytest.approx((stages - 1) / chunks * sum(split))


@pytest.mark.parametrize(("stages", "work"), EVEN)
@pytest.mark.parametrize("split", SPLITS)
def test_gradients_of_weights_fill_idle_time_once_or_twice(stages, work, split):
    forward, inputs, weights = split
    once, twice = forward + inputs - weights, forward + inputs - 2 * weights
    assert idle(Schedule.ZB_H1, stages, work, split) == pytest.approx((stages - 1) * once)
    assert idle(Schedule.ZB_H2, stages, work, split) == pytest.approx((stages - 1) * twice, abs=1e-9)


def test_gradients_of_weights_that_take_longer_than_a_forward_pass_fill_no_more_than_that():
    assert idle(Schedule.ZB_H1, 4, 16, (1.0, 1.0, 1.5)) == pytest.approx(3 * (1 + 1 - 1))


@pytest.mark.parametrize(("stages", "work"), EVEN)
@pytest.mark.parametrize("split", SPLITS)
def test_a_path_that_turns_back_idles_what_inputs_take_longer_than_weights(stages, work, split):
    _, inputs, weights = split
    assert idle(Schedule.ZB_V, stages, work, split) == pytest.approx((stages - 1) * (inputs - weights), abs=1e-9)


@pytest.mark.parametrize(("stages", "work"), EVEN)
@pytest.mark.parametrize("split", SPLITS)
def test_dualpipe_idles_as_its_paper_says(stages, work, split):
    forward, inputs, weights = split
    together, backward = forward + inputs + weights, inputs + weights
    expected = (stages / 2 - 1) * (together + backward - 3 * weights)
    assert idle(Schedule.DUALPIPE, stages, work, split) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_schedules_rank_as_their_papers_rank_them(stages):
    found = [
        idle(schedule, stages, 4 * stages, (1.0, 1.25, 0.75))
        for schedule in (Schedule.ONE_F_ONE_B, Schedule.ZB_H1, Schedule.ZB_H2, Schedule.ZB_V)
    ]
    assert found == sorted(found, reverse=True)


@given(shapes(), st.floats(0.1, 3), st.floats(0.1, 3), st.floats(0.1, 3), st.floats(0, 0.5))
def test_nothing_begins_before_what_it_needs(shape, forward, inputs, weights, hop):
    made = program(*shape)
    seconds = even(made, (forward, inputs, weights), hop_seconds=hop)
    played = play(made, seconds)
    begins, ends = moments(made, played)
    for (phase, place, one), begin in begins.items():
        if phase is Phase.FORWARD and place:
            assert begin >= ends[Phase.FORWARD, place - 1, one]
        if phase in BACK:
            assert begin >= ends[Phase.FORWARD, place, one]
            if place + 1 < made.length:
                (behind,) = (ends[back, place + 1, one] for back in BACK if (back, place + 1, one) in ends)
                assert begin >= behind
        if phase is Phase.WEIGHT:
            assert begin >= ends[Phase.INPUT, place, one]


def moments(made, played):
    """Return when each phase of each position and micro-batch begins and ends."""
    begins, ends = {}, {}
    for turns, places, started, ended in zip(made.turns, made.positions, played.begins, played.ends, strict=True):
        for (phase, chunk, one), begin, end in zip(turns, started, ended, strict=True):
            begins[phase, places[chunk], one], ends[phase, places[chunk], one] = begin, end
    return begins, ends


@given(shapes(), st.floats(0, 0.5))
def test_a_stage_does_one_thing_at_a_time(shape, hop):
    made = program(*shape)
    played = play(made, even(made, (1.0, 1.5, 0.5), hop_seconds=hop))
    for begins, ends in zip(played.begins, played.ends, strict=True):
        assert all(begin >= end for begin, end in zip(begins[1:], ends, strict=False))
        assert all(end > begin for begin, end in zip(begins, ends, strict=True))


@given(shapes())
def test_a_step_takes_at_least_what_its_busiest_stage_works(shape):
    made = program(*shape)
    played = play(made, even(made))
    busy = [
        sum(end - begin for begin, end in zip(*one, strict=True))
        for one in zip(played.begins, played.ends, strict=True)
    ]
    assert played.step_seconds >= max(busy) - 1e-9


@given(shapes(), st.floats(1.1, 3))
def test_a_slower_chunk_never_makes_a_step_shorter(shape, slower):
    made = program(*shape)
    seconds = even(made)
    later = replace(seconds, forward_seconds=(*seconds.forward_seconds[:-1], slower))
    assert play(made, later).step_seconds >= play(made, seconds).step_seconds - 1e-9


@pytest.mark.parametrize(("stages", "chunks"), [(2, 1), (4, 1), (4, 2), (8, 3)])
def test_a_hop_counts_for_both_ways_of_every_chunk_but_those_at_the_ends_of_the_path(stages, chunks):
    made = program(Schedule.ONE_F_ONE_B, stages, chunks, 4 * stages)
    free, hopping = (play(made, even(made, per_stage=chunks, hop_seconds=hop)).step_seconds for hop in (0.0, 0.01))
    turns = 4 * stages + (stages - 1) / chunks
    assert turns * (2 * chunks - 1) * 0.01 <= hopping - free <= turns * 2 * chunks * 0.01


def test_the_slowest_last_stage_idles_as_long_as_the_others_work_on_one_micro_batch():
    made = program(Schedule.ONE_F_ONE_B, 4, 1, 16)
    seconds = replace(even(made), forward_seconds=(1.0, 1.0, 1.0, 1.5))
    assert play(made, seconds).step_seconds == pytest.approx(16 * 3.5 + 3 * 3.0)


@given(
    st.integers(2, 8),
    st.integers(1, 16),
    st.floats(0.5, 3.0),
    st.floats(0.0, 1.5),
    st.floats(0.5, 3.0),
)
def test_a_lighter_last_stage_saves_what_the_longest_path_says(stages, work, backward, share, own):
    """All stages but the last alike, whatever the last one is: the formula is the play, to the last bit of rounding."""
    made = program(Schedule.ONE_F_ONE_B, stages, 1, work)
    forward, back = (*(1.0,) * (stages - 1), share), (*(backward,) * (stages - 1), share * own)
    seconds = TurnSeconds(forward_seconds=forward, input_seconds=back, weight_seconds=(0.0,) * stages)
    full, last = 1.0 + backward, share * (1.0 + own)
    slowest = max(full, last)
    filled = bubble_seconds((stages - 1) * full + last, slowest, 1.0)
    saved = lighter_end_seconds(slowest, last, max(1.0, backward), float(work))
    assert play(made, seconds).step_seconds == pytest.approx(work * slowest + filled - saved)


def test_a_smaller_last_micro_batch_counts_for_its_share():
    made = program(Schedule.ONE_F_ONE_B, 1, 1, 4)
    assert play(made, even(made, last_share=0.25)).step_seconds == pytest.approx(3.25 * 3)


def test_stages_that_wait_for_each_other_are_found_out():
    stuck = Program(
        turns=(((Phase.BACKWARD, 0, 0), (Phase.FORWARD, 0, 0)), ((Phase.FORWARD, 0, 0), (Phase.BACKWARD, 0, 0))),
        joined=(frozenset(), frozenset()),
        positions=((0,), (1,)),
        joints=(True,),
        micro_batches=1,
    )
    with pytest.raises(RuntimeError, match="wait for each other"):
        play(stuck, even(stuck))
