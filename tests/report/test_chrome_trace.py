"""Trace events: valid, in order, without overlap, and summing to the step."""

import json
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from tests.estimate.jobs import KERNELS, setup_of
from tests.estimate.test_timeline import CLUSTER, MODEL, layouts

from suanli.domain.layout import Layout, Schedule
from suanli.estimate.memory import MEMORY_CAUSES
from suanli.estimate.timeline import timeline
from suanli.estimate.training import estimate_layout
from suanli.foundation.language import set_language
from suanli.report.exporters.chrome_trace import ARITHMETIC, DATA, TRAFFIC, TURNS, chrome_trace
from suanli.report.exporters.targets import TIMELINE_TARGETS
from suanli.simulate.schedules import program

PIPELINED = Layout(data=2, tensor=2, pipeline=4)
NANOSECOND = 1e-3


def traced(layout=PIPELINED, **fields):
    setup = setup_of(MODEL, batch=128)
    estimate = estimate_layout(setup, CLUSTER, layout, KERNELS)
    return json.loads(chrome_trace(timeline(setup, CLUSTER, estimate, KERNELS, **fields)))


def tracks(document):
    """Return the complete events of each stage and track in the file's order."""
    names, stages, found = {}, {}, defaultdict(list)
    for event in document["traceEvents"]:
        if event["name"] == "process_sort_index":
            stages[event["pid"]] = event["args"]["sort_index"]
        if event["name"] == "thread_sort_index":
            names[event["tid"]] = event["args"]["sort_index"]
        if event["ph"] == "X":
            found[stages[event["pid"]], names[event["tid"]]].append(event)
    return found


@settings(deadline=None, max_examples=40)
@given(layouts())
def test_events_of_a_track_follow_each_other(layout):
    for events in tracks(traced(layout)).values():
        for one, behind in pairwise(events):
            assert behind["ts"] >= one["ts"] + one["dur"] - NANOSECOND / 2


@settings(deadline=None, max_examples=40)
@given(layouts())
def test_work_and_idle_time_of_the_longest_stage_sum_to_the_step(layout):
    document = traced(layout)
    spans = [
        events[-1]["ts"] + events[-1]["dur"] - events[0]["ts"]
        for (_, track), events in tracks(document).items()
        if track == TURNS
    ]
    assert max(spans) / 1e6 == pytest.approx(document["otherData"]["step_seconds"], rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(layouts())
def test_arithmetic_and_traffic_fill_the_turns(layout):
    found = tracks(traced(layout))
    for stage in range(layout.pipeline):
        spent = [sum(event["dur"] for event in found[stage, track]) for track in (TURNS, ARITHMETIC, TRAFFIC, DATA)]
        assert sum(spent[1:]) == pytest.approx(spent[0], rel=1e-4)


@settings(deadline=None, max_examples=40)
@given(layouts())
def test_every_turn_of_the_schedule_has_one_event(layout):
    document = traced(layout)
    made = program(layout.schedule, layout.pipeline, layout.interleave, int(document["otherData"]["micro_batches"]))
    for stage, turns in enumerate(made.turns):
        told = [
            (event["name"].split()[0], event["args"]["chunk"], event["args"]["micro_batch"])
            for event in tracks(document)[stage, TURNS]
            if "micro_batch" in event["args"]
        ]
        assert told == [(phase.value, chunk, one) for phase, chunk, one in turns]


@pytest.mark.parametrize("schedule", [Schedule.GPIPE, Schedule.ONE_F_ONE_B, Schedule.ZB_H1, Schedule.ZB_H2])
def test_a_micro_batch_goes_down_the_stages_and_comes_back(schedule):
    moments = {}
    for (stage, track), events in tracks(traced(Layout(data=4, pipeline=4, schedule=schedule))).items():
        for event in events if track == TURNS else ():
            if "micro_batch" in event["args"]:
                phase = event["name"].split()[0].replace("BW", "B")
                moments[phase, stage, event["args"]["micro_batch"]] = event["ts"], event["ts"] + event["dur"]
    for (phase, stage, one), (begin, _) in moments.items():
        if phase == "F" and stage:
            assert begin >= moments["F", stage - 1, one][1] - NANOSECOND
        if phase == "B" and stage < 3:
            assert begin >= moments["B", stage + 1, one][1] - NANOSECOND


def test_processes_are_stages_and_tracks_have_names():
    set_language("en")
    named = [event for event in traced()["traceEvents"] if event["ph"] == "M"]
    processes = [event["args"]["name"] for event in named if event["name"] == "process_name"]
    assert processes == [f"stage {stage} of 4" for stage in range(4)]
    threads = [event["args"]["name"] for event in named if event["name"] == "thread_name"]
    assert threads == ["turns", "arithmetic", "exposed traffic", "data-parallel traffic"] * 4


def test_no_two_processes_or_tracks_have_one_number_and_none_has_zero():
    named = [event for event in traced()["traceEvents"] if event["name"] in ("process_name", "thread_name")]
    processes = [event["pid"] for event in named if event["name"] == "process_name"]
    threads = [event["tid"] for event in named if event["name"] == "thread_name"]
    assert len({0, *processes, *threads}) == 1 + len(processes) + len(threads)


def test_the_names_of_stages_are_in_the_reader_s_language():
    set_language("zh")
    try:
        names = [event["args"]["name"] for event in traced()["traceEvents"] if event["name"] == "process_name"]
    finally:
        set_language("en")
    assert all(not name.startswith("stage") for name in names)


def test_counters_tell_what_each_stage_holds():
    document = traced()
    counters = [event for event in document["traceEvents"] if event["ph"] == "C"]
    assert {event["pid"] for event in counters} == {1, 2, 3, 4}
    assert all(set(event["args"]) == set(MEMORY_CAUSES) for event in counters)
    for process in (1, 2, 3, 4):
        moments = [event["ts"] for event in counters if event["pid"] == process]
        assert moments == sorted(moments)


def test_what_a_trace_is_of_stands_in_it():
    told = traced()["otherData"]
    assert told["model"] == MODEL.name
    assert told["system"] == CLUSTER.system.name
    assert told["layout"]["pipeline"] == 4
    assert told["layout"]["schedule"] == "1f1b"
    assert told["step_seconds"] == pytest.approx(told["estimated_step_seconds"], rel=0.02)
    assert told["version"].startswith("suanli ")


def test_what_is_not_drawn_is_said_and_takes_its_time():
    whole, found = traced(), traced(most_drawn=80)
    assert found["otherData"]["turns_drawn"] == 80
    assert found["otherData"]["turns"] == whole["otherData"]["turns"]
    assert found["otherData"]["step_seconds"] == whole["otherData"]["step_seconds"]
    gaps = [event for event in found["traceEvents"] if event["name"] == "not drawn"]
    assert {event["pid"] for event in gaps} == {1, 2, 3, 4}


def test_the_target_is_registered():
    assert TIMELINE_TARGETS["chrome-trace"] is chrome_trace
