"""What one layer, the head and the embedding of a rank cost, kernel by kernel, for a table of layouts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from suanli.domain.layout import LayoutTable
from suanli.domain.model import Core, CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.domain.workload import Attention, TrainingSetup, TuningMethod
from suanli.equations.adapters import magnitude_bytes
from suanli.estimate.adapters import adapted, adapter_copies
from suanli.estimate.precision import (
    BF16_BYTES,
    NARROW_ROLES,
    Kept,
    element_bytes,
    kept_by,
    layer_formats,
    matrix_format,
    wide_format,
)
from suanli.foundation.equation import FloatArray, Real
from suanli.parts.axes import context, data, expert, pipeline, sharding, tensor
from suanli.parts.axes.axis import AXES, Job, tokens_at_once
from suanli.parts.axes.expert import expert_tensor
from suanli.parts.axes.tensor import splits_columns
from suanli.parts.devices.electronic import Device
from suanli.parts.devices.fabric import Fabric

AXIS_MODULES = (data, tensor, pipeline, context, expert, sharding)
"""The files of the axes; being imported, each has put its axis into the register."""

EXPERT_ROLES = (Role.EXPERT_IN, Role.EXPERT_OUT)
TILE_SIDE = 64.0
"""Sides of a matrix that this divides fill whole rows of 128 bytes in 16 bits, which tensor cores are fed with."""
VECTOR_ELEMENTS = 2.0 * 2 * 2
"""Elements of 16 bits in one vector load of 16 bytes."""
KERNEL_KEY = ("tensor", "context", "expert", "micro_batch", "sequence_parallel")
SCAN_CHUNK = 256.0
"""Tokens that a chunked scan of a state-space or linear layer works through as one block (their kernels' default)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerColumns:
    """Seconds of the mean layer for one micro-batch, and of the head, as columns over layouts.

    `matmul` is of dense matrices, `grouped` of experts' matrices, `beside` of passes that adapters add and that unpack
    quantised weights. Passes stand for a framework that makes each of them
    once, `bias` for one pass over experts' results; expert traffic is of balanced experts. The `misaligned` share of
    the matmul seconds is of matrices that tiles do not divide, the `odd` share of the core's of head dimensions that
    vector loads do not.
    """

    matmul_forward: FloatArray
    matmul_backward: FloatArray
    grouped_forward: FloatArray
    grouped_backward: FloatArray
    misaligned_forward: FloatArray
    misaligned_backward: FloatArray
    odd_forward: FloatArray
    odd_backward: FloatArray
    core_forward: FloatArray
    core_backward: FloatArray
    scan_forward: FloatArray
    scan_backward: FloatArray
    pass_forward: FloatArray
    pass_backward: FloatArray
    beside_forward: FloatArray
    beside_backward: FloatArray
    routed_forward: FloatArray
    routed_backward: FloatArray
    bias_forward: FloatArray
    bias_backward: FloatArray
    quantise: FloatArray
    tensor_forward: FloatArray
    tensor_backward: FloatArray
    context_forward: FloatArray
    context_backward: FloatArray
    expert_forward: FloatArray
    expert_backward: FloatArray
    head_forward: FloatArray
    head_backward: FloatArray
    head_pass: FloatArray


def runs_of(model: Model) -> tuple[LayerRun, ...]:
    """All runs of layers that a training step passes, those for multi-token prediction included."""
    return (*model.runs, *model.draft_runs)


def heads_of(model: Model) -> int:
    """How often the head runs: once, and once for each layer for multi-token prediction."""
    return 1 + sum(run.count for run in model.draft_runs)


def layer_count(model: Model) -> int:
    """How many layers a training step passes."""
    return sum(run.count for run in runs_of(model))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Everything a layer is timed with: the setup, its job, the device and the fabric, and the rows to time."""

    setup: TrainingSetup
    job: Job
    device: Device
    fabric: Fabric
    table: LayoutTable

    @property
    def tokens(self) -> Real:
        """Tokens that a rank holds at once."""
        return tokens_at_once(self.job, self.table)

    @property
    def kept(self) -> Kept | None:
        """What the recipe of the setup's number format keeps wider."""
        return kept_by(self.job.model, self.setup.number_format)

    @property
    def wide(self) -> str:
        """The format of what the recipe never narrows: attention, adapters, the head."""
        return wide_format(self.setup.number_format)

    @property
    def width(self) -> float:
        """Bytes of an element of the hidden state."""
        return element_bytes(self.setup.number_format)

    @property
    def frozen(self) -> bool:
        """Whether the model's own weights stay as they are."""
        return self.setup.frozen


def matrix_shape(bench: Bench, matrix: Matrix) -> tuple[Real, Real, Real, Real]:
    """Rows, inputs, outputs and groups of one matrix on one rank."""
    table = bench.table
    if matrix.role in EXPERT_ROLES:
        inside = expert_tensor(table)
        outer = matrix.role is Role.EXPERT_IN
        held = bench.tokens * inside / table.tensor
        rows = held * table.expert * matrix.active / matrix.copies * bench.job.expert_rows
        inputs, outputs = (1.0, inside) if outer else (inside, 1.0)
        return rows, matrix.inputs / inputs, matrix.outputs / outputs, matrix.copies / table.expert
    columns = splits_columns(matrix.role, matrix.inputs, bench.job.model.hidden)
    if columns is None:
        whole = np.where(table.sequence_parallel > 0, table.tensor, 1.0)
        return bench.tokens / whole, float(matrix.inputs), float(matrix.outputs), 1.0
    if columns:
        return bench.tokens * matrix.active, float(matrix.inputs), matrix.outputs / table.tensor, float(matrix.copies)
    return bench.tokens * matrix.active, matrix.inputs / table.tensor, float(matrix.outputs), float(matrix.copies)


def matrix_seconds(bench: Bench, matrix: Matrix, form: str) -> tuple[Real, Real]:
    """Seconds of one matrix forward, and backward: the gradient of its input, and of its weights unless frozen."""
    if matrix.role in (Role.CONVOLUTION, Role.EMBEDDING):
        return 0.0 * bench.tokens, 0.0 * bench.tokens
    rows, inner, columns, groups = matrix_shape(bench, matrix)
    forward = bench.device.matmul_seconds(rows, inner, columns, form, groups)
    backward = bench.device.matmul_seconds(rows, columns, inner, form, groups)
    if not bench.frozen:
        backward = backward + bench.device.matmul_seconds(inner, rows, columns, form, groups)
    return forward, backward


def misaligned(bench: Bench, matrix: Matrix) -> Real:
    """Say where a side of a matrix, as one rank holds it, is no multiple of a tile: 1 there, else 0."""
    _, inner, columns, _ = matrix_shape(bench, matrix)
    if matrix.role in NARROW_ROLES:
        return 0.0 * bench.tokens
    fits = (np.mod(inner, TILE_SIDE) == 0) & (np.mod(columns, TILE_SIDE) == 0)
    return np.where(fits, 0.0, 1.0)


def attended_keys(core: Core, sequence: float, fused: bool) -> float:
    """Mean keys that a token attends to under a causal mask, window and sparse index; all of them unfused."""
    reach = float(min(core.window or sequence, sequence))
    if not fused:
        return float(sequence)
    inside = (reach * (reach + 1) / 2 + (sequence - reach) * reach) / sequence
    return min(inside, float(core.selected)) if core.selected else inside


def core_seconds(bench: Bench, core: Core) -> tuple[Real, Real]:
    """Seconds of one mixing core, forward and backward."""
    table, length = bench.table, bench.setup.seen_tokens
    if core.attends:
        fused = bench.setup.attention is Attention.FLASH
        kv_heads = core.heads if core.kind is CoreKind.LATENT else core.kv_heads
        if not fused:
            length = float(bench.job.sequence)
        traded = table.context if bench.job.ulysses else np.ones(len(table))
        split = table.tensor * traded
        shape = (
            length / table.context * traded, attended_keys(core, length, fused), core.heads / split,
            np.maximum(kv_heads / split, 1.0), float(core.qk_head_dim), float(core.v_head_dim),
            table.micro_batch * bench.job.sequence / length,
        )  # fmt: skip
        times = [
            bench.device.attention_seconds(phase, *shape, number_format=bench.wide, fused=fused, causal=False)
            for phase in ("prefill", "backward")
        ]
        return times[0], times[1]
    return 0.0 * bench.tokens, 0.0 * bench.tokens


def scan_seconds(bench: Bench, core: Core) -> tuple[Real, Real]:
    """Seconds of a chunked scan: products inside a chunk and with the carried state, twice as much backward."""
    if core.kind not in (CoreKind.LINEAR, CoreKind.STATE_SPACE):
        return 0.0 * bench.tokens, 0.0 * bench.tokens
    heads = max(core.heads, 1) / bench.table.tensor
    width = core.v_head_dim or max(core.state_elements // max(core.heads * max(core.qk_head_dim, 1), 1), 1)
    state = core.state_elements / max(core.heads, 1) / max(width, 1)
    blocks = heads * bench.tokens / SCAN_CHUNK
    forward = bench.device.matmul_seconds(SCAN_CHUNK, SCAN_CHUNK / 2 + 2 * state, float(width), bench.wide, blocks)
    moved = bench.device.pass_seconds(bench.tokens * heads * (width + state) * bench.width * 2)
    return forward + moved, 2 * (forward + moved)


DENSE_ROLES = ((Role.MLP_IN, Role.SHARED_IN), (Role.MLP_OUT, Role.SHARED_OUT))
ROUTED_ROLES = ((Role.EXPERT_IN,), (Role.EXPERT_OUT,))


def between_elements(layer: Layer, roles: tuple[tuple[Role, ...], tuple[Role, ...]]) -> tuple[float, float]:
    """Elements for each token between feed-forward matrices: as they come out of the first, and into the second."""
    incoming = sum(matrix.outputs * matrix.active for matrix in layer.matrices if matrix.role in roles[0])
    outgoing = sum(matrix.inputs * matrix.active for matrix in layer.matrices if matrix.role in roles[1])
    return incoming, outgoing


def mlp_elements(layer: Layer, expert_rows: float = 1.0) -> tuple[float, float]:
    """Elements for each token between all feed-forward matrices of a layer, experts included, padded or dropped."""
    dense, routed = between_elements(layer, DENSE_ROLES), between_elements(layer, ROUTED_ROLES)
    return dense[0] + expert_rows * routed[0], dense[1] + expert_rows * routed[1]


def attention_elements(core: Core) -> float:
    """Elements of queries and keys for each token, which rotary positions touch."""
    kv_heads = core.heads if core.kind is CoreKind.LATENT else core.kv_heads
    return float((core.heads + kv_heads) * core.qk_head_dim)


def pass_bytes(bench: Bench, layer: Layer) -> tuple[Real, Real]:
    """Bytes that norms, residuals, rotary positions and activations move, forward and backward.

    A norm reads and writes its input (three times backward), a residual reads two and writes one, an activation reads
    what comes in and writes what goes out (backward both again).
    """
    hidden, tensor = float(bench.job.model.hidden), bench.table.tensor
    whole = np.where(bench.table.sequence_parallel > 0, tensor, 1.0)
    incoming, outgoing = between_elements(layer, DENSE_ROLES)
    rotary = 2 * attention_elements(layer.core)
    norms, residuals = float(layer.norms), float(min(layer.norms, 2))
    scanned = sum(matrix.outputs for matrix in layer.matrices if matrix.role in (Role.MIXER, Role.CONVOLUTION))
    inner_forward = rotary + incoming + outgoing + 2 * scanned
    inner_backward = rotary + 2 * incoming + outgoing + 2 * 2 * scanned
    forward = (2 * norms + (2 + 1) * residuals) * hidden / whole + inner_forward / tensor
    backward = ((2 + 1) * norms + (2 + 1) * residuals) * hidden / whole + inner_backward / tensor
    return bench.tokens * forward * bench.width, bench.tokens * backward * bench.width


def routed_width(layer: Layer) -> float:
    """Elements of what travels to an expert: the hidden state, or the latent that experts work in."""
    return float(max((matrix.inputs for matrix in layer.matrices if matrix.role is Role.EXPERT_IN), default=0))


def routed_bytes(bench: Bench, layer: Layer) -> tuple[Real, Real]:
    """Bytes that permuting tokens to their experts and back, and the experts' activations move, forward and backward.

    Each way a permutation reads and writes every routed copy of a token.
    """
    if not layer.experts:
        return 0.0 * bench.tokens, 0.0 * bench.tokens
    incoming, outgoing = between_elements(layer, ROUTED_ROLES)
    copied = 2 * 2 * max(layer.experts_per_token, 1) * routed_width(layer)
    here = bench.tokens / bench.table.tensor * bench.width * bench.job.expert_rows
    return here * (copied + incoming + outgoing), here * (copied + 2 * incoming + outgoing)


def biased_bytes(bench: Bench, layer: Layer) -> Real:
    """Bytes of one pass, read and written, over the results of the experts' matrices that have a bias."""
    biased = [matrix for matrix in layer.matrices if matrix.role in EXPERT_ROLES and matrix.bias]
    results = float(sum(matrix.outputs * matrix.active for matrix in biased))
    return 2 * bench.tokens / bench.table.tensor * results * bench.width * bench.job.expert_rows


def unpacked_bytes(bench: Bench, layer: Layer) -> Real:
    """Bytes that unpacking 4-bit frozen weights to 16 bits before each product moves: read packed, write whole."""
    moved: Real = 0.0 * bench.tokens
    if bench.setup.tuning is not TuningMethod.QLORA:
        return moved
    for matrix in layer.matrices:
        if matrix.role not in (*NARROW_ROLES, Role.CONVOLUTION):
            _, inner, columns, groups = matrix_shape(bench, matrix)
            moved = moved + groups * inner * columns * (bench.width + BF16_BYTES / (2 + 2))
    return moved


def adapter_rows(bench: Bench, matrix: Matrix) -> tuple[Real, Real, Real, Real]:
    """Rows, inputs, outputs and groups of one adapter on one rank: experts that share one run it in one group."""
    rows, inner, columns, groups = matrix_shape(bench, matrix)
    low = bench.setup.adapters
    if low is not None and matrix.role in EXPERT_ROLES and adapter_copies(low, matrix) != matrix.copies:
        return rows * groups, inner, columns, 1.0
    return rows, inner, columns, groups


Pair = tuple[Real, Real]


def adapters_seconds(bench: Bench, layer: Layer) -> tuple[Pair, Pair]:
    """Seconds of the adapters' products forward and backward: beside dense matrices, and beside experts'.

    Down to the rank and up from it; backward both ways twice. DoRA multiplies every adapter out once, for its norm.
    """
    dense: Pair = (0.0 * bench.tokens, 0.0 * bench.tokens)
    routed, low = dense, bench.setup.adapters
    if low is None:
        return dense, routed
    for matrix in adapted(bench.setup, layer):
        rows, inner, columns, groups = adapter_rows(bench, matrix)
        rank, form = float(low.rank), bench.wide
        once = bench.device.matmul_seconds(rows, inner, rank, form, groups)
        once = once + bench.device.matmul_seconds(rows, rank, columns, form, groups)
        whole = bench.device.matmul_seconds(columns, rank, inner, form, groups) if low.dora else 0.0
        if matrix.role in EXPERT_ROLES:
            routed = (routed[0] + once + whole, routed[1] + 2 * once)
        else:
            dense = (dense[0] + once + whole, dense[1] + 2 * once)
    return dense, routed


def adapters_bytes(bench: Bench, layer: Layer) -> Pair:
    """Bytes that passes beside adapters move: results added forward, gradients of inputs added backward.

    What tensor ranks join is added once it is shared out again under sequence parallelism. DoRA reads weight and
    product for its norm, and scales both results: forward one pass, backward another for each.
    """
    forward: Real = 0.0 * bench.tokens
    backward, low = forward, bench.setup.adapters
    if low is None:
        return forward, backward
    whole = np.where(bench.table.sequence_parallel > 0, bench.table.tensor, 1.0)
    for matrix in adapted(bench.setup, layer):
        rows, inner, columns, groups = adapter_rows(bench, matrix)
        split = splits_columns(matrix.role, matrix.inputs, bench.job.model.hidden)
        given = groups * rows * columns * bench.width / (whole if split is False else 1.0)
        read = groups * rows * inner * bench.width / (whole if split else 1.0)
        forward, backward = forward + given * (2 + 1), backward + read * (2 + 1)
        if low.dora:
            normed = groups * magnitude_bytes(inner, columns, bench.width, bench.width)
            forward, backward = forward + normed + given * (2 + 2), backward + given * (2 + 1 + 2)
    return forward, backward


def quantise_seconds(bench: Bench, layer: Layer) -> Real:
    """Seconds that casting activations and gradients to a narrow format takes: read wide, write narrow twice."""
    wide, kept = bench.width, bench.kept
    moved: Real = 0.0 * bench.tokens
    for matrix in layer.matrices:
        form = bench.device.number_format(matrix_format(kept, layer, matrix, bench.setup.number_format))
        if form.activation_bytes >= wide or matrix.role is Role.CONVOLUTION:
            continue
        rows, inner, columns, groups = matrix_shape(bench, matrix)
        moved = moved + groups * rows * (inner + columns) * (wide + 2 * form.activation_bytes)
    return np.where(moved > 0, bench.device.pass_seconds(moved), 0.0)


def transfer_seconds(bench: Bench, layer: Layer, axis: str, backward: bool) -> Real:
    """Seconds of what one axis sends for one layer and micro-batch."""
    spent: Real = np.zeros(len(bench.table))
    for transfer in AXES[axis].transfers(bench.job, layer, bench.table, backward):
        if np.any(np.asarray(transfer.count) > 0):
            once = bench.fabric.collective_seconds(
                transfer.op,
                transfer.message_bytes,
                transfer.ranks,
                transfer.ranks_per_node,
                across_share=transfer.across_share,
            )
            spent = spent + np.where(transfer.count > 0, once, 0.0) * transfer.count
    return spent


PASS_MOVES = 2
"""A single pass over hidden states reads them and writes them."""
FUSED_ROLES = (Role.ATTENTION_IN, Role.MLP_IN, Role.SHARED_IN, Role.EXPERT_IN)


def fused(layer: Layer) -> tuple[Matrix, ...]:
    """Join matrices that read the same input, as frameworks do: queries, keys and values, gate and up."""
    joined: dict[tuple[object, ...], Matrix] = {}
    for matrix in layer.matrices:
        key = (matrix.role, matrix.inputs, matrix.copies, matrix.active)
        own = key if matrix.role in FUSED_ROLES else (*key, matrix.name)
        first = joined.get(own)
        outputs, bias = (first.outputs, first.bias) if first else (0, 0)
        joined[own] = replace(matrix, outputs=outputs + matrix.outputs, bias=bias + matrix.bias)
    return tuple(joined.values())


def layer_seconds(bench: Bench, layer: Layer) -> dict[str, Real]:
    """Seconds of one kind of layer by cause."""
    spent: dict[str, Real] = {}
    matrices = fused(layer)
    kept, form = bench.kept, bench.setup.number_format
    pairs = [matrix_seconds(bench, matrix, matrix_format(kept, layer, matrix, form)) for matrix in matrices]
    tuned = adapters_seconds(bench, layer)
    for at, way in enumerate(("forward", "backward")):
        for kind, of_experts in (("matmul", False), ("grouped", True)):
            own = [
                pair[at]
                for pair, matrix in zip(pairs, matrices, strict=True)
                if (matrix.role in EXPERT_ROLES) is of_experts
            ]
            beside = tuned[0 if kind == "matmul" else 1][at]
            spent[f"{kind}_{way}"] = sum(own, start=0.0 * bench.tokens) + beside
    ragged = [misaligned(bench, matrix) for matrix in matrices]
    for at, way in enumerate(("forward", "backward")):
        shares = [share * pair[at] for share, pair in zip(ragged, pairs, strict=True)]
        spent[f"misaligned_{way}"] = sum(shares, start=0.0 * bench.tokens)
    spent["core_forward"], spent["core_backward"] = core_seconds(bench, layer.core)
    spent["scan_forward"], spent["scan_backward"] = scan_seconds(bench, layer.core)
    odd = float(layer.core.qk_head_dim % VECTOR_ELEMENTS > 0 and bench.setup.attention is Attention.UNFUSED)
    spent["odd_forward"], spent["odd_backward"] = odd * spent["core_forward"], odd * spent["core_backward"]
    forward, backward = pass_bytes(bench, layer)
    unpacked, added = unpacked_bytes(bench, layer), adapters_bytes(bench, layer)
    once = PASS_MOVES * bench.tokens * float(bench.setup.model.hidden) * bench.width
    spent["pass_forward"] = bench.device.pass_seconds(forward, once)
    spent["pass_backward"] = bench.device.pass_seconds(backward, once)
    for way, moved in zip(("forward", "backward"), added, strict=True):
        spent[f"beside_{way}"] = np.where(moved + unpacked > 0, bench.device.pass_seconds(moved + unpacked, once), 0.0)
    routed = routed_bytes(bench, layer)
    moves = float(layer.experts > 0)
    spent["routed_forward"] = moves * bench.device.pass_seconds(routed[0])
    spent["routed_backward"] = moves * bench.device.pass_seconds(routed[1])
    biased = biased_bytes(bench, layer)
    spent["bias_forward"] = spent["bias_backward"] = np.where(biased > 0, bench.device.pass_seconds(biased), 0.0)
    spent["quantise"] = quantise_seconds(bench, layer)
    for axis in ("tensor", "context", "expert"):
        spent[f"{axis}_forward"] = transfer_seconds(bench, layer, axis, False)
        spent[f"{axis}_backward"] = transfer_seconds(bench, layer, axis, True)
    return spent


def head_seconds(bench: Bench) -> dict[str, Real]:
    """Seconds of the matrix to the vocabulary (always in 16 bits) and of the loss over it."""
    setup, model, tensor = bench.setup, bench.job.model, bench.table.tensor
    hidden, columns, count = float(model.hidden), model.vocabulary / tensor, float(heads_of(model))
    forward = bench.device.matmul_seconds(bench.tokens, hidden, columns, bench.wide)
    backward = bench.device.matmul_seconds(bench.tokens, columns, hidden, bench.wide)
    if setup.freezing.all_but_head:
        backward = 0.0 * backward
    if not (setup.frozen or (setup.freezing.embeddings and model.tied_head)):
        backward = backward + bench.device.matmul_seconds(hidden, bench.tokens, columns, bench.wide)
    moved = bench.tokens * columns * bench.width * LOSS_PASSES
    return {
        "head_forward": count * forward,
        "head_backward": count * backward,
        "head_pass": count * bench.device.pass_seconds(moved),
    }


LOSS_PASSES = 2 * 2 * 2
"""16-bit passes over the logits: cast up (read, write twice as wide), maximum and sum, gradient, cast down."""


def time_layers(bench: Bench) -> LayerColumns:
    """Time the mean layer and the head for every row of the bench's table."""
    total = float(layer_count(bench.job.model))
    mean: dict[str, FloatArray] = {}
    for run, count, form in layer_formats(bench.job.model, bench.setup.number_format):
        inside = replace(bench, setup=replace(bench.setup, number_format=form))
        for cause, seconds in layer_seconds(inside, run.layer).items():
            share = np.asarray(seconds, dtype=np.float64) * (count / total)
            mean[cause] = mean[cause] + share if cause in mean else share
    whole = np.ones(len(bench.table))
    mean.update({cause: np.asarray(seconds) * whole for cause, seconds in head_seconds(bench).items()})
    return LayerColumns(**{cause: seconds * whole for cause, seconds in mean.items()})


def spread(columns: LayerColumns, rows: NDArray[np.intp]) -> LayerColumns:
    """Give every layout the columns of the distinct row that it is like."""
    return LayerColumns(**{field.name: getattr(columns, field.name)[rows] for field in fields(LayerColumns)})
