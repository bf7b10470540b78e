"""Replayed traffic as a trace: every served request in three phases without gaps, counters, valid JSON."""

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from suanli.domain.traffic import Quantiles, Served, TrafficResult
from suanli.report.exporters.request_trace import FLEET, request_trace

NONE = Quantiles(mean=0.0, p50=0.0, p90=0.0, p95=0.0, p99=0.0)
SERVED = Served(
    arrival_seconds=np.array([0.0, 1.0, 2.0]),
    queue_seconds=np.array([0.1, np.nan, 0.0]),
    ttft_seconds=np.array([0.5, np.nan, 0.25]),
    tpot_seconds=np.array([0.02, np.nan, np.nan]),
    finish_seconds=np.array([2.0, np.nan, 0.25]),
    replica=np.array([0, 1, 1]),
    hit_tokens=np.array([0, 0, 64]),
    preempted=np.array([1, 0, 0]),
)
RESULT = TrafficResult(
    requests=3, completed=2, refused=1, preempted=1, span_seconds=2.25, prompt_tokens=100, computed_tokens=36,
    output_tokens=76, hit_share=0.64, ttft=NONE, tpot=NONE, itl=NONE, finish=NONE, queue=NONE, requests_per_s=1.0,
    output_tokens_per_s=30.0, good_share=1.0, goodput_per_s=1.0, busy_share=0.5, replica_seconds=4.5, replicas=2,
    steps=9,
    samples=np.array([[0.5, 1.0, 0.0, 0.1], [1.5, 1.0, 1.0, 0.2]]), served=SERVED, assumed=(),
)  # fmt: skip


@pytest.fixture(scope="module")
def document():
    return json.loads(request_trace(RESULT))


def test_served_requests_pass_three_phases_without_a_gap_and_refused_ones_are_not_drawn(document):
    phases = defaultdict(list)
    for event in document["traceEvents"]:
        if event["ph"] in "be":
            phases[event["id"]].append((event["ph"], event["name"], event["ts"], event["pid"]))
    assert set(phases) == {0, 2}
    assert [(kind, name) for kind, name, _, _ in phases[0]] == [
        ("b", "queue"), ("e", "queue"), ("b", "prompt"), ("e", "prompt"), ("b", "answer"), ("e", "answer"),
    ]  # fmt: skip
    assert [ts for _, _, ts, _ in phases[0]] == pytest.approx([0, 1e5, 1e5, 5e5, 5e5, 2e6])
    assert {pid for *_, pid in phases[2]} == {2}


def test_counters_are_of_the_fleet(document):
    counters = [event for event in document["traceEvents"] if event["ph"] == "C"]
    assert {event["pid"] for event in counters} == {FLEET}
    assert [event["args"] for event in counters if event["name"] == "requests"] == [
        {"running": 1.0, "waiting": 0.0}, {"running": 1.0, "waiting": 1.0},
    ]  # fmt: skip


def test_the_document_says_what_it_is_of(document):
    assert document["otherData"]["requests"] == document["otherData"]["drawn"] == 3
    names = {event["args"]["name"] for event in document["traceEvents"] if event["ph"] == "M"}
    assert len(names) == 3


def test_nothing_served_is_a_trace_too():
    nobody = replace(SERVED, finish_seconds=np.full(3, np.nan))
    events = json.loads(request_trace(replace(RESULT, served=nobody)))["traceEvents"]
    assert not [event for event in events if event["ph"] in "be"]
