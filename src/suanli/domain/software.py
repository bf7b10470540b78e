"""Training software as the time and memory models see it: a few classes of frameworks, not single products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Software:
    """A class of training frameworks: how far it fuses passes, hides traffic and launches, and what it keeps.

    Shares run from 0 (nothing hidden, nothing kept) to 1. `*_bytes` of states are for one parameter; launches are
    for one layer and micro-batch, `launches_local_expert` for each expert on a rank beside, `lockstep_launch` is by
    how much they take longer where all ranks of a node march in step. `matmul_factor`, `grouped_factor`,
    `attention_factor` and `scan_factor` are how much longer its kernels take than the best measured ones,
    `hopper_share`, `hopper_attention_share` and `blackwell_attention_share` what they reach of the rate of those
    kernels on newer chips: less in software written for Ampere, more in kernels younger than the measured ones.
    `bias_passes` is how often experts' results pass memory for biases and clamps that no kernel fuses,
    `block_quantise_factor` the passes of casts with a scale for each block. `sharded_master` says that fully
    sharded weights are kept in 32 bits (as FSDP does), `whole_recompute` that it computes whole layers again where
    memory is short and nothing is said. `working_share` is how much of a layer lives at once while it is computed
    again, `part_seconds` how long one rank takes to hand its part of the new weights to all others, `pairs_chunks`
    says that a chunk's way forward runs beside another's way back, `tensor_hidden_split` what hides of tensor traffic
    where products are cut into pieces beside it. `eager_kept` says that norms and gates are made of single operations
    that keep 32-bit copies and products, `gathers_frozen` that fully sharded weights which do not train stay gathered
    until the backward pass ends. `scaled_norm_bytes` is what an eager norm keeps of each element that a trained scale
    multiplies, `every_norm` says that norms of heads and behind blocks keep theirs too. An adapter keeps
    `adapter_input_bytes` of each element that it reads (a copy of its own, or one for all that read the same, by
    `adapter_own_inputs`), `adapter_output_bytes` of each that it gives, and `adapter_copy_bytes` of each of its
    parameters; `quantised_keeps` says that products of 4-bit weights keep their inputs. `pure_states` says that
    gradients and moments have the type of the weights, and that gradients come with the backward pass and are gone
    before the next.
    """

    id: str
    name: str
    pass_factor: float
    expert_pass_factor: float
    matmul_factor: float
    grouped_factor: float
    attention_factor: float
    scan_factor: float
    bias_passes: float
    quantise_factor: float
    block_quantise_factor: float
    hopper_share: float
    hopper_attention_share: float
    blackwell_attention_share: float
    launches_forward: float
    launches_backward: float
    launches_expert: float
    launches_local_expert: float
    launch_seconds: float
    lockstep_launch: float
    gradient_hidden: float
    gather_hidden: float
    tensor_hidden: float
    tensor_hidden_split: float
    context_hidden: float
    expert_hidden: float
    expert_hidden_across: float
    pairs_chunks: float
    pipeline_hidden: float
    gradient_bytes: float
    reduce_bytes: float
    optimizer_bytes: float
    optimizer_moved_bytes: float
    accumulate_moved_bytes: float
    logit_bytes: float
    selective_kept: float
    sharded_master: float
    gathered_layers: float
    fragmentation: float
    reserved_bytes: float
    whole_recompute: float
    working_share: float
    eager_kept: float
    gathers_frozen: float
    scaled_norm_bytes: float
    every_norm: float
    adapter_input_bytes: float
    adapter_output_bytes: float
    adapter_copy_bytes: float
    adapter_own_inputs: float
    quantised_keeps: float
    part_seconds: float
    pure_states: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareReach:
    """Where a class's own kernels exist; everywhere else its runs are of the class that it grew from (`elsewhere`).

    `formats` are number formats of matrices, `accelerators` a pattern of ids, `gated_experts` says that experts need
    a gate beside their first matrix.
    """

    formats: tuple[str, ...]
    accelerators: str
    gated_experts: bool
    elsewhere: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareEra:
    """From a date on, runs of one class are of another: releases change more than products do.

    With `word`, runs of that class whose framework's name holds the word.
    """

    software: str
    since: str
    becomes: str
    word: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sustained:
    """What long training keeps of the rates that short kernels show: 16-bit and narrower matrices, attention.

    `power` is what a product's lower power limit leaves of all three.
    """

    matmul: float = 1.0
    narrow: float = 1.0
    attention: float = 1.0
    power: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """How far runs lie from their estimates: one sigma of the log of measured over predicted seconds, by cause.

    `software` is by class of software, `chip` by what is known of the accelerator's kernels (measured; of a measured
    device of its generation, which the classes of kernels in `generations` are; of a datasheet only), `experts` of a
    model that is all experts, `attention` of a sequence so long that all is attention, `unknown_layout` of people's
    choice of layout. 80 % of runs lie between so many sigmas below and above their estimate.
    """

    software: Mapping[str, float]
    chip: Mapping[str, float]
    generations: tuple[str, ...]
    experts: float
    attention: float
    unknown_layout: float
    sigmas_below: float
    sigmas_above: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingCalibration:
    """Everything that training estimates are calibrated by: classes of software, aliases, cluster-wide terms, bands.

    `aliases` maps words of a framework's name to the id of its class, `reach` says of classes with kernels for some
    machines and formats only where those are. Matrices whose sides are no multiples of a
    tensor-core tile take `misaligned_slowdown` times as long, unfused attention with a head dimension that vector
    loads cannot split `odd_head_slowdown` times. `sustained` is what long training keeps of the rate that short
    kernels show, by pattern of accelerator ids (power, clocks). `recipes` are the matrices that published runs of
    a class put adapters beside unless they say so, `frozen_bytes` is what one frozen parameter takes in each format.
    `hbm_share` is what drivers show of a printed gigabyte of HBM. `unknown_layout_slowdown` is what
    people's layouts take against the best one of a search. `layout_spread` is one sigma of the log of what errors
    of one job's layouts do not share, `tie_spread` of the difference of two that lie near each other; a layout within
    `tie_sigmas` of that behind the best one may well be the faster. `spread` tells the 80 % band of a step;
    `bands` gives the ends of memory's as factors of the prediction, by class of evidence.
    """

    software: Mapping[str, Software]
    aliases: Mapping[str, str]
    eras: tuple[SoftwareEra, ...]
    reach: Mapping[str, SoftwareReach]
    misaligned_slowdown: float
    odd_head_slowdown: float
    straggler_per_doubling: float
    unknown_layout_slowdown: float
    hbm_share: float
    layout_spread: float
    tie_spread: float
    tie_sigmas: float
    sustained: Mapping[str, Sustained]
    adapter_rank: int
    recipes: Mapping[str, tuple[str, ...]]
    frozen_bytes: Mapping[str, float]
    spread: Spread
    bands: Mapping[str, tuple[float, float]]
