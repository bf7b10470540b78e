"""The whole measurement: peaks first, then every family in turn within the time, then links, then the fits."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.foundation.errors import InputError, did_you_mean
from suanli.foundation.language import tr
from suanli.measure import attention, matmuls, passes
from suanli.measure.backends import Backend, Machine, describe, pick_backend, torch_module
from suanli.measure.cases import DTYPES, ELEMENT_BYTES, Bench, Case, Pace, Sample, interleaved
from suanli.measure.fit import optimisers
from suanli.measure.links import Disk, HostLink, Transfer, collectives, disk, host_link
from suanli.measure.rules import Rules, load_rules
from suanli.measure.timing import Budget, Reading, read

Say = Callable[[str, float, float], None]
"""What is told while it runs: what is timed, the share that is done, the seconds that are left."""
FITTED = ("fp32", "tf32", "bf16", "int8", "fp8")
"""Number formats whose kernels are families of their own; those of fp16 are the bf16 ones."""
ATTENDED = ("fp32", "bf16", "fp16")
"""Number formats that PyTorch has fused attention in, everywhere."""
PROBE_WIDTH = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What to time: the device (empty: the best one here), number formats (none: all), quickly or not, collectives."""

    device: str = ""
    dtypes: tuple[str, ...] = ()
    quick: bool = False
    collectives: bool = False
    folder: Path = Path()


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was timed: the machine, its best rates, samples of every family, floors, links, and how quiet it was."""

    machine: Machine
    kind: str
    formats: tuple[str, ...]
    peak_flop_per_s: Mapping[str, float]
    memory_bytes_per_s: float
    samples: tuple[Sample, ...]
    launch_seconds: float
    floor_seconds: float
    host: HostLink | None
    disk: Disk
    transfers: tuple[Transfer, ...]
    load_average: float
    seconds: float
    skipped: int
    warnings: tuple[str, ...]


def measure(asked: Asked, say: Say, rules: Rules | None = None) -> Found:
    """Time a machine. Raises InputError where torch or scipy is not installed, or device or format is not here."""
    start, torch = time.perf_counter(), torch_module()
    optimisers()
    rules = rules or load_rules(asked.quick)
    backend = pick_backend(torch, asked.device)
    load = load_average()
    formats = formats_of(backend, asked.dtypes)
    say(tr("peaks"), 0.0, rules.span.total_seconds)
    probe = time.perf_counter()
    peaks = {name: best_rate(backend, name, rules) for name in formats}
    probed = time.perf_counter() - probe
    bandwidth = _bandwidth(backend, rules)
    machine = describe(backend)
    pace = Pace(flop_per_s=peaks, bytes_per_s=bandwidth, memory_bytes=machine.memory_bytes)
    bench = Bench(backend=backend, rules=rules, pace=pace)
    launch, floor = passes.launch_seconds(bench), passes.floor_seconds(bench)
    size = rules.shapes
    limit = rules.span.case_most_seconds
    host = host_link(backend, size.host_bytes, rules.reading, limit)
    say(tr("disk"), 0.0, rules.span.total_seconds)
    stored = disk(asked.folder, size.disk_bytes // (2 if asked.quick else 1))
    transfers = _collectives(backend, asked, rules)
    cases = cases_of(bench, own_kernels(peaks))
    left = rules.span.total_seconds - (time.perf_counter() - start) - probed
    budget = Budget(seconds=left, cases=len(cases))
    samples, skipped = timed(bench, cases, budget, say)
    peaks = {name: max(rate, best_rate(backend, name, rules)) for name, rate in peaks.items()}
    return Found(
        machine=machine, kind=backend.kind, formats=formats, peak_flop_per_s=highest(peaks, samples),
        memory_bytes_per_s=bandwidth, samples=tuple(samples), launch_seconds=launch, floor_seconds=floor, host=host,
        disk=stored, transfers=tuple(transfers), load_average=load, seconds=time.perf_counter() - start,
        skipped=skipped, warnings=warnings_of(load, samples, rules, skipped),
    )  # fmt: skip


def formats_of(backend: Backend, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the number formats to time. Raises InputError with every one that is unknown or not had here."""
    here = matmuls.formats_here(backend)
    faults = [
        fault
        for name in asked
        if name not in here
        for fault in InputError.single(
            place="--dtypes", found=f"'{name}'", allowed=tr("here: {names}", names=", ".join(here)),
            hint="" if name in DTYPES else did_you_mean(name, here),
        ).faults
    ]  # fmt: skip
    if faults:
        raise InputError(faults)
    return tuple(name for name in here if not asked or name in asked)


def load_average() -> float:
    """Return the load of the last minute for each processor; nothing where the system tells none."""
    try:
        return os.getloadavg()[0] / max(os.cpu_count() or 1, 1)
    except (OSError, AttributeError):
        return 0.0


def best_rate(backend: Backend, number_format: str, rules: Rules) -> float:
    """Return the best rate of square products, from small to as large as end in their time."""
    probe = matmuls.peak_cases(backend, number_format, (PROBE_WIDTH, *rules.shapes.peak_widths))
    best = 0.0
    for case in probe:
        ahead = matmuls.rate_of(case, 1.0) / best if best else 0.0
        if ahead > rules.span.case_seconds * 2:
            break
        spent = read(backend, case.prepare(), rules.reading, rules.span.case_most_seconds / 2)
        best = max(best, matmuls.rate_of(case, spent.seconds))
    return best


