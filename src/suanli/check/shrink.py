"""A model made small: the same kind of layers, every width scaled down together."""

from __future__ import annotations

from dataclasses import replace

from suanli.domain.model import Core, Layer, LayerRun, Matrix, Model, Role

WHOLE = 64
"""What widths are rounded to, so that no kernel is off for a ragged edge."""
INNER_ROLES = (Role.MLP_IN, Role.EXPERT_IN)
EXPERT_ROLES = (Role.EXPERT_IN, Role.EXPERT_OUT)


def rounded(width: float) -> int:
    """Round a width to whole multiples, at least one."""
    return max(round(width / WHOLE), 1) * WHOLE


def small_core(core: Core, scale: float) -> Core:
    """Scale the number of heads down and keep their width: key-value heads in the same proportion."""
    heads = max(round(core.heads * scale), 1)
    per_group = max(core.heads // max(core.kv_heads, 1), 1)
    kv_heads = max(heads // per_group, 1)
    heads = max(heads // kv_heads, 1) * kv_heads
    return replace(
        core, heads=heads, kv_heads=kv_heads, cached_elements=float(kv_heads * (core.qk_head_dim + core.v_head_dim))
    )


def small_layer(layer: Layer, hidden: int, scale: float, experts: int) -> Layer:
    """Scale the matrices of a layer down."""
    core = small_core(layer.core, scale)
    own, chosen = min(layer.experts, experts), min(layer.experts_per_token, experts)
    widths = {
        "query": core.heads * core.qk_head_dim,
        "key": core.kv_heads * core.qk_head_dim,
        "value": core.kv_heads * core.v_head_dim,
    }

    def small(matrix: Matrix) -> Matrix:
        inputs, outputs = hidden, hidden
        if matrix.role is Role.ATTENTION_IN:
            outputs = widths[matrix.name]
        elif matrix.role is Role.ATTENTION_OUT:
            inputs = core.heads * core.v_head_dim
        elif matrix.role in INNER_ROLES:
            outputs = rounded(matrix.outputs * scale)
        elif matrix.role is Role.ROUTER:
            outputs = own
        else:
            inputs = rounded(matrix.inputs * scale)
        expert = matrix.role in EXPERT_ROLES
        return replace(
            matrix, inputs=inputs, outputs=outputs, bias=outputs if matrix.bias else 0,
            copies=own if expert else matrix.copies, active=float(chosen) if expert else matrix.active,
        )  # fmt: skip

    per_norm = 1 if layer.gated else 2
    return replace(
        layer,
        core=core,
        matrices=tuple(map(small, layer.matrices)),
        experts=own,
        experts_per_token=chosen,
        norms=1 if layer.parallel else 2,
        vector_parameters=per_norm * hidden * (1 if layer.parallel else 2),
    )


def scaled_down(model: Model, hidden: int, layers: int, vocabulary: int, experts: int = 8) -> Model:
    """Scale a model down to a hidden width, a number of layers and a vocabulary: never up.

    Heads keep their width; feed-forward widths keep their proportion to the hidden state, rounded to whole tiles.
    """
    hidden = min(rounded(hidden), model.hidden)
    scale, vocabulary = hidden / model.hidden, min(vocabulary, model.vocabulary)
    whole, left = sum(run.count for run in model.runs), min(layers, sum(run.count for run in model.runs))
    runs: list[LayerRun] = []
    for run in model.runs:
        count = min(max(round(left * run.count / whole), 1), left - sum(one.count for one in runs))
        if count:
            runs.append(LayerRun(layer=small_layer(run.layer, hidden, scale, experts), count=count))
    tables = vocabulary * hidden
    gated = runs[-1].layer.gated
    return replace(
        model,
        hidden=hidden,
        vocabulary=vocabulary,
        runs=tuple(runs),
        draft_runs=(),
        embedding_parameters=tables,
        embedding_width=0,
        head_bias=vocabulary if model.head_bias else 0,
        final_vector_parameters=hidden * (1 if gated else 2),
        quantisation=None,
    )
