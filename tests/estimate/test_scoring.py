"""Forward passes of models that stay as they are: less than a step, nothing of a backward pass, weights alone."""

import numpy as np
import pytest
from tests.estimate.jobs import question_of, setup_of

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.estimate.compose import CAUSES, compose
from suanli.estimate.evaluate import evaluate, wear_of
from suanli.estimate.scoring import (
    best_scoring,
    copy_bytes,
    forward_seconds,
    no_backward,
    scalar_training,
    scoring_at,
    states_of,
    without_head,
    work_of,
)
from suanli.estimate.step import raw_step
from suanli.estimate.tables import to_table
from suanli.estimate.training import at_row
from suanli.foundation.errors import InfeasibleError
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import named_model

LAYOUTS = [
    Layout(data=8),
    Layout(data=8, sharding=Sharding.FULL),
    Layout(data=4, tensor=2, recompute=Recompute.FULL),
    Layout(data=2, tensor=2, pipeline=2),
]
MODEL = named_model("Qwen/Qwen3-0.6B")


def asked(batch=64):
    return question_of(setup_of(MODEL, batch=batch))


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_scoring_takes_a_quarter_to_a_half_of_a_step(layout):
    question, table = asked(), to_table([layout])
    whole = evaluate(question, table).step.step_seconds
    assert np.all(forward_seconds(question, table) < 0.5 * whole)
    assert np.all(forward_seconds(question, table) > 0.15 * whole)


def test_scoring_has_no_cause_of_a_backward_pass():
    question, table = asked(), to_table([Layout(data=4, tensor=2, recompute=Recompute.FULL)])
    raw = no_backward(raw_step(question.setup, question.machine, question.software, table))
    step = compose(raw, question.software, wear_of(question))
    assert {cause for cause in CAUSES if step.causes[cause][0] > 0} & {
        "recompute",
        "optimizer",
        "data_exposed",
    } == set()
    assert sum(float(step.causes[cause][0]) for cause in CAUSES) == pytest.approx(float(step.step_seconds[0]))


def test_weights_that_are_sharded_are_gathered_once_to_score():
    question = asked()
    table = to_table([Layout(data=8, sharding=Sharding.FULL)])
    raw = raw_step(question.setup, question.machine, question.software, table)
    whole, ahead = (compose(one, question.software, wear_of(question)) for one in (raw, no_backward(raw)))
    assert 0 <= float(ahead.causes["sharding_exposed"][0]) < float(whole.causes["sharding_exposed"][0])


def test_twice_the_batch_takes_twice_as_long_on_one_stage():
    table = to_table([Layout(data=8)])
    assert forward_seconds(asked(128), table) == pytest.approx(2 * forward_seconds(asked(64), table))


def test_a_model_of_one_number_has_no_head():
    question, table = asked(), to_table([Layout(data=8)])
    assert forward_seconds(question, table, scalar=True) < forward_seconds(question, table)
    raw = without_head(raw_step(question.setup, question.machine, question.software, table))
    assert float(compose(raw, question.software, wear_of(question)).causes["head"][0]) == pytest.approx(0.0, abs=1e-12)


def test_a_copy_on_one_rank_is_all_parameters_in_two_bytes():
    held = copy_bytes(asked(), to_table([Layout(data=8)]))[0]
    assert held == pytest.approx(2 * parameters(MODEL))


def test_a_copy_is_shared_out_as_weights_are():
    whole, shared = (
        copy_bytes(asked(), to_table([layout]))[0]
        for layout in (Layout(data=8), Layout(data=8, sharding=Sharding.FULL))
    )
    assert shared == pytest.approx(whole / 8)


def test_the_best_layout_to_score_holds_its_weights_and_is_no_slower_than_any_that_does():
    question = asked()
    room = copy_bytes(question, to_table([Layout(data=8)]))[0] / 2
    best = best_scoring(question, room)
    assert best.weight_bytes <= room
    for layout in (Layout(data=4, tensor=2), Layout(data=8, sharding=Sharding.FULL)):
        other = scoring_at(question, layout)
        assert other.weight_bytes > room or best.seconds <= other.seconds * (1 + 1e-9)


def test_no_room_at_all_is_said():
    with pytest.raises(InfeasibleError, match="finds no room"):
        best_scoring(asked(), 1.0)


def test_training_one_number_is_training_without_head_and_logits():
    question = asked()
    one = at_row(question, evaluate(question, to_table([Layout(data=8)])), 0)
    told = scalar_training(question, one)
    assert told.step_seconds < one.step_seconds
    assert told.bytes_by_cause["logits"] == 0
    assert states_of(told.bytes_by_cause) == states_of(one.bytes_by_cause)
    assert work_of(told.bytes_by_cause) <= work_of(one.bytes_by_cause)
    assert sum(told.seconds_by_cause.values()) == pytest.approx(told.step_seconds)
