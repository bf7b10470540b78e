"""One replica, opened: the model's matrices as each accelerator holds them under a layout and a weight scheme."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from suanli.domain.chip import ChipKind
from suanli.domain.engine import EngineProfile, ServingConstants, WeightScheme
from suanli.domain.model import Core, CoreKind, Layer, Matrix, Role
from suanli.domain.serving import AdapterFigures, DraftKind
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.equations import batching
from suanli.parts.devices.electronic import Device
from suanli.parts.devices.fabric import Fabric

ATTENTION_ROLES = (Role.ATTENTION_IN, Role.ATTENTION_OUT, Role.MIXER, Role.INDEXER, Role.CONVOLUTION)
WIDE_FORMATS = ("bf16", "fp16")
"""Formats in which nothing of a checkpoint is quantised."""
EXPERT_ROLES = (Role.EXPERT_IN, Role.EXPERT_OUT)
COLUMN_SPLIT = (Role.ATTENTION_IN, Role.MIXER, Role.MLP_IN, Role.SHARED_IN, Role.EXPERT_IN)
ROW_SPLIT = (Role.ATTENTION_OUT, Role.MLP_OUT, Role.SHARED_OUT, Role.EXPERT_OUT)
DENSE_ROLES = (Role.MLP_IN, Role.MLP_OUT)
"""Matrices of a dense feed-forward, which ranks whose attention is data parallel may share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A matrix product of a layer as one accelerator runs it; `copies` experts of it, of which `chosen` serve a token.

    Matrices of equal role and input stand as one product, as engines fuse them.
    """

    role: Role
    inner: float
    columns: float
    number_format: str
    copies: int = 1
    chosen: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Drafting:
    """Who drafts, and what it takes: the drafter as a replica of its own (None: no model drafts), passes of a step.

    `acceptance` is the chance that a drafted token is accepted, between `acceptance_low` and `acceptance_high` for
    80 % of tasks and models. `copies` is how often the drafter's weights are held, `reads_prompts` says that it
    computes prompts too. `plain_engine` is the engine's class as it is without drafts, `plain_hides_host`
    says whether it schedules ahead then. Each pass costs the host
    `host_seconds`, each sequence `sequence_seconds`.
    """

    kind: DraftKind
    replica: Replica | None
    passes: float
    copies: float
    reads_prompts: bool
    acceptance: float
    acceptance_low: float
    acceptance_high: float
    host_seconds: float
    sequence_seconds: float
    plain_engine: EngineProfile
    plain_hides_host: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterLoad:
    """Adapters as a replica serves them: how many are asked for, how many have a slot, the rank that has room.

    `targets` are the names of the matrices that they change, `figures` how their kernels run, `slack` how much longer
    they take in this class of engines.
    """

    count: int
    slots: int
    room_rank: int
    targets: frozenset[str]
    slack: float
    figures: AdapterFigures

    @property
    def present_share(self) -> float:
        """Share of the requests whose adapter has a slot, where all are asked for alike."""
        return min(self.slots / self.count, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Replica:
    """A model under an engine on the accelerators of one replica; `ranks_per_node` of them share a node.

    `draft` and `adapters` are what it serves beside the model (None: nothing). `launch_seconds` is of one kernel
    launch where no graph is captured (0: launches are hidden), `hides_host` says that the engine schedules while
    kernels run, `bounded_windows` that the cache of a window stops growing, `shares_prefixes` that equal beginnings of
    prompts are computed once. `chip` is the kind of special-purpose chip (None: a GPU or like one), `regions` how many
    layers work side by side on each.
    """

    setup: ServingSetup
    layout: ServingLayout
    device: Device
    fabric: Fabric
    engine: EngineProfile
    scheme: WeightScheme
    constants: ServingConstants
    ranks_per_node: float
    kv_format: str
    assumed: tuple[str, ...] = ()
    draft: Drafting | None = None
    adapters: AdapterLoad | None = None
    launch_seconds: float = 0.0
    hides_host: bool = False
    bounded_windows: bool = True
    shares_prefixes: bool = True
    chip: ChipKind | None = None
    regions: float = 1.0
    held: dict[Layer, tuple[Product, ...]] = field(default_factory=dict)

    @property
    def group(self) -> int:
        """Accelerators of one pipeline stage."""
        return self.layout.tensor * self.layout.attention_data * self.layout.context

    @property
    def acceptance(self) -> float:
        """Chance that a drafted token is accepted."""
        if self.draft is not None:
            return self.draft.acceptance
        return self.constants.acceptance if self.setup.acceptance is None else self.setup.acceptance

    @property
    def at_once(self) -> float:
        """Pipeline stages that work at the same time."""
        placement = self.chip.placement if self.chip else None
        stall = placement.stage_stall if placement else None
        stages = self.layout.pipeline * self.regions
        busy = batching.busy_stages(stages, self.constants.stage_stall if stall is None else stall)
        return float(min(busy, self.engine.stages_at_once))

    @property
    def expert_tensor(self) -> float:
        """How many ways one expert's matrices are split."""
        return max(self.group / max(self.layout.expert, 1), 1.0)

    def products(self, layer: Layer) -> tuple[Product, ...]:
        """List a layer's matrix products as one accelerator runs them."""
        if layer not in self.held:
            self.held[layer] = tuple(_fused(self, layer))
        return self.held[layer]


