"""The steady state of a run: warm-up, pauses and stalls apart; spread, drift, modes and periods of what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from suanli.domain.training_log import Pace, Pause, PauseKind, StepTimes
from suanli.foundation.equation import FloatArray
from suanli.validation.logs.rules import Rules, load_rules

ROBUST_SIGMA = 1.4826
"""A normal's sigma over the median distance from its median: 1 / Phi^-1(3/4)."""
MOST_PAIRS = 400
"""Reports that a slope is drawn through; more are thinned, evenly."""
FEW = 5
"""With fewer steady reports nothing is said of their spread, modes or drift."""
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


def pace_of(times: StepTimes, pauses: Sequence[Pause], rules: Rules | None = None) -> Pace:
    """Find the steady pace of a run.

    The middle and the spread are those of the reports that no pause touches, past the first quarter; what stands so
    many robust sigmas above them is warm-up while it leads, and a stall after it.
    """
    said = rules or load_rules()
    paused = _paused(times, pauses)
    outlying = times.seconds > _bound(times, paused, said)
    first = _warm_up(outlying | paused)
    leading: Mask = np.arange(len(times)) < first
    steady: Mask = ~(leading | paused | outlying)
    if not steady.any():
        steady = ~leading if (~leading).any() else np.ones(len(times), dtype=bool)
    kept = times.seconds[steady]
    pace = float(np.median(kept))
    stalls: Mask = outlying & ~leading & ~paused
    low, high, share = _modes(times, ~(leading | paused), said)
    return Pace(
        step_seconds=pace,
        low_seconds=float(np.quantile(kept, TENTH)),
        high_seconds=float(np.quantile(kept, 1 - TENTH)),
        wall_step_seconds=_wall(times, pace, ~leading),
        reports=len(times),
        steady_reports=int(steady.sum()),
        warm_up_steps=int(times.covers[leading].sum()),
        spread=_spread(kept),
        drift=_drift(times.number[steady], kept, pace),
        stalls=int(stalls.sum()),
        stall_seconds=_above(times, stalls, pace, ~leading),
        stall_every=_period(times.number[stalls], said),
        fast_mode_seconds=low,
        slow_mode_seconds=high,
        slow_mode_share=share,
        pause_seconds=_pause_seconds(times, pauses, pace, ~leading),
    )


TENTH = 0.1


def _core(times: StepTimes, paused: Mask) -> tuple[float, float]:
    """Return the median of the reports past the first quarter that no pause touches, and their robust sigma."""
    late: Mask = np.arange(len(times)) >= len(times) // 2**2
    kept = times.seconds[late & ~paused]
    if not len(kept):
        kept = times.seconds
    middle = float(np.median(kept))
    rounding = times.resolution_seconds / np.sqrt(12) / float(np.median(times.covers))
    return middle, max(float(np.median(np.abs(kept - middle))) * ROBUST_SIGMA, float(rounding))


def _paused(times: StepTimes, pauses: Sequence[Pause]) -> Mask:
    """Say which reports a pause falls into: what is done after a step stands in the report of the steps behind it."""
    begins = times.number - times.covers
    steps = np.asarray([pause.step for pause in pauses], dtype=np.int64)
    if not len(steps) or not len(times):
        return np.zeros(len(times), dtype=bool)
    order = np.searchsorted(np.sort(steps), np.column_stack([begins, times.number]), side="left")
    return np.asarray(order[:, 1] > order[:, 0])


def implied_pauses(
    times: StepTimes, pauses: Sequence[Pause], every: Mapping[PauseKind, int], rules: Rules | None = None
) -> list[Pause]:
    """Find pauses that no line names: nearly all reports at multiples of a setting's period stand out.

    The time of a pause may stand in the report that ends with its step, or in the one behind it.
    """
    said = rules or load_rules()
    bound = _bound(times, _paused(times, pauses), said)
    known = {pause.kind for pause in pauses}
    begins = times.number - times.covers
    found: list[Pause] = []
    for kind, period in every.items():
        steps = np.arange(period, int(times.number[-1]) + 1, period)
        if kind in known or len(steps) < 2:
            continue
        for shift in (0, 1):
            rows = np.searchsorted(times.number, steps + shift, side="left")
            rows = np.unique(rows[rows < len(times)])
            rows = rows[begins[rows] < times.number[rows]]
            if (
                len(rows) > 1
                and len(rows) < len(times) / 2
                and np.mean(times.seconds[rows] > bound) >= said.period_share
            ):
                found += [Pause(kind=kind, step=int(begins[row]), told=False) for row in rows]
                break
    return found


def _bound(times: StepTimes, paused: Mask, rules: Rules) -> float:
    """Return the seconds above which a report stands out."""
    middle, sigma = _core(times, paused)
    return middle + max(rules.outlying_sigmas * sigma, rules.outlying_share * middle)


