"""Drafters of speculative decoding as models of their own: what each pass of one computes, and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from suanli.domain.model import Core, CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.domain.serving import DraftKind
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr
from suanli.parts.architectures.feedforward import PLAIN, block

INPUTS = {DraftKind.EAGLE: 2, DraftKind.EAGLE3: 3}
"""How many hidden vectors the first matrix of an EAGLE head joins: token and feature, or three features."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drafter:
    """A drafter: the model of one pass, passes for one step, how often its weights are held, whether it reads prompts.

    `own_format` says that it is kept in the base model's number formats, as layers of its checkpoint are.
    """

    model: Model
    passes: float
    copies: float = 1.0
    reads_prompts: bool = True
    own_format: bool = False


def drafter_of(
    kind: DraftKind, model: Model, drafts: float, vocabulary: float, widening: float, own: Model | None
) -> Drafter | None:
    """Make the drafter of a kind for so many drafts; None where no model drafts.

    `vocabulary` is how many tokens an EAGLE-3 head chooses among, `widening` the width of a head's feed-forward over
    the hidden width where the model has no dense layer. Raises InputError where the model cannot have such a drafter.
    """
    if kind is DraftKind.NGRAM:
        return None
    if kind is DraftKind.MODEL:
        if own is None:
            raise _refused(tr("no draft model"), tr("a config.json, its folder, or a packaged model's name"))
        return Drafter(model=own, passes=drafts)
    if kind is DraftKind.MTP:
        return _predicting(model, drafts)
    if kind is DraftKind.MEDUSA:
        return Drafter(model=_medusa(model, int(drafts)), passes=1.0, reads_prompts=False)
    return Drafter(model=_eagle(kind, model, vocabulary, widening), passes=drafts)


def _refused(found: str, allowed: str) -> InputError:
    return InputError.single(place="--draft", found=found, allowed=allowed)


def _predicting(model: Model, drafts: float) -> Drafter:
    """Make the drafter of a model's own layers for multi-token prediction; fewer layers than drafts serve again."""
    if not model.draft_runs:
        raise _refused(
            tr("mtp, and no such layers in {model}", model=model.name), "eagle, eagle3, medusa, ngram, " + tr("a model")
        )
    runs = tuple(LayerRun(layer=run.layer, count=1) for run in model.draft_runs)
    held = max(run.count for run in model.draft_runs)
    return Drafter(model=_beside(model, f"{model.name}: mtp", runs), passes=drafts, copies=float(held), own_format=True)


def _beside(model: Model, name: str, runs: tuple[LayerRun, ...]) -> Model:
    """Make a model of some layers that shares the base model's tables."""
    return replace(
        model, name=name, runs=runs, embedding_parameters=0, tied_head=True, head_bias=0, final_vector_parameters=0,
        draft_runs=(), outer_matrices=(),
    )  # fmt: skip


def _attending(model: Model) -> Layer:
    """Return the last layer that attends. Raises InputError where none does."""
    found = [run.layer for run in model.runs if run.layer.core.attends]
    if not found:
        raise _refused(tr("a head that attends, and no attention in {model}", model=model.name), "ngram, medusa")
    return found[-1]


def _dense_width(model: Model, widening: float) -> int:
    """Return the width of a head's feed-forward: that of the model's dense layers, else of the hidden one widened."""
    for run in model.runs:
        for matrix in run.layer.matrices:
            if matrix.role is Role.MLP_OUT:
                return matrix.inputs
    return int(widening * model.hidden)


def _whole(core: Core) -> Core:
    """Return a core that looks back without bound and chooses nothing."""
    return replace(
        core, window=None, selected=None, stride=1, index_heads=0, index_head_dim=0,
        cached_elements=core.attended_elements,
    )  # fmt: skip


def _eagle(kind: DraftKind, model: Model, vocabulary: float, widening: float) -> Model:
    """Make an EAGLE head: a matrix that joins hidden vectors, one dense layer like the model's own, a head to tokens.

    An EAGLE-3 layer attends over token and feature side by side, and has a head of its own to fewer tokens.
    """
    like, hidden = _attending(model), model.hidden
    third = kind is DraftKind.EAGLE3
    wide = 2 if third and like.core.kind is CoreKind.SOFTMAX else 1
    attention = tuple(
        replace(matrix, inputs=matrix.inputs * (wide if matrix.role is Role.ATTENTION_IN else 1))
        for matrix in like.matrices
        if matrix.role in (Role.ATTENTION_IN, Role.ATTENTION_OUT)
    )
    joint = Matrix(name="joint", role=Role.MLP_IN, inputs=INPUTS[kind] * hidden, outputs=hidden)
    feed = block(hidden, _dense_width(model, widening), PLAIN, gated=like.gated)
    layer = Layer(
        name=f"draft: {kind.value}", core=_whole(like.core), matrices=(joint, *attention, *feed), gated=like.gated,
        vector_parameters=3 * hidden, norms=3,
    )  # fmt: skip
    made = _beside(model, f"{model.name}: {kind.value}", (LayerRun(layer=layer, count=1),))
    return replace(made, vocabulary=int(min(vocabulary, model.vocabulary)), tied_head=False) if third else made


def _medusa(model: Model, heads: int) -> Model:
    """Make Medusa heads: for each a residual square matrix and a matrix to the vocabulary, all in one pass."""
    hidden = model.hidden
    squares = tuple(
        Matrix(name=f"residual_{index}", role=Role.MLP_IN, inputs=hidden, outputs=hidden) for index in range(heads)
    )
    layer = Layer(
        name="draft: medusa", core=Core(kind=CoreKind.NONE), matrices=squares, gated=False, vector_parameters=0, norms=0
    )
    made = _beside(model, f"{model.name}: medusa", (LayerRun(layer=layer, count=1),))
    return replace(made, vocabulary=model.vocabulary * heads, tied_head=False)
