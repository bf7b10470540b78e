"""The timeline of a step: it agrees with the estimate, leaves nothing out, and says what it does not draw."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, question_of, setup_of, small_model

from suanli.domain.layout import Layout, Offload, Recompute, Schedule, Sharding
from suanli.domain.timeline import GRADIENTS, NOT_DRAWN, OPTIMIZER, STRAGGLERS, WEIGHTS
from suanli.estimate.memory_play import memory_peak
from suanli.estimate.phases import phases
from suanli.estimate.step import raw_step
from suanli.estimate.tables import to_table
from suanli.estimate.timeline import timeline
from suanli.estimate.training import estimate_layout
from suanli.estimate.turns import path_layers, perform, stage_layers
from suanli.foundation.errors import InputError
from suanli.parts.architectures.read import named_model
from suanli.simulate.schedules import CHUNKED

MODEL = small_model(layers=16, hidden=2048, vocabulary=8192)
CLUSTER = cluster_of(2)


@st.composite
def layouts(draw):
    schedule = draw(st.sampled_from(list(Schedule)))
    pipeline = draw(st.sampled_from([1, 2, 4, 8]))
    tensor = draw(st.sampled_from([1, 2]))
    chunks = draw(st.sampled_from([1, 2])) if schedule in CHUNKED and pipeline > 1 else 1
    return Layout(
        data=16 // pipeline // tensor,
        tensor=tensor,
        pipeline=pipeline,
        interleave=chunks,
        recompute=draw(st.sampled_from(list(Recompute))),
        schedule=schedule,
    )


def told(layout, setup=None, cluster=CLUSTER, **fields):
    setup = setup or setup_of(MODEL, batch=128)
    estimate = estimate_layout(setup, cluster, layout, KERNELS)
    return timeline(setup, cluster, estimate, KERNELS, **fields), estimate


def performed(layout, setup=None, **fields):
    question, table = question_of(setup or setup_of(MODEL, batch=128), nodes=2), to_table([layout])
    raw = raw_step(question.setup, question.machine, question.software, table)
    split = phases(question, table)
    return perform(layout, raw, split, **fields), raw, split


@settings(deadline=None, max_examples=40)
@given(layouts())
def test_slices_of_a_stage_follow_each_other_and_fill_no_more_than_the_step(layout):
    found, _ = told(layout)
    for stage in found.stages:
        ends = [one.begin_seconds + one.seconds for one in stage.slices]
        begins = [one.begin_seconds for one in stage.slices]
        assert all(begin >= end - 1e-12 for begin, end in zip(begins[1:], ends, strict=False))
        assert ends[-1] - begins[0] <= found.step_seconds * (1 + 1e-9)
    assert max(
        stage.slices[-1].begin_seconds + stage.slices[-1].seconds - stage.slices[0].begin_seconds
        for stage in found.stages
    ) == pytest.approx(found.step_seconds)


@settings(deadline=None, max_examples=40)
@given(layouts())
def test_parts_of_a_slice_sum_to_it(layout):
    found, _ = told(layout)
    for stage in found.stages:
        for one in stage.slices:
            assert sum(seconds for _, seconds in one.parts) == pytest.approx(one.seconds)


@settings(deadline=None, max_examples=40)
@given(layouts())
def test_all_stages_together_work_as_long_as_the_estimate_counts(layout):
    found, estimate = told(layout)
    spent = {}
    for stage in found.stages:
        for one in stage.slices:
            for cause, seconds in one.parts:
                spent[cause] = spent.get(cause, 0.0) + seconds
    per_layer = estimate.seconds_by_cause["attention"] / (MODEL.runs[0].count / layout.pipeline)
    assert spent["attention"] == pytest.approx(per_layer * MODEL.runs[0].count)
    assert spent["optimizer"] == pytest.approx(layout.pipeline * estimate.seconds_by_cause["optimizer"])


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("pipeline", [1, 2, 4, 8])
def test_a_step_of_a_large_model_agrees_with_the_estimate(pipeline, chunks):
    setup = setup_of(named_model("GPT-3-175B"), batch=256)
    layout = Layout(tensor=8, pipeline=pipeline, data=8 // pipeline, interleave=chunks if pipeline > 1 else 1)
    found, estimate = told(layout, setup, cluster_of(8))
    assert found.step_seconds == pytest.approx(estimate.step_seconds, rel=0.01)
    assert found.estimated_seconds == estimate.step_seconds


@pytest.mark.parametrize(("layers", "stages"), [(32, 5), (18, 4), (60, 16), (9, 2), (33, 8)])
@pytest.mark.parametrize("rounds", [1, 2, 8])
def test_a_step_of_uneven_stages_agrees_with_the_estimate(layers, stages, rounds):
    """Also with as few micro-batches as stages, where a lighter last stage lets the others run ahead."""
    setup = setup_of(small_model(layers=layers, hidden=4096, heads=32), batch=stages * rounds, sequence=4096)
    nodes = -(-stages // 8)
    found, estimate = told(Layout(pipeline=stages), setup, cluster_of(nodes))
    assert found.step_seconds == pytest.approx(estimate.step_seconds, rel=0.01)


@pytest.mark.parametrize("layout", [Layout(data=16), Layout(data=8, tensor=2, recompute=Recompute.FULL)])
def test_without_a_pipeline_play_and_estimate_are_one(layout):
    found, estimate = told(layout)
    assert found.step_seconds == pytest.approx(estimate.step_seconds, rel=1e-12)


@pytest.mark.parametrize("pipeline", [2, 4, 8])
def test_one_forward_one_backward_takes_the_slowest_stage_every_time_and_every_other_stage_once(pipeline):
    played, raw, split = performed(Layout(data=16 // pipeline, pipeline=pipeline))
    layer = sum(sum(part.values()) for part in split.layer.values())
    head = sum(split.head.values())
    count = MODEL.runs[0].count // pipeline
    hops = [1, *[2] * (pipeline - 2), 1]
    stages = [count * layer + hop * split.hop_seconds for hop in hops]
    stages[-1] += head
    slowest, work = max(stages), float(raw.micro_batches[0])
    assert played.played.step_seconds == pytest.approx(work * slowest + sum(stages) - slowest)


def test_stages_share_layers_as_the_formulas_do():
    _, raw, _ = performed(Layout(data=4, pipeline=4), setup_of(small_model(layers=14), batch=128))
    shares = stage_layers(raw)
    assert sum(shares) == 14
    assert shares[-1] == raw.last[0]
    assert max(shares) == raw.fullest[0]
    assert list(shares[:-1]) == sorted(shares[:-1])


def test_missing_layers_are_missing_beside_the_head_and_the_embedding():
    path = path_layers(Schedule.ONE_F_ONE_B, 2, (3, 4, 4, 2))
    assert path == (1, 2, 2, 2, 2, 2, 2, 0)
    assert path_layers(Schedule.ZB_V, 1, (4, 4, 4, 2)) == (1, 2, 2, 2, 2, 2, 2, 1)
    assert path_layers(Schedule.DUALPIPE, 1, (3, 4, 4, 2)) == (3, 4, 4, 2)


@pytest.mark.parametrize("layout", [Layout(data=4, pipeline=4), Layout(data=4, pipeline=4, interleave=2)])
@pytest.mark.parametrize("schedule", [Schedule.ONE_F_ONE_B])
def test_a_step_that_is_played_in_part_takes_as_long_as_the_whole(layout, schedule):
    setup = setup_of(MODEL, batch=512)
    whole = performed(layout, setup)[0]
    part = performed(layout, setup, most=1)[0]
    assert part.skipped > 0
    assert part.played.step_seconds == pytest.approx(whole.played.step_seconds)
    assert part.work.program.micro_batches + part.skipped == whole.work.program.micro_batches


def test_of_too_many_turns_the_first_and_the_last_are_drawn_and_the_step_stays():
    layout = Layout(data=4, pipeline=4)
    whole, _ = told(layout)
    found, _ = told(layout, most_drawn=80)
    assert found.step_seconds == whole.step_seconds
    assert (found.turns, found.drawn) == (whole.turns, 80)
    for stage, all_of_it in zip(found.stages, whole.stages, strict=True):
        assert [one.name for one in stage.slices].count(NOT_DRAWN) == 1
        assert stage.slices[0] == all_of_it.slices[0]
        assert stage.slices[-1] == all_of_it.slices[-1]


def test_every_turn_is_drawn_where_they_are_few():
    found, _ = told(Layout(data=4, pipeline=4))
    assert found.drawn == found.turns == 4 * 2 * 32


def test_after_the_turns_come_gradients_optimizer_weights_and_waiting():
    found, estimate = told(Layout(data=16))
    names = [one.name for one in found.stages[0].slices if one.micro_batch is None]
    assert names == [GRADIENTS, OPTIMIZER, WEIGHTS, STRAGGLERS]
    spent = {one.name: one.seconds for one in found.stages[0].slices}
    assert spent[GRADIENTS] + spent[WEIGHTS] == pytest.approx(estimate.seconds_by_cause["data_exposed"])
    assert spent[STRAGGLERS] == pytest.approx(estimate.seconds_by_cause["stragglers"])


@settings(deadline=None, max_examples=20)
@given(layouts())
def test_the_fullest_moment_of_the_fullest_stage_holds_what_the_estimate_says(layout):
    found, estimate = told(layout)
    most = max(sum(held.bytes_by_cause.values()) for stage in found.stages for held in stage.held)
    assert most == pytest.approx(estimate.memory_bytes)
    assert found.peak.memory_bytes == most
    assert found.peak.bytes_by_cause == pytest.approx(estimate.bytes_by_cause)


@settings(deadline=None, max_examples=20)
@given(layouts())
def test_at_the_end_of_the_turns_no_activations_are_held(layout):
    found, _ = told(layout)
    for stage in found.stages:
        moments = [held.moment_seconds for held in stage.held]
        assert moments == sorted(moments)
        assert stage.held[-1].bytes_by_cause["activations"] == pytest.approx(0, abs=1)
        assert stage.held[-1].bytes_by_cause["logits"] == 0


def test_gradients_come_with_the_first_backward_turn_where_no_buffer_stands_for_them():
    setup = setup_of(MODEL, batch=128, framework="torch_eager")
    found, estimate = told(Layout(data=16, sharding=Sharding.FULL), setup)
    first, *_, last = (held.bytes_by_cause["gradients"] for held in found.stages[0].held)
    assert (first, last) == (0, pytest.approx(estimate.bytes_by_cause["gradients"]))
    assert found.peak.memory_bytes == pytest.approx(estimate.memory_bytes)
    buffered, _ = told(Layout(data=16))
    assert len({held.bytes_by_cause["gradients"] for held in buffered.stages[0].held}) == 1


def test_tables_lie_on_the_ends_of_the_pipeline():
    found, _ = told(Layout(data=4, pipeline=4))
    weights = [stage.held[0].bytes_by_cause["weights"] for stage in found.stages]
    assert weights[1] == weights[2] < min(weights[0], weights[3])


def test_logits_stand_where_the_head_is_and_never_beside_a_layer_computed_again():
    found, _ = told(Layout(data=4, pipeline=4, recompute=Recompute.FULL))
    seen = [[held.bytes_by_cause["logits"] for held in stage.held] for stage in found.stages]
    assert [max(one) > 0 for one in seen] == [False, False, False, True]


def test_an_uneven_split_never_holds_more_than_the_estimate_says():
    setup = setup_of(small_model(layers=14, hidden=2048), batch=128)
    found, estimate = told(Layout(data=4, pipeline=4), setup)
    assert 0.9 * estimate.memory_bytes < found.peak.memory_bytes <= estimate.memory_bytes * (1 + 1e-9)
    assert len(found.peak.stage_bytes) == 4


@pytest.mark.parametrize("offload", list(Offload))
def test_what_lives_on_the_host_is_not_held(offload):
    found, estimate = told(Layout(data=16, offload=offload))
    assert found.peak.memory_bytes == pytest.approx(estimate.memory_bytes)


def test_the_peak_that_training_tells_is_the_timeline_s():
    setup, layout = setup_of(MODEL, batch=128), Layout(data=2, pipeline=8)
    found, estimate = told(layout, setup)
    assert memory_peak(setup, CLUSTER, estimate, KERNELS, CALIBRATION) == found.peak


def test_earlier_stages_of_1f1b_hold_more():
    found, _ = told(Layout(data=4, pipeline=4, recompute=Recompute.NONE))
    most = [max(held.bytes_by_cause["activations"] for held in stage.held) for stage in found.stages]
    assert most == sorted(most, reverse=True)
    assert most[0] == pytest.approx(4 * most[-1])


def test_a_schedule_that_does_not_take_the_stages_is_refused():
    setup = setup_of(small_model(layers=12), batch=128)
    layout = replace(Layout(data=4, pipeline=3, tensor=1), schedule=Schedule.DUALPIPE)
    estimate = replace(estimate_layout(setup, CLUSTER, Layout(data=4, pipeline=4), KERNELS), layout=layout)
    with pytest.raises(InputError, match="an even number of stages"):
        timeline(setup, CLUSTER, estimate, KERNELS)


def test_a_smaller_last_micro_batch_is_drawn_smaller():
    setup = setup_of(MODEL, batch=36)
    found, _ = told(Layout(data=8, tensor=2, pipeline=1), setup)
    forward = [one for one in found.stages[0].slices if one.name == "F"]
    assert found.micro_batches == 4.5
    assert forward[-1].seconds == pytest.approx(forward[0].seconds / 2)
