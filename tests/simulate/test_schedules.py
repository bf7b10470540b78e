"""Orders of work: every turn once, none waits for ever, and no stage holds more than its schedule says."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.domain.layout import Schedule
from suanli.foundation.errors import InputError
from suanli.simulate.schedules import CHUNKED, Phase, program

SPLIT = (Schedule.ZB_H1, Schedule.ZB_H2, Schedule.ZB_V)


@st.composite
def shapes(draw):
    schedule = draw(st.sampled_from(list(Schedule)))
    stages = draw(st.integers(1, 9))
    stages += stages % 2 if schedule is Schedule.DUALPIPE else 0
    chunks = draw(st.integers(1, 4)) if schedule in CHUNKED else 1
    return schedule, stages, chunks, draw(st.integers(1, 30))


def in_flight(turns):
    """Return how many turns forward a stage has taken at most whose activations it still needs."""
    held, most = 0, 0
    last = {(chunk, one): at for at, (phase, chunk, one) in enumerate(turns) if phase is not Phase.FORWARD}
    for at, (phase, chunk, one) in enumerate(turns):
        held += phase is Phase.FORWARD
        most = max(most, held)
        held -= last.get((chunk, one)) == at
    return most


@given(shapes())
def test_every_chunk_of_every_micro_batch_is_worked_on_once_each_way(shape):
    made = program(*shape)
    for turns, places in zip(made.turns, made.positions, strict=True):
        count = Counter(turns)
        assert set(count.values()) == {1}
        forward = {turn[1:] for turn in turns if turn[0] is Phase.FORWARD}
        both = {turn[1:] for turn in turns if turn[0] is Phase.BACKWARD}
        inputs = {turn[1:] for turn in turns if turn[0] is Phase.INPUT}
        weights = {turn[1:] for turn in turns if turn[0] is Phase.WEIGHT}
        assert inputs == weights
        assert not both & inputs
        assert both | inputs == forward
        assert {chunk for chunk, _ in forward} <= set(range(len(places)))


@given(shapes())
def test_every_micro_batch_passes_the_whole_path(shape):
    made = program(*shape)
    passed = Counter(
        (one, places[chunk])
        for turns, places in zip(made.turns, made.positions, strict=True)
        for phase, chunk, one in turns
        if phase is Phase.FORWARD
    )
    assert passed == Counter((one, place) for one in range(shape[3]) for place in range(made.length))


@pytest.mark.parametrize("stages", [1, 2, 4, 8])
def test_one_forward_one_backward_holds_as_many_as_stages_are_left(stages):
    made = program(Schedule.ONE_F_ONE_B, stages, 1, 4 * stages)
    assert [in_flight(turns) for turns in made.turns] == [stages - stage for stage in range(stages)]


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_gpipe_holds_every_micro_batch(stages):
    assert {in_flight(turns) for turns in program(Schedule.GPIPE, stages, 1, 20).turns} == {20}


@pytest.mark.parametrize(("stages", "chunks"), [(2, 2), (4, 2), (4, 3), (8, 4)])
def test_interleaving_holds_one_round_and_two_chunks_for_each_later_stage(stages, chunks):
    made = program(Schedule.ONE_F_ONE_B, stages, chunks, 4 * stages)
    assert in_flight(made.turns[0]) == (chunks - 1) * stages + 2 * (stages - 1) + 1


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_zero_bubble_schedules_hold_what_their_paper_says(stages):
    work = 6 * stages
    assert {in_flight(turns) for turns in program(Schedule.ZB_H1, stages, 1, work).turns} == {stages}
    assert {in_flight(turns) for turns in program(Schedule.ZB_H2, stages, 1, work).turns} == {2 * stages - 1}
    assert {in_flight(turns) for turns in program(Schedule.ZB_V, stages, 1, work).turns} == {2 * stages}


@pytest.mark.parametrize("stages", [2, 4, 8])
def test_dualpipe_holds_one_micro_batch_more_than_stages(stages):
    assert {in_flight(turns) for turns in program(Schedule.DUALPIPE, stages, 1, 6 * stages).turns} == {stages + 1}


@pytest.mark.parametrize("schedule", list(Schedule))
def test_one_stage_works_on_one_micro_batch_after_the_other(schedule):
    (turns,) = program(schedule, 1, 1, 3).turns
    assert turns == tuple((phase, 0, one) for one in range(3) for phase in (Phase.FORWARD, Phase.BACKWARD))


@pytest.mark.parametrize("schedule", [one for one in Schedule if one not in CHUNKED])
def test_schedules_of_fixed_chunks_take_no_others(schedule):
    with pytest.raises(InputError, match="2 chunks a stage"):
        program(schedule, 4, 2, 8)


def test_dualpipe_takes_no_odd_number_of_stages():
    with pytest.raises(InputError, match="an even number of stages"):
        program(Schedule.DUALPIPE, 3, 1, 8)


@given(shapes())
def test_both_gradients_are_together_except_where_a_schedule_parts_them(shape):
    schedule, stages, *_ = shape
    phases = {phase for turns in program(*shape).turns for phase, _, _ in turns}
    if stages == 1 or schedule in CHUNKED:
        assert phases == {Phase.FORWARD, Phase.BACKWARD}
    elif schedule in SPLIT:
        assert phases == {Phase.FORWARD, Phase.INPUT, Phase.WEIGHT}


@given(shapes())
def test_only_dualpipe_joins_turns_and_then_forward_with_backward_of_the_other_way(shape):
    made = program(*shape)
    for turns, joined in zip(made.turns, made.joined, strict=True):
        assert not joined or shape[0] is Schedule.DUALPIPE
        for at in joined:
            (first, one_way, _), (second, other_way, _) = turns[at], turns[at + 1]
            assert (first, second) == (Phase.FORWARD, Phase.BACKWARD)
            assert one_way != other_way
