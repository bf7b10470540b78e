"""Holds whole runs against those that were published: days on the wall, goodput, stops.

    python benchmarks/whole_runs.py

The runs stand in `whole_runs.csv` beside this file, from memory of what their owners told. Each is estimated as `suanli
train --tokens` does: the best layout that the search finds, not the run's own, with the catalogue's failure rates. No
rate is of the run itself: the rate `middle` was counted on Llama 3, so that Llama 3 is told with the two others. The
days at a run's own speed are the days of work that its own printed speed makes, over our goodput: they check goodput
alone.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from suanli.api.train import TrainingQuestion
from suanli.api.wall_clock import RunQuestion, WallClock, train_run
from suanli.domain.result import TrainingEstimate

TABLE = Path(__file__).with_suffix(".csv")
DAY_SECONDS = 86400.0
HEADINGS = (
    "run", "fleet", "goodput", "told", "days at its own speed", "days at our speed, mean and P80", "days told",
    "stops", "told",
)  # fmt: skip


def rows() -> list[dict[str, str]]:
    """Read the published runs."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def estimated(row: Mapping[str, str]) -> tuple[TrainingEstimate, WallClock]:
    """Estimate a run and its wall clock. Raises InfeasibleError where it does not fit its systems."""
    question = TrainingQuestion(
        model=row["model"], system=row["system"], nodes=int(row["nodes"]), sequence_tokens=int(row["sequence"]),
        global_batch=int(row["batch"]), precision=row["precision"], framework=row["framework"],
        software_date=row["software_date"], keep=1,
    )  # fmt: skip
    run = RunQuestion(
        tokens=float(row["tokens"]), failures=row["failures"], recovery=row["recovery"], checkpoints=row["checkpoints"]
    )
    found, wall = train_run(question, run)
    if wall is None:
        raise ValueError(row["run"])
    return found.estimates[0], wall


def stops_in(wall: WallClock, span_days: str) -> float:
    """Return the stops that a run meets within so many days; within the whole run where none are given."""
    if not span_days:
        return wall.failures
    return wall.failures * float(span_days) * DAY_SECONDS / wall.wall_seconds


def lines() -> Iterator[str]:
    """Write the table in Markdown."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield "| --- " * len(HEADINGS) + "|"
    for row in rows():
        _, wall = estimated(row)
        days, told = wall.wall_seconds / DAY_SECONDS, row["told_days"]
        own = float(row["own_days"]) / wall.goodput if row["own_days"] else None
        cells = (
            row["run"], row["failures"], f"{wall.goodput:.1%}", row["told_goodput"], _against(own, told),
            f"{_against(days, told)}, {wall.p80_seconds / DAY_SECONDS:.1f}", told,
            f"{stops_in(wall, row['told_span_days']):.0f}", row["told_stops"],
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _against(days: float | None, told: str) -> str:
    """Say days, and by how much they are off those that were told."""
    if days is None:
        return ""
    return f"{days:.1f} ({days / float(told) - 1:+.0%})" if told else f"{days:.1f}"


if __name__ == "__main__":
    print("\n".join(lines()))
