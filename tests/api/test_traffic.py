"""Traffic as a user asks for it: converted, scaled, generated, like a trace; wrong questions told all at once."""

import json
from dataclasses import replace

import pytest

from suanli.api.traffic import TrafficQuestion, describe_traffic, make_traffic
from suanli.foundation.errors import InputError

NAMED = TrafficQuestion(traffic="azure-2023-conv", requests=2000)
MOONCAKE = [
    {"timestamp": 0, "input_length": 1536, "output_length": 5, "hash_ids": [0, 1, 2]},
    {"timestamp": 3000, "input_length": 1100, "output_length": 9, "hash_ids": [0, 1, 3]},
]


@pytest.fixture
def mooncake(tmp_path):
    path = tmp_path / "mooncake.jsonl"
    path.write_text("\n".join(map(json.dumps, MOONCAKE)), encoding="utf-8")
    return path


def test_a_trace_in_another_form_is_written_in_ours_with_its_beginnings(mooncake, tmp_path):
    out = tmp_path / "own.csv"
    assert make_traffic(TrafficQuestion(traffic=str(mooncake)), out) == 2
    assert describe_traffic(TrafficQuestion(traffic=str(out))) == describe_traffic(
        TrafficQuestion(traffic=str(mooncake))
    )
    assert out.read_text("utf-8").splitlines()[1] == "0.0,1536,5,0,512,0 1 2"


def test_what_is_generated_and_written_is_what_is_described(tmp_path):
    out = tmp_path / "own.csv"
    make_traffic(NAMED, out)
    assert describe_traffic(TrafficQuestion(traffic=str(out))) == describe_traffic(NAMED)


def test_traffic_like_a_file_is_new_and_alike(tmp_path):
    out = tmp_path / "own.csv"
    make_traffic(replace(NAMED, requests=5000), out)
    told, like = (
        describe_traffic(TrafficQuestion(traffic=str(out), like=like, requests=5000)) for like in (False, True)
    )
    assert like != told
    assert like.inputs.p50 == pytest.approx(told.inputs.p50, rel=0.05)
    assert like.outputs.mean == pytest.approx(told.outputs.mean, rel=0.05)


def test_generated_traffic_comes_at_the_rate_and_with_the_gaps_that_are_asked_for():
    found = describe_traffic(replace(NAMED, requests=20_000, rate_per_s=40.0, gap_variation=0.3))
    assert found.requests_per_s == pytest.approx(40, rel=0.02)
    assert found.gap_variation == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"traffic": "azure-2023"}, "azure-2023-conv"),
        ({"copies": 0, "stretch": -1.0, "gap_variation": 0.0}, "3 fault"),
        ({"from_seconds": 9.0, "until_seconds": 3.0}, "--until"),
        ({"like": True}, "--like"),
        ({"daily_swing": 2.0}, "--daily-swing"),
    ],
)
def test_wrong_questions_are_refused_with_what_is_allowed(changes, said):
    with pytest.raises(InputError) as refused:
        describe_traffic(replace(NAMED, **changes))
    assert said in f"{len(refused.value.faults)} fault: {refused.value}"


def test_what_a_file_tells_is_not_told_otherwise(mooncake, tmp_path):
    with pytest.raises(InputError, match="--turns") as refused:
        describe_traffic(TrafficQuestion(traffic=str(mooncake), turns=3.0, gap_variation=2.0))
    assert len(refused.value.faults) == 2
    with pytest.raises(InputError, match="--out"):
        make_traffic(TrafficQuestion(traffic=str(mooncake)), mooncake)
