"""Bytes of activations that a layer keeps for its backward pass, tensor by tensor as autograd keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suanli.domain.layout import RECOMPUTE_LEVELS, LayoutTable, Recompute
from suanli.domain.model import CoreKind, Layer, Role
from suanli.domain.software import Software
from suanli.domain.workload import Attention, TrainingSetup, TuningMethod
from suanli.equations.memory import kept_activation_bytes, score_activation_bytes
from suanli.estimate.adapters import adapted
from suanli.estimate.operators import (
    EXPERT_ROLES,
    attention_elements,
    layer_count,
    mlp_elements,
    routed_width,
    runs_of,
)
from suanli.estimate.precision import BF16_BYTES, FP32_BYTES, element_bytes
from suanli.estimate.schedules import weights_wait
from suanli.estimate.tables import FULL_RECOMPUTE
from suanli.foundation.equation import Real
from suanli.parts.architectures.families import families
from suanli.parts.axes.axis import Job, tokens_at_once

SELECTIVE = float(RECOMPUTE_LEVELS.index(Recompute.SELECTIVE))
STEPS_BESIDE_INPUT = 2 + 1
"""What the tanh form of GELU keeps beside its input: what the cube reads, the tangent, and the halved input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """What decides which tensors autograd keeps of a layer.

    `dropout` leaves masks of a byte. `trained` weights need the inputs of their products and norms, and so does a
    `quantised` product of old kernels, which frozen 16-bit weights do not. `eager` norms by root mean square keep
    their input in 32 bits, and `scaled_bytes` of each element of what it is scaled to where the scale trains; an
    eager gate keeps its own result beside what comes in. `every_norm` says that norms are told one by one, those of
    heads and behind a block with them. `views` says that values are a view of queries, keys and values in one, which
    stays whole for them beside turned queries and keys; `stepwise` that an ungated activation is made of single
    operations, of which four keep what they read.
    `width` is bytes of an element.
    """

    dropout: bool = False
    trained: bool = True
    quantised: bool = False
    eager: bool = False
    scaled_bytes: float = FP32_BYTES
    every_norm: bool = False
    views: bool = False
    stepwise: bool = False
    width: float = BF16_BYTES

    @property
    def inputs(self) -> bool:
        """Whether products keep what goes into them."""
        return self.trained or self.quantised


def keeping_of(setup: TrainingSetup, software: Software) -> Keeping:
    """Say what a setup's autograd keeps."""
    family = families().get(setup.model.family)
    return Keeping(
        dropout=setup.attention is Attention.UNFUSED,
        trained=not setup.frozen,
        quantised=setup.tuning is TuningMethod.QLORA and software.quantised_keeps > 0,
        eager=software.eager_kept > 0,
        scaled_bytes=software.scaled_norm_bytes,
        every_norm=software.every_norm > 0,
        views=software.every_norm > 0 and family is not None and family.value_view,
        stepwise=software.every_norm > 0 and family is not None and family.stepwise_gelu,
        width=element_bytes(setup.number_format),
    )


def norm_position_bytes(layer: Layer, hidden: int, keeping: Keeping) -> float:
    """Bytes that one position keeps for the norms of a layer; gated layers are taken to norm by root mean square."""
    joints = float(layer.norms if keeping.every_norm else min(layer.norms, 2))
    if not (keeping.eager and layer.gated):
        shared = keeping.every_norm and layer.parallel
        return (min(joints, 1.0) if shared else joints) * hidden * keeping.width
    heads = attention_elements(layer.core) if keeping.every_norm and layer.core.normed_heads else 0.0
    return (joints * hidden + heads) * (FP32_BYTES + (keeping.scaled_bytes if keeping.trained else 0.0))


def outer_position_bytes(hidden: int, gated: bool, keeping: Keeping) -> float:
    """Bytes that one position keeps outside the layers: for the last norm, and what goes into the head."""
    head = hidden * keeping.width if keeping.inputs else 0.0
    if not (keeping.eager and gated):
        return hidden * keeping.width + head
    return hidden * FP32_BYTES * (2 if keeping.trained else 1) + head


def mixed_elements(layer: Layer) -> float:
    """Elements of one position inside the mixing core: queries, keys, values and the result, or a scan's inputs."""
    core = layer.core
    mixed = attention_elements(core)
    if core.attends:
        kv_heads = core.heads if core.kind is CoreKind.LATENT else core.kv_heads
        return mixed + (core.heads + kv_heads) * core.v_head_dim
    if core.kind is CoreKind.NONE:
        return mixed
    return float(sum(matrix.outputs for matrix in layer.matrices if matrix.role is Role.MIXER))