def _bandwidth(backend: Backend, rules: Rules) -> float:
    case = passes.bandwidth_case(backend, rules.shapes.bandwidth_bytes)
    spent = read(backend, case.prepare(), rules.reading, rules.span.case_most_seconds)
    return case.shape["bytes"] / spent.seconds


def highest(peaks: Mapping[str, float], samples: Sequence[Sample]) -> dict[str, float]:
    """Raise the peaks to the best rate of any product that was timed."""
    found = dict(peaks)
    for one in samples:
        if one.group == matmuls.MATMUL and one.family in found:
            flop = math.prod((*(one.shape[name] for name in ("rows", "inner", "columns")), matmuls.MULTIPLY_ADD_FLOP))
            found[one.family] = max(found[one.family], flop / one.seconds)
    return found


def own_kernels(peaks: Mapping[str, float]) -> tuple[str, ...]:
    """Return the formats whose kernels are worth a family: those that no wider format is faster than."""

    def wider(name: str) -> float:
        rates = (rate for other, rate in peaks.items() if ELEMENT_BYTES[other] > ELEMENT_BYTES[name])
        return max(rates, default=0.0)

    return tuple(name for name, rate in peaks.items() if rate >= wider(name))


def cases_of(bench: Bench, formats: Sequence[str]) -> list[Case]:
    """Draw the cases: passes, which are few and quick, then all other families dealt out in turn."""
    fitted = [name for name in formats if name in FITTED or (name == "fp16" and "bf16" not in formats)]
    attended = [name for name in fitted if name in ATTENDED]
    groups = [matmuls.matmul_cases(bench, name) for name in fitted]
    groups += [matmuls.grouped_cases(bench, name) for name in attended]
    groups += [attention.attention_cases(bench, phase, name) for phase in attention.PHASES for name in attended]
    first = passes.pass_cases(bench, passed_in(attended)) if attended else []
    first += passes.optimizer_cases(bench) if "fp32" in formats else []
    return [*first, *interleaved(groups, bench.rules.fit.least_rows)]


def passed_in(formats: Sequence[str]) -> str:
    """Return the number format that passes are timed in: that of activations, 16 bits where the device has them."""
    return next((name for name in ("bf16", "fp16") if name in formats), formats[0])


def timed(bench: Bench, cases: Sequence[Case], budget: Budget, say: Say) -> tuple[list[Sample], int]:
    """Time cases until all are done or the time is up; return the samples, and how many cases could not be timed."""
    samples: list[Sample] = []
    skipped = 0
    for case in cases:
        if budget.left <= 0:
            break
        say(f"{case.group} {case.family}", budget.done / len(cases), budget.ahead_seconds)
        taken = _one(bench, case, min(budget.share, bench.rules.span.case_most_seconds))
        if taken is not None:
            once = taken.seconds / case.kernels
            samples.append(Sample(group=case.group, family=case.family, shape=case.shape, seconds=once,
                                  spread=taken.spread, readings=taken.readings))  # fmt: skip
        skipped += taken is None
        budget.take()
    return samples, skipped + len(cases) - budget.done


def _one(bench: Bench, case: Case, limit_seconds: float) -> Reading | None:
    """Time one case; None where the device refuses it, for want of memory or of a kernel."""
    try:
        return read(bench.backend, case.prepare(), bench.rules.reading, limit_seconds)
    except (RuntimeError, NotImplementedError):
        bench.backend.empty_cache()
        return None


def _collectives(backend: Backend, asked: Asked, rules: Rules) -> list[Transfer]:
    if backend.kind == "mps" or (backend.count < LEAST_RANKS and not (asked.collectives and backend.kind == "cpu")):
        return []
    ranks = backend.count if backend.kind != "cpu" else LEAST_RANKS
    return collectives(backend, ranks, rules.shapes.message_bytes, rules.reading.least_count)


LEAST_RANKS = 2


def warnings_of(load: float, samples: Sequence[Sample], rules: Rules, skipped: int) -> tuple[str, ...]:
    """Say what makes the figures doubtful: a busy machine, readings that differ, cases that were left out."""
    said = []
    if load > rules.reading.busy_load:
        said.append(tr("the machine was busy before the start: load {load:.2f} a processor", load=load))
    noisy = sum(one.spread > rules.reading.noisy_share for one in samples)
    if noisy * NOISY_PART > len(samples):
        said.append(tr("readings of {count} of {all} kernels differ by more than {share:.0%}", count=noisy,
                       all=len(samples), share=rules.reading.noisy_share))  # fmt: skip
    if skipped:
        said.append(tr("{count} kernels were not timed: no time, memory or kernel for them", count=skipped))
    return tuple(said)


NOISY_PART = 10
"""A machine is not quiet where more than one kernel in so many has noisy readings."""


def as_document(found: Found) -> list[dict[str, Any]]:
    """Return the samples as plain rows."""
    return [
        {"group": one.group, "family": one.family, **one.shape, "seconds": one.seconds, "spread": one.spread,
         "readings": one.readings} for one in found.samples
    ]  # fmt: skip
