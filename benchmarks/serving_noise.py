"""Count how far published serving runs of one configuration agree, and how much of the errors is of whole sources.

    python benchmarks/serving_noise.py RUNS.csv [--unseen UNSEEN.json]

Two runs are of one configuration where accelerator, layout, model, engine, formats, lengths, requests in flight and
what the notes say of data ranks and drafts are equal; they differ by release, day or options of which a prediction
knows nothing. What is equal to the digit is one run printed twice. UNSEEN.json is what
`fit_serving.py --leave-out --save` wrote: with it, errors are told again with the bias of each source, class and
quantity taken out, which no model knows that has not seen the source.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from fit_serving import class_of, on_measured_kernels, read_rows

from suanli.validation.serving import Tables, default_tables
from suanli.validation.serving_rows import Drive, ServingRow

KINDS: Mapping[str, str] = {"tpot_seconds": "time between tokens (TPOT)", "ttft_seconds": "time to first token (TTFT)"}
"""Quantities that are latencies, and what a page calls them; all others are rates."""
MAXIMUM, RATE = "maximum throughput (offline runs)", "throughput, every other run"
LEAST_PAIRS = 10
"""Pairs from which on a row is told."""


def kind_of(row: ServingRow) -> str:
    """Return which kind of quantity a row measured."""
    if row.quantity in KINDS:
        return KINDS[row.quantity]
    return MAXIMUM if row.drive is Drive.OFFLINE else RATE


def measured_again(rows: Sequence[ServingRow]) -> dict[tuple[str, str], list[float]]:
    """Return log ratios of pairs of runs of one configuration, by source and kind of quantity."""
    groups: dict[ServingRow, list[ServingRow]] = defaultdict(list)
    for row in rows:
        groups[replace(row, id="", measured=0.0, engine_version="", date="", assumed=(), overlap=None)].append(row)
    told: dict[tuple[str, str], list[float]] = defaultdict(list)
    for members in groups.values():
        for one, other in combinations(members, 2):
            if one.measured != other.measured:
                told[one.source, kind_of(one)].append(abs(math.log(one.measured / other.measured)))
    return told


def without_bias(rows: Sequence[ServingRow], unseen: Mapping[str, float], tables: Tables) -> list[tuple[str, str]]:
    """Return kinds of quantities with errors of rows on measured kernels, as they are and without a source's bias."""
    groups: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.id in unseen and row.drive is not Drive.MEMORY and on_measured_kernels(row, tables):
            groups[kind_of(row), row.source, class_of(row, tables.engines)].append(unseen[row.id])
    errors: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for (kind, *_), logs in sorted(groups.items()):
        errors[kind][0].extend(logs)
        errors[kind][1].extend(np.asarray(logs) - np.median(logs))
    return [(kind, " | ".join(_told(one) for one in pair)) for kind, pair in errors.items()]


def _told(logs: Sequence[float]) -> str:
    shares = np.abs(np.expm1(logs))
    return f"{np.median(shares):.1%} / {np.mean(shares):.1%}"


def noise_tables(rows: Sequence[ServingRow], unseen: Mapping[str, float], tables: Tables) -> list[str]:
    """Write both tables."""
    lines = ["| measured again, by another release, day or option | pairs | median change | 90th percentile |",
             "| --- | ---: | ---: | ---: |"]  # fmt: skip
    for (source, kind), logs in sorted(measured_again(rows).items()):
        if len(logs) >= LEAST_PAIRS:
            shares = np.expm1(logs)
            lines.append(
                f"| {source}: {kind} | {len(logs)} | {np.median(shares):.1%} | {np.quantile(shares, 0.9):.0%} |"
            )
    lines += ["", "| source not seen, accelerators with measured kernels | median / mean | its bias taken out |",
              "| --- | ---: | ---: |"]  # fmt: skip
    return [*lines, *(f"| {kind} | {words} |" for kind, words in without_bias(rows, unseen, tables)), ""]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--unseen", type=Path)
    asked = parser.parse_args()
    unseen = json.loads(asked.unseen.read_text(encoding="utf-8")) if asked.unseen else {}
    print("\n".join(noise_tables(read_rows(asked.runs), unseen, default_tables())))


if __name__ == "__main__":
    main()
