"""Count a model: parameters, operations of a pass, cache, state and weight bytes."""

from __future__ import annotations

from collections.abc import Iterable

from suanli.domain.model import Core, CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.equations.transformer import (
    FLOP_PER_MULTIPLY_ADD,
    attention_flop,
    cached_positions,
    causal_pairs,
    full_pairs,
    index_flop,
    matrix_flop,
    matrix_parameters,
    state_flop,
    stored_bytes,
    strided_pairs,
)
from suanli.parts.architectures.formats import BITS_PER_BYTE, format_bytes

RECURRENT = (CoreKind.LINEAR, CoreKind.STATE_SPACE)


def one_copy(matrix: Matrix) -> int:
    """Parameters of one copy of a matrix."""
    return int(matrix_parameters(matrix.inputs, matrix.outputs, matrix.bias))


def layer_parameters(layer: Layer) -> int:
    """Count a layer's parameters, all experts included."""
    return sum(one_copy(matrix) * matrix.copies for matrix in layer.matrices) + layer.vector_parameters


def _active_layer(layer: Layer) -> float:
    return sum(one_copy(matrix) * matrix.active for matrix in layer.matrices) + layer.vector_parameters


def head_width(model: Model) -> int:
    """Return the width of the token table and of the head."""
    return model.embedding_width or model.hidden


def head_parameters(model: Model) -> int:
    """Count the parameters of the head to the vocabulary: its bias alone where it is the token table."""
    own = 0 if model.tied_head else int(matrix_parameters(head_width(model), model.vocabulary, 0))
    return own + model.head_bias


def outside_parameters(model: Model) -> int:
    """Count what stands outside the layers: tables, head, last norms and projections."""
    outer = sum(one_copy(matrix) for matrix in model.outer_matrices)
    return model.embedding_parameters + head_parameters(model) + model.final_vector_parameters + outer


def parameters(model: Model) -> int:
    """Count the model's parameters exactly, as transformers does: draft layers and router offsets left out."""
    return outside_parameters(model) + sum(run.count * layer_parameters(run.layer) for run in model.runs)


def draft_parameters(model: Model) -> int:
    """Count the parameters of the layers for multi-token prediction; tables and head are shared."""
    return sum(run.count * layer_parameters(run.layer) for run in model.draft_runs)


def active_parameters(model: Model) -> int:
    """Count the parameters that one token passes through: all but the experts it does not choose.

    Token table and head are counted whole, as the published "A22B" figures do; draft layers are left out.
    """
    return round(outside_parameters(model) + sum(run.count * _active_layer(run.layer) for run in model.runs))


def parameters_by_role(model: Model) -> dict[Role, int]:
    """Count the matrices' parameters by what they are for; norms and other vectors have no role and are left out."""
    found: dict[Role, int] = {Role.EMBEDDING: model.embedding_parameters, Role.HEAD: head_parameters(model)}
    for matrix in model.outer_matrices:
        found[matrix.role] = found.get(matrix.role, 0) + one_copy(matrix)
    for run in model.runs:
        for matrix in run.layer.matrices:
            found[matrix.role] = found.get(matrix.role, 0) + run.count * matrix.copies * one_copy(matrix)
    return found


def vector_parameters(model: Model) -> int:
    """Count the parameters that no matrix holds: norms, sinks, decay rates."""
    return model.final_vector_parameters + sum(run.count * run.layer.vector_parameters for run in model.runs)


def attended_pairs(core: Core, positions: float, causal: bool) -> float:
    """Count the (query, entry) pairs of one sequence in one layer's core, by its window, stride and selection."""
    if not causal:
        return float(full_pairs(positions))
    if core.window is not None:
        near = float(causal_pairs(positions, float(core.window)))
        if not core.stride or core.stride == 1:
            return near
        reach = positions if core.selected is None else float(core.selected)
        return near + float(strided_pairs(positions, float(core.stride), reach))
    if core.selected is not None:
        return float(causal_pairs(positions, float(core.selected)))
    return float(causal_pairs(positions, positions))


def core_flop(core: Core, positions: float, causal: bool) -> float:
    """Operations of one layer's mixing core over one sequence."""
    if core.kind in RECURRENT:
        return float(state_flop(FLOP_PER_MULTIPLY_ADD, positions, core.state_elements, core.state_passes))
    if not core.attends:
        return 0.0
    pairs = attended_pairs(core, positions, causal)
    flop = float(attention_flop(FLOP_PER_MULTIPLY_ADD, pairs, core.heads, core.qk_head_dim, core.v_head_dim))
    if core.index_heads:
        scored = strided_pairs(positions, float(core.stride or 1), positions) if causal else full_pairs(positions)
        flop += float(index_flop(FLOP_PER_MULTIPLY_ADD, scored, core.index_heads, core.index_head_dim))
    return flop


