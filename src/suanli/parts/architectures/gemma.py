"""What Gemma 3n and 4 add: experts beside the dense block, an input for each layer, alternating updates."""

from __future__ import annotations

from suanli.domain.model import Matrix, Role
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.feedforward import dense, experts
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import EXTRAS, FEEDS, OUTERS, Piece, Spot


def dense_beside_experts(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make Gemma 4's feed-forward: a dense block, and a mixture beside it where the config says so."""
    plain = dense(fields, family, spot)
    if not fields.flag("enable_moe_block"):
        return plain
    mixture = experts(fields, family, spot)
    return Piece(
        matrices=plain.matrices + mixture.matrices,
        vectors=plain.vectors + mixture.vectors,
        experts=mixture.experts,
        experts_per_token=mixture.experts_per_token,
        gated=plain.gated,
    )


def layer_input(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make the gate and projection of a layer's own input, and its norm; nothing where the config has none."""
    width, hidden = fields.count("hidden_size_per_layer_input", 0, least=0), fields.count("hidden_size")
    if not width:
        return Piece()
    matrices = (
        Matrix(name="layer_input_gate", role=Role.MIXER, inputs=hidden, outputs=width),
        Matrix(name="layer_input_out", role=Role.MIXER, inputs=width, outputs=hidden),
    )
    return Piece(matrices=matrices, vectors=hidden)


def layer_input_tables(fields: Fields, family: Family) -> Piece:
    """Make the table of every layer's own input, its projection and norm."""
    width, hidden = fields.count("hidden_size_per_layer_input", 0, least=0), fields.count("hidden_size")
    if not width:
        return Piece()
    outputs = fields.count("num_hidden_layers") * width
    rows = fields.count("vocab_size_per_layer_input")
    table = Matrix(name="layer_table", role=Role.EMBEDDING, inputs=rows, outputs=outputs, active=0.0)
    projection = Matrix(name="layer_projection", role=Role.MIXER, inputs=hidden, outputs=outputs)
    return Piece(matrices=(table, projection), vectors=width)


def alternating(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make Gemma 3n's additions to a layer: low-rank residual, alternating updates, and the layer's own input."""
    hidden, number, rank = fields.count("hidden_size"), fields.count("altup_num_inputs"), fields.count("laurel_rank")
    own = layer_input(fields, family, spot)
    matrices = (
        Matrix(name="residual_down", role=Role.MIXER, inputs=hidden, outputs=rank),
        Matrix(name="residual_up", role=Role.MIXER, inputs=rank, outputs=hidden),
        Matrix(name="correction", role=Role.MIXER, inputs=number, outputs=number),
        Matrix(name="prediction", role=Role.MIXER, inputs=number, outputs=number * number),
        Matrix(name="modality", role=Role.MIXER, inputs=hidden, outputs=number),
        *own.matrices,
    )
    return Piece(matrices=matrices, vectors=own.vectors + hidden + 2 * hidden)


def alternating_tables(fields: Fields, family: Family) -> Piece:
    """Make Gemma 3n's tables and the projections into and out of its alternating streams."""
    hidden, number = fields.count("hidden_size"), fields.count("altup_num_inputs")
    own = layer_input_tables(fields, family)
    into = Matrix(name="streams_in", role=Role.MIXER, inputs=hidden, outputs=(number - 1) * hidden)
    out = Matrix(name="streams_out", role=Role.MIXER, inputs=hidden, outputs=(number - 1) * hidden)
    return Piece(matrices=(*own.matrices, into, out), vectors=own.vectors)


FEEDS.add("dense_beside_experts", dense_beside_experts)
EXTRAS.add("layer_input", layer_input)
EXTRAS.add("alternating", alternating)
OUTERS.add("layer_input", layer_input_tables)
OUTERS.add("alternating", alternating_tables)
