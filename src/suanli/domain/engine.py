"""What a serving engine is to a time model: how it schedules, what it admits, what its own work costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Claim(StrEnum):
    """What an engine's share of memory is of: all that runs, weights and cache alone, or what the rest leaves free."""

    WHOLE = "whole"
    STATIC = "static"
    FREE = "free"


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineProfile:
    """One class of engines of one era.

    `kernels` names whose own kernels it runs where they were measured ("" for the median over engines), `kernel_slack`
    is their time in a step over that measured alone. A step waits for `host_seconds` of scheduling,
    `rank_host_seconds` more where several accelerators take it together, `layer_seconds` of launches for each layer,
    `sequence_seconds` for each sequence that gets a token; `request_seconds` is spent once on a request (text to
    tokens, queues of the server), `front_seconds` of letting one request in after the other, while the engine stands
    still. `mixes` says that prompt chunks share steps with decodes. `reserved_share` is the share of the answer
    whose cache is taken from the start, `usable_share` the share of memory that it claims (of what, `claim` says),
    `burst_share` the share of a closed loop's requests that arrive together. `logit_copies` is how often the logits
    of all sequences stand in memory at the peak. Accelerators with less memory than `modest_bytes`, and those named,
    get the modest limits. `fused_attention` says that scores never reach memory, `stages_at_once` how many stages of
    a pipeline work at the same time at most, `experts_in_turn` which weight schemes run one expert after another.
    `ignores_windows` says that attention and cache are whole where every layer of a model has a sliding window.
    `prefills_ahead` says that all prompts with room in the cache are read before answers take turns in the batch.
    `receive_steps` is after how many steps the scheduler looks for new requests while it has others.
    Products of more than `wide_rows` tokens may go through a library of their own: `wide_product_seconds` is what each
    of them costs more, `expand_bytes_per_s` how fast quantised weights are written out in 16 bits before it (0: they
    are not). `pass_factor` is how often as much norms, rotations and gates move as fused ones do.
    """

    id: str
    name: str
    kernel_slack: float
    host_seconds: float
    rank_host_seconds: float
    layer_seconds: float
    sequence_seconds: float
    request_seconds: float
    front_seconds: float
    token_budget: float
    sequence_limit: float
    mixes: bool
    reserved_share: float
    usable_share: float
    claim: Claim
    logit_copies: float
    modest_bytes: float
    modest_names: tuple[str, ...]
    modest_token_budget: float
    modest_sequence_limit: float
    burst_share: float
    fused_attention: bool
    stages_at_once: float
    experts_in_turn: tuple[str, ...]
    runtime_bytes: float
    rank_runtime_bytes: float
    source: str
    date: str
    kernels: str = ""
    ignores_windows: bool = False
    prefills_ahead: bool = False
    pass_factor: float = 1.0
    receive_steps: float = 1.0
    wide_rows: float = 0.0
    wide_product_seconds: float = 0.0
    expand_bytes_per_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineEra:
    """An engine's name, until which date and version (both excluded, "" for open) it is of which class.

    `accelerators` is a pattern of ids on which alone it is so ("" for all): a maker's own backend goes by the engine's
    name.
    """

    engine: str
    profile: str
    until_date: str = ""
    until_version: str = ""
    accelerators: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class YoungStack:
    """A maker's software while it was young: kernels took `slack` times as long until a date, on accelerators by id."""

    accelerators: str
    until_date: str
    slack: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightScheme:
    """Which number format each part of a model has under a weight format's name.

    `cache` is what it implies for keys and values, by engine profile (key "" for any other). `native` says that a
    checkpoint of this quantisation method is served in it whatever other format is named.
    """

    name: str
    attention: str
    dense: str
    expert: str
    latent_attention: str
    head: str = "bf16"
    cache: Mapping[str, str] = field(default_factory=dict)
    native: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingConstants:
    """Figures of serving that belong to no engine: activations, speculation, fused passes, spreads of the bands.

    `physical_share` is what a device shows of memory over the printed figure (makers print GiB as GB);
    `activation_copies` is how many times a step's widest activations stand in memory at the peak. `burst_power` is
    how requests that arrive together grow with those in flight. `stage_stall` is what each further pipeline stage
    costs the others, `offline_requests` how many requests an offline benchmark holds where a table does not say.
    `acceptance` and `drafts` are of speculative decoding where the setup says no more. `hidden_moves` is how often
    a norm with its residual moves the hidden state, `inward_moves` how often a rotation or gate moves what the
    layer's first products made, `expert_passes` how many passes sort tokens to experts and back. `length_variation`
    is the squared coefficient of variation of answers' lengths where only a mean is known, `answer_lengths` are lengths
    over the mean, from short to long, and `answer_shares` which share of all answers is as long.
    """

    physical_share: float
    activation_copies: float
    acceptance: float
    drafts: float
    expert_passes: float
    burst_power: float
    stage_stall: float
    offline_requests: float
    hidden_moves: float
    inward_moves: float
    length_variation: float
    answer_shares: tuple[float, ...]
    answer_lengths: tuple[float, ...]
    spreads_log: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineTable:
    """All engine classes, the names and eras that lead to them, young stacks, weight schemes, constants of serving."""

    profiles: Mapping[str, EngineProfile]
    eras: tuple[EngineEra, ...]
    stacks: tuple[YoungStack, ...]
    schemes: Mapping[str, WeightScheme]
    constants: ServingConstants
