"""Samples of the published tables, each predicted once for all tests."""

import csv
from functools import cache
from pathlib import Path

from suanli.api.validate import validate

GOLDEN = Path(__file__).parents[1] / "golden"
TABLES = {"training": GOLDEN / "training_runs_sample.csv", "serving": GOLDEN / "serving_runs_sample.csv"}


@cache
def result(table):
    """Predict a sample."""
    return validate(TABLES[table])


@cache
def cells(table):
    """Read a sample's rows as they stand."""
    with TABLES[table].open(encoding="utf-8", newline="") as opened:
        return tuple(csv.DictReader(opened))


def write(path, rows):
    """Write rows as a table with the columns of the first."""
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def predictions(found):
    """Return a result's predictions by run and quantity."""
    return {(row.id, row.quantity): row.predicted for row in found.rows}
