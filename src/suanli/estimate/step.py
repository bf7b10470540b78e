"""One training step as raw columns: kernels, traffic and shape of every layout, before software adds to it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fnmatch import fnmatch

import numpy as np

from suanli.domain.hardware import Cluster
from suanli.domain.kernel import KernelTable
from suanli.domain.layout import LayoutTable
from suanli.domain.model import Model
from suanli.domain.software import Software
from suanli.domain.workload import Attention, ContextExchange, TrainingSetup
from suanli.equations.pipeline import fullest_stage_layers, last_stage_layers, micro_batches
from suanli.estimate.kept import kept_layer_bytes
from suanli.estimate.operators import (
    KERNEL_KEY,
    Bench,
    LayerColumns,
    layer_count,
    runs_of,
    spread,
    time_layers,
)
from suanli.estimate.optimizers import load_choices, makes_orthogonal
from suanli.estimate.precision import element_bytes
from suanli.estimate.shards import StageParameters, head_parameters, stage_layers, stage_parameters, trained_head_share
from suanli.estimate.tables import FULL_RECOMPUTE, NO_RECOMPUTE, distinct
from suanli.estimate.updates import (
    UpdateColumns,
    activations_away,
    more_moved,
    optimizer_away,
    orthogonal_stage,
    whole_matrices,
)
from suanli.foundation.equation import FloatArray, Real
from suanli.parts.axes.axis import Job, Transfer
from suanli.parts.axes.expert import expert_copies
from suanli.parts.axes.pipeline import hop
from suanli.parts.axes.sharding import FULL, GRADIENTS, OPTIMIZER, Parameters, gradients, group, shards, weights
from suanli.parts.devices.electronic import Device
from suanli.parts.devices.fabric import WHOLE_CLUSTER, Fabric
from suanli.parts.devices.open import open_device, open_fabric
from suanli.parts.devices.special import refuse_training

HOPPER = "nv-*h[128]0*"
"""Ids of accelerators of the Hopper generation (H100, H200, H800, GH200, H20)."""
BLACKWELL = "nv-*b[123]00*"
"""Ids of accelerators of the Blackwell generation with HBM (B100, B200, GB200, B300, GB300)."""
STATE_KEY = ("data", "tensor", "pipeline", "context", "expert", "interleave", "sharding", "sharding_ranks", "schedule")
HOP_KEY = ("data", "tensor", "pipeline", "context", "micro_batch", "interleave")


@dataclass(frozen=True, kw_only=True, slots=True)
class RawStep:
    """Columns that software composes into a step: seconds of kernels and transfers, and the shape of the layout.

    `returns` is 1 where a backward pass follows the forward pass (0: the model only scores).
    `full`, `scores` and `modules` are 1 where the whole forward pass, the unfused attention core, or the passes between
    matrices are computed again.
    `parts` is over how many ranks the new weights come, where they are not gathered layer by layer (1 there).
    `ring` is 1 where context ranks send keys and values in a ring, which attention hides; trading heads it waits for.
    `tensor_inside` is 1 where tensor ranks share a node, `sharded` for fully sharded weights, `every` where
    gradients are scattered after each micro-batch. `weight_share` is what part of a matrix' backward products is the
    gradient of its weights.
    """

    layers: LayerColumns
    hop_seconds: FloatArray
    gather_layer: FloatArray
    scatter_layer: FloatArray
    reduce_stage: FloatArray
    gather_stage: FloatArray
    parts: FloatArray
    optimizer_parameters: FloatArray
    accumulate_parameters: FloatArray
    pass_bytes_per_s: FloatArray
    update_bytes_per_s: FloatArray
    micro_batches: FloatArray
    pipeline: FloatArray
    interleave: FloatArray
    schedule: FloatArray
    weight_share: FloatArray
    fullest: FloatArray
    last: FloatArray
    layer_count: FloatArray
    returns: FloatArray
    full: FloatArray
    scores: FloatArray
    modules: FloatArray
    sharded: FloatArray
    every: FloatArray
    routed: FloatArray
    local_experts: FloatArray
    block_scaled: FloatArray
    tensor: FloatArray
    node_accelerators: FloatArray
    tensor_inside: FloatArray
    split_tensor: FloatArray
    ring: FloatArray
    expert_inside: FloatArray
    nodes: FloatArray
    imbalance: FloatArray
    hopper: FloatArray
    blackwell: FloatArray
    update: UpdateColumns


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """An opened cluster: the device, the fabric, and how many accelerators there are, in all and in a node.

    The host link's rate and the host's memory (without end where it is not known) are for one accelerator, of
    `host_sharing` that share a host.
    """

    device: Device
    fabric: Fabric
    accelerators: int
    node_accelerators: int
    nodes: float
    host_bytes_per_s: float
    host_memory_bytes: float
    host_sharing: int


def open_machine(cluster: Cluster, kernels: KernelTable, accelerators: int | None = None) -> Machine:
    """Open a cluster's device and fabric; `accelerators` may be fewer than the nodes hold.

    Raises InfeasibleError where nobody trains on such accelerators.
    """
    refuse_training(cluster.system.accelerator, kernels)
    fabric = open_fabric(cluster.system, kernels)
    used = accelerators or cluster.nodes * cluster.system.accelerators
    domain = cluster.system.link.domain if cluster.system.link.bytes_per_s is not None else cluster.system.accelerators
    together = int(min(max(domain, 1), cluster.system.accelerators))
    node = together if cluster.system.system_kind == WHOLE_CLUSTER else cluster.system.accelerators
    accelerator, host_memory = cluster.system.accelerator, cluster.system.host_memory_bytes
    link = accelerator.host_bytes_per_s.value if accelerator.host_bytes_per_s else kernels.host_bytes_per_s
    return Machine(
        host_bytes_per_s=link,
        host_memory_bytes=host_memory.value / cluster.system.accelerators if host_memory else np.inf,
        host_sharing=cluster.system.accelerators,
        device=open_device(cluster.system.accelerator, kernels),
        fabric=fabric,
        accelerators=used,
        node_accelerators=min(together, used),
        nodes=max(used / node, 1.0),
    )


def job_of(setup: TrainingSetup, machine: Machine) -> Job:
    """Say what the axes split."""
    return Job(
        model=setup.model,
        sequence=setup.sequence_tokens,
        ulysses=setup.context_exchange is ContextExchange.ULYSSES,
        global_batch=setup.global_batch,
        accelerators=machine.accelerators,
        node_accelerators=machine.node_accelerators,
        activation_bytes=element_bytes(setup.number_format),
        expert_rows=1.0 if setup.capacity is None else setup.capacity,
    )


def _sent(fabric: Fabric, transfers: tuple[Transfer, ...]) -> FloatArray:
    spent: Real = 0.0
    for one in transfers:
        seconds = fabric.collective_seconds(one.op, one.message_bytes, one.ranks, one.ranks_per_node)
        spent = spent + np.where(one.message_bytes * np.ones_like(one.ranks) > 0, seconds, 0.0) * one.count
    return np.asarray(spent, dtype=np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class StateColumns:
    """Traffic and bytes of parameters: of one layer for full sharding, of a stage for what is sent once a step."""

    gather_layer: FloatArray
    scatter_layer: FloatArray
    reduce_stage: FloatArray
    gather_stage: FloatArray
    optimizer_parameters: FloatArray
    accumulate_parameters: FloatArray
    more_moved_bytes: FloatArray


def state_columns(
    setup: TrainingSetup, job: Job, fabric: Fabric, software: Software, table: LayoutTable
) -> StateColumns:
    """Time what parameters and gradients send, and count what the optimizer works on."""
    held: StageParameters = stage_parameters(setup, table)
    tables = head_parameters(setup.model) * (2.0 - setup.model.tied_head) / table.tensor / layer_count(setup.model)
    layer = Parameters(dense=held.layer.dense + tables, expert=held.layer.expert)
    moving = trained_head_share(setup) * tables
    trained_layer = Parameters(dense=held.trained_layer.dense + moving, expert=held.trained_layer.expert)
    trained = held.trained_first
    whole = np.where(table.sharding == FULL, 1.0, 0.0)
    partial = np.where(table.sharding == GRADIENTS, 1.0, 0.0)
    ranks, copies = group(table), expert_copies(table)
    kept = trained.dense / shards(table, OPTIMIZER, ranks) + trained.expert / shards(table, OPTIMIZER, copies)
    return StateColumns(
        gather_layer=whole * _sent(fabric, weights(job, table, layer, job.activation_bytes)),
        scatter_layer=(whole + partial) * _sent(fabric, gradients(job, table, trained_layer, software.reduce_bytes)),
        reduce_stage=(1 - whole - partial) * _sent(fabric, gradients(job, table, trained, software.reduce_bytes)),
        gather_stage=(1 - whole) * _sent(fabric, weights(job, table, trained, job.activation_bytes)),
        optimizer_parameters=np.asarray(kept + 0.0 * ranks),
        accumulate_parameters=np.asarray(trained_layer.dense + trained_layer.expert + 0.0 * ranks),
        more_moved_bytes=np.asarray(more_moved(setup, table, kept + 0.0 * ranks, held.trained_first_tables)),
    )


def update_columns(
    setup: TrainingSetup, machine: Machine, software: Software, table: LayoutTable, more_moved_bytes: FloatArray
) -> UpdateColumns:
    """Say what updates take beside AdamW's own bytes, and what travels to the host."""
    whole, away = np.ones(len(table)), activations_away(table)
    job, out, products = job_of(setup, machine), 0.0 * whole, 0.0 * whole
    if np.any(np.asarray(away) > 0):
        out = np.asarray(away * kept_layer_bytes(setup, job, software, table) / machine.host_bytes_per_s)
    if makes_orthogonal(setup):
        held = stage_parameters(setup, table)
        matrices = Parameters(dense=held.first.dense - held.first_tables, expert=held.first.expert)
        products = np.asarray(orthogonal_stage(setup, machine.device, table, stage_layers(setup, table)[0]))
        products = products + _sent(machine.fabric, weights(job, table, matrices, job.activation_bytes))
        products = products + _sent(machine.fabric, whole_matrices(job, table, matrices.dense))
    return UpdateColumns(
        more_moved_bytes=more_moved_bytes,
        orthogonal_seconds=products * whole,
        optimizer_away=np.asarray(optimizer_away(table)),
        activations_out=out * whole,
        weight_bytes=whole * job.activation_bytes,
        host_bytes_per_s=whole * machine.host_bytes_per_s,
        host_memory_bytes_per_s=whole * load_choices().offloading.host_memory_rate.value,
        host_sharing=whole * machine.host_sharing,
    )