def _warm_up(odd: Mask) -> int:
    """Return how many leading reports are no steady ones: up to the first of two in a row that are."""
    calm = ~odd
    pairs = np.flatnonzero(calm[:-1] & calm[1:])
    return int(pairs[0]) if len(pairs) else 0


def _spread(kept: FloatArray) -> float:
    middle = float(np.median(kept))
    return float(np.median(np.abs(kept - middle))) * ROBUST_SIGMA / middle if len(kept) >= FEW else 0.0


def _drift(number: np.ndarray, kept: FloatArray, pace: float) -> float:
    """Return the change over the steady reports in shares of the pace: Theil's median of all slopes, times the span."""
    if len(kept) < FEW:
        return 0.0
    rows = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MOST_PAIRS)).astype(int))
    steps, seconds = number[rows].astype(float), kept[rows]
    early, late = np.triu_indices(len(rows), 1)
    slope = np.median((seconds[late] - seconds[early]) / (steps[late] - steps[early]))
    return float(slope * (steps[-1] - steps[0]) / pace)


def _above(times: StepTimes, which: Mask, pace: float, counted: Mask) -> float:
    """Return the seconds above the pace that some reports take, on average over all steps counted."""
    steps = int(times.covers[counted].sum())
    more = float(((times.seconds[which] - pace) * times.covers[which]).sum())
    return max(more, 0.0) / steps if steps else 0.0


def _wall(times: StepTimes, pace: float, counted: Mask) -> float:
    """Return what a step takes on the wall, pauses and stalls in it; the mean of the reports where no clock tells."""
    known = counted & np.isfinite(times.wall_seconds)
    steps = int(times.covers[known].sum())
    if steps:
        return max(float(times.wall_seconds[known].sum()) / steps, 0.0)
    steps = int(times.covers[counted].sum())
    return float((times.seconds * times.covers)[counted].sum()) / steps if steps else pace


def _pause_seconds(times: StepTimes, pauses: Sequence[Pause], pace: float, counted: Mask) -> dict[PauseKind, float]:
    """Return what pauses take a step by kind: as told, else what their report takes above the pace."""
    steps = int(times.covers[counted].sum())
    if not steps:
        return {}
    spent = np.fmax(np.nan_to_num(times.wall_seconds), times.seconds * times.covers)
    above = np.maximum(spent - times.covers * pace, 0.0)
    sums: dict[PauseKind, float] = {}
    by_report: dict[int, list[Pause]] = {}
    for pause in pauses:
        row = int(np.searchsorted(times.number, pause.step, side="right"))
        if row < len(times) and counted[row]:
            by_report.setdefault(row, []).append(pause)
    for row, together in by_report.items():
        told = sum(pause.seconds for pause in together)
        silent = [pause for pause in together if not pause.seconds > 0]
        rest = max(float(above[row]) - told, 0.0)
        for pause in together:
            seconds = pause.seconds if pause.seconds > 0 else rest / len(silent)
            sums[pause.kind] = sums.get(pause.kind, 0.0) + seconds
    return {kind: seconds / steps for kind, seconds in sums.items()}


def _period(number: np.ndarray, rules: Rules) -> int:
    """Return the period of stalls in steps: the median gap where nearly all gaps are it or a multiple; 0 for none."""
    gaps = np.diff(number)
    if len(gaps) < 2:
        return 0
    period = float(np.median(gaps))
    if period < 2:
        return 0
    off = np.abs(gaps / period - np.round(gaps / period)) * period
    regular = (off <= np.maximum(1.0, TENTH * period)) & (np.round(gaps / period) >= 1)
    return round(period) if float(regular.mean()) >= rules.period_share else 0


def _modes(times: StepTimes, which: Mask, rules: Rules) -> tuple[float, float, float]:
    """Split steps into two modes where they have two: Otsu's threshold, then how far the halves lie apart.

    Returns the medians of both modes and the share of steps in the slow one; zeros where there is one mode.
    """
    seconds = np.sort(times.seconds[which])
    count = len(seconds)
    if count < 2 * FEW:
        return 0.0, 0.0, 0.0
    head, square = np.cumsum(seconds), np.cumsum(seconds**2)
    left = np.arange(1, count)
    right = count - left
    low, high = head[:-1] / left, (head[-1] - head[:-1]) / right
    cut = int(np.argmax(left * right * (high - low) ** 2))
    within = (
        square[cut] - left[cut] * low[cut] ** 2 + (square[-1] - square[cut]) - right[cut] * high[cut] ** 2
    ) / count
    apart = (high[cut] - low[cut]) / np.sqrt(max(within, (rules.worth_saying * low[cut] / 2) ** 2))
    smaller = min(left[cut], right[cut]) / count
    if (
        apart < rules.mode_distance
        or smaller < rules.mode_share
        or high[cut] < low[cut] * (1 + rules.outlying_share)
        or min(left[cut], right[cut]) < 2
    ):
        return 0.0, 0.0, 0.0
    return float(np.median(seconds[: cut + 1])), float(np.median(seconds[cut + 1 :])), float(right[cut] / count)
