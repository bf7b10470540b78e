"""Put a model together from a config: layers from pieces, equal layers counted, tables, head and draft layers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from suanli.domain.model import Core, CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.parts.architectures.families import Family, table
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.hybrids import BLOCKS
from suanli.parts.architectures.pieces import EXTRAS, FEEDS, MIXERS, OUTERS, PATTERNS, Piece, Spot


def norm_vectors(fields: Fields, family: Family, width: int) -> int:
    """Parameters of one norm of the family over `width` channels."""
    scale = fields.rule(family.norm_scale)
    return width * (scale + scale * fields.rule(family.norm_bias))


def build_layer(fields: Fields, family: Family, spot: Spot) -> Layer:
    """Make the layer at a spot from its mixer, its feed-forward and what the family adds."""
    mixer = MIXERS[spot.mixer](fields, family, spot)
    feed = FEEDS[spot.feed](fields, family, spot)
    pieces = [mixer, feed] + ([EXTRAS[family.extra](fields, family, spot)] if family.extra else [])
    blocks = (spot.mixer != "none") + (spot.feed != "none")
    norms = fields.rule(family.norms) if blocks == 2 else blocks
    matrices = tuple(matrix for piece in pieces for matrix in piece.matrices)
    vectors = sum(piece.vectors for piece in pieces) + family.layer_vectors
    kind = f"windowed {spot.mixer}" if spot.windowed else spot.mixer
    return Layer(
        name=" + ".join(part for part in (kind, spot.feed) if part != "none"),
        core=mixer.core or Core(kind=CoreKind.NONE),
        matrices=matrices,
        vector_parameters=vectors + norms * norm_vectors(fields, family, fields.count("hidden_size")),
        experts=feed.experts,
        experts_per_token=feed.experts_per_token,
        gated=feed.gated,
        norms=norms,
        parallel=bool(fields.rule(family.parallel)),
    )


def build_runs(fields: Fields, family: Family, spots: list[Spot]) -> tuple[LayerRun, ...]:
    """Make every layer and count the equal ones."""
    found = Counter(build_layer(fields, family, spot) for spot in spots)
    return tuple(LayerRun(layer=layer, count=count) for layer, count in found.items())


def draft_spots(fields: Fields, spots: list[Spot]) -> list[Spot]:
    """Return the layers of one draft step: as the config lists them, else the model's last layer again."""
    words = fields.words("mtp_layers_block_type", BLOCKS)
    if words is None:
        return spots[-1:]
    placed = [BLOCKS.get(word, ("none", "none")) for word in words]
    return [Spot(index=index, mixer=mixer, feed=feed) for index, (mixer, feed) in enumerate(placed)]


def build_drafts(fields: Fields, family: Family, spots: list[Spot]) -> tuple[LayerRun, ...]:
    """Make the layers for multi-token prediction; the first of a step joins two hidden states and holds three norms."""
    number = fields.count("num_nextn_predict_layers", 0, least=0)
    if not number or not spots:
        return ()
    hidden = fields.count("hidden_size")
    joint = Matrix(name="joint", role=Role.MLP_IN, inputs=2 * hidden, outputs=hidden)
    runs = []
    for place, spot in enumerate(draft_spots(fields, spots)):
        layer = build_layer(fields, family, spot)
        first = place == 0
        drafted = replace(
            layer,
            name=f"draft: {layer.name}",
            matrices=(joint, *layer.matrices) if first else layer.matrices,
            vector_parameters=layer.vector_parameters + first * (1 + 2) * norm_vectors(fields, family, hidden),
            norms=layer.norms + first * (1 + 2),
        )
        runs.append(LayerRun(layer=drafted, count=number))
    return tuple(runs)


def embedding_of(fields: Fields, family: Family, width: int) -> int:
    """Count the parameters of the token table and of learned positions."""
    vocabulary = fields.count("vocab_size")
    learned = family.positions
    rows = fields.count(learned) + family.positions_offset if learned else 0
    return vocabulary * width + rows * fields.count("hidden_size")


def outer_piece(fields: Fields, family: Family) -> Piece:
    """Make what the family adds outside the layers."""
    return OUTERS[family.outer](fields, family) if family.outer else Piece()


def outer(fields: Fields, family: Family, width: int) -> tuple[Matrix, ...]:
    """Make the matrices outside the layers: between a narrow token table and the hidden width."""
    hidden = fields.count("hidden_size")
    more = outer_piece(fields, family).matrices
    if width == hidden:
        return more
    return (
        Matrix(name="project_in", role=Role.EMBEDDING, inputs=width, outputs=hidden),
        Matrix(name="project_out", role=Role.EMBEDDING, inputs=hidden, outputs=width),
        *more,
    )


def outer_vectors(fields: Fields, family: Family, hidden: int) -> int:
    """Count the norms outside the layers: after the last one, and after the token table."""
    count = fields.rule(family.final_norm) + int(family.embedding_norm)
    return count * norm_vectors(fields, family, hidden) + outer_piece(fields, family).vectors


def build_model(fields: Fields, family: Family, name: str) -> Model:
    """Make the model that a config describes. Raises InputError with every fault found."""
    hidden, layers = (
        fields.count("hidden_size"),
        fields.count("num_hidden_layers", most=table()["limits"]["most_layers"]),
    )
    width = fields.count("word_embed_proj_dim", hidden)
    spots = PATTERNS[family.pattern](fields, family, layers)
    tied = fields.flag("tie_word_embeddings", family.tied)
    vocabulary = fields.count("vocab_size")
    model = Model(
        name=name,
        family=family.name,
        hidden=hidden,
        vocabulary=vocabulary,
        runs=build_runs(fields, family, spots),
        embedding_parameters=embedding_of(fields, family, width),
        tied_head=tied,
        head_bias=fields.rule(family.head_bias) * vocabulary,
        final_vector_parameters=outer_vectors(fields, family, hidden),
        max_positions=fields.count("max_position_embeddings") if fields.says("max_position_embeddings") else None,
        dtype=dtype_of(fields),
        draft_runs=build_drafts(fields, family, spots),
        outer_matrices=outer(fields, family, width),
        embedding_width=0 if width == hidden else width,
    )
    fields.raise_faults()
    return model


def dtype_of(fields: Fields) -> str:
    """Return the number format that the config names, bfloat16 where it names none."""
    named = fields.value("dtype")
    if named is None:
        return "bfloat16"
    if not isinstance(named, str):
        fields.fault("dtype", named, "a word, such as bfloat16")
        return "bfloat16"
    return named.removeprefix("torch.")
