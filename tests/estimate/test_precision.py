"""What recipes of narrow training keep wider: parts of layers, last layers, layers for multi-token prediction."""

import pytest

from suanli.domain.model import CoreKind, Role
from suanli.estimate.precision import WIDE, kept_by, layer_formats, load_kept, matrix_format
from suanli.parts.architectures.read import named_model

HYBRID, DENSE = named_model("nvidia-nemotron-3-super-120b-a12b"), named_model("LLaMA2-70B")


def formats(model, form):
    """Return the format of every kind of matrix of every kind of layer of a stack, its last layers left out."""
    kept = kept_by(model, form)
    return {
        (run.layer.core.kind, matrix.name): matrix_format(kept, run.layer, matrix, form)
        for run in model.runs
        for matrix in run.layer.matrices
    }


def test_a_hybrid_in_four_bits_keeps_attention_and_latents_wide_and_ways_out_of_states_in_eight():
    told = formats(HYBRID, "nvfp4")
    assert told[CoreKind.SOFTMAX, "query"] == told[CoreKind.SOFTMAX, "attention_out"] == "bf16"
    assert told[CoreKind.NONE, "latent_down"] == told[CoreKind.NONE, "latent_up"] == "bf16"
    assert told[CoreKind.STATE_SPACE, "mixer_out"] == "mxfp8"
    assert told[CoreKind.NONE, "expert_up"] == told[CoreKind.NONE, "shared_down"] == "nvfp4"


@pytest.mark.parametrize(("model", "form"), [(DENSE, "nvfp4"), (HYBRID, "mxfp8"), (HYBRID, "bf16")])
def test_elsewhere_all_but_routers_have_the_format_that_was_asked_for(model, form):
    assert kept_by(model, form) is None
    narrow = {told for (_, name), told in formats(model, form).items() if name != "router"}
    assert narrow == {form}


def test_routers_are_never_narrow():
    router = next(one for run in HYBRID.runs for one in run.layer.matrices if one.role is Role.ROUTER)
    layer = HYBRID.runs[0].layer
    assert matrix_format(kept_by(HYBRID, "nvfp4"), layer, router, "nvfp4") == WIDE


@pytest.mark.parametrize(("model", "form"), [(HYBRID, "nvfp4"), (HYBRID, "mxfp8"), (DENSE, "nvfp4")])
def test_every_layer_has_one_format(model, form):
    """Shares of all runs of layers are all layers, those for multi-token prediction included."""
    told = list(layer_formats(model, form))
    assert sum(count for _, count, _ in told) == pytest.approx(
        sum(run.count for run in (*model.runs, *model.draft_runs))
    )


def test_the_last_layers_of_a_hybrid_and_its_drafts_stay_wide():
    """14 of 88 layers by the published recipe."""
    wide = sum(count for run, count, form in layer_formats(HYBRID, "nvfp4") if form == WIDE and run in HYBRID.runs)
    assert wide == pytest.approx(14, abs=0.01)
    assert {form for run, _, form in layer_formats(HYBRID, "nvfp4") if run in HYBRID.draft_runs} == {WIDE}
    assert load_kept()["nvfp4"].last_layers.low == 0
