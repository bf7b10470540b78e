"""Play published closed loops (so many requests in flight) step by step, beside the closed form and what was measured.

    python benchmarks/closed_loops.py RUNS.csv

Needs the extra `compiled`. Each run of the table that tells requests in flight and a layout in one pool is played: ten
requests a place (20 to 4,000), lengths drawn evenly within a tenth of the mean, as load generators do whose range ratio
is 0.8. Errors are of the mean over requests; nothing is fitted to the play.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from suanli.domain.traffic import Fleet, Requests, Targets
from suanli.estimate.serving_replica import Replica
from suanli.estimate.serving_traffic import Pool, play_in_flight
from suanli.foundation.errors import SuanliError
from suanli.validation.serving import Tables, default_tables, predict
from suanli.validation.serving_rows import Drive, ServingRow, read_serving_row

A_PLACE, LEAST, MOST = 10, 20, 4000
"""Requests for each place in flight, and their bounds."""
SPREAD = 0.1
"""How far lengths lie from their mean at most."""
QUANTITIES = {"ttft_seconds": "time to first token", "tpot_seconds": "time between tokens"}


def drawn(row: ServingRow) -> Requests:
    """Draw the requests of a loop; the same row draws the same."""
    many = int(min(max(A_PLACE * row.concurrency, LEAST), MOST))
    chance = np.random.default_rng(0)
    inputs, outputs = (
        np.maximum(np.rint(mean * chance.uniform(1 - SPREAD, 1 + SPREAD, many)), 1).astype(np.int64)
        for mean in (row.inputs, row.outputs)
    )
    none = np.zeros(many, dtype=np.int64)
    return Requests(
        arrival_seconds=np.zeros(many), input_tokens=inputs, output_tokens=outputs, priority=none,
        block_ids=np.zeros(0, dtype=np.int64), block_offsets=np.zeros(many + 1, dtype=np.int64), block_tokens=0,
    )  # fmt: skip


def played(row: ServingRow, replica: Replica) -> dict[str, float]:
    """Return the mean latencies of a loop's play."""
    pool = Pool(replica=replica, fleet=Fleet())
    result = play_in_flight(pool, drawn(row), int(row.concurrency), Targets())
    return {"ttft_seconds": result.ttft.mean, "tpot_seconds": result.tpot.mean}


def loops(path: Path, tables: Tables) -> Iterable[tuple[ServingRow, Replica, float]]:
    """Yield the rows of closed loops that can be predicted, with their replica and the closed form's answer."""
    with path.open(encoding="utf-8") as opened:
        for cells in csv.DictReader(opened):
            try:
                row = read_serving_row(cells)
                if row.drive is Drive.STEADY and row.quantity in QUANTITIES:
                    yield row, *predict(row, tables)
            except SuanliError:
                continue


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    tables, known = default_tables(), dict[tuple[object, ...], dict[str, float]]()
    errors: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row, replica, closed in loops(parser.parse_args().runs, tables):
        key = (replica.setup, replica.layout, row.accelerator, row.concurrency)
        if key not in known:
            known[key] = played(row, replica)
        told = known[key][row.quantity]
        errors[row.source, QUANTITIES[row.quantity]].append((told / row.measured - 1, closed / row.measured - 1))
    print("| source | what | runs | played: median / mean | closed form: median / mean |")
    print("| --- | --- | ---: | ---: | ---: |")
    for (source, what), pairs in sorted(errors.items()):
        off = np.abs(np.asarray(pairs))
        words = " | ".join(f"{np.median(one):.1%} / {one.mean():.1%}" for one in off.T)
        print(f"| {source} | {what} | {len(pairs)} | {words} |")


if __name__ == "__main__":
    main()
