"""What people call the matrices of a model: names and groups that adapters' files use, and what they stand for here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from suanli.domain.model import Layer, Matrix, Role
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.parts.architectures.families import families

EXPERTS = (Role.EXPERT_IN, Role.EXPERT_OUT)
ATTENTION = (Role.ATTENTION_IN, Role.ATTENTION_OUT)
FEED_FORWARD = (Role.MLP_IN, Role.MLP_OUT, Role.SHARED_IN, Role.SHARED_OUT, *EXPERTS)
LINEAR = (*ATTENTION, Role.MIXER, *FEED_FORWARD)
GROUPS: Mapping[str, tuple[Role, ...]] = {
    "all": LINEAR, "all-linear": (*LINEAR, Role.INDEXER), "attention": ATTENTION, "mlp": FEED_FORWARD,
    "experts": EXPERTS, "router": (Role.ROUTER,),
}  # fmt: skip
"""Groups of matrices that may be named together."""
QKV = ("query", "key", "value")
GATE_UP = ("mlp_gate", "mlp_up", "shared_gate", "shared_up", "expert_gate", "expert_up")
UP, DOWN = ("mlp_up", "shared_up", "expert_up"), ("mlp_down", "shared_down", "expert_down")
QUERY = ("query", "query_up", "query_down")
NAMES: Mapping[str, tuple[str, ...]] = {
    "q_proj": QUERY, "k_proj": ("key",), "v_proj": ("value",),
    **dict.fromkeys(("o_proj", "out_proj", "wo"), ("attention_out", "mixer_out")),
    **dict.fromkeys(("qkv_proj", "c_attn", "query_key_value", "W_pack", "wqkv", "Wqkv", "linear_qkv"), (*QKV, "keys")),
    "dense": ("attention_out",), "linear_proj": ("attention_out",),
    "q_a_proj": ("query_down",), "q_b_proj": ("query_up",),
    "kv_a_proj_with_mqa": ("latent_down",), "kv_b_proj": ("latent_up",),
    "gate_proj": ("mlp_gate", "shared_gate", "expert_gate"), "w1": ("mlp_gate", "expert_gate"),
    **dict.fromkeys(("up_proj", "c_fc", "fc1", "fc_in", "dense_h_to_4h"), UP), "w3": UP,
    **dict.fromkeys(("down_proj", "fc2", "fc_out", "dense_4h_to_h", "linear_fc2"), DOWN), "w2": DOWN,
    "c_proj": ("attention_out", *DOWN), **dict.fromkeys(("gate_up_proj", "linear_fc1"), GATE_UP),
    "in_proj": ("input_gate", "input_gate_sides_step"), "x_proj": ("step_sides",), "dt_proj": ("step_up",),
}  # fmt: skip
"""What adapters' own files call matrices of all families, and what they are called here."""
TABLES: Mapping[str, Role] = {
    **dict.fromkeys(("embed", "embed_tokens", "wte", "embed_in", "word_embeddings", "tok_embeddings"), Role.EMBEDDING),
    **dict.fromkeys(("lm_head", "embed_out", "output"), Role.HEAD),
}  # fmt: skip
"""What they call the token table and the head."""


def is_adaptable(matrix: Matrix) -> bool:
    """Say whether an adapter can stand beside a matrix: linear ones and routers, not tables or filters."""
    return matrix.role in GROUPS["all-linear"] or (matrix.role is Role.ROUTER and matrix.name == Role.ROUTER.value)


def named(layers: Iterable[Layer], said: Iterable[str], place: str, tables: bool = False) -> frozenset[str]:
    """Return the names of the matrices that words name in a model's layers; roles of tables where they may be named.

    Raises InputError where one names none.
    """
    matrices = [matrix for layer in layers for matrix in layer.matrices if is_adaptable(matrix)]
    own = {matrix.name for matrix in matrices}
    found: set[str] = set()
    faults = []
    for word in said:
        hit = _hit(word, matrices, tables)
        if not hit:
            known = [one for one in (*GROUPS, *NAMES, *TABLES) if _hit(one, matrices, tables)]
            hint = did_you_mean(word, [*known, *own])
            allowed = ", ".join([*known, *sorted(own - set(known))])
            faults.append(Fault(place=place, found=f"'{word}'", allowed=allowed, hint=hint))
        found |= hit
    if faults:
        raise InputError(faults)
    return frozenset(found)


def _hit(word: str, matrices: Sequence[Matrix], tables: bool) -> set[str]:
    """Return the names of the matrices, or the role of the table, that one word names; nothing where it names none."""
    names = (word, *NAMES.get(word, ()))
    hit = {one.name for one in matrices if one.name in names or one.role in GROUPS.get(word, ())}
    return hit | ({TABLES[word].value} if tables and word in TABLES else set())


def stored_as_one(family: str) -> tuple[tuple[str, ...], ...]:
    """Say which matrices of a family's layers its code stores as one: queries, keys and values; gate and up."""
    known = families().get(family)
    fused = known.fused if known is not None else ()
    return tuple({"qkv": QKV, "gate_up": GATE_UP, "experts": ("expert_gate", "expert_up")}[word] for word in fused)


def joined(matrices: Collection[Matrix], family: str) -> tuple[Matrix, ...]:
    """Join matrices that a family's code stores as one, and that so have one adapter.

    Those of them that are absent from the collection are left out of what is joined.
    """
    groups = stored_as_one(family)
    made: dict[object, Matrix] = {}
    for matrix in matrices:
        at = next((at for at, names in enumerate(groups) if matrix.name in names), None)
        key = matrix.name if at is None else (at, matrix.role, matrix.inputs, matrix.copies)
        first = made.get(key)
        made[key] = matrix if first is None else replace(first, outputs=first.outputs + matrix.outputs)
    return tuple(made.values())
