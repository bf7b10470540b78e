"""What a checkpoint's own quantisation says, in the forms that config.json and hf_quant_config.json use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from suanli.domain.model import Model, Quantisation, Role
from suanli.foundation.errors import did_you_mean
from suanli.foundation.language import tr
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.formats import BITS_PER_BYTE, format_bits, format_bytes

ATTENTION = (Role.ATTENTION_IN, Role.ATTENTION_OUT)
MLP = (Role.MLP_IN, Role.MLP_OUT)
EXPERT = (Role.EXPERT_IN, Role.EXPERT_OUT)
SHARED = (Role.SHARED_IN, Role.SHARED_OUT)
WHOLE = (Role.EMBEDDING, Role.HEAD, Role.ROUTER)
"""What no method quantises unless the checkpoint says so."""

SPARSE = (*EXPERT, *SHARED)
"""Roles that are missing in the first, dense layers of a mixture."""
INSIDE = tuple(role for role in Role if role not in WHOLE)
"""Roles that a pattern for a whole layer names."""

NAMES: tuple[tuple[str, tuple[Role, ...]], ...] = (
    (r"norm|vision|visual|mtp|audio|bias|projector", ()),
    (r"indexer", (Role.INDEXER,)),
    (r"lm_head|^head$", (Role.HEAD,)),
    (r"embed|wte", (Role.EMBEDDING,)),
    (r"router|(^|\.)gate\W*$|expert_gate", (Role.ROUTER,)),
    (r"share[d_]*expert.*(down|w2)", (Role.SHARED_OUT,)),
    (r"share[d_]*expert.*(up|gate|w1|w3)", (Role.SHARED_IN,)),
    (r"share[d_]*expert", SHARED),
    (r"experts.*(down|w2)", (Role.EXPERT_OUT,)),
    (r"experts.*(up|gate|w1|w3)", (Role.EXPERT_IN,)),
    (r"experts", EXPERT),
    (r"conv1d", (Role.CONVOLUTION,)),
    (r"(o|out)_proj|\.wo\b", (Role.ATTENTION_OUT,)),
    (r"linear_attn|mamba|in_proj", (Role.MIXER,)),
    (r"(q|k|v|qkv|q_a|q_b|kv_a|kv_b)_proj|\.w[qkv]", (Role.ATTENTION_IN,)),
    (r"attn|attention", ATTENTION),
    (r"(mlp|ffn).*(down|w2)|down_proj", (Role.MLP_OUT,)),
    (r"mlp.*\((gate|down)", MLP),
    (r"(mlp|ffn).*(up|gate|w1|w3)|up_proj|gate_proj", (Role.MLP_IN,)),
    (r"mlp|ffn|feed_forward", MLP),
)
"""Which roles a module's name means; the first that fits holds."""

LAYER = re.compile(r"layers?\.(\d+)")
WHOLE_LAYER = re.compile(r"layers?\.\d+[.*]*$")

METHODS = {"fp8": "fp8", "mxfp4": "mxfp4", "gptq": "int4", "awq": "int4", "fbgemm_fp8": "fp8", "modelopt_fp4": "nvfp4"}
"""The format that a method means where it says no bits itself."""

GROUPED = ("gptq", "awq")
"""Methods of integers in groups, which say their bits and the size of a group."""

ALGORITHMS = {"fp8_pb_wo": "fp8", "fp8_pc_pt": "fp8", "w4a8_awq": "int4", "int4_awq": "int4", "w8a8_sq": "int8"}
"""modelopt's names of a format that differ from the format's own."""

EXCEPTIONS = ("modules_to_not_convert", "exclude_modules", "ignore")
"""Keys under which checkpoints name the modules that stay whole."""

SCALE_FORMAT = {"float": "fp8", "int": "bf16"}
"""The format of the scales of a compressed-tensors group, by the type of its numbers."""


def roles_of(module: str) -> tuple[Role, ...]:
    """Return the roles that a module's name, or a pattern of names, means."""
    for pattern, roles in NAMES:
        if re.search(pattern, module):
            return roles
    return ()


