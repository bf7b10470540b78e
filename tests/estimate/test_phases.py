"""Phases of a micro-batch: they sum to the whole, and each has what belongs to it."""

import dataclasses

import pytest
from tests.estimate.jobs import question_of, setup_of, small_model

from suanli.domain.layout import Layout, Recompute, Schedule, Sharding
from suanli.domain.tuning import LowRank
from suanli.domain.workload import Attention, TuningMethod
from suanli.estimate.compose import compose, shown_hop_seconds
from suanli.estimate.evaluate import wear_of
from suanli.estimate.phases import ONCE, phases, single
from suanli.estimate.step import raw_step
from suanli.estimate.tables import to_table
from suanli.simulate.schedules import Phase

PLAIN = Layout(data=2, tensor=2, pipeline=2)
LAYOUTS = [
    PLAIN,
    dataclasses.replace(PLAIN, recompute=Recompute.FULL),
    dataclasses.replace(PLAIN, recompute=Recompute.SELECTIVE),
    Layout(data=8, sharding=Sharding.FULL),
    Layout(data=4, context=2, micro_batch=4),
]
SETUPS = [
    setup_of(),
    setup_of(attention=Attention.UNFUSED),
    setup_of(small_model(experts=8, active=2)),
    setup_of(tuning=TuningMethod.LORA, adapters=LowRank(rank=16)),
    setup_of(framework="eager_unfused"),
]


def split_of(setup=None, layout=PLAIN):
    return phases(question_of(setup or setup_of()), to_table([layout]))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("setup", SETUPS)
def test_phases_sum_to_the_whole_cause_by_cause(setup, layout):
    question, table = question_of(setup), to_table([layout])
    step = raw_step(question.setup, question.machine, question.software, table)
    whole = compose(single(step), question.software, wear_of(question)).causes
    split = phases(question, table)
    for cause, told in whole.items():
        if cause == "head":
            assert sum(split.head.values()) == pytest.approx(float(told[0]))
        elif cause == "pipeline_exposed":
            assert split.hop_seconds == pytest.approx(float(shown_hop_seconds(step, question.software)[0]))
        elif cause not in ONCE:
            assert sum(part[cause] for part in split.layer.values()) == pytest.approx(float(told[0]), abs=1e-12)


MEETING = [
    Layout(data=8, expert=8, pipeline=2, interleave=2),
    Layout(data=8, expert=8, pipeline=2, interleave=2, recompute=Recompute.FULL),
    Layout(data=8, expert=8, pipeline=2, schedule=Schedule.DUALPIPE),
    Layout(data=8, expert=8, pipeline=2, schedule=Schedule.DUALPIPE, recompute=Recompute.FULL),
]


@pytest.mark.parametrize("layout", MEETING)
def test_chunks_that_meet_hide_in_phases_what_they_hide_in_the_step(layout):
    """Expert traffic of all turns is what the step counts, and no phase gives back what another hides."""
    setup = setup_of(small_model(experts=8, active=2), batch=128)
    question, table = question_of(setup, nodes=2), to_table([layout])
    raw = raw_step(question.setup, question.machine, question.software, table)
    whole = compose(raw, question.software, wear_of(question)).causes
    split = phases(question, table)
    layers = float(raw.micro_batches[0]) * float(raw.layer_count[0]) / layout.pipeline
    for cause in ("expert_exposed", "recompute", "matmul"):
        told = layers * sum(part[cause] for part in split.layer.values())
        assert told == pytest.approx(float(whole[cause][0]), rel=1e-6)
    assert all(spent >= -1e-12 for part in split.layer.values() for spent in part.values())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("setup", SETUPS)
def test_no_phase_takes_less_than_nothing(setup, layout):
    split = split_of(setup, layout)
    for phase in (Phase.FORWARD, Phase.INPUT, Phase.WEIGHT):
        assert all(spent >= -1e-12 for spent in split.layer[phase].values())
        assert split.head[phase] >= -1e-12


def test_products_are_a_third_each():
    split = split_of()
    forward, inputs, weights = (split.layer[phase]["matmul"] for phase in (Phase.FORWARD, Phase.INPUT, Phase.WEIGHT))
    assert inputs == pytest.approx(weights)
    assert forward == pytest.approx(inputs, rel=0.3)


def test_attention_and_traffic_have_no_gradients_of_weights():
    weights = split_of().layer[Phase.WEIGHT]
    assert {cause for cause, spent in weights.items() if spent > 1e-12} <= {"matmul", "memory_passes", "launch"}


def test_frozen_weights_have_no_products_for_their_gradients():
    split = split_of(setup_of(tuning=TuningMethod.LORA, adapters=LowRank(rank=16)))
    assert split.layer[Phase.WEIGHT]["matmul"] == pytest.approx(0, abs=1e-15)
    assert split.head[Phase.WEIGHT] == pytest.approx(0, abs=1e-15)
    assert split.layer[Phase.INPUT]["matmul"] > 0


def test_what_is_computed_again_belongs_to_the_gradient_of_inputs():
    plain, again = split_of(), split_of(layout=dataclasses.replace(PLAIN, recompute=Recompute.FULL))
    assert again.layer[Phase.INPUT]["recompute"] > 0
    assert again.layer[Phase.FORWARD] == plain.layer[Phase.FORWARD]
    assert again.layer[Phase.WEIGHT] == pytest.approx(plain.layer[Phase.WEIGHT])


def test_full_sharding_gathers_in_both_passes_and_scatters_in_the_backward_one():
    split = split_of(layout=Layout(data=8, sharding=Sharding.FULL))
    forward, backward = (split.layer[phase]["sharding_exposed"] for phase in (Phase.FORWARD, Phase.INPUT))
    assert 0 < forward < backward
