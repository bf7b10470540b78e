"""Cells of a result file read as numbers, every fault noted with its key; what contradicts itself is a fault too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suanli.domain.measured import LATENCIES, MEAN, MeasuredRun
from suanli.foundation.errors import Fault
from suanli.foundation.language import tr

MILLI = 1000.0
CLOSE = 0.05
"""How far a rate may be from its count over the duration: tools leave the first or last requests out of one of them."""
MOST_REQUESTS = 10_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """The cells of one part of a file; reading a wrong one adds a fault to the file's list."""

    place: str
    cells: Mapping[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def under(self, *keys: str) -> Cells:
        """Return the cells of a part of this part; empty where there is none."""
        here: Any = self.cells
        for key in keys:
            here = here.get(key) if isinstance(here, Mapping) else None
        found = here if isinstance(here, Mapping) else {}
        return Cells(place=".".join((self.place, *keys)), cells=found, faults=self.faults)

    def text(self, key: str) -> str:
        """Return a text, empty where there is none; the first of a list."""
        said = self.cells.get(key)
        if isinstance(said, list):
            said = said[0] if said else ""
        return said.strip() if isinstance(said, str) else ""

    def number(self, key: str, needed: bool = False) -> float | None:
        """Return a finite number of at least 0, None where there is none; infinity stands for none."""
        said = self.cells.get(key)
        if said is None or said in ("", "inf", "Infinity") or said == math.inf:
            if needed:
                self.fault(key, tr("nothing"), tr("a number"))
            return None
        try:
            value = float(said) if not isinstance(said, bool) else math.nan
        except (TypeError, ValueError):
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            self.fault(key, str(said), tr("a finite number of at least 0"))
            return None
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers, empty where there is none."""
        said = self.cells.get(key)
        if said is None:
            return ()
        if not isinstance(said, list) or not all(_is_number(one) for one in said):
            self.fault(key, str(said)[:60], tr("a list of numbers"))
            return ()
        return tuple(float(one) for one in said)

    def fault(self, key: str, found: str, allowed: str) -> None:
        """Note that a cell is wrong."""
        self.faults.append(Fault(place=f"{self.place}.{key}", found=found, allowed=allowed))


def _is_number(said: Any) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said)


def percentile_of(name: str) -> float | None:
    """Read p99, p99.9 or p999 (99.9) as a share; None where a word is no percentile."""
    digits = name[1:] if name.startswith("p") else ""
    try:
        value = float(digits)
    except ValueError:
        return None
    if value > 100 and "." not in digits:
        value = float(f"{digits[:2]}.{digits[2:]}")
    return value / 100 if 0 < value < 100 else None


def checked(run: MeasuredRun, cells: Cells, seconds: float | None, sent: float | None = None) -> MeasuredRun:
    """Note what contradicts itself in a run: percentiles out of order, rates that are not counts over the duration."""
    if not 0 < run.completed <= MOST_REQUESTS:
        allowed = tr("from 1 to {most} requests that ended", most=MOST_REQUESTS)
        cells.fault("completed", str(run.completed), allowed)
    if sent is not None and run.completed > sent:
        cells.fault("completed", str(run.completed), tr("at most the {count} requests that were sent", count=int(sent)))
    for quantity in LATENCIES:
        _in_order(quantity, run.values, cells)
    told = ((run.input_tokens, run.inputs, "input_lens"), (run.output_tokens, run.outputs, "output_lens"))
    for mean, single, key in told:
        if single and mean is not None and not math.isclose(sum(single) / len(single), mean, rel_tol=CLOSE):
            cells.fault(key, f"{sum(single) / len(single):.4g}", tr("lengths whose mean is {mean}", mean=f"{mean:.4g}"))
    if seconds is not None and seconds > 0 and run.completed:
        _rates(run, cells, seconds)
    return run


def _in_order(quantity: str, values: Mapping[tuple[str, str], float], cells: Cells) -> None:
    found = sorted(
        (share, value) for (name, word), value in values.items()
        if name == quantity and (share := percentile_of(word)) is not None
    )  # fmt: skip
    for (low, one), (high, other) in itertools.pairwise(found):
        if one > other * (1 + CLOSE):
            said = f"P{low * 100:g} {one:.4g} s > P{high * 100:g} {other:.4g} s"
            cells.fault(quantity, said, tr("percentiles in order"))


def _rates(run: MeasuredRun, cells: Cells, seconds: float) -> None:
    tokens = run.output_tokens
    for name, count in (
        ("requests_per_s", float(run.completed)),
        ("output_tokens_per_s", None if tokens is None else run.completed * tokens),
    ):
        told = run.values.get((name, MEAN))
        if told is not None and count is not None and not math.isclose(told, count / seconds, rel_tol=CLOSE):
            allowed = tr("what was counted over the duration, {rate} a second", rate=f"{count / seconds:.4g}")
            cells.fault(name, f"{told:.4g}", allowed)


def mean_of(numbers: Sequence[float]) -> float | None:
    """Return the mean, None of nothing."""
    return sum(numbers) / len(numbers) if numbers else None


def statistics(part: Cells, names: Iterable[tuple[str, str]], factor: float) -> dict[str, float]:
    """Read statistics by (key of the file, our word) in SI; what is not there is left out."""
    found = {word: part.number(key) for key, word in names if part.cells.get(key) is not None}
    return {word: value / factor for word, value in found.items() if value is not None}
