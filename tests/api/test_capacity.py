"""The question of capacity: smallest setting or a given one, every wrong number at once."""

import dataclasses

import pytest

from suanli.api.capacity import Bound, CapacityQuestion, capacity
from suanli.api.engine_options import EngineOptions
from suanli.foundation.errors import InfeasibleError, InputError

ASK = CapacityQuestion(model="meta-llama/Llama-3.1-70B", system="dgx-h100", users=32, context_tokens=8192)


def ask(**changes):
    options = {name: changes.pop(name) for name in list(changes) if name in EngineOptions.__dataclass_fields__}
    return capacity(dataclasses.replace(ASK, options=EngineOptions(**options), **changes))


def test_without_a_layout_the_smallest_is_told():
    answer = ask()
    assert answer.accelerators == 4
    assert answer.sequences >= 32
    assert answer.binds is Bound.CACHE
    assert answer.frees


def test_a_given_layout_is_told_as_it_is():
    answer = ask(tensor=8)
    assert answer.layout.tensor == 8
    assert answer.kv_capacity_tokens == answer.kv_blocks * answer.kv_block_tokens


def test_a_context_that_nobody_names_is_the_mean_request():
    answer = ask(context_tokens=None, input_tokens=3000.0, output_tokens=500.0)
    assert answer.context_tokens == 3500


def test_adapters_and_drafts_take_their_room():
    plain = ask(tensor=8)
    for more in ({"loras": 8}, {"draft": "eagle3"}):
        told = ask(tensor=8, **more)
        assert told.sequences <= plain.sequences
        assert sum(told.bytes_by_cause.values()) > sum(plain.bytes_by_cause.values())


def test_several_systems_hold_what_one_does_not():
    with pytest.raises(InfeasibleError):
        ask(model="meta-llama/Llama-3.1-405B")
    assert ask(model="meta-llama/Llama-3.1-405B", nodes=4).accelerators > 8


@pytest.mark.parametrize(
    "changes",
    [{"users": 0}, {"context_tokens": 0}, {"nodes": 0}, {"tensor": 0}, {"loras": 0}, {"context": 0},
     {"acceptance": 1.0}, {"draft": "guess"}, {"model": "nobody"}, {"system": "H9000"}, {"weight_format": "fp1"},
     {"draft_tokens": -1},
     {"loras": 4, "lora_targets": "everything"}, {"acceptance": 0.5}],
)  # fmt: skip
def test_a_wrong_question_is_refused(changes):
    with pytest.raises(InputError):
        ask(**changes)


def test_every_wrong_number_is_told_at_once():
    with pytest.raises(InputError) as told:
        ask(users=0, tensor=0, loras=0, acceptance=2.0)
    assert len(told.value.faults) == 4
