"""Rates by the hour: of a table of hours, of a trace, or swinging over a day."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from suanli.domain.traffic import Requests
from suanli.foundation.equation import FloatArray
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr
from suanli.traffic.draw import DAY_SECONDS
from suanli.traffic.read import read_traffic

COLUMN = "requests_per_s"
HOUR_SECONDS = 3600.0
DAY_HOURS = 24
MOST_HOURS = 24 * 366
MOST_RATE = 2.0**40


def read_curve(path: Path) -> FloatArray:
    """Read the rate of each hour, in requests per second: a table with `requests_per_s`, a row an hour, or a trace.

    Raises InputError with every wrong line, where there is no full hour, or more hours than a year has.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            head = opened.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.single(place=str(path), found=str(error), allowed=tr("a table of hours or requests")) from None
    names = [name.strip() for name in next(csv.reader([head]), [])]
    rates = _of_table(path) if COLUMN in names else of_requests(path)
    if len(rates) > MOST_HOURS:
        raise InputError.single(
            place=str(path), found=tr("{hours} hours", hours=len(rates)),
            allowed=tr("at most {hours} hours, a year", hours=MOST_HOURS),
        )  # fmt: skip
    return rates


def _of_table(path: Path) -> FloatArray:
    rates, faults = [], []
    with path.open(encoding="utf-8-sig", newline="") as opened:
        for number, row in enumerate(csv.DictReader(opened, skipinitialspace=True), start=2):
            said = (row.get(COLUMN) or "").strip()
            try:
                rate = float(said)
            except ValueError:
                rate = math.nan
            if 0 <= rate <= MOST_RATE:
                rates.append(rate)
            else:
                allowed = tr("a number from 0 to {most}", most=f"{MOST_RATE:g}")
                faults.append(Fault(place=f"{path}:{number}", found=f"{COLUMN} '{said}'", allowed=allowed))
    if faults:
        raise InputError(faults)
    if not any(rates):
        raise InputError.single(place=str(path), found=tr("no requests"), allowed=tr("an hour with a rate above 0"))
    return np.array(rates)


def of_requests(path: Path) -> FloatArray:
    """Count the requests of a trace by the hour; a last hour that is not full is left out.

    Raises InputError where the trace is shorter than an hour.
    """
    counts = np.zeros(0, dtype=np.int64)
    last = 0.0
    for chunk in read_traffic(path):
        counts, last = _counted(counts, chunk), float(chunk.arrival_seconds[-1])
    full = int(last // HOUR_SECONDS)
    if full < 1:
        raise InputError.single(
            place=str(path), found=tr("{seconds} seconds of traffic", seconds=f"{last:,.0f}"),
            allowed=tr("an hour or more; or a table with a column {name}", name=COLUMN),
        )  # fmt: skip
    return counts[:full] / HOUR_SECONDS


def _counted(counts: np.ndarray, chunk: Requests) -> np.ndarray:
    new = np.bincount((chunk.arrival_seconds // HOUR_SECONDS).astype(np.int64), minlength=len(counts))
    new[: len(counts)] += counts
    return new


def swinging(mean_per_s: float, swing: float) -> FloatArray:
    """Return the 24 hourly rates of a day that swings by a share around its mean, as generated traffic does.

    With a swing s the rate at time t is r (1 - s cos(2 pi t / day)); an hour's is the mean over it.
    """
    turn = 2 * np.pi / DAY_SECONDS
    edges = np.arange(DAY_HOURS + 1) * HOUR_SECONDS
    come = edges - swing * np.sin(turn * edges) / turn
    return np.asarray(mean_per_s * np.diff(come) / HOUR_SECONDS)


def at_mean(rates_per_s: FloatArray, mean_per_s: float) -> FloatArray:
    """Bring hours to a mean rate, keeping their shape."""
    return np.asarray(rates_per_s * (mean_per_s / rates_per_s.mean()))