def mean_experts(model: Model) -> float:
    """Experts of the mean layer, those layers that have none counted too."""
    return sum(run.count * run.layer.experts for run in runs_of(model)) / layer_count(model)


def reached_share(setup: TrainingSetup, table: LayoutTable) -> Real:
    """Share of a stage's layers that the backward pass reaches: it ends at the first layer that trains.

    The stage of the last layers sets the pace, so that of several stages it is the share of that one.
    """
    layers, frozen = float(layer_count(setup.model)), float(setup.freezing.layers)
    if setup.freezing.all_but_head:
        return np.zeros(len(table))
    return np.minimum(max(layers - frozen, 0.0) * table.pipeline / layers, 1.0)


def reached(columns: LayerColumns, back: Real) -> LayerColumns:
    """Leave the backward pass of the layers out that it does not reach; casts are half of them backward."""
    if np.all(np.asarray(back) == 1):
        return columns
    shares = {field.name: back for field in fields(LayerColumns) if field.name.endswith("_backward")}
    shares |= {"head_backward": 1.0 + 0.0 * back, "quantise": (1 + back) / 2}
    return replace(columns, **{name: getattr(columns, name) * share for name, share in shares.items()})


def raw_step(setup: TrainingSetup, machine: Machine, software: Software, table: LayoutTable) -> RawStep:
    """Read every column of a step for a table of layouts; each distinct kernel and transfer is timed once.

    Experts of a fixed capacity run as one batch, without launches for each.
    """
    job, whole = job_of(setup, machine), np.ones(len(table))
    few, rows = distinct(table, KERNEL_KEY)
    bench = Bench(setup=setup, job=job, device=machine.device, fabric=machine.fabric, table=few)
    states, state_rows = distinct(table, STATE_KEY)
    state = state_columns(setup, job, machine.fabric, software, states)
    hops, hop_rows = distinct(table, HOP_KEY)
    one = hop(job, hops)
    hop_seconds = machine.fabric.collective_seconds(one.op, one.message_bytes, one.ranks, one.ranks_per_node)
    selective = np.where((table.recompute != NO_RECOMPUTE) & (table.recompute != FULL_RECOMPUTE), 1.0, 0.0)
    layers, loose = float(layer_count(setup.model)), float(setup.capacity is None)
    unfused = float(setup.attention is Attention.UNFUSED)
    experts = any(run.layer.experts > 1 for run in setup.model.runs)
    held_tokens = few.micro_batch * job.sequence / few.context / few.tensor
    back = reached_share(setup, table)
    forced = setup.balanced_experts or setup.capacity is not None
    skew = machine.device.moe_imbalance(few.expert, held_tokens) if experts and not forced else 1.0
    return RawStep(
        layers=reached(spread(time_layers(bench), rows), back),
        hop_seconds=(hop_seconds * np.ones(len(hops)))[hop_rows],
        gather_layer=state.gather_layer[state_rows],
        scatter_layer=state.scatter_layer[state_rows],
        reduce_stage=state.reduce_stage[state_rows],
        gather_stage=state.gather_stage[state_rows],
        parts=np.where(table.sharding < FULL, shards(table, OPTIMIZER, group(table)), 1.0),
        optimizer_parameters=state.optimizer_parameters[state_rows],
        accumulate_parameters=state.accumulate_parameters[state_rows] * back,
        pass_bytes_per_s=whole * machine.device.pass_bytes_per_s,
        update_bytes_per_s=whole * machine.device.update_bytes_per_s,
        micro_batches=np.asarray(micro_batches(float(setup.global_batch), table.data, table.micro_batch)),
        pipeline=table.pipeline,
        interleave=table.interleave,
        schedule=table.schedule,
        weight_share=whole * (0.0 if bench.frozen else 1 / 2),
        fullest=np.asarray(fullest_stage_layers(layers, table.pipeline, table.interleave)),
        last=np.asarray(last_stage_layers(layers, table.pipeline, table.interleave)),
        layer_count=whole * layers,
        returns=whole,
        full=np.where(table.recompute == FULL_RECOMPUTE, back, 0.0),
        scores=selective * unfused * back,
        modules=selective * (1 - unfused) * back,
        sharded=np.where(table.sharding == FULL, 1.0, 0.0),
        every=np.where(table.sharding >= GRADIENTS, 1.0, 0.0),
        routed=whole * float(experts),
        local_experts=np.asarray(loose * mean_experts(setup.model) / table.expert),
        block_scaled=whole * float(machine.device.number_format(setup.number_format).block_scaled),
        tensor=table.tensor,
        node_accelerators=whole * machine.fabric.node,
        split_tensor=whole * float(setup.split_tensor),
        ring=whole * float(setup.context_exchange is ContextExchange.RING),
        tensor_inside=np.where(table.tensor <= machine.node_accelerators, 1.0, 0.0),
        expert_inside=np.where(table.expert <= machine.node_accelerators, 1.0, 0.0),
        nodes=whole * machine.nodes,
        hopper=whole * float(fnmatch(machine.device.accelerator.id, HOPPER)),
        blackwell=whole * float(fnmatch(machine.device.accelerator.id, BLACKWELL)),
        imbalance=(np.asarray(skew) * np.ones(len(few)))[rows],
        update=update_columns(setup, machine, software, table, state.more_moved_bytes[state_rows]),
    )