def layer_flop(layer: Layer, positions: float, causal: bool = False) -> float:
    """Operations of one layer over one sequence."""
    matrices = sum(
        matrix_flop(FLOP_PER_MULTIPLY_ADD, positions, matrix.inputs, matrix.outputs, matrix.active)
        for matrix in layer.matrices
    )
    return float(matrices) + core_flop(layer.core, positions, causal)


def forward_flop(model: Model, sequence_tokens: float, batch: float = 1, causal: bool = False) -> float:
    """Operations of one forward pass over `batch` sequences of `sequence_tokens`, logits at every position.

    With `causal` False every query meets every key, which is what torch.utils.flop_counter counts; with `causal` True
    masks, windows and sparse selection count as what they let through.
    """
    layers = sum(run.count * layer_flop(run.layer, sequence_tokens, causal) for run in model.runs)
    head = matrix_flop(FLOP_PER_MULTIPLY_ADD, sequence_tokens, head_width(model), model.vocabulary, 1.0)
    outer = sum(
        matrix_flop(FLOP_PER_MULTIPLY_ADD, sequence_tokens, matrix.inputs, matrix.outputs, matrix.active)
        for matrix in model.outer_matrices
    )
    return float(batch * (layers + head + outer))


def expert_share(model: Model, sequence_tokens: float) -> float:
    """Return the share of a forward pass's operations that experts' matrices do; 0 in a dense model."""
    routed = sum(
        run.count * matrix_flop(FLOP_PER_MULTIPLY_ADD, sequence_tokens, matrix.inputs, matrix.outputs, matrix.active)
        for run in model.runs
        for matrix in run.layer.matrices
        if matrix.role in (Role.EXPERT_IN, Role.EXPERT_OUT) and run.layer.experts > 1
    )
    return float(routed) / forward_flop(model, sequence_tokens, causal=True)


def attention_share(model: Model, sequence_tokens: float) -> float:
    """Return the share of a forward pass's operations that scores and values do, under a causal mask."""
    cores = sum(run.count * core_flop(run.layer.core, sequence_tokens, causal=True) for run in model.runs)
    return float(cores) / forward_flop(model, sequence_tokens, causal=True)


def kv_elements_per_token(model: Model) -> float:
    """Count the numbers that one token leaves in the cache of all layers."""
    return float(sum(run.count * run.layer.core.cached_elements for run in model.runs))


def kv_bytes_per_token(model: Model, kv_format: str = "bf16") -> float:
    """Bytes that one token leaves in the cache of all layers, windows not yet full."""
    return float(stored_bytes(kv_elements_per_token(model), format_bytes(kv_format)))


def kv_bytes_per_sequence(model: Model, sequence_tokens: float, kv_format: str = "bf16") -> float:
    """Bytes of cache that one sequence holds: a layer with a window keeps no more than its window."""
    elements = 0.0
    for run in model.runs:
        core = run.layer.core
        kept = sequence_tokens
        if core.window is not None and core.stride == 1:
            kept = float(cached_positions(sequence_tokens, float(core.window)))
        elements += run.count * core.cached_elements * kept
    return float(stored_bytes(elements, format_bytes(kv_format)))


def state_bytes_per_sequence(model: Model, state_format: str = "bf16") -> float:
    """Bytes of state that one sequence keeps whatever its length (recurrent layers, short convolutions)."""
    elements = sum(run.count * run.layer.core.state_elements for run in model.runs)
    return float(stored_bytes(float(elements), format_bytes(state_format)))


def weight_bytes(model: Model, weight_format: str | None = None) -> float:
    """Bytes of the weights in one format; with None, as the checkpoint itself stores them (its own quantisation)."""
    quantisation = model.quantisation
    whole = format_bytes(model.dtype)
    if weight_format is not None or quantisation is None:
        return float(stored_bytes(parameters(model), format_bytes(weight_format or model.dtype)))
    bits = dict(quantisation.role_bits)
    total = stored_bytes(vector_parameters(model), whole)
    for role, number in parameters_by_role(model).items():
        plain = whole if role in quantisation.unquantised_roles else quantisation.weight_bits / BITS_PER_BYTE
        total += stored_bytes(number, bits[role] / BITS_PER_BYTE if role in bits else plain)
    return float(total)


def layers(runs: Iterable[LayerRun]) -> int:
    """Count the layers of some runs."""
    return sum(run.count for run in runs)