def matrix_format(replica: Replica, matrix: Matrix, latent: bool) -> str:
    """Return the number format that a matrix is kept in; what a checkpoint leaves whole stays in 16 bits."""
    quantisation, scheme = replica.setup.model.quantisation, replica.scheme
    whole = quantisation.unquantised_roles if quantisation else ()
    if matrix.role is Role.ROUTER or (matrix.role in whole and scheme.dense not in WIDE_FORMATS):
        return "bf16"
    if matrix.role in EXPERT_ROLES:
        return scheme.expert
    if matrix.role in ATTENTION_ROLES:
        return scheme.latent_attention if latent else scheme.attention
    return scheme.dense


def cache_ways(core: Core, tensor: int) -> float:
    """How many ways the cache of a layer is split: by key-value heads, not at all for a latent."""
    return 1.0 if core.kind is CoreKind.LATENT else float(min(tensor, max(core.kv_heads, 1)))


def column_share(replica: Replica, layer: Layer, matrix: Matrix) -> float:
    """How many columns of a matrix one accelerator holds."""
    tensor, core = replica.layout.tensor, layer.core
    if matrix.role not in COLUMN_SPLIT:
        return float(matrix.outputs)
    if matrix.role is Role.EXPERT_IN:
        return matrix.outputs / replica.expert_tensor
    if matrix.role in DENSE_ROLES:
        return matrix.outputs / (tensor * replica.layout.feed_forward)
    if matrix.role is Role.ATTENTION_IN and core.kind is CoreKind.LATENT and _enters_latent(replica, layer, matrix):
        return float(matrix.outputs)
    return matrix.outputs / tensor


def _enters_latent(replica: Replica, layer: Layer, matrix: Matrix) -> bool:
    """Say whether a matrix makes a latent, which every rank needs whole: it is narrower than the heads together."""
    whole = layer.core.heads * layer.core.qk_head_dim
    return matrix.inputs == replica.setup.model.hidden and matrix.outputs < whole


def inner_share(replica: Replica, matrix: Matrix) -> float:
    """How many rows of a matrix one accelerator holds."""
    if matrix.role is Role.EXPERT_OUT:
        return matrix.inputs / replica.expert_tensor
    if matrix.role in DENSE_ROLES and matrix.role in ROW_SPLIT:
        return matrix.inputs / (replica.layout.tensor * replica.layout.feed_forward)
    return matrix.inputs / replica.layout.tensor if matrix.role in ROW_SPLIT else float(matrix.inputs)


def _fused(replica: Replica, layer: Layer) -> list[Product]:
    """Join matrices that read the same input in the same role into one product."""
    latent = layer.core.kind is CoreKind.LATENT
    joined: dict[tuple[Role, float, int, float, str], float] = {}
    for matrix in layer.matrices:
        if matrix.role is Role.ROUTER and layer.experts <= 1:
            continue
        kept = matrix_format(replica, matrix, latent)
        key = (matrix.role, inner_share(replica, matrix), matrix.copies, matrix.active, kept)
        joined[key] = joined.get(key, 0.0) + column_share(replica, layer, matrix)
    extra = _repeated_heads(replica, layer)
    return [
        Product(
            role=role, inner=inner, number_format=kept, copies=copies, chosen=chosen,
            columns=columns + (extra if role is Role.ATTENTION_IN else 0.0),
        )
        for (role, inner, copies, chosen, kept), columns in joined.items()
    ]  # fmt: skip


def _repeated_heads(replica: Replica, layer: Layer) -> float:
    """Columns of key-value heads held twice, where there are fewer of them than tensor ranks."""
    core, tensor = layer.core, replica.layout.tensor
    if core.kind is not CoreKind.SOFTMAX:
        return 0.0
    columns = core.kv_heads * (core.qk_head_dim + core.v_head_dim)
    return columns / cache_ways(core, tensor) - columns / tensor


@functools.cache
def layers_of(setup: ServingSetup) -> float:
    """How many layers a model has."""
    return float(sum(run.count for run in setup.model.runs))
