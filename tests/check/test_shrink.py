"""A model made small keeps its kind: proportions, groups of heads, experts; it never grows."""

import pytest

from suanli.api.model import find_model
from suanli.check.plan import ACCELERATOR, PROCESSOR, held_out, load_sizes, planned
from suanli.check.shrink import WHOLE, scaled_down
from suanli.parts.architectures.count import parameters

NAMES = ("meta-llama/Llama-3.1-8B", "openai-community/gpt2", "Qwen/Qwen3-0.6B", "mistralai/Mixtral-8x7B-v0.1")


@pytest.mark.parametrize("name", NAMES)
def test_proportions_stay(name):
    whole = find_model(name)
    small = scaled_down(whole, 512, 2, 4096)
    big, own = whole.runs[0].layer, small.runs[0].layer
    scale = small.hidden / whole.hidden
    assert sum(run.count for run in small.runs) == 2
    assert own.core.heads % own.core.kv_heads == 0
    assert own.core.qk_head_dim == big.core.qk_head_dim
    assert [one.role for one in own.matrices] == [one.role for one in big.matrices]
    for before, after in zip(big.matrices, own.matrices, strict=True):
        if before.role.value.endswith(("_in", "_out")) and "attention" not in before.role.value:
            assert abs(max(after.inputs, after.outputs) - max(before.inputs, before.outputs) * scale) <= WHOLE
    assert parameters(small) < parameters(whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_never_grows(name):
    whole = find_model(name)
    same = scaled_down(whole, 10**6, 10**6, 10**9, experts=10**6)
    assert same.hidden == whole.hidden
    assert same.vocabulary == whole.vocabulary
    assert sum(run.count for run in same.runs) == sum(run.count for run in whole.runs)
    assert same.runs[0].layer.experts == whole.runs[0].layer.experts


@pytest.mark.parametrize("machine", [PROCESSOR, ACCELERATOR])
def test_thirty_different_cases_half_of_them_held_out(machine):
    cases = planned(machine, find_model)
    assert len(cases) == len({case.name for case in cases}) == len(load_sizes().rows[machine]) == 30
    assert len(held_out(cases)) == 15


def test_a_model_of_ones_own_gives_every_case_its_shape():
    own = find_model("Qwen/Qwen3-0.6B")
    cases = planned(PROCESSOR, find_model, own)
    assert {case.model.name for case in cases} == {own.name}
    assert len(cases) == len({case.name for case in cases})
