"""What is to be computed: pretraining, fine-tuning, serving."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.hardware import Precision
from suanli.domain.model import Model
from suanli.domain.serving import Adapters, DraftKind
from suanli.domain.tuning import NOTHING_FROZEN, Freezing, LowRank


class TuningMethod(StrEnum):
    """How a model is tuned."""

    FULL = "full"
    LORA = "lora"
    QLORA = "qlora"


class Attention(StrEnum):
    """Which attention kernel runs."""

    UNFUSED = "unfused"
    FLASH = "flash"


class ContextExchange(StrEnum):
    """What context ranks send each other: keys and values in a ring, or their parts of heads for parts of sequences."""

    RING = "ring"
    ULYSSES = "ulysses"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSetup:
    """What is trained and with which software settings; the layout is chosen apart.

    `precision` is that of the matmuls (`number_format` says which scheme where several share a peak: mxfp8, nvfp4).
    `framework` is a key of the framework table, which says how far passes are fused and traffic is hidden.
    `balanced_experts` says that tokens are spread evenly over experts by force, as benchmarks do. `adapters` are beside
    weights that a method leaves as they are, `frozen_format` is the number format of those under QLoRA, `freezing`
    what else is left alone. `capacity` gives each expert room for so many times its even share
    of the tokens: less is padded, more is dropped (None: every expert takes what comes). `split_tensor` cuts products
    of tensor ranks into pieces that run beside each other's traffic (async TP, MC2). `document_tokens` is the mean
    length of documents that are packed into a sequence and do not see each other (None: a sequence is one).
    """

    model: Model
    sequence_tokens: int
    global_batch: int
    precision: Precision = Precision.BF16
    number_format: str = "bf16"
    attention: Attention = Attention.FLASH
    framework: str = "megatron"
    tuning: TuningMethod | None = None
    adapters: LowRank | None = None
    freezing: Freezing = NOTHING_FROZEN
    optimizer: str = "adamw"
    balanced_experts: bool = False
    frozen_format: str = ""
    capacity: float | None = None
    split_tensor: bool = False
    context_exchange: ContextExchange = ContextExchange.RING
    document_tokens: float | None = None

    @property
    def frozen(self) -> bool:
        """Whether the model's own weights stay as they are."""
        return self.tuning in (TuningMethod.LORA, TuningMethod.QLORA)

    @property
    def seen_tokens(self) -> float:
        """Tokens of what attention sees as one: a packed document, or the whole sequence."""
        if self.document_tokens is None:
            return float(self.sequence_tokens)
        return float(min(self.document_tokens, self.sequence_tokens))


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingSetup:
    """A model under a serving engine: formats, engine, request shape. Lengths are means in tokens.

    `prefix_hit_share` is the share of prompt tokens that a prefix cache holds already, `draft_tokens` how many tokens a
    speculative step drafts (0: none). `token_budget`, `sequence_limit`, `usable_share` and `receive_steps` stand in for
    the engine's own settings where they are given (None: the engine's default). `drafting` says who drafts (None:
    nobody knows, what drafting costs is left out), `draft_model` which model where it is one of its own, `acceptance`
    the chance that a draft is accepted where it was measured. `adapters` are low-rank ones beside the weights, `eager`
    says that kernels are launched one by one, `overlap` that the engine schedules ahead (None: as its class does).
    """

    model: Model
    input_tokens: float
    output_tokens: float
    weight_format: str = "bf16"
    kv_format: str = "bf16"
    engine: str = "vllm"
    engine_date: str = ""
    engine_version: str = ""
    prefix_hit_share: float = 0.0
    draft_tokens: float = 0.0
    token_budget: float | None = None
    sequence_limit: float | None = None
    usable_share: float | None = None
    receive_steps: float | None = None
    drafting: DraftKind | None = None
    draft_model: Model | None = None
    acceptance: float | None = None
    adapters: Adapters | None = None
    eager: bool = False
    overlap: bool | None = None

    @property
    def outputs_after_first(self) -> float:
        """Answer tokens that decode steps make; prefill makes the first."""
        return max(self.output_tokens - 1.0, 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingLayout:
    """How one replica is split: tensor x pipeline x attention-data x context ranks; experts over `expert` of them.

    `context` ranks share out the tokens of prompts, and the cache with them. `decode_context` of the tensor ranks share
    out the cache by positions instead of holding it over and over. `feed_forward` attention-data ranks share one dense
    feed-forward (1: each has its own).
    """

    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    attention_data: int = 1
    context: int = 1
    decode_context: int = 1
    feed_forward: int = 1

    @property
    def accelerators(self) -> int:
        """How many accelerators one replica occupies."""
        return self.tensor * self.pipeline * self.attention_data * self.context

    @property
    def cache_shards(self) -> int:
        """Into how many parts by position the cache of a sequence is cut."""
        return self.context * self.decode_context
