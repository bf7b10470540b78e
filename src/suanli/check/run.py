"""Runs a case for real, step after step, and tells how long one takes and how much memory torch counts at its peak."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from suanli.check.network import Decoder, adapt
from suanli.check.ranks import Ranks
from suanli.domain.check import Case, Kind

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TARGETS = ("query", "key", "value", "attention_out")
"""Maps that adapters stand beside: those of attention."""
QUIET = ("KINETO_LOG_LEVEL", "99")
"""What keeps torch's profiler from writing on standard error when it starts and ends."""
WARM_STEPS = 2
LEAST_STEPS = 5
LEARNING_RATE = 1e-4
Step = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What one case took: median seconds of a step, half the distance of its quartiles as a share, bytes, steps."""

    seconds: float
    spread: float
    peak_bytes: int
    steps: int


def training_step(case: Case, ranks: Ranks) -> tuple[Step, int]:
    """Return a step of training, and the bytes that stand before it; several ranks reduce their gradients."""
    device = ranks.device
    decoder = Decoder(case.model, case.tokens).to(device=device, dtype=DTYPES[case.number_format])
    if case.kind is Kind.LORA:
        adapt(decoder, case.rank, TARGETS)
        decoder.to(device)
    trained = [one for one in decoder.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, fused=True)
    network: torch.nn.Module = decoder
    if ranks.count > 1:
        network = DistributedDataParallel(decoder, gradient_as_bucket_view=True)
    tokens = torch.randint(0, case.model.vocabulary, (case.batch, case.tokens + 1), device=device)
    inputs, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].flatten()

    def step() -> None:
        loss = functional.cross_entropy(network(inputs).flatten(0, 1), labels)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    held = sum(one.numel() * one.element_size() for one in decoder.parameters())
    moments = sum(2 * one.numel() * one.element_size() for one in trained)
    buckets = sum(one.numel() * one.element_size() for one in trained) if ranks.count > 1 else 0
    return step, held + moments + buckets


def serving_step(case: Case, device: torch.device) -> tuple[Step, int]:
    """Return a step of prefill or of decode, and the bytes that stand before it: weights and cache."""
    positions = case.tokens + 1
    decoder = Decoder(case.model, positions).to(device=device, dtype=DTYPES[case.number_format]).eval()
    caches = decoder.caches(case.batch, positions)
    prefill = case.kind is Kind.PREFILL
    tokens = torch.randint(0, case.model.vocabulary, (case.batch, case.tokens if prefill else 1), device=device)

    @torch.inference_mode()
    def step() -> None:
        decoder(tokens, caches, 0 if prefill else case.tokens, last_only=True).argmax(dim=-1)

    held = sum(one.numel() * one.element_size() for one in decoder.parameters())
    cached = sum(one.numel() * one.element_size() for pair in caches for one in pair)
    return step, held + cached


def peak_over(step: Step, ranks: Ranks) -> int:
    """Bytes that a step takes at its peak beyond what stood before it, by torch's own count."""
    counts = ranks.backend.module
    if counts is not None and hasattr(counts, "reset_peak_memory_stats"):
        ranks.backend.synchronise()
        counts.reset_peak_memory_stats()
        before = int(counts.memory_allocated())
        step()
        ranks.backend.synchronise()
        return int(counts.max_memory_allocated()) - before
    os.environ.setdefault(*QUIET)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as told:
        step()
    events = [one for one in told.profiler.kineto_results.events() if one.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def run(case: Case, ranks: Ranks, budget_seconds: float) -> Ran:
    """Run a case for a while, at least a few steps; all ranks take as many."""
    torch.manual_seed(0)
    device = ranks.device
    step, standing = training_step(case, ranks) if case.kind.tunes else serving_step(case, device)
    for _ in range(WARM_STEPS):
        step()
    ranks.backend.synchronise()
    begin = time.perf_counter()
    step()
    ranks.backend.synchronise()
    once = time.perf_counter() - begin
    taken: list[float] = []
    for _ in range(ranks.agreed(max(LEAST_STEPS, math.ceil(budget_seconds / once)))):
        ranks.backend.synchronise()
        begin = time.perf_counter()
        step()
        ranks.backend.synchronise()
        taken.append(time.perf_counter() - begin)
    low, middle, high = statistics.quantiles(taken, n=4)
    return Ran(
        seconds=middle, spread=(high - low) / 2 / middle, peak_bytes=standing + peak_over(step, ranks),
        steps=len(taken),
    )  # fmt: skip
