"""The serving question: searched or told, replicas for a rate, every wrong number at once."""

import dataclasses
import math

import pytest

from suanli.api.serve import ServingAnswer, ServingQuestion, serve
from suanli.foundation.errors import InfeasibleError, InputError

ASK = ServingQuestion(model="meta-llama/Llama-3.1-8B", system="H100-SXM")


def ask(**changes):
    return serve(dataclasses.replace(ASK, **changes))


def test_without_a_setting_the_best_is_searched_for():
    answer = ask(tpot_limit_seconds=0.03)
    assert isinstance(answer, ServingAnswer)
    assert answer.tpot_seconds <= 0.03
    assert answer.others


def test_a_setting_is_told_alone():
    answer = ask(tensor=4, concurrency=32.0)
    assert answer.layout.tensor == 4
    assert answer.others == ()
    assert answer.accelerators == 4


def test_causes_of_time_sum_to_the_time_of_a_token():
    answer = ask(concurrency=16.0)
    assert sum(answer.seconds_by_cause.values()) == pytest.approx(answer.tpot_seconds)


def test_causes_of_memory_sum_to_the_memory():
    answer = ask(concurrency=16.0)
    assert sum(answer.bytes_by_cause.values()) == pytest.approx(answer.memory_bytes)


def test_a_rate_is_held_by_enough_replicas():
    answer = ask(rate_per_s=200.0, tpot_limit_seconds=0.05, headroom=0.2)
    assert answer.replicas * answer.requests_per_s * 0.8 >= 200.0
    assert (answer.replicas - 1) * answer.requests_per_s * 0.8 < 200.0


def test_what_was_assumed_is_told():
    assert ask(concurrency=1.0).assumed


@pytest.mark.parametrize(
    "changes",
    [
        {"input_tokens": 0.0},
        {"output_tokens": -1.0},
        {"rate_per_s": math.inf},
        {"tpot_limit_seconds": math.nan},
        {"prefix_hit_share": 1.0},
        {"headroom": -0.1},
        {"draft_tokens": -1.0},
        {"tensor": 0},
        {"concurrency": 0.0},
        {"keep": 0},
        {"model": "nobody/knows"},
        {"system": "H9000"},
        {"engine": "tomorrow"},
        {"weight_format": "fp1"},
        {"kv_format": "fp1"},
    ],
)
def test_a_wrong_question_is_refused(changes):
    with pytest.raises(InputError):
        ask(**changes)


def test_every_wrong_number_is_told_at_once():
    with pytest.raises(InputError) as told:
        ask(input_tokens=-1.0, output_tokens=0.0, headroom=2.0)
    assert len(told.value.faults) == 3


def test_an_impossible_target_is_infeasible():
    with pytest.raises(InfeasibleError):
        ask(ttft_limit_seconds=1e-6)


def test_a_setting_that_does_not_fit_is_infeasible():
    with pytest.raises(InfeasibleError, match="memory"):
        ask(model="meta-llama/Llama-3.1-405B", tensor=1)
