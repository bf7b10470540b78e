"""What a model is: its layers as lists of matrices and one mixing core each. No formula lives here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a matrix is for; decides how it is sharded, tuned and quantised."""

    EMBEDDING = "embedding"
    HEAD = "head"
    ATTENTION_IN = "attention_in"
    ATTENTION_OUT = "attention_out"
    MIXER = "mixer"
    MLP_IN = "mlp_in"
    MLP_OUT = "mlp_out"
    ROUTER = "router"
    EXPERT_IN = "expert_in"
    EXPERT_OUT = "expert_out"
    SHARED_IN = "shared_in"
    SHARED_OUT = "shared_out"
    INDEXER = "indexer"
    CONVOLUTION = "convolution"


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """One weight matrix of a layer: y[outputs] = W[outputs, inputs] x[inputs].

    `copies` is how many of it are stored (experts), `active` how many of the copies one token passes through.
    `bias` is how many bias parameters one copy has (0 where none).
    """

    name: str
    role: Role
    inputs: int
    outputs: int
    copies: int = 1
    active: float = 1.0
    bias: int = 0


class CoreKind(StrEnum):
    """How a layer mixes tokens."""

    SOFTMAX = "softmax"
    LATENT = "latent"
    LINEAR = "linear"
    STATE_SPACE = "state_space"
    CONVOLUTION = "convolution"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """The token-mixing core of a layer, between its input and output matrices.

    `cached_elements` is what one token leaves in the cache (keys and values, or the latent), `state_elements` what one
    sequence keeps whatever its length. `window` bounds how far back a token looks (None: all), `selected` how many
    cached entries a sparse index lets through (None: all); `index_heads` and `index_head_dim` are the index's own.
    `stride` is how many tokens share one cached entry beyond the window (1: each has its own; 0: none is kept beyond
    it). `state_passes` is how often a recurrent state is read or written for each token. `normed_heads` says that
    queries and keys have norms of their own.
    """

    kind: CoreKind
    heads: int = 0
    kv_heads: int = 0
    qk_head_dim: int = 0
    v_head_dim: int = 0
    window: int | None = None
    selected: int | None = None
    index_heads: int = 0
    index_head_dim: int = 0
    cached_elements: float = 0.0
    state_elements: int = 0
    stride: int = 1
    state_passes: int = 0
    normed_heads: bool = False

    @property
    def attends(self) -> bool:
        """Whether it looks at positions one by one, by keys and values or by a latent."""
        return self.kind in (CoreKind.SOFTMAX, CoreKind.LATENT)

    @property
    def attended_elements(self) -> float:
        """What one token leaves in the cache for attention itself: the keys of a sparse index left out."""
        return self.cached_elements - self.index_head_dim


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer: matrices, a core, and `vector_parameters` (norm scales and other vectors that no matmul reads)."""

    name: str
    core: Core
    matrices: tuple[Matrix, ...]
    vector_parameters: int
    experts: int = 0
    experts_per_token: int = 0
    gated: bool = True
    norms: int = 2
    parallel: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRun:
    """How many layers of one kind a model has."""

    layer: Layer
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantisation:
    """What a checkpoint's own quantisation says: bits of the quantised matrices and of what stays whole.

    `weight_bits` includes the scales that are stored with the numbers. `role_bits` says the mean bits of a role where
    it differs from `weight_bits`; `kv_format` is the cache's format where the checkpoint names one.
    """

    method: str
    weight_bits: float
    block_size: int | None = None
    unquantised_roles: tuple[Role, ...] = (Role.EMBEDDING, Role.HEAD, Role.ROUTER)
    role_bits: tuple[tuple[Role, float], ...] = ()
    kv_format: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A language model as its config.json describes it.

    `embedding_parameters` holds token and position tables, `head` the matrix to the vocabulary (None where tied:
    `tied_head` is then True and the head's matmul reads the embedding). `draft_runs` are layers for multi-token
    prediction: stored and trained, left out of a plain forward pass. `outer_matrices` stand outside the layers (a
    projection of the embedding, say); `embedding_width` is the token table's width where it is not `hidden` (0: it is).
    """

    name: str
    family: str
    hidden: int
    vocabulary: int
    runs: tuple[LayerRun, ...]
    embedding_parameters: int
    tied_head: bool
    head_bias: int
    final_vector_parameters: int
    max_positions: int | None
    dtype: str
    draft_runs: tuple[LayerRun, ...] = ()
    outer_matrices: tuple[Matrix, ...] = ()
    embedding_width: int = 0
    quantisation: Quantisation | None = None
    notes: tuple[str, ...] = ()
