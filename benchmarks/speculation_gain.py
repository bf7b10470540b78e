"""Published gains of speculative decoding beside ours: the rate with drafts over that without, on the same chips.

    python benchmarks/speculation_gain.py [TABLE.csv]

Nothing is tuned to a row: acceptance is the figure of its kind of drafts, its range gives that of the gain.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.serving import DraftKind
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_gain import speculation_gain
from suanli.estimate.serving_open import open_replica
from suanli.parts.architectures.read import named_model

TABLE = Path(__file__).with_name("speculation_gain.csv")


def main() -> None:
    kernels = load_kernels()
    print("| run | measured | ours | range by acceptance | lower from |")
    print("| --- | --: | --: | --: | --: |")
    with Path(sys.argv[1] if len(sys.argv) > 1 else TABLE).open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            setup = ServingSetup(
                model=named_model(row["model"]), input_tokens=float(row["inputs"]), output_tokens=float(row["outputs"]),
                weight_format=row["weight_format"], kv_format="auto", engine=row["engine"], engine_date=row["date"],
                drafting=DraftKind(row["drafting"]), draft_tokens=float(row["drafts"]),
            )  # fmt: skip
            layout = ServingLayout(
                tensor=int(row["tensor"]), attention_data=int(row["attention_data"]), expert=int(row["expert"])
            )
            gain = speculation_gain(
                open_replica(setup, system(row["system"]), layout, kernels), float(row["concurrency"])
            )
            if gain is None:
                continue
            until = "" if gain.pays_until_concurrency is None else f"{gain.pays_until_concurrency:.0f}"
            print(
                f"| {row['what']} | {float(row['gain']):.2f} | {gain.gain:.2f} |"
                f" {gain.gain_low:.2f} to {gain.gain_high:.2f} | {until} |"
            )


if __name__ == "__main__":
    main()