def between_matrices(layer: Layer, keeping: Keeping, expert_rows: float) -> float:
    """Elements of one position between the feed-forward matrices, and of tokens sent to experts and back.

    What comes back is kept to be weighed, what is sent as the input of the experts' products.
    """
    incoming, outgoing = mlp_elements(layer, expert_rows)
    gate = outgoing if keeping.eager and layer.gated else 0.0
    if keeping.stepwise and not layer.gated:
        gate = STEPS_BESIDE_INPUT * outgoing
    experts = any(one.role in EXPERT_ROLES for one in layer.matrices)
    routed = layer.experts_per_token * routed_width(layer) if experts else 0.0
    sent = expert_rows * routed * (2 if keeping.inputs else 1)
    return incoming + (outgoing if keeping.inputs else 0.0) + gate + sent


def layer_position_bytes(
    layer: Layer, hidden: int, keeping: Keeping, expert_rows: float = 1.0
) -> tuple[float, float, float]:
    """Bytes that one position of one layer keeps: split only under sequence parallelism, split by tensor, of scores.

    Norm inputs and the inputs of column-parallel matrices; queries, keys, values, the attention's result and what
    stands between the MLP matrices; with dropout two masks of a byte.
    """
    joints = float(min(layer.norms, 2))
    inputs = (1.0 if layer.parallel else joints) if keeping.inputs else 0.0
    masks = joints * hidden if keeping.dropout else 0.0
    whole = norm_position_bytes(layer, hidden, keeping) + inputs * hidden * keeping.width + masks
    inside = mixed_elements(layer) + between_matrices(layer, keeping, expert_rows)
    if keeping.views and layer.core.attends:
        inside += attention_elements(layer.core)
    scores = float(layer.core.heads) if layer.core.attends else 0.0
    return whole, inside * keeping.width, scores


def adapter_bytes(setup: TrainingSetup, software: Software, layer: Layer, expert_rows: float = 1.0) -> float:
    """Bytes that adapters beside a layer's matrices keep of one position: input, mask, what stands at the rank, result.

    Adapters that read one input keep it once, or each a copy of its own where they cast it; the result of attention is
    kept by attention itself. DoRA keeps what its
    magnitudes scale: the result of the weight and that of the adapter.
    """
    adapters = setup.adapters
    if adapters is None:
        return 0.0
    kept, seen, width = 0.0, set(), element_bytes(setup.number_format)
    for matrix in adapted(setup, layer):
        rows = matrix.active * (expert_rows if matrix.role in EXPERT_ROLES else 1.0)
        source = (matrix.role, matrix.inputs)
        stands = source in seen or (matrix.role is Role.ATTENTION_OUT and layer.core.attends)
        if software.adapter_own_inputs or not stands:
            kept += rows * matrix.inputs * software.adapter_input_bytes
        seen.add(source)
        kept += rows * (adapters.rank * width + matrix.outputs * software.adapter_output_bytes)
        kept += rows * adapters.dora * 2 * matrix.outputs * width
    return kept


def activations(setup: TrainingSetup, job: Job, software: Software, table: LayoutTable) -> tuple[Real, Real]:
    """Bytes that the mean layer keeps for one micro-batch, and what one layer needs while it is computed again."""
    tokens = tokens_at_once(job, table)
    whole_split = np.where(table.sequence_parallel > 0, table.tensor, 1.0)
    unfused, total = setup.attention is Attention.UNFUSED, float(layer_count(setup.model))
    keeping = keeping_of(setup, software)
    everything: Real = 0.0
    scored: Real = 0.0
    for run in runs_of(setup.model):
        whole, split, heads = layer_position_bytes(run.layer, setup.model.hidden, keeping, job.expert_rows)
        whole = whole + adapter_bytes(setup, software, run.layer, job.expert_rows)
        share = run.count / total
        everything = everything + share * kept_activation_bytes(tokens, whole, split, table.tensor, whole_split)
        if unfused:
            scores = score_activation_bytes(tokens, float(job.sequence), heads, table.tensor, 2 * keeping.width + 1)
            scored = scored + share * scores
    inputs = tokens * setup.model.hidden * keeping.width / whole_split
    selective = everything * software.selective_kept
    kept = np.where(table.recompute == SELECTIVE, selective, everything + scored)
    saved = (table.recompute == FULL_RECOMPUTE) & (weights_wait(table) == 0)
    kept = np.where(saved, inputs, kept)
    again = np.where(table.recompute == FULL_RECOMPUTE, software.working_share * (everything + scored), 0.0)
    working = np.where(table.recompute == SELECTIVE, everything - selective + scored, again)
    return kept, working


def kept_layer_bytes(setup: TrainingSetup, job: Job, software: Software, table: LayoutTable) -> Real:
    """Bytes that the mean layer keeps of one micro-batch for its backward pass."""
    return activations(setup, job, software, table)[0]
