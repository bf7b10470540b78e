"""The model of a published run: from the shape in its columns, or from the packaged model of its name."""

from __future__ import annotations

from dataclasses import replace

from suanli.domain.model import Core, CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.foundation.language import tr
from suanli.parts.architectures.read import find_name, named_model
from suanli.validation.reading import Reading
from suanli.validation.rows import Record

SHAPE = ("hidden", "heads")
MILLIARD = 10**9


def read_run_model(record: Record, reading: Reading) -> Model | None:
    """Build the model of a row; None where its shape is not given and its name not known.

    Latent attention and hybrids cannot be told by columns, so they go by name.
    """
    name = record.text("model_name")
    shaped = all(record.count(column) for column in SHAPE)
    by_columns = shaped and record.text("arch") not in ("moe-mla", "hybrid/other")
    known = find_name(name)
    named = without_drafts(named_model(known), record) if known else None
    if not by_columns:
        return named
    return named if named is not None and _agrees(named, record) else model_of_columns(record, reading)


def _agrees(model: Model, record: Record) -> bool:
    """Say whether a packaged model of experts or windows has the shape that a row's columns tell: they know neither."""
    layers, hidden = record.count("layers"), record.count("hidden")
    more = any(run.layer.experts > 1 or run.layer.core.window for run in model.runs)
    return more and model.hidden == hidden and sum(run.count for run in model.runs) == layers


def without_drafts(model: Model, record: Record) -> Model:
    """Leave out layers for multi-token prediction where the row says that the run did."""
    return replace(model, draft_runs=()) if "w/o MTP" in record.text("notes") else model


def model_of_columns(record: Record, reading: Reading) -> Model | None:
    """Build a model from the columns that tell its shape; None where the number of layers cannot be told."""
    hidden, vocabulary = record.count("hidden") or 0, _vocabulary(record, reading)
    layer = _layer(record, hidden)
    layers = record.count("layers") or _layers_of_size(record, layer, hidden, vocabulary)
    if not layers:
        return None
    return Model(
        name=record.text("model_name"),
        family=record.text("arch"),
        hidden=hidden,
        vocabulary=vocabulary,
        runs=(LayerRun(layer=layer, count=layers),),
        embedding_parameters=vocabulary * hidden,
        tied_head=record.text("arch") == "gpt",
        head_bias=0,
        final_vector_parameters=hidden,
        max_positions=None,
        dtype="bfloat16",
    )


def _vocabulary(record: Record, reading: Reading) -> int:
    """Read the vocabulary; unsaid, that of the model's kind."""
    fallback = reading.defaults["vocab_gpt" if record.text("arch") == "gpt" else "vocab_other"]
    return record.count("vocab") or int(fallback)


def _layer(record: Record, hidden: int) -> Layer:
    """Build the one kind of layer that columns can tell: softmax attention and an MLP, dense or of experts."""
    core = _core(record, hidden)
    gated = bool(record.number("gated_mlp") or 0)
    inner = record.count("ffn_hidden") or (2 + 2) * hidden
    experts, chosen = record.count("experts") or 0, record.count("experts_per_token") or 0
    columns, rows = (core.heads + 2 * core.kv_heads) * core.qk_head_dim, core.heads * core.v_head_dim
    return Layer(
        name="attention + mlp",
        parallel="parallel block" in record.text("notes"),
        core=core,
        matrices=(
            Matrix(name="keys", role=Role.ATTENTION_IN, inputs=hidden, outputs=columns),
            Matrix(name="attention_out", role=Role.ATTENTION_OUT, inputs=rows, outputs=hidden),
            *_feed(hidden, inner, gated, experts, chosen),
        ),
        vector_parameters=2 * hidden,
        experts=experts,
        experts_per_token=chosen,
        gated=gated,
    )


def _core(record: Record, hidden: int) -> Core:
    """Build the attention's core; unsaid, every head has keys of its own and the heads share out the hidden state."""
    heads = record.count("heads") or 1
    if heads > hidden:
        record.fault("heads", record.text("heads"), tr("at most {bound}", bound=hidden))
    kv_heads = record.count("kv_heads") or heads
    head_dim = record.count("head_dim") or hidden // heads
    return Core(
        kind=CoreKind.SOFTMAX, heads=heads, kv_heads=kv_heads, qk_head_dim=head_dim, v_head_dim=head_dim,
        cached_elements=2 * kv_heads * head_dim,
    )  # fmt: skip


def _feed(hidden: int, inner: int, gated: bool, experts: int, chosen: int) -> tuple[Matrix, ...]:
    wide, active = 2 * inner if gated else inner, float(chosen)
    if experts < 2:
        return (
            Matrix(name="mlp_in", role=Role.MLP_IN, inputs=hidden, outputs=wide),
            Matrix(name="mlp_out", role=Role.MLP_OUT, inputs=inner, outputs=hidden),
        )
    return (
        Matrix(name="router", role=Role.ROUTER, inputs=hidden, outputs=experts),
        Matrix(name="expert_in", role=Role.EXPERT_IN, inputs=hidden, outputs=wide, copies=experts, active=active),
        Matrix(name="expert_out", role=Role.EXPERT_OUT, inputs=inner, outputs=hidden, copies=experts, active=active),
    )


def _layers_of_size(record: Record, layer: Layer, hidden: int, vocabulary: int) -> int:
    """Tell the layers from the printed size in the model's name or the parameter count, to whole pipeline stages."""
    billions = record.number("params_b") or _size_in_name(record.text("model_name"))
    if not billions:
        return 0
    each = sum(matrix.inputs * matrix.outputs * matrix.copies for matrix in layer.matrices)
    exact = (billions * MILLIARD - vocabulary * hidden) / each
    stages = record.count("pp") or 1
    return max(round(exact / stages), 1) * stages


def _size_in_name(name: str) -> float:
    digits = name.rstrip("Bb").rsplit("-", 1)[-1]
    return float(digits) if digits.replace(".", "", 1).isdigit() and name[-1:] in "Bb" else 0.0
