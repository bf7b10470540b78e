"""Fits of kernel families to measured times, by the log of time: half of the samples weigh, the other half judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from suanli.domain.kernel import CollectiveKernel
from suanli.foundation.equation import FloatArray
from suanli.foundation.extras import not_installed
from suanli.measure.rules import FitRules
from suanli.parts.devices.fabric import time_tier

NORMAL_80 = 1.2816
"""Sigmas of a normal figure within which 80 % of it lies."""
INSIDE = 1e-6
"""How far inside its bounds, in the log, a search starts."""
P90 = 0.9
SPREAD_QUANTILE = 0.8
Time = Callable[[Any, Any], FloatArray]
"""Times of a table's rows under a kernel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A fitted family, and its errors on rows that the fit did not see.

    `sigma_log` is one sigma of the log of predicted over measured; `engine_spread` half of what engines differ by.
    """

    table: str
    family: str
    kernel: Any
    rows: int
    median_error: float
    p90_error: float
    bias: float
    sigma_log: float
    engine_spread: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Measured times with the extents of their shapes, by name; `rows[mask]` takes a part of them."""

    columns: Mapping[str, FloatArray]
    seconds: FloatArray

    def __getitem__(self, mask: Any) -> Rows:
        return Rows(columns={name: one[mask] for name, one in self.columns.items()}, seconds=self.seconds[mask])

    def __len__(self) -> int:
        return len(self.seconds)

    def of(self, name: str) -> FloatArray:
        """Return a column."""
        return self.columns[name]


def optimisers() -> Any:
    """Load scipy's optimisers. Raises InputError that says how to get them where they are not installed."""
    try:
        from scipy import optimize
    except ModuleNotFoundError as error:
        raise not_installed("measure", "scipy", "measure") from error
    return optimize


def seen(rows: Any) -> Any:
    """Say which rows a fit sees: every second one."""
    return np.arange(len(rows)) % 2 == 0


def solve(
    noun: type[Any], fixed: Mapping[str, float], time: Time, table: Any, weight: FloatArray, rules: FitRules
) -> tuple[Any, float]:
    """Fit the free figures of a family to half of the rows; return the kernel and what the fit costs.

    Each figure moves by its log between its bounds; a weak hold keeps one that the rows say nothing of at its start.
    """
    free = [one.name for one in fields(noun) if one.name not in fixed]
    low, high = (np.log([getattr(rules.figures[name], end) for name in free]) for end in ("low", "high"))
    begin = np.log([rules.figures[name].start for name in free])
    chosen = seen(table)
    part, root = table[chosen], np.sqrt(weight[chosen])
    target = np.log(np.asarray(part.seconds))

    def build(vector: FloatArray) -> Any:
        return noun(**dict(zip(free, np.exp(vector).tolist(), strict=True)), **fixed)

    def residual(vector: FloatArray) -> FloatArray:
        off = root * (np.log(time(build(vector), part)) - target)
        return off if rules.hold <= 0 else np.concatenate([off, rules.hold * (vector - begin)])

    found = optimisers().least_squares(
        residual, np.clip(begin, low + INSIDE, high - INSIDE), bounds=(low, high), loss="soft_l1",
        f_scale=rules.loss_scale, max_nfev=rules.most_rounds,
    )  # fmt: skip
    return build(found.x), float(found.cost)


def best(
    table: str, family: str, noun: type[Any], grid: Sequence[Mapping[str, float]], time: Time, rows: Any,
    weight: FloatArray, rules: FitRules,
) -> Fit:  # fmt: skip
    """Fit a family for each choice of tiles, keep the best, and weigh it on the other half of the rows."""
    kernel, _ = min((solve(noun, fixed, time, rows, weight, rules) for fixed in grid), key=lambda one: one[1])
    unseen = rows[~seen(rows)]
    ratio = time(kernel, unseen) / np.asarray(unseen.seconds)
    spread = float(np.median(np.sqrt(unseen.spread))) if "spread" in getattr(unseen, "columns", ()) else 1.0
    return judged(table, family, kernel, len(rows), ratio, spread)


def judged(table: str, family: str, kernel: Any, rows: int, ratio: FloatArray, engine_spread: float = 1.0) -> Fit:
    """Make a fit of a kernel and of what it predicts over what was measured."""
    off = np.abs(ratio - 1)
    return Fit(
        table=table, family=family, kernel=kernel, rows=rows, median_error=float(np.median(off)),
        p90_error=float(np.quantile(off, P90)), bias=float(np.median(ratio) - 1),
        sigma_log=float(np.quantile(np.abs(np.log(ratio)), SPREAD_QUANTILE) / NORMAL_80), engine_spread=engine_spread,
    )  # fmt: skip


COLLECTIVE_FREE = {"base_seconds": (5e-7, 3e-4), "hop_seconds": (1e-9, 1e-4), "half_bytes": (1e3, 1e9),
                   "ramp_power": (0.05, 0.9)}  # fmt: skip
COLLECTIVE_START = {"base_seconds": 5e-6, "hop_seconds": 3e-6, "half_bytes": 4e6, "ramp_power": 0.4}
SHARE_START, SHARE_LOW = 0.7, 0.02


def fit_collective(
    table: str, name: str, passes: float, ranks: FloatArray, message_bytes: FloatArray, seconds: FloatArray,
    link_bytes_per_s: float, loss_scale: float,
) -> Fit:  # fmt: skip
    """Fit one collective within a tier: latency, shares of the link by ranks, ramp."""
    counts = sorted(set(ranks.tolist()))
    names = list(COLLECTIVE_FREE)
    low = np.log([COLLECTIVE_FREE[one][0] for one in names] + [SHARE_LOW] * len(counts))
    high = np.log([COLLECTIVE_FREE[one][1] for one in names] + [1.0] * len(counts))

    def build(vector: FloatArray) -> CollectiveKernel:
        said = np.exp(vector).tolist()
        return CollectiveKernel(
            **dict(zip(names, said[: len(names)], strict=True)), share_ranks=tuple(counts),
            link_shares=tuple(said[len(names) :]),
        )  # fmt: skip

    def residual(vector: FloatArray) -> FloatArray:
        return np.asarray(np.log(np.asarray(time_tier(build(vector), passes, message_bytes, ranks, link_bytes_per_s))
                                 / seconds))  # fmt: skip

    start = np.log([COLLECTIVE_START[one] for one in names] + [SHARE_START] * len(counts))
    found = optimisers().least_squares(residual, start, bounds=(low, high), loss="soft_l1", f_scale=loss_scale)
    return judged(table, name, build(found.x), len(seconds), np.exp(residual(found.x)))
