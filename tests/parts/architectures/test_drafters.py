"""Drafters as models: one pass of each by hand, and what cannot be had."""

from dataclasses import replace

import pytest

from suanli.domain.model import Core, CoreKind, Role
from suanli.domain.serving import DraftKind
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import layer_parameters
from suanli.parts.architectures.drafters import drafter_of
from suanli.parts.architectures.read import named_model

LLAMA, DEEPSEEK = named_model("meta-llama/Llama-3.1-8B"), named_model("deepseek-ai/DeepSeek-R1")
VOCABULARY, WIDENING = 32000.0, 3.5


def made(kind, model=LLAMA, drafts=3.0, own=None):
    return drafter_of(kind, model, drafts, VOCABULARY, WIDENING, own)


def count(model):
    return sum(run.count * layer_parameters(run.layer) for run in model.runs)


def test_layers_for_multi_token_prediction_are_the_model_s_own():
    found = made(DraftKind.MTP, DEEPSEEK)
    assert [run.layer for run in found.model.runs] == [run.layer for run in DEEPSEEK.draft_runs]
    assert found.passes == 3
    assert found.own_format
    assert found.model.embedding_parameters == 0


def test_an_eagle_head_is_one_layer_of_the_model_and_a_matrix_that_joins_two_vectors():
    plain = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336
    assert count(made(DraftKind.EAGLE).model) == pytest.approx(plain + 2 * 4096 * 4096, rel=1e-3)


def test_an_eagle_3_head_joins_three_and_attends_over_two_side_by_side():
    """Its head chooses among fewer tokens, and is its own."""
    found = made(DraftKind.EAGLE3).model
    plain = 2 * 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336
    assert count(found) == pytest.approx(plain + 3 * 4096 * 4096, rel=1e-3)
    assert found.vocabulary == VOCABULARY
    assert not found.tied_head


def test_a_head_of_a_mixture_is_dense():
    found = made(DraftKind.EAGLE3, named_model("Qwen/Qwen3-30B-A3B")).model
    roles = {matrix.role for run in found.runs for matrix in run.layer.matrices}
    assert Role.EXPERT_IN not in roles
    assert Role.MLP_OUT in roles


def test_medusa_has_a_head_for_each_draft_and_one_pass():
    found = made(DraftKind.MEDUSA, drafts=4.0)
    assert found.passes == 1
    assert not found.reads_prompts
    assert found.model.vocabulary == 4 * LLAMA.vocabulary
    assert count(found.model) == 4 * 4096 * 4096


def test_no_model_drafts_by_lookup_and_a_model_of_its_own_is_taken_whole():
    assert made(DraftKind.NGRAM) is None
    assert made(DraftKind.MODEL, DEEPSEEK, own=LLAMA).model == LLAMA


@pytest.mark.parametrize(("kind", "said"), [(DraftKind.MTP, "no such layers"), (DraftKind.MODEL, "no draft model")])
def test_what_a_model_cannot_have_is_refused(kind, said):
    with pytest.raises(InputError, match=said):
        made(kind)


def test_a_head_that_attends_needs_a_model_that_does():
    none = replace(LLAMA, runs=tuple(replace(run, layer=replace(run.layer, core=Core(kind=CoreKind.LINEAR)))
                                     for run in LLAMA.runs))  # fmt: skip
    with pytest.raises(InputError, match="no attention"):
        made(DraftKind.EAGLE, none)
