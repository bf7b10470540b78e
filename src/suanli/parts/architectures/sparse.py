"""Attention over a compressed or indexed cache: DeepSeek V4's compressors and streams, MiniMax M3's block index."""

from __future__ import annotations

from dataclasses import replace

from suanli.domain.model import Core, CoreKind, Matrix, Role
from suanli.parts.architectures.attention import softmax
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import EXTRAS, MIXERS, OUTERS, Piece, Spot

OVERLAP = 2
"""DeepSeek V4's finer compressor keeps two overlapping series for each entry."""


def _entry(name: str, inputs: int, outputs: int, role: Role = Role.ATTENTION_IN) -> Matrix:
    return Matrix(name=name, role=role, inputs=inputs, outputs=outputs)


def shared_key(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make DeepSeek V4's window attention: one head of key that is also value, output through groups of low rank."""
    hidden, heads, width = fields.count("hidden_size"), fields.count("num_attention_heads"), fields.count("head_dim")
    rank, groups, out_rank = fields.count("q_lora_rank"), fields.count("o_groups"), fields.count("o_lora_rank")
    window = fields.count("sliding_window")
    matrices = (
        _entry("query_down", hidden, rank),
        _entry("query_up", rank, heads * width),
        _entry("key_value", hidden, width),
        _entry("out_down", max(heads * width // groups, 1), groups * out_rank, Role.ATTENTION_OUT),
        _entry("out_up", groups * out_rank, hidden, Role.ATTENTION_OUT),
    )
    core = Core(
        kind=CoreKind.SOFTMAX,
        heads=heads,
        kv_heads=1,
        qk_head_dim=width,
        v_head_dim=width,
        window=window,
        stride=0,
        state_elements=window * width,
    )
    return Piece(matrices=matrices, vectors=rank + width + heads, core=core)


def _compressor(name: str, hidden: int, width: int, stride: int, overlap: int, role: Role) -> Piece:
    """Two matrices to values and weights, a bias for each position of a block, a norm."""
    matrices = (
        _entry(f"{name}_value", hidden, overlap * width, role),
        _entry(f"{name}_weight", hidden, overlap * width, role),
    )
    return Piece(matrices=matrices, vectors=stride * overlap * width + width)


def _stride(fields: Fields, word: str) -> int:
    return fields.section("compress_rates").count(word, fields.count(word))


def heavily_compressed(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make window attention with one more cached entry for each long block of tokens."""
    near, width = shared_key(fields, family, spot), fields.count("head_dim")
    stride = _stride(fields, "heavily_compressed_attention")
    far = _compressor("compressor", fields.count("hidden_size"), width, stride, 1, Role.ATTENTION_IN)
    return _joined(near, (far,), stride=stride, cached_elements=width / stride)


def compressed(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make window attention with one cached entry for each short block, of which an index selects some."""
    near, width, hidden = shared_key(fields, family, spot), fields.count("head_dim"), fields.count("hidden_size")
    stride = _stride(fields, "compressed_sparse_attention")
    index_heads, index_width = fields.count("index_n_heads"), fields.count("index_head_dim")
    far = _compressor("compressor", hidden, width, stride, OVERLAP, Role.ATTENTION_IN)
    index = _compressor("index", hidden, index_width, stride, OVERLAP, Role.INDEXER)
    scoring = Piece(
        matrices=(
            _entry("index_query", fields.count("q_lora_rank"), index_heads * index_width, Role.INDEXER),
            _entry("index_weights", hidden, index_heads, Role.INDEXER),
        )
    )
    return _joined(
        near,
        (far, index, scoring),
        stride=stride,
        cached_elements=(width + index_width) / stride,
        selected=fields.count("index_topk"),
        index_heads=index_heads,
        index_head_dim=index_width,
    )


def _joined(near: Piece, more: tuple[Piece, ...], **core: float) -> Piece:
    assert near.core is not None
    return Piece(
        matrices=near.matrices + tuple(matrix for piece in more for matrix in piece.matrices),
        vectors=near.vectors + sum(piece.vectors for piece in more),
        core=replace(near.core, **core),  # type: ignore[arg-type]
    )


def streams(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make the mixing of several residual streams around the two blocks of a layer."""
    number, hidden = fields.count("hc_mult"), fields.count("hidden_size")
    mixed = number * number + 2 * number
    matrix = Matrix(name="streams", role=Role.MIXER, inputs=number * hidden, outputs=mixed, bias=mixed)
    return Piece(matrices=(replace(matrix, name="attention_streams"), replace(matrix, name="mlp_streams")), vectors=6)


def stream_head(fields: Fields, family: Family) -> Piece:
    """Make the collapse of the residual streams before the last norm."""
    number, hidden = fields.count("hc_mult"), fields.count("hidden_size")
    return Piece(
        matrices=(Matrix(name="stream_head", role=Role.MIXER, inputs=number * hidden, outputs=number, bias=number),),
        vectors=1,
    )


def indexed(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make grouped attention that reads only the blocks an index selects (MiniMax M3)."""
    plain, hidden = softmax(fields, family, spot), fields.count("hidden_size")
    assert plain.core is not None
    heads, width = fields.count("index_n_heads"), fields.count("index_head_dim")
    matrices = (
        _entry("index_query", hidden, heads * width, Role.INDEXER),
        _entry("index_key", hidden, width, Role.INDEXER),
    )
    core = replace(
        plain.core,
        selected=fields.count("index_topk_blocks") * fields.count("index_block_size"),
        index_heads=heads,
        index_head_dim=width,
        cached_elements=plain.core.cached_elements + width,
    )
    return Piece(matrices=plain.matrices + matrices, vectors=plain.vectors + 2 * width, core=core)


MIXERS.add("shared_key", shared_key)
MIXERS.add("heavily_compressed", heavily_compressed)
MIXERS.add("compressed", compressed)
MIXERS.add("indexed", indexed)
EXTRAS.add("streams", streams)
OUTERS.add("streams", stream_head)
