"""Latent attention: keys and values kept as one narrow latent (MLA), with a sparse index where the config has one."""

from __future__ import annotations

from suanli.domain.model import Core, CoreKind, Matrix, Role
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import MIXERS, Piece, Spot


def _entry(name: str, inputs: int, outputs: int, bias: int = 0) -> Matrix:
    return Matrix(name=name, role=Role.ATTENTION_IN, inputs=inputs, outputs=outputs, bias=bias * outputs)


def _queries(fields: Fields, hidden: int, queries: int, bias: int) -> tuple[tuple[Matrix, ...], int]:
    """Matrices and norm of the queries: through a latent of their own where q_lora_rank says one."""
    if not fields.says("q_lora_rank"):
        return (_entry("query", hidden, queries),), 0
    rank = fields.count("q_lora_rank")
    return (_entry("query_down", hidden, rank, bias), _entry("query_up", rank, queries)), rank


def _index(fields: Fields, hidden: int) -> tuple[tuple[Matrix, ...], int, int, int]:
    """Matrices of the sparse index, its norm's parameters, its heads and their width."""
    heads, width = fields.count("index_n_heads"), fields.count("index_head_dim")
    rank = fields.count("q_lora_rank")
    matrices = (
        Matrix(name="index_query", role=Role.INDEXER, inputs=rank, outputs=heads * width),
        Matrix(name="index_key", role=Role.INDEXER, inputs=hidden, outputs=width),
        Matrix(name="index_weights", role=Role.INDEXER, inputs=hidden, outputs=heads),
    )
    return matrices, 2 * width, heads, width


def latent(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make the latent attention at a spot; one token leaves its latent and its rotary key in the cache."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    rank, rotary = fields.count("kv_lora_rank"), fields.count("qk_rope_head_dim", least=0)
    plain, value = fields.count("qk_nope_head_dim"), fields.count("v_head_dim")
    bias = fields.rule(family.query_bias)
    query_matrices, query_norm = _queries(fields, hidden, heads * (plain + rotary), bias)
    matrices = (
        *query_matrices,
        _entry("latent_down", hidden, rank + rotary, bias),
        _entry("latent_up", rank, heads * (plain + value)),
        Matrix(
            name="attention_out",
            role=Role.ATTENTION_OUT,
            inputs=heads * value,
            outputs=hidden,
            bias=fields.rule(family.output_bias) * hidden,
        ),
    )
    if fields.flag("mla_use_output_gate"):
        matrices += (_entry("gate", hidden, heads * value),)
    vectors, index_heads, index_width, selected = rank + query_norm, 0, 0, None
    cached = rank + rotary
    if fields.says("index_topk"):
        selected = fields.count("index_topk")
        index_matrices, index_vectors, index_heads, index_width = _index(fields, hidden)
        if spot.word != "shared":
            matrices, vectors = matrices + index_matrices, vectors + index_vectors
            cached += index_width
        else:
            index_heads = index_width = 0
    core = Core(
        kind=CoreKind.LATENT,
        heads=heads,
        kv_heads=1,
        qk_head_dim=plain + rotary,
        v_head_dim=value,
        selected=selected,
        index_heads=index_heads,
        index_head_dim=index_width,
        cached_elements=cached,
    )
    return Piece(matrices=matrices, vectors=vectors, core=core)


MIXERS.add("latent", latent)
