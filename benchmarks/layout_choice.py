"""How well estimates order the layouts of one job: regret and rank correlation over groups of published runs.

    python benchmarks/layout_choice.py RUNS.csv [SINGLE.csv]

A group is runs of one model on as many accelerators with one batch and sequence, or (of a search that changed the
number of layers between runs) of one width, accelerators and batch, whose time is then taken for each parameter. Regret
is how much longer the layout that the estimate likes best took than the one that took least, of layouts that ran; a
layout that ran often counts once, at its median.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.estimate.software import load_training_calibration
from suanli.foundation.errors import SuanliError
from suanli.parts.architectures.count import parameters
from suanli.validation.predict import estimate_run
from suanli.validation.reading import load_reading
from suanli.validation.rows import Record, read_records
from suanli.validation.training import Run, measured_quantities, read_run

LEAST = 4
"""A group of fewer layouts orders nothing."""

TINY = 1e-300
SEARCHES = ("vTrain", "BigScience")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One layout that was run: seconds measured and estimated, for each parameter where layers differ."""

    measured: float
    estimated: float
    layout: str


def ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 0, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]


def group_of(record: Record, run: Run) -> str:
    """Name the group of a run: source, model (its width where a search changed the layers), accelerators and batch."""
    wide = "BigScience" in run.source
    name = f"h{record.text('hidden')}" if wide else record.text("model_name")
    parts = (run.source.split()[0], name, run.accelerators, run.setup.global_batch, run.setup.sequence_tokens)
    return " | ".join(map(str, parts))


def read_groups(files: list[Path]) -> dict[str, list[Tried]]:
    """Estimate every timed run of known layout of the searches, by group."""
    known, kernels, calibration, reading = catalogue(), load_kernels(), load_training_calibration(), load_reading()
    groups: dict[str, list[Tried]] = defaultdict(list)
    for record in (one for file in files for one in read_records(file)):
        run = read_run(record, known, reading, calibration)
        seconds = [one.measured for one in measured_quantities(record) if one.quantity == "step_seconds"]
        if isinstance(run, str) or run.layout is None or not seconds or not run.source.startswith(SEARCHES):
            continue
        try:
            estimate = estimate_run(run, kernels, calibration)
        except SuanliError:
            continue
        size = parameters(run.setup.model) if "BigScience" in run.source else 1.0
        groups[group_of(record, run)].append(
            Tried(measured=seconds[0] / size, estimated=estimate.step_seconds / size, layout=str(run.layout))
        )
    return groups


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One group: regret, rank correlation, variance of the log of estimated over measured, and degrees of freedom."""

    source: str
    regret: float
    correlation: float
    variance: float
    freedom: int


def judge(name: str, tried: list[Tried]) -> Judged:
    """Hold the order of a group's estimates against the order of its times."""
    measured, estimated = (np.array([getattr(one, what) for one in tried]) for what in ("measured", "estimated"))
    return Judged(
        source=name.split(" | ", maxsplit=1)[0],
        regret=float(measured[int(np.argmin(estimated))] / measured.min() - 1),
        correlation=float(np.corrcoef(ranks(measured), ranks(estimated))[0, 1]),
        variance=float(np.var(np.log(estimated / measured), ddof=1)),
        freedom=len(tried) - 1,
    )


def tell(name: str, judged: list[Judged]) -> None:
    """Print what a set of groups comes to."""
    regrets, ordered = [one.regret for one in judged], [one.correlation for one in judged]
    variances = [one.variance for one in judged]
    pooled = np.average(variances, weights=[one.freedom for one in judged])
    print(
        f"| {name} | {len(judged)} | {np.median(regrets):.1%} | {max(regrets):.1%} | {np.median(ordered):.2f} | "
        f"{min(ordered):.2f} | {np.sqrt(np.median(variances)):.3f} | {np.sqrt(pooled):.3f} |"
    )


NEAR = 0.1
"""Layouts this far behind the best estimate, as a log, settle how wide near ties are."""
GAPS = (0.0, 0.03, 0.07, 0.1, 0.2, 0.4)


def behind_best(tried: list[Tried]) -> list[tuple[float, bool]]:
    """Say of every layout but the one liked best how far behind it its estimate is, as a log, and if it was faster."""
    estimated, measured = (np.log([getattr(one, what) for one in tried]) for what in ("estimated", "measured"))
    best = int(np.argmin(estimated))
    gaps, faster = estimated - estimated[best], measured < measured[best]
    return [(float(gaps[row]), bool(faster[row])) for row in range(len(tried)) if row != best]


def tie_spread(behind: list[tuple[float, bool]]) -> float:
    """Find the sigma under which it is likeliest that just those layouts were faster: P = 1 - Phi(gap / sigma)."""
    normal = NormalDist()

    def likelihood(sigma: float) -> float:
        return sum(math.log(max(normal.cdf(-gap / sigma if won else gap / sigma), TINY)) for gap, won in behind)

    return float(max(np.geomspace(0.005, 0.3, 200), key=likelihood))


def tell_ties(behind: list[tuple[float, bool]]) -> None:
    """Print how often layouts behind the best estimate were faster, by how far behind they were."""
    print("\n| estimate behind the best by, log | layouts | faster than the best |\n| --- | --: | --: |")
    for low, high in itertools.pairwise(GAPS):
        won = [faster for gap, faster in behind if low <= gap < high]
        print(f"| {low:.2f} to {high:.2f} | {len(won)} | {np.mean(won):.0%} |")
    for near in (NEAR / 2, NEAR, math.inf):
        print(f"tie spread, layouts up to {near:g} behind: {tie_spread([one for one in behind if one[0] <= near]):.3f}")


def by_layout(tried: list[Tried]) -> list[Tried]:
    """Put runs of the same layout together, at their medians: a layout that ran often is one choice."""
    found: dict[str, list[Tried]] = defaultdict(list)
    for one in tried:
        found[one.layout].append(one)
    return [
        Tried(
            measured=float(np.median([one.measured for one in runs])),
            estimated=float(np.median([one.estimated for one in runs])),
            layout=layout,
        )
        for layout, runs in found.items()
    ]


def main() -> None:
    everything: list[Judged] = []
    behind: list[tuple[float, bool]] = []
    print("| groups | number | median regret | worst | median rank correlation | least | sigma, median | pooled |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    for file in map(Path, sys.argv[1:]):
        groups = {name: by_layout(tried) for name, tried in sorted(read_groups([file]).items())}
        judged = [judge(name, tried) for name, tried in groups.items() if len(tried) >= LEAST]
        for source in sorted({one.source for one in judged}):
            tell(f"{source}, {file.stem}", [one for one in judged if one.source == source])
        everything += judged
        behind += [one for tried in groups.values() if len(tried) >= LEAST for one in behind_best(tried)]
    tell("all", everything)
    tell_ties(behind)


if __name__ == "__main__":
    main()
