"""Training software as the time and memory models see it: a few classes of frameworks, not single products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Software:
    """A class of training frameworks: how far it fuses passes, hides traffic and launches, and what it keeps.

    Shares run from 0 (nothing hidden, nothing kept) to 1. `*_bytes` of states are for one parameter; launches are for
    one layer and micro-batch. `attention_factor` is how much longer its attention kernels take than the best measured
    ones, `hopper_share` what its kernels reach of Hopper's rate, which software written for Ampere does not know how to
    feed. `sharded_master` says that fully sharded weights are kept in 32 bits (as FSDP does).
    """

    id: str
    name: str
    pass_factor: float
    expert_pass_factor: float
    attention_factor: float
    quantise_factor: float
    hopper_share: float
    launches_forward: float
    launches_backward: float
    launches_expert: float
    launch_seconds: float
    gradient_hidden: float
    gather_hidden: float
    tensor_hidden: float
    context_hidden: float
    expert_hidden: float
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


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareEra:
    """From a date on, runs of one class are of another: releases change more than products do."""

    software: str
    since: str
    becomes: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingCalibration:
    """Everything that training estimates are calibrated by: classes of software, aliases, cluster-wide terms, bands.

    `aliases` maps words of a framework's name to the id of its class. Matrices whose sides are no multiples of a
    tensor-core tile take `misaligned_slowdown` times as long, unfused attention with a head dimension that vector loads
    cannot split `odd_head_slowdown` times. `sustained` is what long training keeps of the rate that short kernels show,
    by pattern of accelerator ids (power, clocks). `frozen_bytes` is what one frozen parameter takes in each format.
    `bands` gives the ends of the 80 % band as factors of the prediction, by quantity and class of evidence.
    """

    software: Mapping[str, Software]
    aliases: Mapping[str, str]
    eras: tuple[SoftwareEra, ...]
    misaligned_slowdown: float
    odd_head_slowdown: float
    straggler_per_doubling: float
    sustained: Mapping[str, float]
    adapter_rank: int
    frozen_bytes: Mapping[str, float]
    bands: Mapping[str, tuple[float, float]]
