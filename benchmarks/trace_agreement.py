"""Holds the played step against the closed formulas, over the pipelined rows of a table of training runs.

    python benchmarks/trace_agreement.py RUNS.csv [--worst 10]

Every row whose layout has pipeline stages is estimated as `suanli validate` does, then played turn by turn. Printed are
the shares by which the play is off the estimate: their spread, and the rows where it is largest.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.estimate.software import load_training_calibration
from suanli.estimate.timeline import timeline
from suanli.foundation.errors import SuanliError
from suanli.validation.predict import estimate_run
from suanli.validation.reading import load_reading
from suanli.validation.rows import read_records
from suanli.validation.training import read_run

TOLERANCE = 0.01
Row = tuple[float, str, str]


def differences(path: Path) -> Iterator[Row]:
    """Yield, for every pipelined row that can be predicted, played over estimated less one, the row, its layout."""
    kernels, calibration, reading, known = load_kernels(), load_training_calibration(), load_reading(), catalogue()
    for record in read_records(path):
        run = read_run(record, known, reading, calibration)
        if isinstance(run, str) or run.layout is None or run.layout.pipeline == 1:
            continue
        try:
            estimate = estimate_run(run, kernels, calibration)
        except SuanliError:
            continue
        told = timeline(
            run.setup,
            run.cluster,
            estimate,
            kernels,
            calibration=calibration,
            accelerators=run.accelerators,
            most_drawn=0,
        )
        layout = estimate.layout
        words = f"p {layout.pipeline}, v {layout.interleave}, m {told.micro_batches:g}, {layout.schedule.value}"
        yield told.step_seconds / told.estimated_seconds - 1, run.id, f"{words}, {run.setup.model.name}"


def tell(rows: Sequence[Row], worst: int) -> None:
    """Print the spread and the rows that are furthest off."""
    off = np.array([difference for difference, _, _ in rows])
    print(f"{len(rows)} pipelined rows: played against estimated from {off.min():+.2%} to {off.max():+.2%},")
    print(f"median size {np.median(np.abs(off)):.2%}, {np.mean(np.abs(off) <= TOLERANCE):.1%} within {TOLERANCE:.0%}")
    groups: dict[str, list[float]] = defaultdict(list)
    for difference, _, words in rows:
        groups["interleaved" if ", v 1," not in words else "not interleaved"].append(abs(difference))
    for name, sizes in groups.items():
        print(f"{name}: {len(sizes)} rows, largest {max(sizes):.2%}")
    for difference, name, words in sorted(rows, key=lambda row: -abs(row[0]))[:worst]:
        print(f"{difference:+8.2%}  {name}  {words}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--worst", type=int, default=10)
    asked = parser.parse_args()
    tell(list(differences(asked.runs)), asked.worst)


if __name__ == "__main__":
    main()