def _algorithm_bits(name: object, fields: Fields, place: str) -> float | None:
    """Bits of a named format; an unknown one is a fault."""
    if not isinstance(name, str):
        return None
    lower = name.lower()
    known = format_bits()
    bits = known.get(ALGORITHMS.get(lower, lower))
    if bits is None:
        fields.fault(place, name, ", ".join(sorted({*known, *ALGORITHMS})), did_you_mean(lower, known))
    return bits


LARGEST = 2**20
"""No format has as many bits, and no group as many numbers."""


def _positive(value: object) -> float | None:
    right = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= LARGEST
    return float(value) if right and isinstance(value, (int, float)) else None


def _group_bits(said: Mapping[str, Any]) -> tuple[float, int | None] | None:
    """Bits and block of the first group of compressed-tensors' or modelopt's `config_groups`."""
    groups = said.get("config_groups")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            return _with_scales(weights)
    return None


def _with_scales(weights: Mapping[str, Any]) -> tuple[float, int | None] | None:
    bits, block = _positive(weights.get("num_bits")), _positive(weights.get("group_size"))
    if bits is None or bits > format_bits()["float64"]:
        return None
    if block is None:
        return bits, None
    scale = format_bits()[SCALE_FORMAT.get(str(weights.get("type")), "bf16")]
    return bits + scale / block, int(block)


def _base_bits(said: Mapping[str, Any], fields: Fields) -> tuple[float, int | None] | None:
    """Bits and block of what the checkpoint quantises by default."""
    algorithm = said.get("quant_algo")
    if isinstance(algorithm, str) and algorithm.upper() != "MIXED_PRECISION":
        bits = _algorithm_bits(algorithm, fields, "quantization_config")
        return None if bits is None else (bits, _block_size(said))
    return _method_bits(said) or _group_bits(said)


def _method_bits(said: Mapping[str, Any]) -> tuple[float, int | None] | None:
    """Bits and block of a known `quant_method`, or None where its groups must say them."""
    method, known = said.get("quant_method"), format_bits()
    if method in GROUPED and _positive(said.get("bits")) is not None:
        return _with_scales({"num_bits": said["bits"], "group_size": said.get("group_size"), "type": "int"})
    if method == "bitsandbytes":
        return known["int8" if said.get("load_in_8bit") is True else "nf4"], None
    if isinstance(method, str) and method in METHODS:
        return known[METHODS[method]], _block_size(said) or _block_side(said)
    return None


def _block_size(said: Mapping[str, Any]) -> int | None:
    """How many numbers share a scale, where the checkpoint says so."""
    block = _positive(said.get("group_size"))
    return int(block) if block else None


def _block_side(said: Mapping[str, Any]) -> int | None:
    sides = said.get("weight_block_size")
    return sides[0] if isinstance(sides, list) and sides and isinstance(sides[0], int) else None


def _listed(said: Mapping[str, Any], *names: str) -> list[str]:
    return [item for name in names if isinstance(said.get(name), list) for item in said[name] if isinstance(item, str)]


def layers_with(model: Model, role: Role) -> int:
    """Count the layers that have a matrix of a role."""
    return sum(run.count for run in model.runs if any(matrix.role == role for matrix in run.layer.matrices))


def _covered(modules: list[str], model: Model) -> dict[Role, float]:
    """Return the share of its layers in which a role is named: 1 where a name holds for every layer."""
    layers: dict[Role, set[int]] = {}
    total = sum(run.count for run in model.runs)
    everywhere: set[Role] = set()
    for module in modules:
        found = LAYER.search(module)
        roles = INSIDE if WHOLE_LAYER.search(module) else roles_of(module)
        if found is None:
            everywhere.update(roles)
            continue
        index = int(found.group(1))
        for role in roles:
            first = total - layers_with(model, role) if role in SPARSE else 0
            if first <= index < total:
                layers.setdefault(role, set()).add(index)
    shares = {role: min(1.0, len(named) / max(layers_with(model, role), 1)) for role, named in layers.items()}
    return shares | dict.fromkeys(everywhere, 1.0)


