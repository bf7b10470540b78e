"""The table of families: which blocks a model_type is made of, and under which keys its config says their sizes."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from typing import Any

from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr
from suanli.parts.architectures.fields import Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What the models of one `model_type` have in common; each field is explained in `data/models/families.toml`."""

    name: str
    attention: str = "softmax"
    linear: str = "gated_delta"
    pattern: str = "named"
    feed: str = "dense"
    sparse: str = "all"
    norms: Rule = 2
    norm_scale: Rule = True
    norm_bias: Rule = False
    gated: Rule = True
    query_bias: Rule = False
    output_bias: Rule = False
    mlp_bias: Rule = False
    head_bias: Rule = False
    query_norm: str = ""
    query_norm_when: Rule = True
    query_norm_bias: bool = False
    attention_gate: str = ""
    attention_gate_when: Rule = True
    sinks: str = ""
    value_width: bool = False
    heads_per_kv_head: bool = False
    parallel: Rule = False
    tied: bool = False
    positions: str = ""
    positions_offset: int = 0
    embedding_norm: bool = False
    final_norm: Rule = True
    expert_width: str = "moe_intermediate_size"
    expert_bias: Rule = False
    router_bias: Rule = False
    router_vectors: str = ""
    shared: str = ""
    shared_gate: bool = False
    dense_width: str = "intermediate_size"
    widening: int = 0
    sliding: Rule = False
    state_norm: bool = False
    extra: str = ""
    outer: str = ""
    prepare: str = ""
    layer_vectors: int = 0
    draft: str = ""
    oracle: str = "transformers"
    fused: tuple[str, ...] = ()
    value_view: bool = False
    stepwise_gelu: bool = False
    sliding_keys: Mapping[str, str] = field(default_factory=dict)
    full_keys: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    key_notes: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def table() -> Mapping[str, Any]:
    """Return the whole table as the file says it."""
    text = files("suanli").joinpath("data/models/families.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _inherited(name: str, families: Mapping[str, Any]) -> dict[str, Any]:
    own = dict(families[name])
    base = own.pop("like", None)
    if base is None:
        return own
    merged = _inherited(base, families)
    for key, value in own.items():
        old = merged.get(key)
        joined = key in {"keys", "defaults", "sliding_keys", "full_keys"} and isinstance(old, dict)
        merged[key] = {**old, **value} if joined and old is not None else value
    return merged


@functools.cache
def families() -> Mapping[str, Family]:
    """Return every known family under its model_type, other names of the same family included."""
    rows: Mapping[str, Any] = table()["family"]
    known = {spec.name for spec in fields(Family)}
    made: dict[str, Family] = {}
    for name in rows:
        traits = _inherited(name, rows)
        names = [name, *rows[name].get("names", ())]
        traits.pop("names", None)
        unknown = set(traits) - known
        if unknown:
            raise ValueError(f"families.toml: {name} has unknown traits {sorted(unknown)}")
        for model_type in names:
            if model_type in made:
                raise ValueError(f"families.toml: model_type '{model_type}' stands twice")
            made[model_type] = Family(**{**traits, "fused": tuple(traits.get("fused", ())), "name": name})
    return made


SIMILARITY = 0.4  # how alike a near name is, by difflib
NEAREST = 8
"""How many known names a refusal tells."""


def _near(model_type: str, known: Mapping[str, Family]) -> str:
    """Name the known model_types that are nearest to what was found."""
    near = difflib.get_close_matches(model_type.lower(), list(known), n=NEAREST, cutoff=SIMILARITY)
    start = model_type.lower()[: 1 + 2]
    near += [name for name in sorted(known) if start and name.startswith(start) and name not in near]
    names = ", ".join(near[:NEAREST]) or ", ".join(sorted(known))
    return tr("one of {count} known families, near it: {names}", count=len(known), names=names)


def find_family(model_type: object, place: str) -> Family:
    """Return the family of a model_type. Raises InputError that names what is known nearby."""
    known = families()
    if not isinstance(model_type, str):
        raise InputError.single(
            place=place,
            found=tr("no model_type") if model_type is None else repr(model_type),
            allowed=_near("", known),
        )
    if model_type not in known:
        raise InputError.single(
            place=place,
            found=tr("unknown model_type '{name}'", name=model_type),
            allowed=_near(model_type, known),
            hint=did_you_mean(model_type, known),
        )
    return known[model_type]
