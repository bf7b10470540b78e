"""Predictions of both samples, frozen to six digits: a change of the physics shows as a diff to be reviewed.

Whoever moves a number on purpose writes the file anew with

    SUANLI_WRITE_GOLDEN=1 python -m pytest tests/validation/test_frozen_predictions.py

and says in CHANGELOG.md what moved and why.
"""

import csv
import os

import pytest
from tests.validation.published import GOLDEN, TABLES, result

FILE = GOLDEN / "predictions.csv"
COLUMNS = ("table", "id", "quantity", "predicted", "low", "high")
TOLERANCE = 1e-6


def said(number):
    return "" if number is None else f"{number:.9g}"


def rows(table):
    return [
        {"table": table, "id": row.id, "quantity": row.quantity, "predicted": said(row.predicted),
         "low": said(row.low), "high": said(row.high)}
        for row in result(table).rows
    ]  # fmt: skip


def frozen(table):
    if os.environ.get("SUANLI_WRITE_GOLDEN"):
        with FILE.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, fieldnames=COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows([row for name in TABLES for row in rows(name)])
    with FILE.open(encoding="utf-8", newline="") as opened:
        return [row for row in csv.DictReader(opened) if row["table"] == table]


@pytest.mark.parametrize("table", list(TABLES))
def test_the_same_runs_are_predicted(table):
    assert [(row["id"], row["quantity"]) for row in frozen(table)] == [
        (row["id"], row["quantity"]) for row in rows(table)
    ]


@pytest.mark.parametrize("column", ["predicted", "low", "high"])
@pytest.mark.parametrize("table", list(TABLES))
def test_predictions_and_bands_are_what_they_were(table, column):
    moved = {}
    for before, now in zip(frozen(table), rows(table), strict=True):
        if before[column] == now[column]:
            continue
        if (
            not before[column]
            or not now[column]
            or float(now[column]) != pytest.approx(float(before[column]), rel=TOLERANCE)
        ):
            moved[before["id"], before["quantity"]] = (before[column], now[column])
    assert not moved


def test_at_least_a_hundred_and_twenty_runs_are_frozen():
    assert len({row["id"] for table in TABLES for row in frozen(table)}) >= 120


def test_a_run_is_frozen_once():
    keys = [(row["id"], row["quantity"]) for table in TABLES for row in frozen(table)]
    assert len(keys) == len(set(keys))