def _mixed_bits(said: Mapping[str, Any], fields: Fields) -> dict[Role, float]:
    """Mean bits of each role over the modules that `quantized_layers` lists."""
    modules = said.get("quantized_layers")
    found: dict[Role, list[float]] = {}
    for module, entry in modules.items() if isinstance(modules, Mapping) else ():
        algorithm = entry.get("quant_algo") if isinstance(entry, Mapping) else entry
        bits = _algorithm_bits(algorithm, fields, "quantization_config")
        for role in roles_of(str(module)) if bits is not None else ():
            found.setdefault(role, []).append(bits or 0.0)
    return {role: sum(bits) / len(bits) for role, bits in found.items()}


def _kv_format(said: Mapping[str, Any]) -> str | None:
    """Return the cache's format where the checkpoint names one."""
    named = said.get("kv_cache_quant_algo") or said.get("kv_cache_scheme")
    if isinstance(named, Mapping):
        bits = _positive(named.get("num_bits"))
        return None if bits is None else "fp8" if bits == BITS_PER_BYTE else "nvfp4"
    return named.lower() if isinstance(named, str) and named.lower() in format_bits() else None


def _merged(first: object, second: object) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in (first, second):
        if isinstance(part, Mapping):
            inner = part.get("quantization")
            made |= inner if isinstance(inner, Mapping) else part
    return made


def _expert_bits(named: str | None, fields: Fields, base: float) -> dict[Role, float]:
    """Bits of the experts where the config names a format for them alone; nothing where it names none."""
    if named is None:
        return {}
    bits = format_bits()["mxfp4"] if named == "fp4" else _algorithm_bits(named, fields, "expert_dtype")
    return dict.fromkeys(EXPERT, bits or base)


def _whole_bits(model: Model) -> float:
    """Bits of a number that is not quantised."""
    return format_bytes(model.dtype if model.dtype in format_bits() else "bf16") * BITS_PER_BYTE


def _note_unknown(method: str, fields: Fields, model: Model) -> None:
    words = {"method": method, "dtype": model.dtype}
    fields.notes.append(tr("Quantisation '{method}' is not known; weights are counted in {dtype}.", **words))


def _unquantised(roles: Mapping[Role, float], shares: Mapping[Role, float], method: str) -> set[Role]:
    """Roles that stay whole: what no method quantises unless told, and what the checkpoint names in every layer."""
    by_method = {*ATTENTION} if method == "mxfp4" else set()
    return {*WHOLE} - {*roles} | {role for role, share in shares.items() if share == 1.0} | by_method


def read_quantisation(
    beside: object, inside: object, expert_format: str | None, fields: Fields, model: Model
) -> Quantisation | None:
    """Read a checkpoint's quantisation from the file beside its config and the section inside, or None.

    Faults go to `fields`; a method that is not known leaves a note, and weights then count as whole.
    """
    said = _merged(beside, inside)
    if not said and expert_format is None:
        return None
    method = str(said.get("quant_method") or said.get("quant_algo") or "modelopt")
    mixed, base = _mixed_bits(said, fields), _base_bits(said, fields)
    if base is None and not mixed:
        _note_unknown(method, fields, model)
        return None
    whole = _whole_bits(model)
    bits, block = base or (whole, None)
    shares = {} if mixed else _covered(_listed(said, *EXCEPTIONS), model)
    roles = {role: share * whole + (1.0 - share) * bits for role, share in shares.items()}
    roles = _expert_bits(expert_format, fields, bits) | roles | mixed
    unquantised = _unquantised(roles, shares, method)
    own = roles.keys() - unquantised
    return Quantisation(
        method=method,
        weight_bits=bits,
        block_size=block,
        unquantised_roles=tuple(sorted(unquantised, key=list(Role).index)),
        role_bits=tuple((role, roles[role]) for role in sorted(own)),
        kv_format=_kv_format(said),
    )
